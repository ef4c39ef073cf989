"""Training data: nothing stands on two sides, everything rejected says why, and the card counts what is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.answers import exemplars
from finetune.corpora import CorpusError, question_key
from finetune.own_rows import read_own
from finetune.prepare import Gathered, gather, prepare, read_prepared, set_aside, write
from finetune.splits import Crossing, crossings, near_duplicates, split_by_question
from tests.small_corpus import TOPICS, many, record, row, write_corpus

# ---- the split


def test_validation_holds_whole_questions_of_every_corpus() -> None:
    split = split_by_question([*many("scientsbank"), *many("beetle")], 0.2)
    assert {r.corpus for r in split.validation} == {"scientsbank", "beetle"}
    assert len({question_key(r) for r in split.validation}) >= 2
    assert not {question_key(r) for r in split.train} & {question_key(r) for r in split.validation}
    assert not crossings(split.train, split.validation)


def test_a_seed_gives_the_same_split_in_any_order_and_another_seed_another() -> None:
    rows = many()
    one, again, other = (
        split_by_question(rows, 0.3),
        split_by_question(rows[::-1], 0.3),
        split_by_question(rows, 0.3, 1),
    )
    assert {r.id for r in one.validation} == {r.id for r in again.validation} != {r.id for r in other.validation}


def test_the_parts_of_a_seed_hold_out_every_question_once() -> None:
    rows = many()
    held = [question_key(r) for part in range(5) for r in split_by_question(rows, 0.2, 3, part=part).validation]
    assert len(set(held)) == len(held) / 3 == len({question_key(r) for r in rows})
    with pytest.raises(ValueError, match="5 parts of 0.2 each, counted from 0; got part 5"):
        split_by_question(rows, 0.2, 3, part=5)


def test_one_id_keeps_every_wording_of_a_question_on_one_side() -> None:
    rows = many()
    reworded = [
        replace(row, id=f"{row.id}:again", question=f"Say what a {row.question_id} is for.", references=("To pull.",),
                answer=f"{row.answer} {n} more of {row.label} words than before{n} here{n} there{n}")
        for n, row in enumerate(rows)
    ]  # fmt: skip
    for seed in range(5):
        split = split_by_question([*rows, *reworded], 0.3, seed)
        assert len(split.train) + len(split.validation) == 60 and len(split.validation) == 18
        assert not {row.question_id for row in split.train} & {row.question_id for row in split.validation}
    assert crossings(rows[:1], reworded[:1])[0] == Crossing("question", rows[0].id, reworded[0].id)
    assert {left.reason for left in split_by_question(rows, 0.3, 0, reworded[:3]).rejected} == {
        f"its question stands in a test split ({reworded[2].id})"
    }


def test_an_answer_given_again_with_a_slip_to_a_validation_question_is_not_trained_on() -> None:
    rows = many()
    validation = split_by_question(rows, 0.3).validation[0]
    trained = next(
        topic for topic in TOPICS if topic not in {r.question_id for r in split_by_question(rows, 0.3).validation}
    )
    words = validation.answer.split()
    copied = record("copy", trained, " ".join([*words[1:-1], words[-1][:-1], words[0]]))
    split = split_by_question([*rows, copied], 0.3)
    reasons = {left.record.id: left.reason for left in split.rejected}
    assert reasons == {"copy": f"nearly the same answer stands in validation ({validation.id})"}
    assert "copy" not in {r.id for r in split.train}


def test_a_short_answer_may_be_given_to_any_question() -> None:
    rows = [*many(), *(record(f"idk {topic}", topic, "I don't know", "incorrect") for topic in TOPICS)]
    assert not split_by_question(rows, 0.3).rejected


def test_a_candidate_stands_on_the_side_of_most_of_their_answers() -> None:
    rows = many()
    held = {r.question_id for r in split_by_question(rows, 0.3).validation}
    trained = [t for t in TOPICS if t not in held]
    mine = [
        replace(r, candidate="ada") if r.question_id in (*trained[:2], min(held)) and r.label == "correct" else r
        for r in rows
    ]
    split = split_by_question(mine, 0.3)
    assert [left.record.question_id for left in split.rejected] == [min(held)]
    assert not crossings(split.train, split.validation)


def test_rows_that_tell_of_a_test_are_rejected_on_both_sides() -> None:
    rows = many()
    tests = [record("uq", TOPICS[0], "something else was written here"), record("uq2", "moon", rows[-1].answer)]
    split = split_by_question(rows, 0.3, tests=tests)
    reasons = {left.record.id: left.reason for left in split.rejected}
    assert set(reasons) == {r.id for r in rows if r.question_id == TOPICS[0]} | {rows[-1].id}
    assert all("a test split (uq" in reason for reason in reasons.values())


def test_the_fingerprint_finds_each_kind_of_crossing() -> None:
    one = [record("a", "magnet", "it pulls iron towards itself", candidate="ada")]
    assert [c.kind for c in crossings(one, [record("b", "magnet", "no idea at all about this")])] == ["question"]
    assert [c.kind for c in crossings(one, [record("b", "seed", "Iron it pulls, towards itself!")])] == ["answer"]
    assert [c.kind for c in crossings(one, [record("b", "seed", "grows", candidate="ada")])] == ["candidate"]
    assert not crossings(one, [record("b", "seed", "it pushes copper away from everything", candidate="bob")])


def test_near_duplicates_are_found_beyond_the_first_block_of_rows() -> None:
    rows = [record(str(i), "magnet", f"answer with number{i} and word{i * 7} inside") for i in range(600)]
    found = near_duplicates(rows, [replace(rows[550], id="x"), replace(rows[3], id="y")])
    assert found == [(3, 1), (550, 0)]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_by_question(many(), share)


def test_rows_of_one_question_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="1 rows of one question .*give rows of more questions, or add a source"):
        split_by_question([record("a", "magnet", "it pulls")], 0.2)


def test_the_only_question_of_a_corpus_is_trained_on_whoever_answered_it() -> None:
    held = split_by_question(many(), 0.15).validation[0].id
    rows = [replace(r, candidate="ada") if r.id == held else r for r in many()]
    own = [record(f"own {n}", "seesaw", f"answer{n} of word{n}", corpus="own", candidate="ada") for n in range(3)]
    split = split_by_question([*rows, *own], 0.15)
    assert [r.id for r in split.train if r.corpus == "own"] == [r.id for r in own]
    assert {r.corpus for r in split.validation} == {"scientsbank"}


def test_a_question_of_every_corpus_is_left_to_train_on_however_large_the_share() -> None:
    assert len({r.question_id for r in split_by_question(many(), 0.99).train}) == 1


# ---- files of one's own

COLUMNS = {"question": "Frage", "answer": "Antwort", "reference": "Muster", "points": "Punkte"}


def test_a_table_of_ones_own_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        '\ufeffFrage,Antwort,Muster,Punkte\nWhy?,because,Because of that|For that reason,"7,5"\n'
        "Why?,maybe,Because of that,4\nWhy?,no,Because of that,0\n",
        encoding="utf-8",
    )
    records, unfit = read_own(path, COLUMNS)
    assert not unfit
    assert [(r.label, r.points) for r in records] == [("correct", 7.5), ("partial", 4.0), ("incorrect", 0.0)]
    assert records[0].references == ("Because of that", "For that reason")
    assert len({r.question_id for r in records}) == 1 and len({r.id for r in records}) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": ""}, "has no question"),
        ({"answer": "  "}, "has no answer"),
        ({"reference": []}, "has no reference answer"),
        ({"label": "good"}, "has the label 'good'; allowed: correct, partial, incorrect"),
        ({"label": ""}, "neither a label"),
        ({"label": "", "points": "many"}, "points 'many'; allowed: a number from 0 to 10"),
        ({"label": "", "points": 12}, "12 points; allowed: 0 to 10"),
    ],
)
def test_a_row_that_does_not_fit_is_listed_with_its_line_and_the_others_are_read(
    tmp_path: Path, change: Mapping[str, object], reason: str
) -> None:
    good = {"question": "Why?", "answer": "so", "reference": ["So."], "label": "correct"}
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in (good, {**good, **change}, good)), encoding="utf-8")
    records, unfit = read_own(path, {})
    assert len(records) == 2
    assert [u.where for u in unfit] == ["mine.jsonl:2"] and reason in unfit[0].reason


def test_separators_inside_an_answer_end_no_row_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    said = "so\x0bit\x0cis\x85as\u2028told"
    path.write_text(f'question,answer,reference,label\nWhy?,{said},So.,correct\nWhy?,"a\nb",So.,partial\n', "utf-8")
    records, unfit = read_own(path, {})
    assert not unfit and [r.answer for r in records] == [said, "a\nb"]
    assert [r.id for r in records] == ["own:mine:2", "own:mine:4"]
    path.write_text('question,answer,reference,label\nWhy?,"' + "so " * 50_000, "utf-8")
    with pytest.raises(CorpusError, match="mine.csv from line 2 on: field larger.*is a quote never closed"):
        read_own(path, {})


def test_a_nought_is_a_value_and_null_is_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    one = {"question": "How many?", "answer": 0, "reference": 0, "points": 10, "question_id": 0, "candidate": 0}
    path.write_text(f"{json.dumps(one)}\n{json.dumps(one | {'question_id': None, 'candidate': None})}\n", "utf-8")
    (first, second), unfit = read_own(path, {})
    assert not unfit and (first.answer, first.references, first.question_id, first.candidate) == (
        "0", ("0",), "own:0", "0",
    )  # fmt: skip
    assert second.question_id != "own:0" and second.candidate == ""


def test_columns_and_kinds_of_file_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("Frage,Antwort\nWhy?,so\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="no column Muster, Punkte; it has Frage, Antwort"):
        read_own(path, COLUMNS)
    with pytest.raises(CorpusError, match="unknown fields grade; known: question"):
        read_own(path, {"grade": "Note"})
    with pytest.raises(CorpusError, match=r"allowed: \.csv and \.jsonl"):
        read_own(tmp_path / "mine.xlsx", {})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.csv", "question;answer;reference;label\nWhy?;so;So.;correct\n", "separated by commas"),
        ("m.csv", "prompt,answer,reference,label\nWhy?,so,So.,correct\n", "no column question; it has prompt"),
        ("m.csv", "question,answer,reference,grade\nWhy?,so,So.,9\n", "no column label or points; .*--columns"),
        ("m.jsonl", '{}\n{"question": "Why?", "answer": "so", "label": "correct"}\n', "no column reference"),
    ],
)  # fmt: skip
def test_a_file_without_a_column_that_rows_must_have_is_refused(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=said):
        read_own(tmp_path / name, {})


# ---- gathered and written


def test_nothing_of_the_held_out_exemplars_or_the_questions_set_aside_is_gathered() -> None:
    found = gather(["banks", "calibration"], None)
    held_out = {e.text for e in exemplars("held-out")}
    assert found.records and not [r for r in found.records if r.corpus == "banks" and r.answer in held_out]
    assert not [r for r in found.records if set_aside(r.question_id.removeprefix("banks:"))]
    aside = {r.record.question_id for r in found.left_out}
    share = len(aside) / len(aside | {r.question_id for r in found.records})
    assert 0.15 < share < 0.35
    assert all(r.ticks for r in found.records if r.corpus == "calibration")


def test_what_is_written_is_read_back_and_counted_on_its_card(tmp_path: Path) -> None:
    found = Gathered(records=many(), sources={"scientsbank": {"licence": "CC BY-SA 3.0", "source": "made up"}})
    split = prepare(found, 0.2, 0)
    made = write(tmp_path / "out", found, split, 0.2, 0)
    assert read_prepared(tmp_path / "out" / "train.jsonl") == list(split.train)
    assert read_prepared(tmp_path / "out" / "validation.jsonl") == list(split.validation)
    assert made == json.loads((tmp_path / "out" / "card.json").read_text())
    assert made["splits"]["validation"]["rows"] == 6 and made["splits"]["validation"]["questions"] == 2
    assert made["splits"]["train"]["labels"] == {"correct": 8, "partial": 8, "incorrect": 8}
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "| scientsbank | CC BY-SA 3.0 | made up | 24 | 6 |" in readme and "8 (33%)" in readme
    assert readme.startswith("---\nconfigs:")


def test_every_source_is_named_with_licence_and_hash_and_every_rejection_with_its_reason(tmp_path: Path) -> None:
    topics = [f"thing{n}" for n in range(8)]
    write_corpus(
        tmp_path / "data",
        train=[row(f"t{n}", t, f"{t}s have {t}ish {t}men {t}wise") for n, t in enumerate(topics)]
        + [row("leak", "thing1", "words that were tested already")],
        ua=[row("ua", "thing1", "Words that were tested already.")],
        uq=[row("uq", "unseen", "some other words of an unseen question")],
    )
    own = tmp_path / "mine.jsonl"
    own.write_text(
        json.dumps({"question": "Why?", "answer": "so it went", "reference": "So.", "label": "correct"})
        + "\n"
        + json.dumps({"question": "How come?", "answer": "it just came", "reference": "So.", "label": "partial"})
        + "\n{}\n"
    )
    found = gather(["scientsbank"], tmp_path / "data", own=[own])
    made = write(tmp_path / "out", found, prepare(found, 0.25, 0), 0.25, 0)
    assert made["sources"]["scientsbank"]["licence"] == "CC BY-SA 3.0"
    assert not made["sources"]["scientsbank"]["as_published"]
    assert len(made["sources"]["mine.jsonl"]["sha256"]["mine.jsonl"]) == 64
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert {r["id"] for r in rejected} == {"leak", "mine.jsonl:3"}
    assert all(r["reason"] for r in rejected)
    assert "| own | the owner's | mine.jsonl | 1 | 1 |" in (tmp_path / "out" / "README.md").read_text()
    (tmp_path / "other").mkdir()
    other = Path(shutil.copy(own, tmp_path / "other"))
    with pytest.raises(CorpusError, match="other/mine.jsonl: another file of this name"):
        gather(["scientsbank"], tmp_path / "data", own=[own, other])


def test_unknown_sources_and_a_missing_directory_are_refused() -> None:
    with pytest.raises(CorpusError, match="unknown sources asap; known: scientsbank, beetle, saf, banks, calibration"):
        gather(["asap"], None)
    with pytest.raises(CorpusError, match="give --data or set VIVA_SHARED_DIR"):
        gather(["saf"], None)


def test_a_question_of_two_sources_is_drawn_once() -> None:
    twice = [
        *many("banks"),
        *(replace(r, id=f"again {r.id}", corpus="calibration", answer=f"{r.answer} {r.answer}") for r in many("banks")),
    ]
    assert len({r.question_id for r in split_by_question(twice, 0.3).validation}) == 3
