"""Where an exam stands: one frozen value that survives a killed process as JSON.

Everything a server, a page or the turn-taking asks about a running exam is read from here; only
`workbench.exam.flow.step` makes a new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from workbench.exam.model import (
    MAX_POINTS,
    N_QUESTIONS_PER_SCENARIO,
    N_SCENARIOS,
    Effect,
    Evaluation,
    ExamSetup,
    Phase,
)

STATE_VERSION = 1
"""Version of the JSON form; a state of another version is refused, never guessed at."""

Expects = Literal["name", "consent", "area", "answer", "anything"]


@dataclass(frozen=True)
class AnswerRecord:
    """One question that was asked and what became of it.

    Attributes:
        number: Its place in the exam, from 1.
        question_id: Its id in the bank.
        text: All the candidate said to it, before and after a probe.
        confidence: Lowest recognition confidence of these turns, 0 to 1.
        probe_id: Id of the key point that was probed, None while no probe was asked.
        may_probe: Whether a probe is still welcome; not after "skip".
        skipped: Whether it was left without an answer.
        evaluation: Its mark; of the first answer while a probe is open.
        pending: Whether a judgement was asked for and has not come back.
        final: Whether the mark was given out with `SaveMark`.
    """

    number: int
    question_id: str
    text: str = ""
    confidence: float = 1.0
    probe_id: str | None = None
    may_probe: bool = True
    skipped: bool = False
    evaluation: Evaluation | None = None
    pending: bool = False
    final: bool = False


@dataclass(frozen=True)
class Card:
    """What the page and the turn-taking show and need of an exam.

    Attributes:
        phase: Where the exam is.
        number: Question being asked, 0 before the first.
        total: Questions of the whole exam.
        area: Key of the area, None while unknown.
        candidate: Name, None while unknown.
        deadline_s: Exam time at which the time of the question is up, None outside questions.
        key_terms: Rare words the answer may hold, to bias the recogniser.
        expects: What kind of turn comes next.
        is_question_open: Whether an answer given now counts.
    """

    phase: Phase
    number: int
    total: int
    area: str | None
    candidate: str | None
    deadline_s: float | None
    key_terms: tuple[str, ...]
    expects: Expects
    is_question_open: bool


@dataclass(frozen=True)
class ExamState:
    """Everything that is known of a running exam.

    Attributes:
        setup: What it was set up with.
        phase: Where it is.
        return_to: Phase that goes on after a pause or a withdrawn wish to stop.
        candidate: Name, None while unknown.
        consented: Consent to the viva, None while not asked for.
        area: Key of the area, None while unknown.
        plan: (scenario id, question id) of every question, in order; empty until the area is known.
        number: Question being asked, 1 to `len(plan)`; 0 before the first.
        records: One for every question asked so far.
        key_terms: Terms of the question being asked.
        probe_text: The probe in the words in which it was heard.
        draft: Words of an answer said before a request in the same question ("... let me think").
        deadline_s: Exam time at which the question's time is up.
        floor_open: Whether the candidate had the floor since the question was asked; the clock starts there.
        warned: Whether the warning before the deadline was spoken.
        timed_out: Whether the time of the question is up and only its mark is awaited.
        judging_since_s: Exam time since which a mark is awaited.
        quiet_since_s: Exam time since which nothing was heard, None while that is not known.
        silence_level: How many of the reprompts for this silence were spoken.
        granted_until_s: Exam time until which silence was asked for.
        attempts: Turns the current step of the opening took in vain.
        unanswered_in_row: Questions that passed in silence, one after another.
        n_replies: Replies made so far; turns the wording variants over.
        history: (role, text) of a `talk`, roles `user` and `assistant`.
        now_s: Exam time of the latest event.
        completed: Whether all questions were asked; None while the exam runs.
    """

    setup: ExamSetup
    phase: Phase = "new"
    return_to: Phase | None = None
    candidate: str | None = None
    consented: bool | None = None
    area: str | None = None
    plan: tuple[tuple[str, str], ...] = ()
    number: int = 0
    records: tuple[AnswerRecord, ...] = ()
    key_terms: tuple[str, ...] = ()
    probe_text: str = ""
    draft: str = ""
    deadline_s: float | None = None
    floor_open: bool = False
    warned: bool = False
    timed_out: bool = False
    judging_since_s: float = 0.0
    quiet_since_s: float | None = None
    silence_level: int = 0
    granted_until_s: float = 0.0
    attempts: int = 0
    unanswered_in_row: int = 0
    n_replies: int = 0
    history: tuple[tuple[str, str], ...] = ()
    now_s: float = 0.0
    completed: bool | None = None

    @property
    def total(self) -> int:
        """Questions of the whole exam."""
        return len(self.plan) or N_SCENARIOS * N_QUESTIONS_PER_SCENARIO

    @property
    def score(self) -> float:
        """Points so far, 0 to 10 a question."""
        return sum(record.evaluation.points for record in self.records if record.evaluation is not None)

    @property
    def max_score(self) -> float:
        """Points the whole exam can give: 120 for 12 questions."""
        return float(MAX_POINTS * self.total)

    @property
    def current(self) -> AnswerRecord | None:
        """The question being asked, None before the first."""
        return self.records[-1] if self.records else None

    @property
    def pending(self) -> tuple[AnswerRecord, ...]:
        """Answers whose mark has not come back."""
        return tuple(record for record in self.records if record.pending)

    @property
    def is_question_open(self) -> bool:
        """Whether an answer given now counts."""
        return self.phase in ("question", "probe")

    @property
    def expects(self) -> Expects:
        """What kind of turn comes next."""
        if self.setup.mode == "talk":
            return "anything"
        if self.phase == "name":
            return "name"
        if self.phase in ("consent", "confirm_stop"):
            return "consent"
        if self.phase == "area":
            return "area"
        return "answer" if self.is_question_open else "anything"

    def card(self) -> Card:
        """What the page and the turn-taking need of this state."""
        return Card(
            phase=self.phase,
            number=self.number,
            total=self.total,
            area=self.area,
            candidate=self.candidate,
            deadline_s=self.deadline_s if self.phase in ("question", "probe", "judging") else None,
            key_terms=self.key_terms,
            expects=self.expects,
            is_question_open=self.is_question_open,
        )

    def with_record(self, record: AnswerRecord) -> ExamState:
        """This state with one record put in the place of the one of the same number."""
        return replace(self, records=tuple(record if r.number == record.number else r for r in self.records))

    def with_marks(self, marks: Mapping[int, Evaluation]) -> ExamState:
        """This state with the marks that count, by question, in place of those it was saved with.

        A mark that was given out and no longer counts is asked for again where something was said.
        """

        def marked(record: AnswerRecord) -> AnswerRecord:
            if record.number in marks:
                return replace(record, evaluation=marks[record.number])
            if record.final:
                return replace(record, evaluation=None, final=False, pending=bool(record.text))
            return record

        return replace(self, records=tuple(marked(record) for record in self.records))

    def to_json(self) -> str:
        """This state as one line of JSON."""
        raw: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return json.dumps({"version": STATE_VERSION, **raw}, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> ExamState:
        """The state `to_json` wrote.

        Raises:
            ValueError: The text is no state, or one of another version.
        """
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise ValueError(f"the saved exam is no JSON: {error}") from None
        if not isinstance(raw, dict) or raw.get("version") != STATE_VERSION:
            found = raw.get("version") if isinstance(raw, dict) else type(raw).__name__
            raise ValueError(f"the saved exam has version {found!r}, this program reads {STATE_VERSION}")
        raw.pop("version")
        unknown = set(raw) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"the saved exam has unknown fields {sorted(unknown)}")
        try:
            return _adapter().validate_python(raw)
        except ValidationError as error:
            raise ValueError(f"the saved exam cannot be read: {error.errors(include_url=False)[0]['msg']}") from None


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[ExamState]:
    return TypeAdapter(ExamState)


@dataclass(frozen=True)
class Step:
    """The outcome of one event: the next state, and what is to be done, in order."""

    state: ExamState
    effects: tuple[Effect, ...] = ()
