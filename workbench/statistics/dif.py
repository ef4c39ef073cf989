"""Differential item functioning: an item that is harder for one group than for another of the same ability."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd

from workbench.statistics.tables import counted, present, require

MH_COLUMNS = [
    "item", "n_reference", "n_focal", "odds_ratio", "low", "high", "delta", "chi2", "p", "p_holm", "ets_class",
]  # fmt: skip
LOGISTIC_COLUMNS = ["item", "n", "uniform_p", "any_p", "any_p_holm", "r2_change", "jg_class"]
LONG = ["person", "item", "correct", "group"]


def mantel_haenszel(
    answers: pd.DataFrame, reference: str, focal: str, *, n_strata: int | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Mantel-Haenszel DIF of every item, the most suspicious first.

    The common odds ratio over strata of equal score, alpha = sum(A D / T) / sum(B C / T), with A, B the reference
    group's right and wrong and C, D the focal group's; delta = -2.35 ln alpha is negative where the item is harder for
    the focal group. ETS classes (Holland and Thayer 1988; Zieky 1993; Dorans and Holland 1993): A, |delta| < 1 or not
    significant; C, |delta| >= 1.5 and significantly beyond 1; B else, with + or - for its sign. Interval after Robins,
    Breslow and Greenland (1986); chi-square with continuity correction (as `statsmodels.stats.contingency_tables`).
    Use it for uniform DIF in small samples; it flags items, experts decide.

    The stratum is the mean score on all items the person was asked, the studied one included: under the Rasch model
    answer and group are independent given that score, but not given the score on the other items, which shows DIF
    where there is none as soon as the groups differ in ability (Holland and Thayer 1988; Zwick 1990, J Educ Stat
    15:185). Persons with one item have no score to be matched on and are left out.

    Missing values: rows without answer or group are left out; groups other than the two too; strata with one group only
    add nothing. Where one group was right or wrong throughout, the odds ratio is 0 or infinite and
    has no interval. Where no stratum holds both groups, or all answers are alike, the figures are NaN and the class is
    empty.

    Args:
        answers: `person, item, correct` (0/1) and `group`, one row an answer.
        reference: Name of the reference group.
        focal: Name of the group that may be disadvantaged.
        n_strata: Strata of about equal size; None takes every score (at most ten).
        level: Of the intervals.

    >>> rng = np.random.default_rng(2)
    >>> ability = rng.normal(0, 1, 400)
    >>> group = np.where(np.arange(400) % 2, "quiet", "loud")
    >>> hurt = np.where(group == "quiet", 1.5, 0)
    >>> shifts = [hurt if item == 0 else 0 for item in range(6)]
    >>> answers = pd.concat([
    ...     pd.DataFrame({"person": range(400), "item": f"q{i}", "group": group,
    ...                   "correct": (rng.random(400) < 1 / (1 + np.exp(shift - ability))).astype(int)})
    ...     for i, shift in enumerate(shifts)
    ... ])
    >>> found = mantel_haenszel(answers, "loud", "quiet")
    >>> found.loc[0, ["item", "ets_class"]].tolist()
    ['q0', 'C-']
    """
    from statsmodels.stats.contingency_tables import StratifiedTable

    rows = []
    known = _answers(answers, reference, focal)
    matched = _with_scores(known)
    for item, own in matched.groupby("item", observed=True, sort=True):
        tables = _strata_tables(own, reference, n_strata)
        n_ref, n_focal = int((own["group"] == reference).sum()), int((own["group"] == focal).sum())
        margins = sum(tables) if tables else np.zeros((2, 2))
        if not tables or not (np.asarray(margins).sum(axis=0) > 0).all():
            rows.append([item, n_ref, n_focal, *[math.nan] * 6, ""])
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            pooled = StratifiedTable([table.astype(float) for table in tables])
            ratio, (low, high) = float(pooled.oddsratio_pooled), pooled.oddsratio_pooled_confint(alpha=1 - level)
            test = pooled.test_null_odds(correction=True)
            se = float(pooled.logodds_pooled_se)
        with np.errstate(divide="ignore"):
            delta = float(-2.35 * np.log(ratio))
        chi2, p = float(test.statistic), float(test.pvalue)
        rows.append(
            [item, n_ref, n_focal, ratio, float(low), float(high), delta, chi2, p, _ets_class(delta, 2.35 * se, p)]
        )
    found = pd.DataFrame(rows, columns=[name for name in MH_COLUMNS if name != "p_holm"])
    return _with_holm(found, "p", "p_holm").sort_values(["p", "item"], ignore_index=True)


def mantel_ordered(
    scores: pd.DataFrame, reference: str, focal: str, *, n_strata: int | None = 5, level: float = 0.95
) -> pd.DataFrame:
    """DIF of every item by its points, which tells more than right or wrong: Mantel's test and the mean difference.

    Within strata of the mean score on all items, the studied one included (Zwick, Donoghue and Grima 1993, J Educ Meas
    30:233): F = sum of the focal group's points, with E(F) = n_F / n sum(y) and Var(F) = n_R n_F (n sum(y^2) -
    sum(y)^2) / (n^2 (n - 1)); chi2 = (sum F - sum E)^2 / sum Var with 1 degree of freedom (Mantel 1963, J Am Stat Assoc
    58:690). `smd` is the mean difference focal - reference at equal scores, weighted by the focal group (Dorans and
    Schmitt 1991), in points, with a normal interval from the differences' variances. Use it for marked answers; below 0
    the item is harder for the focal group. Few strata leave part of a difference in ability within them.

    Missing values: as in `mantel_haenszel`; where no stratum holds both groups, or the points do not vary: NaN.

    Args:
        scores: `person, item, points` and `group`, one row an answer; see `scores_for_dif`.
        reference: Name of the reference group.
        focal: Name of the group that may be disadvantaged.
        n_strata: Strata of about equal size; None takes every score (at most ten).
        level: Of the intervals.

    >>> rng = np.random.default_rng(2)
    >>> ability, group = rng.normal(0, 1, 200), np.where(np.arange(200) % 2, "quiet", "loud")
    >>> scores = pd.concat([
    ...     pd.DataFrame({"person": range(200), "item": f"q{i}", "group": group,
    ...                   "points": 5 + 2 * ability + rng.normal(0, 2, 200) - 2 * (i == 0) * (group == "quiet")})
    ...     for i in range(6)
    ... ])
    >>> found = mantel_ordered(scores, "loud", "quiet").iloc[0]
    >>> found["item"], bool(-3 < found["smd"] < -1), bool(found["p_holm"] < 0.001)
    ('q0', True, True)
    """
    from scipy.stats import chi2, norm

    rows = []
    known = _in_two_groups(scores, ["person", "item", "points", "group"], reference, focal)
    matched = _with_scores(known, "points")
    half = float(norm.ppf((1 + level) / 2))
    for item, own in matched.groupby("item", observed=True, sort=True):
        sums = np.array([_ordered_sums(group, reference) for group in _strata(own, n_strata)])
        n_ref, n_focal = int((own["group"] == reference).sum()), int((own["group"] == focal).sum())
        sums = sums[~np.isnan(sums).any(axis=1)] if len(sums) else sums
        if not len(sums) or sums[:, 1].sum() <= 1e-12:
            rows.append([item, n_ref, n_focal, *[math.nan] * 5])
            continue
        apart, variance, n_f, difference, error_2 = sums.T
        statistic = float(apart.sum() ** 2 / variance.sum())
        weights = n_f / n_f.sum()
        smd, se = float(weights @ difference), math.sqrt(float(weights**2 @ error_2))
        rows.append(
            [item, n_ref, n_focal, smd, smd - half * se, smd + half * se, statistic, float(chi2.sf(statistic, 1))]
        )
    found = pd.DataFrame(rows, columns=["item", "n_reference", "n_focal", "smd", "low", "high", "chi2", "p"])
    return _with_holm(found, "p", "p_holm").sort_values(["p", "item"], ignore_index=True)


def logistic_dif(answers: pd.DataFrame, reference: str, focal: str) -> pd.DataFrame:
    """DIF by logistic regression: uniform (group) and non-uniform (group by score), with Nagelkerke's R2 change.

    Three nested models of the answer: mean score on all items, the studied one included; + group; + group x score
    (Swaminathan and Rogers 1990, J Educ Meas 27:361). `uniform_p` tests the second against the first, `any_p` the third
    against the first (likelihood ratio, 1 and 2 degrees of freedom). `r2_change`, of the third against the first, is
    the effect size: negligible (A) below .035, large (C) from .07 on, B between, and A where not significant (Jodoin
    and Gierl 2001, Appl Meas Educ 14:329). Use it beside Mantel-Haenszel, which does not see an item that is harder for
    the weak of one group and for the strong of the other.

    Missing values: as in `mantel_haenszel`; an item that the scores separate perfectly, or that has only one kind of
    answer or one group, has NaN.

    Args:
        answers: `person, item, correct` (0/1) and `group`, one row an answer.
        reference: Name of the reference group.
        focal: Name of the focal group.

    >>> rng = np.random.default_rng(3)
    >>> ability, group = rng.normal(0, 1, 300), np.where(np.arange(300) % 2, "quiet", "loud")
    >>> answers = pd.concat([
    ...     pd.DataFrame({"person": range(300), "item": f"q{i}", "group": group,
    ...                   "correct": (rng.random(300) < 1 / (1 + np.exp(-ability - (i == 0) * (group == "loud") * 2)))
    ...                   .astype(int)})
    ...     for i in range(5)
    ... ])
    >>> logistic_dif(answers, "loud", "quiet").loc[0, ["item", "jg_class"]].tolist()
    ['q0', 'C']
    """
    from scipy.stats import chi2

    rows = []
    matched = _with_scores(_answers(answers, reference, focal))
    for item, own in matched.groupby("item", observed=True, sort=True):
        y = own["correct"].to_numpy(float)
        group = (own["group"] == focal).to_numpy(float)
        score = own["score"].to_numpy(float)
        if len(set(y)) < 2 or len(set(group)) < 2 or np.ptp(score) == 0:
            rows.append([item, len(own), math.nan, math.nan, math.nan, ""])
            continue
        score = (score - score.mean()) / score.std()
        designs = [np.column_stack(columns) for columns in ([score], [score, group], [score, group, score * group])]
        fits = [_log_likelihood(y, design) for design in designs]
        if any(math.isnan(fit) for fit in fits):
            rows.append([item, len(own), math.nan, math.nan, math.nan, ""])
            continue
        null = _log_likelihood(y, np.zeros((len(y), 0)))
        uniform_p = float(chi2.sf(2 * max(0.0, fits[1] - fits[0]), 1))
        any_p = float(chi2.sf(2 * max(0.0, fits[2] - fits[0]), 2))
        change = _nagelkerke(fits[2], null, len(y)) - _nagelkerke(fits[0], null, len(y))
        size = "A" if any_p >= 0.05 or change < 0.035 else "C" if change >= 0.07 else "B"
        rows.append([item, len(own), uniform_p, any_p, change, size])
    found = pd.DataFrame(rows, columns=[name for name in LOGISTIC_COLUMNS if name != "any_p_holm"])
    return _with_holm(found, "any_p", "any_p_holm").sort_values(["any_p", "item"], ignore_index=True)


def answers_for_dif(marks: pd.DataFrame, groups: pd.Series, *, full_from: float = 7.5) -> pd.DataFrame:
    """Marks as right or wrong answers with the candidate's group, for the two functions above.

    Args:
        marks: `session_id, question_id, points`, and `counts` if known.
        groups: Group by session id, for instance `sessions.set_index("session_id")["group"]`.
        full_from: Points from which an answer is right.

    Missing values: sessions without a group keep it missing.

    >>> marks = pd.DataFrame({"session_id": ["a", "b"], "question_id": "q1", "points": [8.0, 3.0]})
    >>> answers_for_dif(marks, pd.Series({"a": "x", "b": "y"}))["correct"].tolist()
    [1, 0]
    """
    require(marks, ["session_id", "question_id", "points"], "marks")
    counting = marks[marks["counts"].astype(bool)] if "counts" in marks else marks
    counting = present(counting, ["points"])
    return pd.DataFrame(
        {
            "person": counting["session_id"],
            "item": counting["question_id"],
            "correct": (counting["points"] >= full_from).astype("int64"),
            "group": counting["session_id"].map(groups.astype(object)),
        }
    )


def scores_for_dif(marks: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Marks with the candidate's group, for `mantel_ordered`; arguments and missing values as in `answers_for_dif`.

    >>> marks = pd.DataFrame({"session_id": ["a", "b"], "question_id": "q1", "points": [8.0, 3.0]})
    >>> scores_for_dif(marks, pd.Series({"a": "x", "b": "y"}))["points"].tolist()
    [8.0, 3.0]
    """
    require(marks, ["session_id", "question_id", "points"], "marks")
    counting = marks[marks["counts"].astype(bool)] if "counts" in marks else marks
    counting = present(counting, ["points"])
    named = counting.rename(columns={"session_id": "person", "question_id": "item"})[["person", "item", "points"]]
    return named.assign(group=counting["session_id"].map(groups.astype(object)))


def dif_sentence(found: pd.DataFrame, focal: str) -> str:
    """The sentence for the paper from the table of `mantel_haenszel`.

    >>> found = pd.DataFrame({
    ...     "item": ["q1", "q2"], "ets_class": ["C-", "A"], "odds_ratio": [3.2, 1.1], "low": [1.5, 0.6],
    ...     "high": [6.8, 2.0], "delta": [-2.73, -0.22], "p_holm": [0.004, 0.8],
    ... })
    >>> print(dif_sentence(found, "quiet"))  # doctest: +NORMALIZE_WHITESPACE
    Of 2 items, 1 showed large differential functioning (ETS class C) against the group quiet: q1 (odds ratio 3.20,
    95% CI [1.50, 6.80], Holm p = .004).
    """
    tested = found[found["ets_class"] != ""]
    if not len(tested):
        return f"No item had answers of both groups at the same score; differential functioning for {focal} is unknown."
    large = tested[tested["ets_class"].str.startswith("C")]
    against = large[large["delta"] < 0]
    if not len(large):
        return (
            f"Of {counted(len(tested), 'item')}, none showed large differential functioning (ETS class C) for {focal}."
        )
    named = "; ".join(
        f"{row.item} (odds ratio {row.odds_ratio:.2f}, 95% CI [{row.low:.2f}, {row.high:.2f}], Holm p"
        f" {'< .001' if row.p_holm < 0.001 else f'= {row.p_holm:.3f}'.replace('0.', '.', 1)})"
        for row in (against if len(against) else large).itertuples()
    )
    number, way = (len(against), "against") if len(against) else (len(large), "in favour of")
    return (
        f"Of {counted(len(tested), 'item')}, {number} showed large differential functioning (ETS class C) {way} the"
        f" group {focal}: {named}."
    )


def _answers(answers: pd.DataFrame, reference: str, focal: str) -> pd.DataFrame:
    known = _in_two_groups(answers, LONG, reference, focal)
    if len(known) and not known["correct"].isin([0, 1]).all():
        raise ValueError("`correct` holds other values than 0 and 1; see answers_for_dif and mantel_ordered for points")
    return known


def _in_two_groups(table: pd.DataFrame, columns: list[str], reference: str, focal: str) -> pd.DataFrame:
    require(table, columns, "answers for DIF")
    if reference == focal:
        raise ValueError(f"reference and focal group are both {reference!r}; name two different groups")
    known = present(table[columns], columns)
    there = set(known["group"].unique())
    if len(known) and not {reference, focal} <= there:
        raise ValueError(f"groups {reference!r} and {focal!r}: the answers hold {sorted(map(str, there))}")
    return known[known["group"].isin([reference, focal])].reset_index(drop=True)


def _with_scores(known: pd.DataFrame, value: str = "correct") -> pd.DataFrame:
    """Mean of all items each person was asked, as `score`; persons with one item only are left out."""
    person = known.groupby("person", observed=True)[value]
    return known.assign(score=person.transform("mean"))[person.transform("size") > 1]


def _strata(own: pd.DataFrame, n_strata: int | None) -> list[pd.DataFrame]:
    """The rows by score: every score a stratum, or, where there are many or a number is wanted, equal shares."""
    distinct = own["score"].nunique()
    wanted = n_strata or 10
    if n_strata is None and distinct <= wanted:
        stratum = own["score"].rank(method="dense")
    else:
        ranks = own["score"].rank(method="average")
        stratum = pd.qcut(ranks, min(wanted, distinct), labels=False, duplicates="drop")
    return [group for _, group in own.groupby(stratum.to_numpy())]


def _ordered_sums(stratum: pd.DataFrame, reference: str) -> list[float]:
    """F - E(F), Var(F), focal answers, difference of the means and its variance; NaN where a group is not there."""
    is_reference = (stratum["group"] == reference).to_numpy()
    y = stratum["points"].to_numpy(float)
    n, n_r, n_f = len(y), int(is_reference.sum()), int((~is_reference).sum())
    if n_r == 0 or n_f == 0:
        return [math.nan] * 5
    variance = n_r * n_f * (n * np.square(y).sum() - y.sum() ** 2) / (n**2 * (n - 1))
    pooled = sum(float(np.square(y[side] - y[side].mean()).sum()) for side in (is_reference, ~is_reference))
    error_2 = pooled / max(1, n - 2) * (1 / n_r + 1 / n_f)
    difference = y[~is_reference].mean() - y[is_reference].mean()
    return [float(y[~is_reference].sum() - n_f / n * y.sum()), float(variance), n_f, float(difference), float(error_2)]


def _with_holm(found: pd.DataFrame, p: str, name: str) -> pd.DataFrame:
    """The table with Holm's corrected p after the column `p`; tests that could not be made do not count."""
    from statsmodels.stats.multitest import multipletests

    found.insert(list(found).index(p) + 1, name, np.nan)
    tested = found[p].notna()
    if tested.any():
        found.loc[tested, name] = multipletests(found.loc[tested, p], method="holm")[1]
    return found


def _strata_tables(own: pd.DataFrame, reference: str, n_strata: int | None) -> list[np.ndarray]:
    tables = []
    for group in _strata(own, n_strata):
        is_reference = (group["group"] == reference).to_numpy()
        right = group["correct"].to_numpy(bool)
        table = np.array(
            [
                [np.sum(is_reference & right), np.sum(is_reference & ~right)],
                [np.sum(~is_reference & right), np.sum(~is_reference & ~right)],
            ]
        )
        if (table.sum(axis=1) > 0).all():
            tables.append(table)
    return tables


def _ets_class(delta: float, se: float, p: float) -> str:
    from scipy.stats import norm

    if math.isnan(delta) or math.isnan(p):
        return ""
    sign = "-" if delta < 0 else "+"
    if p >= 0.05 or abs(delta) < 1:
        return "A"
    beyond_one = math.isinf(delta) or (se > 0 and (abs(delta) - 1) / se > float(norm.ppf(0.95)))
    return f"{'C' if abs(delta) >= 1.5 and beyond_one else 'B'}{sign}"


def _log_likelihood(y: np.ndarray, columns: np.ndarray) -> float:
    """Maximal log-likelihood of a logistic regression with intercept; NaN where it has no finite maximum."""
    from statsmodels.discrete.discrete_model import Logit

    design = np.column_stack([np.ones(len(y)), columns])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fitted = Logit(y, design).fit(disp=0, maxiter=100)
        except (
            Exception
        ):  # separation, a singular design: statsmodels has an exception or a warning of its own for each
            return math.nan
    return float(fitted.llf)


def _nagelkerke(fitted: float, null: float, n: int) -> float:
    """Nagelkerke (1991, Biometrika 78:691): Cox and Snell's R2 over its largest possible value."""
    largest = 1 - math.exp(2 * null / n)
    return (1 - math.exp(2 * (null - fitted) / n)) / largest if largest > 0 else math.nan
