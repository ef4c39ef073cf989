"""A thread that runs one model's blocking calls in order of urgency, for callers on an event loop."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from workbench.engines.base import Priority
from workbench.engines.urgency import Urgency

log = logging.getLogger(__name__)

T = TypeVar("T")

STAND_STILL_S = 0.15
"""Longest time an iterator waits for its reader, once; afterwards it runs on."""

MOST_RESTARTS = 3
"""How often a job is begun anew because a more urgent one came; then it runs to its end."""

STAND_BACK_S = 0.1
"""Longest time a piece of work that is needed later stands still for one that somebody waits for."""

_RANK: dict[Priority, int] = {"now": 0, "soon": 1, "idle": 2}


class Cancelled(Exception):
    """Raised inside a worker's job when its caller has gone away."""


class GivesWay(Exception):
    """Raised inside a worker's job that is to be begun anew after a more urgent one."""


class CancelFlag:
    """Tells a blocking job that nobody waits for its result any more, or that somebody waits for another's more."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._outranked = False

    def set(self) -> None:
        """Marks the job as unwanted."""
        self._event.set()

    def outrank(self, outranked: bool = True) -> None:
        """Marks the job as one to be begun anew later, or no longer so."""
        self._outranked = outranked

    def __bool__(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises `Cancelled` or `GivesWay` when the job is to stop; blocking code calls it between steps."""
        if self._event.is_set():
            raise Cancelled
        if self._outranked:
            raise GivesWay


class Worker:
    """Runs jobs one after another on a thread of its own: `now` before `soon` before `idle`, else first come first.

    A job whose caller was cancelled while it waited is never started; one that runs is told through its `CancelFlag`.
    One that runs while a more urgent one comes stops at its next `check` and begins anew afterwards.

    Args:
        name: Name of the thread.
        nice: How far it gives way to other threads that want the cores, 0 to 19, as `nice` has it; on Linux only, where
            a thread may have a niceness of its own.
        urgency: What it shares the cores with: `now` jobs are waited for, the others stand back for those of any
            worker. None takes no part.
    """

    def __init__(self, name: str, *, nice: int = 0, urgency: Urgency | None = None) -> None:
        self.name = name
        self.nice = nice
        self._urgency = urgency or Urgency()
        self._jobs: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._running: tuple[int, CancelFlag] | None = None

    @property
    def waiting(self) -> int:
        """Jobs queued and not yet started."""
        return len(self._jobs)

    async def run(self, job: Callable[[CancelFlag], T], *, priority: Priority = "now") -> T:
        """Runs `job` on the worker's thread and returns its result; cancelling the caller cancels the job."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        flag = CancelFlag()

        def settle(value: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        n_restarts = 0

        def call() -> None:
            nonlocal n_restarts
            if flag:
                return
            try:
                with self._outranks(flag if n_restarts < MOST_RESTARTS else None, priority):
                    if priority != "now":
                        self._urgency.stand_back(STAND_BACK_S, lambda: bool(flag) or self._waits_more_urgent(priority))
                    with self._urgency.waited_for() if priority == "now" else nullcontext():
                        value, error = job(flag), None
            except Cancelled:
                return
            except GivesWay:
                n_restarts += 1
                self._put(call, priority)
                return
            except BaseException as caught:  # handed to the caller, who alone knows what to do
                value, error = None, caught
            self._tell(loop, settle, value, error)

        self._put(call, priority)
        try:
            return await future
        finally:
            flag.set()

    async def iterate(
        self,
        job: Callable[[CancelFlag], Iterator[T]],
        *,
        priority: Priority = "now",
        lead: int | None = None,
        gives_way: bool = False,
    ) -> AsyncGenerator[T, None]:
        """Yields what the iterator made by `job` yields, as it comes; closing the generator stops the iterator.

        Args:
            job: Makes the iterator, on the worker's thread.
            priority: Place in the queue.
            lead: Items it may be ahead of the reader: it stands still for up to `STAND_STILL_S` when it is further, so
                that whatever the reader does with an item has the cores to itself; None never waits.
            gives_way: Whether it stands back between two items for a more urgent job, and goes on after it.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        flag = CancelFlag()
        room = threading.Semaphore(lead or 0)
        items: Iterator[T] | None = None
        end: Any = object()
        awaited = gives_way and priority == "now"

        def outpaced() -> bool:
            return bool(flag) or self._waits_more_urgent(priority)

        def go_on() -> bool:
            """Makes items; whether it stood back and is to be put into the queue again."""
            nonlocal items, awaited
            waits = lead is not None
            items = job(flag) if items is None else items
            while not flag:
                if gives_way and priority != "now":
                    self._urgency.stand_back(STAND_BACK_S, outpaced)
                with self._urgency.waited_for() if awaited else nullcontext():
                    item = next(items, end)
                awaited = False
                if item is end:
                    self._tell(loop, queue.put_nowait, ("end", None))
                    return False
                if flag:
                    return False
                self._tell(loop, queue.put_nowait, ("item", item))
                if gives_way and self._waits_more_urgent(priority):
                    return True
                # one who is not read any more must not hold up those who queue behind it
                waits = waits and not self._jobs and room.acquire(timeout=STAND_STILL_S)
            return False

        def call() -> None:
            again = False
            try:
                again = go_on()
            except Cancelled:
                pass
            except BaseException as caught:
                self._tell(loop, queue.put_nowait, ("error", caught))
            finally:
                if again:
                    self._put(call, priority)
                elif isinstance(items, Generator):
                    items.close()  # what it holds is let go of now, not when its memory is

        self._put(call, priority)
        try:
            while True:
                kind, value = await queue.get()
                if kind == "item":
                    yield value
                    room.release()
                elif kind == "error":
                    raise value
                else:
                    return
        finally:
            flag.set()

    def close(self) -> None:
        """Lets the running job end and starts no other."""
        with self._wake:
            self._closed = True
            self._jobs.clear()
            self._wake.notify()

    def join(self, timeout_s: float) -> bool:
        """Waits, blocking, until the job that ran when it was closed has ended; whether it has."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def _put(self, call: Callable[[], None], priority: Priority) -> None:
        with self._wake:
            if self._closed:
                raise RuntimeError(f"worker {self.name} is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
                self._thread.start()
            heapq.heappush(self._jobs, (_RANK[priority], next(self._order), call))
            if self._running is not None and _RANK[priority] < self._running[0]:
                self._running[1].outrank()
            self._wake.notify()

    @contextmanager
    def _outranks(self, flag: CancelFlag | None, priority: Priority) -> Iterator[None]:
        """Has the flag of the running job raised when a more urgent one comes; None runs to its end."""
        if flag is None:
            yield
            return
        with self._wake:
            flag.outrank(False)
            self._running = (_RANK[priority], flag)
        try:
            yield
        finally:
            with self._wake:
                self._running = None
                flag.outrank(False)

    def _waits_more_urgent(self, priority: Priority) -> bool:
        with self._wake:
            return bool(self._jobs) and self._jobs[0][0] < _RANK[priority]

    def _serve(self) -> None:
        if self.nice and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self.nice)
        while True:
            with self._wake:
                while not self._jobs and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                _, _, call = heapq.heappop(self._jobs)
            call()

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: Any) -> None:
        try:
            loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the loop closed while the model was still working: nobody is left to tell
            log.debug("dropped a result: event loop closed")
