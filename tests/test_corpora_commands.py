"""`viva-finetune` on graded answers: prepare, evaluate, and what is said where something is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from finetune.cli import app
from finetune.commands.evaluate import given
from finetune.predictions import Prediction, read_predictions
from finetune.prepare import read_prepared
from tests.made_predictions import made
from tests.small_corpus import row, write_corpus
from workbench.engines.base import EngineError

RUNNER = CliRunner(env={"COLUMNS": "200", "VIVA_SHARED_DIR": ""})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A corpus in which right answers repeat the reference and wrong ones do not."""

    def rows(split: str, topics: int) -> list[dict[str, object]]:
        return [
            row(
                f"{split}:{n}:{label}", f"{split}{n}", answer, label, question=f"Why is {split}{n}?", references=[right]
            )
            for n in range(topics)
            for right in [f"The {split}ium{n} melts quickly"]
            for label, answer in (
                ("correct", f"{split}ium{n} melts quickly"),
                ("partial", f"something melts in {split}land{n}"),
                ("incorrect", f"nobody{n} saw it"),
            )
        ]

    return write_corpus(tmp_path / "data", rows("train", 12), rows("ua", 2), rows("uq", 4))


def test_judges_and_the_floor_stand_in_one_table_and_one_report(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = RUNNER.invoke(
        app,
        ["evaluate", "--on", "scientsbank", "--judges", "keyword,tfidf", "--data", str(data), "--out", str(out)],
    )
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text())
    assert (report["on"], report["split"]) == ("scientsbank", "test-uq")
    assert [judge["judge"] for judge in report["judges"]] == ["keyword-1", "tfidf-1"]
    assert report["data"]["licence"] == "CC BY-SA 3.0" and not report["data"]["as_published"]
    for judge in report["judges"]:
        assert judge["n"] == 12 and judge["questions"] == 4
        assert judge["macro_f1"]["low"] <= judge["macro_f1"]["value"] <= judge["macro_f1"]["high"]
    assert report["judges"][1]["card"]["answers"] == 36
    assert "tfidf-1" in done.output


def test_training_data_tell_seen_questions_of_a_corpus_from_unseen_ones(data: Path, tmp_path: Path) -> None:
    done = RUNNER.invoke(
        app,
        ["prepare", "--from", "scientsbank", "--data", str(data), "--validation", ".3", "--out", str(tmp_path / "t")],
    )
    assert done.exit_code == 0, done.output
    marks = tmp_path / "marks.jsonl"
    arguments = ["evaluate", "--on", "scientsbank", "--split", "train", "--judges", "keyword", "--data", str(data)]
    done = RUNNER.invoke(app, [*arguments, "--trained-on", str(tmp_path / "t"), "--predictions", str(marks)])
    assert done.exit_code == 0, done.output
    learnt = {record.question_id for record in read_prepared(tmp_path / "t" / "train.jsonl")}
    rows = read_predictions(marks)
    assert {p.question_id for p in rows if p.slices["question"] == "seen"} == learnt
    assert {p.slices["question"] for p in rows} == {"seen", "unseen"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--adapters", "var/mine", "--encoders", "mpnet"], "--adapters, --encoders: only of a corpus"),
        (["--data", "."], "--data: only of a corpus"),
        (["--on", "saf", "--answers", "ticked.jsonl"], "saf is fitted on its train split"),
    ],
)
def test_a_calibration_is_given_no_option_that_it_would_not_heed(given: list[str], said: str, tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["calibrate", *given, "--out", str(tmp_path / "judge.joblib")])
    assert done.exit_code == 2 and said in done.output, done.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["attack", "--seed", "3", "--keep", "9"], "--seed, --keep: only of a search"),
        (["evaluate", "--on", "heard", "--trained-on", "rows"], "add --predictions or --plot"),
        (["evaluate", "--split", "train", "--data", ".", "--hearings", "x"], "--split, --data, --hearings: not of"),
        (["evaluate", "--on", "calibration", "--half", "held-out"], "--half: not of --on calibration"),
    ],
)
def test_an_option_that_would_not_be_heeded_is_refused(given: list[str], said: str) -> None:
    done = RUNNER.invoke(app, [*given, "--judges", "keyword"])
    assert done.exit_code == 2 and said in " ".join(done.output.replace("│", " ").split()), done.output


@pytest.mark.parametrize("on", ["heard", "exemplars"])
def test_a_judge_that_is_not_there_is_refused_by_name(on: str, tmp_path: Path) -> None:
    judge = f"adapter:{tmp_path / 'none'}"
    done = RUNNER.invoke(app, ["evaluate", "--on", on, "--judges", judge, "--limit", "2"])
    assert done.exit_code == 2 and "viva-finetune train" in " ".join(done.output.replace("│", " ").split()), done.output


@pytest.mark.parametrize("error", [EngineError("http", "is gone"), KeyboardInterrupt()])
def test_what_a_judge_marked_before_it_failed_is_kept(error: BaseException, tmp_path: Path) -> None:
    marks = made("a", lambda k, r: True)[:3]

    def failing() -> Iterator[Prediction]:
        yield from marks
        raise error

    with pytest.raises(typer.BadParameter if isinstance(error, EngineError) else KeyboardInterrupt):
        given(failing(), tmp_path / "marks.jsonl")
    assert read_predictions(tmp_path / "marks.jsonl.unfinished") == marks
    assert not (tmp_path / "marks.jsonl").exists()


def test_a_corpus_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    for arguments in (
        ["evaluate", "--on", "beetle", "--data", str(tmp_path)],
        ["calibrate", "--on", "beetle", "--data", str(tmp_path), "--out", str(tmp_path / "judge.joblib")],
        ["prepare", "--from", "beetle", "--data", str(tmp_path), "--out", str(tmp_path / "out")],
    ):
        done = RUNNER.invoke(app, arguments)
        assert done.exit_code == 2 and "VIVA_SHARED_DIR" in done.output


def test_who_has_no_corpora_is_told_what_can_be_prepared_without(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["prepare", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    said = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 2 and "or do without the corpora: --from banks,calibration" in said, done.output
    done = RUNNER.invoke(app, ["prepare", "--from", "banks,calibration", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output


def test_a_judge_of_a_corpus_is_written_as_joblib_only(data: Path, tmp_path: Path) -> None:
    done = RUNNER.invoke(
        app, ["calibrate", "--on", "scientsbank", "--data", str(data), "--out", str(tmp_path / "judge.json")]
    )
    assert done.exit_code == 2 and ".joblib" in done.output
    missing = tmp_path / "none.joblib"
    done = RUNNER.invoke(app, ["evaluate", "--on", "scientsbank", "--judges", str(missing), "--data", str(data)])
    assert done.exit_code == 2 and "no fitted judge" in done.output


def test_training_data_are_prepared_from_a_corpus_and_a_table_of_ones_own(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text(
        "Frage,Antwort,Muster,Punkte\nWarum?,darum,Darum.,9\nWieso?,deshalb,Darum.,4\nWeshalb?,,Darum.,4\n",
        encoding="utf-8",
    )
    done = RUNNER.invoke(
        app,
        ["prepare", "--from", "scientsbank", "--data", str(data), "--own", str(own), "--validation", "0.25",
         "--columns", "question=Frage,answer=Antwort,reference=Muster,points=Punkte", "--out", str(tmp_path / "out")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    train, validation = (read_prepared(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "validation"))
    assert {r.corpus for r in [*train, *validation]} == {"scientsbank", "own"}
    assert not {r.question for r in train} & {r.question for r in validation}
    assert "mine.csv:4" in (tmp_path / "out" / "rejected.jsonl").read_text()
    assert f"train: {len(train)} rows" in done.output and 'rejected: 1, 1 of them "has no answer"' in done.output
    assert "mine.csv: 2 rows used, 1 left out (first reason: mine.csv:4 has no answer)" in done.output
    assert "own: 1 rows to train on, 1 to validate with" in done.output


def test_columns_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["prepare", "--from", "banks", "--columns", "question", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "field=column" in done.output
