"""Marks from 0 to 10 by a model that was trained to give them: the mean of what it thinks likely, not its favourite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune.corpora import LABELS
from finetune.graded_judge import DOUBTED, evidence_of, nothing_said, refuted
from finetune.references import references_of
from workbench.engines.bridge import wait_for
from workbench.exam import judge_prompts
from workbench.exam.grading import CORRECT_SHARE, PARTIAL_SHARE
from workbench.exam.items import Question
from workbench.exam.judge_prompts import MARK_LABELS, marks_prompt
from workbench.exam.model import MAX_POINTS, Evaluation

if TYPE_CHECKING:
    from workbench.engines.base import LabelScorer


def expected_marks(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) means of marks.

    Args:
        chances: (n, 11) probabilities of 0 to 10.
    """
    return np.asarray(chances @ np.arange(len(MARK_LABELS)))


def verdict_places(marks: NDArray[Any]) -> NDArray[np.intp]:
    """(n,) places in `LABELS` of the verdicts that follow from marks."""
    correct, partial = MAX_POINTS * CORRECT_SHARE, MAX_POINTS * PARTIAL_SHARE
    return np.where(marks >= correct, 0, np.where(marks >= partial, 1, 2)).astype(np.intp)


class MarksJudge:
    """Judges by the marks a causal adapter gives beside the reference.

    Args:
        scorer: The adapter, or a server's.
        card: What it was trained on.
    """

    def __init__(self, scorer: LabelScorer, card: Mapping[str, Any] | None = None) -> None:
        self._scorer = scorer
        self.name = f"marks-{judge_prompts.VERSION} ({scorer.scored_model})"
        self.card = dict(card or {})

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `workbench.judging.base.Judge`. It is as sure as the verdict's marks are likely."""
        if not answer.strip():
            return nothing_said(question, self.name)
        if refuted(question, answer, question_text, spoken=recognition_confidence < 1):
            return nothing_said(question, self.name, DOUBTED)
        asked = f"{question_text} {question.stem}".strip()
        prompt = marks_prompt(asked, references_of(question), answer)
        chances = np.exp(np.array(wait_for(self._scorer.score_many([prompt.messages], prompt.labels))[0]))
        points = round(2 * float(expected_marks(chances[None])[0])) / 2
        place = int(verdict_places(np.array([points]))[0])  # of the marks that are shown, not of those before rounding
        likely = float(chances[verdict_places(np.arange(len(chances))) == place].sum())
        confidence = likely * max(0.0, min(1.0, recognition_confidence))
        verdict = LABELS[place]
        return Evaluation(
            question.id,
            verdict,
            points,
            evidence_of(question, answer, verdict),
            round(confidence, 3),
            self.name,
        )
