"""From a judge's probabilities to the mark: what every judge with probabilities of the key points has in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.exam.items import Question
from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.judging.calibration import STATUSES, mark_probability, marked
from workbench.judging.features import Measured

TERSE_CONFIDENCE = 0.98
"""Confidence that an answer without any word that counts earns nothing."""


def earns_nothing(measured: Measured) -> bool:
    """Whether an answer is a heap of terms, or nothing of it counts, so that no model need be asked."""
    return measured.salad or measured.empty


def evaluation(
    question: Question, measured: Measured, probabilities: NDArray[np.float64], name: str, recognised: float
) -> Evaluation:
    """The mark that follows from the likeliest status of each key point.

    Args:
        question: The question; its weights make verdict and points.
        measured: The answer; what earns nothing does so whatever the probabilities are.
        probabilities: (n_key_points, 3), in the order of `STATUSES`.
        name: Name of the judge.
        recognised: How sure the recogniser is of the words, in [0, 1].

    Returns:
        Evidence in the bank's order with words of the answer; the confidence is the probability of the verdict when the
        key points are independent of each other.
    """
    if earns_nothing(measured):
        missing = tuple(KeyPointEvidence(point.id, "missing", "", point.weight) for point in question.key_points)
        sure = 0.5 if measured.salad else TERSE_CONFIDENCE
        return Evaluation(question.id, "incorrect", 0.0, missing, round(sure * min(1.0, recognised), 3), name)
    statuses = [STATUSES[int(np.argmax(row))] for row in probabilities]
    evidence = tuple(
        KeyPointEvidence(point.id, status, _quote(status, words, quotes), point.weight)  # type: ignore[arg-type]
        for point, status, words, quotes in zip(
            question.key_points, statuses, measured.keyword, measured.quotes, strict=True
        )
    )
    verdict, points = marked(question, statuses)
    confidence = mark_probability(question, probabilities, verdict) * max(0.0, min(1.0, recognised))
    return Evaluation(question.id, verdict, points, evidence, round(confidence, 3), name)


def _quote(status: str, words: KeyPointEvidence, quotes: tuple[str, str]) -> str:
    """The words that show a status: those the wordings found where they agree, else the nearest passage."""
    if status == "missing":
        return ""
    if words.status == status and words.quote:
        return words.quote
    return quotes[0] if status == "covered" else quotes[1] or quotes[0]
