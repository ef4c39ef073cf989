"""Work that somebody waits for in silence goes before work that is only needed later, across all models of a process.

Cores, caches and the memory bus are shared: a voice that begins to speak takes several times as long beside three
language models that write on. What is ahead of its listener loses nothing by standing still for a moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_S = 0.01
"""How often work that stands back looks whether its own caller wants something else."""


class Urgency:
    """How many pieces of work somebody waits for in silence."""

    def __init__(self) -> None:
        self._n = 0
        self._changed = threading.Condition()

    @property
    def n_waited_for(self) -> int:
        """Pieces of work that somebody waits for at this moment."""
        return self._n

    @contextmanager
    def waited_for(self) -> Iterator[Callable[[], None]]:
        """Somebody waits for the work inside; yields what may be called before its end, when nobody does any more."""
        over = False

        def end() -> None:
            nonlocal over
            if over:
                return
            over = True
            with self._changed:
                self._n -= 1
                self._changed.notify_all()

        with self._changed:
            self._n += 1
        try:
            yield end
        finally:
            end()

    def stand_back(self, at_most_s: float, unless: Callable[[], bool] = lambda: False) -> None:
        """Blocks while anything is waited for.

        Args:
            at_most_s: Longest time.
            unless: Ends it early; looked at every 10 ms.
        """
        until = time.monotonic() + at_most_s
        with self._changed:
            while self._n and not unless():
                left_s = until - time.monotonic()
                if left_s <= 0:
                    return
                self._changed.wait(min(_LOOK_S, left_s))


URGENCY = Urgency()
"""The process's own: its models share the cores."""
