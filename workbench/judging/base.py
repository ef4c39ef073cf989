"""What every judge is, and when a mark is not to be trusted without a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.exam.items import Question
from workbench.exam.model import Evaluation

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts to unit vectors, (n_texts, n_dimensions) float32; cosine similarity is their inner product."""

MODERATE_BELOW = 0.6
"""Confidence under which a person should look at a mark."""


class Judge(Protocol):
    """Marks answers. Pure and blocking: the caller keeps it off the event loop."""

    @property
    def name(self) -> str:
        """Name and version, as it stands beside each mark."""
        ...

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer.

        Args:
            question: The question with its key points.
            answer: What the candidate said, before and after a probe.
            question_text: Scenario and stem as the candidate heard them; taken-over runs of them do not count.
            recognition_confidence: How sure the recogniser is of the words, in [0, 1].

        Returns:
            The mark; evidence in the bank's order, quotes are pieces of `answer` as it stands.
        """
        ...
