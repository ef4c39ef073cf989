"""vLLM itself serves an adapter of the model that comes with the workbench, and serves what was trained.

Run by `make test-vllm`: a server on a CPU takes a minute to start, and training and proof two or three.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

pytest.importorskip("peft", reason="PEFT comes with the extra `finetune`")

from finetune import proof
from finetune.adapter_judge import read_adapter
from finetune.asked_rows import rows_to_ask
from finetune.cli import app
from finetune.config import load_recipe
from finetune.export import export
from finetune.prepare import Gathered, prepare, write
from finetune.train import train
from finetune.vllm_server import (
    Adapters,
    ServerError,
    VllmServer,
    find_python,
    serve_command,
    serve_environment,
    serving_of,
)
from tests.small_corpus import many
from workbench.engines.base import EngineError
from workbench.exam.bank import load_banks
from workbench.judging.registry import make_judge
from workbench.ports import free_port
from workbench.settings import Settings, get_settings

pytestmark = [pytest.mark.vllm, pytest.mark.weights, pytest.mark.timeout(1200)]

MODELS = Settings(_env_file=None).models_dir  # type: ignore[call-arg]
ROWS = 30


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return find_python()[0]
    except ServerError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An rsLoRA adapter of SmolLM2: vLLM must scale it otherwise than a LoRA."""
    at = tmp_path_factory.mktemp("vllm")
    found = Gathered(many(), sources={"made-up": {"licence": "CC BY-SA 3.0", "source": "these tests"}})
    write(at / "data", found, prepare(found, 0.3, 0), 0.3, 0)
    recipe = load_recipe("cpu-small").changed(
        tasks="verdict", batch_rows=4, accumulate=1, max_steps=16, eval_every=16, patience=0, learning_rate=0.003,
        negatives=0.0, device="cpu",
    )  # fmt: skip
    train(recipe, at / "data", at / "mine", MODELS)
    export(at / "mine", "vllm", at / "exported", MODELS)
    return at / "mine"


@pytest.fixture(scope="module")
def url(folder: Path, python: Path) -> Iterator[str]:
    on_cpu = find_python()[1]
    named = {"mine": folder.parent / "exported"}
    serving = serving_of(named, MODELS, on_cpu=on_cpu, port=free_port(), dtype="float32", max_tokens=2048)
    command, env = serve_command(serving, python), serve_environment(serving, os.environ)
    server = VllmServer(command, env, serving.url, folder.parent / "vllm.log")
    server.start()
    try:
        server.wait_ready()
        yield serving.url
    finally:
        server.stop()


def test_verdicts_through_vllm_are_those_of_the_adapter_and_not_those_of_its_base(
    folder: Path, url: str, tmp_path: Path
) -> None:
    out = tmp_path / "proof.json"
    get_settings.cache_clear()
    done = CliRunner(env={"COLUMNS": "200", "VIVA_DATA_DIR": str(tmp_path), "VIVA_API_KEY": ""}).invoke(
        app,
        ["prove", str(folder), "--rows", str(ROWS), "--url", url, "--name", "mine", "--device", "cpu",
         "--out", str(out)],
    )  # fmt: skip
    get_settings.cache_clear()
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text())
    assert report["rows"] == ROWS and report["rows_with_other_tokens"] == 0
    assert report["adapter_on_server_beside_peft"]["same_label"] >= 0.98
    assert report["base_on_server_beside_peft"]["same_label"] >= 0.98
    assert report["adapter_beside_base_on_server"]["same_label"] < 1


def test_an_adapter_is_loaded_and_unloaded_while_vllm_runs(folder: Path, url: str) -> None:
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    weights = load_file(other / "adapter_model.safetensors")
    turned = {name: -value if "lora_B" in name else value for name, value in weights.items()}
    save_file(turned, other / "adapter_model.safetensors")
    adapters = Adapters(url)
    adapters.load("other", other)
    assert adapters.names() == {
        "SmolLM2-135M-Instruct-dequantised": None,
        "mine": "SmolLM2-135M-Instruct-dequantised",
        "other": "SmolLM2-135M-Instruct-dequantised",
    }
    asked = rows_to_ask(read_adapter(other)[0], 4)
    reference = proof.ask_peft(other, asked, MODELS, "cpu")
    found, _ = proof.ask_server(url, ["other", "mine"], asked)
    assert np.exp(found["other"]) == pytest.approx(np.exp(reference.adapter), abs=0.01)
    assert np.abs(np.exp(found["mine"]) - np.exp(reference.adapter)).max() > 0.05
    adapters.unload("other")
    assert "other" not in adapters.names()
    with pytest.raises(ServerError, match="cannot be found"):
        adapters.unload("other")
    adapters.close()
    with pytest.raises(EngineError, match="does not know the model 'other'.*it has .*mine"):
        proof.ask_server(url, ["other"], asked)


def test_the_workbench_judges_with_the_served_adapter_by_its_name(url: str, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, judge_url=url, engine_timeout_s=120.0)  # type: ignore[call-arg]
    judge = make_judge("served:mine#verdict", settings)
    _, scenario, question = next(iter(load_banks()["medical"].questions()))
    mark = judge.judge(question, question.model_answer, question_text=scenario.text)
    assert mark.judge == "verdict-1 (mine)" and len(mark.evidence) == len(question.key_points)
