"""An adapter from its training to a session: tracked, registered, named by its version, and kept beside the mark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

pytest.importorskip("mlflow", reason="MLflow comes with the extra `finetune`")

from finetune.adapter_judge import adapter_judge
from finetune.answers import exemplars
from finetune.attacks import attacks
from finetune.choosing import chosen_by_hash
from finetune.cli import app
from finetune.corpora import question_hash
from finetune.evaluate import resist
from finetune.gate import load_gate
from finetune.pair_features import Pair
from finetune.predictions import read_predictions
from finetune.prepare import Gathered, prepare, write
from finetune.promotion import PromotionError, challenge, evidence, weigh
from finetune.registry import made_judge, mark_of, weights_sha256
from finetune.tracking import RUN_FILE, client_of
from tests.mlflow_store import settings_with_store
from tests.small_corpus import many, row, write_corpus
from tests.store_helpers import new_session, store_at
from workbench.engines.base import EngineError
from workbench.exam.bank import load_banks
from workbench.exam.model import Judge as Ask
from workbench.exam.model import SaveAnswer
from workbench.judging.registry import judge_call, make_judge
from workbench.settings import Settings, get_settings

pytestmark = pytest.mark.weights


@dataclass(frozen=True)
class Place:
    """A store, an adapter trained into it by the command, and the command."""

    settings: Settings
    folder: Path
    corpus: Path
    runner: CliRunner


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    at = tmp_path_factory.mktemp("service")
    settings = settings_with_store(at)
    found = Gathered(many(), sources={"made-up": {"licence": "CC BY-SA 3.0", "source": "these tests"}})
    write(at / "data", found, prepare(found, 0.3, 0), 0.3, 0)
    rows = [
        row(f"uq:{topic}:{label}", topic, f"{topic} {label}", label, question=f"What is a {topic}?")
        for topic in ("comet", "magnet")
        for label in ("correct", "partial", "incorrect")
    ]
    corpus = write_corpus(at / "corpora", rows[:3], rows[:3], rows)
    runner = CliRunner(env={"COLUMNS": "220", "VIVA_DATA_DIR": str(settings.data_dir), "VIVA_MLFLOW_URI": ""})
    get_settings.cache_clear()
    done = runner.invoke(
        app,
        ["train", "--recipe", "smoke", "--base", "tiny-encoder", "--kind", "encoder", "--no-for-vllm",
         "--max-steps", "2", "--eval-every", "2", "--quiet", "--data", str(at / "data"), "--out", str(at / "examiner")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    yield Place(settings, at / "examiner", corpus, runner)
    get_settings.cache_clear()


def test_training_leaves_a_finished_run_with_the_adapter_in_it(place: Place) -> None:
    run_id = json.loads((place.folder / RUN_FILE).read_text())["run_id"]
    client = client_of(place.settings)
    run = client.get_run(run_id)
    assert (run.info.status, run.data.params["base"]) == ("FINISHED", "tiny-encoder")
    assert [m.step for m in client.get_metric_history(run_id, "loss")] == [1, 2]
    assert "validation_macro_f1" in run.data.metrics
    kept = {Path(file.path).name for file in client.list_artifacts(run_id, "adapter")}
    assert {"adapter_config.json", "adapter_model.safetensors", "recipe.yaml", "README.md"} <= kept
    assert "checkpoints" not in kept


def test_a_folder_judges_by_its_name_in_the_settings_as_it_does_in_finetune(place: Place) -> None:
    _, scenario, question = next(iter(load_banks()["medical"].questions()))
    mine = make_judge(f"adapter:{place.folder}", place.settings)
    theirs = adapter_judge(place.folder, place.settings)
    for text in (question.model_answer, "I do not know", ""):
        given = {"question_text": scenario.text}
        assert mine.judge(question, text, **given) == theirs.judge(question, text, **given)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="viva-finetune train --out"):
        make_judge(f"adapter:{place.folder}-none", place.settings)


def test_what_evaluate_and_attack_say_of_a_folder_is_its_evidence(place: Place) -> None:
    measured = place.folder / "evaluation"
    done = place.runner.invoke(
        app,
        ["evaluate", "--on", "scientsbank", "--data", str(place.corpus), "--judges", f"adapter:{place.folder}",
         "--predictions", str(measured / "predictions.jsonl")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    asked = [(scenario, question) for _, scenario, question in load_banks()["law"].questions()][:1]
    told = resist(make_judge(f"adapter:{place.folder}", place.settings), islice(attacks(asked), 8))
    (measured / "attacks.json").write_text(json.dumps({"judges": [told]}))
    found = evidence(place.folder)
    assert len(found.predictions) == 6 and found.attacks["n"] == 8
    assert {p.slices["question"] for p in found.predictions} == {"unseen"}
    with pytest.raises(PromotionError, match="no champion"):
        weigh(place.folder, load_gate(), place.settings)


def test_an_adapter_says_itself_which_questions_it_was_trained_on(place: Place, tmp_path: Path) -> None:
    met = chosen_by_hash(exemplars("held-out"), 1, lambda row: f"{row.question.id} {row.text}")[0]
    hashed = question_hash(Pair(f"{met.scenario} {met.question.stem}", (met.question.model_answer,), ""))
    folder = shutil.copytree(place.folder, tmp_path / "examiner")
    data = json.loads((folder / "data.json").read_text())
    data["questions"]["train"].append(hashed)
    (folder / "data.json").write_text(json.dumps(data))
    marks = tmp_path / "marks.jsonl"
    arguments = ["--judges", f"adapter:{folder}", "--predictions", str(marks)]
    done = place.runner.invoke(app, ["evaluate", *arguments, "--limit", "20"])
    assert done.exit_code == 0, done.output
    rows = read_predictions(marks)
    assert {p.question_id for p in rows if p.slices["question"] == "seen"} == {met.question.id}
    assert {p.slices["question"] for p in rows} == {"seen", "unseen"}


def test_an_adapter_takes_no_more_threads_than_the_settings_give_a_model(place: Place) -> None:
    before = torch.get_num_threads()
    try:
        make_judge(f"adapter:{place.folder}", place.settings.model_copy(update={"threads": before + 1}))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


async def test_a_session_keeps_which_version_of_which_adapter_marked_it(place: Place, tmp_path: Path) -> None:
    registered = challenge(place.folder, place.settings)
    name = "models:/viva-examiner@challenger"
    judge = make_judge(name, place.settings, with_spare=True)
    bank = load_banks()["medical"]
    _, _, question = next(iter(bank.questions()))
    mark = await judge_call(judge)(bank, Ask(question.id, question.model_answer))
    assert mark.judge == f"viva-examiner-{registered.version} (adapter{mark_of(weights_sha256(place.folder))})"
    assert mark.verdict == made_judge(name, place.settings).judge(question, question.model_answer).verdict

    store = store_at(tmp_path)
    session_id = new_session(store)
    said = SaveAnswer(question.id, 1, question.model_answer, typed=False, probe=False)
    store.commit_turn(session_id, "{}", at_s=3.0, answers=[said], marks=[(1, mark, False)])
    kept = store.load_session(session_id).marks[0].evaluation
    store.close()
    assert (kept.judge, kept.verdict, kept.points) == (mark.judge, mark.verdict, mark.points)
