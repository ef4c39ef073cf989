"""The tables. Everything of a viva hangs on its session and goes when the session goes; the audit log stays.

Answers and evaluations are only ever added, never changed: the last one of a question counts, the earlier
ones show how it came about. Times named `*_s` are seconds from the start of the recording.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workbench.store.columns import JsonText, SafeText, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints: a migration can only drop what has a known name."""

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts up by itself only in an INTEGER primary key."""


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        str: SafeText(),
        datetime: UtcDateTime(),
        dict[str, Any]: JsonText(),
        int: Integer(),
    }


def _session_key() -> Mapped[str]:
    return mapped_column(String(64), ForeignKey("sessions.id", ondelete="CASCADE"), index=True)


class Users(Base):
    """People, by pseudonym; a candidate who gave no stable key gets a row of their own for every session."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(32), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("role IN ('candidate', 'educator', 'researcher')", name="role"),)


class QuestionBanks(Base):
    """Published versions of question banks, as they were when a viva was held with them."""

    __tablename__ = "question_banks"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    discipline: Mapped[str] = mapped_column(String(60))
    version: Mapped[str] = mapped_column(String(60))
    content_hash: Mapped[str] = mapped_column(String(64), unique=True)
    content: Mapped[str]
    published_at: Mapped[datetime]


class Sessions(Base):
    """One viva; `state` is the exam's own snapshot, opaque here, and `state_revision` counts its saves.

    `wording` counts the lines the model was `asked` to word and, by reason, those that were `refused_...`.
    """

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, ForeignKey("users.id"), index=True)
    bank_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("question_banks.id"), index=True)
    discipline: Mapped[str] = mapped_column(String(60))
    area: Mapped[str | None] = mapped_column(String(60))
    mode: Mapped[str] = mapped_column(String(16))
    seed: Mapped[int] = mapped_column(BigInteger)
    candidate_name: Mapped[str | None]
    consented: Mapped[bool]
    consent_version: Mapped[str | None] = mapped_column(String(60))
    consent_at: Mapped[datetime | None]
    record: Mapped[bool]
    setup: Mapped[dict[str, Any]]
    state: Mapped[str | None]
    state_revision: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    retention_until: Mapped[datetime]
    judge: Mapped[str | None]
    adapter: Mapped[str | None]
    wording: Mapped[dict[str, Any]]
    __table_args__ = (
        CheckConstraint("status IN ('running', 'finished', 'stopped', 'abandoned')", name="status"),
        CheckConstraint("mode IN ('practice', 'exam', 'talk')", name="mode"),
        Index("ix_sessions_status_started_at", "status", "started_at"),
        Index("ix_sessions_retention_until", "retention_until"),
    )


class Turns(Base):
    """What one side said; `heard_text` is the part of an examiner's turn that was played before a cut."""

    __tablename__ = "turns"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    session_id: Mapped[str] = _session_key()
    position: Mapped[int]
    number: Mapped[int | None]
    role: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str | None] = mapped_column(String(32))
    text: Mapped[str]
    heard_text: Mapped[str | None]
    corrected_text: Mapped[str | None]
    interrupted: Mapped[bool]
    typed: Mapped[bool]
    confidence: Mapped[float | None]
    start_s: Mapped[float]
    end_s: Mapped[float]
    __table_args__ = (
        UniqueConstraint("session_id", "position"),
        CheckConstraint("role IN ('candidate', 'examiner')", name="role"),
    )


class Words(Base):
    """Words of a turn with their times."""

    __tablename__ = "words"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    turn_id: Mapped[int] = mapped_column(RowId, ForeignKey("turns.id", ondelete="CASCADE"))
    position: Mapped[int]
    text: Mapped[str]
    start_s: Mapped[float]
    end_s: Mapped[float]
    probability: Mapped[float]
    __table_args__ = (UniqueConstraint("turn_id", "position"),)


class Answers(Base):
    """What counts as the answer to a question, before (`probe` false) and after a probing question."""

    __tablename__ = "answers"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    session_id: Mapped[str] = _session_key()
    number: Mapped[int]
    question_id: Mapped[str]
    text: Mapped[str]
    typed: Mapped[bool]
    probe: Mapped[bool]
    skipped: Mapped[bool]
    at_s: Mapped[float]
    created_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("number >= 1", name="number"),)


class Evaluations(Base):
    """Marks with their evidence; `rater` is `judge` or the login of the educator who corrected the mark.

    `restores_id` names the earlier row an undo brought back: this one says the same, by the same rater. It is 0 where
    an undo left the question unmarked.
    """

    __tablename__ = "evaluations"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    session_id: Mapped[str] = _session_key()
    number: Mapped[int]
    question_id: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(16))
    points: Mapped[float]
    confidence: Mapped[float]
    judge: Mapped[str]
    rater: Mapped[str]
    public: Mapped[bool]
    evidence: Mapped[Any] = mapped_column(JsonText())
    created_at: Mapped[datetime]
    reason: Mapped[str | None]
    restores_id: Mapped[int | None] = mapped_column(RowId)
    __table_args__ = (
        CheckConstraint("verdict IN ('correct', 'partial', 'incorrect')", name="verdict"),
        CheckConstraint("points >= 0 AND points <= 10", name="points"),
    )


class Results(Base):
    """The outcome of a viva."""

    __tablename__ = "results"
    session_id: Mapped[str] = mapped_column(String(64), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    completed: Mapped[bool]
    score: Mapped[float]
    max_score: Mapped[float]
    n_correct: Mapped[int]
    n_partial: Mapped[int]
    n_incorrect: Mapped[int]
    created_at: Mapped[datetime]


class Events(Base):
    """What happened when, in numbers and identifiers; never a word anyone said."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    session_id: Mapped[str] = _session_key()
    type: Mapped[str] = mapped_column(String(64))
    at_s: Mapped[float]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class AuditLog(Base):
    """Who did what to stored data: ids and counts, no foreign key, so that it outlives what it is about."""

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128), index=True)
    detail: Mapped[dict[str, Any]]


class Configuration(Base):
    """Settings that are changed while the program runs, by key."""

    __tablename__ = "configuration"
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    value: Mapped[Any] = mapped_column(JsonText())
    updated_at: Mapped[datetime]
