"""Numbers that the server, the trainers and the researcher's tables share: numpy only, so that none needs pandas.

Missing values are the caller's business here: every function takes complete arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


def quadratic_weighted_kappa(first: ArrayLike, second: ArrayLike, *, where_constant: float = 1.0) -> float:
    """Agreement of two raters on the same things, 1 for the same marks, 0 for what chance would give.

    1 - sum((a - b)^2) / (sum(a^2) + sum(b^2) - 2 sum(a) sum(b) / n), which is the weighted kappa of Cohen (1968,
    Psychol Bull 70:213) for weights (i - j)^2 and categories at equal distances.

    Args:
        first: (n,) marks of one rater.
        second: (n,) marks of the other.
        where_constant: The value where both gave one and the same mark throughout, or nothing was marked, so that
            chance agrees as well as they do.

    >>> quadratic_weighted_kappa([0, 5, 10], [0, 5, 10])
    1.0
    >>> round(quadratic_weighted_kappa([0, 0, 5, 10], [0, 5, 5, 5]), 4)
    0.4286
    """
    sums = kappa_sums(np.asarray(first, float), np.asarray(second, float))
    return float(kappa_of_sums(*sums[:, None], where_constant=where_constant))


def kappa_sums(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """All that kappa needs to know of some marks, as (6,) sums; the sums of several vivas add up to those of all."""
    return np.array(
        [
            len(first),
            first.sum(),
            second.sum(),
            np.square(first).sum(),
            np.square(second).sum(),
            np.square(first - second).sum(),
        ]
    )


def kappa_of_sums(*sums: NDArray[np.float64], axis: int = -1, where_constant: float = 1.0) -> NDArray[np.float64]:
    """Quadratic weighted kappa of the six `kappa_sums`, each summed along `axis` first.

    Args:
        *sums: n, sum(a), sum(b), sum(a^2), sum(b^2), sum((a - b)^2), an array each, of the vivas taken together.
        axis: The axis of the vivas.
        where_constant: See `quadratic_weighted_kappa`.
    """
    n, first, second, first_2, second_2, apart_2 = (np.asarray(part).sum(axis=axis) for part in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = first_2 + second_2 - 2 * first * second / n
        return np.where(by_chance > 1e-9, 1 - apart_2 / by_chance, where_constant)


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Correlation, the covariance over both deviations (Pearson 1895); NaN where one does not vary.

    >>> round(pearson([1, 2, 3], [1, 2, 4]), 4)
    0.982
    """
    a, b = (np.asarray(values, float) for values in (first, second))
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    apart = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(a @ b) / apart if apart > 0 else math.nan


def mean_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float | None]:
    """Mean and half the width of its interval by Student's t; no half width (None) for fewer than two values.

    >>> mean, half = mean_interval([1.0, 2.0, 3.0])
    >>> mean, round(half, 3)
    (2.0, 2.484)
    """
    from scipy.stats import t

    given = np.asarray(values, float)
    mean = float(np.mean(given))
    if len(given) < 2:
        return mean, None
    error = float(np.std(given, ddof=1)) / math.sqrt(len(given))
    return mean, float(t.ppf((1 + level) / 2, len(given) - 1)) * error


def fisher_interval(r: float, n: int) -> tuple[float, float]:
    """95 % interval of a correlation by Fisher's z (1921): tanh(atanh r +- 1.96 / sqrt(n - 3)); all of it for n < 4.

    >>> [round(end, 3) for end in fisher_interval(0.5, 28)]
    [0.156, 0.736]
    """
    if n < 4:
        return -1.0, 1.0
    z, half = math.atanh(max(-0.999999, min(0.999999, r))), Z_95 / math.sqrt(n - 3)
    return math.tanh(z - half), math.tanh(z + half)


def group_draws(groups: Sequence[object], n_draws: int, *, seed: int = 0) -> list[NDArray[np.intp]]:
    """Bootstrap samples of whole groups (Field and Welsh 2007, J R Stat Soc B 69:369): row numbers, with repetition.

    Marks of one viva, or answers to one question, are not independent of each other; drawn one by one they would make
    intervals that are too narrow.

    Args:
        groups: Group of each row.
        n_draws: Samples.
        seed: Of the draws.

    >>> [draw.tolist() for draw in group_draws(["a", "a", "b"], 2, seed=1)]
    [[0, 1, 2], [2, 2]]
    """
    by_group: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        by_group.setdefault(group, []).append(index)
    rows = [np.array(group, np.intp) for group in by_group.values()]
    rng = np.random.default_rng(seed)
    return [np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))]) for _ in range(n_draws)]


def percentile_interval(drawn: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The middle `level` of bootstrap values; draws in which the figure is undefined do not count, NaN if all are.

    >>> percentile_interval([0, 1, 2, 3, float("nan")], level=0.5)
    (0.75, 2.25)
    """
    values = np.asarray(drawn, float)
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
