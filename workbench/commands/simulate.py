"""`viva simulate`: simulated candidates sit vivas, by voice or by keyboard, many at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from workbench.simulate.candidate import Candidate, CandidateRecord


def simulate(
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Candidates.")] = 4,
    behaviour: Annotated[
        list[str] | None, typer.Option(help="How they behave, dealt out in turn; may be given again. Default: all.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="They type: no sound is made or sent.")] = False,
    mode: Annotated[Literal["practice", "exam", "talk"], typer.Option(help="Kind of viva.")] = "practice",
    url: Annotated[str | None, typer.Option(help="Server to sit at; one is started when left out.")] = None,
    questions: Annotated[int | None, typer.Option(min=1, help="Leave after this many questions.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of exams and candidates.")] = 0,
    at_once: Annotated[int, typer.Option(min=1, help="Candidates in the room at the same time.")] = 4,
    discipline: Annotated[str, typer.Option(help="Discipline of the viva.")] = "medical",
    area: Annotated[str | None, typer.Option(help="Area; `ask` lets the candidate say it.")] = "cardiology",
    patience: Annotated[
        Literal["brisk", "default", "patient"], typer.Option(help="The examiner's patience.")
    ] = "default",
    json_out: Annotated[Path | None, typer.Option("--json", help="Write every record to this file.")] = None,
) -> None:
    """Let simulated candidates sit whole vivas and compare their marks with those they deserved."""
    from workbench.settings import get_settings
    from workbench.simulate.cohort import CohortPlan, agreement, make_candidates
    from workbench.simulate.local_server import server_at

    settings = get_settings()
    plan = CohortPlan(
        n=n,
        behaviours=tuple(behaviour or ()),
        mode=mode,
        typed=text,
        questions=questions,
        seed=seed,
        at_once=at_once,
        options={"discipline": discipline, "area": None if area == "ask" else area, "patience": patience},
    )
    try:
        candidates = make_candidates(plan, settings)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with server_at(url, max_sessions=max(at_once, 4)) as (address, _):
        records = asyncio.run(_run(candidates, address, at_once))
    _show(records, agreement(records))
    if json_out is not None:
        json_out.parent.mkdir(parents=True, exist_ok=True)
        whole = {"candidates": [record.as_dict() for record in records], "agreement": agreement(records)}
        json_out.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    if any(record.failure for record in records):
        raise typer.Exit(1)


async def _run(candidates: list[Candidate], url: str, at_once: int) -> list[CandidateRecord]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from workbench.simulate.cohort import sit_all

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        voices = progress.add_task("making the voices", total=len(candidates))
        for candidate in candidates:
            await candidate.prepare()
            progress.advance(voices)
        vivas = progress.add_task("sitting the vivas", total=len(candidates))
        return await sit_all(candidates, url, at_once=at_once, on_done=lambda record: progress.advance(vivas))


def _show(records: list[CandidateRecord], marks: dict[str, Any]) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Simulated vivas")
    for heading in (
        "candidate",
        "behaviour",
        "voice",
        "place",
        "questions",
        "score",
        "as deserved",
        "reply, ms (median)",
        "",
    ):
        table.add_column(heading)
    for record in records:
        waits = [t.voice_to_voice_ms for t in record.timings if t.voice_to_voice_ms is not None]
        table.add_row(
            record.name,
            record.behaviour,
            "typed" if record.typed else record.voice,
            record.surroundings,
            str(len(record.questions)),
            "-" if record.score is None else f"{record.score:g} / {record.max_score:g}",
            "-" if record.agreement is None else f"{record.agreement:.0%}",
            f"{np.median(waits):.0f}" if waits else "-",
            f"[red]{record.failure}[/red]" if record.failure else "",
        )
    console = Console()
    console.print(table)
    if marks["n"]:
        console.print(f"{marks['share']:.0%} of {marks['n']} answers got the verdict they deserved.")
