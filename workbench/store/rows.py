"""What the store hands out: frozen values, never rows that are still tied to a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from workbench.exam.model import Evaluation

Status = Literal["running", "finished", "stopped", "abandoned"]
"""`stopped`: the candidate ended it early; `abandoned`: the connection never came back."""

RESUME_LIFE_S = 24 * 3600
"""How long a candidate may come back to an abandoned viva, seconds: as long as the resume token lives."""

JUDGE = "judge"
"""`rater` of a mark that no person gave."""

A_PERSON = "an examiner"
"""Who marked, as it is told to a candidate, where a person did."""

NO_MARK = 0
"""`restores_id` of an undo that brought back no mark: the question is unmarked again. No row has this id."""


@dataclass(frozen=True)
class SessionRow:
    """One viva, without what was said in it. See `workbench.store.tables.Sessions`."""

    id: str
    pseudonym: str
    bank_id: int | None
    discipline: str
    area: str | None
    mode: str
    seed: int
    candidate_name: str | None
    consented: bool
    consent_version: str | None
    consent_at: datetime | None
    record: bool
    setup: dict[str, Any]
    status: Status
    started_at: datetime
    ended_at: datetime | None
    retention_until: datetime
    judge: str | None
    adapter: str | None
    wording: dict[str, int]

    @property
    def resumable_until(self) -> datetime | None:
        """Until when its candidate may come back and go on; None for a session that was not abandoned."""
        if self.status != "abandoned" or self.ended_at is None:
            return None
        return self.ended_at + timedelta(seconds=RESUME_LIFE_S)

    def may_be_resumed(self, now: datetime) -> bool:
        """Whether it was abandoned so lately that its candidate may still come back and go on."""
        return self.resumable_until is not None and now < self.resumable_until


class WordLike(Protocol):
    """Anything with the fields of a word: a `WordRow`, a recogniser's `Word`."""

    @property
    def text(self) -> str:
        """The word."""

    @property
    def start_s(self) -> float:
        """Where it starts, seconds."""

    @property
    def end_s(self) -> float:
        """Where it ends, seconds."""

    @property
    def probability(self) -> float:
        """How sure the recogniser is, 0 to 1."""


@dataclass(frozen=True)
class WordRow:
    """A word with its place, seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class TurnRow:
    """What one side said; `words` are empty unless they were kept and asked for."""

    id: int
    position: int
    number: int | None
    role: Literal["candidate", "examiner"]
    kind: str | None
    text: str
    heard_text: str | None
    corrected_text: str | None
    interrupted: bool
    typed: bool
    confidence: float | None
    start_s: float
    end_s: float
    words: tuple[WordRow, ...] = ()


@dataclass(frozen=True)
class AnswerRow:
    """One answer as it was given; a question has a second one after a probe."""

    id: int
    number: int
    question_id: str
    text: str
    typed: bool
    probe: bool
    skipped: bool
    at_s: float
    created_at: datetime


@dataclass(frozen=True)
class MarkRow:
    """One evaluation of one question; `rater` is `judge` or the login of who corrected the mark.

    `reason` is the educator's; `restores_id` is the id of the earlier mark an undo brought back. It is 0 where there
    was none: the question is unmarked again, and verdict, points and rater of this row say nothing.
    """

    id: int
    number: int
    evaluation: Evaluation
    rater: str
    public: bool
    created_at: datetime
    reason: str | None = None
    restores_id: int | None = None

    @property
    def is_none(self) -> bool:
        """Whether this row says that the question has no mark any more."""
        return self.restores_id == NO_MARK

    @property
    def told(self) -> Evaluation:
        """The mark as it is told to the candidate: a person's does not go by the name of the judge it corrects."""
        return self.evaluation if self.rater == JUDGE else replace(self.evaluation, judge=A_PERSON)


def counting_marks(marks: Iterable[MarkRow]) -> dict[int, MarkRow]:
    """The last of these marks of each question, by number, without questions that are unmarked again."""
    last = {mark.number: mark for mark in marks}
    return {number: mark for number, mark in last.items() if not mark.is_none}


@dataclass(frozen=True)
class ResultRow:
    """The outcome of a viva, points out of `max_score`."""

    completed: bool
    score: float
    max_score: float
    n_correct: int
    n_partial: int
    n_incorrect: int
    created_at: datetime


@dataclass(frozen=True)
class EventRow:
    """Something that happened, `at_s` seconds from the start of the recording."""

    type: str
    at_s: float
    data: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class AuditRow:
    """Who did what to stored data."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class SessionData:
    """Everything kept of one viva: what resuming it and reporting on it take.

    Attributes:
        session: The session itself.
        state: The exam's own snapshot as it was saved last, None before the first save.
        state_revision: How often it was saved.
        turns: What was said, in order.
        answers: Every answer in the order they were given.
        marks: Every evaluation in the order they were made, and every undo; `marks_that_count` has the last of each
            question.
        result: The outcome, None while the viva runs.
        bank: The question bank it was held with, as published text; None when none was kept.
        recording: The recording's file, None when there is none.
    """

    session: SessionRow
    state: str | None
    state_revision: int
    turns: tuple[TurnRow, ...]
    answers: tuple[AnswerRow, ...]
    marks: tuple[MarkRow, ...]
    result: ResultRow | None
    bank: str | None
    recording: Path | None

    @property
    def marks_that_count(self) -> dict[int, MarkRow]:
        """The last mark of each question that has one, by number."""
        return counting_marks(self.marks)


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first.

    Attributes:
        sessions: The rows of this page with their results.
        total: Rows of all pages.
        offset: Place of the first row, from 0.
    """

    sessions: tuple[tuple[SessionRow, ResultRow | None], ...]
    total: int
    offset: int


@dataclass(frozen=True)
class Purged:
    """What a purge deleted, or would delete: vivas, and candidates none of whose vivas is left."""

    session_ids: tuple[str, ...]
    dry_run: bool
    candidate_ids: tuple[int, ...] = ()
