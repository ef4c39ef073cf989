"""What can be measured of an answer about one key point: words found, and nearness of meaning, by stance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench.exam.grading import find_point, is_salad
from workbench.exam.items import KeyPoint, Question
from workbench.exam.matching import Answer, read_answer
from workbench.exam.model import KeyPointEvidence
from workbench.exam.spoken_terms import read_terms
from workbench.judging.base import Embed, Vectors
from workbench.judging.passages import Passage, denies, passages

FEATURES = (
    "words_exact", "words_near", "words_considered", "words_denied", "mistake_words",
    "near", "near_over_5", "near_over_7", "near_text", "near_opposite", "near_mistake", "near_mistake_opposite",
    "near_less_mistake", "apart", "terms", "terms_claimed", "length", "hedged", "others", "n_points",
)  # fmt: skip
"""Names of a key point's features, in order; all lie in about [-1, 1]."""


@dataclass(frozen=True)
class Measured:
    """An answer measured against a question.

    Attributes:
        features: (n_key_points, n_features) float64.
        keyword: What the words alone say of each key point.
        quotes: The passage nearest to each key point's right wordings, and the one nearest to its mistakes.
        salad: Whether it is a heap of terms and no answer.
        empty: Whether nothing of it counts.
        doubt: How much the words leave open for each key point.
    """

    features: NDArray[np.float64]
    keyword: tuple[KeyPointEvidence, ...]
    quotes: tuple[tuple[str, str], ...]
    salad: bool
    empty: bool
    doubt: tuple[float, ...]


class Measurer:
    """Measures answers with one sentence encoder; the vectors of the bank's wordings are kept.

    Args:
        embed: The encoder.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._kept: dict[str, NDArray[np.float32]] = {}

    def measure(self, question: Question, answer: str, question_text: str, *, spoken: bool = False) -> Measured:
        """Measures one answer; see `Judge.judge` and `read_answer` for the arguments."""
        read = read_answer(question, answer, f"{question_text} {question.stem}", spoken=spoken)
        found = [find_point(point, read) for point in question.key_points]
        said = passages(read)
        vectors = self._embed([passage.text for passage in said]) if said else np.zeros((0, 1), np.float32)
        near = [_nearness(self, point, said, vectors) for point in question.key_points]
        covered = [one.status == "covered" for one in found]
        rows, quotes = [], []
        for k, (point, one, close) in enumerate(zip(question.key_points, found, near, strict=True)):
            others = [other.right for i, other in enumerate(near) if i != k]
            words = one.evidence.status
            terms, claimed = _terms_said(point, read)
            row = {
                "words_exact": words == "covered" and one.doubt == 0,
                "words_near": words == "covered" and 0 < one.doubt < 0.2,
                "words_considered": words == "covered" and one.doubt >= 0.2,
                "words_denied": words == "contradicted" and not one.mistaken,
                "mistake_words": one.mistaken,
                "near": close.right,
                "near_over_5": max(0.0, close.right - 0.5),
                "near_over_7": max(0.0, close.right - 0.7),
                "near_text": close.text,
                "near_opposite": close.opposite,
                "near_mistake": close.mistake,
                "near_mistake_opposite": close.mistake_opposite,
                "near_less_mistake": close.right - close.mistake,
                "apart": close.right - (sum(others) / len(others) if others else 0.0),
                "terms": terms,
                "terms_claimed": claimed,
                "length": min(1.0, math.log1p(len(read.terms)) / 5),
                "hedged": min(1.0, read.n_hedges / 5),
                "others": (sum(covered) - covered[k]) / max(1, len(covered) - 1),
                "n_points": len(found) / 6,
            }
            rows.append([float(row[name]) for name in FEATURES])
            quotes.append((close.right_quote, close.mistake_quote))
        return Measured(
            np.array(rows),
            tuple(one.evidence for one in found),
            tuple(quotes),
            is_salad(read, question),
            not said,
            tuple(one.doubt for one in found),
        )

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts of the bank, each encoded once."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if missing:
            self._kept.update(zip(missing, self._embed(missing), strict=True))
        return np.stack([self._kept[text] for text in texts])


@dataclass(frozen=True)
class _Near:
    right: float = 0.0
    text: float = 0.0
    opposite: float = 0.0
    mistake: float = 0.0
    mistake_opposite: float = 0.0
    right_quote: str = ""
    mistake_quote: str = ""


def _nearness(measurer: Measurer, point: KeyPoint, said: Sequence[Passage], vectors: Vectors) -> _Near:
    """Greatest similarities of the passages to a key point's wordings, with the same stance and the opposite one."""
    if not said:
        return _Near()
    right = [point.text, *([point.said] if point.said else []), *point.accepted]
    denied = np.array([passage.denied for passage in said])

    def best(wordings: Sequence[str]) -> tuple[float, float, str, NDArray[np.float32]]:
        similar = vectors @ measurer.vectors(wordings).T
        same = denied[:, None] == np.array([_denies(text) for text in wordings])[None, :]
        matching = np.where(same, similar, 0.0)
        top = int(np.argmax(matching.max(axis=1)))
        return float(matching.max()), float(np.where(same, 0.0, similar).max()), said[top].text, matching

    right_sim, opposite, quote, matching = best(right)
    mistake, mistake_opposite, mistake_quote = 0.0, 0.0, ""
    if point.misconceptions:
        mistake, mistake_opposite, mistake_quote, _ = best(point.misconceptions)
    return _Near(
        max(0.0, right_sim),
        max(0.0, float(matching[:, 0].max())),
        max(0.0, opposite),
        max(0.0, mistake),
        max(0.0, mistake_opposite),
        quote,
        mistake_quote,
    )


@lru_cache(maxsize=16384)
def _denies(text: str) -> bool:
    return denies(text)


@lru_cache(maxsize=4096)
def _own_terms(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(term.stem for text in texts for term in read_terms(text) if not term.is_small)


def _terms_said(point: KeyPoint, answer: Answer) -> tuple[float, float]:
    """Share of the telling terms of the key point's sentence that the answer holds at all, and that it claims."""
    own = _own_terms((point.text, point.said))
    if not own:
        return 0.0, 0.0
    held = {item.stem for item in answer.content}
    claimed = {item.stem for item in answer.content if item.stance == "claimed"}
    return len(own & held) / len(own), len(own & claimed) / len(own)
