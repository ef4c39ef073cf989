"""What a report says, worked out once: score, scenarios, questions with their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.exam.feedback import Feedback, feedback, phrase
from workbench.exam.items import Bank, Question
from workbench.exam.model import (
    MAX_POINTS,
    N_QUESTIONS_PER_SCENARIO,
    N_SCENARIOS,
    Evaluation,
    KeyPointEvidence,
    Verdict,
)

MAX_SCORE = N_SCENARIOS * N_QUESTIONS_PER_SCENARIO * MAX_POINTS
"""Points of a whole viva: 4 scenarios of 3 questions of 10 points."""


class ReportError(ValueError):
    """A report cannot be made of what was given; the message says what is missing."""


@dataclass(frozen=True)
class SessionFacts:
    """What is known of a session beside its answers.

    Attributes:
        session_id: Id of the session.
        candidate: Name or pseudonym; empty when unknown.
        area: Key of the area.
        mode: practice, exam or talk.
        seed: Seed of the exam's choices.
        judge: Name of the judge that made the marks; empty takes it from the evaluations.
        started_at: When it began, ISO 8601; empty when unknown.
        duration_s: Its length in seconds, None when unknown.
        completed: Whether every question was asked.
        wording_fallback_rate: Share of lines the language model worded so badly that the bank's wording was used, in
            [0, 1]; None when it was not measured.
        recording_url: Where the recording can be played from, None without one.
    """

    session_id: str
    area: str
    candidate: str = ""
    mode: str = "practice"
    seed: int = 0
    judge: str = ""
    started_at: str = ""
    duration_s: float | None = None
    completed: bool = True
    wording_fallback_rate: float | None = None
    recording_url: str | None = None


@dataclass(frozen=True)
class AnswerFacts:
    """One question as it was answered.

    Attributes:
        number: Its place in the exam, from 1.
        question_id: Its id in the bank.
        text: All that was said to it, before and after a probe; what the judge was given.
        skipped: Whether it was left without an answer.
        typed: Whether the answer was typed.
        probed: Whether a follow-up question was asked.
        time_used_s: Seconds from the end of the question to the end of the answer, None when unknown.
        start_s: Where the answer begins in the recording, None without one.
        end_s: Where it ends.
    """

    number: int
    question_id: str
    text: str = ""
    skipped: bool = False
    typed: bool = False
    probed: bool = False
    time_used_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class KeyPointReport:
    """One key point of a question with what the answer said of it."""

    id: str
    text: str
    said: str
    weight: float
    status: str
    quote: str


@dataclass(frozen=True)
class QuestionReport:
    """One question of a report; `verdict` and `points` are None while it has no mark."""

    number: int
    question_id: str
    stem: str
    answer: AnswerFacts
    verdict: Verdict | None
    points: float | None
    confidence: float | None
    judge: str
    key_points: tuple[KeyPointReport, ...]
    feedback: Feedback | None
    model_answer: str


@dataclass(frozen=True)
class ScenarioReport:
    """The questions of one scenario with their points."""

    id: str
    title: str
    text: str
    questions: tuple[QuestionReport, ...]

    @property
    def points(self) -> float:
        """Points reached."""
        return sum(question.points or 0.0 for question in self.questions)

    @property
    def max_points(self) -> int:
        """Points of the questions that were asked."""
        return MAX_POINTS * len(self.questions)


@dataclass(frozen=True)
class Report:
    """A viva's outcome.

    Attributes:
        session: The facts it was made with.
        discipline: Key of the discipline.
        discipline_title: Its name.
        area_title: Name of the area.
        bank_version: Version of the questions.
        scenarios: In the order they were asked.
        score: Points reached, out of `max_score`.
        max_score: Points of a whole viva, asked or not.
    """

    session: SessionFacts
    discipline: str
    discipline_title: str
    area_title: str
    bank_version: str
    scenarios: tuple[ScenarioReport, ...]
    score: float
    max_score: int = MAX_SCORE

    @property
    def questions(self) -> tuple[QuestionReport, ...]:
        """Every question, in the order they were asked."""
        return tuple(question for scenario in self.scenarios for question in scenario.questions)

    def count(self, verdict: Verdict | None) -> int:
        """How many questions have this verdict; None counts those without a mark."""
        return sum(question.verdict == verdict for question in self.questions)

    @property
    def judges(self) -> tuple[str, ...]:
        """Every judge that made one of the marks."""
        named = (self.session.judge, *(question.judge for question in self.questions))
        return tuple(dict.fromkeys(name for name in named if name))


def build_report(
    bank: Bank,
    session: SessionFacts,
    answers: Sequence[AnswerFacts],
    evaluations: Mapping[str, Evaluation],
) -> Report:
    """Puts a report together.

    Args:
        bank: The bank the viva was held with.
        session: What is known of the session.
        answers: One for each question that was asked.
        evaluations: Marks by question id; a question without one is reported as not marked and counts no points.

    Raises:
        ReportError: The bank lacks the area or a question, or a question is reported twice.
    """
    try:
        area = bank.area(session.area)
        asked = [(answer, area.question(answer.question_id)) for answer in sorted(answers, key=lambda a: a.number)]
    except KeyError as error:
        raise ReportError(f"{error.args[0]}; report with the version of the bank it was held with") from error
    ids = [question.id for _, question in asked]
    repeated = sorted({question_id for question_id in ids if ids.count(question_id) > 1})
    if repeated:
        raise ReportError(f"questions {repeated} were given more than one answer; join what was said to a question")
    by_scenario: dict[str, list[QuestionReport]] = {}
    for answer, question in asked:
        reported = _question(question, answer, evaluations.get(question.id), session.seed)
        by_scenario.setdefault(area.scenario_of(question.id).id, []).append(reported)
    titles = {scenario.id: scenario for scenario in area.scenarios}
    scenarios = tuple(
        ScenarioReport(key, titles[key].title, titles[key].text, tuple(questions))
        for key, questions in by_scenario.items()
    )
    return Report(
        session=session,
        discipline=bank.discipline,
        discipline_title=bank.title,
        area_title=area.title,
        bank_version=bank.version,
        scenarios=scenarios,
        score=sum(scenario.points for scenario in scenarios),
    )


def _question(question: Question, answer: AnswerFacts, mark: Evaluation | None, seed: int) -> QuestionReport:
    evidence: dict[str, KeyPointEvidence] = {e.key_point_id: e for e in mark.evidence} if mark else {}
    points = tuple(
        KeyPointReport(
            point.id,
            point.text,
            phrase(point),
            point.weight,
            evidence[point.id].status if point.id in evidence else "missing",
            evidence[point.id].quote if point.id in evidence else "",
        )
        for point in question.key_points
    )
    worded = feedback(question, mark, seed=seed, answered=bool(answer.text.strip())) if mark else None
    return QuestionReport(
        number=answer.number,
        question_id=question.id,
        stem=question.stem,
        answer=answer,
        verdict=mark.verdict if mark else None,
        points=mark.points if mark else None,
        confidence=mark.confidence if mark else None,
        judge=mark.judge if mark else "",
        key_points=points,
        feedback=worded,
        model_answer=question.model_answer,
    )
