"""The tables of those who examine: accounts, cohorts, candidates, links, what a session came from, banks they write."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from workbench.store.tables import Base, RowId

NEVER_AGAIN = {"sqlite_autoincrement": True}
"""A number that was deleted is given to nobody else: the audit log and pseudonyms go by it."""


class Educators(Base):
    """Accounts of the educators' pages; a login is kept in lower case, its password as an Argon2id hash."""

    __tablename__ = "educators"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    disabled: Mapped[bool]
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("role IN ('educator', 'administrator')", name="role"), NEVER_AGAIN)


class Cohorts(Base):
    """A group of candidates who sit the same vivas."""

    __tablename__ = "cohorts"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    __table_args__ = (NEVER_AGAIN,)


class Candidates(Base):
    """One person of a cohort with the accommodations agreed on; goes with the cohort."""

    __tablename__ = "candidates"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    cohort_id: Mapped[int] = mapped_column(RowId, ForeignKey("cohorts.id", ondelete="CASCADE"))
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(String(254))
    external_id: Mapped[str | None] = mapped_column(String(120))
    extra_time: Mapped[float]
    typed_answers: Mapped[bool]
    captions: Mapped[bool]
    slower_voice: Mapped[bool]
    created_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("cohort_id", "email"),
        UniqueConstraint("cohort_id", "external_id"),
        CheckConstraint("extra_time >= 1 AND extra_time <= 4", name="extra_time"),
        NEVER_AGAIN,
    )


class Invitations(Base):
    """One-time links: only the hash of a token is kept, so that nobody who reads the database can sit a viva.

    `bank_id` pins the version of the questions; `show_results` opens the report without publishing.
    """

    __tablename__ = "invitations"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    cohort_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("cohorts.id", ondelete="CASCADE"), index=True)
    candidate_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("candidates.id", ondelete="CASCADE"), index=True)
    bank_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("question_banks.id"))
    discipline: Mapped[str] = mapped_column(String(60))
    area: Mapped[str | None] = mapped_column(String(60))
    mode: Mapped[str] = mapped_column(String(16))
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    attempts_allowed: Mapped[int]
    attempts_used: Mapped[int]
    show_results: Mapped[bool]
    revoked_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("mode IN ('practice', 'exam', 'talk')", name="mode"),
        CheckConstraint("attempts_allowed >= 1 AND attempts_used >= 0", name="attempts"),
        NEVER_AGAIN,
    )


class Sittings(Base):
    """That a session came from a link, which attempt it was, and when its results were published (never: hidden).

    A session without such a row was started on the open page; its results are its candidate's at once.
    """

    __tablename__ = "sittings"
    session_id: Mapped[str] = mapped_column(String(64), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    invitation_id: Mapped[int | None] = mapped_column(
        RowId, ForeignKey("invitations.id", ondelete="SET NULL"), index=True
    )
    cohort_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("cohorts.id", ondelete="SET NULL"), index=True)
    candidate_id: Mapped[int | None] = mapped_column(
        RowId, ForeignKey("candidates.id", ondelete="SET NULL"), index=True
    )
    attempt: Mapped[int]
    results_published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]


class BankDrafts(Base):
    """Question banks being written, as YAML text; `revision` counts the saves, so that nobody overwrites unseen."""

    __tablename__ = "bank_drafts"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    discipline: Mapped[str] = mapped_column(String(60))
    title: Mapped[str]
    source: Mapped[str]
    revision: Mapped[int]
    created_by: Mapped[str]
    updated_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (NEVER_AGAIN,)


class BankReleases(Base):
    """Published versions of banks that educators wrote; only `withdrawn_at` is ever changed."""

    __tablename__ = "bank_releases"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    bank_id: Mapped[int] = mapped_column(RowId, ForeignKey("question_banks.id"))
    discipline: Mapped[str] = mapped_column(String(60))
    version: Mapped[str] = mapped_column(String(60))
    source: Mapped[str]
    note: Mapped[str]
    published_by: Mapped[str]
    published_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("discipline", "version"),
        Index("ix_bank_releases_published_at", "published_at"),
        NEVER_AGAIN,
    )
