"""Vivas as training data: educators' marks, no names, no one who did not agree; and the rows that are made of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.confusions import Confusions
from finetune.made_rows import SLIPS, heard_copies, worthless_answers
from finetune.marked_sessions import marked_sessions
from finetune.negatives import KINDS
from finetune.prepare import Gathered, gather, prepare, read_prepared, set_aside, write
from finetune.splits import crossings
from tests.small_corpus import TOPICS, many, record
from tests.store_helpers import new_session, store_at
from workbench.exam.bank import load_banks
from workbench.exam.model import Evaluation
from workbench.store.bank_snapshot import to_text
from workbench.store.repository import Store

BANK = load_banks()["medical"]
ASKED = [(scenario, question) for _, scenario, question in BANK.questions() if not set_aside(question.id)][:4]


def held(store: Store, answers: dict[int, str], **options: Any) -> str:
    """A viva of four questions, answered as given and marked by a judge, and its bank kept."""
    given = {"candidate_name": "Ada Byron", "consented": True, "consent_version": "1", **options}
    session_id = new_session(store, bank_id=store.publish_bank("medical", BANK.version, to_text(BANK)), **given)
    for number, text in answers.items():
        question = ASKED[number - 1][1]
        store.save_answer(session_id, number, question.id, text, typed=True, probe=False, skipped=False, at_s=1.0)
        store.save_evaluation(session_id, number, Evaluation(question.id, "partial", 5.0, (), 0.6, "keyword-1"))
    store.finish_session(session_id, completed=True, max_score=120)
    return session_id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_at(tmp_path)


def test_what_educators_marked_or_confirmed_is_taken_with_its_question_and_without_names(store: Store) -> None:
    session_id = held(store, {1: "I, Ada, would give aspirin", 2: "an ECG", 3: "no idea"})
    store.override_mark(session_id, 1, actor="kim", reason="said it", verdict="correct", points=9.0)
    store.confirm_mark(session_id, 2, actor="kim")
    records, left = marked_sessions(store)
    assert [(r.label, r.score10, r.question_id) for r in records] == [
        ("correct", 9.0, f"banks:{ASKED[0][1].id}"),
        ("partial", 5.0, f"banks:{ASKED[1][1].id}"),
    ]
    scenario, question = ASKED[0]
    first = records[0]
    assert first.question == f"{scenario.text} {question.stem}" and first.references == (question.model_answer,)
    assert "Ada" not in first.answer and first.answer.endswith("would give aspirin") and first.candidate in first.answer
    assert [text for text, _ in first.key_points] == [point.text for point in question.key_points]
    assert [(one.record.id, one.reason) for one in left] == [
        (f"sessions:{session_id}:3", "no educator marked it or confirmed the judge's mark")
    ]
    assert store.audit_log("all")[0].action == "training.prepared"


def test_an_override_that_was_undone_and_a_viva_without_consent_teach_nothing(store: Store) -> None:
    undone = held(store, {1: "aspirin"})
    store.override_mark(undone, 1, actor="kim", reason="said it", points=9.0)
    store.undo_override(undone, 1, actor="kim")
    refused = held(store, {1: "aspirin"}, consented=False)
    store.override_mark(refused, 1, actor="kim", reason="said it", points=9.0)
    silent = held(store, {1: "  "})
    store.override_mark(silent, 1, actor="kim", reason="said nothing", verdict="incorrect", points=0.0)
    unmarked = held(store, {})
    question_id = ASKED[0][1].id
    store.save_answer(unmarked, 1, question_id, "aspirin", typed=True, probe=False, skipped=False, at_s=1.0)
    store.override_mark(unmarked, 1, actor="kim", reason="the judge was down", verdict="correct", points=9.0)
    store.undo_override(unmarked, 1, actor="kim")
    records, left = marked_sessions(store)
    assert records == []
    assert [one.reason for one in left] == [
        "no educator marked it or confirmed the judge's mark",
        "its candidate gave no consent",
        "nothing was answered",
        "no educator marked it or confirmed the judge's mark",
    ]


def test_vivas_are_gathered_beside_the_banks_and_no_question_kept_for_measuring(store: Store, tmp_path: Path) -> None:
    aside = next(question for _, _, question in BANK.questions() if set_aside(question.id))
    session_id = held(store, {1: "aspirin for the heart attack and oxygen"})
    store.override_mark(session_id, 1, actor="kim", reason="said it", points=9.0)
    store.save_answer(session_id, 5, aside.id, "something", typed=True, probe=False, skipped=False, at_s=9.0)
    store.override_mark(session_id, 5, actor="kim", reason="never marked", verdict="correct", points=8.0)
    found = gather(["banks", "sessions"], None, store=store)
    assert [r.id for r in found.records if r.corpus == "sessions"] == [f"sessions:{session_id}:1"]
    assert f"sessions:{session_id}:5" in {left.record.id for left in found.left_out}
    made = write(tmp_path / "rows", found, prepare(found, 0.2, 0), 0.2, 0)
    assert made["sources"]["sessions"]["licence"].startswith("the owner's")


def test_where_everybody_answers_everything_a_share_of_the_candidates_validates() -> None:
    rows = [
        replace(record(f"{who}:{topic}", topic, f"{who}s own {topic} words, {who}{topic}"), candidate=who)
        for who in ("ada", "bob", "cyd", "dee", "eve")
        for topic in TOPICS
    ]
    split = prepare(Gathered(rows), 0.2, 0)
    assert len({r.candidate for r in split.validation}) == 1 and len({r.candidate for r in split.train}) == 4
    assert len(split.validation) == 2 and len(split.train) == 4 * 8
    assert not crossings(split.train, split.validation)


# ---- rows made of rows


def test_rows_are_heard_with_slips_the_same_each_time() -> None:
    slips = Confusions.load(SLIPS)
    rows = [replace(r, answer=f"the {r.question_id} is supported by the patient's blood pressure") for r in many()]
    made = heard_copies(rows, 0.5, 1, slips)
    assert made == heard_copies(rows, 0.5, 1, slips) != heard_copies(rows, 0.5, 2, slips)
    assert 0 < len(made) <= 15
    whole = {r.id: r for r in rows}
    for copy in made:
        source = whole[copy.id.removesuffix("::heard")]
        assert copy.answer != source.answer and (copy.label, copy.references) == (source.label, source.references)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        heard_copies(rows, 1.5, 1, slips)


def test_each_question_gets_answers_worth_nothing_of_different_kinds() -> None:
    made = worthless_answers(many(), 3, 0)
    assert len(made) == 3 * len(TOPICS) and len({r.id for r in made}) == len(made)
    assert {(r.label, r.score10) for r in made} == {("incorrect", 0.0)}
    assert len({r.id.partition("::")[2] for r in made}) > 6
    denied = next(r for r in worthless_answers(many(), len(KINDS), 0) if r.id.endswith("denial: myth"))
    assert "myth" in denied.answer and "pulls the weight" in denied.answer
    with pytest.raises(ValueError, match=f"there are {len(KINDS)} kinds"):
        worthless_answers(many(), len(KINDS) + 1, 0)


def test_made_rows_are_trained_on_only_and_counted_in_the_card(tmp_path: Path) -> None:
    found = Gathered(many(), sources={"made-up": {"licence": "CC BY-SA 3.0", "source": "these tests"}})
    plain, more = prepare(found, 0.3, 0), prepare(found, 0.3, 0, heard=1.0, worthless=2)
    assert more.validation == plain.validation and set(plain.train) < set(more.train)
    assert not crossings(more.train, more.validation)
    card = write(tmp_path, found, more, 0.3, 0)
    assert sum(card["made"].values()) == len(more.train) - len(plain.train)
    assert sum(n for kind, n in card["made"].items() if kind != "heard") == 2 * 7
    assert len(read_prepared(tmp_path / "train.jsonl")) == len(more.train)
