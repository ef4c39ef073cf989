"""The floor every judge has to beat: the answer's words and their overlap with the reference, logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from finetune.corpora import LABELS
from finetune.pair_features import Pair, tokens


class FloorGrader:
    """TF-IDF of the answer's words and pairs of words, beside its overlap with the references."""

    name = "tfidf-1"

    def __init__(self) -> None:
        self._words: Any = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        self._model: Any = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced")

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        """Learns; see `Grader`."""
        self._words.fit([text for pair in pairs for text in (pair.answer, *pair.references)])
        self._model.fit(self._features(pairs), [LABELS.index(label) for label in labels])

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3); see `Grader`."""
        return np.asarray(self._model.predict_proba(self._features(pairs)))

    def _features(self, pairs: Sequence[Pair]) -> Any:
        said = self._words.transform([pair.answer for pair in pairs])
        rows = []
        for pair, answer in zip(pairs, said, strict=True):
            near = (self._words.transform(pair.references) @ answer.T).toarray().max()
            rows.append([near, *max(_overlap(pair.answer, text) for text in pair.references)])
        return hstack([said, csr_matrix(np.array(rows))]).tocsr()


def _overlap(answer: str, reference: str) -> tuple[float, float, float, float]:
    said, wanted = set(tokens(answer)), set(tokens(reference))
    both = len(said & wanted)
    return (
        both / max(1, len(said | wanted)),
        both / max(1, len(wanted)),
        both / max(1, len(said)),
        min(2.0, len(said) / max(1, len(wanted))),
    )
