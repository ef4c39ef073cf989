"""Dropout on a CPU: as many values dropped as asked for, the same ones whenever the generator is the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from finetune import bases
from finetune.config import load_recipe
from finetune.fast_dropout import FastDropout, with_fast_dropout
from workbench.settings import Settings


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_as_many_values_are_dropped_as_asked_for_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(999, 1001, requires_grad=True)
    y = FastDropout(p)(x)
    n = x.numel()
    deviation = (p * (1 - p) / n) ** 0.5
    assert abs(float((y == 0).double().mean()) - p) < 4 * deviation + 1 / (1 << 16)
    assert y.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    y.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, y.detach())  # of what was dropped nothing is learnt
    rows = (y == 0).double().mean(dim=1)
    assert float(rows.std()) == pytest.approx((p * (1 - p) / 1001) ** 0.5, rel=0.15)  # each value for itself


def test_masks_follow_from_torchs_generator_and_no_two_are_the_same() -> None:
    drop, x = FastDropout(0.5), torch.ones(64, 64)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = drop(x), drop(x)
    torch.set_rng_state(state)
    assert torch.equal(drop(x), first) and torch.equal(drop(x), second) and not torch.equal(first, second)


def test_out_of_training_and_of_nothing_nothing_is_dropped() -> None:
    x = torch.ones(8, 8)
    assert torch.equal(FastDropout(0.5).eval()(x), x)
    assert torch.equal(FastDropout(0.0)(x), x)
    assert FastDropout(0.5)(torch.ones(0, 3)).shape == (0, 3)
    assert FastDropout(0.5)(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.weights
@pytest.mark.parametrize(("recipe", "base"), [("cpu-encoder", "tiny-encoder"), ("cpu-small", "tiny-llama")])
def test_every_dropout_of_a_model_with_an_adapter_becomes_fast(recipe: str, base: str) -> None:
    chosen = load_recipe(recipe).changed(base=base, device="cpu", dropout=0.2, targets="")
    models_dir = Settings(_env_file=None).models_dir  # type: ignore[call-arg]
    found = bases.find_base(base, chosen.kind, models_dir)
    tokenizer = bases.load_tokenizer(found, models_dir)
    model = bases.with_adapter(bases.load_model(found, tokenizer, chosen, torch.device("cpu")), chosen)
    before = sum(type(module) is nn.Dropout for module in model.modules())
    with_fast_dropout(model)
    chances = [module.p for module in model.modules() if isinstance(module, FastDropout)]
    assert len(chances) == before and 0.2 in chances
    assert not any(type(module) is nn.Dropout for module in model.modules())
