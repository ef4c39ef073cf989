"""Memory that libraries keep for later and never use again: bounded, or given back to the system.

oneDNN, in CTranslate2 and PyTorch, compiles a convolution for every length of sound it meets and keeps the last 1024,
a megabyte each: `viva bench soak` grew by 400 MB an hour. And glibc keeps the holes that the models' threads leave in
its heaps: a third of the process, after an hour.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from typing import Any

log = logging.getLogger(__name__)

KERNELS = "16"
"""Compiled kernels kept. Few lengths of sound come twice, and compiling one takes a hundredth of the time of using it:
with 1024, 16 or none kept the same 140 clips were encoded equally fast, to within the noise of the machine."""


def keep_few_kernels() -> None:
    """Bounds what oneDNN keeps; works before the first clip is encoded. A setting of the user's own holds."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)


def give_back() -> None:
    """Returns free memory to the system; blocks for some 20 ms, and does nothing without glibc."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") else None
