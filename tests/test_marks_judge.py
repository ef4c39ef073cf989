"""Marks from 0 to 10 from the likelihoods of eleven words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finetune.marks_judge import MarksJudge, expected_marks, verdict_places
from finetune.references import as_marked
from tests.small_corpus import many


class Sure:
    """Holds some marks for likely."""

    scored_model = "sure"

    def __init__(self, chances: dict[int, float]) -> None:
        self._logs = tuple(float(np.log(chances.get(mark, 1e-12))) for mark in range(11))

    async def score_many(self, chats: Any, labels: Any) -> list[tuple[float, ...]]:
        assert labels[0] == "zero" and labels[10] == "ten"
        assert all("zero to ten" in messages[-1]["content"] for messages in chats)
        return [self._logs] * len(chats)


@pytest.mark.parametrize(
    ("chances", "points", "verdict", "confidence"),
    [
        ({10: 1.0}, 10.0, "correct", 1.0),
        ({0: 0.5, 10: 0.5}, 5.0, "partial", 0.0),  # torn between the ends: the mean is a mark it holds for impossible
        ({5: 0.6, 6: 0.4}, 5.5, "partial", 0.6),
        ({5: 0.2, 6: 0.8}, 6.0, "correct", 0.8),  # 5.8 is shown as 6, and 6 is correct
        ({0: 0.7, 1: 0.3}, 0.5, "incorrect", 1.0),
    ],
)
def test_points_are_the_mean_and_the_verdict_follows_from_them(
    chances: dict[int, float], points: float, verdict: str, confidence: float
) -> None:
    row = as_marked(many()[0])
    mark = MarksJudge(Sure(chances)).judge(row.question, row.text)  # type: ignore[arg-type]
    assert (mark.points, mark.verdict) == (points, verdict)
    assert mark.confidence == pytest.approx(confidence, abs=1e-3)
    assert mark.judge == "marks-1 (sure)" and len(mark.evidence) == len(row.question.key_points)


def test_silence_earns_nothing_without_a_model() -> None:
    row = as_marked(many()[0])
    mark = MarksJudge(Sure({10: 1.0})).judge(row.question, "  ")  # type: ignore[arg-type]
    assert (mark.points, mark.verdict) == (0.0, "incorrect")


def test_many_at_once() -> None:
    np.testing.assert_allclose(expected_marks(np.eye(11)), np.arange(11))
    assert verdict_places(np.array([10.0, 6.0, 5.9, 3.0, 2.9])).tolist() == [0, 0, 1, 1, 2]
