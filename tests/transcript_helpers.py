"""A store with vivas of every kind a researcher may meet: spoken, typed, interrupted, probed, corrected, hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from tests.store_helpers import Clock, answer, mark, new_session, store_at
from workbench.exam.bank import load_banks
from workbench.exam.model import Evaluation
from workbench.store import bank_snapshot
from workbench.store.repository import Store
from workbench.store.rows import WordRow
from workbench.transcripts import Transcripts
from workbench.transcripts.columns import TABLES

HOSTILE = 'she said "5 < 6 & <b>\\N</b>" --> so,\r\nNA;\ttab \u202e 心臓 \U0001fac0 = 2+2'


def words_of(text: str, start_s: float, end_s: float) -> list[WordRow]:
    """Words in equal parts of a turn."""
    parts = text.split()
    step = (end_s - start_s) / max(1, len(parts))
    return [
        WordRow(word, start_s + place * step, start_s + (place + 0.9) * step, 0.5 + 0.4 * (place % 2))
        for place, word in enumerate(parts)
    ]


def full_store(folder: Path, **options: Any) -> Store:
    """Four ended vivas and a running one."""
    clock = Clock()
    store = store_at(folder, now=clock, **options)
    bank = load_banks(None)["medical"]
    bank_id = store.publish_bank("medical", bank.version, bank_snapshot.to_text(bank))
    questions = [question.id for question in bank.area("cardiology").questions]
    spoken = new_session(
        store, session_id="sess_spoken", candidate_name="Ada Byron", bank_id=bank_id, judge="hybrid-1", consented=True,
        record=True, setup={"candidate": "Ada Byron", "extra_time": 1.25, "patience": "patient"},
    )  # fmt: skip
    turns = [
        ("examiner", "Welcome. What is your name?", 0.0, 3.0, None, "ask_name"),
        ("candidate", "my name is ada byron", 3.5, 5.25, None, None),
        ("examiner", "Thank you, Ada. What is it?", 6.0, 9.0, 1, "question"),
        ("candidate", "could you repeat that", 9.25, 10.5, 1, None),
        ("examiner", "What is it?", 11.0, 12.0, 1, "repeat"),
        ("candidate", "Ada thinks aspirin", 13.5, 15.0, 1, None),
        ("examiner", "What else?", 15.5, 16.0, 1, "probe"),
        ("candidate", "um and heparin", 17.0, 18.0, 1, None),
        ("examiner", "Next: why?", 18.5, 22.0, 2, "question"),
        ("candidate", HOSTILE, 21.75, 25.0, 2, None),
    ]
    for role, text, start_s, end_s, number, kind in turns:
        cut = role == "examiner" and end_s == 22.0
        store.save_turn(
            spoken, role, text + (" And how?" if cut else ""), start_s=start_s, end_s=end_s, number=number, kind=kind,
            heard_text=text, interrupted=cut, confidence=0.75 if role == "candidate" else None,
            words=words_of(text, start_s, end_s) if role == "candidate" else (),
        )  # fmt: skip
    for number, text, probe in ((1, "Ada thinks aspirin", False), (1, "um and heparin", True), (2, HOSTILE, False)):
        store.save_answer(spoken, number, questions[number - 1], text, typed=False, probe=probe, skipped=False, at_s=16)
    store.save_evaluation(spoken, 1, _mark(5.5, questions[0], "Ada thinks"))
    store.save_evaluation(spoken, 2, _mark(0.0, questions[1], ""))
    clock.later(minutes=1)
    store.save_evaluation(spoken, 1, _mark(8.0, questions[0], "Ada thinks"), rater="eve@example.org")
    store.append_event(spoken, "began", 0.0, {"ms": 12.5})
    store.append_event(spoken, "barge_in", 21.75)
    store.finish_session(spoken, completed=True)

    clock.later(hours=1)
    typed = new_session(store, session_id="sess_typed", mode="exam", setup={"extra_time": 1.0})
    store.save_turn(typed, "examiner", "What is it?", start_s=0, end_s=2, number=1, kind="question")
    store.save_turn(typed, "candidate", "aspirin", start_s=4, end_s=4, number=1, typed=True)
    answer(store, typed, 1, typed=True)
    answer(store, typed, 2, text="", skipped=True)
    store.save_evaluation(typed, 1, Evaluation("q1", "correct", 10.0, (), 1.0, "models:/viva-examiner/3"))
    store.finish_session(typed, completed=False)

    clock.later(hours=1)
    talk = new_session(store, session_id="sess_talk", mode="talk", area=None)
    store.save_turn(talk, "examiner", "Hello.", start_s=0, end_s=1, kind="talk")
    store.save_turn(talk, "candidate", "", start_s=1, end_s=2, words=[])
    store.finish_session(talk, completed=True)

    clock.later(hours=1)
    left = new_session(store, session_id="sess_left", candidate_name="Will Grace")
    clock.later(seconds=90)
    store.mark_abandoned(left)
    new_session(store, session_id="sess_running", candidate_name="Alan")
    return store


def assert_same(one: Transcripts, other: Transcripts, *names: str) -> None:
    """Both hold equal tables: values, types, order."""
    for name in names or TABLES:
        pd.testing.assert_frame_equal(one.table(name), other.table(name), check_exact=True, obj=name)


def _mark(points: float, question_id: str, quote: str) -> Evaluation:
    made = mark(points, question_id, quote)
    return Evaluation(question_id, made.verdict, points, made.evidence, made.confidence, "hybrid-1")
