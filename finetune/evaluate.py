"""Measures judges on marked answers: agreement with intervals, whole and by slices, and what an answer costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from finetune.answers import Marked
from finetune.metrics import scores
from finetune.predictions import Prediction, by_slice, columns, predict
from workbench.exam.items import Question, Scenario
from workbench.judging.base import MODERATE_BELOW, Judge

SLICED = ("n", "questions", "macro_f1", "qwk", "ece")
"""Figures of a part of the answers."""


def evaluate(judge: Judge, given: Iterable[Marked]) -> dict[str, Any]:
    """Marks every answer and says how well; see `figures`."""
    return {"judge": judge.name, **figures(list(predict(judge, given)))}


def figures(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """How well answers were marked.

    Args:
        predictions: Of one judge.

    Returns:
        The figures of `finetune.metrics.scores`; the same `by_area_age` and, as macro-F1, `by_discipline`; `slices`
        with `n`, `macro_f1`, `qwk` and `ece` of each part; `ms` an answer, the first of each question left out because
        its wordings are read then; and the share sent to a person.
    """

    def of(rows: Sequence[int]) -> dict[str, Any]:
        return scores(**columns([predictions[row] for row in rows]))

    whole = of(range(len(predictions)))
    parts = {
        name: {
            part: whole if len(found) == 1 and len(rows) == len(predictions) else of(rows)
            for part, rows in found.items()
        }
        for name, found in by_slice(predictions).items()
    }
    ages = {
        "areas whose held-out half was never seen": parts.get("areas", {}).get("never seen"),
        "areas mended on all exemplars once": parts.get("areas", {}).get("mended once"),
    }
    ms = [p.ms for p in predictions if p.ms is not None]
    return {
        **whole,
        "by_area_age": {age: known for age, known in ages.items() if known},
        "by_discipline": {part: known["macro_f1"] for part, known in parts.get("discipline", {}).items()},
        "slices": {
            name: {part: {key: known[key] for key in SLICED} for part, known in found.items()}
            for name, found in parts.items()
        },
        "ms": {"p50": _percentile(ms, 50), "p95": _percentile(ms, 95), "n": len(ms)},
        "doubtful_rate": round(sum(p.confidence < MODERATE_BELOW for p in predictions) / max(1, len(predictions)), 4),
    }


def resist(judge: Judge, tried: Iterable[tuple[str, Scenario, Question, str]]) -> dict[str, Any]:
    """Puts attacks to a judge.

    Args:
        judge: The judge.
        tried: (kind, scenario, question, answer), see `finetune.attacks`.

    Returns:
        `n`, the shares that reach `correct` and more than three points, and both counts by kind.
    """
    kinds: dict[str, list[int]] = {}
    for kind, scenario, question, answer in tried:
        mark = judge.judge(question, answer, question_text=scenario.text)
        counts = kinds.setdefault(kind, [0, 0, 0])
        for place, hit in enumerate((True, mark.verdict == "correct", mark.points > 3)):
            counts[place] += hit
    n = sum(counts[0] for counts in kinds.values())
    return {
        "judge": judge.name,
        "n": n,
        "correct_rate": round(sum(counts[1] for counts in kinds.values()) / n, 5),
        "over_three_rate": round(sum(counts[2] for counts in kinds.values()) / n, 5),
        "by_kind": {kind: dict(zip(("n", "correct", "over_three"), c, strict=True)) for kind, c in kinds.items()},
    }


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 2) if values else None
