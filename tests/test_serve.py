"""Serving adapters: the command that is built, the process behind it, and the proof that the right one answers.

The server is a stand-in over PyTorch that speaks vLLM's interface (`tests/torch_server.py`); vLLM itself is asked in
`test_vllm.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

pytest.importorskip("peft", reason="PEFT comes with the extra `finetune`")

from finetune import proof
from finetune.adapter_judge import AdapterError, read_adapter
from finetune.asked_rows import rows_to_ask
from finetune.cli import app
from finetune.commands import serve as serving_command
from finetune.config import RecipeError
from finetune.vllm_server import (
    Adapters,
    ServerError,
    Serving,
    VllmServer,
    find_python,
    serve_command,
    serve_environment,
    serving_of,
)
from tests.tiny_adapter import Tiny, tiny_adapter
from tests.torch_server import FORGOTTEN, MISREAD, environment
from workbench.engines.base import EngineError
from workbench.exam.bank import load_banks
from workbench.judging.registry import make_judge
from workbench.ports import free_port
from workbench.settings import Settings, get_settings

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_adapter(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def other(tiny: Tiny) -> Path:
    """Another adapter of the same base: what the first adds, this one takes away."""
    folder = tiny.folder.parent / "other"
    shutil.copytree(tiny.folder, folder)
    weights = load_file(folder / "adapter_model.safetensors")
    turned = {name: -value if "lora_B" in name else value for name, value in weights.items()}
    save_file(turned, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("stand-in") / "venv")


@pytest.fixture(scope="module")
def url(tiny: Tiny, venv: Path) -> Iterator[str]:
    """A server that serves the adapter as `mine`, and wrongly under two other names."""
    python, on_cpu = find_python(venv)
    named = {"mine": tiny.folder, FORGOTTEN: tiny.folder, MISREAD: tiny.folder}
    serving = serving_of(named, tiny.models_dir, on_cpu=on_cpu, port=free_port())
    command, env = serve_command(serving, python), serve_environment(serving, os.environ)
    server = VllmServer(command, env, serving.url, tiny.folder.parent / "server.log")
    server.start()
    server.wait_ready()
    yield serving.url
    server.stop()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[CliRunner]:
    get_settings.cache_clear()
    yield CliRunner(env={"COLUMNS": "300", "VIVA_DATA_DIR": str(tmp_path / "var"), "VIVA_API_KEY": ""})
    get_settings.cache_clear()


# ---- the command line


def test_the_command_makes_room_for_the_adapters_it_is_given(tiny: Tiny, other: Path) -> None:
    serving = serving_of({"mine": tiny.folder, "other": other}, tiny.models_dir, on_cpu=True, port=9000)
    command = serve_command(serving, "python")
    assert command[:5] == ["python", "-m", "vllm.entrypoints.openai.api_server", "--model", str(tiny.base)]
    options = dict(zip(command, command[1:], strict=False))
    assert (options["--max-lora-rank"], options["--max-loras"], options["--max-cpu-loras"]) == ("8", "2", "6")
    assert (options["--served-model-name"], options["--host"], options["--port"]) == ("tiny-base", "127.0.0.1", "9000")
    at = command.index("--lora-modules")
    modules = [json.loads(word) for word in command[at + 1 : at + 3]]
    assert modules == [
        {"name": "mine", "path": str(tiny.folder), "base_model_name": "tiny-base"},
        {"name": "other", "path": str(other), "base_model_name": "tiny-base"},
    ]
    assert "--enforce-eager" in command and "--kv-cache-memory-bytes" in command
    wider = serving_of({"mine": tiny.folder}, tiny.models_dir, on_cpu=False, rank=33, more=("--seed", "1"))
    assert serve_command(wider, "python")[-2:] == ["--seed", "1"] and wider.rank == 64
    assert "--enforce-eager" not in serve_command(wider, "python")
    assert serving_of({}, tiny.models_dir, base=str(tiny.base), on_cpu=True).rank == 64


def test_adapters_come_and_go_only_where_nobody_else_can_ask_for_them() -> None:
    def may(host: str, key: str | None = None) -> str:
        made = serve_environment(Serving("/m", "m", {}, 8, host=host, on_cpu=True), {"OMP_NUM_THREADS": "1"}, key)
        assert made["VLLM_CPU_OMP_THREADS_BIND"] == "nobind" and made["VLLM_NO_USAGE_STATS"] == "1"
        assert made.get("VLLM_API_KEY") == key
        return made["VLLM_ALLOW_RUNTIME_LORA_UPDATING"]

    assert [may("127.0.0.1"), may("0.0.0.0"), may("0.0.0.0", "k")] == ["True", "False", "True"]
    assert "k" not in serve_command(Serving("/m", "m", {}, 8))


def test_adapters_that_do_not_belong_together_are_refused_together(tiny: Tiny, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    shutil.copytree(tiny.folder, strange)
    metrics = json.loads((strange / "metrics.json").read_text())
    (strange / "metrics.json").write_text(json.dumps(metrics | {"tokenizer_sha256": "0" * 64}))
    moved = tmp_path / "tiny-base-2"
    shutil.copytree(tiny.base, moved)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tiny.folder, elsewhere)
    recipe = (elsewhere / "recipe.yaml").read_text()
    (elsewhere / "recipe.yaml").write_text(recipe.replace(str(tiny.base), str(moved)))
    given = {"mine": tiny.folder, "tiny-base": tiny.folder, "strange": strange, "elsewhere": elsewhere}
    with pytest.raises(AdapterError) as refused:
        serving_of(given, tiny.models_dir, on_cpu=True)
    said = str(refused.value)
    assert "an adapter cannot be called 'tiny-base' as the base is" in said
    assert "strange: " in said and "another tokenizer or chat template (000000000000)" in said
    assert "was trained on tiny-base-2, not on tiny-base; serve one base at a time" in said
    assert "mine: " not in said
    with pytest.raises(RecipeError, match="base=tiny-llama is random"):
        serving_of({}, tiny.models_dir, base="tiny-llama", on_cpu=True)
    with pytest.raises(RecipeError, match="give --adapter NAME=FOLDER, or --base"):
        serving_of({}, tiny.models_dir, on_cpu=True)


def test_the_command_is_printed_where_vllm_is_not_installed(tiny: Tiny, tmp_path: Path, runner: CliRunner) -> None:
    given = ["serve", "--adapter", f"mine={tiny.folder}", "--venv", str(tmp_path / "none")]
    done = runner.invoke(app, [*given, "--print"])
    assert done.exit_code == 0 and "-m vllm.entrypoints.openai.api_server --model" in done.output, done.output
    done = runner.invoke(app, given)
    assert done.exit_code == 1 and "vLLM is not installed in" in done.output and "make vllm" in done.output
    done = runner.invoke(app, [*given[:2], "mine", "--print"])
    assert done.exit_code == 2 and "'mine': give NAME=FOLDER, each name once" in done.output


# ---- the process


def test_a_server_that_dies_while_starting_says_why(tiny: Tiny, venv: Path, tmp_path: Path) -> None:
    python, _ = find_python(venv)
    serving = serving_of({"mine": tiny.folder}, tiny.models_dir, on_cpu=True, port=free_port())
    command = serve_command(serving, python)
    command[command.index("--max-lora-rank") + 1] = "1"
    server = VllmServer(command, os.environ, serving.url, tmp_path / "log")
    server.start()
    with pytest.raises(
        ServerError, match=r"status 1 before it was ready:(.|\n)*rank 8 is greater than max_lora_rank 1"
    ):
        server.wait_ready()
    with pytest.raises(ServerError, match="run `make vllm`"):
        VllmServer([str(tmp_path / "none")], os.environ, serving.url, tmp_path / "log").start()


def test_a_signal_is_passed_on_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """The stand-in has a child, as vLLM has its engine, and the child does not hear the signal."""
    script = tmp_path / "server.py"
    script.write_text(
        "import signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "def end(number, frame):\n"
        "    print('got', number, flush=True); sys.exit(7)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    server = VllmServer([sys.executable, str(script)], os.environ, "http://127.0.0.1:9", tmp_path / "log")
    server.start()
    while "child" not in server.last_lines():
        time.sleep(0.01)
    child = int(server.last_lines().split()[-1])
    assert server.ended() is None
    assert server.stop(signal.SIGINT) == 7 and server.last_lines(1) == f"got {int(signal.SIGINT)}"
    while Path(f"/proc/{child}").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text():
        time.sleep(0.01)


def test_serve_runs_until_it_is_told_to_stop(
    tiny: Tiny, venv: Path, runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port, seen = free_port(), []

    def told(seconds: float) -> None:
        """What it does while it serves is to sleep."""
        server = Adapters(f"http://127.0.0.1:{port}")
        seen.append(server.names())
        server.close()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(serving_command, "time", SimpleNamespace(sleep=told))
    before = signal.getsignal(signal.SIGTERM)
    given = ["serve", "--adapter", f"mine={tiny.folder}", "--venv", str(venv), "--port", str(port)]
    done = runner.invoke(app, given)
    assert done.exit_code == 0, done.output
    assert seen == [{"tiny-base": None, "mine": "tiny-base"}]
    assert f"serving tiny-base, mine at http://127.0.0.1:{port}/v1" in done.output
    assert f"VIVA_JUDGE=served:mine#verdict VIVA_JUDGE_URL=http://127.0.0.1:{port}/v1" in done.output
    log_file = tmp_path / "var" / f"vllm-{port}.log"
    assert f"log: {log_file}" in done.output and log_file.is_file(), "another server's log is left alone"
    assert "stopping vLLM" in done.output
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(ServerError, match="cannot reach"):
        Adapters(f"http://127.0.0.1:{port}").names()


def test_adapters_are_loaded_and_unloaded_while_the_server_runs(
    url: str, tiny: Tiny, other: Path, runner: CliRunner, tmp_path: Path
) -> None:
    done = runner.invoke(app, ["adapters", "--url", url, "--load", f"second={other}"])
    assert done.exit_code == 0 and "second (on tiny-base)" in done.output, done.output
    asked = rows_to_ask(read_adapter(other)[0], 5, tiny.data)
    reference = proof.ask_peft(other, asked, tiny.models_dir, "cpu")
    found, _ = proof.ask_server(url, ["second", "mine"], asked)
    assert np.exp(found["second"]) == pytest.approx(np.exp(reference.adapter), abs=1e-3)
    assert np.abs(np.exp(found["mine"]) - np.exp(reference.adapter)).max() > 0.05
    done = runner.invoke(app, ["adapters", "--url", url, "--load", f"second={other}"])
    assert done.exit_code == 1 and "has already been loaded" in done.output
    bare = tmp_path / "bare"
    bare.mkdir()
    for wrong, said in ((tmp_path / "typo", "is no folder"), (bare, "no adapter in")):
        done = runner.invoke(app, ["adapters", "--url", url, "--unload", "second", "--load", f"second={wrong}"])
        assert done.exit_code == 2 and said in done.output, done.output
    assert "second" in runner.invoke(app, ["adapters", "--url", url]).output, "it stays until the next one may come"
    done = runner.invoke(app, ["adapters", "--url", url, "--unload", "second"])
    assert done.exit_code == 0 and "second" not in done.output
    done = runner.invoke(app, ["adapters", "--url", url, "--unload", "second"])
    assert done.exit_code == 1 and "cannot be found" in done.output


def test_a_served_adapter_judges_as_its_folder_does(url: str, tiny: Tiny) -> None:
    _, scenario, question = next(iter(load_banks()["medical"].questions()))
    settings = Settings(_env_file=None, judge_url=url, engine_timeout_s=60.0)  # type: ignore[call-arg]
    served = make_judge("served:mine#verdict", settings)
    beside = make_judge(f"adapter:{tiny.folder}", settings)
    for text in (question.model_answer, "it lifts the load", ""):
        one, other = (judge.judge(question, text, question_text=scenario.text) for judge in (served, beside))
        assert (one.verdict, one.points, one.evidence) == (other.verdict, other.points, other.evidence)
        assert one.confidence == pytest.approx(other.confidence, abs=0.002)
    assert served.name == "verdict-1 (mine)"
    assert make_judge("served:mine", settings).name == "llm-1 (mine)"
    for wrong in ("served:", "served:mine#points"):
        with pytest.raises(EngineError, match="write served:NAME"):
            make_judge(wrong, settings)
    with pytest.raises(EngineError, match="VIVA_LLM_URL"):
        make_judge("served:mine", Settings(_env_file=None))  # type: ignore[call-arg]


# ---- the proof


def test_a_server_that_applies_the_adapter_is_proven(url: str, tiny: Tiny, runner: CliRunner, tmp_path: Path) -> None:
    out = tmp_path / "proof.json"
    given = ["prove", str(tiny.folder), "--data", str(tiny.data), "--device", "cpu", "--url", url]
    done = runner.invoke(app, [*given, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "adapter, vLLM beside PEFT: 100.0% same label" in done.output and "proven" in done.output
    report = json.loads(out.read_text())
    assert (
        report["proven"] and report["rows_with_other_tokens"] == 0 and report["adapter_beside_base_on_server"]["flips"]
    )
    assert report["adapter_on_server_beside_peft"]["log_probability_difference"]["largest"] < 1e-3
    assert str(tiny.base.parent) not in json.dumps({key: value for key, value in report.items() if key != "command"})

    given += ["--rows", "6"]
    done = runner.invoke(app, [*given, "--name", FORGOTTEN])
    assert done.exit_code == 1, done.output
    assert "of the adapter's labels are PEFT's" in done.output and "the same label on every row" in done.output
    done = runner.invoke(app, [*given, "--name", MISREAD])
    assert done.exit_code == 1 and "the server read other tokens on" in done.output
    done = runner.invoke(app, [*given, "--name", "nobody"])
    assert done.exit_code == 1 and "has no adapter 'nobody'; it has tiny-base, mine" in done.output


def test_the_proof_fails_for_each_of_its_reasons() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 3)) * 3
    adapter = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    base = adapter[:, [1, 2, 0]]
    reference = proof.Reference([[1]] * 50, [[[2]]] * 50, adapter, base, 1.0)
    assert proof.verdict_of(reference, adapter, base, [])["proven"]
    one_off = adapter.copy()
    one_off[0] = one_off[0, [1, 2, 0]]
    assert proof.verdict_of(reference, one_off, base, [])["proven"]
    two_off = one_off.copy()
    two_off[1] = two_off[1, [1, 2, 0]]
    for given, why in (
        ((two_off, base, []), "only 96.0% of the adapter's labels"),
        ((adapter, adapter, []), "only .* of the base's labels"),
        ((base, base, []), "the same label on every row"),
        ((adapter, base, [3]), "read other tokens on 1 rows"),
    ):
        found = proof.verdict_of(reference, *given)
        assert not found["proven"]
        assert any(re.search(why, reason) for reason in found["failed"]), found["failed"]
