"""A model's thread: who goes first, who stands back, who is told to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from workbench.engines.worker import MOST_RESTARTS, CancelFlag, Worker


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker("test")
    yield worker
    worker.close()


async def wait_for(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.001)


async def test_a_job_stands_back_for_a_more_urgent_one_and_begins_anew(worker: Worker) -> None:
    order: list[str] = []
    begun, urgent_asked = threading.Event(), threading.Event()

    def slow(flag: CancelFlag) -> str:
        order.append("slow begins")
        begun.set()
        urgent_asked.wait(5)
        flag.check()
        order.append("slow ends")
        return "slow"

    task = asyncio.create_task(worker.run(slow, priority="idle"))
    await wait_for(begun)
    urgent = asyncio.create_task(worker.run(lambda flag: order.append("urgent"), priority="now"))
    await asyncio.sleep(0)
    urgent_asked.set()
    assert await task == "slow"
    await urgent
    assert order == ["slow begins", "urgent", "slow begins", "slow ends"]


async def test_a_job_does_not_stand_back_for_one_of_its_own_rank(worker: Worker) -> None:
    begun, asked = threading.Event(), threading.Event()
    runs: list[int] = []

    def slow(flag: CancelFlag) -> None:
        runs.append(1)
        begun.set()
        asked.wait(5)
        flag.check()

    task = asyncio.create_task(worker.run(slow, priority="now"))
    await wait_for(begun)
    other = asyncio.create_task(worker.run(lambda flag: None, priority="now"))
    await asyncio.sleep(0)
    asked.set()
    await asyncio.gather(task, other)
    assert len(runs) == 1


async def test_a_job_that_stood_back_often_enough_runs_to_its_end(worker: Worker) -> None:
    runs: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()

    def slow(flag: CancelFlag) -> int:
        asked = threading.Event()

        def ask() -> None:
            runs.append(asyncio.create_task(worker.run(lambda flag: None, priority="now")))
            loop.call_soon(asked.set)

        loop.call_soon_threadsafe(ask)
        asked.wait(5)
        flag.check()
        return len(runs)

    assert await worker.run(slow, priority="soon") == MOST_RESTARTS + 1
    await asyncio.gather(*runs)


async def test_an_iterator_that_gives_way_goes_on_where_it_was(worker: Worker) -> None:
    order: list[str] = []
    asked = threading.Event()

    def counting(flag: CancelFlag) -> Iterator[int]:
        for i in range(4):
            order.append(str(i))
            yield i
            if i == 0:
                asked.wait(5)

    items = worker.iterate(counting, priority="soon", gives_way=True)
    got = [await anext(items)]
    urgent = asyncio.create_task(worker.run(lambda flag: order.append("urgent"), priority="now"))
    await asyncio.sleep(0)
    asked.set()
    got += [item async for item in items]
    await urgent
    assert got == [0, 1, 2, 3]
    assert order.index("urgent") <= 2 and [item for item in order if item != "urgent"] == list("0123")


async def test_a_caller_that_goes_away_stops_its_job(worker: Worker) -> None:
    begun, go = threading.Event(), threading.Event()
    ended: list[str] = []

    def slow(flag: CancelFlag) -> None:
        begun.set()
        go.wait(5)
        flag.check()
        ended.append("ran on")

    task = asyncio.create_task(worker.run(slow))
    await wait_for(begun)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    go.set()
    await worker.run(lambda flag: None)
    assert not ended
