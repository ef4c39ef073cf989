"""Graded answers of others: read, checked against the manifest, freed of what would tell of the tests."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from finetune.corpora import CORPORA, SPLITS, CorpusError, card, data_directory, load
from finetune.references import BestReference, as_marked, propositions, reference_question, references_of
from tests.small_corpus import record, row, write_corpus
from workbench.exam.grading import KeywordJudge
from workbench.settings import Settings


@pytest.fixture(scope="module")
def datasets() -> Path:
    path = Path(os.environ.get("VIVA_SHARED_DIR") or Path(__file__).parents[2] / "shared") / "datasets"
    if not path.is_dir():
        pytest.skip(f"no graded answers at {path}; point VIVA_SHARED_DIR at the corpora to run this test")
    return path


# ---- the published files

PUBLISHED = {
    ("scientsbank", "train"): (4969, 135), ("scientsbank", "test-ua"): (540, 135),
    ("scientsbank", "test-uq"): (733, 15),
    ("beetle", "train"): (3941, 47), ("beetle", "test-ua"): (439, 47), ("beetle", "test-uq"): (819, 9),
    ("saf", "train"): (2127, 26), ("saf", "test-ua"): (375, 26), ("saf", "test-uq"): (479, 5),
}  # fmt: skip
"""Answers and questions of the splits, SemEval-2013 Task 7 and SAF."""


@pytest.mark.parametrize(("corpus", "split"), PUBLISHED)
def test_a_split_has_the_published_numbers_of_answers_and_questions(datasets: Path, corpus: str, split: str) -> None:
    loaded = load(corpus, split, datasets)
    every = [*loaded.records, *(left.record for left in loaded.left_out)]
    assert (len(every), len({r.question_id for r in every})) == PUBLISHED[corpus, split]
    assert loaded.as_published
    assert not loaded.left_out or split == "train"


@pytest.mark.parametrize("corpus", CORPORA)
def test_no_answer_to_train_on_stands_in_a_test_split_or_under_two_labels(datasets: Path, corpus: str) -> None:
    train = load(corpus, "train", datasets).records
    tested = {
        (r.question.lower(), r.answer.strip().lower())
        for split in SPLITS
        if split != "train"
        for r in load(corpus, split, datasets).records
    }
    assert not [r.id for r in train if (r.question.lower(), r.answer.strip().lower()) in tested]
    labels: dict[tuple[str, str], set[str]] = {}
    for r in train:
        labels.setdefault((r.question_id, r.answer.strip().lower()), set()).add(r.label)
    assert all(len(found) == 1 for found in labels.values())


def test_points_of_saf_are_the_examiners_and_others_follow_from_the_label(datasets: Path) -> None:
    for r in load("saf", "test-uq", datasets).records:
        assert r.score10 is not None and r.points == r.score10
    assert {r.points for r in load("beetle", "test-uq", datasets).records} == {0.0, 5.0, 10.0}


# ---- made-up files


def test_leaks_and_contradictions_go_from_training_with_their_reason_and_tests_stay_whole(tmp_path: Path) -> None:
    twin = {"question": "Why is it warm?", "references": ["The sun heats it."]}
    write_corpus(
        tmp_path,
        train=[
            row("a", "ice", "it melts"), row("b", "ice", "It melts!"), row("c", "ice", "it grows"),
            row("d", "ice", "It grows.", "incorrect"), row("e", "ice", "it floats on water"),
            row("f", "sun", "it is hot there", **twin),
        ],
        ua=[row("g", "ice", "it melts.")],
        uq=[row("h", "sun again", "the sun", **twin), row("i", "sun again", "the sun", "partial", **twin)],
    )  # fmt: skip
    loaded = load("scientsbank", "train", tmp_path)
    assert [r.id for r in loaded.records] == ["e"]
    reasons = {left.record.id: left.reason for left in loaded.left_out}
    assert "test-ua" in reasons["a"] and "test-ua" in reasons["b"]
    assert "correct and incorrect" in reasons["c"] and "correct and incorrect" in reasons["d"]
    assert reasons["f"] == "the question itself stands in test-uq"
    assert len(load("scientsbank", "test-uq", tmp_path).records) == 2


def test_a_file_that_is_not_the_published_one_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_corpus(tmp_path, [row("a", "ice", "it melts away")], [], [row("b", "sun", "hot")])
    with caplog.at_level(logging.WARNING):
        loaded = load("scientsbank", "train", tmp_path)
    assert not loaded.as_published and len(loaded.records) == 1
    assert "scientsbank/train.jsonl has SHA-256" in caplog.text and "melts" not in caplog.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "a line is a JSON object with id"),
        ("[1]", "a line is a JSON object with id"),
        ('{"id": "a"}', "question_id"),
        (row("a", "ice", "yes", "good"), "label 'good'; allowed: correct, partial, incorrect"),
        (row("a", "ice", "yes", references=[" "]), "no reference answer"),
        (row("a", "ice", "yes", score10=11), "allowed: 0 to 10"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path: Path, line: str | dict[str, object], said: str) -> None:
    write_corpus(tmp_path, [row("z", "sun", "no")], [], [])
    path = tmp_path / "scientsbank" / "test-uq.jsonl"
    path.write_text(f"\n{line if isinstance(line, str) else json.dumps(line)}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"test-uq\.jsonl:2: ") as found:
        load("scientsbank", "test-uq", tmp_path)
    assert said in str(found.value)


def test_a_wrong_name_or_place_is_answered_by_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="unknown corpus 'asap'; known: scientsbank, beetle, saf"):
        load("asap", "train", tmp_path)
    with pytest.raises(CorpusError, match="unknown split 'dev'; known: train, test-ua, test-uq"):
        load("saf", "dev", tmp_path)
    with pytest.raises(CorpusError, match="--data or VIVA_SHARED_DIR"):
        load("saf", "train", tmp_path)
    nowhere = Settings(_env_file=None, shared_dir=None)  # type: ignore[call-arg]
    with pytest.raises(CorpusError, match="give --data or set VIVA_SHARED_DIR"):
        data_directory(nowhere)
    with pytest.raises(CorpusError, match="no directory"):
        data_directory(nowhere, tmp_path / "away")
    assert data_directory(nowhere, tmp_path) == tmp_path


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_corpus_has_a_card_with_its_licence_and_a_hash_for_each_file(corpus: str) -> None:
    about = card(corpus)
    assert about["licence"] and about["source"]
    assert set(about["sha256"]) == set(SPLITS) and all(len(value) == 64 for value in about["sha256"].values())


# ---- as questions


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("The water was evaporated, leaving the salt.", ["The water was evaporated", "leaving the salt"]),
        ("Terminals 1, 2 and 3 are connected to the battery", ["Terminals 1, 2 and 3 are connected to the battery"]),
        (
            "Vibrations are movements. Vibrations produce sound.",
            ["Vibrations are movements", "Vibrations produce sound"],
        ),
        ("Yes.", ["Yes"]),
    ],
)
def test_a_reference_falls_into_what_it_says(reference: str, expected: list[str]) -> None:
    assert list(propositions(reference)) == expected


def test_key_points_of_a_reference_weigh_the_same_and_make_up_the_mark() -> None:
    question = as_marked(record("a", "magnet", "it pulls")).question
    assert sum(point.weight for point in question.key_points) == pytest.approx(1)
    assert references_of(question) == ("The magnet pulls the weight up.",)


def test_one_of_several_references_is_enough() -> None:
    question = reference_question(
        "q", "Why is the bulb off?", ("There is a gap.", "The path with the battery is open.")
    )
    judge = BestReference(KeywordJudge())
    for answer in ("because there is a gap somewhere", "the path with the battery is open"):
        assert judge.judge(question, answer).verdict == "correct"
    assert judge.judge(question, "the switch is blue").verdict == "incorrect"
