"""`viva sample`: the sample of vivas whose truth is known, made again from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Sample vivas whose truth is known, for notebooks and statistics.", no_args_is_help=True)


@app.callback()
def sample() -> None:
    """Sample vivas whose truth is known, for notebooks and statistics."""


@app.command()
def make(
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")] = 7,
    n_each: Annotated[int, typer.Option(min=10, help="Vivas of each of the two areas, an even number.")] = 60,
    spoken: Annotated[int, typer.Option(min=0, max=4, help="Vivas of which the sound is made.")] = 3,
    judge: Annotated[str, typer.Option(help="Who marks the answers.")] = "hybrid",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("data/sample"),
) -> None:
    """Make the sample: tables, recordings, the truth behind them and a card."""
    from rich.progress import Progress

    from workbench.simulate.sample.making import make as make_sample

    with Progress(transient=True) as progress:
        task = progress.add_task("sitting the vivas", total=2 * n_each)
        try:
            found = make_sample(
                out, seed=seed, n_each=n_each, n_spoken=spoken, judge=judge, on_viva=lambda: progress.advance(task)
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    print(f"wrote {len(found.sessions)} vivas with {len(found.words)} words to {out}")
