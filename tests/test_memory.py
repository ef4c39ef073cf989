"""Memory that was freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workbench import memory

HOLES = """
import numpy, psutil
from workbench import memory

def held():
    return psutil.Process().memory_info().rss

blocks = [numpy.ones(12_000) for _ in range(1_000)]  # 96 KB each: glibc keeps such blocks in its heap
last = numpy.ones(12_000)  # at the end of the heap: what lies before it stays a hole
before = held()
del blocks
freed = held()
memory.give_back()
print(before - freed, freed - held())
"""


@pytest.mark.skipif(memory._glibc() is None, reason="this system's allocator is not glibc's")
def test_holes_in_the_heap_are_given_back() -> None:
    out = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60).stdout
    by_itself, given_back = map(int, out.split())
    assert by_itself < 48_000_000, "the allocator would have given it back anyway: the case shows nothing"
    assert given_back > 48_000_000


def test_without_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    memory.give_back()
