"""Batches of examples: of like lengths, in an order that seed and epoch alone decide, padded on the right side."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from finetune.examples import NO_LOSS, Example

POOL = 32
"""Batches whose rows are sorted by length together: little padding, and still another order in each epoch."""


MIXED = 5
"""Tokens by which answers to one question may differ and still change places: no epoch bundles them as another did."""


def epoch_batches(
    lengths: Sequence[int],
    batch_rows: int,
    seed: int,
    epoch: int,
    starts: Sequence[Hashable] = (),
    together: int = 1,
) -> list[list[int]]:
    """Every row once, in batches of like lengths; as many batches in each epoch.

    Args:
        lengths: Tokens of each row.
        batch_rows: Rows of a batch; the last one may have fewer, and those with the last rows of a start.
        seed: Of the order.
        epoch: Which epoch; each has an order of its own.
        starts: What each row begins with, where `together` is more than 1.
        together: Most rows of one start that lie beside each other in a batch.
    """
    rng = random.Random(f"{seed}:{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    bundles = [[i] for i in order]
    if together > 1:
        of_start: dict[Hashable, list[int]] = {}
        for i in sorted(order, key=lambda i: lengths[i] + rng.uniform(-MIXED, MIXED)):
            of_start.setdefault(starts[i], []).append(i)
        bundles = [rows[at : at + together] for rows in of_start.values() for at in range(0, len(rows), together)]
        rng.shuffle(bundles)
    n_bundles = max(1, batch_rows // together)
    batches = []
    for start in range(0, len(bundles), POOL * n_bundles):
        pool = sorted(bundles[start : start + POOL * n_bundles], key=lambda rows: max(lengths[i] for i in rows))
        batches += [sum(pool[at : at + n_bundles], []) for at in range(0, len(pool), n_bundles)]
    rng.shuffle(batches)
    return batches


def row_batches(starts: Sequence[Hashable], lengths: Sequence[int], batch_rows: int) -> list[list[int]]:
    """Every row once, those of one start beside each other, in batches of like lengths.

    Args:
        starts: What each row begins with.
        lengths: Tokens of each row.
        batch_rows: Most rows of a batch.
    """
    of_start: dict[Hashable, list[int]] = {}
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        of_start.setdefault(starts[i], []).append(i)
    order = [i for rows in sorted(of_start.values(), key=lambda rows: lengths[rows[-1]]) for i in rows]
    return [order[at : at + batch_rows] for at in range(0, len(order), batch_rows)]


def causal_batch(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """(n_rows, n_tokens) ids, mask, positions and labels, padded on the left: every label ends where the row ends."""
    batch = left_padded([example.input_ids for example in examples], pad_id)
    n_tokens = batch["input_ids"].shape[1]
    labels = [[*[NO_LOSS] * (n_tokens - len(example.labels)), *example.labels] for example in examples]
    return batch | {"labels": torch.tensor(labels)}


@dataclass(frozen=True)
class SharedBatch:
    """Rows cut in two, so that what several begin with is read once.

    Attributes:
        starts: (n_starts, n_tokens) ids, mask and positions of what is shared.
        of_row: (n_rows,) which start each row goes on from.
        ends: (n_rows, n_tokens) ids and positions of the rest, and the mask over start and rest.
    """

    starts: dict[str, torch.Tensor]
    of_row: torch.Tensor
    ends: dict[str, torch.Tensor]


def shared_batch(examples: Sequence[Example], pad_id: int, n_last: int) -> SharedBatch | None:
    """The rows cut after what neighbours share; None where no two neighbours share anything, or a row is all end.

    Args:
        examples: The rows.
        pad_id: Id that fills short rows up, on the left.
        n_last: Steps at the end of each row that stay in its second part.
    """
    bundles = [list(rows) for _, rows in groupby(examples, key=lambda one: one.start or id(one))]
    if len(bundles) == len(examples):
        return None
    cuts = [
        min([rows[0].shared or len(rows[0].input_ids), *(len(one.input_ids) - n_last for one in rows)])
        for rows in bundles
    ]
    if min(cuts) < 1:
        return None
    starts = left_padded([rows[0].input_ids[:cut] for rows, cut in zip(bundles, cuts, strict=True)], pad_id)
    of_row = torch.tensor([n for n, rows in enumerate(bundles) for _ in rows])
    ends = left_padded([one.input_ids[cut:] for rows, cut in zip(bundles, cuts, strict=True) for one in rows], pad_id)
    mask = torch.cat([starts["attention_mask"][of_row], ends["attention_mask"]], dim=1)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, starts["attention_mask"].shape[1] :]
    return SharedBatch(starts, of_row, ends | {"attention_mask": mask, "position_ids": positions})


def left_padded(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """(n_rows, n_tokens) ids, mask and positions of rows that end together."""
    longest = max(map(len, rows))
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return {
        "input_ids": torch.tensor([[*[pad_id] * (longest - len(row)), *row] for row in rows]),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0),
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
