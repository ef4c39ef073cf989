"""Graders of whole answers as judges: verdict, marks and evidence from the probabilities of three labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
from numpy.typing import NDArray

from finetune.corpora import LABELS, CorpusError
from finetune.pair_features import STOP, Pair, tokens
from finetune.references import ReferenceQuestion, references_of
from workbench.exam.grading import find_point, is_salad, wordings_named
from workbench.exam.items import Question
from workbench.exam.matching import read_answer
from workbench.exam.model import Evaluation, KeyPointEvidence, Verdict
from workbench.judging.passages import passages

COVERED = 0.5
"""Share of a key point's telling words that a partly right answer must hold for the point to count as covered."""

DOUBTED = 0.5
"""How sure a judge is of an answer that the words refute: a person should look."""

MOST_WORDINGS = 3.0
"""In how many wordings people name a key point, on average, at most: 2.75 in those answers; who recites them all, 7 and
more."""

_RANGES = {"correct": (6.0, 10.0), "partial": (3.0, 5.5), "incorrect": (0.0, 2.5)}
_VALUE = np.array([10.0, 5.0, 0.0])


class Grader(Protocol):
    """Gives answers the probabilities of the labels; fitted on graded answers."""

    @property
    def name(self) -> str:
        """Name and version."""
        ...

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        """Learns.

        Args:
            pairs: Answers beside right ones.
            labels: Of each, one of `LABELS`.
            groups: Question of each: what is chosen inside is chosen on questions left out.
        """
        ...

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3), in the order of `LABELS`; the likeliest is the verdict."""
        ...


class GradedJudge:
    """A judge whose verdict is a grader's; the evidence shows where the answer holds the words of the key points.

    Args:
        grader: Fitted.
        card: What it was fitted on.
    """

    def __init__(self, grader: Grader, card: Mapping[str, Any] | None = None) -> None:
        self.grader = grader
        self.card = dict(card or {})

    @property
    def name(self) -> str:
        """Name and version of the grader."""
        return self.grader.name

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `workbench.judging.base.Judge`."""
        if not answer.strip():
            return nothing_said(question, self.name)
        if refuted(question, answer, question_text, spoken=recognition_confidence < 1):
            return nothing_said(question, self.name, DOUBTED)
        asked = f"{question_text} {question.stem}".strip()
        probability = self.grader.probabilities([Pair(asked, references_of(question), answer)])[0]
        verdict: Verdict = LABELS[int(np.argmax(probability))]
        low, high = _RANGES[verdict]
        points = min(high, max(low, round(2 * float(probability @ _VALUE)) / 2))
        confidence = float(probability.max()) * max(0.0, min(1.0, recognition_confidence))
        return Evaluation(
            question.id, verdict, points, evidence_of(question, answer, verdict), round(confidence, 3), self.name
        )

    def save(self, path: Path) -> None:
        """Writes grader and card to a joblib file; load only files you made: joblib runs what is in them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump({"grader": self.grader, "card": self.card}, path, compress=3)

    @staticmethod
    def load(path: Path) -> GradedJudge:
        """Reads what `save` wrote.

        Raises:
            CorpusError: There is no such file, or it is no judge.
        """
        how = "fit one with `viva-finetune calibrate --on scientsbank --out judge.joblib`"
        if not path.is_file():
            raise CorpusError(f"no fitted judge at {path}; {how}")
        try:
            kept = joblib.load(path)
            return GradedJudge(kept["grader"], kept["card"])
        except Exception as error:  # unpickling raises whatever the file's makers like
            raise CorpusError(f"{path} is no fitted judge ({type(error).__name__}); {how}") from error


def nothing_said(question: Question, judge: str, confidence: float = 1.0) -> Evaluation:
    """What an empty answer is worth, which no model needs to be asked for."""
    missing = tuple(KeyPointEvidence(point.id, "missing", "", point.weight) for point in question.key_points)
    return Evaluation(question.id, "incorrect", 0.0, missing, confidence, judge)


def refuted(question: Question, answer: str, question_text: str, *, spoken: bool) -> bool:
    """Whether the words alone show that an answer earns nothing, whatever a model makes of it.

    A model that compares an answer with a reference sees how much they share, and takes a heap of accepted wordings, or
    a model answer with "all of which is untrue" behind it, for the answer. So an answer is worth nothing that is a heap
    of terms, that says nothing of its own, that denies each key point it names, or that recites the wordings of all. Of
    1,731 right and partly right answers of the banks four read so. A question with references only has no wordings to
    tell it by.
    """
    if isinstance(question, ReferenceQuestion):
        return False
    read = read_answer(question, answer, f"{question_text} {question.stem}", spoken=spoken)
    found = [find_point(point, read) for point in question.key_points]
    denied = any(one.evidence.status == "contradicted" and not one.mistaken for one in found)
    if denied and not any(one.status == "covered" for one in found):
        return True
    return is_salad(read, question) or not passages(read) or wordings_named(read, question) > MOST_WORDINGS


def evidence_of(question: Question, answer: str, verdict: Verdict) -> tuple[KeyPointEvidence, ...]:
    """For each key point, whether the answer holds the words it would be told by; all of a correct answer's do."""
    said = set(tokens(answer))

    def covered(text: str) -> bool:
        telling = set(tokens(text)) - STOP
        return verdict == "correct" or (verdict == "partial" and len(telling & said) >= COVERED * max(1, len(telling)))

    return tuple(
        KeyPointEvidence(point.id, "covered", answer.strip(), point.weight)
        if covered(point.text)
        else KeyPointEvidence(point.id, "missing", "", point.weight)
        for point in question.key_points
    )
