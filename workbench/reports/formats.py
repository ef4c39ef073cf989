"""One session, or several, in any format: what the command line, the HTTP API and the mail call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from workbench.exam.items import Bank
from workbench.reports.cells import as_csv
from workbench.reports.pdf import Paper
from workbench.reports.session_pdf import session_pdf
from workbench.reports.tables import COLUMNS, tables_of
from workbench.reports.workbook import MEDIA_TYPE, to_xlsx
from workbench.store import reporting
from workbench.store.rows import SessionData

Format = Literal["html", "pdf", "csv", "xlsx", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)

MEDIA_TYPES: Mapping[Format, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": MEDIA_TYPE,
    "json": "application/json",
}


@dataclass(frozen=True)
class ReportFile:
    """A report as bytes with the name it is saved under."""

    name: str
    media_type: str
    content: bytes


def session_file(
    data: SessionData,
    banks: Mapping[str, Bank],
    kind: Format,
    *,
    recording_url: str | None = None,
    paper: Paper = "a4",
    full: bool = False,
) -> ReportFile:
    """One session's report as a file.

    Args:
        data: What is kept of the session.
        banks: Today's banks, for a session that was stored without its own.
        kind: Format.
        recording_url: Where the recording can be played from (html, json).
        paper: Format of a PDF's pages.
        full: With transcript and history of the marks, for educators (pdf).

    Raises:
        StoreError: The questions it was held with are not to be had.
        ReportFailed: The file could not be made.
    """
    if kind == "pdf":
        content = session_pdf(reporting.build(data, banks), paper=paper, whole=data if full else None)
    elif kind == "xlsx":
        content = to_xlsx(tables_of([data], banks), made_at=datetime.now(UTC))
    else:
        content = reporting.render(data, banks, kind, recording_url=recording_url).encode()
    return ReportFile(file_name(data, kind), MEDIA_TYPES[kind], content)


def sessions_file(
    sessions: Sequence[SessionData], banks: Mapping[str, Bank], kind: Literal["csv", "xlsx", "json"], *, names: bool
) -> ReportFile:
    """Several sessions as one file: a workbook or an object of every table, or the items as CSV.

    Args:
        sessions: What is kept of them.
        banks: Today's banks, for sessions that were stored without their own.
        kind: Format.
        names: Whether candidates' names are in it, or pseudonyms only.

    Raises:
        StoreError: The questions a session was held with are not to be had.
    """
    tables = tables_of(sessions, banks, names=names)
    if kind == "xlsx":
        content = to_xlsx(tables, made_at=datetime.now(UTC))
    elif kind == "csv":
        content = as_csv(COLUMNS["items"], tables.items).encode()
    else:
        whole = {
            name: [{c: row.get(c) for c in columns} for row in tables.of(name)] for name, columns in COLUMNS.items()
        }
        content = json.dumps({"version": 1, **whole}, ensure_ascii=False, indent=2, default=_json).encode()
    return ReportFile(f"vivas.{kind}", MEDIA_TYPES[kind], content)


def file_name(data: SessionData, kind: str) -> str:
    """A name for the file; of the candidate it has the pseudonym only, file names travel far."""
    session = data.session
    parts = ("viva", session.discipline, session.area or "", session.pseudonym, f"{session.started_at:%Y-%m-%d}")
    return f"{plain_name(*parts)}.{kind}"


def plain_name(*parts: str) -> str:
    """Parts of a file's name in letters that any system takes."""
    return re.sub(r"[^a-z0-9._-]+", "-", "-".join(part for part in parts if part).lower())


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    raise TypeError(f"{type(value).__name__} has no JSON form")
