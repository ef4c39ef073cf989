"""Events waiting for one client's socket: in order, bounded, and without those a barge-in has overtaken."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger(__name__)

MAX_WAITING = 4000
"""Events a client may be behind by before it is taken for dead: some minutes of sound."""


class ClientTooSlow(ConnectionError):
    """The client has stopped reading."""


class Outbox:
    """A queue between a conversation, which never waits, and a socket, which may.

    Events carry the generation they were made in; `drop_before` throws away, unsent, those of earlier generations.
    While no client is attached events are dropped: what a returning client needs is told again when it attaches.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int | None, dict[str, Any]]] = deque()
        self._ready = asyncio.Event()
        self._floor = 0
        self.attached = False
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: dict[str, Any], generation: int | None = None) -> None:
        """Queues one event; one of an overtaken generation is dropped here already."""
        if not self.attached or (generation is not None and generation < self._floor):
            return
        if len(self._waiting) >= MAX_WAITING:
            self.overflowed = True
        else:
            self._waiting.append((generation, event))
        self._ready.set()

    def drop_before(self, generation: int) -> None:
        """Nothing made before this generation will be sent any more."""
        self._floor = generation
        self._waiting = deque(item for item in self._waiting if item[0] is None or item[0] >= generation)

    async def run(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Sends until cancelled.

        Raises:
            ClientTooSlow: More than `MAX_WAITING` events were waiting.
        """
        while True:
            while self._waiting:
                generation, event = self._waiting.popleft()
                if generation is None or generation >= self._floor:
                    await send(json.dumps(event, separators=(",", ":")))
            if self.overflowed:
                raise ClientTooSlow(f"the client is {MAX_WAITING} events behind")
            self._ready.clear()
            await self._ready.wait()

    def attach(self) -> None:
        """A client is there; what was meant for the one before is not for it."""
        self._waiting.clear()
        self.overflowed = False
        self.attached = True

    def detach(self) -> None:
        """The client is gone."""
        self.attached = False
        self._waiting.clear()
        self._ready.set()
