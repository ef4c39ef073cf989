"""`viva report`: one session's report as a page, PDF, workbook, CSV or JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from workbench.commands.sessions import Out, SessionId, open_store, write_bytes, write_out


def report(
    session_id: SessionId,
    format: Annotated[
        Literal["html", "pdf", "csv", "xlsx", "json"], typer.Option("--format", "-f", help="Kind of file.")
    ] = "html",
    out: Out = None,
    paper: Annotated[Literal["a4", "us-letter"], typer.Option(help="Pages of a PDF.")] = "a4",
) -> None:
    """Write the report of a session; PDF and workbook go to a file named after it when --out is not given."""
    from workbench.exam.bank import load_banks
    from workbench.reports.formats import session_file

    with open_store() as store:
        data = store.load_session(session_id)
        banks = load_banks(store.settings.banks_dir)
    file = session_file(data, banks, format, paper=paper)
    if format in ("pdf", "xlsx"):
        write_bytes(file, out)
    else:
        write_out(file.content.decode(), out)
