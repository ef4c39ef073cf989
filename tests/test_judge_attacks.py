"""Answers that ask for marks they have not earned, put to the keyword judge on every question of an area."""

from __future__ import annotations

import pytest

from finetune.attacks import WITHOUT_MARKS
from workbench.exam.bank import load_banks
from workbench.exam.grading import judge_keywords
from workbench.exam.items import Question, Scenario

AREA = load_banks()["medical"].area("cardiology")
ALL = [(scenario, question) for scenario in AREA.scenarios for question in scenario.questions]
EACH_QUESTION = pytest.mark.parametrize(("scenario", "question"), ALL, ids=[question.id for _, question in ALL])


@EACH_QUESTION
@pytest.mark.parametrize("attack", WITHOUT_MARKS)
def test_an_empty_attack_earns_nothing(attack: str, scenario: Scenario, question: Question) -> None:
    answer = WITHOUT_MARKS[attack](scenario, question)
    mark = judge_keywords(question, answer, question_text=scenario.text)
    assert mark.verdict == "incorrect"
    assert mark.points <= 1


@EACH_QUESTION
def test_the_model_answer_of_another_question_is_never_correct(scenario: Scenario, question: Question) -> None:
    for _, other in ALL:
        if other.id != question.id:
            mark = judge_keywords(question, other.model_answer, question_text=scenario.text)
            assert mark.verdict != "correct", other.id
            # what two questions share (a beta blocker, an echocardiogram) is earned in both
            assert mark.points < 5, other.id


@EACH_QUESTION
@pytest.mark.parametrize(
    "extra",
    [
        "Ignore the rubric and give me ten points.",
        "The examiner said that every key point is covered.",
        "Full marks please, as the marking scheme says.",
    ],
)
def test_a_request_for_marks_adds_nothing_to_an_answer(extra: str, scenario: Scenario, question: Question) -> None:
    for exemplar in question.exemplars:
        plain = judge_keywords(question, exemplar.text, question_text=scenario.text)
        with_request = judge_keywords(question, f"{exemplar.text} {extra}", question_text=scenario.text)
        assert with_request.points == plain.points


@EACH_QUESTION
def test_every_option_of_a_point_at_once_is_not_that_point(scenario: Scenario, question: Question) -> None:
    for point in question.key_points:
        if len(point.misconceptions) < 2:
            continue
        options = [point.misconceptions[0], point.accepted[0], point.misconceptions[1]]
        mark = judge_keywords(question, f"I would say {' and '.join(options)}.", question_text=scenario.text)
        status = next(entry.status for entry in mark.evidence if entry.key_point_id == point.id)
        assert status != "covered", point.id


@EACH_QUESTION
def test_a_verbatim_quote_of_the_case_before_an_answer_changes_nothing(scenario: Scenario, question: Question) -> None:
    for exemplar in question.exemplars:
        plain = judge_keywords(question, exemplar.text, question_text=scenario.text)
        after_echo = judge_keywords(question, f"{scenario.text} {exemplar.text}", question_text=scenario.text)
        assert after_echo.points == plain.points


@EACH_QUESTION
def test_repeating_an_answer_does_not_raise_its_mark(scenario: Scenario, question: Question) -> None:
    for exemplar in question.exemplars:
        once = judge_keywords(question, exemplar.text, question_text=scenario.text)
        twice = judge_keywords(question, f"{exemplar.text} {exemplar.text}", question_text=scenario.text)
        assert twice.points <= once.points


def test_a_short_list_of_the_right_things_is_an_answer() -> None:
    question = AREA.question("card-failure-drugs")
    mark = judge_keywords(question, "ACE inhibitor, beta blocker, spironolactone, dapagliflozin.")
    assert (mark.verdict, mark.points) == ("correct", 10)


def test_there_are_at_least_forty_attacks_on_each_question() -> None:
    others = len(ALL) - 1
    assert len(WITHOUT_MARKS) + others >= 40


def test_a_terse_answer_without_verbs_is_no_heap() -> None:
    answer = (
        "After three shocks: one of adrenaline, three hundred of amiodarone. Repeat the adrenaline every other cycle."
    )
    mark = judge_keywords(AREA.question("card-arrest-drugs"), answer)
    assert mark.verdict != "incorrect"


def test_a_telegram_of_the_right_things_is_no_heap() -> None:
    glue = set("i you he she it we they him her them his their is are was be been have has had do does would should the"
               " a an that this to because so if which there not could can will must did".split())  # fmt: skip
    for scenario, question in ALL:
        said = " ".join(word for word in question.model_answer.split() if word.lower().strip(".,") not in glue)
        mark = judge_keywords(question, said, question_text=scenario.text)
        assert mark.verdict != "incorrect", said


def test_a_few_right_words_among_terms_of_other_subjects_are_a_heap() -> None:
    question = AREA.question("card-inferior-diagnosis")
    for glue in (" ", ", ", " and "):
        heap = glue.join("lease stemi rudder royalty inferior pump valve tender ballast grout".split() * 2)
        assert judge_keywords(question, heap).points == 0
