"""`viva bench soak`: vivas back to back for a long time, and whether the server gets any bigger for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import psutil

from workbench.settings import Settings
from workbench.simulate.cohort import CohortPlan, make_candidates, sit_all

SAMPLE_EVERY_S = 5.0
WARM_UP_SHARE = 0.2
"""The first part of a run fills caches and pools; the slope is taken behind it."""


async def measure(
    url: str,
    settings: Settings,
    *,
    minutes: float = 60.0,
    server_pid: int,
    typed_at_once: int = 3,
    spoken_at_once: int = 1,
    seed: int = 0,
    on_viva: Callable[[int], None] = lambda n: None,
) -> dict[str, Any]:
    """Keeps typing and speaking candidates coming until the time is up, and watches the server's process.

    Returns:
        Vivas sat, failures, the samples (seconds, MiB, threads, files, tasks), and the slope of memory after warm-up.
    """
    samples: list[dict[str, float | None]] = []
    stop = asyncio.Event()
    started_s = time.monotonic()
    watcher = asyncio.create_task(_watch(url, server_pid, started_s, samples, stop))
    vivas: list[dict[str, Any]] = []
    deadline_s = started_s + 60.0 * minutes

    async def seat(typed: bool, first_seed: int) -> None:
        number = first_seed
        while time.monotonic() < deadline_s:
            plan = CohortPlan(
                n=1, typed=typed, seed=number, mode=("practice", "exam")[number % 2], questions=None if typed else 3
            )
            plan_behaviour = ("mixed", "asking", "hesitant", "coughing", "interrupting", "rambling")[number % 6]
            candidates = make_candidates(CohortPlan(**{**plan.__dict__, "behaviours": (plan_behaviour,)}), settings)
            for candidate in candidates:
                await candidate.prepare()
            [record] = await sit_all(candidates, url, at_once=1, timeout_s=1200)
            vivas.append({"typed": typed, "failure": record.failure, "questions": len(record.questions)})
            on_viva(len(vivas))
            number += 1

    seats = [seat(True, seed + 1000 * i) for i in range(typed_at_once)]
    seats += [seat(False, seed + 1000 * (typed_at_once + i)) for i in range(spoken_at_once)]
    try:
        await asyncio.gather(*seats)
        # what is left when everybody has gone is what was left over
        await asyncio.sleep(10)
        samples.append(await _sample(url, server_pid, started_s))
    finally:
        stop.set()
        await watcher
    return {
        "vivas": len(vivas),
        "failures": [v["failure"] for v in vivas if v["failure"]],
        **trend(samples),
        "samples": samples,
    }


def trend(samples: list[dict[str, float | None]]) -> dict[str, Any]:
    """First and last value and slope per hour (least squares) of each quantity, behind the warm-up."""
    if len(samples) < 3:
        return {"trend": {}}
    end_s = float(samples[-1]["at_s"] or 0.0)
    steady = [sample for sample in samples if float(sample["at_s"] or 0.0) >= WARM_UP_SHARE * end_s]
    found: dict[str, Any] = {}
    for key in ("rss_mib", "threads", "files", "tasks"):
        points = [(s["at_s"], s[key]) for s in steady if s[key] is not None]
        if len(points) >= 3:
            x, y = np.array(points, dtype=float).T
            slope = float(np.polyfit(x, y, 1)[0]) * 3600
            found[key] = {
                "first": round(float(y[0]), 1),
                "last": round(float(y[-1]), 1),
                "slope_per_h": round(slope, 2),
            }
    return {"trend": found}


async def _watch(
    url: str, pid: int, started_s: float, samples: list[dict[str, float | None]], stop: asyncio.Event
) -> None:
    while not stop.is_set():
        samples.append(await _sample(url, pid, started_s))
        try:
            await asyncio.wait_for(stop.wait(), SAMPLE_EVERY_S)
        except TimeoutError:
            continue


async def _sample(url: str, pid: int, started_s: float) -> dict[str, float | None]:
    process = psutil.Process(pid)
    return {
        "at_s": round(time.monotonic() - started_s, 1),
        "rss_mib": round(process.memory_info().rss / 2**20, 1),
        "threads": process.num_threads(),
        "files": process.num_fds() if hasattr(process, "num_fds") else None,
        "tasks": await _tasks(url),
    }


async def _tasks(url: str) -> float | None:
    """The server's own count of asyncio tasks, None where it does not tell."""
    page = url.replace("ws", "http", 1).removesuffix("/v1/realtime")
    try:
        async with httpx.AsyncClient(timeout=5) as http:
            text = (await http.get(f"{page}/metrics")).text
    except httpx.HTTPError:
        return None
    for line in text.splitlines():
        if line.startswith("viva_asyncio_tasks "):
            return float(line.split()[1])
    return None
