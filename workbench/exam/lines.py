"""Builds what the examiner says: opening, questions, feedback and closing, out of the bank and the fixed phrases."""

from __future__ import annotations

import re

from workbench.exam.items import Bank, KeyPoint, Question, Scenario
from workbench.exam.leaks import phrases_that_leak
from workbench.exam.model import Evaluation, Line, LineKind, Wording
from workbench.exam.phrases import join_names, number_word, pick
from workbench.exam.state import AnswerRecord, ExamState

WORDS_PER_SECOND = 2.8
"""Rate of the examiner's voice in words per second, pauses included; used to plan, never to measure."""

FEEDBACK_WORDS = 68
"""Longest spoken feedback to one answer: about 25 s."""


def spoken_s(lines: tuple[Line, ...] | list[Line]) -> float:
    """About how long these lines take to say, seconds."""
    return sum(len(line.text.split()) for line in lines) / WORDS_PER_SECOND


def fixed(state: ExamState, key: str, kind: LineKind, *, essential: bool = False) -> Line:
    """A line in one of its fixed wordings."""
    return Line(pick(key, state.setup.seed, state.n_replies), kind, essential=essential)


def welcome(bank: Bank, state: ExamState) -> Line:
    """Who is speaking and what will happen."""
    when = (
        "After each answer I tell you what was right and what was missing."
        if state.setup.mode == "practice"
        else "Your examiners look at the marks before you get them."
        if state.setup.results_held
        else "You hear how you did at the end."
    )
    greeting = f"Hello {state.candidate}, and welcome." if state.candidate else "Hello, and welcome."
    text = (
        f"{greeting} I am a computer program, and I am your examiner in {bank.title.lower()} today."
        f" There are four short cases with three questions each. Answer in your own words. {when}"
        " You may ask me to repeat a question, or ask for a moment to think."
    )
    return Line(text, "welcome")


def consent_request(state: ExamState) -> tuple[Line, ...]:
    """What the candidate is asked to agree to, then the question."""
    terms = (
        "Before we begin: what you say is turned into text and marked by the program,"
        " and a person may review the marks."
    )
    return Line(terms, "consent"), fixed(state, "ask_consent", "consent", essential=True)


def area_request(bank: Bank) -> Line:
    """The areas on offer, then the question."""
    titles = [area.title for area in bank.areas]
    return Line(f"Which area would you like: {join_names(titles, 'or')}?", "ask_area", essential=True)


def scenario_line(state: ExamState, scenario: Scenario, place: int, n_scenarios: int) -> Line:
    """The case, told when it changes; `place` counts from 0."""
    key = "first_case" if place == 0 else "last_case" if place == n_scenarios - 1 else "next_case"
    lead = pick(key, state.setup.seed, state.n_replies)
    return Line(f"{lead} {scenario.text}", "scenario", essential=True)


def question_line(number: int, question: Question) -> Line:
    """The question with its number."""
    return Line(f"Question {number_word(number)}. {question.stem}", "question", essential=True)


def said(point: KeyPoint) -> str:
    """A key point as a clause that reads after "You said" and "You did not mention"."""
    return (point.said or point.text).strip().rstrip(".")


def forbidden(question: Question, scenario: Scenario | None, *heard: str) -> tuple[str, ...]:
    """Every wording that would give the answer away, the public and the candidate's own words left out."""
    phrases = [phrase for point in question.key_points for phrase in (point.text, said(point), *point.accepted)]
    public = (question.stem, scenario.text if scenario else "", *heard)
    return phrases_that_leak(phrases, public)


def probe_line(question: Question, scenario: Scenario, record: AnswerRecord, point: KeyPoint) -> Line:
    """The one follow-up question, worded by the model around the bank's probe."""
    wording = Wording(
        "probe",
        facts={"stem": question.stem, "answer": record.text, "probe": point.probe},
        forbidden=forbidden(question, scenario, record.text, point.probe),
        max_words=30,
        may_ask=True,
    )
    return Line(point.probe, "probe", wording, essential=True)


_PART = re.compile(r"[,;] (?:and )?(?=(?:what|which|how|why|when|where|who|whom)\b)")
_ASKS = re.compile(r"(?:what|which|how|why|when|where|who|whom|after which|to what)\b", re.IGNORECASE)


def in_parts(stem: str) -> str:
    """A question of several parts as one short question after the other; one of a single part as it is.

    >>> in_parts("What is the rhythm, how would you slow it, and to what rate?")
    'What is the rhythm? How would you slow it, and to what rate?'
    """
    parts = [part.strip(" ?.") for part in _PART.split(stem)]
    sentences = [part[:1].upper() + part[1:] + ("?" if _ASKS.match(part) else ".") for part in parts]
    return " ".join(sentences) if len(parts) > 1 else stem


def rephrase_line(state: ExamState, question: Question, scenario: Scenario) -> Line:
    """The question in other words; without a model, in its parts and with its case."""
    lead = pick("rephrase", state.setup.seed, state.n_replies)
    wording = Wording(
        "rephrase",
        facts={"stem": question.stem, "scenario": scenario.text},
        forbidden=forbidden(question, scenario),
        max_words=40,
        may_ask=True,
    )
    fallback = f"{lead} The case is: {scenario.title}. {in_parts(question.stem)}"
    return Line(fallback, "rephrase", wording, essential=True)


def off_script_line(state: ExamState, key: str, remark: str, question: Question, scenario: Scenario) -> Line:
    """A reply to something that is no answer; it gives nothing away and leads back."""
    wording = Wording(
        "off_script",
        facts={"remark": remark, "about": key, "stem": question.stem},
        forbidden=forbidden(question, scenario),
        max_words=28,
        may_ask=False,
    )
    return Line(pick(key, state.setup.seed, state.n_replies), "off_script", wording)


# ---- feedback ----------------------------------------------------------------------------------------------------


_MODEL_ANSWER_LEAD = "From a full answer:"
_GAP = ("You did not mention", "or")
_GAP_IN_CORRECT = ("You could have added", "and")
_ACKNOWLEDGEMENT_WORDS = 24
_SPARE_WORDS = 3
"""Words by which the model's wording of an acknowledgement may be longer than the fixed one."""


def feedback(state: ExamState, question: Question, record: AnswerRecord, evaluation: Evaluation) -> tuple[Line, ...]:
    """What was right, what was missing and the model answer, at most 25 s of speech.

    The first line holds the verdict and is a few words long, so that it sounds early while the model still words the
    acknowledgement after it. Where two points of each kind take too long, one of each is named.
    """
    points = {point.id: point for point in question.key_points}
    found = [(points[e.key_point_id], e) for e in evaluation.evidence if e.key_point_id in points]
    by_weight = sorted(found, key=lambda pair: -pair[0].weight)
    covered = [said(point) for point, e in by_weight if e.status == "covered"]
    wrong = [said(point) for point, e in by_weight if e.status == "contradicted"]
    missing = [said(point) for point, e in by_weight if e.status == "missing"]

    lines: list[Line] = []
    left = FEEDBACK_WORDS - len(_MODEL_ANSWER_LEAD.split())
    if record.text or not record.skipped:
        verdict = pick(f"verdict_{evaluation.verdict}", state.setup.seed, record.number)
        lines.append(Line(f"{verdict}.", "feedback"))
        left -= len(verdict.split())
        room = left - len(_first_sentences(question.model_answer, 0).split())
        for n_named in (2, 1):
            told: list[Line] = []
            if covered:
                told.append(_acknowledgement(record, covered[:n_named], (*wrong, *missing), question))
            if wrong:
                told.append(Line(f"I wanted to hear {join_names(wrong[:n_named])} instead.", "feedback"))
            if missing:
                lead, last = _GAP_IN_CORRECT if evaluation.verdict == "correct" else _GAP
                told.append(Line(f"{lead} {join_names(missing[:n_named], last)}.", "feedback"))
            if sum(map(_most_words, told)) <= room:
                break
        while sum(map(_most_words, told)) > room:
            told.pop()
        lines += told
        left -= sum(map(_most_words, told))
    answer = _first_sentences(question.model_answer, left)
    whole = len(answer.split()) == len(question.model_answer.split())
    lines.append(Line(f"{'A full answer:' if whole else _MODEL_ANSWER_LEAD} {answer}", "model_answer"))
    return tuple(lines)


def _acknowledgement(record: AnswerRecord, covered: list[str], others: tuple[str, ...], question: Question) -> Line:
    """What was right, worded by the model out of the key points the answer covers."""
    right = join_names(covered)
    fallback = f"You rightly mentioned {right}."
    wording = Wording(
        "acknowledge",
        facts={"answer": record.text, "right": right, "points": "\n".join(covered)},
        forbidden=phrases_that_leak(others, (question.stem, record.text, right)),
        max_words=min(_ACKNOWLEDGEMENT_WORDS, len(fallback.split()) + _SPARE_WORDS),
    )
    return Line(fallback, "acknowledge", wording)


def _most_words(line: Line) -> int:
    """Words of a line in its longest wording."""
    return max(len(line.text.split()), line.wording.max_words if line.wording else 0)


def _first_sentences(text: str, n_words: int) -> str:
    """As many whole sentences as fit, at least one."""
    kept: list[str] = []
    rest = text.strip()
    while rest:
        end = next((i + 1 for i, c in enumerate(rest) if c in ".!?" and rest[i + 1 : i + 2] in ("", " ")), len(rest))
        sentence, rest = rest[:end].strip(), rest[end:].strip()
        if kept and len(" ".join([*kept, sentence]).split()) > n_words:
            break
        kept.append(sentence)
    return " ".join(kept)


def summary(bank: Bank, state: ExamState) -> tuple[Line, ...]:
    """Score, verdict counts and, in `exam` mode, what to look at again; nothing of that before the first question.

    Nothing of it either when the results are held.
    """
    goodbye = fixed(state, "report", "closing")
    if not state.records:
        return (Line("Thank you, and goodbye.", "closing"),)
    if state.setup.results_held:
        return (
            Line("Your answers are saved. You get your results once your examiners have looked at them.", "closing"),
        )
    marked = [record.evaluation for record in state.records if record.evaluation is not None]
    unmarked = len(state.pending)
    parts = []
    for verdict, name in (("correct", "right"), ("partial", "partly right"), ("incorrect", "wrong")):
        count = sum(evaluation.verdict == verdict for evaluation in marked)
        if count:
            parts.append(f"{number_word(count)} {name}")
    text = f"You have {state.score:g} of {state.max_score:g} points" + (
        f", with {join_names(parts)}." if parts else "."
    )
    if unmarked:
        text += f" {number_word(unmarked).capitalize()} could not be marked yet."
    look_again = _look_again(bank, state) if state.setup.mode == "exam" else ()
    return (Line(text, "closing"), *look_again, goodbye)


def _look_again(bank: Bank, state: ExamState) -> tuple[Line, ...]:
    """The heaviest key point that was not covered, for each of the three weakest questions."""
    area = bank.area(state.area or "")
    weak = [(r.evaluation, r) for r in state.records if r.evaluation is not None and r.evaluation.verdict != "correct"]
    weakest = sorted(weak, key=lambda pair: (pair[0].points, pair[1].number))[:3]
    lines = []
    for evaluation, record in sorted(weakest, key=lambda pair: pair[1].number):
        covered = {e.key_point_id for e in evaluation.evidence if e.status == "covered"}
        missing = [p for p in area.question(record.question_id).key_points if p.id not in covered]
        if missing:
            heaviest = max(missing, key=lambda point: point.weight)
            lines.append(Line(f"In question {number_word(record.number)}, I missed {said(heaviest)}.", "feedback"))
    return tuple(lines)
