"""How well marks agree with an examiner's, each figure with a bootstrap interval by question."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, f1_score

VERDICTS = ("correct", "partial", "incorrect")
RESAMPLES = 1000


def scores(
    true: Sequence[str],
    given: Sequence[str],
    true_points: Sequence[float],
    given_points: Sequence[float],
    questions: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Agreement of verdicts and points.

    Args:
        true: The examiner's verdicts.
        given: The judge's.
        true_points: The examiner's points, 0 to 10 in steps of .5.
        given_points: The judge's.
        questions: Question of each answer: answers to one question are not independent, so that whole questions are
            drawn (Field and Welsh 2007, J R Stat Soc B 69:369).
        seed: Of the bootstrap.

    Returns:
        `n`, `accuracy`, `macro_f1`, `qwk` (quadratic weighted kappa of the points; Cohen 1968, Psychol Bull 70:213),
        `rmse`, each as `value, low, high` (95 %), and the confusion matrix (rows: examiner).
    """
    t, g = np.array(true), np.array(given)
    tp, gp = np.array(true_points, float), np.array(given_points, float)
    measures: dict[str, Callable[[NDArray[np.intp]], float]] = {
        "accuracy": lambda i: float(accuracy_score(t[i], g[i])),
        "macro_f1": lambda i: float(f1_score(t[i], g[i], average="macro", labels=VERDICTS, zero_division=0)),
        "qwk": lambda i: _kappa(tp[i], gp[i]),
        "rmse": lambda i: float(np.sqrt(np.mean((tp[i] - gp[i]) ** 2))),
    }
    by_question: dict[str, list[int]] = {}
    for index, question in enumerate(questions):
        by_question.setdefault(question, []).append(index)
    groups = [np.array(rows) for rows in by_question.values()]
    rng = np.random.default_rng(seed)
    draws = [np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))]) for _ in range(RESAMPLES)]
    everything = np.arange(len(t))
    result: dict[str, Any] = {"n": len(t), "questions": len(groups)}
    for name, measure in measures.items():
        low, high = np.nanpercentile([measure(draw) for draw in draws], [2.5, 97.5])
        result[name] = {"value": _rounded(measure(everything)), "low": _rounded(low), "high": _rounded(high)}
    result["confusion"] = confusion_matrix(t, g, labels=VERDICTS).tolist()
    return result


def _kappa(true: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw without any variance has no kappa
        halves = [(2 * values).round().astype(int) for values in (true, given)]
        return float(cohen_kappa_score(*halves, weights="quadratic", labels=range(21)))


def _rounded(value: float) -> float:
    return round(float(value), 4)
