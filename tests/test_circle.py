"""The whole circle: vivas are held, educators correct marks, an adapter learns from them, is promoted, and marks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("mlflow", reason="MLflow comes with the extra `finetune`")

from finetune.cli import app
from finetune.predictions import read_predictions
from finetune.prepare import read_prepared
from finetune.registry import mark_of, weights_sha256
from tests.live_server import scripted_socket
from tests.mlflow_store import settings_with_store
from workbench.settings import Settings, get_settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import behaviour
from workbench.simulate.candidate import Candidate
from workbench.store.repository import Store

pytestmark = pytest.mark.weights

CANDIDATES = ("knowledgeable", "partial", "wrong", "mixed", "mixed")
SPEED = 40.0

LENIENT = """\
held_out: {interval_above: -1.0, least_answers: 4, least_questions: 2}
slices: {lost_at_most: 1.0, least_answers: 50}
attacks: {correct_at_most: 1.0, least_attacks: 8}
calibration: {error_at_most: 1.0}
latency: {p95_at_most_ms: 60000}
"""
"""A gate for an adapter of random weights: every line is there, and none asks for skill."""


@dataclass(frozen=True)
class Circle:
    """Where everything is."""

    settings: Settings
    at: Path
    runner: CliRunner

    def run(self, *arguments: str) -> str:
        """A command of `viva-finetune` that must succeed."""
        done = self.runner.invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Circle]:
    at = tmp_path_factory.mktemp("circle")
    settings = settings_with_store(at)
    runner = CliRunner(env={"COLUMNS": "220", "VIVA_DATA_DIR": str(settings.data_dir), "VIVA_MLFLOW_URI": ""})
    get_settings.cache_clear()
    yield Circle(settings, at, runner)
    get_settings.cache_clear()


async def sit(url: str, n: int, name: str, settings: Settings) -> Any:
    candidate = Candidate(
        ("Ada Byron", "Bo Diaz", "Cy Evans", "Di Fox", "El Gray")[n], behaviour(name), AnswerBook(settings), None,
        speed=SPEED, seed=20 + n,
    )  # fmt: skip
    return await candidate.sit(url, timeout_s=240)


async def test_vivas_corrected_by_an_educator_become_a_judge_that_marks_the_next_one(circle: Circle) -> None:
    settings = circle.settings
    with scripted_socket(settings.data_dir, max_sessions=8) as url:
        records = await asyncio.gather(*(sit(url, n, name, settings) for n, name in enumerate(CANDIDATES)))
    assert [record.failure for record in records] == [None] * len(CANDIDATES)

    store = Store(settings)
    sessions = store.ended_sessions()
    assert len(sessions) == len(CANDIDATES)
    n_marked = 0
    for session_id in sessions:
        for number, mark in {m.number: m for m in store.load_session(session_id).marks}.items():
            given = mark.evaluation.verdict
            if number % 3 == 0:
                store.confirm_mark(session_id, number, actor="kim")
            else:
                changed = {"correct": ("partial", 5.0), "partial": ("incorrect", 1.0), "incorrect": ("partial", 4.0)}
                verdict, points = changed[given]
                store.override_mark(
                    session_id, number, actor="kim", reason="I heard it otherwise", verdict=verdict, points=points  # type: ignore[arg-type]
                )  # fmt: skip
            n_marked += 1
    store.close()
    assert n_marked >= 50

    rows, adapter = circle.at / "rows", circle.at / "examiner"
    circle.run("prepare", "--from", "sessions,calibration", "--validation", ".3", "--heard", ".2", "--out", str(rows))
    train = read_prepared(rows / "train.jsonl")
    learnt = [row for row in train if row.corpus == "sessions" and "::" not in row.id]
    assert len(learnt) >= 10 and not any(name in row.answer for row in learnt for name in ("Ada", "Byron", "Diaz"))

    circle.run(
        "train", "--recipe", "smoke", "--base", "tiny-encoder", "--kind", "encoder", "--no-for-vllm",
        "--max-steps", "3", "--eval-every", "3", "--quiet", "--data", str(rows), "--out", str(adapter),
    )  # fmt: skip
    against = circle.at / "keyword.jsonl"
    limits = ["--limit", "160"]
    circle.run("evaluate", "--judges", "keyword", *limits, "--predictions", str(against))
    measured = adapter / "evaluation"
    circle.run(
        "evaluate", "--judges", f"adapter:{adapter}", *limits, "--predictions", str(measured / "predictions.jsonl")
    )
    met = {row.question_id.removeprefix("banks:") for row in train}
    marks = read_predictions(measured / "predictions.jsonl")
    seen = {mark.question_id for mark in marks if mark.slices["question"] == "seen"}
    assert seen and seen <= met  # it learnt from a part of the rows
    circle.run("attack", "--judges", f"adapter:{adapter}", "--limit", "8", "--out", str(measured / "attacks.json"))
    refused = circle.runner.invoke(app, ["promote", str(adapter), "--against", str(against)])
    assert refused.exit_code != 0 and "held_out" in refused.output  # the gate of the house wants skill
    gate = circle.at / "gate.yaml"
    gate.write_text(LENIENT)
    circle.run("promote", str(adapter), "--against", str(against), "--gate", str(gate))

    with scripted_socket(settings.data_dir, judge="models:/viva-examiner@champion") as url:
        record = await sit(url, 0, "knowledgeable", settings)
    assert record.failure is None and record.completed
    store = Store(settings)
    newest = store.load_session(store.ended_sessions()[-1])
    store.close()
    assert newest.session.id not in sessions
    version = f"viva-examiner-1 (adapter{mark_of(weights_sha256(adapter))})"
    assert {mark.evaluation.judge for mark in newest.marks} == {version}
