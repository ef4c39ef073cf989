"""Queries that turn stored rows into the values of `workbench.store.rows`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Subquery, func, select

from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.store.errors import SessionNotFound
from workbench.store.rows import (
    NO_MARK,
    AnswerRow,
    AuditRow,
    EventRow,
    MarkRow,
    Page,
    ResultRow,
    SessionData,
    SessionRow,
    TurnRow,
    WordRow,
    counting_marks,
)  # fmt: skip
from workbench.store.tables import (
    Answers,
    AuditLog,
    Evaluations,
    Events,
    QuestionBanks,
    Results,
    Sessions,
    Turns,
    Users,
    Words,
)  # fmt: skip

_SESSION_COLUMNS = (
    Sessions.id, Users.pseudonym, Sessions.bank_id, Sessions.discipline, Sessions.area, Sessions.mode,
    Sessions.seed, Sessions.candidate_name, Sessions.consented, Sessions.consent_version,
    Sessions.consent_at, Sessions.record, Sessions.setup, Sessions.status, Sessions.started_at,
    Sessions.ended_at, Sessions.retention_until, Sessions.judge, Sessions.adapter, Sessions.wording,
)  # fmt: skip
_RESULT_COLUMNS = (
    Results.completed, Results.score, Results.max_score, Results.n_correct, Results.n_partial,
    Results.n_incorrect, Results.created_at,
)  # fmt: skip
_TURN_COLUMNS = (
    Turns.id, Turns.position, Turns.number, Turns.role, Turns.kind, Turns.text, Turns.heard_text,
    Turns.corrected_text, Turns.interrupted, Turns.typed, Turns.confidence, Turns.start_s, Turns.end_s,
)  # fmt: skip
_ANSWER_COLUMNS = (
    Answers.id, Answers.number, Answers.question_id, Answers.text, Answers.typed, Answers.probe,
    Answers.skipped, Answers.at_s, Answers.created_at,
)  # fmt: skip


def session_row(connection: Connection, session_id: str) -> SessionRow:
    """One session.

    Raises:
        SessionNotFound: There is none of that id.
    """
    row = connection.execute(
        select(*_SESSION_COLUMNS).join(Users, Users.id == Sessions.user_id).where(Sessions.id == session_id)
    ).one_or_none()
    if row is None:
        raise SessionNotFound(session_id)
    return SessionRow(**row._mapping)


def session_rows(connection: Connection, session_ids: Sequence[str]) -> dict[str, SessionRow]:
    """Sessions by id; those that are gone are left out."""
    rows = connection.execute(
        select(*_SESSION_COLUMNS).join(Users, Users.id == Sessions.user_id).where(Sessions.id.in_(session_ids))
    )
    return {row.id: SessionRow(**row._mapping) for row in rows}


def session_data(connection: Connection, session_id: str, recording: Path | None) -> SessionData:
    """Everything kept of one session but its events.

    Raises:
        SessionNotFound: There is none of that id.
    """
    session = session_row(connection, session_id)
    state, revision = connection.execute(
        select(Sessions.state, Sessions.state_revision).where(Sessions.id == session_id)
    ).one()
    bank = None
    if session.bank_id is not None:
        bank = connection.execute(select(QuestionBanks.content).where(QuestionBanks.id == session.bank_id)).scalar_one()
    return SessionData(
        session=session,
        state=state,
        state_revision=revision,
        turns=_turns(connection, session_id),
        answers=tuple(
            AnswerRow(**row._mapping)
            for row in connection.execute(
                select(*_ANSWER_COLUMNS).where(Answers.session_id == session_id).order_by(Answers.id)
            )
        ),
        marks=all_marks(connection, session_id),
        result=result_row(connection, session_id),
        bank=bank,
        recording=recording,
    )


def result_row(connection: Connection, session_id: str) -> ResultRow | None:
    """The outcome of a session, None while it runs."""
    row = connection.execute(select(*_RESULT_COLUMNS).where(Results.session_id == session_id)).one_or_none()
    return None if row is None else ResultRow(**row._mapping)


def result_rows(connection: Connection, session_ids: Sequence[str]) -> dict[str, ResultRow]:
    """Outcomes by session; sessions that have none are left out."""
    rows = connection.execute(select(Results.session_id, *_RESULT_COLUMNS).where(Results.session_id.in_(session_ids)))
    return {
        row.session_id: ResultRow(**{key: value for key, value in row._mapping.items() if key != "session_id"})
        for row in rows
    }


def session_page(
    connection: Connection,
    *,
    status: str | None,
    discipline: str | None,
    area: str | None,
    since: datetime | None,
    limit: int,
    offset: int,
) -> Page:
    """One page of sessions, newest first; filters that are None let everything through."""
    conditions: list[ColumnElement[bool]] = []
    for column, wanted in ((Sessions.status, status), (Sessions.discipline, discipline), (Sessions.area, area)):
        if wanted is not None:
            conditions.append(column == wanted)
    if since is not None:
        conditions.append(Sessions.started_at >= since)
    total = connection.execute(select(func.count()).select_from(Sessions).where(*conditions)).scalar_one()
    rows = connection.execute(
        select(*_SESSION_COLUMNS)
        .join(Users, Users.id == Sessions.user_id)
        .where(*conditions)
        .order_by(Sessions.started_at.desc(), Sessions.id)
        .limit(limit)
        .offset(offset)
    ).all()
    results = result_rows(connection, [row.id for row in rows])
    sessions = tuple((SessionRow(**row._mapping), results.get(row.id)) for row in rows)
    return Page(sessions, total, offset)


def event_rows(connection: Connection, session_id: str) -> tuple[EventRow, ...]:
    """The events of a session in the order they came."""
    rows = connection.execute(
        select(Events.type, Events.at_s, Events.data, Events.created_at)
        .where(Events.session_id == session_id)
        .order_by(Events.id)
    )
    return tuple(EventRow(**row._mapping) for row in rows)


def audit_rows(connection: Connection, subject: str | None, limit: int) -> tuple[AuditRow, ...]:
    """The newest entries of the audit log, of one subject or of all."""
    query = select(AuditLog.at, AuditLog.actor, AuditLog.action, AuditLog.subject, AuditLog.detail)
    if subject is not None:
        query = query.where(AuditLog.subject == subject)
    rows = connection.execute(query.order_by(AuditLog.id.desc()).limit(limit))
    return tuple(AuditRow(**row._mapping) for row in rows)


def marks_that_count(connection: Connection, session_id: str) -> dict[int, MarkRow]:
    """The last mark of each question that has one, by number."""
    return counting_marks(all_marks(connection, session_id))


def ids_that_count(*conditions: ColumnElement[bool]) -> Subquery:
    """The ids of the last mark of each question that has one, of the evaluations that fulfil the conditions."""
    last = (
        select(func.max(Evaluations.id).label("id"))
        .where(*conditions)
        .group_by(Evaluations.session_id, Evaluations.number)
        .subquery()
    )
    is_mark = Evaluations.restores_id.is_distinct_from(NO_MARK)
    return select(Evaluations.id).join(last, last.c.id == Evaluations.id).where(is_mark).subquery()


def evidence_as_json(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The evidence of a mark as it is stored."""
    return [asdict(item) for item in evaluation.evidence]


def _turns(connection: Connection, session_id: str) -> tuple[TurnRow, ...]:
    words: dict[int, list[WordRow]] = defaultdict(list)
    for row in connection.execute(
        select(Words.turn_id, Words.text, Words.start_s, Words.end_s, Words.probability)
        .join(Turns, Turns.id == Words.turn_id)
        .where(Turns.session_id == session_id)
        .order_by(Words.turn_id, Words.position)
    ):
        words[row.turn_id].append(WordRow(row.text, row.start_s, row.end_s, row.probability))
    rows = connection.execute(select(*_TURN_COLUMNS).where(Turns.session_id == session_id).order_by(Turns.position))
    return tuple(TurnRow(**row._mapping, words=tuple(words.get(row.id, ()))) for row in rows)


def all_marks(connection: Connection, session_id: str) -> tuple[MarkRow, ...]:
    """Every mark of a session in the order they were given."""
    rows = connection.execute(select(Evaluations).where(Evaluations.session_id == session_id).order_by(Evaluations.id))
    return tuple(_mark(row) for row in rows)


def _mark(row: Row[Any]) -> MarkRow:
    evaluation = Evaluation(
        question_id=row.question_id,
        verdict=row.verdict,
        points=row.points,
        evidence=tuple(KeyPointEvidence(**item) for item in row.evidence),
        confidence=row.confidence,
        judge=row.judge,
    )
    return MarkRow(row.id, row.number, evaluation, row.rater, row.public, row.created_at, row.reason, row.restores_id)
