"""An answer as the members of the hybrid grader see it: measures, terms, and vectors beside the nearest reference's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.pair_features import Idf, Pair, aligned_terms, lexical, nearness
from finetune.vectors import Vectors

NOTHING = "nothing"
"""What is encoded for an answer without a word."""


@dataclass(frozen=True)
class Views:
    """Answers as the members see them.

    Attributes:
        measures: (n, n_features) float64, see `finetune.pair_features`.
        terms: Names of stems shared, missing and added, by answer.
        said: (n, n_dimensions) vectors of the answers, by encoder.
        right: (n, n_dimensions) vectors of the reference nearest to each.
        told: (n, 3 n_voices) log-probabilities of the labels by adapters; of no columns where there are none, no
            numbers where none may be asked.
    """

    measures: NDArray[np.float64]
    terms: list[list[str]]
    said: dict[str, NDArray[np.float32]]
    right: dict[str, NDArray[np.float32]]
    told: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.intp]) -> Views:
        """Some of the answers."""
        return Views(
            self.measures[chosen],
            [self.terms[i] for i in chosen],
            {name: rows[chosen] for name, rows in self.said.items()},
            {name: rows[chosen] for name, rows in self.right.items()},
            self.told[chosen],
        )


def texts_of(pair: Pair) -> Iterator[str]:
    """Every text of a pair that is encoded."""
    yield pair.answer.strip() or NOTHING
    yield pair.question
    yield from pair.references


def views_of(
    pairs: Sequence[Pair], idf: Idf, vectors: Mapping[str, Vectors], told: NDArray[np.float64] | None = None
) -> Views:
    """Looks at answers.

    Args:
        pairs: The answers.
        idf: Of stems.
        vectors: By encoder.
        told: What adapters say of each, where there are any.
    """
    rows = []
    said: dict[str, list[NDArray[np.float32]]] = {name: [] for name in vectors}
    right: dict[str, list[NDArray[np.float32]]] = {name: [] for name in vectors}
    for pair in pairs:
        measured = lexical(pair, idf)
        for name, vector in vectors.items():
            measured |= nearness(pair, vector, name)
            own = vector(pair.answer.strip() or NOTHING)
            references = np.stack([vector(text) for text in pair.references])
            said[name].append(own)
            right[name].append(references[int(np.argmax(references @ own))])
        rows.append(list(measured.values()))
    return Views(
        np.array(rows),
        [aligned_terms(pair, idf) for pair in pairs],
        {name: np.stack(found) for name, found in said.items()},
        {name: np.stack(found) for name, found in right.items()},
        np.zeros((len(pairs), 0)) if told is None else told,
    )
