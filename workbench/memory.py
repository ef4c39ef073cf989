"""Memory the allocator keeps for later is given back to the system; what a server holds then tells what it needs.

The models take and free many blocks of growing size on several threads. glibc keeps the holes: after an hour of vivas a
third of the process was free memory that no other program could have (`viva bench soak`).
"""

from __future__ import annotations

import ctypes
import logging
import sys
from typing import Any

log = logging.getLogger(__name__)

_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""

ARENAS = 2
"""Heaps threads share: one for each of two cores. glibc would make eight a core, each with holes of its own."""


def share_heaps() -> None:
    """Has all threads share a few heaps; works before they are started, and does nothing without glibc."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Returns free memory to the system; blocks for some 20 ms, and does nothing without glibc."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
