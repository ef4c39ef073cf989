"""The command line `viva`: gathers the commands of `workbench.commands`, turns options into settings."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from workbench.commands.errors import ExplainingGroup

COMMAND_MODULES = (
    "models",
    "bank",
    "sessions",
    "transcripts",
    "educators",
    "report",
    "deliver",
    "simulate",
    "sample",
    "lab",
    "bench",
    "doctor",
    "events",
)
"""Modules of `workbench.commands`, in the order of the help text."""

app = typer.Typer(
    name="viva",
    help="A research workbench for spoken oral examinations.",
    cls=ExplainingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """A research workbench for spoken oral examinations."""


def settings_with(**overrides: Any) -> Any:
    """The settings of this process; an option that was given (is not None) wins over environment and `.env`.

    Raises:
        pydantic.ValidationError: A value is out of range; the command line prints which.
    """
    from workbench.settings import Settings

    return Settings(**{name: value for name, value in overrides.items() if value is not None})


@app.command()
def serve(
    share: Annotated[bool | None, typer.Option("--share/--no-share", help="Open a public Gradio share link.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    profile: Annotated[
        Literal["cpu", "gpu"] | None, typer.Option(help="Default engines: embedded, or for a GPU.")
    ] = None,
    root_path: Annotated[str | None, typer.Option(help="URL prefix of a reverse proxy, e.g. /viva.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of database and recordings.")] = None,
) -> None:
    """Serve the page, the realtime socket and the HTTP API; prints the address."""
    settings = settings_with(share=share, host=host, port=port, profile=profile, root_path=root_path, data_dir=data_dir)
    from workbench.serve import serve as run_server

    run_server(settings)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed_version

    print(installed_version("viva-workbench"))


def _mount(name: str) -> None:
    """Adds `workbench.commands.<name>`; one whose optional dependency is missing says so when it is run."""
    full_name = f"workbench.commands.{name}"
    if importlib.util.find_spec(full_name) is None:
        return
    try:
        module = importlib.import_module(full_name)
    except ImportError as error:
        _mount_broken(name, error)
        return
    group, function = getattr(module, "app", None), getattr(module, name, None)
    if isinstance(group, typer.Typer):
        app.add_typer(group, name=name)
    elif callable(function):
        app.command(name, context_settings=getattr(module, "CONTEXT_SETTINGS", None))(function)
    else:
        raise TypeError(f"{full_name} holds neither a typer app named `app` nor a function named `{name}`")


def _mount_broken(name: str, error: ImportError) -> None:
    anything = {"allow_extra_args": True, "ignore_unknown_options": True}

    @app.command(name, help=f"Not available: {error}.", context_settings=anything)
    def broken() -> None:
        raise error


for _name in COMMAND_MODULES:
    _mount(_name)


if __name__ == "__main__":
    app()
