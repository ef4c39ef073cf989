"""The values of an exam: what it is made of (questions), what happens to it (events), what it wants done (effects).

The exam is a pure function, `workbench.exam.flow.step(bank, state, event) -> Step(state, effects)`. State is frozen
and serialises to JSON, so that a caller may run a step on what the candidate *may* have finished saying, throw the
result away when the candidate goes on, and reload the state of a killed process from disk.

Time enters only as `now_s` in the events: seconds of exam time, counted by the caller, pauses left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["correct", "partial", "incorrect"]
Mode = Literal["practice", "exam", "talk"]
Phase = Literal[
    "new", "name", "consent", "area", "question", "probe", "judging", "confirm_stop", "paused", "closing", "done"
]
CommandName = Literal[
    "repeat", "rephrase", "dont_know", "skip", "moment", "pause", "resume", "back", "stop", "confirm", "cancel"
]
COMMANDS: tuple[CommandName, ...] = (
    "repeat", "rephrase", "dont_know", "skip", "moment", "pause", "resume", "back", "stop", "confirm", "cancel",
)  # fmt: skip

N_SCENARIOS = 4
N_QUESTIONS_PER_SCENARIO = 3
MAX_POINTS = 10


# ---- what an exam is set up with ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExamSetup:
    """What is known before the first word.

    Attributes:
        discipline: Key of the discipline, e.g. `medical`.
        area: Key of the area, e.g. `cardiology`; None lets the candidate choose by voice or click.
        candidate: Name the candidate gave on the page; None makes the examiner ask.
        consented: Whether consent was already given by a click; False makes the examiner ask.
        mode: `practice` speaks feedback at once, `exam` at the end, `talk` is free conversation.
        seed: Seed of every choice the exam makes.
        question_time_s: Time for one question, probe included.
        warning_before_s: A spoken warning this long before the time is up.
        extra_time: Accommodation factor on every time limit, >= 1.
        results_held: Whether people look at the marks before the candidate gets them: no score is told at the end.
    """

    discipline: str = "medical"
    area: str | None = None
    candidate: str | None = None
    consented: bool = False
    mode: Mode = "practice"
    seed: int = 0
    question_time_s: float = 180.0
    warning_before_s: float = 30.0
    extra_time: float = 1.0
    results_held: bool = False


# ---- evaluation --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyPointEvidence:
    """What the answer said of one key point; `quote` is the candidate's own words, empty when missing."""

    key_point_id: str
    status: Literal["covered", "contradicted", "missing"]
    quote: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """The mark of one answer with its evidence.

    Attributes:
        question_id: Id of the question in its bank.
        verdict: correct, partial or incorrect.
        points: 0 to 10 in steps of 0.5.
        evidence: One entry a key point, in the bank's order.
        confidence: 0 to 1, how sure the judge is.
        judge: Name and version of the judge.
    """

    question_id: str
    verdict: Verdict
    points: float
    evidence: tuple[KeyPointEvidence, ...]
    confidence: float
    judge: str


# ---- events: what happens to an exam -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Begin:
    """The candidate is connected; the examiner speaks first."""

    now_s: float = 0.0


@dataclass(frozen=True)
class Heard:
    """The candidate finished a turn, by voice or by keyboard. Empty text: the turn held no words."""

    text: str
    now_s: float
    typed: bool = False
    confidence: float = 1.0


@dataclass(frozen=True)
class Command:
    """A button was pressed (the spoken forms of the same requests arrive as `Heard`)."""

    name: CommandName
    now_s: float


@dataclass(frozen=True)
class AreaChosen:
    """An area was clicked."""

    area: str
    now_s: float


@dataclass(frozen=True)
class ConsentGiven:
    """Consent was clicked, given or refused."""

    given: bool
    now_s: float


@dataclass(frozen=True)
class Judged:
    """The judge has marked the answer an earlier `Judge` effect asked about."""

    evaluation: Evaluation
    now_s: float


@dataclass(frozen=True)
class Tick:
    """Time passed; sent about once a second while the candidate holds the floor or a judgement is awaited.

    `text` is what was recognised so far of a turn still being spoken, so that a turn cut by the clock is marked too.
    """

    now_s: float
    text: str = ""


@dataclass(frozen=True)
class Silence:
    """The candidate has said nothing since the examiner stopped, for this long."""

    silent_s: float
    now_s: float


@dataclass(frozen=True)
class Spoken:
    """The words in which a line the model worded was spoken, as far as the candidate has heard them.

    Sent for `talk` (it becomes the history) and `probe` (a repetition repeats these words); others change nothing.
    """

    text: str
    now_s: float
    kind: Literal["talk", "probe"] = "talk"


@dataclass(frozen=True)
class Returned:
    """The candidate is back after a lost connection or a restart; the examiner picks up where it was."""

    now_s: float


Event = Begin | Heard | Command | AreaChosen | ConsentGiven | Judged | Tick | Silence | Spoken | Returned


# ---- effects: what an exam wants done, in this order -------------------------------------------------------------


@dataclass(frozen=True)
class Wording:
    """A line the language model may word, with everything the guard needs to refuse what it makes of it.

    Attributes:
        purpose: What the line is for; chooses the prompt.
        facts: Named texts for the prompt (stem, answer, key point, ...).
        forbidden: Phrases that would leak an answer; none may appear.
        max_words: Longest line the guard lets pass.
        may_ask: Whether the line may hold a question mark.
    """

    purpose: Literal["acknowledge", "probe", "rephrase", "off_script", "talk"]
    facts: dict[str, str] = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()
    max_words: int = 30
    may_ask: bool = False


LineKind = Literal[
    "welcome", "ask_name", "consent", "ask_area", "scenario", "question", "repeat", "rephrase", "probe",
    "acknowledge", "feedback", "model_answer", "warning", "moment", "time_up", "refuse", "confirm", "resume",
    "reprompt", "off_script", "talk", "apology", "closing",
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One thing to say: `text`, or what the model makes of `wording`; then `text` is the fallback."""

    text: str
    kind: LineKind
    wording: Wording | None = None
    essential: bool = False
    """Whether a line the candidate talked over must be heard again (a question) or is dropped (an acknowledgement)."""


@dataclass(frozen=True)
class Say:
    """Speak these lines as one reply."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Judge:
    """Mark this answer; the verdict comes back as a `Judged` event. `answer` joins what was said around a probe.

    A later `Judge` for the same question replaces an earlier one still running: drop the earlier one's verdict.
    """

    question_id: str
    answer: str
    confidence: float = 1.0


@dataclass(frozen=True)
class ShowQuestion:
    """A new question is being asked."""

    number: int
    total: int
    question_id: str
    scenario_title: str
    scenario: str
    stem: str
    key_terms: tuple[str, ...]
    deadline_s: float


@dataclass(frozen=True)
class SaveAnswer:
    """Put this answer on disk before anything is said to it."""

    question_id: str
    number: int
    text: str
    typed: bool
    probe: bool
    skipped: bool = False


@dataclass(frozen=True)
class SaveMark:
    """An answer has its mark; `public` when the candidate may see it now (practice mode)."""

    number: int
    evaluation: Evaluation
    public: bool


@dataclass(frozen=True)
class GrantTime:
    """The candidate asked for a moment: do not take silence for an answer for this long."""

    seconds: float


@dataclass(frozen=True)
class SetCandidate:
    """The candidate's name became known."""

    name: str


@dataclass(frozen=True)
class SetConsent:
    """Consent was given or refused; without it nothing is recorded and no exam is held."""

    given: bool


@dataclass(frozen=True)
class SetArea:
    """The area became known."""

    area: str


@dataclass(frozen=True)
class OfferAreas:
    """Let the candidate choose; (key, title) pairs."""

    areas: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SetPaused:
    """The exam's clock stops or runs again."""

    paused: bool


@dataclass(frozen=True)
class Finish:
    """The exam is over once what was said before has been heard. `completed` is False when it was stopped early."""

    completed: bool


Effect = (
    Say | Judge | ShowQuestion | SaveAnswer | SaveMark | GrantTime | SetCandidate | SetConsent | SetArea | OfferAreas
    | SetPaused | Finish
)  # fmt: skip
