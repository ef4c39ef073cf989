"""SmolLM2 for training is the model that speaks: its tokenizer, template and likelihoods; its card says what it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from finetune import bases
from finetune.config import Recipe
from finetune.dequantised import dequantise, is_dequantised
from finetune.examples import label_ids, prompt_ids
from finetune.outcome_scores import label_scores
from workbench.engines.smollm2_scorer import SmolLM2Scorer
from workbench.exam.judge_prompts import verdict_prompt
from workbench.models import find
from workbench.settings import Settings

pytestmark = [pytest.mark.weights, pytest.mark.slow]
MODELS = Settings(_env_file=None).models_dir  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def base() -> bases.Base:
    return bases.find_base("smollm2", "causal", MODELS)


@pytest.fixture(scope="module")
def tokenizer(base: bases.Base) -> Any:
    return bases.load_tokenizer(base, MODELS)


def test_the_likelihoods_are_those_of_the_model_in_service(base: bases.Base, tokenizer: Any) -> None:
    model = bases.load_model(base, tokenizer, Recipe(), torch.device("cpu"))
    prompts = [
        verdict_prompt("Why does the bulb go out?", ["There is a gap in the circuit."], answer)
        for answer in ("There is a gap.", "The battery is too heavy for the shelf, and it rains.")
    ]
    labels = prompts[0].labels
    with torch.inference_mode():
        own = label_scores(
            model,
            [prompt_ids(prompt.messages, tokenizer) for prompt in prompts],
            [label_ids(label, tokenizer) for label in labels],
            tokenizer.pad_token_id,
            torch.device("cpu"),
        )
    scorer = SmolLM2Scorer(find("smollm2", MODELS), precision="float32")

    async def served() -> list[tuple[float, ...]]:
        try:
            return await scorer.score_many([prompt.messages for prompt in prompts], labels)
        finally:
            await scorer.close()

    # in service the weights are rounded again, to eight bits a row
    assert own.numpy() == pytest.approx(torch.tensor(asyncio.run(served())).numpy(), abs=0.15)


def test_the_chat_template_is_the_files_own_and_random_bases_have_the_same(base: bases.Base, tokenizer: Any) -> None:
    assert tokenizer.chat_template == bases.CHATML
    random = bases.load_tokenizer(bases.find_base("tiny-llama", "causal", MODELS), MODELS)
    assert bases.tokenizer_fingerprint(random) == bases.tokenizer_fingerprint(tokenizer)


def test_dequantised_weights_are_not_called_the_original(base: bases.Base) -> None:
    from pathlib import Path

    directory = Path(base.source)
    assert is_dequantised(directory) and "dequantised from a GGUF" in base.about
    card = (directory / "README.md").read_text()
    assert "not the publisher's weights" in card and "b179c9523d0e" in card
    before = (directory / "model.safetensors").stat().st_mtime_ns
    dequantise(next((MODELS / "smollm2").glob("*.gguf")), directory)
    assert (directory / "model.safetensors").stat().st_mtime_ns == before
