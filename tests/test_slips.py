"""Words a recogniser got wrong: what is believed to have been meant, beside which neighbours, and what never is."""

from __future__ import annotations

import pytest

from finetune.answers import exemplars
from finetune.attacks import attacks
from tests.test_keyword_judge import ALL, point, question
from workbench.exam.bank import load_banks
from workbench.exam.grading import judge_keywords
from workbench.exam.slips import bridges
from workbench.exam.spoken_terms import read_terms

HEARD = 0.8
"""Confidence of a recogniser in an answer that was spoken."""


def status(wordings: list[str], answer: str, *, mistakes: tuple[str, ...] = (), sure: float = HEARD) -> str:
    asked = question(point(*wordings, wrong=mistakes))
    return judge_keywords(asked, answer, recognition_confidence=sure).evidence[0].status


@pytest.mark.parametrize(
    ("wording", "heard"),
    [
        ("bent track rod", "I'd look for a bent track ride"),
        ("through a narrow throat", "going through an arrow throat it gets colder"),
        ("bimetallic corrosion", "It's by metallic corrosion"),
        ("difference between live and neutral", "It measures the difference between life and neutral"),
        ("venturi", "the pressure in the ventory"),
    ],
)
def test_a_word_that_sounds_like_the_one_that_is_missing_beside_the_others_is_taken_for_it(wording: str, heard: str):
    assert status([wording], heard) == "covered"
    assert status([wording], heard, sure=1.0) == "missing"


@pytest.mark.parametrize(
    ("wording", "answer"),
    [("offload some baggage", "I'd off-load some baggage"), ("tail heavy", "it would be tailheavy")],
)
def test_a_compound_counts_written_apart_or_in_one_also_when_typed(wording: str, answer: str):
    assert status([wording], answer, sure=1.0) == "covered"


@pytest.mark.parametrize(
    ("wording", "heard"),
    [
        ("rod", "I would ride"),
        ("rod end", "a ride"),
        ("increase the dose", "decrease the dose"),
        ("hyperkalaemia and weakness", "hypokalaemia and weakness"),
        ("three hundred milligrams of aspirin", "three hundred milligrams of heparin"),
        ("fifteen minutes of rest", "fifty minutes of rest"),
        ("left anterior artery", "lift interior artery"),
        ("not able to swallow", "notable to swallow"),
    ],
)
def test_nothing_is_guessed_without_neighbours_or_where_the_meaning_turns(wording: str, heard: str):
    assert status([wording], heard) == "missing"


def test_a_misheard_mistake_is_still_a_mistake():
    assert status(["irreversible"], "He's got reversable pulpytis", mistakes=("reversible pulpitis",)) == "contradicted"


def test_a_guess_is_never_as_good_as_the_word_itself():
    asked = question(point("bent track rod"))
    clear = judge_keywords(asked, "a bent track rod", recognition_confidence=HEARD)
    guessed = judge_keywords(asked, "a bent track ride", recognition_confidence=HEARD)
    assert guessed.evidence[0].status == "covered" and guessed.confidence < clear.confidence


def test_reading_an_answer_as_spoken_lifts_no_mark_above_the_examiners():
    order = ("incorrect", "partial", "correct")
    raised = []
    for answer in exemplars("tuning")[::3]:
        plain = judge_keywords(answer.question, answer.text, question_text=answer.scenario)
        spoken = judge_keywords(answer.question, answer.text, question_text=answer.scenario, recognition_confidence=0.9)
        if order.index(spoken.verdict) > max(order.index(plain.verdict), order.index(answer.verdict)):
            raised.append(answer.text)
    assert not raised


def test_attacks_that_come_by_voice_earn_no_more_than_typed_ones():
    tried = list(attacks(ALL))[::3]
    marks = [
        judge_keywords(asked, answer, question_text=case.text, recognition_confidence=HEARD)
        for _, case, asked, answer in tried
    ]
    assert sum(mark.verdict == "correct" for mark in marks) <= 0.01 * len(marks)
    assert sum(mark.points > 3 for mark in marks) <= 0.03 * len(marks)


def test_a_second_word_is_not_taken_for_the_ending_of_the_first() -> None:
    [found] = [q for bank in load_banks().values() for _, _, q in bank.questions() if q.id == "flt-engine-cause"]
    assert bridges(found, read_terms("My first thought is carburettor icing.")) == {}
