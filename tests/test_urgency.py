"""What somebody waits for in silence goes before what is needed later, whichever model makes it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from workbench.engines import worker as workers
from workbench.engines.urgency import Urgency
from workbench.engines.worker import CancelFlag, Worker


def test_work_stands_back_until_what_is_waited_for_is_there() -> None:
    urgency, order = Urgency(), list[str]()
    started = threading.Event()

    def later() -> None:
        started.set()
        urgency.stand_back(10)
        order.append("later")

    with urgency.waited_for():
        thread = threading.Thread(target=later)
        thread.start()
        started.wait(5)
        order.append("waited for")
    thread.join(5)
    assert order == ["waited for", "later"]


def test_work_stands_back_for_a_moment_only() -> None:
    urgency = Urgency()
    with urgency.waited_for():
        before = time.monotonic()
        urgency.stand_back(0.05)
        assert time.monotonic() - before >= 0.05


def test_who_is_not_waited_for_any_more_holds_nobody_up() -> None:
    urgency = Urgency()
    with urgency.waited_for() as end:
        end()
        urgency.stand_back(600)
    urgency.stand_back(600)


def test_work_that_stands_back_heeds_its_own_caller() -> None:
    urgency = Urgency()
    with urgency.waited_for():
        urgency.stand_back(600, unless=lambda: True)


async def test_a_job_of_one_worker_stands_back_for_a_job_of_another_that_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "STAND_BACK_S", 10.0)
    urgency, order = Urgency(), list[str]()
    one, two = Worker("one", urgency=urgency), Worker("two", urgency=urgency)
    begun, go_on = threading.Event(), threading.Event()

    def urgent(flag: CancelFlag) -> None:
        begun.set()
        go_on.wait(5)
        order.append("now")

    def pieces(flag: CancelFlag) -> Iterator[int]:
        order.append("soon")
        yield 1

    async def read() -> None:
        async for _ in two.iterate(pieces, priority="soon", gives_way=True):
            pass

    try:
        first = asyncio.create_task(one.run(urgent, priority="now"))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        second = asyncio.create_task(read())
        third = asyncio.create_task(two.run(lambda flag: order.append("idle"), priority="idle"))
        await asyncio.sleep(0.05)
        assert order == []
        go_on.set()
        await asyncio.gather(first, second, third)
        assert order == ["now", "soon", "idle"]
    finally:
        one.close()
        two.close()


async def test_a_job_that_stands_back_begins_when_its_own_worker_has_something_urgent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "STAND_BACK_S", 600.0)
    urgency, order = Urgency(), list[str]()
    worker = Worker("one", urgency=urgency)
    try:
        with urgency.waited_for():
            idle = asyncio.create_task(worker.run(lambda flag: (flag.check(), order.append("idle")), priority="idle"))
            await asyncio.sleep(0.05)
            await worker.run(lambda flag: order.append("now"), priority="now")
            assert order == ["now"]
        await idle
        assert order == ["now", "idle"]
    finally:
        worker.close()


async def test_an_iterator_nobody_reads_any_more_lets_go_of_what_it_holds() -> None:
    urgency, worker = Urgency(), Worker("one")

    def tokens(flag: CancelFlag) -> Iterator[int]:
        with urgency.waited_for():
            yield from range(1000)

    try:
        reader = worker.iterate(tokens, lead=1)
        assert await anext(reader) == 0
        await reader.aclose()
        await worker.run(lambda flag: urgency.stand_back(600))
    finally:
        worker.close()
