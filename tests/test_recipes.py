"""Recipes: every field is an option with its meaning, and what cannot be trained says which options clash."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from finetune.cli import app
from finetune.commands.train import as_dry_run
from finetune.config import Recipe, RecipeError, field_help, load_recipe, recipe_names, recipe_of
from workbench.exam.judge_prompts import Task


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_comes_with_the_program_can_be_trained_and_tried_dry(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe_of(recipe.as_dict()) == recipe
    dry = as_dry_run(recipe)
    assert (dry.device, dry.max_steps) == ("cpu", 2) and dry.base.startswith("tiny-")
    assert (dry.method, dry.rank, dry.dtype, dry.tasks) == (recipe.method, recipe.rank, recipe.dtype, recipe.tasks)


def test_the_recipes_promised_are_there() -> None:
    assert set(recipe_names()) >= {"smoke", "cpu-small", "cpu-encoder", "gpu-8b"}


def test_every_field_of_a_recipe_is_an_option_that_says_what_it_means() -> None:
    helps = field_help()
    assert list(helps) == [field.name for field in fields(Recipe)]
    said = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["train", "--help"]).output
    for name, text in helps.items():
        assert f"--{name.replace('_', '-')}" in said
        assert text.split(".")[0][:60] in said, name
    assert all(task in helps["tasks"] for task in get_args(Task))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"method": "dora"}, ("method=dora", "for_vllm=true")),
        ({"rank": 128}, ("rank=128", "for_vllm=true")),
        ({"targets": "q_proj,lm_head"}, ("lm_head", "for_vllm=true")),
        ({"base": "mpnet", "for_vllm": False}, ("base=mpnet", "kind=causal")),
        ({"base": "smollm2", "kind": "encoder", "for_vllm": False}, ("base=smollm2", "kind=encoder")),
        ({"base": "mpnet", "kind": "encoder"}, ("kind=encoder", "for_vllm=true")),
        (
            {"base": "mpnet", "kind": "encoder", "for_vllm": False, "tasks": "verdict,key_point"},
            ("kind=encoder", "tasks=verdict,key_point"),
        ),
        ({"quantization": "qlora", "device": "cpu"}, ("quantization=qlora", "device=cpu")),
        ({"patience": 3, "eval_every": 0}, ("patience=3", "eval_every=0")),
        ({"with_question": False}, ("with_question=false", "kind=causal")),
        ({"method": "full"}, ("method=full", "for_vllm=true")),
        ({"pooling": "sides", "gradient_checkpointing": True}, ("pooling=sides", "gradient_checkpointing=true")),
        ({"method": "full", "for_vllm": False, "dtype": "bfloat16"}, ("method=full", "dtype=bfloat16")),
    ],
)
def test_two_options_that_clash_are_both_named(given: dict[str, object], named: tuple[str, str]) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of(given)
    assert all(option in str(caught.value) for option in named)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ranks": 8}, "unknown fields ranks; known: base, kind"),
        ({"rank": 1.5}, "rank=1.5; allowed: a whole number"),
        ({"rank": 0}, "rank=0; allowed: 1 to 512"),
        ({"dropout": 1}, "dropout=1.0; allowed: 0 to 0.99"),
        ({"method": "loha"}, "method='loha'; allowed: lora, dora, rslora, full"),
        ({"balanced": "yes"}, "balanced='yes'; allowed: true or false"),
        (
            {"tasks": "verdict,verdict"},
            "tasks=verdict,verdict; allowed: key_point, verdict, marks, feedback, each once",
        ),
        ({"tasks": ""}, "tasks=(none)"),
        ({"rank": True}, "rank=True; allowed: a whole number"),
        ({"learning_rate": "fast"}, "learning_rate='fast'; allowed: a number"),
    ],
)
def test_a_wrong_value_is_shown_beside_what_is_allowed(given: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of(given)
    assert said in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of({"rank": 0, "method": "dora", "epochs": 0})
    assert [line[:8] for line in str(caught.value).splitlines()[1:]] == ["- rank=0", "- epochs", "- method"]


def test_numbers_that_yaml_reads_as_texts_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("learning_rate: 1e-4\ntasks: verdict, key_point\n", encoding="utf-8")
    recipe = load_recipe(path)
    assert recipe.learning_rate == 1e-4 and recipe.tasks == ("verdict", "key_point")


@pytest.mark.parametrize(("text", "said"), [("a: [", "no YAML"), ("- a", "got a list"), ("rank: x", "own.yaml: rank")])
def test_a_file_that_is_no_recipe_says_so(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        load_recipe(path)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="cpu-encoder, cpu-small, gpu-8b, smoke"):
        load_recipe("gpu-9b")
