"""One rule for trying again: what is transient, a few times, longer each time, as long as the other side asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from workbench.delivery.errors import Transient

T = TypeVar("T")

MAX_WAIT_S = 60.0
"""Longest wait between two tries, whatever the other side asks for."""

Sleep = Callable[[float], None]

_growing = wait_exponential_jitter(initial=1, max=20)


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, Transient) else None
    return min(MAX_WAIT_S, max(0.0, asked)) if asked is not None else _growing(state)


def tried(call: Callable[[], T], *, tries: int, sleep: Sleep = time.sleep) -> T:
    """Calls until it works, `tries` times at most; only `Transient` is worth another try.

    Raises:
        DeliveryError: The last try failed, or an earlier one for good.
    """
    return Retrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(tries),
        wait=_wait_s,
        sleep=sleep,
        reraise=True,
    )(call)
