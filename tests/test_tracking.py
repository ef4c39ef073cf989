"""Runs in a real MLflow store: what is kept of them, and how they end when they are broken off."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("mlflow", reason="MLflow comes with the extra `finetune`")

from finetune import mlflow_ui, tracking
from finetune.config import load_recipe
from finetune.tracking import RUN_FILE, Tracker, TrackingError, begin, client_of, tracked_run
from finetune.watching import Run
from tests.mlflow_store import settings_with_store
from workbench.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One store for all tests here."""
    return settings_with_store(tmp_path_factory.mktemp("tracking"))


def run_in(out: Path, first_step: int = 0) -> Run:
    out.mkdir(exist_ok=True)
    return Run(
        load_recipe("smoke"), out, {"sha256": {"train.jsonl": "ab12"}, "rows": {"train": 30}}, 12, first_step, "b"
    )


def stored(settings: Settings, run_id: str) -> Any:
    return client_of(settings).get_run(run_id)


def test_a_training_run_keeps_parameters_figures_by_step_fingerprints_and_the_adapter(
    settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "adapter-7"
    tracker = Tracker(settings)
    tracker.on_start(run_in(out))
    for step in range(1, 6):
        tracker.on_step(step, {"loss": 1 / step, "learning_rate": 1e-4})
    tracker.on_eval(5, {"macro_f1": 0.61, "step": 5})
    (out / "README.md").write_text("# card\n")
    (out / "adapter_model.safetensors").write_bytes(b"weights")
    (out / "checkpoints" / "step-5").mkdir(parents=True)
    (out / "checkpoints" / "step-5" / "state.json").write_text("{}")
    tracker.on_end("finished", out)

    client = client_of(settings)
    run_id = json.loads((out / RUN_FILE).read_text())["run_id"]
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "adapter-7")
    assert run.data.params["rank"] == str(load_recipe("smoke").rank) and run.data.params["n_steps"] == "12"
    losses = client.get_metric_history(run_id, "loss")
    assert [(m.step, round(m.value, 3)) for m in losses] == [(k, round(1 / k, 3)) for k in range(1, 6)]
    assert [(m.step, m.value) for m in client.get_metric_history(run_id, "validation_macro_f1")] == [(5, 0.61)]
    assert "validation_step" not in run.data.metrics
    assert run.data.tags["viva.data.sha256.train.jsonl"] == "ab12" and len(run.data.tags["viva.code_sha256"]) == 64
    assert run.data.tags["mlflow.note.content"] == "# card\n"
    kept = {f.path for f in client.list_artifacts(run_id, "adapter")}
    assert kept == {f"adapter/{name}" for name in ("README.md", "adapter_model.safetensors", RUN_FILE)}
    assert {f.path for f in client.list_artifacts(run_id, "plots")} == {"plots/training.png"}
    assert {"data.json", "environment.json"} <= {f.path for f in client.list_artifacts(run_id)}


@pytest.mark.parametrize(("status", "stored_as"), [("interrupted", "KILLED"), ("failed", "FAILED")])
def test_a_run_that_is_broken_off_ends_as_such(settings: Settings, tmp_path: Path, status: Any, stored_as: str) -> None:
    out = tmp_path / "broken"
    tracker = Tracker(settings)
    tracker.on_start(run_in(out))
    tracker.on_step(1, {"loss": 2.0})
    tracker.on_end(status, out)
    run = stored(settings, json.loads((out / RUN_FILE).read_text())["run_id"])
    assert run.info.status == stored_as
    assert run.data.metrics["loss"] == 2.0, "figures that waited are written too"


def test_a_resumed_run_goes_on_in_the_same_place(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "resumed"
    first = Tracker(settings)
    first.on_start(run_in(out))
    first.on_step(1, {"loss": 2.0})
    first.on_end("interrupted", out)
    second = Tracker(settings)
    second.on_start(run_in(out, first_step=1))
    second.on_step(2, {"loss": 1.0})
    run_id = json.loads((out / RUN_FILE).read_text())["run_id"]
    assert stored(settings, run_id).info.status == "RUNNING"
    second.on_end("finished", out)
    run = stored(settings, run_id)
    assert (run.info.status, run.data.tags["viva.resumed_at_step"]) == ("FINISHED", "1")
    assert [m.step for m in client_of(settings).get_metric_history(run_id, "loss")] == [1, 2]


def test_a_run_whose_store_is_gone_is_resumed_as_a_new_one(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    run = run_in(out, first_step=3)
    (out / RUN_FILE).write_text(json.dumps({"run_id": "0" * 32}))
    tracker = Tracker(settings)
    tracker.on_start(run)
    tracker.on_end("finished", out)
    run_id = json.loads((out / RUN_FILE).read_text())["run_id"]
    assert run_id != "0" * 32 and stored(settings, run_id).data.tags["viva.resumed_at_step"] == "3"


def test_a_store_that_fails_on_the_way_does_not_end_the_training(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def down(*given: Any, **more: Any) -> None:
        raise MlflowException("the server is gone")

    out = tmp_path / "outage"
    tracker = Tracker(settings)
    tracker.on_start(run_in(out))
    monkeypatch.setattr(MlflowClient, "log_batch", down)
    for step in range(1, 60):
        tracker.on_step(step, {"loss": 1.0})
    tracker.on_eval(60, {"macro_f1": 0.5})
    tracker.on_end("finished", out)
    assert caplog.text.count("training goes on untracked") == 1 and "the server is gone" in caplog.text


def test_a_store_that_cannot_be_opened_is_known_before_training() -> None:
    with pytest.raises(TrackingError):
        Tracker(Settings(_env_file=None, mlflow_uri="nonsense://host"))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("error", "stored_as"), [(KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED"), (ZeroDivisionError, "FAILED")]
)
def test_whatever_ends_a_block_ends_its_run(settings: Settings, error: type[BaseException], stored_as: str) -> None:
    with pytest.raises(error), tracked_run(settings, "block") as tracked:
        raise error
    assert stored(settings, tracked.run_id).info.status == stored_as


def test_a_run_whose_process_was_killed_outright_is_ended_by_the_next_one(settings: Settings) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        lost, living, abroad = (begin(settings, name) for name in ("lost", "living", "abroad"))
        for run, host in ((lost, socket.gethostname()), (abroad, "another.example")):
            run.tags({"viva.host": host, "viva.pid": process.pid, "viva.pid_started": started})
        begin(settings, "while it lives").end("FINISHED")
        assert stored(settings, lost.run_id).info.status == "RUNNING"
        process.kill()
    begin(settings, "the next one").end("FINISHED")
    assert stored(settings, lost.run_id).info.status == "KILLED"
    for run in (living, abroad):
        assert stored(settings, run.run_id).info.status == "RUNNING"
        run.end("FINISHED")


def test_the_store_is_a_file_below_the_data_that_git_does_not_keep(settings: Settings) -> None:
    assert tracking.tracking_uri(settings) == f"sqlite:///{(settings.data_dir / 'mlflow' / 'mlflow.db').resolve()}"
    assert "var/" in (Path(__file__).parents[1] / ".gitignore").read_text().splitlines()
    elsewhere = Settings(_env_file=None, mlflow_uri="http://mlflow.example:5000")  # type: ignore[call-arg]
    assert tracking.tracking_uri(elsewhere) == "http://mlflow.example:5000"


def test_a_store_that_cannot_be_opened_names_the_setting_and_no_password(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bad = Settings(_env_file=None, mlflow_uri="nonsense://me:geheim@host/db")  # type: ignore[call-arg]
    with pytest.raises(TrackingError, match="VIVA_MLFLOW_URI") as raised:
        client_of(bad)
    assert "nonsense://***@host/db" in str(raised.value)


def test_the_page_is_opened_on_that_store_and_a_server_has_its_own(settings: Settings) -> None:
    command = mlflow_ui.command(settings, 5001)
    assert command is not None and command[command.index("--backend-store-uri") + 1] == tracking.tracking_uri(settings)
    elsewhere = Settings(_env_file=None, mlflow_uri="https://mlflow.example")  # type: ignore[call-arg]
    assert mlflow_ui.command(elsewhere, 5001) is None


def test_code_has_one_fingerprint_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("finetune", "workbench"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(tracking, "__file__", str(tmp_path / "finetune" / "tracking.py"))
    before = tracking.code_fingerprint()
    assert before == tracking.code_fingerprint() and set(before) == {"viva.code_sha256"}, "no repository, no commit"
    (tmp_path / "workbench" / "a.py").write_text("x = 2\n")
    assert tracking.code_fingerprint() != before
