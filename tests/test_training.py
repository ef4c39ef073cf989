"""Training an adapter: it learns, is broken off and goes on as if nothing had been, and judges as it was measured."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from typer.testing import CliRunner

from finetune import adapter_folder, bases
from finetune import train as training
from finetune.adapter_judge import AdapterError, adapter_judge, load_adapter
from finetune.asked_rows import rows_to_ask
from finetune.checkpoints import CheckpointError, checkpoints
from finetune.cli import app
from finetune.commands.train import as_dry_run
from finetune.config import Recipe, RecipeError, load_recipe
from finetune.metrics import macro_f1
from finetune.prepare import Gathered, prepare, read_prepared, write
from finetune.references import as_marked
from finetune.train import Interrupted, TrainingError, learning_rate, memory_advice, train
from finetune.training_data import load_data
from finetune.watching import Bar, Lines, Run
from tests.small_corpus import many
from workbench.exam.grading import verdict_of
from workbench.settings import Settings

pytestmark = pytest.mark.weights
SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]
MODELS = SETTINGS.models_dir
RUNNER = CliRunner(env={"COLUMNS": "200", "VIVA_SHARED_DIR": ""})
ENCODER = {"base": "tiny-encoder", "kind": "encoder", "for_vllm": False}


class Notes:
    """Writes down what a run tells, and does something after a step."""

    def __init__(self, after: int = -1, then: Any = None) -> None:
        self.losses: dict[int, float] = {}
        self.evals: dict[int, Mapping[str, float]] = {}
        self.run: Run | None = None
        self.status = ""
        self._after, self._then = after, then

    def on_start(self, run: Run) -> None:
        self.run = run

    def on_step(self, step: int, figures: Mapping[str, float]) -> None:
        self.losses[step] = figures["loss"]
        if step == self._after:
            self._then()

    def on_eval(self, step: int, figures: Mapping[str, float]) -> None:
        self.evals[step] = figures

    def on_end(self, status: str, out: Path) -> None:
        self.status = status


class Killed(BaseException):
    """The process is gone: nobody catches this."""


def kill() -> None:
    raise Killed


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of ten questions, ticked by key point: what is right begins alike, so that even a tiny model learns it."""
    rows = []
    for row in many():
        ticks = {
            "correct": ("covered", "covered"),
            "partial": ("covered", "missing"),
            "incorrect": ("missing", "contradicted"),
        }
        rows.append(
            replace(
                row,
                answer=f"{row.label} {row.answer}",
                key_points=(("The thing pulls.", 0.5), ("The weight goes up.", 0.5)),
                ticks=ticks[row.label],
            )
        )  # fmt: skip
    folder = tmp_path_factory.mktemp("prepared")
    found = Gathered(rows, sources={"made-up": {"licence": "CC BY-SA 3.0", "source": "these tests"}})
    write(folder, found, prepare(found, 0.3, 0), 0.3, 0)
    return folder


@pytest.fixture(scope="module")
def unbroken(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Notes, dict[str, Any]]:
    """The smoke recipe from its first step to its last."""
    out, notes = tmp_path_factory.mktemp("adapters") / "whole", Notes()
    return out, notes, train(load_recipe("smoke"), data, out, MODELS, watchers=[notes])


# ---- a run


def test_the_smoke_recipe_learns_and_leaves_a_whole_adapter(
    unbroken: tuple[Path, Notes, dict[str, Any]], data: Path
) -> None:
    out, notes, metrics = unbroken
    assert (metrics["status"], notes.status) == ("finished", "finished")
    assert metrics["steps"] == len(notes.losses) == 12
    assert np.mean(metrics["losses"][-3:]) < 0.7 * np.mean(metrics["losses"][:3])
    assert metrics["validation"]["macro_f1"] >= metrics["base_validation"]["macro_f1"]
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert load_recipe(out / "recipe.yaml") == load_recipe("smoke")
    assert not (out / "checkpoints").exists()
    card = (out / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["library_name"] == "peft"
    for said in ("random weights", "CC BY-SA 3.0", "share-alike", metrics["adapter_sha256"], "not for"):
        assert said in card
    assert json.loads((out / "data.json").read_text())["sha256"].keys() == {"train.jsonl", "validation.jsonl"}


def test_vllm_would_take_the_adapter(unbroken: tuple[Path, Notes, dict[str, Any]]) -> None:
    from safetensors import safe_open

    config = json.loads((unbroken[0] / "adapter_config.json").read_text())
    assert config["r"] <= 64 and not config["use_dora"] and config["bias"] == "none"
    assert config["modules_to_save"] is None
    assert set(config["target_modules"]) == {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    }
    with safe_open(unbroken[0] / "adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
    assert names and all(name.endswith((".lora_A.weight", ".lora_B.weight")) for name in names)
    assert not any("lm_head" in name or "embed" in name for name in names)


def test_a_killed_run_goes_on_to_the_losses_of_an_unbroken_one(
    unbroken: tuple[Path, Notes, dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    _, whole, metrics = unbroken
    out, first, second = tmp_path / "broken", Notes(7, kill), Notes()
    with pytest.raises(Killed):
        train(load_recipe("smoke"), data, out, MODELS, watchers=[first])
    torch.manual_seed(99)  # a new process has other generators
    resumed = train(load_recipe("smoke"), data, out, MODELS, resume=True, watchers=[second])
    assert second.run is not None and second.run.first_step == 4
    assert sorted(second.losses) == list(range(5, 13))
    for step, loss in second.losses.items():
        assert loss == pytest.approx(whole.losses[step], abs=1e-3)
    assert resumed["losses"] == pytest.approx(metrics["losses"], abs=1e-3)
    assert resumed["validation"]["loss"] == pytest.approx(metrics["validation"]["loss"], abs=1e-3)


def test_an_interrupted_run_ends_as_such_with_a_checkpoint_of_its_last_step(data: Path, tmp_path: Path) -> None:
    notes = Notes(3, lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="after step 3 of 12; go on with --resume"):
        train(load_recipe("smoke"), data, tmp_path / "run", MODELS, watchers=[notes])
    assert signal.getsignal(signal.SIGINT) is before
    assert notes.status == adapter_folder.status_of(tmp_path / "run") == "interrupted"
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-0000003"]


def test_training_ends_when_validation_no_longer_gets_better(data: Path, tmp_path: Path) -> None:
    recipe = load_recipe("smoke").changed(learning_rate=1e-8, eval_every=1, patience=2, max_steps=10, epochs=9)
    metrics = train(recipe, data, tmp_path / "run", MODELS)
    assert metrics["stopped_early"] and metrics["steps"] == 2


@pytest.mark.parametrize("method", ["dora", "rslora"])
def test_other_methods_are_trained_too_on_two_tasks(method: str, data: Path, tmp_path: Path) -> None:
    recipe = load_recipe("smoke").changed(
        method=method, for_vllm=False, tasks="verdict,key_point", max_steps=2, accumulate=2, gradient_checkpointing=True
    )
    metrics = train(recipe, data, tmp_path / "run", MODELS)
    assert metrics["steps"] == 2
    assert {"verdict_macro_f1", "key_point_macro_f1"} <= metrics["validation"].keys()
    config = json.loads((tmp_path / "run" / "adapter_config.json").read_text())
    assert (config["use_dora"], config["use_rslora"]) == (method == "dora", method == "rslora")


def test_marks_are_learnt_where_rows_have_them_and_make_a_judge(data: Path, tmp_path: Path) -> None:
    recipe = load_recipe("smoke").changed(tasks="verdict,marks", max_steps=2, epochs=1)
    with pytest.raises(RecipeError, match="no row for tasks=marks; `saf`, `banks`"):
        train(recipe, data, tmp_path / "none", MODELS)
    marked = {"correct": 9.0, "partial": 4.5, "incorrect": 0.0}
    rows = [replace(row, score10=marked[row.label]) for row in many()]
    found = Gathered(rows)
    write(tmp_path / "rows", found, prepare(found, 0.3, 0), 0.3, 0)
    metrics = train(recipe, tmp_path / "rows", tmp_path / "run", MODELS)
    assert {"marks_rmse", "marks_macro_f1", "verdict_macro_f1"} <= metrics["validation"].keys()
    judge = adapter_judge(tmp_path / "run", SETTINGS, task="marks")
    row = as_marked(rows[0])
    mark = judge.judge(row.question, row.text)
    assert 0 <= mark.points <= 10 and mark.points % 0.5 == 0 and 0 < mark.confidence <= 1
    assert mark.verdict == verdict_of(mark.points / 10) and mark.judge.startswith("marks-")


def test_feedback_is_learnt_and_written_beside_the_examiners(tmp_path: Path) -> None:
    rows = [replace(row, feedback=f"That was {row.label}.") for row in many()]
    found = Gathered(rows)
    write(tmp_path / "rows", found, prepare(found, 0.3, 0), 0.3, 0)
    assert read_prepared(tmp_path / "rows" / "validation.jsonl")[0].feedback.startswith("That was ")
    recipe = load_recipe("smoke").changed(tasks="feedback", patience=2, eval_every=10, max_steps=50)
    metrics = train(recipe, tmp_path / "rows", tmp_path / "run", MODELS)
    assert metrics["validation"]["loss"] < 0.7 * metrics["base_validation"]["loss"]
    assert metrics["validation"].keys() == {"step", "loss"}
    card = (tmp_path / "run" / "README.md").read_text()
    assert f"| this adapter | {metrics['validation']['loss']:.3f} |" in card and "macro-F1" not in card
    with pytest.raises(RecipeError, match="only writes feedback and has no labels .*`viva-finetune feedback`"):
        rows_to_ask(recipe, 10)
    with pytest.raises(AdapterError, match="viva-finetune feedback"):
        adapter_judge(tmp_path / "run", SETTINGS)
    texts, out = tmp_path / "texts.jsonl", tmp_path / "report.json"
    arguments = ["feedback", str(tmp_path / "run"), "--data", str(tmp_path / "rows"), "--rows", "4"]
    done = RUNNER.invoke(app, [*arguments, "--texts", str(texts), "--out", str(out)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in texts.read_text().splitlines()]
    assert len(lines) == 4 and all(line["examiner"].startswith("That was ") for line in lines)
    report = json.loads(out.read_text())
    assert report["adapter"]["chrf"] > report["base"]["chrf"] and report["adapter"]["words"]["written"] < 20


def test_feedback_of_a_model_trained_in_all_its_weights_stands_beside_its_base_too(tmp_path: Path) -> None:
    found = Gathered([replace(row, feedback=f"That was {row.label}.") for row in many()])
    write(tmp_path / "rows", found, prepare(found, 0.3, 0), 0.3, 0)
    recipe = load_recipe("smoke").changed(
        tasks="feedback", for_vllm=False, method="full", dtype="mixed", learning_rate=3e-3, max_steps=2
    )
    train(recipe, tmp_path / "rows", tmp_path / "full", MODELS)
    texts = tmp_path / "texts.jsonl"
    arguments = ["feedback", str(tmp_path / "full"), "--data", str(tmp_path / "rows"), "--rows", "2"]
    done = RUNNER.invoke(app, [*arguments, "--texts", str(texts)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in texts.read_text().splitlines()]
    assert len(lines) == 2 and all(line["adapter"] != line["base"] for line in lines)


def test_what_is_only_written_is_told_by_its_loss(tmp_path: Path) -> None:
    found = Gathered([replace(row, feedback=f"That was {row.label}.") for row in many()])
    write(tmp_path / "rows", found, prepare(found, 0.3, 0), 0.3, 0)
    arguments = ["train", "--recipe", "smoke", "--tasks", "feedback", "--dry-run", "--data", str(tmp_path / "rows")]
    done = RUNNER.invoke(app, [*arguments, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "step 1 of 2, validation: loss " in done.output and "loss on validation: " in done.output
    assert "macro-F1" not in done.output
    bar = Bar()
    bar.on_start(Run(Recipe(base="tiny-llama"), tmp_path, {}, n_steps=2, first_step=0, base=""))
    for loss in (2.5, 1.5, 2.0):
        bar.on_eval(1, {"loss": loss})
    bar.on_end("finished", tmp_path)
    assert bar._said().endswith("lowest on validation 1.500")


def test_feedback_of_an_adapter_that_marks_is_refused(
    data: Path, unbroken: tuple[Path, Notes, dict[str, Any]], tmp_path: Path
) -> None:
    done = RUNNER.invoke(app, ["feedback", str(unbroken[0]), "--data", str(data)])
    assert done.exit_code == 2 and "no row with feedback" in done.output
    found = Gathered([replace(row, feedback="Good.") for row in many()])
    write(tmp_path, found, prepare(found, 0.3, 0), 0.3, 0)
    done = RUNNER.invoke(app, ["feedback", str(unbroken[0]), "--data", str(tmp_path)])
    assert done.exit_code == 2 and "--tasks feedback" in done.output
    (tmp_path / "validation.jsonl").write_text("[]\n")
    done = RUNNER.invoke(app, ["feedback", str(unbroken[0]), "--data", str(tmp_path)])
    assert done.exit_code == 2 and "validation.jsonl:1 is no row" in " ".join(done.output.replace("│", " ").split())


def test_examples_left_out_for_their_length_are_told_on_either_side(tmp_path: Path) -> None:
    rows = [replace(r, feedback="good " * (400 if r.label == "correct" else 1)) for r in many()]
    found = Gathered(rows)
    write(tmp_path / "rows", found, prepare(found, 0.3, 0), 0.3, 0)
    arguments = ["train", "--data", str(tmp_path / "rows"), "--out", str(tmp_path / "run"), "--no-track", "--quiet"]
    arguments += ["--tasks", "verdict,feedback", "--max-steps", "1"]
    done = RUNNER.invoke(app, [*arguments, "--max-tokens", "400"])
    assert done.exit_code == 0, done.output
    assert "--max-tokens 400: 7 of 42 examples to train on, 3 of 18 to validate with" in done.output
    card = (tmp_path / "run" / "README.md").read_text()
    assert "Longer than 400 tokens and left out: 7 examples to train on, 3 to validate with." in card
    recipe = load_recipe("smoke").changed(tasks="verdict,feedback", max_tokens=400)
    tokenizer = bases.load_tokenizer(bases.find_base("tiny-llama", "causal", MODELS), MODELS)
    found = Gathered([replace(r, feedback="good " * 400) for r in rows])
    write(tmp_path / "long", found, prepare(found, 0.3, 0), 0.3, 0)
    with pytest.raises(RecipeError, match="max_tokens=400 leaves no row .* for tasks=feedback: the shortest has"):
        load_data(tmp_path / "long", recipe, tokenizer)


def test_of_few_rows_drawn_every_task_has_its_share(tmp_path: Path) -> None:
    plain = [row for corpus in ("banks", "beetle", "scientsbank") for row in many(corpus)]
    told = [replace(row, feedback="Good.") for row in many("saf") if row.label == "partial"]
    marked = [replace(row, score10=5.0) for row in many("own") if row.label == "partial"]
    ticked = [
        replace(row, key_points=(("It pulls.", 1.0),), ticks=("covered",))
        for row in many("calibration")
        if row.label == "partial"
    ]
    found = Gathered([*plain, *told, *marked, *ticked])
    write(tmp_path, found, prepare(found, 0.3, 0), 0.3, 0)
    recipe = as_dry_run(load_recipe("cpu-small").changed(tasks="verdict,marks,key_point,feedback"))
    tokenizer = bases.load_tokenizer(bases.find_base("tiny-llama", "causal", MODELS), MODELS)
    drawn = load_data(tmp_path, recipe, tokenizer).card
    assert drawn["rows"] == {"train": 16, "validation": 8}
    assert drawn["outcomes"]["validation"]["feedback"] == {"written": 2}
    assert [sum(drawn["outcomes"]["train"][task].values()) for task in ("marks", "key_point")] == [4, 4]


def test_gpu_8b_is_tried_on_a_tiny_llama_of_the_same_architecture(data: Path, tmp_path: Path) -> None:
    done = RUNNER.invoke(
        app,
        ["train", "--recipe", "gpu-8b", "--dry-run", "--quiet", "--data", str(data), "--out", str(tmp_path / "dry")],
    )
    assert done.exit_code == 0, done.output
    assert "2 steps" in done.output and "left alone" in done.output
    assert not (tmp_path / "dry").exists(), "else the run that is meant would find it taken"
    recipe = as_dry_run(load_recipe("gpu-8b"))
    train(recipe, data, tmp_path / "dry", MODELS)
    assert (recipe.base, recipe.rank, recipe.dtype, recipe.gradient_checkpointing) == (
        "tiny-llama",
        32,
        "bfloat16",
        True,
    )
    from safetensors.torch import load_file

    assert {t.dtype for t in load_file(tmp_path / "dry" / "adapter_model.safetensors").values()} == {torch.float32}


# ---- what is refused


def test_a_dry_run_goes_on_with_nothing(data: Path, tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["train", "--dry-run", "--resume", "--data", str(data), "--out", str(tmp_path)])
    assert done.exit_code == 2 and "leave --resume out" in done.output


def test_a_run_is_neither_overwritten_nor_resumed_as_another(
    unbroken: tuple[Path, Notes, dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    smoke = load_recipe("smoke")
    with pytest.raises(RecipeError, match="is finished; train anew in another --out"):
        train(smoke, data, unbroken[0], MODELS)
    with pytest.raises(CheckpointError, match="is finished"):
        train(smoke, data, unbroken[0], MODELS, resume=True)
    with pytest.raises(CheckpointError, match="no run to resume"):
        train(smoke, data, tmp_path, MODELS, resume=True)
    with pytest.raises(Killed):
        train(smoke, data, tmp_path / "run", MODELS, watchers=[Notes(5, kill)])
    with pytest.raises(RecipeError, match="holds a run already; give --resume"):
        train(smoke, data, tmp_path / "run", MODELS)
    with pytest.raises(RecipeError, match="rank=8 there, 4 now"):
        train(smoke.changed(rank=4), data, tmp_path / "run", MODELS, resume=True)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("train.jsonl", "validation.jsonl"):
        lines = (data / name).read_text().splitlines(keepends=True)
        (other / name).write_text("".join(lines[1:] if name == "train.jsonl" else lines))
    with pytest.raises(RecipeError, match="train.jsonl changed since"):
        train(smoke, other, tmp_path / "run", MODELS, resume=True)


def test_a_run_is_resumed_with_its_own_recipe_or_told_what_differs(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    load_recipe("smoke").changed(rank=4, alpha=8).save(own)
    with pytest.raises(Killed):
        train(load_recipe(own), data, tmp_path / "run", MODELS, watchers=[Notes(5, kill)])
    resume = ["train", "--resume", "--data", str(data), "--out", str(tmp_path / "run"), "--no-track", "--quiet"]
    done = RUNNER.invoke(app, [*resume, "--recipe", "smoke", "--max-steps", "9"])
    said = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 2, done.output
    assert "rank=4 there, 8 now, alpha=8 there, 16 now, max_steps=12 there, 9 now; leave --recipe and these" in said
    done = RUNNER.invoke(app, [*resume, "--recipe", str(own), "--save-every", "7", "--max-steps", "12"])
    assert done.exit_code == 0 and "12 steps in" in done.output, done.output


def test_data_that_do_not_fit_are_refused_with_what_to_do(data: Path, tmp_path: Path) -> None:
    smoke = load_recipe("smoke")
    with pytest.raises(RecipeError, match="viva-finetune prepare --out"):
        train(smoke, tmp_path, tmp_path / "a", MODELS)
    (tmp_path / "train.jsonl").write_text('\n{"question": "Why?", "answer": "So."}\n')
    (tmp_path / "validation.jsonl").write_text("")
    with pytest.raises(RecipeError, match=r"train\.jsonl:2 is no row .*'references'.*viva-finetune prepare --own"):
        train(smoke, tmp_path, tmp_path / "a", MODELS)
    with pytest.raises(RecipeError, match="max_tokens=20 leaves no row .* the shortest has"):
        train(smoke.changed(max_tokens=20), data, tmp_path / "b", MODELS)
    with pytest.raises(RecipeError, match="targets=wings does not fit base=tiny-llama.*q_proj"):
        train(smoke.changed(targets="wings"), data, tmp_path / "c", MODELS)
    with pytest.raises(RecipeError, match="no directory .*no/where with a config.json; give tiny-llama"):
        train(smoke.changed(base=str(tmp_path / "no/where")), data, tmp_path / "d", MODELS)


def test_when_memory_runs_out_the_run_says_what_to_change(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(training, "row_losses", full)
    with pytest.raises(TrainingError, match="memory ran out after 0 steps; try --batch-rows 2 --accumulate 2"):
        train(load_recipe("smoke"), data, tmp_path / "run", MODELS)
    assert adapter_folder.status_of(tmp_path / "run") == "failed"
    advice = memory_advice(load_recipe("gpu-8b"))
    assert "--batch-rows 4 --accumulate 8" in advice and "qlora" in advice and "gradient" not in advice


@pytest.mark.parametrize(
    ("recipe", "changes", "refused"),
    [
        ("cpu-encoder", {}, ["gradient-checkpointing", "qlora"]),
        ("cpu-small", {"together": 4}, ["--batch-rows", "gradient-checkpointing", "qlora"]),
        ("smoke", {"method": "full", "for_vllm": False, "device": "cuda"}, ["bfloat16", "qlora"]),
    ],
)
def test_no_advice_is_given_that_would_be_refused(
    recipe: str, changes: dict[str, Any], refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    advice = memory_advice(load_recipe(recipe).changed(**changes))
    assert advice.startswith("try ") and not [option for option in refused if option in advice]


def test_a_loss_that_is_no_number_ends_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "row_losses", lambda *args: torch.full((4,), float("nan"), requires_grad=True))
    with pytest.raises(TrainingError, match="the loss of step 5 is nan.*the 4 steps before.*lower learning_rate=0.02"):
        train(load_recipe("smoke"), data, tmp_path / "run", MODELS)


@pytest.mark.parametrize("spoilt", ["loss", "gradient"])
def test_a_step_without_a_usable_gradient_is_left_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    calls, honest = [], training.row_losses

    def losses(*args: Any) -> torch.Tensor:
        calls.append(1)
        found = honest(*args)
        if len(calls) != 3:
            return found
        # the root's slope at nought is endless while its value is a number
        return found * float("nan") if spoilt == "loss" else found + torch.sqrt(found * 0)

    monkeypatch.setattr(training, "row_losses", losses)
    metrics = train(load_recipe("smoke").changed(max_steps=6), data, tmp_path / "run", MODELS)
    assert metrics["status"] == "finished" and metrics["steps_left_out"] == [3] and metrics["steps"] == 6
    assert all(math.isfinite(loss) for step, loss in enumerate(metrics["losses"], start=1) if step != 3)
    assert all(np.isfinite(value).all() for value in load_file(tmp_path / "run" / "adapter_model.safetensors").values())


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = Recipe(learning_rate=1.0, warmup=0.2)
    rates = [learning_rate(recipe, step, 20) for step in range(20)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == pytest.approx(1.0) and all(a > b for a, b in zip(rates[4:], rates[5:], strict=False))
    assert 0.1 <= rates[-1] < 0.12


# ---- an adapter judges


def test_an_adapter_judges_as_it_was_validated(unbroken: tuple[Path, Notes, dict[str, Any]], data: Path) -> None:
    out, _, metrics = unbroken
    judge = adapter_judge(out, SETTINGS)
    rows = [as_marked(record) for record in read_prepared(data / "validation.jsonl")]
    given = [judge.judge(row.question, row.text) for row in rows]
    codes = {"correct": 0, "partial": 1, "incorrect": 2}
    figure = macro_f1(np.array([codes[r.verdict] for r in rows]), np.array([codes[g.verdict] for g in given]))
    assert figure == pytest.approx(metrics["validation"]["macro_f1"])
    assert metrics["adapter_sha256"][:8] in judge.name


def test_an_adapter_differs_from_its_base_and_an_encoder_gives_three_chances(data: Path, tmp_path: Path) -> None:
    recipe = load_recipe("smoke").changed(**ENCODER, max_steps=3, targets="")
    train(recipe, data, tmp_path / "run", MODELS)
    loaded = load_adapter(tmp_path / "run", MODELS, "cpu")
    judge = adapter_judge(tmp_path / "run", SETTINGS, device="cpu")
    row = as_marked(read_prepared(data / "validation.jsonl")[0])
    mark = judge.judge(row.question, row.text)
    assert mark.verdict in ("correct", "partial", "incorrect") and 1 / 3 <= mark.confidence <= 1
    assert any("classifier" in name for name, _ in loaded.model.named_parameters())


def test_a_folder_without_an_adapter_or_of_other_prompts_is_refused(
    unbroken: tuple[Path, Notes, dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="train one with"):
        adapter_judge(tmp_path, SETTINGS)
    with pytest.raises(AdapterError, match="was not trained for 'key_point'; it has verdict"):
        adapter_judge(unbroken[0], SETTINGS, task="key_point")
    old = tmp_path / "old"
    old.mkdir()
    for path in unbroken[0].glob("*.*"):
        (old / path.name).write_bytes(path.read_bytes())
    metrics = json.loads((old / "metrics.json").read_text())
    (old / "metrics.json").write_text(json.dumps(metrics | {"prompts_version": 0}))
    with pytest.raises(AdapterError, match="prompts of version 0"):
        adapter_judge(old, SETTINGS)
    (old / "metrics.json").write_text(json.dumps(metrics | {"tokenizer_sha256": "f" * 64}))
    with pytest.raises(AdapterError, match="another tokenizer or chat template"):
        adapter_judge(old, SETTINGS)


def test_a_published_encoder_takes_an_adapter_and_a_head() -> None:
    recipe = load_recipe("cpu-encoder").changed(base="minilm")
    base = bases.find_base("minilm", "encoder", MODELS)
    tokenizer = bases.load_tokenizer(base, MODELS)
    model = bases.with_adapter(bases.load_model(base, tokenizer, recipe, torch.device("cpu")), recipe)
    learnt = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learnt and all("lora_" in name or "classifier" in name for name in learnt)
    assert any("layer.5.attention" in name for name in learnt)


def test_random_bases_are_the_same_whenever_they_are_made() -> None:
    base = bases.find_base("tiny-llama", "causal", MODELS)
    tokenizer = bases.load_tokenizer(base, MODELS)
    one, other = (bases.load_model(base, tokenizer, Recipe(base="tiny-llama"), torch.device("cpu")) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("base", [{"base": "tiny-llama"}, ENCODER, {**ENCODER, "pooling": "sides"}])
def test_a_model_trained_in_all_its_weights_is_kept_whole_and_judges(
    base: Mapping[str, Any], data: Path, tmp_path: Path
) -> None:
    recipe = load_recipe("smoke").changed(
        **{"for_vllm": False, **base}, method="full", dtype="mixed", learning_rate=1e-3, max_steps=2, swapped=0.5
    )
    out = tmp_path / "full"
    metrics = train(recipe, data, out, MODELS)
    assert metrics["adapter_bytes"] == (out / "model.safetensors").stat().st_size
    assert not (out / "adapter_model.safetensors").exists()
    marked = as_marked(read_prepared(data / "validation.jsonl")[0])
    assert adapter_judge(out, SETTINGS).judge(marked.question, marked.text).points <= 10
    loaded = load_adapter(out, MODELS, "cpu")
    untrained = bases.load_model(
        bases.find_base(recipe.base, recipe.kind, MODELS), loaded.tokenizer, recipe, loaded.device
    )
    assert metrics["trained_weights"] == sum(weights.numel() for weights in untrained.parameters())
    pairs = list(zip(loaded.model.parameters(), untrained.parameters(), strict=True))
    assert all(now.shape == before.shape for now, before in pairs)
    done = RUNNER.invoke(app, ["prove", str(out), "--data", str(data), "--url", "http://127.0.0.1:9/v1"])
    refused = "is a whole model and no adapter" if recipe.kind == "causal" else "vLLM serves causal models"
    assert done.exit_code == 2 and refused in " ".join(done.output.replace("│", " ").split()), done.output


def test_a_log_says_every_minute_how_much_is_left(tmp_path: Path) -> None:
    now, lines = [0.0], list[str]()
    watcher = Lines(lines.append, lambda: now[0])
    watcher.on_start(Run(Recipe(base="tiny-llama"), tmp_path, {}, n_steps=100, first_step=20, base=""))
    for step in range(21, 41):
        now[0] += 10
        watcher.on_step(step, {"loss": 1 / step})
    watcher.on_eval(40, {"macro_f1": 0.5, "loss": 0.25})
    watcher.on_end("finished", tmp_path)
    assert lines == [
        "step 20 of 100",
        "step 26 of 100, 1.0 min gone, 12.3 min left, loss 0.038",
        "step 32 of 100, 2.0 min gone, 11.3 min left, loss 0.031",
        "step 38 of 100, 3.0 min gone, 10.3 min left, loss 0.026",
        "step 40 of 100, validation: macro-F1 0.500, loss 0.250",
        "finished after 3.3 min",
    ]
