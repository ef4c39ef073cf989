"""How many vivas are held at once, and the queue of those who wait for a seat."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable


class Room:
    """Seats for a fixed number of vivas; who finds none waits in line and is told the place at every change.

    Args:
        capacity: Vivas held at once.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._seated: set[str] = set()
        self._waiting: OrderedDict[str, tuple[asyncio.Event, Callable[[int], None]]] = OrderedDict()

    @property
    def seated(self) -> int:
        """Vivas under way."""
        return len(self._seated)

    @property
    def waiting(self) -> int:
        """Candidates in line."""
        return len(self._waiting)

    async def take_seat(self, session_id: str, tell: Callable[[int], None]) -> None:
        """Returns once the session has a seat; `tell` hears the place in line (1 is next) until then."""
        if session_id in self._seated:
            return
        if len(self._seated) < self.capacity and not self._waiting:
            self._seated.add(session_id)
            return
        turn = asyncio.Event()
        self._waiting[session_id] = (turn, tell)
        tell(len(self._waiting))
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # seated in the very moment of leaving
                self.leave(session_id)
            raise
        finally:
            if self._waiting.pop(session_id, None) is not None:
                self._announce()

    def leave(self, session_id: str) -> None:
        """Frees the seat, for the first in line."""
        self._seated.discard(session_id)
        for waiting_id, (turn, _) in list(self._waiting.items()):
            if len(self._seated) >= self.capacity:
                break
            if not turn.is_set():
                self._seated.add(waiting_id)
                self._waiting.pop(waiting_id)
                turn.set()
        self._announce()

    def _announce(self) -> None:
        for position, (_, tell) in enumerate(self._waiting.values(), start=1):
            tell(position)
