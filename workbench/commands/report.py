"""`viva report`: one session's report as a page, as JSON or as CSV."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from workbench.commands.sessions import Out, SessionId, open_store, write_out


def report(
    session_id: SessionId,
    format: Annotated[Literal["html", "json", "csv"], typer.Option("--format", "-f", help="Kind of file.")] = "html",
    out: Out = None,
) -> None:
    """Write the report of a session."""
    from workbench.exam.bank import load_banks
    from workbench.store import reporting

    with open_store() as store:
        data = store.load_session(session_id)
        banks = load_banks(store.settings.banks_dir)
    write_out(reporting.render(data, banks, format), out)
