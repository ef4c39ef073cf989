"""Questions that come with reference answers only: their propositions as key points, alternatives side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from finetune.answers import Marked
from finetune.corpora import Record
from workbench.exam.items import KeyPoint, Question
from workbench.exam.model import Evaluation
from workbench.exam.spoken_terms import read_terms
from workbench.judging.base import Judge

MOST_POINTS = 6
"""Key points a question may have; a longer reference keeps its last propositions together."""

_SENTENCES = re.compile(r"(?<=[.!?;])\s+|[●•\[\]\n]+")
_CLAUSES = re.compile(
    r",?\s+(?=(?:but|because|so|which|while|whereas|if|when|then|until|leaving)\s"
    r"|and\s+(?:it|they|he|she|there|this|that|the|is|are|was|were|has|have|had|will|would|can|could|do|does|so)\s)"
)
"""Where a clause begins; a bare comma or "and" mostly stands inside a list ("terminals 1, 2 and 3")."""


@dataclass(frozen=True)
class ReferenceQuestion(Question):
    """A question made of reference answers.

    Its own key points are those of the fullest reference, so that any judge can mark it.

    Attributes:
        references: Right answers, each right by itself.
        alternatives: The same question, once for each reference, with that reference's key points.
    """

    references: tuple[str, ...] = ()
    alternatives: tuple[Question, ...] = ()


@lru_cache(maxsize=4096)
def reference_question(question_id: str, stem: str, references: tuple[str, ...]) -> ReferenceQuestion:
    """A question with the propositions of its references as key points of equal weight.

    Several references are alternatives: Beetle's authors listed ways to be right, of which a student needs one. So
    each makes a question of its own, and `BestReference` takes the best mark.

    Args:
        question_id: Its id.
        stem: What was asked.
        references: Right answers, at least one.
    """
    alternatives = tuple(
        Question(question_id, stem, _key_points(text, stem), text, 3, "understand", ()) for text in references
    )
    fullest = max(alternatives, key=lambda q: (len(q.key_points), len(q.model_answer)))
    return ReferenceQuestion(
        question_id, stem, fullest.key_points, fullest.model_answer, 3, "understand", (),
        references=references, alternatives=alternatives,
    )  # fmt: skip


def references_of(question: Question) -> tuple[str, ...]:
    """The right answers to a question: its references, or its model answer."""
    return question.references if isinstance(question, ReferenceQuestion) else (question.model_answer,)


def as_marked(record: Record) -> Marked:
    """A record in the form in which every judge is measured."""
    question = reference_question(record.question_id, record.question, record.references)
    return Marked(question, "", record.corpus, record.split, record.answer, record.label, record.points)


class BestReference:
    """Gives each answer the best of the marks that its question's alternatives earn.

    Args:
        judge: Marks each alternative.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.name = judge.name

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`. The evidence is that of the reference which served the answer best."""
        asked = question.alternatives if isinstance(question, ReferenceQuestion) else (question,)
        marks = [
            self._judge.judge(one, answer, question_text=question_text, recognition_confidence=recognition_confidence)
            for one in asked
        ]
        return max(marks, key=lambda mark: (mark.points, mark.confidence))


def propositions(text: str, stem: str = "") -> tuple[str, ...]:
    """The sentences and clauses of a reference answer that each say something.

    Args:
        text: The reference answer.
        stem: The question; a clause that only takes up its words says nothing by itself and joins the next one.
    """
    known = _telling(stem)
    found: list[str] = []
    for sentence in _SENTENCES.split(text):
        pending = ""
        for clause in _CLAUSES.split(sentence):
            pending = f"{pending} {clause}".strip()
            if len(_telling(pending) - known) >= 2:
                found.append(pending)
                pending = ""
        if _telling(pending):
            if found and not (_telling(pending) - known):
                found[-1] = f"{found[-1]} {pending}"
            else:
                found.append(pending)
    cleaned = list(dict.fromkeys(one.strip(" ,;.") for one in found)) or [text.strip(" ,;.") or "anything"]
    if len(cleaned) > MOST_POINTS:
        cleaned = [*cleaned[: MOST_POINTS - 1], " ".join(cleaned[MOST_POINTS - 1 :])]
    return tuple(cleaned)


def _key_points(text: str, stem: str) -> tuple[KeyPoint, ...]:
    found: Sequence[str] = propositions(text, stem)
    return tuple(KeyPoint(f"p{i}", one, 1 / len(found), (one,)) for i, one in enumerate(found, 1))


@lru_cache(maxsize=16384)
def _telling(text: str) -> frozenset[str]:
    return frozenset(term.stem for term in read_terms(text) if not term.is_small)
