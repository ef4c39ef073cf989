"""Feedback claims what the evidence holds and no more, is short, and is kind: checked on every question of every bank.

What a sentence claims is read here from its first words and the words of the key points, not from the code that
words it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.exam import lines
from workbench.exam.bank import load_banks
from workbench.exam.feedback import feedback
from workbench.exam.guard import Accepted, check
from workbench.exam.items import KeyPoint, Question
from workbench.exam.model import Evaluation, ExamSetup, KeyPointEvidence, Line
from workbench.exam.phrases import PHRASES
from workbench.exam.state import AnswerRecord, ExamState
from workbench.judging.calibration import marked

QUESTIONS = [question for bank in load_banks().values() for _, _, question in bank.questions()]
STATUSES = ("covered", "contradicted", "missing")

PRAISE = re.compile(r"^(?:You rightly mentioned|You named|You mentioned|I heard) ")
GAP = re.compile(
    r"^(?:I wanted to hear|You did not mention|You could have added|What was missing is|A full answer also has"
    r"|One thing to correct:|I have to correct one thing:) "
)
SMALL = frozenset(
    """a an the of to in on at by for with and or but is are was be been it its this that these as from into than then
    so if not no you he she his her they their one what which who instead""".split()
)
NEVER = frozenset(
    """stupid silly nonsense bad badly terrible terribly poor poorly weak hopeless ridiculous embarrassing shame
    ashamed disappointing disappointed unfortunately obviously clearly simply failed fail failure useless ignorant lazy
    careless sloppy unacceptable wrong must should never always idiot dumb awful horrible pathetic guess guessed
    knowledge effort""".split()
)
"""Words with which an examiner would hurt, scold or speak of the person instead of the answer."""


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in SMALL)


def said(point: KeyPoint) -> str:
    return (point.said or point.text).strip().rstrip(".").lower()


def own_words(points: list[KeyPoint]) -> set[str]:
    return {word for point in points for word in words(f"{point.said} {point.text}")}


def evaluation(question: Question, statuses: tuple[str, ...]) -> Evaluation:
    evidence = tuple(
        KeyPointEvidence(point.id, status, "", point.weight)  # type: ignore[arg-type]
        for point, status in zip(question.key_points, statuses, strict=True)
    )
    return Evaluation(question.id, *marked(question, list(statuses)), evidence, 1.0, "test")


def spoken(question: Question, statuses: tuple[str, ...], seed: int = 0) -> tuple[Line, ...]:
    record = AnswerRecord(1 + seed % 12, question.id, "An answer.")
    return lines.feedback(ExamState(setup=ExamSetup(seed=seed)), question, record, evaluation(question, statuses))


def written(question: Question, statuses: tuple[str, ...], seed: int = 0) -> list[str]:
    worded = feedback(question, evaluation(question, statuses), seed=seed)
    return [worded.verdict_line, *(text for text in (worded.right, *split(worded.missing)) if text)]


def split(text: str) -> list[str]:
    return [piece for piece in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text) if piece]


def every_combination(most_points: int) -> Iterator[tuple[Question, tuple[str, ...]]]:
    for question in QUESTIONS:
        if len(question.key_points) <= most_points:
            for statuses in itertools.product(STATUSES, repeat=len(question.key_points)):
                yield question, statuses


def overclaims(question: Question, statuses: tuple[str, ...], sentences: list[str]) -> list[str]:
    """Sentences that praise what was not covered, find missing what was, or speak of neither and name a point."""
    pairs = list(zip(question.key_points, statuses, strict=True))
    covered = [point for point, status in pairs if status == "covered"]
    lacking = [point for point, status in pairs if status != "covered"]
    wrong = []
    for sentence in sentences:
        praise, gap = PRAISE.match(sentence), GAP.match(sentence)
        rest = words(sentence[(praise or gap).end() :]) if praise or gap else words(sentence)  # type: ignore[union-attr]
        holders, others = (covered, lacking) if praise else (lacking, covered)
        if praise or gap:
            foreign = rest - own_words(holders)
            # "the grade" is not claimed by "the reason for the grade"
            named = [
                p
                for p in others
                if said(p) in sentence.lower() and not any(said(p) in f"{said(h)} {h.text.lower()}" for h in holders)
            ]
            if foreign or named:
                wrong.append(f"{question.id}: {sentence} | {sorted(foreign)} {[p.id for p in named]}")
        elif any(said(p) in sentence.lower() for p in question.key_points):
            wrong.append(f"{question.id}: {sentence}")
    return wrong


def spoken_sentences(told: tuple[Line, ...]) -> list[str]:
    return [line.text for line in told if line.kind != "model_answer"]


# ---- what is claimed


def test_no_two_key_points_of_a_question_are_said_in_the_same_words() -> None:
    alike = [
        f"{question.id}: {one.id}, {other.id}"
        for question in QUESTIONS
        for one, other in itertools.combinations(question.key_points, 2)
        if words(one.said or one.text) == words(other.said or other.text)
    ]
    assert not alike


def test_every_status_of_every_point_is_told_as_it_is_and_no_other_way() -> None:
    wrong = [
        fault
        for n, (question, statuses) in enumerate(every_combination(4))
        if len(question.key_points) < 4 or n % 3 == 0
        for fault in overclaims(question, statuses, spoken_sentences(spoken(question, statuses, seed=n)))
    ]
    assert not wrong


def test_the_report_claims_nothing_either() -> None:
    wrong = [
        fault
        for n, (question, statuses) in enumerate(every_combination(4))
        if len(question.key_points) < 4 or n % 3 == 1
        for fault in overclaims(question, statuses, written(question, statuses, seed=n))
    ]
    assert not wrong


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_nothing_is_claimed_of_questions_with_many_points_in_any_wording(data: st.DataObject) -> None:
    question = data.draw(st.sampled_from([q for q in QUESTIONS if len(q.key_points) > 4] or QUESTIONS))
    n_points = len(question.key_points)
    statuses = tuple(data.draw(st.lists(st.sampled_from(STATUSES), min_size=n_points, max_size=n_points)))
    seed = data.draw(st.integers(0, 10_000))
    assert not overclaims(question, statuses, spoken_sentences(spoken(question, statuses, seed)))
    assert not overclaims(question, statuses, written(question, statuses, seed))


@pytest.mark.parametrize("status", STATUSES)
def test_something_is_said_of_a_status_that_all_points_have(status: str) -> None:
    for question in QUESTIONS:
        told = spoken_sentences(spoken(question, (status,) * len(question.key_points)))
        assert any((PRAISE if status == "covered" else GAP).match(sentence) for sentence in told), question.id


def test_the_check_itself_hears_a_false_claim() -> None:
    question = QUESTIONS[0]
    point = said(question.key_points[0])
    nothing = ("missing",) * len(question.key_points)
    everything = ("covered",) * len(question.key_points)
    assert overclaims(question, nothing, [f"You rightly mentioned {point}."])
    assert overclaims(question, everything, [f"You did not mention {point}."])
    assert overclaims(question, nothing, ["You rightly mentioned the moon."])
    assert not overclaims(question, everything, [f"You rightly mentioned {point}."])


def test_the_models_wording_of_praise_cannot_slip_in_a_point_that_is_not_covered() -> None:
    for question in QUESTIONS:
        first, *rest = question.key_points
        statuses = ("covered", *("missing" for _ in rest))
        line = next(line for line in spoken(question, statuses) if line.kind == "acknowledge")
        assert line.wording is not None
        right = line.wording.facts["right"]
        for point in rest:
            for text in (f"You rightly mentioned {said(point)}.", f"You rightly mentioned {right} and {said(point)}."):
                assert not isinstance(check(text, line.wording), Accepted), text


# ---- how long it is


def test_feedback_is_planned_for_at_most_25_seconds() -> None:
    longest = max(
        (lines.spoken_s(spoken(question, statuses, seed=n)), question.id)
        for n, (question, statuses) in enumerate(every_combination(6))
        if n % 7 == 0 or len(question.key_points) <= 3
    )
    assert longest[0] <= 25.0, longest


def test_some_of_the_model_answer_is_always_told() -> None:
    for question, statuses in every_combination(3):
        *_, last = spoken(question, statuses)
        answer = last.text.partition("full answer: ")[2]
        assert last.kind == "model_answer" and len(answer) > 10 and question.model_answer.startswith(answer[:20])


# ---- its tone


def test_no_word_of_the_examiners_own_hurts() -> None:
    for seed, question in enumerate(QUESTIONS[::12]):
        of_the_points = own_words(list(question.key_points))
        for statuses in itertools.product(STATUSES, repeat=min(4, len(question.key_points))):
            statuses += ("missing",) * (len(question.key_points) - len(statuses))
            told = [*spoken_sentences(spoken(question, statuses, seed)), *written(question, statuses, seed)]
            own = {word for sentence in told for word in re.findall(r"[a-z]+", sentence.lower())}
            assert not (own - of_the_points) & NEVER


def test_no_fixed_sentence_of_the_examiner_hurts() -> None:
    for key, variants in PHRASES.items():
        for text in variants:
            assert not set(re.findall(r"[a-z]+", text.lower())) & (NEVER - {"must", "always", "should", "clearly"}), key
