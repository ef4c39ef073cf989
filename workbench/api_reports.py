"""Reports and exports as files over HTTP: PDF and workbook of one session, tables and gradebooks of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse, Response

from workbench.api_access import CANDIDATE, Access
from workbench.reports.cohort_pdf import cohort_file
from workbench.reports.errors import ReportFailed
from workbench.reports.formats import MEDIA_TYPES, ReportFile, session_file, sessions_file
from workbench.reports.gradebook import to_gradebook
from workbench.reports.selection import cohort_grades, grades_of, sessions_with_results, whole_sessions
from workbench.store.repository import Store
from workbench.store.rows import SessionData, Status

Load = Callable[[Request, str], SessionData]
"""Loads the session whose report a request may read, or refuses."""

PATHS = ("/api/exports/{rest:path}",)
"""What these routes add to the paths of the API."""

_SessionId = Annotated[str, InPath(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the session.")]
_Since = Annotated[datetime | None, Query(description="Started at or after; with a time zone.")]


def add_report_files(
    app: FastAPI, store: Store, banks: Mapping[str, Any], access: Access, load: Load, token: dict[str, Any]
) -> None:
    """Adds the routes.

    Args:
        app: The API.
        store: Where sessions are kept.
        banks: Today's banks, for sessions that were stored without their own.
        access: Who may read what.
        load: Loads a session for whom may read its report.
        token: OpenAPI description of a candidate's token.
    """

    @app.exception_handler(ReportFailed)
    def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    def documented(kind: Any, **more: Any) -> dict[str, Any]:
        return {
            "response_class": Response,
            "responses": {200: {"content": {MEDIA_TYPES[kind].partition(";")[0]: {}}}},
            **more,
        }

    @app.get("/api/sessions/{session_id}/report.pdf", **documented("pdf", openapi_extra={"parameters": [token]}))
    def report_pdf(
        request: Request,
        session_id: _SessionId,
        paper: Literal["a4", "us-letter"] = "a4",
        full: Annotated[bool, Query(description="With transcript and history of the marks; for educators.")] = False,
    ) -> Response:
        """The report as a tagged PDF (PDF/UA-1); a candidate's `token` opens their own."""
        data = load(request, session_id)
        if full and access.reader(request, session_id) == CANDIDATE:
            raise HTTPException(403, "transcript and history of the marks are for educators; leave `full` out")
        return _sent(session_file(data, banks, "pdf", paper=paper, full=full))

    @app.get("/api/sessions/{session_id}/report.xlsx", **documented("xlsx", openapi_extra={"parameters": [token]}))
    def report_xlsx(request: Request, session_id: _SessionId) -> Response:
        """The report as a workbook of items, marks and key points; a candidate's `token` opens their own."""
        return _sent(session_file(load(request, session_id), banks, "xlsx"))

    @app.get("/api/cohorts/{cohort_id}/report.pdf", **documented("pdf"))
    def cohort_pdf(
        request: Request, cohort_id: Annotated[int, InPath(ge=1, le=2**53)], paper: Literal["a4", "us-letter"] = "a4"
    ) -> Response:
        """A cohort's results as a tagged PDF: scores, candidates, questions, judge and people."""
        actor = access.educator(request)
        file = cohort_file(store, banks, cohort_id, paper=paper)
        store.note(actor, "cohort.exported", f"cohort:{cohort_id}")
        return _sent(file)

    def export_route(kind: Literal["csv", "xlsx", "json"]) -> Callable[..., Response]:
        def export(
            request: Request,
            status: Status | None = None,
            discipline: str | None = None,
            area: str | None = None,
            since: _Since = None,
            names: Annotated[bool, Query(description="With candidates' names, not pseudonyms only.")] = False,
        ) -> Response:
            actor = access.educator(request)
            which = {"status": status, "discipline": discipline, "area": area, "since": _zoned(since)}
            sessions = whole_sessions(store, **which)
            store.note(actor, "sessions.exported", kind, n_sessions=len(sessions), names=names)
            return _sent(sessions_file(sessions, banks, kind, names=names))

        export.__doc__ = f"The sessions that fit as {kind.upper()}: sessions, items, marks and key points."
        if kind == "csv":
            export.__doc__ = "The items of the sessions that fit as CSV, one row a question."
        return export

    for kind in ("csv", "xlsx", "json"):
        path = f"/api/exports/sessions.{kind}"
        app.get(path, name=f"export_{kind}", **documented(kind))(export_route(kind))

    @app.get("/api/exports/grades.csv", **documented("csv"))
    def grades(
        request: Request,
        format: Literal["moodle", "canvas"],
        item: Annotated[str, Query(min_length=1, max_length=200, description="Name of the grade item.")] = "Viva",
        discipline: str | None = None,
        area: str | None = None,
        since: _Since = None,
        cohort: Annotated[int | None, Query(description="Only this cohort; the other filters are left out.")] = None,
        keep: Annotated[
            Literal["best", "last"], Query(description="Which of several exams of one person counts.")
        ] = "best",
    ) -> Response:
        """Scores of the exams that fit, one row a person, for the gradebook of Moodle or Canvas."""
        actor = access.educator(request)
        if cohort is not None:
            found = cohort_grades(store, cohort, keep=keep)
        else:
            rows = sessions_with_results(store, discipline=discipline, area=area, since=_zoned(since))
            found = grades_of(rows, keep=keep)
        store.note(actor, "grades.exported", format, n_grades=len(found))
        content = to_gradebook(found, format, item=item).encode()
        return _sent(ReportFile(f"grades-{format}.csv", MEDIA_TYPES["csv"], content))


def _sent(file: ReportFile) -> Response:
    return Response(
        file.content,
        media_type=file.media_type,
        headers={
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": f'attachment; filename="{file.name}"',
        },
    )


def _zoned(since: datetime | None) -> datetime | None:
    if since is not None and since.tzinfo is None:
        raise HTTPException(422, "since needs a time zone, such as 2026-03-01T00:00:00Z")
    return since
