"""The exam's own time: seconds that run while the viva does, and stand still in a pause or a lost connection."""

from __future__ import annotations

from collections.abc import Callable


class ExamClock:
    """Seconds of exam time.

    Args:
        clock: Monotonic seconds.
        elapsed_s: Exam time used before (a viva that goes on).
    """

    def __init__(self, clock: Callable[[], float], elapsed_s: float = 0.0) -> None:
        self._clock = clock
        self._elapsed = elapsed_s
        self._since: float | None = clock()

    def now(self) -> float:
        """Exam time used so far."""
        return self._elapsed + (self._clock() - self._since if self._since is not None else 0.0)

    def stop(self) -> None:
        """Stands still from now on."""
        self._elapsed = self.now()
        self._since = None

    def run(self) -> None:
        """Runs again."""
        if self._since is None:
            self._since = self._clock()
