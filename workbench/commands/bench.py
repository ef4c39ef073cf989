"""`viva bench NAME...`: measurements of the whole loop and of its parts, each with a table and a JSON report.

Several names in one call run one after another: `viva bench latency --turns 40 bargein turns`. Without `--url` each
starts a server in a process of its own.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

app = typer.Typer(
    name="bench", help="Measure the spoken loop; several names may follow each other.", chain=True, no_args_is_help=True
)

Url = Annotated[str | None, typer.Option("--url", help="Server to measure; one is started when left out.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of what is said, and when.")]
PatienceOption = Annotated[
    Literal["brisk", "default", "patient"], typer.Option("--patience", help="The examiner's patience.")
]


@app.command()
def latency(
    turns: Annotated[int, typer.Option(min=0, help="Turns of free conversation.")] = 40,
    exam_questions: Annotated[int, typer.Option(min=0, help="Questions of a practice viva, 0 for none.")] = 6,
    patience: PatienceOption = "default",
    seed: Seed = 0,
    url: Url = None,
    out: Out = None,
    picture: Annotated[Path | None, typer.Option(help="Draw where the time of each turn went.")] = None,
) -> None:
    """From the last voiced sample said to the first audible sample of words made for it."""
    from workbench.bench import latency as bench

    options = {"turns": turns, "exam_questions": exam_questions, "patience": patience, "seed": seed}
    with _server(url) as (address, _), _progress("turns", turns) as step:
        results = asyncio.run(bench.measure(address, _settings(), **options, on_turn=step))  # type: ignore[arg-type]
    report = _report("latency", results, options, out)
    rows = [_row("talk", report), *([_row("exam", report["exam"])] if report["exam"]["voice_to_voice_ms"]["n"] else [])]
    _table("Latency, ms", ("", "voice to voice p50", "p95", "beyond the silence p50", "p95", "n", "cut off"), rows)
    target = picture or (out.with_suffix(".png") if out else None)
    if target is not None:
        from workbench.bench.waterfall import draw

        draw(report, target)


@app.command()
def bargein(
    interruptions: Annotated[int, typer.Option(min=0, help="Real interruptions.")] = 24,
    harmless: Annotated[int, typer.Option(min=0, help="Coughs, encouragement, noise, echo.")] = 25,
    seed: Seed = 0,
    url: Url = None,
    out: Out = None,
) -> None:
    """How fast the examiner falls silent when talked over, and how often it does so by mistake."""
    from workbench.bench import bargein as bench

    options = {"interruptions": interruptions, "harmless": harmless, "seed": seed}
    with _server(url) as (address, _), _progress("trials", interruptions + harmless) as step:
        results = asyncio.run(bench.measure(address, _settings(), **options, on_turn=step))
    report = _report("bargein", results, options, out)
    clear = report["clear_ms"]
    heads = ("onset to silence p50, ms", "p95", "n", "missed", "false stops", "false pauses")
    rates = [report[key] for key in ("missed_rate", "false_stop_rate", "false_pause_rate")]
    _table("Barge-in", heads, [_texts(clear["p50"], clear["p95"], clear["n"], *rates)])
    kinds = [
        _texts(kind, entry["n"], entry["false_stop_rate"], entry["false_pause_rate"])
        for kind, entry in report["by_kind"].items()
    ]
    _table("What must not stop the examiner", ("", "n", "stopped", "paused"), kinds)


@app.command()
def turns(out: Out = None, seed: Seed = 0) -> None:
    """How often an answer with pauses inside is cut off, and how long a finished one waits."""
    bench = importlib.import_module("workbench.bench.turns")
    accepted = inspect.signature(bench.measure).parameters
    arguments = {"seed": seed} if "seed" in accepted else {}
    result = bench.measure(_settings(), **arguments)
    results = asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result
    report = _report("turns", results, arguments, out)
    _table("Turn-taking", ("", ""), [_texts(key, value) for key, value in _flat(report, results)])


@app.command()
def load(
    levels: Annotated[str, typer.Option(help="Vivas at once, comma-separated.")] = "1,2,4,8",
    turns: Annotated[int, typer.Option(min=1, help="Turns of each conversation.")] = 8,
    patience: PatienceOption = "default",
    seed: Seed = 0,
    url: Url = None,
    out: Out = None,
) -> None:
    """Several conversations at once, from this process, against a server in another."""
    from workbench.bench import load as bench

    try:
        wanted = [int(part) for part in levels.split(",")]
        if not wanted or min(wanted) < 1:
            raise ValueError
    except ValueError:
        raise typer.BadParameter(f"--levels takes numbers from 1 up, comma-separated, got {levels!r}") from None
    options = {"levels": wanted, "turns": turns, "patience": patience, "seed": seed}
    with _server(url, max_sessions=max(wanted)) as (address, pid), _progress("turns", turns * sum(wanted)) as step:
        results = asyncio.run(bench.measure(address, _settings(), **options, server_pid=pid, on_turn=step))  # type: ignore[arg-type]
    report = _report("load", results, options, out)
    rows = [
        _texts(level["n"], level["voice_to_voice_ms"]["p50"], level["voice_to_voice_ms"]["p95"],
               level["beyond_endpoint_ms"]["p50"], level["underruns"], level["no_reply_rate"],
               level["server_cores"], level["client_cores"])
        for level in report["levels"]
    ]  # fmt: skip
    heads = (
        "at once",
        "voice to voice p50, ms",
        "p95",
        "beyond the silence p50",
        "underruns",
        "no reply",
        "server, cores",
        "clients, cores",
    )
    _table("Load", heads, rows)  # fmt: skip


@app.command()
def engines(out: Out = None) -> None:
    """Every engine alone."""
    from workbench.bench import engines as bench

    results = asyncio.run(bench.measure(_settings()))
    report = _report("engines", results, {}, out)
    _table("Engines", ("", ""), [_texts(key, value) for key, value in _flat(report, results)])


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 60.0,
    typed: Annotated[int, typer.Option(min=0, help="Typing candidates at once.")] = 3,
    spoken: Annotated[int, typer.Option(min=0, help="Speaking candidates at once.")] = 1,
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """Vivas back to back; does the server's memory, its tasks or its files grow?"""
    from workbench.bench import soak as bench

    options = {"minutes": minutes, "typed_at_once": typed, "spoken_at_once": spoken, "seed": seed}
    with _server(None, max_sessions=typed + spoken) as (address, pid), _progress("vivas", None) as step:
        assert pid is not None
        results = asyncio.run(
            bench.measure(address, _settings(), **options, server_pid=pid, on_viva=lambda _: step())  # type: ignore[arg-type]
        )
    report = _report("soak", results, options, out)
    rows = [_texts(key, entry["first"], entry["last"], entry["slope_per_h"]) for key, entry in report["trend"].items()]
    _table(f"Soak: {report['vivas']} vivas, {len(report['failures'])} failed", ("", "first", "last", "per hour"), rows)


@app.command()
def fuzz(
    events: Annotated[int, typer.Option(min=1, help="Hostile events.")] = 10_000,
    attackers: Annotated[int, typer.Option(min=1, help="Connections they come over.")] = 6,
    seed: Seed = 0,
    url: Url = None,
    out: Out = None,
) -> None:
    """Broken, reordered, oversized and binary events beside a viva that must not notice."""
    from workbench.bench import fuzz as bench

    options = {"events": events, "attackers": attackers, "seed": seed}
    with _server(url, max_sessions=max(4, attackers + 1)) as (address, _), _progress("events", events) as step:
        results = asyncio.run(bench.measure(address, _settings(), **options, on_event=step))  # type: ignore[arg-type]
    report = _report("fuzz", results, options, out)
    keys = ("events", "answered_rate", "unanswered", "nameless", "disconnects", "alive", "neighbour_undisturbed")
    _table("Fuzz", ("", ""), [_texts(key, report.get(key)) for key in keys])
    if not report["alive"] or report["unanswered"] or not report.get("neighbour_undisturbed", True):
        raise typer.Exit(1)


@app.command()
def transcripts(
    sessions: Annotated[str, typer.Option(help="Numbers of vivas, comma-separated.")] = "100,1000,10000",
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """How long the researcher's tables take to load and summarise, and how much memory."""
    from workbench.bench import transcripts as bench

    try:
        wanted = [int(part) for part in sessions.split(",")]
        if not wanted or min(wanted) < 1:
            raise ValueError
    except ValueError:
        raise typer.BadParameter(f"--sessions takes numbers from 1 up, comma-separated, got {sessions!r}") from None
    options = {"sessions": wanted, "seed": seed}
    with _progress("sizes", len(wanted)) as step:
        results = bench.measure(_settings(), wanted, seed=seed, on_size=step)
    report = _report("transcripts", results, options, out)
    heads = ("vivas", "words", "load and summarise, s", "peak, GiB", "from Parquet, s", "peak, GiB")
    rows = [
        _texts(size["sessions"], size["store"]["rows"]["words"], size["store"]["total_s"], size["store"]["peak_gib"],
               size["parquet"]["total_s"], size["parquet"]["peak_gib"])
        for size in report["sizes"]
    ]  # fmt: skip
    _table("Tables of many vivas", heads, rows)


# ---- what they share ----


def _settings() -> Any:
    from workbench.settings import get_settings

    return get_settings()


@contextmanager
def _server(url: str | None, **settings: Any) -> Iterator[tuple[str, int | None]]:
    from workbench.simulate.local_server import server_at

    with server_at(url, **settings) as (address, server):
        yield address, server.pid if server is not None else None


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _report(name: str, results: dict[str, Any], options: dict[str, Any], out: Path | None) -> dict[str, Any]:
    from workbench.bench.report import envelope, write

    command = shlex.join(["viva", *sys.argv[1:]]) if "bench" in sys.argv[1:2] else f"viva bench {name}"
    report = envelope(command, results, settings=_settings(), options=options)
    if out is not None:
        write(out, report)
    return report


async def _awaited(result: Any) -> Any:
    return await result


def _row(name: str, part: dict[str, Any]) -> tuple[str, ...]:
    whole, beyond = part["voice_to_voice_ms"], part["beyond_endpoint_ms"]
    return _texts(name, whole["p50"], whole["p95"], beyond["p50"], beyond["p95"], whole["n"], part["cut_off_rate"])


def _texts(*values: Any) -> tuple[str, ...]:
    return tuple("-" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _flat(report: dict[str, Any], results: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The single values of a report, and p50 / p95 of its distributions."""
    for key in results:
        value = report[key]
        if isinstance(value, dict) and "p50" in value:
            yield f"{prefix}{key}", f"{value['p50']} / {value['p95']} (n {value['n']})"
        elif isinstance(value, dict):
            yield from _flat(value, value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
