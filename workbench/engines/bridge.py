"""One event loop on a thread of its own, for callers that may block and engines that may not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Begins a coroutine on the loop, which lives as long as the process: what one opens, the next can use."""
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="engines-bridge", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(coroutine, _loop)


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Its result, blocking the calling thread, which is never an event loop's.

    Raises:
        Whatever the coroutine raises.
    """
    future = submit(coroutine)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
