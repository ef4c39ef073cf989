"""Batches of examples: of like lengths, in an order that seed and epoch alone decide, padded on the right side."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from finetune.examples import NO_LOSS, Example

POOL = 32
"""Batches whose rows are sorted by length together: little padding, and still another order in each epoch."""


def epoch_batches(lengths: Sequence[int], batch_rows: int, seed: int, epoch: int) -> list[list[int]]:
    """Every row once, in batches of like lengths.

    Args:
        lengths: Tokens of each row.
        batch_rows: Rows of a batch; the last one may have fewer.
        seed: Of the order.
        epoch: Which epoch; each has an order of its own.
    """
    rng = random.Random(f"{seed}:{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches = []
    for start in range(0, len(order), POOL * batch_rows):
        pool = sorted(order[start : start + POOL * batch_rows], key=lambda i: lengths[i])
        batches += [pool[at : at + batch_rows] for at in range(0, len(pool), batch_rows)]
    rng.shuffle(batches)
    return batches


def causal_batch(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """(n_rows, n_tokens) ids, mask, positions and labels, padded on the left: every label ends where the row ends."""
    longest = max(len(example.input_ids) for example in examples)

    def padded(rows: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
        return torch.tensor([[*[fill] * (longest - len(row)), *row] for row in rows])

    mask = padded([[1] * len(example.input_ids) for example in examples], 0)
    return {
        "input_ids": padded([example.input_ids for example in examples], pad_id),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0),
        "labels": padded([example.labels for example in examples], NO_LOSS),
    }


def encoder_batch(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """(n_rows, n_tokens) ids, mask and, where the model has them, token types, padded on the right."""
    longest = max(len(example.input_ids) for example in examples)

    def padded(rows: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])

    batch = {
        "input_ids": padded([example.input_ids for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example.input_ids) for example in examples], 0),
    }
    if examples[0].token_types:
        batch["token_type_ids"] = padded([example.token_types for example in examples], 0)
    return batch
