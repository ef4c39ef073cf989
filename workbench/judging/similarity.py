"""The judges that use a sentence encoder: by nearness of meaning alone (`embedding`), and with the words (`hybrid`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.exam.items import Question
from workbench.exam.model import Evaluation
from workbench.judging.base import Embed
from workbench.judging.calibration import Calibration
from workbench.judging.evaluation import evaluation
from workbench.judging.features import FEATURES, Measurer

NEAR = 0.62
"""Cosine from which a passage is taken to say what a wording says; read off the calibration answers."""

_AT = {name: k for k, name in enumerate(FEATURES)}


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
        measured = self._measurer.measure(question, answer, question_text, spoken=recognition_confidence < 1)
        return evaluation(
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
        measured = self._measurer.measure(question, answer, question_text, spoken=recognition_confidence < 1)
        return evaluation(
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
