"""`viva events`: the realtime protocol as a document or a JSON schema, made from the server's own types."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def events(
    format: Annotated[
        Literal["md", "json"], typer.Option("--format", help="Markdown for people, JSON schema for programs.")
    ] = "md",
) -> None:
    """Print the events of /v1/realtime."""
    from workbench.realtime import event_docs

    print(event_docs.as_json_schema() if format == "json" else event_docs.as_markdown())
