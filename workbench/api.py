"""The HTTP API beside the page: health, metrics, and the stored sessions behind the educator's login."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.metadata import version
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workbench import api_admin, api_cohorts, api_docs, api_marking, api_reports, metrics
from workbench.api_access import CANDIDATE, Access, VerifyReaderToken, VerifyReportToken
from workbench.api_errors import add_error_handlers
from workbench.settings import Settings
from workbench.store import recordings, reporting
from workbench.store.archive import MAX_PAGE
from workbench.store.errors import StoreError
from workbench.store.logins import Logins
from workbench.store.publishing import HELD_MESSAGE
from workbench.store.repository import Store
from workbench.store.rows import (
    AnswerRow,
    EventRow,
    MarkRow,
    ResultRow,
    SessionData,
    SessionRow,
    Status,
    TurnRow,
)

SETTLED_S = 5.0
"""A WAV nothing was written to for this long is no longer being recorded."""

_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}

# the report shows what a stranger said: nothing in it may run or load anything
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'self'"
)


class ResultsHeld(Exception):
    """A candidate asks for results that are not published yet."""


_ReportKind = tuple[reporting.Format, str, dict[str, str]]

SessionId = Annotated[str, InPath(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the session.")]


@dataclass(frozen=True)
class Health:
    """Whether the server can hold a viva.

    Attributes:
        status: `ok`, or `failing` when the database does not answer.
        version: Version of the program.
        database: Whether the database answers.
    """

    status: Literal["ok", "failing"]
    version: str
    database: bool


@dataclass(frozen=True)
class SessionSummary:
    """One line of the list; the result is null while the viva runs."""

    session: SessionRow
    result: ResultRow | None


@dataclass(frozen=True)
class SessionList:
    """One page of sessions, newest first; `total` counts all pages."""

    sessions: list[SessionSummary]
    total: int
    offset: int


@dataclass(frozen=True)
class SessionDetail:
    """Everything kept of one session; the last mark of a question counts."""

    session: SessionRow
    result: ResultRow | None
    turns: list[TurnRow]
    answers: list[AnswerRow]
    marks: list[MarkRow]
    events: list[EventRow]
    has_recording: bool


def build_api(
    store: Store,
    banks: Mapping[str, Any],
    settings: Settings,
    verify_report_token: VerifyReportToken,
    *,
    logins: Logins | None = None,
    verify_reader_token: VerifyReaderToken = lambda token: None,
) -> list[BaseRoute]:
    """The API as routes to mount at the root of another application.

    Args:
        store: Where sessions are kept.
        banks: Question banks by discipline, for reports of sessions that kept none.
        settings: Login and origins.
        verify_report_token: Id of the session whose report a token opens, None for a bad token.
        logins: Who may log in, shared with the educators' pages; made here when None.
        verify_reader_token: Session and login an educator's token stands for, None for a bad token.
    """
    access = Access(settings, verify_report_token, logins or Logins(settings, store), verify_reader_token)
    app = build_app(store, banks, access)
    paths = ("/health", "/metrics", "/api/docs", "/api/openapi.json", "/api/events.json", "/api/sessions")
    more = (*api_reports.PATHS, *api_marking.PATHS, *api_cohorts.PATHS, *api_admin.PATHS)
    return [*(Route(path, app) for path in (*paths, *more)), Route("/api/sessions/{rest:path}", app)]


def build_app(store: Store, banks: Mapping[str, Any], access: Access) -> FastAPI:
    """The API as an application of its own."""
    app = FastAPI(
        title="Viva Workbench API",
        version=version("viva-workbench"),
        description=(
            "Stored vivas, marks, cohorts and links. HTTP Basic with an educator's account, or with VIVA_USERNAME and"
            " VIVA_PASSWORD, the built-in administrator; without any password this machine only."
        ),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    add_error_handlers(app)
    _add_open_routes(app, store)
    _add_session_routes(app, store, access)
    _add_report_routes(app, store, banks, access)
    api_marking.add_marking(app, store, access)
    api_cohorts.add_cohorts(app, store, banks, access)
    api_admin.add_admin(app, store, access)
    return app


def _add_open_routes(app: FastAPI, store: Store) -> None:
    @app.get("/health", responses={503: {"model": Health, "description": "The database does not answer."}})
    def health() -> Health:
        """Whether the server can hold a viva."""
        try:
            store.ping()
        except StoreError:
            state = {"status": "failing", "version": app.version, "database": False}
            return JSONResponse(state, 503)  # type: ignore[return-value]
        return Health("ok", app.version, True)

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def show_metrics() -> Response:
        """Counters and histograms in Prometheus' text format; nothing of what anyone said."""
        return Response(metrics.as_text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/api/openapi.json", response_class=JSONResponse)
    def openapi() -> Response:
        """This API as an OpenAPI 3.1 document."""
        return JSONResponse(app.openapi())

    @app.get("/api/events.json", response_class=Response, responses={200: {"content": {"application/json": {}}}})
    def events() -> Response:
        """The events of the realtime socket `/v1/realtime` as a JSON schema."""
        from workbench.realtime import event_docs

        return Response(event_docs.as_json_schema(), media_type="application/json")

    @app.get("/api/docs", response_class=HTMLResponse)
    def docs() -> str:
        """This page."""
        return api_docs.as_html(app.openapi())


def _add_session_routes(app: FastAPI, store: Store, access: Access) -> None:
    @app.get("/api/sessions")
    def list_sessions(
        request: Request,
        status: Status | None = None,
        discipline: str | None = None,
        area: str | None = None,
        since: Annotated[datetime | None, Query(description="Started at or after; with a time zone.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    ) -> SessionList:
        """Sessions, newest first."""
        access.educator(request)
        if since is not None and since.tzinfo is None:
            raise HTTPException(422, "since needs a time zone, such as 2026-03-01T00:00:00Z")
        page = store.list_sessions(
            status=status, discipline=discipline, area=area, since=since, limit=limit, offset=offset
        )
        rows = [SessionSummary(session, result) for session, result in page.sessions]
        return SessionList(rows, page.total, page.offset)

    @app.get("/api/sessions/{session_id}")
    def show_session(request: Request, session_id: SessionId) -> SessionDetail:
        """Everything kept of one session; that it was read is noted."""
        actor = access.educator(request)
        data = store.load_session(session_id)
        store.note_access(actor, session_id, "detail")
        return SessionDetail(
            session=data.session,
            result=data.result,
            turns=list(data.turns),
            answers=list(data.answers),
            marks=list(data.marks),
            events=list(store.events(session_id)),
            has_recording=data.recording is not None,
        )

    @app.delete("/api/sessions/{session_id}", status_code=204)
    def delete_session(request: Request, session_id: SessionId) -> None:
        """Deletes a session with everything said in it and its recording; cannot be undone."""
        actor = access.educator(request)
        if store.load_session(session_id).session.status == "running":
            raise HTTPException(409, "this viva is still running; end it first")
        store.delete_session(session_id, actor=actor)


def _add_report_routes(app: FastAPI, store: Store, banks: Mapping[str, Any], access: Access) -> None:
    def load(request: Request, session_id: str) -> SessionData:
        who = access.reader(request, session_id)
        data = store.load_session(session_id)
        if who != CANDIDATE:
            # a player asks for many pieces of a recording: the first is the reading
            if request.headers.get("range", "bytes=0-").startswith("bytes=0-"):
                store.note_access(who, session_id, request.url.path.rpartition("/")[2])
        elif data.session.status == "running":
            raise HTTPException(409, "the report can be read once the viva is over")
        elif store.results_held(session_id):
            raise ResultsHeld
        return data

    def report_route(kind: reporting.Format, media_type: str, headers: dict[str, str]) -> Callable[..., Response]:
        def report(request: Request, session_id: SessionId) -> Response:
            data = load(request, session_id)
            where = None if data.recording is None else _audio_url(request, session_id, from_page=kind == "html")
            text = reporting.render(data, banks, kind, recording_url=where)
            return Response(text, media_type=media_type, headers=headers)

        report.__doc__ = f"The report as {kind.upper()}; a candidate's `token` opens their own."
        return report

    @app.exception_handler(ResultsHeld)
    def held(request: Request, error: Exception) -> Response:
        path = request.url.path
        if path.endswith(("/report", "/report.html")):
            page = _HELD_PAGE.format(escape(HELD_MESSAGE))
            return HTMLResponse(page, 403, {**_PRIVATE, "Content-Security-Policy": _REPORT_POLICY})
        return JSONResponse({"detail": HELD_MESSAGE}, 403, _PRIVATE)

    html: _ReportKind = ("html", "text/html; charset=utf-8", {"Content-Security-Policy": _REPORT_POLICY})
    csv: _ReportKind = ("csv", "text/csv; charset=utf-8", {"Content-Disposition": 'attachment; filename="report.csv"'})
    routes: dict[str, _ReportKind] = {
        "report": html,
        "report.html": html,
        "report.json": ("json", "application/json", {}),
        "report.csv": csv,
    }
    for name, (kind, media_type, more) in routes.items():
        app.get(
            f"/api/sessions/{{session_id}}/{name}",
            response_class=Response,
            responses={200: {"content": {media_type.partition(";")[0]: {}}}},
            openapi_extra={"parameters": [_TOKEN]},
            name=name,
        )(report_route(kind, media_type, {**_PRIVATE, **more}))

    api_reports.add_report_files(app, store, banks, access, load, _TOKEN)

    @app.head("/api/sessions/{session_id}/audio", include_in_schema=False)
    @app.get(
        "/api/sessions/{session_id}/audio",
        response_class=FileResponse,
        responses={200: {"content": {"audio/flac": {}, "audio/wav": {}}}, 206: {"description": "A range of it."}},
        openapi_extra={"parameters": [_TOKEN]},
    )
    def audio(request: Request, session_id: SessionId) -> FileResponse:
        """The recording, left channel the candidate, right channel the examiner as heard; ranges are served."""
        data = load(request, session_id)
        path = data.recording
        if path is None:
            raise HTTPException(404, "no recording was kept of this viva")
        if path.suffix == ".wav":
            if data.session.status == "running" or time.time() - path.stat().st_mtime < SETTLED_S:
                raise HTTPException(409, "the recording is still being written; try again in a moment")
            recordings.repair(path)
        media_type = "audio/flac" if path.suffix == ".flac" else "audio/wav"
        return FileResponse(path, media_type=media_type, headers=_PRIVATE)


def _audio_url(request: Request, session_id: str, *, from_page: bool) -> str:
    """Address of the recording, opened by the token that opened the report.

    Relative to the report for the page, which a browser shows there; relative to the site's root for programs.
    """
    token = request.query_params.get("token")
    place = "audio" if from_page else f"api/sessions/{session_id}/audio"
    return place if token is None else f"{place}?{urlencode({'token': token})}"


_HELD_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width, initial-scale=1'><title>Not published yet</title>"
    "<style>:root {{ color-scheme: light dark }} body {{ font: 18px/1.5 system-ui, sans-serif; margin: 4rem auto;"
    " max-width: 34rem; padding: 0 1rem }}</style><h1>Not published yet</h1><p>{}</p>"
)

_TOKEN = {
    "name": "token",
    "in": "query",
    "schema": {"type": "string"},
    "description": "A candidate's own link; opens the report and recording of one session once it is over.",
}
