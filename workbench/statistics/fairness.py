"""Marks of one group beside those of another, with what such a comparison can show and what not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from workbench.statistics.tables import counted, figure, present, require, require_level, with_interval

DIFFERENCE_COLUMNS = [
    "comparison", "first", "second", "n_first", "n_second", "mean_first", "mean_second", "difference", "low", "high",
    "hedges_g", "p", "p_corrected",
]  # fmt: skip
ASSOCIATION_COLUMNS = ["predictor", "n", "per_unit", "low", "high", "r", "p", "p_corrected"]
CORRECTIONS = {"holm": "holm", "benjamini-hochberg": "fdr_bh", "none": None}


def corrected(p_values: Any, method: str = "holm") -> np.ndarray:
    """p values of several comparisons made at once, corrected.

    `holm` keeps the chance of any false alarm at the level (Holm 1979, Scand J Stat 6:65): for few, weighty
    comparisons. `benjamini-hochberg` keeps the expected share of false ones among the alarms (Benjamini and Hochberg
    1995, J R Stat Soc B 57:289): for many, to be followed up. Missing values: a NaN stays NaN and does not count as a
    comparison.

    Args:
        p_values: (n,) p values.
        method: `holm`, `benjamini-hochberg` or `none`.

    >>> corrected([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    if method not in CORRECTIONS:
        raise ValueError(f"correction {method!r}: choose {', '.join(CORRECTIONS)}")
    given = np.array(p_values, float)
    known = ~np.isnan(given)
    if CORRECTIONS[method] is None or not known.any():
        return given
    from statsmodels.stats.multitest import multipletests

    given[known] = multipletests(given[known], method=CORRECTIONS[method])[1]
    return given


def group_differences(
    sessions: pd.DataFrame,
    by: str | list[str],
    *,
    value: str = "score",
    reference: str | None = None,
    correction: str = "holm",
    level: float = 0.95,
) -> pd.DataFrame:
    """Differences of the scores of groups: each group less the reference, or less every other, with Welch's intervals.

    Welch's t (1947, Biometrika 34:28) does not take the groups' spreads for equal; Hedges' g (1981, J Educ Stat 6:107)
    is the difference over the pooled deviation, corrected for small samples. p values are corrected over all rows of
    the table. A difference is not bias, and none is no proof of fairness: see `limits_sentence`, and `dif` for single
    items.

    Missing values: sessions without score or group are left out, so that people whose group is unknown take no part. A
    group of fewer than two, or two groups without any variance: NaN for interval and p.

    Args:
        sessions: One row a person (not a viva: people who sat twice are not two), with the groups and the value.
        by: Columns of groups, each compared for itself, for instance `["group", "typed", "extra_time"]`.
        value: Column that is compared.
        reference: The group the others are held against; None compares each pair.
        correction: See `corrected`.
        level: Of the intervals, each for itself.

    >>> sessions = pd.DataFrame({"group": ["a"] * 5 + ["b"] * 5, "score": [70, 75, 80, 85, 90, 60, 65, 70, 75, 80]})
    >>> group_differences(sessions, "group")[["first", "second", "difference", "low", "high"]].round(1).values.tolist()
    [['a', 'b', 10.0, -1.5, 21.5]]
    """
    require_level(level)
    columns = [by] if isinstance(by, str) else list(by)
    require(sessions, [*columns, value], "sessions")
    rows: list[list[Any]] = []
    for column in columns:
        known = present(sessions, [column, value])
        groups = {str(name): rows_of[value].to_numpy(float) for name, rows_of in known.groupby(column, observed=True)}
        if reference is not None and len(columns) == 1 and len(groups) and reference not in groups:
            raise ValueError(f"reference {reference!r}: the groups are {', '.join(groups)}")
        names = list(groups)
        if reference in groups:
            pairs = [(name, str(reference)) for name in names if name != reference]
        else:
            pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
        rows += [[column, one, other, *_welch(groups[one], groups[other], level)] for one, other in pairs]
    found = pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS[:-1])
    return found.assign(p_corrected=corrected(found["p"], correction))


def associations(
    sessions: pd.DataFrame,
    predictors: list[str],
    *,
    value: str = "score",
    correction: str = "holm",
    level: float = 0.95,
) -> pd.DataFrame:
    """How the score goes with something measured (pace, pauses, latency, word error rate): slope, correlation,
    interval.

    Least squares with errors that allow for unequal spread (HC3; MacKinnon and White 1985, J Econometrics 29:305), each
    predictor for itself. Missing values: rows with a gap in the predictor or value are left out; fewer than four rows,
    or a predictor that does not vary: NaN.

    Args:
        sessions: One row a person.
        predictors: Columns of numbers.
        value: Column that is explained.
        correction: See `corrected`.
        level: Of the intervals.

    >>> sessions = pd.DataFrame({"pace": [100, 120, 140, 160, 180], "score": [60, 66, 69, 76, 80]})
    >>> associations(sessions, ["pace"])[["n", "per_unit", "r"]].round(2).values.tolist()
    [[5.0, 0.25, 0.99]]
    """
    require_level(level)
    require(sessions, [*predictors, value], "sessions")
    from statsmodels.regression.linear_model import OLS

    rows = []
    for predictor in predictors:
        known = present(sessions, [predictor, value])
        x, y = known[predictor].to_numpy(float), known[value].to_numpy(float)
        if len(x) < 4 or np.ptp(x) == 0:
            rows.append([predictor, len(x), *[math.nan] * 5])
            continue
        fitted = OLS(y, np.column_stack([np.ones(len(x)), x])).fit(cov_type="HC3", use_t=True)
        low, high = fitted.conf_int(alpha=1 - level)[1]
        r = float(np.corrcoef(x, y)[0, 1]) if np.ptp(y) > 0 else math.nan
        rows.append([predictor, len(x), float(fitted.params[1]), float(low), float(high), r, float(fitted.pvalues[1])])
    found = pd.DataFrame(rows, columns=ASSOCIATION_COLUMNS[:-1])
    return found.assign(p_corrected=corrected(found["p"], correction))


def smallest_difference(n_first: int, n_second: int, sd: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest difference of means that groups of this size would have shown with the given power.

    sd (z of the level + z of the power) sqrt(1/n1 + 1/n2) (Cohen 1988, Statistical Power Analysis, ch. 2). Where it is
    large, "no significant difference" says next to nothing. Groups without members, or no spread known: NaN.

    >>> round(smallest_difference(20, 20, 15.0), 1)
    13.3
    """
    from scipy.stats import norm

    require_level(level)
    if n_first < 1 or n_second < 1 or math.isnan(sd):
        return math.nan
    return float(sd * (norm.ppf((1 + level) / 2) + norm.ppf(power)) * math.sqrt(1 / n_first + 1 / n_second))


def difference_sentence(row: pd.Series, unit: str = "points") -> str:
    """The sentence for the paper from one row of `group_differences`.

    >>> sessions = pd.DataFrame({"group": ["a"] * 5 + ["b"] * 5, "score": [70, 75, 80, 85, 90, 60, 65, 70, 75, 80]})
    >>> print(difference_sentence(group_differences(sessions, "group").iloc[0]))  # doctest: +NORMALIZE_WHITESPACE
    a (n = 5) scored 10.00 (95% CI [-1.53, 21.53]) points more than b (n = 5), g = 1.14, corrected p = .081.
    """
    more = row["difference"] >= 0
    low, high = (row["low"], row["high"]) if more else (-row["high"], -row["low"])
    said = with_interval(abs(row["difference"]), low, high)
    p = row["p_corrected"]
    told = "undefined" if math.isnan(p) else "< .001" if p < 0.001 else f"= {figure(p, 3)}"
    return (
        f"{row['first']} (n = {row['n_first']}) scored {said} {unit} {'more' if more else 'less'} than {row['second']}"
        f" (n = {row['n_second']}), g = {figure(row['hedges_g'])}, corrected p {told}."
    )


def limits_sentence(sessions: pd.DataFrame, by: str, *, value: str = "score") -> str:
    """The sentence that says what a comparison of these groups cannot show; it belongs beside every difference.

    >>> sessions = pd.DataFrame({"voice": ["a"] * 20 + ["b"] * 20, "score": list(range(60, 100, 2)) * 2})
    >>> print(limits_sentence(sessions, "voice"))  # doctest: +NORMALIZE_WHITESPACE
    Unless groups were assigned at random, a difference by voice may come from ability, teaching, equipment or the
    questions drawn as well as from the examiner or its judge. Its absence does not show that they treat the groups
    alike: with 20 and 20 people a difference below 10.5 points would be missed more than one time in five. Single items
    (DIF) and marks by blinded people on the same answers can tell more.
    """
    require(sessions, [by, value], "sessions")
    known = present(sessions, [by, value])
    sizes = known[by].astype(str).value_counts().head(2)
    power = "the groups are too few to say what would be missed"
    if len(sizes) == 2:
        spread = known.groupby(by, observed=True)[value].std(ddof=1)
        smallest = smallest_difference(int(sizes.iloc[0]), int(sizes.iloc[1]), float(spread.mean()))
        if not math.isnan(smallest):
            power = (
                f"with {sizes.iloc[0]} and {counted(int(sizes.iloc[1]), 'person', 'people')} a difference below"
                f" {smallest:.1f} points would be missed more than one time in five"
            )
    return (
        f"Unless groups were assigned at random, a difference by {by} may come from ability, teaching, equipment or the"
        " questions drawn as well as from the examiner or its judge. Its absence does not show that they treat the"
        f" groups alike: {power}. Single items (DIF) and marks by blinded people on the same answers can tell"
        " more."
    )


def _welch(first: np.ndarray, second: np.ndarray, level: float) -> list[Any]:
    from scipy.stats import ttest_ind

    sizes = len(first), len(second)
    means = float(first.mean()), float(second.mean())
    difference = means[0] - means[1]
    if min(sizes) < 2 or (np.ptp(first) == 0 and np.ptp(second) == 0):
        return [*sizes, *means, difference, math.nan, math.nan, math.nan, math.nan]
    test = ttest_ind(first, second, equal_var=False)
    interval = test.confidence_interval(level)
    df = sum(sizes) - 2
    pooled = math.sqrt(((sizes[0] - 1) * first.var(ddof=1) + (sizes[1] - 1) * second.var(ddof=1)) / df)
    g = difference / pooled * (1 - 3 / (4 * df - 1))
    return [*sizes, *means, difference, float(interval.low), float(interval.high), g, float(test.pvalue)]
