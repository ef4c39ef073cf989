"""Several judges on one answer: the middle mark, and how far they disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from workbench.exam.items import Question
from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.judging.base import Judge
from workbench.judging.calibration import marked


class Panel:
    """Each key point by majority; where no status has one, it counts as missing and a person should look.

    Args:
        judges: Two or more; the first one's words are quoted where it agrees with the majority.
    """

    def __init__(self, judges: Sequence[Judge]) -> None:
        if len(judges) < 2:
            raise ValueError(f"a panel needs two judges or more, got {len(judges)}")
        self._judges = tuple(judges)
        self.name = f"panel({'+'.join(judge.name for judge in judges)})"

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; the confidence is the mean of the judges' times the share that agree on the verdict."""
        marks = [
            judge.judge(question, answer, question_text=question_text, recognition_confidence=recognition_confidence)
            for judge in self._judges
        ]
        evidence = tuple(_agreed(votes) for votes in zip(*(mark.evidence for mark in marks), strict=True))
        verdict, points = marked(question, [one.status for one in evidence])
        agree = sum(mark.verdict == verdict for mark in marks) / len(marks)
        confidence = agree * sum(mark.confidence for mark in marks) / len(marks)
        return Evaluation(question.id, verdict, points, evidence, round(confidence, 3), self.name)


def disagreement(marks: Sequence[Evaluation]) -> float:
    """Largest difference in points between judges, as a share of the ten there are."""
    return (max(mark.points for mark in marks) - min(mark.points for mark in marks)) / 10


def _agreed(votes: Sequence[KeyPointEvidence]) -> KeyPointEvidence:
    (status, n_votes), *_ = Counter(vote.status for vote in votes).most_common()
    if 2 * n_votes <= len(votes):
        return replace(votes[0], status="missing", quote="")
    return next(vote for vote in votes if vote.status == status)
