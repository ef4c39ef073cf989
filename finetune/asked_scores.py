"""How likely each outcome is to an adapter, or to its base, on rows that were drawn: what two ways of serving share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune.config import Recipe
from finetune.examples import OUTCOMES, Asked, encoder_example, label_ids, prompt_ids, prompt_of, shared_tokens

if TYPE_CHECKING:
    import torch


def asked_scores(
    model: Any, tokenizer: Any, recipe: Recipe, asked: Sequence[Asked], device: torch.device
) -> NDArray[np.float64]:
    """(n_asked, n_outcomes) normalised log-probabilities, in the order of `OUTCOMES`; -inf where a task has fewer.

    Args:
        model: In evaluation mode.
        tokenizer: Its own.
        recipe: Says what kind of model it is.
        asked: Rows; those of one task are computed together.
        device: Where the model is.
    """
    import torch

    from finetune.outcome_scores import head_scores, label_scores

    scores = no_scores(asked)
    for task in dict.fromkeys(one.task for one in asked):
        places = [place for place, one in enumerate(asked) if one.task == task]
        with torch.inference_mode():
            if recipe.kind == "encoder":
                examples = [
                    encoder_example(asked[i], tokenizer, recipe.max_tokens, with_question=recipe.with_question)
                    for i in places
                ]
                found = head_scores(model, examples, tokenizer.pad_token_id, device)
            else:
                prompts = [prompt_of(asked[i]) for i in places]
                ids = [prompt_ids(prompt.messages, tokenizer) for prompt in prompts]
                labels = [label_ids(label, tokenizer) for label in prompts[0].labels]
                shared = [shared_tokens(asked[i], row, tokenizer) for i, row in zip(places, ids, strict=True)]
                found = label_scores(model, ids, labels, tokenizer.pad_token_id, device, shared=shared)
        scores[places, : found.shape[1]] = found.numpy()
    return scores


def no_scores(asked: Sequence[Asked]) -> NDArray[np.float64]:
    """(n_asked, n_outcomes) of -inf, as wide as the task with the most outcomes."""
    return np.full((len(asked), max(len(OUTCOMES[one.task]) for one in asked)), -np.inf)


def compared(one: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, Any]:
    """How far two ways agree on the same rows.

    Args:
        one: (n, n_outcomes) normalised log-probabilities.
        other: The same of the other.

    Returns:
        `n`, `same_label` (part of the rows whose likeliest outcome is the same), `flips` (places of the others), and
        the largest and mean difference of probabilities and of the likeliest outcome's log-probability.
    """
    flips = np.flatnonzero(one.argmax(axis=1) != other.argmax(axis=1))
    chances = np.abs(np.exp(one) - np.exp(other))
    rows = np.arange(len(one))
    likeliest = one.argmax(axis=1)
    logs = np.abs(one[rows, likeliest] - other[rows, likeliest])
    return {
        "n": len(one),
        "same_label": float(1 - len(flips) / len(one)),
        "flips": flips.tolist(),
        "probability_difference": {"mean": float(chances.mean()), "largest": float(chances.max())},
        "log_probability_difference": {"mean": float(logs.mean()), "largest": float(logs.max())},
    }
