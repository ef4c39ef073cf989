"""What a candidate is told about an answer, in spoken sentences that claim what the evidence holds and no more."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.exam.items import KeyPoint, Question
from workbench.exam.model import Evaluation

_VERDICTS = {
    "correct": ("That is right.", "Yes, well answered.", "Good, that is correct."),
    "partial": ("That is partly right.", "You have part of it.", "Part of that is right."),
    "incorrect": ("That is not right.", "No, I am afraid not.", "That does not answer it."),
}
_UNSAID = ("I have not heard an answer to this one.", "There was no answer to mark here.")
_RIGHT = ("You named {points}.", "You mentioned {points}.", "I heard {points}.")
_MISSING = ("What was missing is {points}.", "You did not mention {points}.", "A full answer also has {points}.")
_WRONG = ("One thing to correct: {point}", "I have to correct one thing: {point}")
_MOST_POINTS = 3


@dataclass(frozen=True)
class Feedback:
    """Four pieces of feedback, any of which may be empty.

    Attributes:
        verdict_line: Right, partly right or not.
        right: What the candidate got right.
        missing: What was contradicted, then what was missing.
        model_answer: A full answer.
    """

    verdict_line: str
    right: str
    missing: str
    model_answer: str


def feedback(question: Question, evaluation: Evaluation, *, seed: int = 0, answered: bool = True) -> Feedback:
    """Words the evidence of one evaluation.

    Args:
        question: The question that was marked.
        evaluation: Its mark; key points it has no evidence for are not spoken of.
        seed: Chooses among the phrasings; the same seed gives the same words.
        answered: Whether there was an answer at all; "that is not right" is no reply to silence.
    """
    choose = random.Random(f"{seed}:{question.id}")
    by_status = {status: _heaviest(question, evaluation, status) for status in ("covered", "contradicted", "missing")}
    verdict_line = choose.choice(_VERDICTS[evaluation.verdict] if answered else _UNSAID)
    right = _sentence(choose.choice(_RIGHT), by_status["covered"])
    wrong = by_status["contradicted"]
    parts = []
    if wrong:
        parts.append(choose.choice(_WRONG).format(point=_stopped(wrong[0].text)))
    missing = choose.choice(_MISSING)
    if by_status["missing"]:
        parts.append(_sentence(missing, by_status["missing"], "or" if "not mention" in missing else "and"))
    return Feedback(verdict_line, right, " ".join(parts), question.model_answer)


def feedback_lines(question: Question, evaluation: Evaluation, *, seed: int = 0) -> tuple[str, ...]:
    """The same as a sequence of sentences to speak, empty ones left out."""
    worded = feedback(question, evaluation, seed=seed)
    return tuple(line for line in (worded.verdict_line, worded.right, worded.missing, worded.model_answer) if line)


def phrase(point: KeyPoint) -> str:
    """A key point as it stands inside a sentence."""
    return (point.said or point.text).strip().rstrip(".")


def _heaviest(question: Question, evaluation: Evaluation, status: str) -> list[KeyPoint]:
    chosen = {e.key_point_id for e in evaluation.evidence if e.status == status}
    points = [point for point in question.key_points if point.id in chosen]
    return sorted(points, key=lambda point: -point.weight)[:_MOST_POINTS]


def _sentence(pattern: str, points: Sequence[KeyPoint], last: str = "and") -> str:
    if not points:
        return ""
    names = [phrase(point) for point in points]
    joined = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, {last} {names[-1]}"
    return pattern.format(points=joined)


def _stopped(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
