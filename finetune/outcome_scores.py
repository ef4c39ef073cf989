"""How likely each outcome is by a model in PyTorch: a causal model's labels, or an encoder's head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from finetune.batches import causal_batch, encoder_batch, row_batches, shared_batch
from finetune.examples import NO_LOSS, Example

ROWS_AT_ONCE = {"cpu": 16, "cuda": 128}
"""Computed together, by the kind of device."""


def label_scores(
    model: Any,
    prompts: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    pad_id: int,
    device: torch.device,
    rows_at_once: int = 0,
    shared: Sequence[int] = (),
) -> torch.Tensor:
    """Normalised log-likelihoods of labels after each prompt.

    Args:
        model: A causal model in evaluation mode.
        prompts: Ids of each prompt.
        labels: Ids of each label, none of which begins with another.
        pad_id: Id that fills short rows up.
        device: Where the model is.
        rows_at_once: Prompts computed together, sorted by length; 0 leaves that to the device.
        shared: How many tokens at the start of each other prompts may have too, which are read once; empty for none.

    Returns:
        (n_prompts, n_labels) float64 on the CPU: the sum over each label's tokens of
        log p(token | prompt, tokens before), less the logarithm of the labels' common likelihood.
    """
    scores = torch.zeros(len(prompts), len(labels), dtype=torch.float64)
    beginnings = list(dict.fromkeys(tuple(label[:n]) for label in labels for n in range(len(label))))
    starts = [tuple(prompt[:n]) for prompt, n in zip(prompts, shared or [0] * len(prompts), strict=True)]
    for rows in row_batches(starts, [len(prompt) for prompt in prompts], rows_at_once or _at_once(device)):
        following = {}
        for beginning in beginnings:
            examples = [_unmarked((*prompts[i], *beginning), len(starts[i])) for i in rows]
            logits = _last_logits(model, examples, pad_id, device, 1)[:, -1]
            following[beginning] = torch.log_softmax(logits.double().cpu(), dim=-1)
        for place, label in enumerate(labels):
            for n, token in enumerate(label):
                scores[rows, place] += following[tuple(label[:n])][:, token]
    return scores - torch.logsumexp(scores, dim=1, keepdim=True)


def head_scores(
    model: Any, examples: Sequence[Example], pad_id: int, device: torch.device, rows_at_once: int = 0
) -> torch.Tensor:
    """(n_examples, n_outcomes) float64 log-probabilities by an encoder's head, on the CPU."""
    scores = torch.zeros(len(examples), model.config.num_labels, dtype=torch.float64)
    lengths = [len(example.input_ids) for example in examples]
    for rows in row_batches([()] * len(examples), lengths, rows_at_once or _at_once(device)):
        batch = encoder_batch([examples[i] for i in rows], pad_id)
        scores[rows] = torch.log_softmax(model(**_moved(batch, device)).logits.double().cpu(), dim=-1)
    return scores


def row_losses(model: Any, examples: Sequence[Example], pad_id: int, device: torch.device, kind: str) -> torch.Tensor:
    """(n_examples,) cross entropy of each: summed over the label's tokens, their mean where the label is written text,
    or that of the head's outcome."""
    if kind == "encoder":
        batch = _moved(encoder_batch(examples, pad_id), device)
        places = torch.tensor([example.place for example in examples], device=device)
        return torch.nn.functional.cross_entropy(model(**batch).logits.float(), places, reduction="none")
    longest = max(sum(label != NO_LOSS for label in example.labels) for example in examples)
    logits = _last_logits(model, examples, pad_id, device, longest + 1)[:, :-1].float()
    labels = [[*[NO_LOSS] * (longest - len(example.labels)), *example.labels[-longest:]] for example in examples]
    wanted = torch.tensor(labels, device=device)
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), ignore_index=NO_LOSS, reduction="none"
    )
    lengths = [sum(label != NO_LOSS for label in one.labels) if one.task == "feedback" else 1 for one in examples]
    return losses.view(wanted.shape).sum(dim=1) / torch.tensor(lengths, device=device)


def _last_logits(
    model: Any, examples: Sequence[Example], pad_id: int, device: torch.device, n_last: int
) -> torch.Tensor:
    """(n_examples, n_last, n_vocabulary) after the last steps of each; what neighbours begin with is read once.

    Only these steps are projected onto the vocabulary: it is most of the memory, and nothing else is asked for.
    """
    parts = shared_batch(examples, pad_id, n_last)
    if parts is None:
        batch = _moved(causal_batch(examples, pad_id), device)
        batch.pop("labels")
        return model(**batch, use_cache=False, logits_to_keep=n_last).logits
    read = model(**_moved(parts.starts, device), use_cache=True, logits_to_keep=1).cache
    read.batch_select_indices(parts.of_row.to(device))
    return model(**_moved(parts.ends, device), cache=read, use_cache=True, logits_to_keep=n_last).logits


def _at_once(device: torch.device) -> int:
    return ROWS_AT_ONCE.get(device.type, ROWS_AT_ONCE["cpu"])


def _unmarked(ids: Sequence[int], shared: int) -> Example:
    return Example(tuple(ids), (NO_LOSS,) * len(ids), (), "verdict", 0, shared)


def _moved(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}
