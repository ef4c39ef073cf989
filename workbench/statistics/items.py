"""Are the questions good, and is the score that they add up to: difficulty, discrimination, reliability,
misconceptions."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.statistics.core import fisher_interval, mean_interval, pearson
from workbench.statistics.tables import bootstrap, counted, figure, present, require, require_level, with_interval

MAX_POINTS = 10.0
POOR_DISCRIMINATION = 0.2
"""Below this an item should be looked at (Ebel and Frisbie 1991, Essentials of Educational Measurement, ch. 13)."""

TOO_HARD, TOO_EASY = 0.1, 0.95
"""Shares of the points outside which an item tells hardly anybody apart."""

MIN_FOR_DISCRIMINATION = 3
ITEM_COLUMNS = [
    "question_id", "n", "mean_points", "difficulty", "difficulty_low", "difficulty_high", "discrimination",
    "discrimination_low", "discrimination_high", "n_correct", "n_partial", "n_incorrect", "flag",
]  # fmt: skip
MISCONCEPTION_COLUMNS = ["question_id", "key_point_id", "n_answers", "n_claimed", "share", "example"]


@dataclass(frozen=True)
class Reliability:
    """A reliability coefficient with its interval.

    Attributes:
        name: Which.
        value: Its value; NaN where it is undefined.
        low: Lower end of its interval.
        high: Upper end.
        n: Persons it rests on.
        n_items: Items; where everybody has a sample of them, the rounded mean number a person was asked.
        level: Of the interval.
        sem: Standard error of measurement of the sum score, in points.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    n_items: int
    level: float
    sem: float

    def sentence(self) -> str:
        """The sentence for the paper."""
        stands_on = f"{counted(self.n_items, 'item')} and {counted(self.n, 'candidate')}"
        if math.isnan(self.value):
            return f"{self.name} is not defined for these {stands_on}."
        said = with_interval(self.value, self.low, self.high, level=self.level)
        return f"{self.name} of the total score was {said}, SEM {self.sem:.1f} points ({stands_on})."


def points_table(marks: pd.DataFrame, *, columns: str = "question_id", value: str = "points") -> pd.DataFrame:
    """Marks as a table of persons by items, which `alpha`, `omega` and `rasch` take; NaN where a question was not
    asked.

    Args:
        marks: `session_id`, the items and the value; where there is a column `counts`, only the marks that count.
        columns: What an item is: `question_id`, or `item_index` for the places of a viva where everybody has a sample
            of
            their own (items are then taken as randomly parallel).
        value: `points`, or any other number.

    Raises:
        ValueError: A person has two marks for one item.

    >>> marks = pd.DataFrame({"session_id": ["a", "a", "b"], "question_id": ["q1", "q2", "q1"], "points": [8, 5, 10]})
    >>> points_table(marks).to_dict("index")
    {'a': {'q1': 8.0, 'q2': 5.0}, 'b': {'q1': 10.0, 'q2': nan}}
    """
    require(marks, ["session_id", columns, value], "marks")
    counting = marks[marks["counts"].astype(bool)] if "counts" in marks else marks
    counting = present(counting, [value])
    twice = counting.duplicated(["session_id", columns])
    if twice.any():
        first = counting.loc[twice, ["session_id", columns]].iloc[0]
        raise ValueError(
            f"{int(twice.sum())} marks too many, the first for {first[columns]!r} in {first['session_id']!r}:"
            " give the marks of one rater, or the column `counts`"
        )
    table = counting.pivot(index="session_id", columns=columns, values=value).astype(float)
    return table.sort_index().sort_index(axis="columns")


def item_statistics(marks: pd.DataFrame, *, max_points: float = MAX_POINTS) -> pd.DataFrame:
    """Difficulty and discrimination of every question, the least discriminating first.

    Difficulty is the mean share of the points, the classical p of an item (1: everybody had all), with Student's
    interval. Discrimination is the corrected item-total correlation (Nunnally and Bernstein 1994, section 8): between
    an item's points and the mean of the viva's other items, with Fisher's interval. Below .2 an item wants a look,
    below 0 it usually is wrongly keyed. Fewer than 30 answers an item tell next to nothing: read the interval.

    Missing values: questions not asked are not there; a question with fewer than three answers, or without variance,
    has no discrimination (NaN).

    Args:
        marks: `session_id, question_id, points`, and `verdict` and `counts` if known.
        max_points: Points of a full answer.

    >>> marks = pd.DataFrame({
    ...     "session_id": list("aabbcc"), "question_id": ["q0", "q1"] * 3, "points": [2, 3, 5, 6, 9, 8],
    ... })
    >>> item_statistics(marks)[["question_id", "difficulty", "discrimination"]].round(3).values.tolist()
    [['q0', 0.533, 0.981], ['q1', 0.567, 0.981]]
    """
    table = points_table(marks)
    counting = marks[marks["counts"].astype(bool)] if "counts" in marks else marks
    verdicts = None
    if "verdict" in counting:
        verdicts = pd.crosstab(counting["question_id"], counting["verdict"].astype(object))
    sums, asked = table.sum(axis=1), table.notna().sum(axis=1)
    rows = []
    for question in table.columns:
        own = table[question].dropna()
        others = (sums[own.index] - own) / (asked[own.index] - 1).where(asked[own.index] > 1)
        both = others.notna()
        r, (r_low, r_high) = math.nan, (math.nan, math.nan)
        if both.sum() >= MIN_FOR_DISCRIMINATION:
            r = pearson(own[both], others[both])
            r_low, r_high = (math.nan, math.nan) if math.isnan(r) else fisher_interval(r, int(both.sum()))
        mean, half = mean_interval(own)
        low, high = math.nan, math.nan
        if half is not None:
            low, high = max(0.0, (mean - half) / max_points), min(1.0, (mean + half) / max_points)
        given = {} if verdicts is None or question not in verdicts.index else verdicts.loc[question].to_dict()
        difficulty = mean / max_points
        rows.append(
            [question, len(own), mean, difficulty, low, high, r, r_low, r_high]
            + [int(given.get(verdict, 0)) for verdict in ("correct", "partial", "incorrect")]
            + [_flag(difficulty, r)]
        )
    found = pd.DataFrame(rows, columns=ITEM_COLUMNS)
    return found.sort_values(["discrimination", "question_id"], ignore_index=True)


def alpha(points: pd.DataFrame, *, missing: str = "listwise", level: float = 0.95) -> Reliability:
    """Cronbach's alpha of the total score with Feldt's interval.

    alpha = k / (k - 1) (1 - sum of item variances / variance of the total) (Cronbach 1951, Psychometrika 16:297),
    interval from F with n - 1 and (n - 1)(k - 1) degrees of freedom (Feldt, Woodruff and Salih 1987, Appl Psychol Meas
    11:93). The share of the score's variance that would come back with other questions of the kind, if all measure the
    same equally well; else a lower bound (then see `omega`).

    Args:
        points: Persons by items; see `points_table`.
        missing: `listwise` drops persons with a gap; `pairwise` is for vivas in which everybody has a sample of the
            questions: with v and c, the mean variance of an item and the mean covariance of two (each of whoever has
            both; n is the mean number of such persons), the total of the m questions a person was asked on average has
            the variance m v + m (m - 1) c and alpha is m c / (v + (m - 1) c), which is the formula above where nothing
            is missing.
        level: Of the interval.

    Missing values: see `missing`. Fewer than two items or persons, or a total without variance: NaN.

    >>> points = pd.DataFrame([[1, 2, 1], [2, 3, 3], [3, 3, 4], [4, 6, 5]])
    >>> round(alpha(points).value, 3)
    0.956
    """
    require_level(level)
    variance, covariance, n, k = _parts(points, missing)
    total = k * variance + k * (k - 1) * covariance
    if k < 2 or n < 2 or not total > 1e-12:
        return Reliability("Cronbach's alpha", math.nan, math.nan, math.nan, n, round(k), level, math.nan)
    value = k * covariance / (variance + (k - 1) * covariance)
    low, high = _feldt(value, n, k, level)
    return Reliability("Cronbach's alpha", value, low, high, n, round(k), level, _sem(value, total))


def omega(points: pd.DataFrame, *, n_draws: int = 300, seed: int = 0, level: float = 0.95) -> Reliability:
    """McDonald's omega total of one common factor, with a bootstrap interval over persons.

    omega = (sum of loadings)^2 / ((sum of loadings)^2 + sum of unique variances), loadings by maximum likelihood
    (McDonald 1999, Test Theory, ch. 6; Kelley and Pornprasertmanit 2016, Psychol Methods 21:69, for the interval).
    Unlike alpha it lets items measure the trait unequally well.

    Missing values: persons with a gap are left out. Fewer than three items, fewer persons than items, or an item
    without variance: NaN.

    Args:
        points: Persons by items; see `points_table`.
        n_draws: Bootstrap samples.
        seed: Of the bootstrap.
        level: Of the interval.

    >>> f = np.linspace(-2, 2, 50)
    >>> points = pd.DataFrame({"a": f + np.sin(9 * f), "b": f + np.cos(7 * f), "c": f - np.sin(5 * f)})
    >>> 0.7 < omega(points, n_draws=20).value < 0.9
    True
    """
    require_level(level)
    complete = points.dropna().to_numpy(float)
    n, k = complete.shape
    if k < 3 or n <= k or (np.ptp(complete, axis=0) == 0).any():
        return Reliability("McDonald's omega", math.nan, math.nan, math.nan, n, k, level, math.nan)
    value = _omega(complete)
    low, high = bootstrap(lambda rows: _omega(complete[rows]), range(n), n_draws=n_draws, seed=seed, level=level)
    return Reliability("McDonald's omega", value, low, high, n, k, level, _sem(value, float(np.cov(complete.T).sum())))


def reliability_table(points: pd.DataFrame, *, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """Alpha and omega as rows: `coefficient, value, low, high, n, n_items, sem`; see there for formulas and gaps."""
    found = [alpha(points, level=level), omega(points, seed=seed, level=level)]
    return pd.DataFrame(
        [[one.name, one.value, one.low, one.high, one.n, one.n_items, one.sem] for one in found],
        columns=["coefficient", "value", "low", "high", "n", "n_items", "sem"],
    )


def misconceptions(marks: pd.DataFrame) -> pd.DataFrame:
    """How often each key point was contradicted: what distractors tell of a multiple-choice item, an oral exam tells
    here.

    share = answers that claim the opposite / answers marked; the most frequent first, with one example in the
    candidate's words. A misconception that the able share points to the teaching or to the item. Missing values: marks
    without evidence are not counted.

    Args:
        marks: `question_id, evidence` (JSON list of `key_point_id, status, quote`), and `counts` if known.

    Raises:
        ValueError: Evidence that is no JSON list.

    >>> wrong = '[{"key_point_id": "k1", "status": "contradicted", "quote": "give nitrates"}]'
    >>> right = '[{"key_point_id": "k1", "status": "covered", "quote": "no nitrates"}]'
    >>> marks = pd.DataFrame({"question_id": ["q1", "q1"], "evidence": [wrong, right]})
    >>> misconceptions(marks).values.tolist()
    [['q1', 'k1', 2, 1, 0.5, 'give nitrates']]
    """
    require(marks, ["question_id", "evidence"], "marks")
    counting = marks[marks["counts"].astype(bool)] if "counts" in marks else marks
    counting = present(counting, ["evidence"])
    rows = []
    for question, evidence in zip(counting["question_id"].tolist(), counting["evidence"].tolist(), strict=True):
        try:
            points = json.loads(evidence)
            rows += [(question, p["key_point_id"], p["status"] == "contradicted", p.get("quote") or "") for p in points]
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            raise ValueError(
                f"evidence of a mark for {question!r} is no JSON list of objects with key_point_id and status ({error})"
            ) from None
    if not rows:
        return pd.DataFrame(columns=MISCONCEPTION_COLUMNS)
    said = pd.DataFrame(rows, columns=["question_id", "key_point_id", "claimed", "quote"])
    keys = ["question_id", "key_point_id"]
    found = said.groupby(keys, sort=True)["claimed"].agg(n_answers="size", n_claimed="sum").reset_index()
    examples = said[said["claimed"]].drop_duplicates(keys).set_index(keys)["quote"]
    found["n_claimed"] = found["n_claimed"].astype("int64")
    found["share"] = found["n_claimed"] / found["n_answers"]
    found["example"] = [examples.get(key, "") for key in found[keys].itertuples(index=False, name=None)]
    found = found[found["n_claimed"] > 0]
    return found.sort_values(["share", "n_claimed"], ascending=False, kind="stable", ignore_index=True)


def items_sentence(statistics: pd.DataFrame) -> str:
    """The sentence for the paper from the table of `item_statistics`.

    >>> marks = pd.DataFrame({
    ...     "session_id": list("aabbcc"), "question_id": ["q0", "q1"] * 3, "points": [2, 3, 5, 6, 9, 8],
    ... })
    >>> print(items_sentence(item_statistics(marks)))  # doctest: +NORMALIZE_WHITESPACE
    The 2 items (3 to 3 answers each) had a median difficulty of .55 (range .53 to .57) and a median corrected
    item-total correlation of .98; none was below .20.
    """
    if not len(statistics):
        return "There are no marked items."
    hard, known = statistics["difficulty"], statistics["discrimination"].dropna()
    n = f"{int(statistics['n'].min())} to {int(statistics['n'].max())} answers each"
    poor = int((known < POOR_DISCRIMINATION).sum())
    of_them = "none was" if poor == 0 else f"{poor} {'was' if poor == 1 else 'were'}"
    told = (
        f" and a median corrected item-total correlation of {figure(known.median())}; {of_them} below"
        f" {figure(POOR_DISCRIMINATION)}"
        if len(known)
        else "; too few answers for a discrimination"
    )
    spread = f"{figure(hard.median())} (range {figure(hard.min())} to {figure(hard.max())})"
    return f"The {counted(len(statistics), 'item')} ({n}) had a median difficulty of {spread}{told}."


def _flag(difficulty: float, discrimination: float) -> str:
    if discrimination < 0:
        return "against the rest"
    if difficulty < TOO_HARD:
        return "too hard"
    if difficulty > TOO_EASY:
        return "too easy"
    return "poor discrimination" if discrimination < POOR_DISCRIMINATION else ""


def _parts(points: pd.DataFrame, missing: str) -> tuple[float, float, int, float]:
    """Mean variance of an item, mean covariance of two, persons, and items a person was asked."""
    if missing not in ("listwise", "pairwise"):
        raise ValueError(f"missing {missing!r}: choose listwise or pairwise")
    known = points.dropna() if missing == "listwise" else points
    there = known.notna().to_numpy()
    off = ~np.eye(points.shape[1], dtype=bool)
    n, k = len(known), float(points.shape[1])
    if missing == "pairwise" and off.any():
        n = round((there.T.astype(float) @ there)[off].mean())
        k = float(there.sum(axis=1)[there.any(axis=1)].mean()) if there.any() else k
    if len(known) < 2 or not off.any():
        return math.nan, math.nan, n, k
    covariances = known.cov(min_periods=2).to_numpy()
    variance, covariance = (float(pd.Series(part).mean()) for part in (np.diag(covariances), covariances[off]))
    return variance, covariance, n, k


def _feldt(value: float, n: int, k: float, level: float) -> tuple[float, float]:
    from scipy.stats import f

    tails = [(1 - level) / 2, (1 + level) / 2]
    high, low = (1 - (1 - value) * float(f.ppf(tail, n - 1, (n - 1) * (k - 1))) for tail in tails)
    return low, high


def _sem(reliability: float, variance_of_total: float) -> float:
    """Standard error of measurement, SD sqrt(1 - reliability) (Lord and Novick 1968, section 3.4)."""
    return math.sqrt(max(0.0, variance_of_total * (1 - reliability)))


def _omega(complete: np.ndarray) -> float:
    from sklearn.decomposition import FactorAnalysis

    deviations = complete.std(axis=0)
    if (deviations < 1e-12).any():
        return math.nan
    fitted = FactorAnalysis(n_components=1, svd_method="lapack", tol=1e-4, max_iter=2000)
    fitted.fit((complete - complete.mean(axis=0)) / deviations)
    common = float((fitted.components_[0] * deviations).sum()) ** 2
    unique = float((fitted.noise_variance_ * deviations**2).sum())
    return common / (common + unique)
