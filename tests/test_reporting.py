"""Reports are made of what was stored, with the questions that were asked then."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store_helpers import mark, new_session, store_at
from workbench.exam.bank import load_banks
from workbench.exam.items import Bank
from workbench.exam.model import Evaluation
from workbench.store import bank_snapshot, reporting
from workbench.store.errors import SessionNotFound, StoreError
from workbench.store.repository import Store

BANKS = load_banks()
MEDICAL = BANKS["medical"]
AREA = MEDICAL.areas[0]
QUESTIONS = AREA.questions


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


def say(store: Store, session_id: str, number: int, text: str, *, probe: bool = False, skipped: bool = False) -> None:
    question_id = QUESTIONS[number - 1].id
    store.save_answer(session_id, number, question_id, text, typed=False, probe=probe, skipped=skipped, at_s=1.0)


def test_a_bank_comes_back_from_its_text_the_same():
    for bank in BANKS.values():
        assert bank_snapshot.from_text(bank_snapshot.to_text(bank)) == bank


def test_a_bank_of_another_version_reads_with_defaults_and_without_what_is_gone():
    kept = json.loads(bank_snapshot.to_text(MEDICAL))
    kept["gone"] = 1
    del kept["not_for"]
    assert bank_snapshot.from_text(json.dumps(kept)) == dataclasses.replace(MEDICAL, not_for="")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"areas": 3}'])
def test_a_text_that_is_no_bank_is_refused(text: str):
    with pytest.raises(StoreError, match="cannot be read"):
        bank_snapshot.from_text(text)


def test_a_report_has_the_marks_that_count_and_what_was_said_before_and_after_a_probe(store: Store):
    session_id = new_session(store, area=AREA.key, candidate_name="Ada")
    say(store, session_id, 1, "an ECG")
    say(store, session_id, 1, "and troponin", probe=True)
    say(store, session_id, 2, "pass", skipped=True)
    say(store, session_id, 3, "aspirin", probe=False)
    say(store, session_id, 3, "skip that", probe=True, skipped=True)
    for number, points in ((1, 4.0), (2, 0.0), (3, 6.5)):
        store.save_evaluation(session_id, number, mark(points, QUESTIONS[number - 1].id))
    store.correct_mark(session_id, 1, mark(7.5, QUESTIONS[0].id), rater="dr.rao")
    store.update_session(session_id, wording={"asked": 8, "refused_leak": 1, "refused_length": 1})
    store.finish_session(session_id, completed=True)
    report = reporting.report_of(store, BANKS, session_id)
    first, second, third = report.questions
    assert (first.answer.text, first.answer.probed, first.points) == ("an ECG and troponin", True, 7.5)
    assert (second.answer.text, second.answer.skipped) == ("", True)
    assert (third.answer.text, third.answer.skipped, third.answer.probed) == ("aspirin", False, True)
    assert (report.score, report.session.candidate, report.session.completed) == (14.0, "Ada", True)
    assert report.session.wording_fallback_rate == 0.25


def test_an_answer_is_placed_in_the_recording_by_its_turns(store: Store):
    session_id = new_session(store, area=AREA.key)
    say(store, session_id, 1, "an ECG")
    for start_s in (4.0, 9.5):
        store.save_turn(session_id, "examiner", "Well?", start_s=start_s - 1, end_s=start_s, number=1)
        store.save_turn(session_id, "candidate", "an ECG", start_s=start_s, end_s=start_s + 2, number=1)
    (question,) = reporting.report_of(store, BANKS, session_id).questions
    assert (question.answer.start_s, question.answer.end_s) == (4.0, 11.5)
    assert question.answer.time_used_s == 7.5  # from the end of the question on


def test_the_questions_of_then_are_reported_and_not_todays(store: Store):
    def reworded(bank: Bank) -> Bank:
        scenario = bank.areas[0].scenarios[0]
        question = dataclasses.replace(scenario.questions[0], stem="What was asked then?")
        scenario = dataclasses.replace(scenario, questions=(question, *scenario.questions[1:]))
        area = dataclasses.replace(bank.areas[0], scenarios=(scenario, *bank.areas[0].scenarios[1:]))
        return dataclasses.replace(bank, areas=(area, *bank.areas[1:]), version="0.9")

    bank_id = store.publish_bank("medical", "0.9", bank_snapshot.to_text(reworded(MEDICAL)))
    session_id = new_session(store, area=AREA.key, bank_id=bank_id)
    say(store, session_id, 1, "an ECG")
    report = reporting.report_of(store, BANKS, session_id)
    assert (report.bank_version, report.questions[0].stem) == ("0.9", "What was asked then?")


def test_without_any_bank_the_report_says_where_to_look(store: Store):
    session_id = new_session(store, discipline="astrology")
    with pytest.raises(StoreError, match="no question bank for 'astrology'.*VIVA_BANKS_DIR"):
        reporting.report_of(store, BANKS, session_id)


def test_a_question_that_is_in_no_bank_is_named(store: Store):
    session_id = new_session(store, area=AREA.key)
    store.save_answer(session_id, 1, "q-gone", "x", typed=False, probe=False, skipped=False, at_s=1.0)
    with pytest.raises(StoreError, match="q-gone"):
        reporting.report_of(store, BANKS, session_id)


@pytest.mark.parametrize("kind", ["html", "json", "csv"])
def test_a_viva_that_ended_before_its_area_was_chosen_has_an_empty_report(store: Store, kind: reporting.Format):
    session_id = new_session(store, area=None)
    store.save_turn(session_id, "examiner", "Welcome.", start_s=0.0, end_s=1.0)
    store.finish_session(session_id, completed=False)
    text = reporting.render(store.load_session(session_id), BANKS, kind)
    assert text
    if kind == "json":
        assert (json.loads(text)["score"], len(json.loads(text)["transcript"])) == (0.0, 1)


def test_the_transcript_has_what_was_heard_of_an_interrupted_reply(store: Store):
    session_id = new_session(store, area=AREA.key)
    store.save_turn(
        session_id, "examiner", "What is the next test?", start_s=0.0, end_s=1.0, heard_text="What is", interrupted=True
    )
    store.save_turn(session_id, "candidate", "an ECG", start_s=1.0, end_s=2.0, heard_text="an ECG", number=1)
    heard = json.loads(reporting.render(store.load_session(session_id), BANKS, "json"))["transcript"]
    assert [(turn["who"], turn["text"]) for turn in heard] == [("examiner", "What is"), ("candidate", "an ECG")]


def test_an_unknown_session_has_no_report(store: Store):
    with pytest.raises(SessionNotFound):
        reporting.report_of(store, BANKS, "sess_none")


def test_marks_of_unasked_questions_do_not_count(store: Store):
    session_id = new_session(store, area=AREA.key)
    say(store, session_id, 1, "an ECG")
    stray: Evaluation = mark(9.0, QUESTIONS[5].id)
    store.save_evaluation(session_id, 6, stray)
    assert reporting.report_of(store, BANKS, session_id).score == 0.0
