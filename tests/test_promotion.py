"""From an adapter to the champion: the gate, line by line, the registry, and the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("mlflow", reason="MLflow comes with the extra `finetune`")

from finetune.cli import app
from finetune.config import Recipe
from finetune.gate import GATE, GateError, Outcome, decide, load_gate
from finetune.predictions import Prediction, PredictionsError, read_predictions, write_predictions
from finetune.promotion import (
    PromotionError,
    challenge,
    champion,
    champions,
    evidence,
    history,
    promote,
    rollback,
    weigh,
)
from finetune.registry import RegistryError, _fetched, folder_of, resolve
from finetune.tracking import ADAPTER, Tracked, client_of
from tests.made_predictions import made
from tests.mlflow_store import settings_with_store
from workbench.engines.base import EngineError
from workbench.judging.registry import make_judge
from workbench.settings import Settings

GOOD = {"n": 10_000, "correct_rate": 0.002}


def weak(version: str = "hybrid-1") -> list[Prediction]:
    return made("hybrid", lambda k, r: r.uniform() < 0.6, version=version)


def strong(version: str, seed: int = 5, share: float = 0.95) -> list[Prediction]:
    rows = made("adapter", lambda k, r: r.uniform() < share, seed=seed, version=version)
    return [replace(row, confidence=share, slices={**row.slices, "question": "unseen"}) for row in rows]


def failed(outcome: Outcome) -> list[str]:
    return [line.name for line in outcome.lines if not line.passed]


# ---- the gate


def test_a_better_adapter_passes_every_line_and_each_line_shows_its_figures() -> None:
    outcome = decide(load_gate(), strong("a"), weak(), GOOD)
    assert outcome.passed and failed(outcome) == [] and outcome.against == "hybrid-1"
    told = {line.name: line.said for line in outcome.lines}
    assert set(told) == {
        f"{part}.{bound}"
        for part, bounds in yaml.safe_load(GATE.read_text()).items()
        for bound in bounds
        if (part, bound) not in (("held_out", "least_questions"), ("slices", "least_answers"))
    }
    assert "240 answers to 40 unseen questions" in told["held_out.least_answers"]
    assert "0.20%" in told["attacks.correct_at_most"] and "p95 3 ms" in told["latency.p95_at_most_ms"]


def changed(rows: list[Prediction], change: Callable[[int, Prediction], Prediction]) -> list[Prediction]:
    return [change(k, row) for k, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("line", "spoilt", "attacks"),
    [
        ("held_out.interval_above", lambda: strong("a", seed=8, share=0.62), GOOD),
        ("held_out.least_answers", lambda: strong("a")[:120], GOOD),
        ("attacks.correct_at_most", lambda: strong("a"), {"n": 10_000, "correct_rate": 0.0101}),
        ("attacks.least_attacks", lambda: strong("a"), {"n": 3, "correct_rate": 0.0}),
        ("calibration.error_at_most", lambda: changed(strong("a"), lambda k, p: replace(p, confidence=0.3)), GOOD),
        ("latency.p95_at_most_ms", lambda: changed(strong("a"), lambda k, p: replace(p, ms=9.0 + 90 * (k % 12))), GOOD),
        ("latency.p95_at_most_ms", lambda: changed(strong("a"), lambda k, p: replace(p, ms=None)), GOOD),
    ],
)  # fmt: skip
def test_one_spoilt_figure_fails_its_own_line(
    line: str, spoilt: Callable[[], list[Prediction]], attacks: dict[str, Any]
) -> None:
    rows = spoilt()
    same = {p.row_id for p in rows}
    outcome = decide(load_gate(), rows, [p for p in weak() if p.row_id in same], attacks)
    assert not outcome.passed and line in failed(outcome)
    assert failed(outcome) in ([line], [line, "slices.lost_at_most"])
    assert json.loads(outcome.as_json())["lines"]


def test_an_adapter_better_on_the_whole_may_not_lose_on_a_slice() -> None:
    base = made("hybrid", lambda k, r: r.uniform() < (0.85 if k % 2 else 0.4))
    rows = made("adapter", lambda k, r: r.uniform() < (0.75 if k % 2 else 1.0), seed=4)
    rows = changed(rows, lambda k, p: replace(p, confidence=0.87))
    outcome = decide(load_gate(), rows, base, GOOD)
    assert failed(outcome) == ["slices.lost_at_most"]
    assert "medium: heard (n=120)" in next(x.said for x in outcome.lines if x.name == "slices.lost_at_most")


def test_small_slices_do_not_decide() -> None:
    def tiny(rows: list[Prediction]) -> list[Prediction]:
        return changed(rows, lambda k, p: replace(p, slices={"discipline": "law" if k % 20 else "rare"}))

    base = tiny(weak())
    rows = changed(tiny(strong("a")), lambda k, p: p if k % 20 else replace(p, given_verdict="incorrect"))
    assert "slices.lost_at_most" not in failed(decide(load_gate(), rows, base, GOOD))


def test_answers_to_questions_it_was_trained_on_count_for_nothing() -> None:
    def seen(k: int, p: Prediction) -> Prediction:
        return replace(p, slices={**p.slices, "question": "seen" if k < 120 else "unseen"})

    base = weak()
    cheat = changed(made("a", lambda k, r: r.uniform() < (1.0 if k < 120 else 0.6), seed=3), seen)
    lenient = load_gate().model_copy(
        update={"held_out": load_gate().held_out.model_copy(update={"least_answers": 50, "least_questions": 10})}
    )
    outcome = decide(lenient, cheat, base, GOOD)
    assert "held_out.interval_above" in failed(outcome)
    with pytest.raises(GateError, match="all 240 answers are to questions.*without --limit.*--split test-uq"):
        decide(lenient, changed(cheat, lambda k, p: replace(p, slices={"question": "seen"})), base, GOOD)


def test_marks_of_other_answers_are_no_baseline() -> None:
    with pytest.raises(PredictionsError, match="different answers"):
        decide(load_gate(), strong("a"), weak()[:-1], GOOD)
    with pytest.raises(PredictionsError, match="different answers"):
        decide(load_gate(), strong("a")[:-1], weak(), GOOD)


@pytest.mark.parametrize(
    ("text", "said"),
    [("held_out: {}", "held_out.interval_above: Field required"), ("a: [", "cannot read a gate"), ("", "the file")],
)
def test_a_gate_that_cannot_be_read_says_which_field(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "gate.yaml").write_text(text)
    with pytest.raises(GateError, match=said):
        load_gate(tmp_path / "gate.yaml")


# ---- registry


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One store for the tests below; they go from an empty registry to a rollback, in this order."""
    return settings_with_store(tmp_path_factory.mktemp("registry"))


def adapter(folder: Path, weights: bytes, share: float = 0.95, seed: int = 5) -> Path:
    """A folder with what was measured of it."""
    (folder / "evaluation").mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(weights)
    version = f"{folder.name}@{hashlib.sha256(weights).hexdigest()[:8]}"
    write_predictions(strong(version, seed, share), folder / "evaluation" / "predictions.jsonl")
    (folder / "evaluation" / "attacks.json").write_text(json.dumps({"judges": [{"judge": version, **GOOD}]}))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("adapters")
    write_predictions(weak(), at / "hybrid.jsonl")
    return {
        "first": adapter(at / "first", b"one", 0.8),
        "second": adapter(at / "second", b"two", 0.97, seed=6),
        "worse": adapter(at / "worse", b"three", 0.5),
        "hybrid": at / "hybrid.jsonl",
        "reigning": at / "second" / "evaluation" / "predictions.jsonl",
    }


def test_with_nothing_registered_the_name_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(RegistryError, match="nothing is there yet; `viva-finetune promote FOLDER`"):
        resolve("models:/viva-examiner@champion", settings)
    with pytest.raises(EngineError, match="models:/viva-examiner@champion is not registered"):
        make_judge("models:/viva-examiner@champion", settings)
    with pytest.raises(EngineError, match="names no registered model; write models:/viva-examiner@champion"):
        make_judge("models:viva", settings)
    assert champion(settings) is None and champions(settings) == [] and history(settings) == []
    with pytest.raises(PromotionError, match="has had none"):
        rollback(settings)


def test_without_a_champion_the_judge_in_service_must_be_named(settings: Settings, folders: dict[str, Path]) -> None:
    with pytest.raises(PromotionError, match="no champion to be better than.*--against"):
        weigh(folders["first"], load_gate(), settings)


def test_an_adapter_that_was_not_measured_is_not_weighed(
    settings: Settings, folders: dict[str, Path], tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(RegistryError, match="no adapter in"):
        weigh(bare, load_gate(), settings)
    (bare / "adapter_model.safetensors").write_bytes(b"bare")
    with pytest.raises(PromotionError, match="lacks predictions.jsonl and attacks.json; measure it: .*adapter:"):
        weigh(bare, load_gate(), settings)


def test_marks_made_with_other_weights_prove_nothing(
    settings: Settings, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = adapter(tmp_path / "tampered", b"four")
    (folder / "adapter_model.safetensors").write_bytes(b"retrained since")
    with pytest.raises(PromotionError, match="not of these weights"):
        weigh(folder, load_gate(), settings, folders["hybrid"])


def test_marks_that_do_not_tell_seen_questions_from_unseen_ones_are_not_weighed(
    settings: Settings, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = adapter(tmp_path / "untold", b"five")
    path = folder / "evaluation" / "predictions.jsonl"
    write_predictions(changed(read_predictions(path), lambda k, p: replace(p, slices={"medium": "typed"})), path)
    with pytest.raises(PromotionError, match="does not tell questions .*--trained-on ROWS --predictions"):
        weigh(folder, load_gate(), settings, folders["hybrid"])


def asked_for(folder: Path, tasks: str, measured: str, attacked: Sequence[str]) -> Path:
    """An adapter that was measured and attacked by these kinds of its judges."""
    made_ = adapter(folder, tasks.encode())
    Recipe().changed(tasks=tasks).save(made_ / "recipe.yaml")
    path = made_ / "evaluation" / "predictions.jsonl"
    version = f"{folder.name}@{hashlib.sha256(tasks.encode()).hexdigest()[:8]}"
    named = changed(read_predictions(path), lambda k, p: replace(p, version=f"{measured} ({version})"))
    write_predictions(named, path)
    report = [{"judge": f"{one} ({version})", **GOOD, "n": 1000 + n} for n, one in enumerate(attacked)]
    (made_ / "evaluation" / "attacks.json").write_text(json.dumps({"judges": report}))
    return made_


def test_what_is_weighed_is_the_task_that_will_mark(
    settings: Settings, folders: dict[str, Path], tmp_path: Path
) -> None:
    both = "verdict,key_point"
    with pytest.raises(PromotionError, match="holds marks by verdict, and in service the adapter marks by key_point"):
        weigh(asked_for(tmp_path / "a", both, "verdict-1", ["llm-1"]), load_gate(), settings, folders["hybrid"])
    with pytest.raises(PromotionError, match="attacks on verdict-1 .* that was asked for key_point"):
        weigh(asked_for(tmp_path / "b", both, "llm-1", ["verdict-1"]), load_gate(), settings, folders["hybrid"])
    whole = asked_for(tmp_path / "c", both, "viva-examiner-7 (llm-1", ["verdict-1", "llm-1"])
    assert evidence(whole).attacks["n"] == 1001
    assert weigh(whole, load_gate(), settings, folders["hybrid"]).passed


def test_a_refused_adapter_is_told_by_which_line_and_stays_unregistered(
    settings: Settings, folders: dict[str, Path]
) -> None:
    outcome = weigh(folders["worse"], load_gate(), settings, folders["hybrid"])
    with pytest.raises(PromotionError, match=r"the gate refuses .*held_out.interval_above: macro-F1 0\.\d+ against"):
        promote(folders["worse"], outcome, settings)
    assert history(settings) == []


def test_an_adapter_that_passes_becomes_champion(settings: Settings, folders: dict[str, Path]) -> None:
    made_ = promote(folders["first"], weigh(folders["first"], load_gate(), settings, folders["hybrid"]), settings)
    found = resolve("models:/viva-examiner@champion", settings)
    assert found == made_ and found.name == "viva-examiner-1" and champions(settings) == ["1"]
    assert (found.folder / "adapter_model.safetensors").read_bytes() == b"one"
    assert found.tags["promoted_over"] == "hybrid-1"
    assert {line["name"] for line in json.loads(found.tags["gate"])["lines"]} > {"attacks.correct_at_most"}
    with pytest.raises(PromotionError, match="is the champion already"):
        weigh(folders["first"], load_gate(), settings)


def test_a_challenger_marks_nobody_and_keeps_its_version_when_it_rises(
    settings: Settings, folders: dict[str, Path]
) -> None:
    risen = challenge(folders["second"], settings)
    assert resolve("models:/viva-examiner@challenger", settings).version == risen.version == "2"
    assert resolve("models:/viva-examiner@champion", settings).version == "1"
    (folders["second"] / "tracking.json").write_text(
        json.dumps({"run_id": client_of(settings).get_model_version("viva-examiner", "2").run_id})
    )
    outcome = weigh(folders["second"], load_gate(), settings)
    assert outcome.against.startswith("first@"), "the champion's own marks are what it is held against"
    assert promote(folders["second"], outcome, settings).version == "2"
    assert champion(settings, "challenger") is None
    told = history(settings)
    assert [(row["version"], row["aliases"]) for row in told] == [("1", ""), ("2", "champion")]
    assert told[1]["promoted_over"] == "viva-examiner-1"


def test_a_model_trained_in_all_its_weights_is_registered_and_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, own = adapter(tmp_path / "full", b"all of them"), settings_with_store(tmp_path)
    (folder / "adapter_model.safetensors").rename(folder / "model.safetensors")
    assert evidence(folder).attacks["n"] == GOOD["n"]
    found = challenge(folder, own)
    assert (found.folder / "model.safetensors").read_bytes() == b"all of them"

    def downloaded(artifact_uri: str, dst_path: str, tracking_uri: str) -> None:
        asked.append(artifact_uri)
        (Path(dst_path) / "model.safetensors").write_bytes(b"all of them")

    asked: list[str] = []
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", downloaded)
    elsewhere = own.model_copy(update={"models_dir": tmp_path / "cache" / "models"})
    copies = {_fetched("https://store/full", elsewhere, "full") for _ in range(2)}
    assert copies == {tmp_path / "cache" / "registered" / "full"} and asked == ["https://store/full"]


def test_with_a_champion_another_judges_marks_are_no_yardstick(settings: Settings, folders: dict[str, Path]) -> None:
    with pytest.raises(PromotionError, match="the champion is viva-examiner-2"):
        weigh(folders["worse"], load_gate(), settings, folders["hybrid"])


def test_a_run_that_is_resumed_leaves_what_is_registered_alone(settings: Settings, tmp_path: Path) -> None:
    run_id = str(client_of(settings).get_model_version("viva-examiner", "2").run_id)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"trained further")
    Tracked(client_of(settings), run_id).folder(tmp_path, ADAPTER)
    assert (resolve("models:/viva-examiner/2", settings).folder / "adapter_model.safetensors").read_bytes() == b"two"
    assert (folder_of(run_id, settings) / "adapter_model.safetensors").read_bytes() == b"trained further"


def test_without_the_champions_files_its_marks_are_named_or_it_goes(
    settings: Settings, folders: dict[str, Path]
) -> None:
    weights = resolve("models:/viva-examiner@champion", settings).folder / "adapter_model.safetensors"
    weights.rename(weights.with_suffix(".gone"))
    with pytest.raises(PromotionError, match="cannot be had from .* or go back with `viva-finetune rollback`"):
        weigh(folders["worse"], load_gate(), settings)
    assert not weigh(folders["worse"], load_gate(), settings, folders["reigning"]).passed
    going, coming = rollback(settings)
    weights.with_suffix(".gone").rename(weights)
    assert (going.version, coming.version) == ("2", "1")
    assert resolve("models:/viva-examiner@champion", settings).version == "1" and champions(settings) == ["1"]
    assert history(settings)[1]["rolled_back_at"]
    with pytest.raises(PromotionError, match="has had one"):
        rollback(settings)


def test_a_run_is_as_good_as_its_folder(settings: Settings) -> None:
    run_id = str(client_of(settings).get_model_version("viva-examiner", "1").run_id)
    assert (folder_of(run_id, settings) / "adapter_model.safetensors").read_bytes() == b"one"
    with pytest.raises(RegistryError, match="has no adapter"):
        folder_of("0" * 32, settings)
    with pytest.raises(RegistryError, match="no folder and no id of a run"):
        folder_of("nothing", settings)


def test_weights_changed_after_registration_are_refused(settings: Settings) -> None:
    folder = resolve("models:/viva-examiner/2", settings).folder
    (folder / "adapter_model.safetensors").write_bytes(b"other")
    with pytest.raises(RegistryError, match="those that were measured"):
        resolve("models:/viva-examiner/2", settings)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(RegistryError, match="cannot be had from"):
        resolve("models:/viva-examiner/2", settings)


def test_the_command_prints_every_line_and_fails_where_the_gate_does(
    folders: dict[str, Path], tmp_path: Path, settings: Settings
) -> None:
    # the store of this module, whose champion is `first` again
    runner = CliRunner(env={"COLUMNS": "220", "VIVA_DATA_DIR": str(settings.data_dir), "VIVA_MLFLOW_URI": ""})
    from workbench.settings import get_settings

    get_settings.cache_clear()
    try:
        done = runner.invoke(app, ["promote", str(folders["worse"])])
        assert done.exit_code == 1 and "FAILED" in done.output and "held_out.interval_above" in done.output
        done = runner.invoke(app, ["promote", str(folders["second"]), "--dry-run"])
        assert done.exit_code == 0 and "kept" in done.output and champions(settings) == ["1"]
        done = runner.invoke(app, ["champions"])
        assert done.exit_code == 0 and "champion" in done.output and "hybrid-1" in done.output
        done = runner.invoke(app, ["rollback"])
        assert done.exit_code == 1 and "no champion to go back to" in done.output
        done = runner.invoke(app, ["promote", "nothing"])
        assert done.exit_code == 2 and "no folder" in done.output
    finally:
        get_settings.cache_clear()
