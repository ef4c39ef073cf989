"""A second judge in the background: what it writes down, and that nobody notices it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finetune.cli import app
from finetune.shadow_report import ShadowError, agreement
from workbench.exam.bank import load_banks
from workbench.exam.grading import KeywordJudge
from workbench.exam.items import Bank, Question
from workbench.exam.model import Evaluation
from workbench.exam.model import Judge as Ask
from workbench.judging.registry import judge_by_key_points
from workbench.judging.shadow import Shadow, shadowed
from workbench.settings import Settings


class Strict:
    """Gives every answer nothing; waits for leave, or fails, where it is told to."""

    name = "strict-1"

    def __init__(self, leave: threading.Event | None = None, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._leave, self._error = leave, error

    def judge(self, question: Question, answer: str, **more: Any) -> Evaluation:
        self.asked.append(answer)
        if self._leave is not None:
            self._leave.wait(10)
        if self._error is not None:
            raise self._error
        mark = KeywordJudge().judge(question, answer)
        return replace(mark, verdict="incorrect", points=0.0, judge=self.name)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load_banks()["medical"]


@pytest.fixture(scope="module")
def questions(bank: Bank) -> list[Question]:
    return [question for _, _, question in bank.questions()][:4]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_agreement_is_written_down_without_a_word_of_the_answer(
    bank: Bank, questions: list[Question], tmp_path: Path
) -> None:
    shadow = Shadow(judge_by_key_points, Strict(), tmp_path / "shadow.jsonl")
    right = await shadow(bank, Ask(questions[0].id, questions[0].model_answer))
    wrong = await shadow(bank, Ask(questions[1].id, "I would rather have gone fishing in Norway"))
    await shadow.settle()
    assert (right.judge, right.verdict, wrong.verdict) == ("keyword-1", "correct", "incorrect")
    rows = {row["question_id"]: row for row in lines(tmp_path / "shadow.jsonl")}
    assert [rows[q.id]["agree"] for q in questions[:2]] == [False, True]
    kept = rows[questions[0].id]
    assert (kept["in_service"]["judge"], kept["shadow"]["judge"], kept["discipline"]) == (
        "keyword-1",
        "strict-1",
        "medical",
    )
    assert "Norway" not in (tmp_path / "shadow.jsonl").read_text()


async def test_the_mark_in_service_does_not_wait_for_the_second_judge(
    bank: Bank, questions: list[Question], tmp_path: Path
) -> None:
    leave = threading.Event()
    shadow = Shadow(judge_by_key_points, Strict(leave), tmp_path / "shadow.jsonl")
    await shadow(bank, Ask(questions[0].id, questions[0].model_answer))
    assert not (tmp_path / "shadow.jsonl").exists()
    leave.set()
    await shadow.settle()
    assert len(lines(tmp_path / "shadow.jsonl")) == 1


async def test_an_answer_that_grows_is_shadowed_once_as_it_stood_last(
    bank: Bank, questions: list[Question], tmp_path: Path
) -> None:
    leave = threading.Event()
    judge = Strict(leave)
    shadow = Shadow(judge_by_key_points, judge, tmp_path / "shadow.jsonl")
    await shadow(bank, Ask(questions[1].id, "something else that keeps it busy"))
    while not judge.asked:
        await asyncio.sleep(0.01)
    for text in ("well", "well I think", "well I think it is a fracture"):
        await shadow(bank, Ask(questions[0].id, text))
    leave.set()
    await shadow.settle()
    assert judge.asked == ["something else that keeps it busy", "well I think it is a fracture"]


async def test_a_second_judge_that_fails_is_logged_without_the_answer_and_the_viva_goes_on(
    bank: Bank, questions: list[Question], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shadow = Shadow(judge_by_key_points, Strict(error=RuntimeError("about Norway")), tmp_path / "shadow.jsonl")
    with caplog.at_level(logging.WARNING):
        mark = await shadow(bank, Ask(questions[0].id, "Norway"))
        await shadow.settle()
    assert mark.judge == "keyword-1" and "strict-1 failed: RuntimeError" in caplog.text
    assert "Norway" not in caplog.text and not (tmp_path / "shadow.jsonl").exists()


def test_a_challenger_that_is_not_there_leaves_the_judge_in_service_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def settings(**more: Any) -> Settings:
        return Settings(_env_file=None, data_dir=tmp_path, **more)  # type: ignore[call-arg]

    assert shadowed(judge_by_key_points, settings()) is judge_by_key_points
    assert isinstance(shadowed(judge_by_key_points, settings(judge_shadow="keyword")), Shadow)
    assert shadowed(judge_by_key_points, settings(judge_shadow="oracle")) is judge_by_key_points
    assert "VIVA_JUDGE_SHADOW=oracle" in caplog.text and "models:/viva-examiner@champion" in caplog.text


def line(question: str, ours: str, theirs: str, judge: str = "new-2") -> str:
    points = {"correct": 9.0, "partial": 5.0, "incorrect": 0.0}
    return json.dumps(
        {
            "question_id": question,
            "in_service": {"judge": "old-1", "verdict": ours, "points": points[ours]},
            "shadow": {"judge": judge, "verdict": theirs, "points": points[theirs]},
        }
    )


def test_agreement_is_told_for_each_pair_of_judges(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    kept = [line("q0", "correct", "correct", "new-1")]
    kept += [line(f"q{k % 5}", "correct", "correct" if k % 4 else "partial") for k in range(20)]
    kept += [line("q9", "incorrect", "partial")]
    path.write_text("\n".join(kept) + "\n")
    newer, older = agreement(path)
    assert (newer["shadow"], newer["n"], older["shadow"], older["n"]) == ("new-2", 21, "new-1", 1)
    assert newer["agree"]["value"] == pytest.approx(15 / 21, abs=1e-4)
    assert (newer["harder"], newer["softer"]) == (pytest.approx(5 / 21, abs=1e-4), pytest.approx(1 / 21, abs=1e-4))
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["shadow", "--file", str(path)])
    assert done.exit_code == 0 and "old-1" in done.output and "0.714" in done.output


def test_a_file_that_is_none_of_a_shadows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShadowError, match="VIVA_JUDGE_SHADOW"):
        agreement(tmp_path / "none.jsonl")
    (tmp_path / "bad.jsonl").write_text(line("q", "correct", "correct") + '\n{"question_id": 1}\n')
    with pytest.raises(ShadowError, match="bad.jsonl:2"):
        agreement(tmp_path / "bad.jsonl")
