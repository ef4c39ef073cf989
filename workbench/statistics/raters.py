"""Can the marks be trusted: how far raters agree with one another, and whether they stay the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from workbench.statistics.core import quadratic_weighted_kappa
from workbench.statistics.tables import (
    N_DRAWS,
    bootstrap,
    counted,
    figure,
    present,
    require,
    require_level,
    with_interval,
)

ICC_COLUMNS = ["type", "description", "value", "low", "high", "f", "df1", "df2", "p", "n", "n_raters"]
PAIR_COLUMNS = [
    "first", "second", "n", "n_sessions", "same_verdict", "same_verdict_low", "same_verdict_high", "kappa", "kappa_low",
    "kappa_high", "qwk", "qwk_low", "qwk_high", "icc", "icc_low", "icc_high", "bias", "bias_low", "bias_high",
]  # fmt: skip
LIMITS_COLUMNS = ["figure", "value", "low", "high"]
DRIFT_COLUMNS = ["rater", "n", "n_sessions", "per_day", "low", "high", "p", "first_day", "last_day"]


def percent_agreement(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Share of equal marks. Chance inflates it where one mark is frequent: give kappa or alpha beside it.

    Missing values: pairs with a gap are left out; none left: NaN.

    >>> percent_agreement(["a", "b", "b", None], ["a", "b", "a", "a"])
    0.6666666666666666
    """
    pairs = _pairs(first, second)
    return float((pairs["first"] == pairs["second"]).mean()) if len(pairs) else math.nan


def cohen_kappa(
    first: Sequence[Any], second: Sequence[Any], *, weights: str | None = None, level: float = 0.95
) -> tuple[float, float, float]:
    """Cohen's kappa, plain or weighted, with its large-sample interval: `value, low, high`.

    kappa = (observed - expected) / (1 - expected) (Cohen 1960, Educ Psychol Meas 20:37; weighted: Cohen 1968, Psychol
    Bull 70:213; standard error: Fleiss, Cohen and Everitt 1969, Psychol Bull 72:323), as statsmodels reckons it. For
    two raters of the same answers; `quadratic` for ordered marks. The interval takes answers as independent: for
    several of one viva take `compare_raters`.

    Missing values: pairs with a gap are left out. None left: NaN. Both gave one and the same mark throughout: 1,
    without interval.

    Args:
        first: Marks of one rater.
        second: Marks of the other, of the same answers in the same order.
        weights: None, `linear` or `quadratic`; the latter two take the categories in sorted order, at equal distances.
        level: Of the interval.

    >>> value, low, high = cohen_kappa([1] * 25 + [2] * 25, [1] * 20 + [2] * 5 + [1] * 10 + [2] * 15)
    >>> round(value, 3)
    0.4
    """
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"weights {weights!r}: choose None, linear or quadratic")
    require_level(level)
    pairs = _pairs(first, second)
    categories = sorted(set(pairs["first"]) | set(pairs["second"]))
    if not categories:
        return math.nan, math.nan, math.nan
    if len(categories) == 1:
        return 1.0, math.nan, math.nan
    table = pd.crosstab(pairs["first"], pairs["second"]).reindex(index=categories, columns=categories, fill_value=0)
    from scipy.stats import norm
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(table.to_numpy(float), wt=weights)
    half = float(norm.ppf((1 + level) / 2)) * float(found.std_kappa)
    return float(found.kappa), float(found.kappa) - half, float(found.kappa) + half


def krippendorff_alpha(ratings: ArrayLike, *, metric: str = "nominal") -> float:
    """Krippendorff's alpha of any number of raters, with gaps.

    alpha = 1 - observed / expected disagreement, from the coincidences of values within units (Krippendorff 2011,
    Computing Krippendorff's Alpha-Reliability; 2019, Content Analysis, ch. 12). 1 is agreement, 0 what chance gives;
    Krippendorff asks for .80, and for .667 where conclusions may be tentative. Use it where raters mark different
    parts.

    Missing values: NaN (or None); a unit with fewer than two ratings adds nothing. No unit with two: NaN. All ratings
    alike: NaN, there being no variation to agree about.

    Args:
        ratings: (n_raters, n_units) numbers.
        metric: Difference of two values: `nominal` (equal or not), `ordinal` (ranks), `interval` (squared difference).

    >>> nan = float("nan")
    >>> a = [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan]
    >>> b = [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3]
    >>> c = [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan]
    >>> d = [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan]
    >>> [round(krippendorff_alpha([a, b, c, d], metric=m), 3) for m in ("nominal", "ordinal", "interval")]
    [0.743, 0.815, 0.849]
    """
    if metric not in ("nominal", "ordinal", "interval"):
        raise ValueError(f"metric {metric!r}: choose nominal, ordinal or interval")
    given = np.atleast_2d(np.array(ratings, float))
    values = np.unique(given[~np.isnan(given)])
    counts = np.array([(given == value).sum(axis=0) for value in values], float).reshape(len(values), given.shape[1])
    per_unit = counts.sum(axis=0)
    counts = counts[:, per_unit >= 2]
    per_unit = per_unit[per_unit >= 2]
    if not len(per_unit):
        return math.nan
    coincidences = (counts / (per_unit - 1)) @ counts.T
    coincidences[np.diag_indices_from(coincidences)] -= (counts / (per_unit - 1)).sum(axis=1)
    margins = coincidences.sum(axis=1)
    n = float(margins.sum())
    apart = _distances(values, margins, metric)
    expected = float((np.outer(margins, margins) * apart).sum()) / (n - 1)
    return 1 - float((coincidences * apart).sum()) / expected if expected > 0 else math.nan


def krippendorff_interval(
    ratings: pd.DataFrame,
    *,
    metric: str = "nominal",
    groups: Iterable[Any] | None = None,
    n_draws: int = 300,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Krippendorff's alpha with a bootstrap interval over units, or over groups of them: `value, low, high`.

    Answers of one viva are alike: drawn one by one they make the interval too narrow, so give their vivas. Fewer than
    two groups: no interval.

    Args:
        ratings: Units by raters, NaN where one did not rate.
        metric: See `krippendorff_alpha`, as for missing values.
        groups: Group of each unit, usually the session; None draws the units one by one.
        n_draws: Bootstrap samples.
        seed: Of the bootstrap.
        level: Of the interval.

    Raises:
        ValueError: There are more or fewer groups than units.

    >>> ratings = pd.DataFrame({"a": [1, 2, 3, 1, 2], "b": [1, 2, 3, 1, 3]})
    >>> value, low, high = krippendorff_interval(ratings, metric="interval", n_draws=50)
    >>> bool(low <= value <= high)
    True
    """
    require_level(level)
    given = ratings.to_numpy(float)
    drawn = list(range(len(given)) if groups is None else groups)
    if len(drawn) != len(given):
        raise ValueError(f"{len(drawn)} groups for {len(given)} units: give the group of each row")
    value = krippendorff_alpha(given.T, metric=metric)
    low, high = bootstrap(
        lambda rows: krippendorff_alpha(given[rows].T, metric=metric), drawn, n_draws=n_draws, seed=seed, level=level
    )
    return value, low, high


def icc(ratings: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """The six intraclass correlations of Shrout and Fleiss (1979, Psychol Bull 86:420) with their intervals.

    From the mean squares between targets, between raters and residual. ICC(1): every target has raters of its own;
    ICC(2): the same raters, a sample of many (absolute agreement); ICC(3): these raters and no others (consistency);
    k: of the mean of all k raters. For marks that stand alone ICC(2,1) is the honest one. Koo and Li (2016): below .5
    poor, .75 moderate, .9 good.

    Missing values: targets with a gap are left out. Fewer than two targets or raters, or no variance at all: NaN.

    Args:
        ratings: Targets by raters.
        level: Of the intervals (McGraw and Wong 1996, Psychol Methods 1:30, for ICC(2)).

    Returns:
        `type, description, value, low, high, f, df1, df2, p, n, n_raters`, in the order of the paper.

    >>> ratings = pd.DataFrame([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> icc(ratings)["value"].round(2).tolist()
    [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    """
    require_level(level)
    complete = ratings.dropna().to_numpy(float)
    n, k = complete.shape
    names = [
        ("ICC(1,1)", "one rater, absolute"), ("ICC(2,1)", "one of many raters, absolute"),
        ("ICC(3,1)", "one of these raters, consistency"), ("ICC(1,k)", "mean of k, absolute"),
        ("ICC(2,k)", "mean of k of many raters, absolute"), ("ICC(3,k)", "mean of these k raters, consistency"),
    ]  # fmt: skip
    if n < 2 or k < 2 or np.ptp(complete) == 0:
        rows = [[*name, *[math.nan] * 7, n, k] for name in names]
        return pd.DataFrame(rows, columns=ICC_COLUMNS)
    from scipy.stats import f as f_distribution

    grand = complete.mean()
    between = k * np.square(complete.mean(axis=1) - grand).sum() / (n - 1)
    raters = n * np.square(complete.mean(axis=0) - grand).sum() / (k - 1)
    total = np.square(complete - grand).sum()
    within = (total - between * (n - 1)) / (n * (k - 1))
    error = max(0.0, (total - between * (n - 1) - raters * (k - 1))) / ((n - 1) * (k - 1))
    upper = (1 + level) / 2
    df1, df_within, df_error = n - 1, n * (k - 1), (n - 1) * (k - 1)

    def over(a: float, b: float) -> float:
        return a / b if b else math.nan

    f1 = between / within if within > 0 else math.inf
    f3 = between / error if error > 1e-12 else math.inf
    one = [
        over(between - within, between + (k - 1) * within),
        over(between - error, between + (k - 1) * error + k * (raters - error) / n),
        over(between - error, between + (k - 1) * error),
    ]
    mean = [
        over(between - within, between),
        over(between - error, between + (raters - error) / n),
        over(between - error, between),
    ]
    ends: list[tuple[float, float]] = []
    for f_value, df2 in ((f1, df_within), (f3, df_error)):
        low = f_value / float(f_distribution.ppf(upper, df1, df2))
        high = f_value * float(f_distribution.ppf(upper, df2, df1))
        ends.append((low, high))
    (low1, high1), (low3, high3) = ends
    low2, high2 = _icc2_interval(one[1], between, raters, error, n, k, upper)
    single = [_of_f(low1, high1, k), (low2, high2), _of_f(low3, high3, k)]
    averaged = [
        (1 - 1 / low1, 1 - 1 / high1),
        tuple(k * end / (1 + (k - 1) * end) for end in (low2, high2)),
        (1 - 1 / low3, 1 - 1 / high3),
    ]
    tests = [(f1, df_within), (f3, df_error), (f3, df_error)] * 2
    rows = []
    for name, value, (low, high), (f_value, df2) in zip(names, one + mean, single + averaged, tests, strict=True):
        p = float(f_distribution.sf(f_value, df1, df2))
        rows.append([*name, value, low, high, f_value, df1, df2, p, n, k])
    return pd.DataFrame(rows, columns=ICC_COLUMNS)


def bland_altman(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
    """Bias and limits of agreement of two ways to measure the same, with their intervals.

    bias = mean of first - second; limits = bias +- 1.96 SD of the differences (Bland and Altman 1986, Lancet 327:307);
    intervals from Student's t with standard errors SD / sqrt(n) and about SD sqrt(3 / n). Where the differences grow
    with the marks, or are far from normal, the limits mislead: look at the figure. Kappa says whether raters agree
    better than chance, this by how many points they differ.

    Missing values: pairs with a gap are left out. Fewer than two pairs: the bias has no interval and there are no
    limits.

    Args:
        first: Marks of one rater, or one method.
        second: Marks of the other, of the same things.
        level: Of the intervals; the limits are always those of 95 %.

    Returns:
        Rows `bias`, `lower limit`, `upper limit`: `figure, value, low, high`; `attrs` hold `n` and `sd`.

    >>> bland_altman([1.0, 2.0, 3.0, 4.0], [1.5, 1.5, 3.5, 3.5])["value"].round(2).tolist()
    [0.0, -1.13, 1.13]
    """
    from scipy.stats import t

    require_level(level)
    pairs = np.column_stack([np.asarray(first, float), np.asarray(second, float)])
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    n = len(pairs)
    apart = pairs[:, 0] - pairs[:, 1]
    bias = float(apart.mean()) if n else math.nan
    sd = float(apart.std(ddof=1)) if n > 1 else math.nan
    quantile = float(t.ppf((1 + level) / 2, n - 1)) if n > 1 else math.nan
    errors = (sd / math.sqrt(n), sd * math.sqrt(3 / n)) if n > 1 else (math.nan, math.nan)
    rows = []
    for name, value, error in (
        ("bias", bias, errors[0]),
        ("lower limit", bias - 1.96 * sd, errors[1]),
        ("upper limit", bias + 1.96 * sd, errors[1]),
    ):
        rows.append([name, value, value - quantile * error, value + quantile * error])
    found = pd.DataFrame(rows, columns=LIMITS_COLUMNS)
    found.attrs.update(n=n, sd=sd)
    return found


def paired_marks(marks: pd.DataFrame) -> pd.DataFrame:
    """Marks with a column for each rater: `session_id, item_index`, then `points` and `verdict` by rater.

    A rater's last mark of an answer counts. `rater` may be any grouping of who marked: put `rater_kind` there to
    compare human, judge and adapter as kinds. Missing values: NaN where a rater did not mark.

    >>> marks = pd.DataFrame({
    ...     "session_id": "s", "item_index": [1, 1], "rater": ["hybrid", "human:A"], "verdict": ["correct", "partial"],
    ...     "points": [8.0, 6.0],
    ... })
    >>> paired_marks(marks)["points"][["hybrid", "human:A"]].values.tolist()
    [[8.0, 6.0]]
    """
    keys = ["session_id", "item_index", "rater"]
    require(marks, [*keys, "verdict", "points"], "marks")
    order = [name for name in ("marked_at", "mark_index") if name in marks]
    last = (marks.sort_values(order, kind="stable") if order else marks).drop_duplicates(keys, keep="last")
    last = last.assign(verdict=last["verdict"].astype(object), rater=last["rater"].astype(object))
    return last.pivot(index=keys[:2], columns="rater", values=["points", "verdict"])


def compare_raters(marks: pd.DataFrame, *, n_draws: int = N_DRAWS, seed: int = 0) -> pd.DataFrame:
    """Every pair of raters on the answers both marked: agreement of verdicts, of points, and bias; intervals by viva.

    `same_verdict` is the percent agreement and `kappa` Cohen's of the verdicts; `qwk` the quadratic weighted kappa and
    `icc` ICC(2,1) of the points; `bias` the mean of first - second. The intervals are percentile bootstraps over vivas,
    because answers of one viva are alike. Answers that somebody chose to mark again are no sample of all: confirm a
    random share.

    Missing values: answers that one of the two did not mark are left out; a pair without any has no row, one from a
    single viva no intervals.

    Args:
        marks: `session_id, item_index, rater, verdict, points`.
        n_draws: Bootstrap samples.
        seed: Of the bootstrap.

    >>> marks = pd.DataFrame({
    ...     "session_id": list("aabb") * 2, "item_index": [1, 2, 1, 2] * 2, "rater": ["judge"] * 4 + ["human"] * 4,
    ...     "verdict": ["correct", "partial", "incorrect", "correct"] + ["correct", "partial", "partial", "correct"],
    ...     "points": [9.0, 5.0, 1.0, 8.0] + [9.0, 5.0, 3.0, 8.0],
    ... })
    >>> compare_raters(marks, n_draws=20)[["first", "second", "n", "same_verdict", "bias"]].values.tolist()
    [['human', 'judge', 4, 0.75, 0.5]]
    """
    wide = paired_marks(marks)
    raters = sorted(wide["points"].columns) if len(wide) else []
    rows = []
    for first, second in itertools.combinations(raters, 2):
        columns = [(kind, rater) for kind in ("points", "verdict") for rater in (first, second)]
        both = wide[columns].dropna()
        if not len(both):
            continue
        points = both["points"].to_numpy(float)
        verdicts = both["verdict"].to_numpy()
        codes = pd.factorize(verdicts.ravel(), sort=True)[0].reshape(verdicts.shape)
        measures = {
            "same_verdict": lambda at, codes=codes: float(np.mean(codes[at, 0] == codes[at, 1])),
            "kappa": lambda at, codes=codes: _plain_kappa(codes[at]),
            "qwk": lambda at, points=points: quadratic_weighted_kappa(*points[at].T, where_constant=math.nan),
            "icc": lambda at, points=points: _icc2(points[at]),
            "bias": lambda at, points=points: float(np.mean(points[at, 0] - points[at, 1])),
        }
        sessions = both.index.get_level_values("session_id")
        row: dict[str, Any] = {"first": first, "second": second, "n": len(both), "n_sessions": sessions.nunique()}
        for name, measure in measures.items():
            row[name] = measure(np.arange(len(both)))
            row[f"{name}_low"], row[f"{name}_high"] = bootstrap(measure, sessions, n_draws=n_draws, seed=seed)
        rows.append(row)
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def drift(marks: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Whether raters grow milder or stricter: change, in points a day, of their marks less the reference's.

    The slope of a regression of the differences on the day they were given, with standard errors that allow for alike
    marks of one viva (cluster-robust, with Student's t of vivas - 1 degrees of freedom; Cameron and Miller 2015, J Hum
    Resour 50:317). Harik et al. (2009, J Educ Meas 46:43) saw real examiners drift within days. A slope says nothing
    of who moved, the rater or the reference: take a judge whose version is fixed.

    Missing values: answers that lack either mark or time are left out. Fewer than three vivas, or all on one day: NaN.

    Args:
        marks: `session_id, item_index, rater, verdict, points, marked_at`.
        reference: The rater the others are held against.

    Returns:
        `rater, n, n_sessions, per_day, low, high, p, first_day, last_day`.

    Raises:
        ValueError: The reference gave no mark.

    >>> days = pd.to_datetime("2026-01-01", utc=True) + pd.to_timedelta(range(6), unit="D")
    >>> marks = pd.DataFrame({
    ...     "session_id": list("abcdef") * 2, "item_index": 1, "rater": ["judge"] * 6 + ["human:A"] * 6,
    ...     "verdict": "partial", "points": [5.0] * 6 + [5.0, 5.2, 5.4, 5.5, 5.8, 6.1], "marked_at": list(days) * 2,
    ... })
    >>> drift(marks, "judge")[["rater", "per_day"]].round(2).values.tolist()
    [['human:A', 0.21]]
    """
    keys = ["session_id", "item_index"]
    require(marks, [*keys, "rater", "points", "marked_at"], "marks")
    if reference not in set(marks["rater"].astype(object)):
        known = ", ".join(sorted(set(marks["rater"].dropna().astype(str)))) or "none"
        raise ValueError(f"reference {reference!r} gave no mark; raters are {known}")
    known_marks = present(marks, ["points", "marked_at"]).sort_values("marked_at", kind="stable")
    last = known_marks.drop_duplicates([*keys, "rater"], keep="last")
    standard = last[last["rater"] == reference].set_index(keys)["points"].rename("reference")
    rows = []
    for rater, own in last[last["rater"] != reference].groupby("rater", observed=True, sort=True):
        both = own.join(standard, on=keys, how="inner")
        if not len(both):
            continue
        days = (both["marked_at"] - both["marked_at"].min()) / pd.Timedelta(days=1)
        slope, low, high, p = _clustered_slope(
            (both["points"] - both["reference"]).to_numpy(float), days.to_numpy(float), both["session_id"]
        )
        first_day, last_day = both["marked_at"].min(), both["marked_at"].max()
        rows.append([rater, len(both), both["session_id"].nunique(), slope, low, high, p, first_day, last_day])
    return pd.DataFrame(rows, columns=DRIFT_COLUMNS)


def agreement_sentence(row: pd.Series) -> str:
    """The sentence for the paper from one row of `compare_raters`.

    >>> row = pd.Series({
    ...     "first": "human", "second": "hybrid", "n": 480, "n_sessions": 40, "qwk": 0.88, "qwk_low": 0.84,
    ...     "qwk_high": 0.91, "same_verdict": 0.81, "bias": 0.3, "bias_low": 0.1, "bias_high": 0.5,
    ... })
    >>> print(agreement_sentence(row))  # doctest: +NORMALIZE_WHITESPACE
    human and hybrid marked the same 480 answers of 40 vivas: quadratic weighted kappa .88 (95% CI [.84, .91]), the same
    verdict in 81%; human gave .30 (95% CI [.10, .50]) points more on average.
    """
    kappa = with_interval(row["qwk"], row["qwk_low"], row["qwk_high"])
    if row["bias"] < 0:
        bias = with_interval(-row["bias"], -row["bias_high"], -row["bias_low"])
    else:
        bias = with_interval(row["bias"], row["bias_low"], row["bias_high"])
    return (
        f"{row['first']} and {row['second']} marked the same {counted(int(row['n']), 'answer')} of"
        f" {counted(int(row['n_sessions']), 'viva')}: quadratic weighted kappa {kappa}, the same verdict in"
        f" {row['same_verdict']:.0%}; {row['first']} gave {bias} points {'less' if row['bias'] < 0 else 'more'} on"
        " average."
    )


def limits_sentence(found: pd.DataFrame, first: str, second: str, unit: str = "points") -> str:
    """The sentence for the paper from the table of `bland_altman`.

    >>> print(limits_sentence(bland_altman([1, 2, 3, 4], [1.5, 1.5, 3.5, 3.5]), "human", "judge"))
    Of 4 pairs, human less judge was .00 points on average, with 95% limits of agreement from -1.13 to 1.13 points.
    """
    bias, low, high = (figure(value) for value in found["value"])
    pairs = counted(found.attrs["n"], "pair")
    limits = f", with 95% limits of agreement from {low} to {high} {unit}" if found.attrs["n"] > 1 else ""
    return f"Of {pairs}, {first} less {second} was {bias} {unit} on average{limits}."


def _pairs(first: Sequence[Any], second: Sequence[Any]) -> pd.DataFrame:
    if len(first) != len(second):
        raise ValueError(
            f"{len(first)} marks of one rater and {len(second)} of the other: they must be of the same things"
        )
    both = pd.DataFrame({"first": list(first), "second": list(second)}, dtype=object)
    return both.dropna().reset_index(drop=True)


def _distances(values: np.ndarray, margins: np.ndarray, metric: str) -> np.ndarray:
    """Squared differences of values, (n, n)."""
    if metric == "nominal":
        return (values[:, None] != values[None, :]).astype(float)
    if metric == "interval":
        return np.square(values[:, None] - values[None, :])
    upto = np.cumsum(margins) - margins / 2
    return np.square(upto[:, None] - upto[None, :])


def _of_f(low: float, high: float, k: int) -> tuple[float, float]:
    lower, upper = (1.0 if math.isinf(end) else (end - 1) / (end + k - 1) for end in (low, high))
    return lower, upper


def _icc2_interval(
    value: float, between: float, raters: float, error: float, n: int, k: int, upper: float
) -> tuple[float, float]:
    from scipy.stats import f as f_distribution

    if math.isnan(value) or (error <= 1e-12 and raters <= 1e-12):
        return value, value
    a = k * value / (n * (1 - value)) if value < 1 else math.inf
    b = 1 + k * value * (n - 1) / (n * (1 - value)) if value < 1 else math.inf
    df = (a * raters + b * error) ** 2 / (
        (a * raters) ** 2 / (k - 1) + ((b * error) ** 2 / ((n - 1) * (k - 1)) if error > 0 else 0.0)
    )
    high_f, low_f = float(f_distribution.ppf(upper, n - 1, df)), float(f_distribution.ppf(upper, df, n - 1))
    low = n * (between - high_f * error) / (high_f * (k * raters + (k * n - k - n) * error) + n * between)
    high = n * (low_f * between - error) / (k * raters + (k * n - k - n) * error + n * low_f * between)
    return low, high


def _icc2(points: np.ndarray) -> float:
    n, k = points.shape
    if n < 2:
        return math.nan
    grand = points.mean()
    between = k * np.square(points.mean(axis=1) - grand).sum() / (n - 1)
    raters = n * np.square(points.mean(axis=0) - grand).sum() / (k - 1)
    error = (np.square(points - grand).sum() - between * (n - 1) - raters * (k - 1)) / ((n - 1) * (k - 1))
    whole = between + (k - 1) * error + k * (raters - error) / n
    return float((between - error) / whole) if whole > 1e-12 else math.nan


def _plain_kappa(codes: np.ndarray) -> float:
    n, top = len(codes), int(codes.max()) + 1
    observed = float(np.mean(codes[:, 0] == codes[:, 1]))
    shares = [np.bincount(codes[:, side], minlength=top) / n for side in (0, 1)]
    expected = float(shares[0] @ shares[1])
    return (observed - expected) / (1 - expected) if expected < 1 - 1e-12 else math.nan


def _clustered_slope(y: np.ndarray, x: np.ndarray, groups: pd.Series) -> tuple[float, float, float, float]:
    if len(set(groups)) < 3 or np.ptp(x) == 0:
        return math.nan, math.nan, math.nan, math.nan
    from statsmodels.regression.linear_model import OLS

    design = np.column_stack([np.ones(len(x)), x])
    codes = pd.factorize(groups)[0]
    fitted = OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    low, high = fitted.conf_int()[1]
    return float(fitted.params[1]), float(low), float(high), float(fitted.pvalues[1])
