"""Dropout whose masks are drawn fast on a CPU, where PyTorch's own took half of a training step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

_STEPS = 1 << 16
"""A chance is rounded to a multiple of one part in so many."""


class FastDropout(nn.Module):
    """`nn.Dropout`; on a CPU sixteen random bits decide on a value, four values by one draw of SFC64.

    Each mask is seeded by PyTorch's generator, so that whoever restores that one gets the same masks again.

    Args:
        p: Chance that a value is dropped.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drops values in training, and scales the others up so that the mean stays."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.p)
        seed = int(torch.randint(1 << 62, ()))
        bits = np.random.SFC64(seed).random_raw(-(-x.numel() // 4)).view(np.uint16)[: x.numel()]
        kept = torch.from_numpy((bits >= round(self.p * _STEPS)).view(np.uint8)).view(x.shape)
        return _Dropped.apply(x, kept, 1 / (1 - self.p))

    def extra_repr(self) -> str:
        """What stands in a print of the model."""
        return f"p={self.p}"


class _Dropped(torch.autograd.Function):
    """The product with a mask of bytes, which is kept as such until the gradient comes."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kept: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return x * kept.to(x.dtype).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (kept,) = ctx.saved_tensors
        return gradients[0] * kept.to(gradients[0].dtype).mul_(ctx.scale), None, None


def with_fast_dropout(model: Any) -> Any:
    """The model with `FastDropout` for every `nn.Dropout` in it."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, FastDropout(child.p))
    return model
