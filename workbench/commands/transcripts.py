"""`viva transcripts`: one line a viva at the terminal, the data dictionary, and files for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def transcripts(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]", help="A database URL or file, an export, a folder of tables; the store when left out."
        ),
    ] = None,
    dictionary: Annotated[bool, typer.Option("--dictionary", help="Print every table and column.")] = False,
    to: Annotated[
        Literal["parquet", "tables", "webvtt", "textgrid", "eaf", "convokit"] | None,
        typer.Option(help="Write them in this format instead."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="New folder, or NAME.zip, for --to.")] = None,
    redact: Annotated[
        list[str] | None, typer.Option(help="A name to take out of what was said; may be given again.")
    ] = None,
) -> None:
    """Print a line for every viva, oldest first; nothing of what was said."""
    from workbench.transcripts import dictionary as all_columns
    from workbench.transcripts import load, summary, write
    from workbench.transcripts import redact as without
    from workbench.transcripts.summaries import lines

    if dictionary:
        print(all_columns(), end="")
        return
    if (out is not None or redact) and to is None:
        raise typer.BadParameter("--out and --redact are for --to")
    found = load(source)
    if to is not None:
        target = write(without(found, redact) if redact else found, to, out or Path(f"vivas-{to}"))
        print(f"wrote {len(found.sessions)} sessions to {target}", file=sys.stderr)
        return
    for line in lines(summary(found)):
        print(line)
    print(f"{len(found.sessions)} sessions in {found.about}", file=sys.stderr)
