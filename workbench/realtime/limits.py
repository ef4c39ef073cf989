"""How much one client may send: a token bucket for events and one for bytes."""

from __future__ import annotations

from collections.abc import Callable

from workbench.realtime.protocol import ProtocolError

EVENTS_PER_S = 200.0
EVENTS_BURST = 1000.0
BYTES_PER_S = 400_000.0
"""Six times what 24 kHz PCM16 in base64 needs; a client that was stalled may catch up."""

BYTES_BURST = 8_000_000.0
HOPELESS_AFTER = 5_000
"""Refused events after which the client is sent away."""


class RateLimit:
    """Counts what a client sends against what it may.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = clock()
        self._events = EVENTS_BURST
        self._bytes = BYTES_BURST
        self._refused = 0

    @property
    def hopeless(self) -> bool:
        """Whether the client does not stop."""
        return self._refused > HOPELESS_AFTER

    def check(self, n_bytes: int) -> None:
        """Takes one event of this size.

        Raises:
            ProtocolError: The client sends more than it may; the event is not acted on.
        """
        now = self._clock()
        passed, self._at = now - self._at, now
        self._events = min(EVENTS_BURST, self._events + passed * EVENTS_PER_S)
        self._bytes = min(BYTES_BURST, self._bytes + passed * BYTES_PER_S)
        if self._events < 1 or self._bytes < n_bytes:
            self._refused += 1
            what = f"{EVENTS_PER_S:.0f} events" if self._events < 1 else f"{BYTES_PER_S / 1000:.0f} kB"
            raise ProtocolError(
                f"too much: at most {what} a second; this event was dropped, send more slowly",
                param="(event)",
                code="rate_limited",
            )
        self._events -= 1
        self._bytes -= n_bytes
