"""What a cohort's marks say: about the questions, about the judge beside educators, about time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.exam.model import Verdict
from workbench.statistics.core import kappa_of_sums, kappa_sums, pearson

Interval = tuple[float, float]

MIN_FOR_DISCRIMINATION = 3
"""A correlation of fewer candidates than this says nothing."""

N_RESAMPLES = 2000
CONFIDENCE_LEVEL = 0.95


@dataclass(frozen=True)
class CountedMark:
    """The mark of one question that counts, beside the judge's own (None where the judge gave none)."""

    session_id: str
    number: int
    question_id: str
    verdict: Verdict
    points: float
    by_human: bool
    judge_verdict: Verdict | None
    judge_points: float | None


@dataclass(frozen=True)
class ItemStatistics:
    """One question over the vivas it was asked in.

    Attributes:
        question_id: Its id in the bank.
        n: Marks.
        mean_points: Mean of the points, 0 to 10.
        difficulty: Mean share of the points, 0 (nobody had any) to 1; the classical p-value of an item.
        discrimination: Correlation of its points with the mean of the other marks of the same viva, -1 to 1; None for
            fewer than three vivas or where either does not vary.
        n_correct: Verdicts "correct".
        n_partial: Verdicts "partial".
        n_incorrect: Verdicts "incorrect".
    """

    question_id: str
    n: int
    mean_points: float
    difficulty: float
    discrimination: float | None
    n_correct: int
    n_partial: int
    n_incorrect: int


@dataclass(frozen=True)
class Agreement:
    """The judge beside educators, on the marks that educators overrode or confirmed.

    Those are not a random sample where only doubtful marks were looked at: confirm a random share to know more.
    Intervals are 95 % percentile bootstrap intervals over vivas, None for fewer than two vivas.

    Attributes:
        n: Marks compared.
        n_sessions: Vivas they come from.
        same_verdict: Share of equal verdicts.
        same_verdict_interval: Its interval.
        kappa: Quadratic weighted kappa of the points (Cohen 1968), None without marks.
        kappa_interval: Its interval.
        mean_difference: Educator's points less the judge's.
    """

    n: int
    n_sessions: int
    same_verdict: float | None
    same_verdict_interval: Interval | None
    kappa: float | None
    kappa_interval: Interval | None
    mean_difference: float | None


@dataclass(frozen=True)
class TimeUsed:
    """Seconds one viva took, and each of its questions from the end of the question to the end of the answer."""

    session_id: str
    pseudonym: str
    duration_s: float | None
    question_s: dict[int, float]


def item_statistics(marks: Iterable[CountedMark]) -> tuple[ItemStatistics, ...]:
    """Difficulty and discrimination of every question, the hardest first.

    Discrimination is the corrected item-total correlation (Nunnally and Bernstein 1994, section 8): the item itself is
    left out of the total. The total is a mean, because candidates get different questions.

    >>> marks = [
    ...     CountedMark(f"s{i}", n, f"q{n}", "partial", float(points), False, None, None)
    ...     for i, row in enumerate([(2, 3), (5, 6), (9, 8)])
    ...     for n, points in enumerate(row)
    ... ]
    >>> [(item.question_id, item.difficulty, round(item.discrimination, 3)) for item in item_statistics(marks)]
    [('q0', 0.5333333333333333, 0.981), ('q1', 0.5666666666666667, 0.981)]
    """
    by_session: dict[str, list[CountedMark]] = defaultdict(list)
    by_item: dict[str, list[CountedMark]] = defaultdict(list)
    for mark in marks:
        by_session[mark.session_id].append(mark)
        by_item[mark.question_id].append(mark)
    found = []
    for question_id, given in by_item.items():
        points = [mark.points for mark in given]
        verdicts = [mark.verdict for mark in given]
        rest = [_mean_of_others(mark, by_session[mark.session_id]) for mark in given]
        found.append(
            ItemStatistics(
                question_id=question_id,
                n=len(given),
                mean_points=float(np.mean(points)),
                difficulty=float(np.mean(points)) / 10,
                discrimination=_correlation(
                    [(own, other) for own, other in zip(points, rest, strict=True) if other is not None]
                ),
                n_correct=verdicts.count("correct"),
                n_partial=verdicts.count("partial"),
                n_incorrect=verdicts.count("incorrect"),
            )
        )
    return tuple(sorted(found, key=lambda item: (item.difficulty, item.question_id)))


def agreement(marks: Iterable[CountedMark], *, seed: int = 0) -> Agreement:
    """Judge against human on the marks both gave.

    Vivas are resampled, not marks: marks of one viva are not independent.

    Args:
        marks: Marks; those without either side are left out.
        seed: Seed of the resampling.
    """
    pairs: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for mark in marks:
        if mark.by_human and mark.judge_points is not None:
            same = float(mark.verdict == mark.judge_verdict)
            pairs[mark.session_id].append((mark.points, mark.judge_points, same))
    if not pairs:
        return Agreement(0, 0, None, None, None, None, None)
    # everything needed is a sum over marks, so that a viva is six numbers and resampling is adding them up
    sums = np.array([_sums(np.array(rows)) for rows in pairs.values()])
    n, human, judge = (float(sums[:, place].sum()) for place in (0, 1, 2))
    return Agreement(
        n=int(n),
        n_sessions=len(pairs),
        same_verdict=float(_share(sums[:, 0], sums[:, 6])),
        same_verdict_interval=_interval(_share, (sums[:, 0], sums[:, 6]), seed),
        kappa=float(kappa_of_sums(*sums[:, :6].T)),
        kappa_interval=_interval(kappa_of_sums, tuple(sums[:, :6].T), seed),
        mean_difference=(human - judge) / n,
    )


def _sums(rows: np.ndarray) -> np.ndarray:
    human, judge, same = rows.T
    return np.append(kappa_sums(human, judge), same.sum())


def _share(n: np.ndarray, same: np.ndarray, axis: int = -1) -> Any:
    return same.sum(axis=axis) / n.sum(axis=axis)


def _interval(statistic: Any, data: tuple[np.ndarray, ...], seed: int) -> Interval | None:
    from scipy.stats import bootstrap

    if len(data[0]) < 2:
        return None
    found = bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=N_RESAMPLES,
        confidence_level=CONFIDENCE_LEVEL,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def _mean_of_others(mark: CountedMark, marks: list[CountedMark]) -> float | None:
    others = [other.points for other in marks if other.number != mark.number]
    return float(np.mean(others)) if others else None


def _correlation(pairs: list[tuple[float, float]]) -> float | None:
    if len(pairs) < MIN_FOR_DISCRIMINATION:
        return None
    found = pearson(*np.array(pairs).T)
    return None if math.isnan(found) else found
