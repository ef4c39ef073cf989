"""An adapter leaves the place it was trained in: what is written marks as it did, points nowhere, or is not written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

pytest.importorskip("peft", reason="PEFT comes with the extra `finetune`")

from finetune import export as exporting
from finetune.adapter_judge import AdapterError, Loaded, load_adapter
from finetune.asked_rows import rows_to_ask
from finetune.asked_scores import asked_scores, compared
from finetune.cli import app
from finetune.config import load_recipe
from finetune.examples import prompt_of
from finetune.export import Check, ExportError, export
from finetune.vllm_folder import check_for_vllm, max_lora_rank
from tests.tiny_adapter import Tiny, tiny_adapter
from workbench.engines.bridge import wait_for
from workbench.engines.registry import create_scorer
from workbench.settings import Settings

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_adapter(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def loaded(tiny: Tiny) -> Loaded:
    return load_adapter(tiny.folder, tiny.models_dir, "cpu")


def changed(tiny: Tiny, at: Path, **config: Any) -> Path:
    """A copy of the adapter with other fields in its `adapter_config.json`."""
    shutil.copytree(tiny.folder, at)
    path = at / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return at


# ---- vLLM


def test_what_vllm_gets_points_to_nothing_on_this_machine(tiny: Tiny, tmp_path: Path) -> None:
    assert str(tiny.base) in (tiny.folder / "adapter_config.json").read_text()
    export(tiny.folder, "vllm", tmp_path / "out", tiny.models_dir)
    for path in (tmp_path / "out").iterdir():
        if path.suffix != ".safetensors":
            assert str(tiny.base.parent) not in path.read_text(), path.name
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == load_recipe(tmp_path / "out" / "recipe.yaml").base == "tiny-base"
    assert json.loads((tmp_path / "out" / "export.json").read_text())["base"] == "tiny-base"
    assert check_for_vllm(tmp_path / "out")["r"] == 8
    name = "adapter_model.safetensors"
    assert (tmp_path / "out" / name).read_bytes() == (tiny.folder / name).read_bytes()


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"use_dora": True}, "DoRA adapter.*--to merged"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save=lm_head"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"r": 1024}, "rank is 1024; vLLM serves at most 512"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern is set"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices is set"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
    ],
)
def test_what_vllm_would_refuse_or_overlook_is_refused_first(
    tiny: Tiny, tmp_path: Path, config: dict[str, Any], why: str
) -> None:
    with pytest.raises(AdapterError, match=why):
        export(changed(tiny, tmp_path / "a", **config), "vllm", tmp_path / "out", tiny.models_dir)
    assert not (tmp_path / "out").exists()


def test_weights_beside_the_head_or_of_another_rank_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    folder = changed(tiny, tmp_path / "a")
    weights = load_file(folder / "adapter_model.safetensors")
    head = "base_model.model.lm_head"
    weights |= {f"{head}.lora_A.weight": np.zeros((8, 32), "f4"), f"{head}.lora_B.weight": np.zeros((9, 8), "f4")}
    first = next(name for name in weights if name.endswith("q_proj.lora_A.weight"))
    weights[first] = weights[first][:4].copy()
    save_file(weights, folder / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match=r"adapts lm_head[^-]*-[^-]*another rank than the 8"):
        check_for_vllm(folder)


def test_room_is_made_for_the_highest_rank_and_no_more() -> None:
    assert [max_lora_rank(ranks) for ranks in ([4], [8, 16], [17], [320])] == [8, 16, 32, 320]
    with pytest.raises(AdapterError, match="rank 513 is more than the 512"):
        max_lora_rank([8, 513])


# ---- merged


@pytest.mark.parametrize("numbers", ["float32", "bfloat16"])
def test_merged_weights_mark_as_the_adapter_did(tiny: Tiny, loaded: Loaded, tmp_path: Path, numbers: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check = Check(data=tiny.data)
    about = export(tiny.folder, "merged", tmp_path / "out", tiny.models_dir, numbers=numbers, check=check)
    assert about["check"]["same_label"] == 1 and about["rows"] == about["check"]["n"] > 5
    asked = rows_to_ask(loaded.recipe, 100, tiny.data)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert model.dtype == getattr(torch, numbers)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    adapter = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    merged = asked_scores(model.eval(), tokenizer, loaded.recipe, asked, loaded.device)
    assert np.abs(np.exp(adapter) - np.exp(merged)).max() < (1e-4 if numbers == "float32" else 0.05)
    with loaded.model.disable_adapter():
        base = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    assert np.abs(np.exp(base) - np.exp(merged)).max() > 0.05
    assert about["adapter_sha256"] in (tmp_path / "out" / "README.md").read_text()


def test_an_adapter_of_half_precision_is_asked_in_the_numbers_it_is_written_in(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halved(*given: Any) -> Loaded:
        found = load_adapter(*given)
        found.model.bfloat16()
        return found

    asked_in: list[str] = []

    def noted(model: Any, *given: Any) -> Any:
        asked_in.append(str(model.dtype))
        return asked_scores(model, *given)

    monkeypatch.setattr(exporting, "load_adapter", halved)
    monkeypatch.setattr(exporting, "asked_scores", noted)
    check = Check(data=tiny.data, n_rows=4)
    assert "merged" == export(tiny.folder, "merged", tmp_path / "out", tiny.models_dir, check=check)["to"]
    assert asked_in == ["torch.float32", "torch.float32"]


def test_a_merge_that_flips_labels_is_not_written(
    tiny: Tiny, loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(given: Loaded, out: Path, numbers: str) -> None:
        given.model.unload().save_pretrained(str(out))  # the base, as if nothing had been learnt
        given.tokenizer.save_pretrained(str(out))

    monkeypatch.setattr(exporting, "_write_merged", forgetful)
    monkeypatch.setattr(exporting, "MOST_APART", 1.0)
    asked = rows_to_ask(loaded.recipe, 100, tiny.data)
    adapter = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    with loaded.model.disable_adapter():
        base = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    n_flips = len(compared(adapter, base)["flips"])
    assert n_flips
    with pytest.raises(ExportError, match=f"{n_flips} of {len(asked)} labels flip merged in float32"):
        export(tiny.folder, "merged", tmp_path / "out", tiny.models_dir, check=Check(data=tiny.data))
    assert not any(tmp_path.iterdir())
    about = export(tiny.folder, "merged", tmp_path / "b", tiny.models_dir, check=Check(data=tiny.data, most_flips=1.0))
    assert len(about["check"]["flips"]) == n_flips


# ---- the embedded engine


def plain(tiny: Tiny, at: Path) -> Path:
    """The adapter on a base with plain rotary embeddings, as SmolLM2 has them."""
    shutil.copytree(tiny.base, at / "plain")
    config = json.loads((tiny.base / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 100000.0}
    (at / "plain" / "config.json").write_text(json.dumps(config))
    folder = changed(tiny, at / "mine")
    recipe = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(recipe.replace(str(tiny.base), str(at / "plain")))
    return folder


def test_eleven_marks_are_asked_of_the_embedded_engine_beside_three_verdicts(tiny: Tiny, tmp_path: Path) -> None:
    folder = plain(tiny, tmp_path)
    load_recipe(folder / "recipe.yaml").changed(tasks="verdict,marks").save(folder / "recipe.yaml")
    check = Check(n_rows=6, most_flips=1.0)
    about = export(folder, "ctranslate2", tmp_path / "out", tiny.models_dir, check=check)
    assert about["rows"] == 6 and about["check"]["float32"]["probability_difference"]["largest"] < 1e-3


def test_the_embedded_engine_marks_as_the_adapter_did(tiny: Tiny, tmp_path: Path) -> None:
    folder = plain(tiny, tmp_path)
    loaded = load_adapter(folder, tiny.models_dir, "cpu")
    about = export(folder, "ctranslate2", tmp_path / "out", tiny.models_dir, check=Check(data=tiny.data))
    assert about["check"].keys() == {"float32", "int8"} and about["check"]["float32"]["same_label"] == 1
    settings = Settings(
        _env_file=None, judge_llm="smollm2", judge_model=str(tmp_path / "out"), judge_precision="float32"
    )  # type: ignore[call-arg]
    scorer = create_scorer(settings)
    asked = rows_to_ask(loaded.recipe, 3, tiny.data)
    theirs = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    for one, wanted in zip(asked, theirs, strict=True):
        prompt = prompt_of(one)
        assert wait_for(scorer.score_many([prompt.messages], prompt.labels))[0] == pytest.approx(wanted, abs=1e-3)
    wait_for(scorer.close())


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("verdict,key_point", "\njudge with it: VIVA_JUDGE=llm VIVA_JUDGE_LLM=smollm2"),
        ("verdict", "do not judge with it: the embedded engine asks by key point, and {0} was trained for verdict; "
         "set VIVA_JUDGE=adapter:{0}, or serve it with vLLM and set VIVA_JUDGE=served:NAME#verdict"),
    ],
)  # fmt: skip
def test_the_embedded_engine_is_recommended_for_what_it_asks(tasks: str, said: str, tiny: Tiny, tmp_path: Path) -> None:
    folder = plain(tiny, tmp_path)
    load_recipe(folder / "recipe.yaml").changed(tasks=tasks).save(folder / "recipe.yaml")
    given = ["export", str(folder), "--to", "ctranslate2", "--out", str(tmp_path / "out"), "--data", str(tiny.data)]
    done = CliRunner(env={"COLUMNS": "300"}).invoke(app, [*given, "--rows", "4", "--flips", "1"])
    assert done.exit_code == 0, done.output
    assert said.format(folder) in done.output and ("VIVA_JUDGE=llm" in done.output) is ("key_point" in tasks)


def test_a_conversion_that_computes_something_else_is_not_written(tiny: Tiny, tmp_path: Path) -> None:
    """CTranslate2 takes the length that Llama 3's rotary scaling starts from as given; the tiny Llama has another."""
    with pytest.raises(ExportError, match="though nothing was rounded.*viva-finetune serve"):
        export(tiny.folder, "ctranslate2", tmp_path / "out", tiny.models_dir, check=Check(data=tiny.data))
    assert not any(tmp_path.iterdir())


def test_a_base_with_another_template_is_not_for_the_embedded_engine(
    tiny: Tiny, loaded: Loaded, tmp_path: Path
) -> None:
    import copy
    from dataclasses import replace

    other = copy.deepcopy(loaded.tokenizer)
    other.chat_template = other.chat_template.replace("assistant\n", "examiner\n")
    other.save_pretrained(tmp_path)
    asked = rows_to_ask(loaded.recipe, 2, tiny.data)
    exporting._check_tokens(tmp_path, loaded, asked)
    with pytest.raises(AdapterError, match="another template.*viva-finetune serve"):
        exporting._check_tokens(tmp_path, replace(loaded, tokenizer=other), asked)


# ---- the command


def test_the_command_says_what_changed_and_why_there_is_no_gguf(tiny: Tiny, tmp_path: Path) -> None:
    runner = CliRunner(env={"COLUMNS": "300"})
    given = ["export", str(tiny.folder), "--out", str(tmp_path / "out")]
    done = runner.invoke(app, [*given, "--to", "gguf"])
    assert done.exit_code == 2 and "convert_hf_to_gguf.py, which no package carries" in done.output
    done = runner.invoke(app, [*given, "--to", "merged", "--dtype", "int8"])
    assert done.exit_code == 2 and "--dtype int8 is not for --to merged; allowed: float32, bfloat16" in done.output
    done = runner.invoke(app, [*given, "--to", "merged", "--data", str(tiny.data), "--rows", "4"])
    assert done.exit_code == 0 and "0 of 4 labels changed" in done.output, done.output
    done = runner.invoke(app, [*given, "--to", "vllm"])
    assert done.exit_code == 2 and "is there already; give another --out" in done.output
