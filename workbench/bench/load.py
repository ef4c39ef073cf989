"""`viva bench load`: several vivas at once, from this process, against a server in another; both share the machine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from workbench.bench.driver import talk, timing_rows, utterances
from workbench.bench.report import rate, summary
from workbench.settings import Settings
from workbench.simulate.client import VivaClient


async def measure(
    url: str,
    settings: Settings,
    *,
    levels: Sequence[int] = (1, 2, 4, 8),
    turns: int = 8,
    patience: str = "default",
    seed: int = 0,
    server_pid: int | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Holds 1, 2, 4, 8 conversations at once in `talk` mode (every stage works for every turn).

    Returns:
        One entry a level: `voice_to_voice_ms`, `beyond_endpoint_ms`, underruns, cores used by either side.
    """
    curve = []
    for level in levels:
        curve.append(await _level(url, settings, level, turns, patience, seed, server_pid, on_turn))
        await asyncio.sleep(1.0)
    return {"levels": curve}


async def _level(
    url: str,
    settings: Settings,
    level: int,
    turns: int,
    patience: str,
    seed: int,
    server_pid: int | None,
    on_turn: Callable[[], None],
) -> dict[str, Any]:
    said = [await utterances(settings, turns, seed + 100 * i) for i in range(level)]
    clients: list[VivaClient] = []
    before = [_cpu_s(os.getpid()), _cpu_s(server_pid), time.monotonic()]
    talked = await asyncio.gather(
        *(
            talk(
                url,
                said[i],
                settings,
                seed=seed + i,
                patience=patience,
                per_session=turns,
                on_turn=on_turn,
                record=clients,
            )
            for i in range(level)
        )
    )
    passed_s = time.monotonic() - before[2]
    timings = [timing for one in talked for timing in one]
    whole = [t for t in timings if not t.cut_off]
    underruns = [(sample, gap) for client in clients for _, sample, gap in client.playout.underruns()]
    return {
        "n": level,
        "voice_to_voice_ms": summary([t.voice_to_voice_ms for t in whole]),
        "beyond_endpoint_ms": summary([t.beyond_endpoint_ms for t in whole]),
        "first_sound_ms": summary([t.first_sound_ms for t in whole]),
        "cut_off_rate": rate(sum(t.cut_off for t in timings), len(timings)),
        "canned_rate": rate(
            sum(t.response_id is not None and t.voice_to_voice_ms is None for t in timings), len(timings)
        ),
        "no_reply_rate": rate(sum(t.response_id is None for t in timings), len(timings)),
        "underruns": len(underruns),
        "underrun_ms": summary([gap * 1000 for _, gap in underruns]),
        "server_cores": _share(_cpu_s(server_pid), before[1], passed_s) if server_pid else None,
        "client_cores": _share(_cpu_s(os.getpid()), before[0], passed_s),
        "microphone_lag_ms": round(max(client.microphone_lag_s for client in clients) * 1000, 1),
        "turns": timing_rows(timings),
    }


def _cpu_s(pid: int | None) -> float:
    """Processor seconds used so far; a server's children count, this process's (the server) do not."""
    if pid is None:
        return 0.0
    process = psutil.Process(pid)
    children = [] if pid == os.getpid() else process.children(recursive=True)
    total = 0.0
    for one in [process, *children]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _share(now_s: float, before_s: float, passed_s: float) -> float:
    return round((now_s - before_s) / passed_s, 2) if passed_s > 0 else 0.0
