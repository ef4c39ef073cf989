"""How well marks agree with an examiner's, each figure with a bootstrap interval by question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.reliability import expected_calibration_error, reliability_bins
from workbench.statistics.core import group_draws, pearson, percentile_interval, quadratic_weighted_kappa

VERDICTS = ("correct", "partial", "incorrect")
RESAMPLES = 1000


def scores(
    true: Sequence[str],
    given: Sequence[str],
    true_points: Sequence[float],
    given_points: Sequence[float],
    questions: Sequence[str],
    *,
    confidences: Sequence[float] | None = None,
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
        confidences: The judge's confidence in each verdict, in [0, 1]; without them there is no calibration.
        seed: Of the bootstrap.

    Returns:
        `n`, `accuracy`, `macro_f1`, `weighted_f1`, `qwk` (quadratic weighted kappa of the points; Cohen 1968, Psychol
        Bull 70:213), `rmse`, `pearson` (of the points) and `ece` (see `finetune.reliability`), each as `value, low,
        high` (95 %); the confusion matrix (rows: examiner) and the interval of each of its cells; the reliability bins.
    """
    t, g = codes(true), codes(given)
    tp, gp = np.array(true_points, float), np.array(given_points, float)
    measures: dict[str, Callable[[NDArray[np.intp]], float]] = {
        "accuracy": lambda i: float(np.mean(t[i] == g[i])),
        "macro_f1": lambda i: macro_f1(t[i], g[i]),
        "weighted_f1": lambda i: weighted_f1(t[i], g[i]),
        "qwk": lambda i: kappa(tp[i], gp[i]),
        "rmse": lambda i: float(np.sqrt(np.mean((tp[i] - gp[i]) ** 2))),
        "pearson": lambda i: pearson(tp[i], gp[i]),
    }
    if confidences is not None:
        sure, hit = np.array(confidences, float), t == g
        measures["ece"] = lambda i: expected_calibration_error(sure[i], hit[i])
    draws = draws_by_question(questions, seed=seed)
    everything = np.arange(len(t))
    result: dict[str, Any] = {"n": len(t), "questions": len(set(questions))}
    for name, measure in measures.items():
        result[name] = _with_interval(measure(everything), [measure(draw) for draw in draws])
    result["confusion"] = _table(t, g, len(VERDICTS)).tolist()
    low, high = np.percentile([_table(t[draw], g[draw], len(VERDICTS)) for draw in draws], [2.5, 97.5], axis=0)
    result["confusion_intervals"] = {"low": low.round(1).tolist(), "high": high.round(1).tolist()}
    if confidences is not None:
        result["reliability"] = reliability_bins(sure, hit)
    return result


def draws_by_question(questions: Sequence[str], *, seed: int = 0) -> list[NDArray[np.intp]]:
    """Bootstrap samples of whole questions: row numbers, with repetition.

    Args:
        questions: Question of each row.
        seed: Of the draws.
    """
    return group_draws(questions, RESAMPLES, seed=seed)


def codes(verdicts: Sequence[str]) -> NDArray[np.intp]:
    """Verdicts as their places in `VERDICTS`, (n,)."""
    return np.array([VERDICTS.index(verdict) for verdict in verdicts], np.intp)


def macro_f1(true: NDArray[np.intp], given: NDArray[np.intp]) -> float:
    """Mean F1 of the three verdicts, each 2 hits / (true + given) and 0 where it neither is nor was given.

    scikit-learn's `f1_score`, thirty times as fast, which a bootstrap of thousands of draws needs.

    Args:
        true: (n,) codes of the examiner's verdicts.
        given: (n,) codes of the judge's.
    """
    return float(np.mean(_f1s(_table(true, given, len(VERDICTS)))))


def weighted_f1(true: NDArray[np.intp], given: NDArray[np.intp]) -> float:
    """F1 of the three verdicts, weighted by how often the examiner gave each: scikit-learn's, as fast as `macro_f1`.

    Args:
        true: (n,) codes of the examiner's verdicts.
        given: (n,) codes of the judge's.
    """
    table = _table(true, given, len(VERDICTS))
    return float(_f1s(table) @ table.sum(axis=1)) / max(1, len(true))


def kappa(true: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Quadratic weighted kappa of points, 1 - disagreement / disagreement by chance; NaN where neither varies.

    scikit-learn's `cohen_kappa_score`, for steps of .5.
    """
    return quadratic_weighted_kappa(true, given, where_constant=float("nan"))


def _table(rows: NDArray[np.intp], columns: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """How often each of `n` codes in `rows` meets each in `columns`, (n, n)."""
    return np.bincount(n * rows + columns, minlength=n * n).reshape(n, n)


def _f1s(table: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n,) F1 of each code, from the table of all."""
    return np.asarray(2 * np.diag(table) / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1))


def _with_interval(value: float, drawn: Sequence[float]) -> dict[str, float]:
    """The figure beside the 95 % of its draws; draws in which it is undefined do not count."""
    low, high = percentile_interval(drawn)
    return {"value": _rounded(value), "low": _rounded(low), "high": _rounded(high)}


def _rounded(value: float) -> float:
    return round(float(value), 4)
