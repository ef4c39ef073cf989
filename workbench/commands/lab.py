"""`viva lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import subprocess
from typing import Annotated

import typer


def lab(
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    port: Annotated[int, typer.Option(help="Port of JupyterLab.")] = 8888,
) -> None:
    """Start JupyterLab on the notebooks, opening their README; VIVA_DATABASE_URL points them to real vivas."""
    from workbench.lab import command

    options = [f"--port={port}", *([] if browser else ["--no-browser"])]
    raise typer.Exit(subprocess.call([*command(), *options]))
