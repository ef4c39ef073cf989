"""Likelihoods of a few fixed replies from a CTranslate2 generator: one step of the model, no text is made.

A label of several tokens needs the model's word after each of its beginnings: the prompt alone gives the first token's
probability, the prompt with the first token the second's. Every such row is a sequence of its own. The rows begin
alike, mostly up to the last line of the prompt, and that beginning is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tokens = tuple[str, ...]

ROWS_TOKENS = 2048
"""Tokens of all rows that are held at once, some 280 MB of state in SmolLM2-135M: the beginning that is read once is
copied for each row."""


def check_labels(labels: Sequence[Sequence[object]]) -> None:
    """Refuses labels whose likelihoods cannot be compared: they would overlap.

    Args:
        labels: Two or more, each a text or its tokens.

    Raises:
        ValueError: There are fewer than two, or one is empty or begins with another.
    """
    if len(labels) < 2:
        raise ValueError(f"scoring needs two labels or more, got {list(labels)}")
    for i, label in enumerate(labels):
        for other in (*labels[:i], *labels[i + 1 :]):
            if label[: len(other)] == other:
                raise ValueError(
                    f"the label {label!r} begins with {other!r}, or is the same; each must begin in its own way"
                )


def normalised(scores: Sequence[float]) -> tuple[float, ...]:
    """Log-likelihoods less the logarithm of their sum, so that their exponentials sum to 1."""
    values = np.asarray(scores, dtype=np.float64)
    return tuple(float(value) for value in values - _log_sum_exp(values))


def label_scores(
    generator: Any,
    prompts: Sequence[Sequence[str]],
    labels: Sequence[Sequence[str]],
    id_of: Callable[[str], int],
    check: Callable[[], None] = lambda: None,
) -> list[tuple[float, ...]]:
    """Normalised log-likelihoods of the labels after each prompt.

    Args:
        generator: A `ctranslate2.Generator`.
        prompts: Tokens of each prompt, up to where the reply begins.
        labels: Tokens of each label.
        id_of: Token to its place in the vocabulary.
        check: Called between batches; raises when nobody waits any more.

    Returns:
        For each prompt the sum over each label's tokens of log p(token | prompt, tokens before), less the logarithm of
        the labels' common likelihood.

    Raises:
        ValueError: The labels overlap.
    """
    whole: list[Tokens] = [tuple(label) for label in labels]
    check_labels(whole)
    following: dict[tuple[int, Tokens], NDArray[np.float64]] = {}
    for beginning in dict.fromkeys(label[:n] for label in whole for n in range(len(label))):
        for chunk in _chunks(range(len(prompts)), [len(prompt) + len(beginning) for prompt in prompts]):
            check()
            found = _next_log_probabilities(generator, [[*prompts[i], *beginning] for i in chunk])
            following.update(((i, beginning), row) for i, row in zip(chunk, found, strict=True))
    return [
        normalised([sum(following[i, label[:n]][id_of(token)] for n, token in enumerate(label)) for label in whole])
        for i in range(len(prompts))
    ]


def _next_log_probabilities(generator: Any, rows: Sequence[Sequence[str]]) -> list[NDArray[np.float64]]:
    """(n_vocabulary,) of each row: log-probabilities of the token that follows."""
    n_shared = _n_shared(rows)
    results = generator.generate_batch(
        [list(row[n_shared:]) for row in rows],
        static_prompt=list(rows[0][:n_shared]) or None,
        # CTranslate2 never forgets a beginning it was told to keep, and a candidate's words are in this one
        cache_static_prompt=False,
        include_prompt_in_result=False,
        max_length=1,
        return_logits_vocab=True,
    )
    found = []
    for result in results:
        # the tokens a row has beyond the shortest one are steps too; the last step is the one that was asked for
        logits = np.array(result.logits[0][-1], dtype=np.float64)
        found.append(logits - _log_sum_exp(logits))
    return found


def _n_shared(rows: Sequence[Sequence[str]]) -> int:
    """Tokens all rows begin with, less what leaves each row two of its own.

    With one, and rows of different lengths, CTranslate2 4.8 gives the longer ones' steps wrong numbers.
    """
    most = max(0, min(len(row) for row in rows) - 2)
    for n in range(most):
        if any(row[n] != rows[0][n] for row in rows):
            return n
    return most


def _chunks(rows: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    chunk: list[int] = []
    n_tokens = 0
    for row, length in zip(rows, lengths, strict=True):
        if chunk and n_tokens + length > ROWS_TOKENS:
            yield chunk
            chunk, n_tokens = [], 0
        chunk.append(row)
        n_tokens += length
    if chunk:
        yield chunk


def _log_sum_exp(values: NDArray[np.float64]) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))
