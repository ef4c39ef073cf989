"""The judges that use a sentence encoder: by nearness of meaning alone (`embedding`), and with the words (`hybrid`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.exam.items import Question
from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.judging.base import Embed
from workbench.judging.calibration import STATUSES, Calibration, mark_probability, marked
from workbench.judging.features import FEATURES, Measured, Measurer

NEAR = 0.62
"""Cosine from which a passage is taken to say what a wording says; read off the calibration answers."""

_AT = {name: k for k, name in enumerate(FEATURES)}

TERSE_CONFIDENCE = 0.98
"""Confidence that an answer without any word that counts earns nothing."""


class EmbeddingJudge:
    """Covered is what is near in meaning, contradicted what is nearer to a mistake, or near with the opposite stance.

    Args:
        embed: The sentence encoder.
    """

    name = "embedding-1"

    def __init__(self, embed: Embed) -> None:
        self._measurer = Measurer(embed)

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`."""
        measured = self._measurer.measure(question, answer, question_text)
        return _evaluation(
            question, measured, np.stack([_by_nearness(row) for row in measured.features]), self.name,
            recognition_confidence,
        )  # fmt: skip


class HybridJudge:
    """Words and nearness of meaning, weighed by a fitted model.

    Args:
        embed: The sentence encoder.
        calibration: The model; None takes the one that comes with the program.
    """

    name = "hybrid-1"

    def __init__(self, embed: Embed, calibration: Calibration | None = None) -> None:
        self._measurer = Measurer(embed)
        self._calibration = calibration or Calibration.load()

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`."""
        measured = self._measurer.measure(question, answer, question_text)
        return _evaluation(
            question, measured, self._calibration.probabilities(measured.features), self.name, recognition_confidence
        )


def _by_nearness(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of the three statuses from similarities alone: a logistic step of width .05 around `NEAR`."""
    right, mistake = row[_AT["near"]], max(row[_AT["near_mistake"]], row[_AT["near_opposite"]])

    def step(similarity: float) -> float:
        return float(1 / (1 + np.exp((NEAR - similarity) / 0.05)))

    wrong = step(mistake) * float(1 / (1 + np.exp((right - mistake) / 0.03)))
    covered = step(right) * (1 - wrong)
    return np.array([covered, wrong, max(0.0, 1 - covered - wrong)])


def _evaluation(
    question: Question, measured: Measured, probabilities: NDArray[np.float64], name: str, recognised: float
) -> Evaluation:
    if measured.salad or measured.empty:
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
