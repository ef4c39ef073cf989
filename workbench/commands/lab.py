"""`viva lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import os
import subprocess
from typing import Annotated

import typer

CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}


def lab(
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    port: Annotated[int, typer.Option(help="Port of JupyterLab.")] = 8888,
) -> None:
    """Start JupyterLab on the notebooks, opening their README; VIVA_DATABASE_URL points them to real vivas.

    Options that are not named here go to JupyterLab: `viva lab --allow-root --ip=0.0.0.0` in a container.
    """
    from workbench.lab import command

    options = [f"--port={port}", *([] if browser else ["--no-browser"]), *context.args]
    words = [*command(), *options]
    if os.name == "posix":  # in the place of this process, so that what stops one stops the other
        os.execv(words[0], words)
    raise typer.Exit(subprocess.call(words))
