"""`viva models`: fetch the weights, say what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Model weights: fetch them once, list what is there.", no_args_is_help=True)

ModelsDir = Annotated[
    Path | None, typer.Option("--models-dir", help="Cache directory; VIVA_MODELS_DIR when not given.")
]


def _models_dir(given: Path | None) -> Path:
    from workbench.settings import get_settings

    return given or get_settings().models_dir


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of `viva models list`; none: what is needed.")
    ] = None,
    models_dir: ModelsDir = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Fetch, check and unpack model weights; does nothing, and needs no network, when all are there."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from workbench import models

    directory = _models_dir(models_dir)
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.fields[weights]:<18} {task.fields[doing]:<16}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}
        phases: dict[str, str] = {}

        def show(name: str, doing: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task("", total=None, weights=name, doing=doing)
            elif phases[name] != doing:
                bar.reset(tasks[name], weights=name, doing=doing)
            phases[name] = doing
            bar.update(tasks[name], completed=done, total=total or None)

        paths = models.pull(names or (), directory, show)
    for path in paths:
        console.print(f"ready: {path}", soft_wrap=True, highlight=False)


@app.command(name="list")
def list_(
    models_dir: ModelsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """List the weights the workbench knows, where they come from and whether they are there."""
    from rich.console import Console
    from rich.table import Table

    from workbench import models

    statuses = models.list_models(_models_dir(models_dir))
    if as_json:
        rows = [
            {
                "name": status.weights.name,
                "what": status.weights.what,
                "state": status.state,
                "needed": status.weights.when == "always",
                "licence": status.weights.licence,
                "packages": list(status.weights.packages),
                "megabytes": round(status.weights.n_bytes / 1e6, 1),
                "path": str(status.path),
            }
            for status in statuses
        ]
        print(json.dumps(rows, indent=2))
        return
    table = Table(title=f"Weights in {_models_dir(models_dir)}", title_justify="left")
    for heading in ("name", "state", "fetched", "MB", "licence", "what"):
        table.add_column(heading, justify="right" if heading == "MB" else "left")
    for status in statuses:
        weights = status.weights
        when = "by default" if weights.when == "always" else "when asked"
        table.add_row(weights.name, status.state, when, f"{weights.n_bytes / 1e6:.0f}", weights.licence, weights.what)
    Console().print(table)
