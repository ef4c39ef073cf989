"""`viva-finetune hear`: answers spoken, heard by the workbench's own recogniser, kept; and judges measured on them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.progress import Progress


def hear(
    out: Annotated[Path, typer.Option("--out", help="Where the hearings go, JSON lines.")],
    half: Annotated[Literal["tuning", "held-out", "all"], typer.Option("--half", help="Which exemplars.")] = "held-out",
    share: Annotated[float, typer.Option("--share", help="Part of them, chosen by hash, in (0, 1].")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw of voices, places and noise.")] = 0,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Hearings so far, gone on with; else `heard.jsonl` beside the model weights."),
    ] = None,
) -> None:
    """Speak exemplars in four voices and noisy places, and write down what the recogniser hears."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from finetune.answers import exemplars
    from finetune.hearing import Hearings, hear_all, line_of, share_of
    from workbench.engines.registry import create
    from workbench.settings import get_settings
    from workbench.simulate.voices import MODEL, Studio, speech_dir

    settings = get_settings()
    corpus = speech_dir(settings)
    if corpus is None:
        raise typer.BadParameter(
            f"noise and rooms are read from `speech` in VIVA_SHARED_DIR, which is {settings.shared_dir or 'unset'}; "
            "without them take the hearings that come with the repository (viva-finetune evaluate --on heard)"
        )
    try:
        answers = share_of(exemplars(half, settings.banks_dir), share)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    kept = Hearings(cache or settings.models_dir.parent / "heard.jsonl")
    names = (f"{settings.asr} {settings.asr_model}", MODEL)
    columns = (TextColumn("hearing"), BarColumn(), MofNCompleteColumn(), TextColumn("left:"), TimeRemainingColumn())

    async def run(progress: Progress) -> list[str]:
        task = progress.add_task("hearing", total=len(answers))
        transcriber, studio = create("asr", settings.asr, settings), Studio(settings)
        lines = []
        try:
            async for row in hear_all(answers, kept, studio, transcriber, corpus, names=names, seed=seed):
                lines.append(line_of(row))
                progress.advance(task)
        finally:
            await transcriber.close()
            await studio.close()
        return lines

    with Progress(*columns, console=Console(stderr=True)) as progress:
        lines = asyncio.run(run(progress))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")
    typer.echo(f"wrote {len(lines)} hearings to {out}")


def confusions(
    out: Annotated[Path, typer.Option("--out", help="Where the model goes, JSON.")],
    hearings: Annotated[
        Path | None, typer.Option("--hearings", help="What was heard, as `hear` writes it; else the repository's.")
    ] = None,
    half: Annotated[
        Literal["tuning", "held-out", "all"], typer.Option("--half", help="Exemplars it is fitted on.")
    ] = "tuning",
) -> None:
    """Fit the cheap model of the recogniser's slips, which makes noisy copies of texts for training."""
    from finetune.confusions import fit
    from finetune.heard import HEARD, pairs
    from workbench.settings import get_settings

    try:
        rows = pairs(hearings or HEARD, half, get_settings().banks_dir)
        model = fit([(row.typed.text, row.hearing.text) for row in rows])
    except (ValueError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from None
    model.save(out)
    typer.echo(f"wrote {out}: {model.n_words} words of {len(rows)} answers, word error rate {model.wer:.3f}")
