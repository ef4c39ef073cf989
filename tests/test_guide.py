"""`finetune/GUIDE.md` is run line by line: its commands in their order, on a tiny model and few rows.

The server is the stand-in of `tests/torch_server.py`. Run by `make test-vllm`: together the commands take a minute.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("peft", reason="PEFT comes with the extra `finetune`")
pytest.importorskip("mlflow", reason="MLflow comes with the extra `finetune`")

from finetune import bases
from finetune.cli import app
from finetune.commands import serve as serving_command
from finetune.config import load_recipe
from finetune.promotion import challenge
from finetune.registry import MODEL
from finetune.tracking import client_of
from tests.mlflow_store import settings_with_store
from tests.small_corpus import many
from tests.torch_server import environment
from workbench.exam.bank import load_banks
from workbench.judging.registry import make_judge
from workbench.ports import free_port
from workbench.settings import Settings, get_settings

pytestmark = [pytest.mark.vllm, pytest.mark.weights, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[1]
GUIDE = REPOSITORY / "finetune" / "GUIDE.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
LINES = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]


@dataclass
class Walk:
    """Somebody who follows the guide.

    Attributes:
        runner: Types the commands.
        small: What makes each command small: words it is given besides.
        port: Where the server listens, in the place of 8000.
        settings: As `viva serve` would have them without further variables.
        place: The directory they stand in.
    """

    runner: CliRunner
    small: dict[str, list[str]]
    port: int
    settings: Settings
    place: Path

    def type(self, line: str) -> str:
        """Runs a line of `viva-finetune`; what it printed."""
        words = shlex.split(line)[1:]
        words = ["smoke" if word == "cpu-small" else word for word in words]
        done = self.runner.invoke(app, [*words, *self.small.get(words[0], [])])
        refused = words[0] == "promote" and done.exit_code == 1 and "FAILED" in done.output  # six answers prove nothing
        assert done.exit_code == 0 or refused, f"{line}\n{done.output}"
        return done.output

    def judge(self, line: str) -> Any:
        """A mark by the judge that a line sets up for `viva serve`."""
        *pairs, viva, serve = shlex.split(line)
        assert (viva, serve) == ("viva", "serve")
        given = dict(pair.split("=", 1) for pair in pairs)
        fields = {name.removeprefix("VIVA_").lower(): value for name, value in given.items()}
        assert fields.keys() <= Settings.model_fields.keys()
        fields = {name: value.replace(":8000", f":{self.port}") for name, value in fields.items()}
        settings = Settings(_env_file=None, data_dir=self.settings.data_dir, engine_timeout_s=120.0, **fields)  # type: ignore[call-arg]
        _, scenario, question = next(iter(load_banks()["medical"].questions()))
        return make_judge(fields["judge"], settings).judge(question, question.model_answer, question_text=scenario.text)


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    settings, port = settings_with_store(tmp_path), free_port()
    recipe = load_recipe("smoke")
    base = bases.find_base("tiny-llama", "causal", settings.models_dir)
    tokenizer = bases.load_tokenizer(base, settings.models_dir)
    bases.load_model(base, tokenizer, recipe, bases.device_of(recipe)).save_pretrained(tmp_path / "tiny-base")
    tokenizer.save_pretrained(tmp_path / "tiny-base")
    config = json.loads((tmp_path / "tiny-base" / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 100000.0}
    (tmp_path / "tiny-base" / "config.json").write_text(json.dumps(config))
    venv = environment(tmp_path / "stand-in")
    (tmp_path / "var").mkdir(exist_ok=True)
    few = ["--limit", "6"]
    small = {
        "prepare": ["--from", "", "--validation", "0.3"],
        "train": ["--base", str(tmp_path / "tiny-base"), "--learning-rate", "0.01", "--eval-every", "3", "--quiet"],
        "evaluate": few,
        "attack": few,
        "prove": ["--rows", "6", "--device", "cpu", "--venv", str(venv)],
        "export": ["--rows", "6", "--device", "cpu"],
        "serve": ["--port", str(port), "--venv", str(venv)],
        "adapters": ["--url", f"http://127.0.0.1:{port}"],
    }
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    env = {"COLUMNS": "250", "VIVA_DATA_DIR": str(settings.data_dir), "VIVA_MLFLOW_URI": "", "VIVA_API_KEY": ""}
    yield Walk(CliRunner(env=env), small, port, settings, tmp_path)
    get_settings.cache_clear()


def test_the_guide_leads_from_a_csv_to_a_judge_in_service(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = next(block for kind, block in BLOCKS if kind == "csv")
    with (walk.place / "graded.csv").open("w", newline="") as file:
        file.write(sample)
        csv.writer(file).writerows(
            # what is right begins alike, so that even a tiny model learns it
            [row.question, row.references[0], f"{row.label} {row.answer}", row.label]
            for row in many()
        )
    left = list(LINES)
    answers: dict[str, Any] = {}

    def until(stop: Callable[[str], bool]) -> None:
        while left and not stop(left[0]):
            line = left.pop(0)
            if line.startswith("viva-finetune"):
                answers[line] = walk.type(line)
            elif line.startswith("make "):
                assert f"\n{line.split()[1]}:" in (REPOSITORY / "Makefile").read_text()
            else:
                answers[line] = walk.judge(line)

    def serving(seconds: float) -> None:
        """While the server is up: everything up to the viva with it."""
        monkeypatch.setattr(serving_command, "time", SimpleNamespace(sleep=lambda s: None))
        until(lambda line: "--to merged" in line)
        os.kill(os.getpid(), signal.SIGTERM)

    until(lambda line: "@champion" in line)
    # what six answers cannot show is taken as shown
    client_of(walk.settings).set_registered_model_alias(
        MODEL, "champion", challenge(Path("var/mine"), walk.settings).version
    )
    until(lambda line: " serve --adapter" in line)
    monkeypatch.setattr(serving_command, "time", SimpleNamespace(sleep=serving))
    serve = left.pop(0)
    told = walk.type(serve)
    assert "VIVA_JUDGE=served:mine" in told
    until(lambda line: False)

    marks = {line: mark for line, mark in answers.items() if line.endswith("viva serve")}
    names = [mark.judge for mark in marks.values()]
    assert names[0].startswith("viva-examiner-1 (verdict-1 (adapter@") and names[1:] == [
        "llm-1 (mine)",
        "llm-1 (mine-embedded)",
    ]
    assert "proven" in answers["viva-finetune prove var/mine --rows 100 --out var/mine/proof.json"]
    assert len(marks) == 3 and len(answers) >= 15
