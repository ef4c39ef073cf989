"""Marks over HTTP: overrides with a reason and their undo, the moderation queue, and publishing results."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from workbench.api_access import Access
from workbench.exam.model import Verdict
from workbench.store.marking import MAX_REASON
from workbench.store.repository import Store
from workbench.store.rows import MarkRow, ResultRow
from workbench.store.rows_educators import DoubtfulMark

PATHS = ("/api/moderation", "/api/results/{rest:path}")
"""What these routes add to the paths of the API."""

_SessionId = Annotated[str, InPath(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the session.")]
_Number = Annotated[int, InPath(ge=1, le=100, description="Number of the question, from 1.")]


class Override(BaseModel):
    """A mark an educator gives; a verdict or points that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=MAX_REASON, description="Why; kept with the mark.")
    verdict: Verdict | None = None
    points: float | None = Field(None, ge=0, le=10, multiple_of=0.5)


class Marked(BaseModel):
    """The mark that counts now, null where the question is unmarked again, and the result that follows from it."""

    mark: MarkRow | None
    result: ResultRow | None


class SessionIds(BaseModel):
    """Sessions to publish or to hide, all of them or none."""

    model_config = ConfigDict(extra="forbid")

    session_ids: list[str] = Field(min_length=1, max_length=5000)


class Changed(BaseModel):
    """Sessions for which something changed; the others were as asked for already."""

    session_ids: list[str]


def add_marking(app: FastAPI, store: Store, access: Access) -> None:
    """Adds the routes."""

    def marked(session_id: str, mark: MarkRow | None) -> Marked:
        return Marked(mark=mark, result=store.load_session(session_id).result)

    @app.get("/api/sessions/{session_id}/marks")
    def mark_history(request: Request, session_id: _SessionId) -> list[MarkRow]:
        """Every mark and undo of a session in the order they were given; the last one of a question counts."""
        store.note_access(access.educator(request), session_id, "marks")
        return list(store.mark_history(session_id))

    @app.put("/api/sessions/{session_id}/marks/{number}")
    def override(request: Request, session_id: _SessionId, number: _Number, body: Override) -> Marked:
        """Puts an educator's mark over the one that counts; the earlier one stays in the history."""
        actor = access.educator(request)
        mark = store.override_mark(
            session_id, number, actor=actor, reason=body.reason, verdict=body.verdict, points=body.points
        )
        return marked(session_id, mark)

    @app.delete("/api/sessions/{session_id}/marks/{number}")
    def undo(request: Request, session_id: _SessionId, number: _Number) -> Marked:
        """Brings back what counted before the last override or confirmation: a mark, or none."""
        actor = access.educator(request)
        return marked(session_id, store.undo_override(session_id, number, actor=actor))

    @app.post("/api/sessions/{session_id}/marks/{number}/confirm")
    def confirm(request: Request, session_id: _SessionId, number: _Number) -> Marked:
        """Says that an educator agrees with the judge's mark; it leaves the moderation queue."""
        actor = access.educator(request)
        return marked(session_id, store.confirm_mark(session_id, number, actor=actor))

    @app.get("/api/moderation")
    def moderation(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        min_doubt: Annotated[float, Query(ge=0, le=1, description="1 less the judge's confidence.")] = 0.0,
        cohort: Annotated[int | None, Query(ge=1, le=2**53, description="Only vivas of this cohort.")] = None,
    ) -> list[DoubtfulMark]:
        """Marks nobody has looked at, the most doubtful first."""
        access.educator(request)
        return list(store.moderation_queue(limit, min_doubt=min_doubt, cohort_id=cohort))

    @app.post("/api/results/publish")
    def publish(request: Request, body: SessionIds) -> Changed:
        """Lets the candidates of these sessions see their results."""
        actor = access.educator(request)
        return Changed(session_ids=list(store.publish_results(body.session_ids, actor=actor)))

    @app.post("/api/results/hide")
    def hide(request: Request, body: SessionIds) -> Changed:
        """Takes a publication back."""
        actor = access.educator(request)
        return Changed(session_ids=list(store.hide_results(body.session_ids, actor=actor)))
