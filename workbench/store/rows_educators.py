"""What the store hands out about educators, cohorts, candidates, links, doubtful marks and banks being written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from workbench.exam.model import Mode, Verdict
from workbench.store.rows import ResultRow, SessionRow

Role = Literal["educator", "administrator"]
InvitationState = Literal["open", "not_yet", "expired", "used", "revoked"]


@dataclass(frozen=True)
class EducatorRow:
    """An account, without its password. An administrator may do what an educator may, and manage accounts."""

    id: int
    login: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime
    password_changed_at: datetime


@dataclass(frozen=True)
class CohortRow:
    """A group of candidates; `n_sessions` counts the vivas that came from its links."""

    id: int
    name: str
    created_by: str
    created_at: datetime
    n_candidates: int
    n_sessions: int


@dataclass(frozen=True)
class CandidateRow:
    """One person of a cohort.

    Attributes:
        id: Number in the store.
        cohort_id: The cohort.
        name: As the examiner says it.
        email: Where a link is sent, lower case.
        external_id: The learning management system's id, for the gradebook.
        extra_time: Accommodation factor on pauses and time limits, 1 to 4.
        typed_answers: Answers may be typed; the page then asks for no microphone.
        captions: The examiner's words are shown.
        slower_voice: The examiner speaks more slowly.
        created_at: When the row was made.
    """

    id: int
    cohort_id: int
    name: str
    email: str | None
    external_id: str | None
    extra_time: float
    typed_answers: bool
    captions: bool
    slower_voice: bool
    created_at: datetime


@dataclass(frozen=True)
class InvitationRow:
    """A link as educators see it; the token itself is shown once, when it is made."""

    id: int
    cohort_id: int | None
    candidate_id: int | None
    candidate_name: str | None
    candidate_email: str | None
    bank_id: int | None
    discipline: str
    area: str | None
    mode: Mode
    opens_at: datetime | None
    closes_at: datetime | None
    attempts_allowed: int
    attempts_used: int
    show_results: bool
    revoked_at: datetime | None
    created_by: str
    created_at: datetime

    def state(self, now: datetime) -> InvitationState:
        """Whether it opens a viva at a moment, and if not, why not."""
        if self.revoked_at is not None:
            return "revoked"
        if self.closes_at is not None and now >= self.closes_at:
            return "expired"
        if self.attempts_used >= self.attempts_allowed:
            return "used"
        if self.opens_at is not None and now < self.opens_at:
            return "not_yet"
        return "open"


@dataclass(frozen=True)
class NewInvitation:
    """A link that was just made. The token is nowhere else: show it, or send it, now."""

    invitation: InvitationRow
    token: str


@dataclass(frozen=True)
class OpenedInvitation:
    """What a link opens.

    Attributes:
        invitation: The link.
        grants: Values of `VivaOptions` the holder may not change, and `invitation` (its id), for `Tickets.mint_ticket`.
        candidate: Who it is for, None for a link anyone may use.
        cohort: Name of the cohort, None without one.
        attempts_left: Vivas it still opens, this one included.
    """

    invitation: InvitationRow
    grants: dict[str, Any]
    candidate: CandidateRow | None
    cohort: str | None
    attempts_left: int


@dataclass(frozen=True)
class SittingRow:
    """Where a session came from and whether its candidate may see the results."""

    session_id: str
    invitation_id: int | None
    cohort_id: int | None
    candidate_id: int | None
    attempt: int
    results_published_at: datetime | None
    published_by: str | None


@dataclass(frozen=True)
class CohortSession:
    """One viva of a cohort.

    Attributes:
        session: The session.
        result: Its outcome, None while it runs.
        sitting: The link and the attempt it came from.
        candidate: Who sat it, None when the link named nobody or the person was deleted.
        n_marks: Questions that have a mark.
        n_corrected: Questions whose mark is an educator's.
    """

    session: SessionRow
    result: ResultRow | None
    sitting: SittingRow
    candidate: CandidateRow | None
    n_marks: int
    n_corrected: int


@dataclass(frozen=True)
class DoubtfulMark:
    """A judge's mark nobody has looked at; `doubt` is 1 less the judge's confidence."""

    session_id: str
    number: int
    question_id: str
    verdict: Verdict
    points: float
    doubt: float
    judge: str
    discipline: str
    area: str | None
    pseudonym: str
    candidate_name: str | None
    cohort_id: int | None
    marked_at: datetime


@dataclass(frozen=True)
class DraftRow:
    """A bank being written; `source` is its YAML."""

    id: int
    discipline: str
    title: str
    source: str
    revision: int
    created_by: str
    updated_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ReleaseRow:
    """A published version of a bank; it never changes, it can only be withdrawn."""

    id: int
    bank_id: int
    discipline: str
    version: str
    source: str
    note: str
    published_by: str
    published_at: datetime
    withdrawn_at: datetime | None
