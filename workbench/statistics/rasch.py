"""Abilities and difficulties on one scale: the Rasch model and its partial credit form, also where everybody had other
questions.

The estimation is that of the library `mirt` (marginal maximum likelihood by EM, one slope for all items); what is added
here is the table form, the standard errors of persons and what to do with gaps.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.statistics.tables import counted, figure

ITEM_COLUMNS = ["item", "n", "location", "se", "low", "high", "steps", "infit", "outfit", "estimable"]
PERSON_COLUMNS = ["person", "n_items", "ability", "se", "low", "high"]
NORMAL_95 = 1.959964
BOUND = 5.99
"""The estimation holds a step between -6 and 6 slope units; one at the bound is not estimable."""

GOOD_FIT = (0.7, 1.3)
"""Mean squares outside this range want a look (Wright and Linacre 1994, Rasch Meas Trans 8:370)."""


@dataclass(frozen=True)
class RaschFit:
    """A fitted Rasch or partial credit model; everything in logits, the abilities' mean at 0.

    Attributes:
        items: `item, n, location, se, low, high, steps, infit, outfit, estimable`: the location is the mean of the
            steps,
            `steps` the tuple of them; not estimable is an item with a category that nobody reached.
        persons: `person, n_items, ability, se, low, high`: the mean of the posterior (EAP) and its deviation.
        sd: Standard deviation of the abilities.
        sd_se: Its standard error.
        log_likelihood: Marginal log-likelihood.
        reliability: EAP reliability, 1 - mean error variance / variance of the abilities.
        converged: Whether the estimation came to rest.
    """

    items: pd.DataFrame
    persons: pd.DataFrame
    sd: float
    sd_se: float
    log_likelihood: float
    reliability: float
    converged: bool

    def sentence(self) -> str:
        """The sentence for the paper."""
        n, k = counted(len(self.persons), "candidate"), counted(len(self.items), "item")
        if not len(self.items):
            return "Too few answers for a Rasch model."
        low, high = self.items["location"].min(), self.items["location"].max()
        misfit = int((~self.items["infit"].between(*GOOD_FIT)).sum())
        return (
            f"A Rasch model of {n} and {k} put the items between {low:.2f} and {high:.2f} logits (abilities: SD"
            f" {self.sd:.2f}, EAP reliability {figure(self.reliability)}); {misfit or 'no'}"
            f" item{'' if misfit == 1 else 's'} had an infit outside {GOOD_FIT[0]} to {GOOD_FIT[1]}."
        )


def rasch(scores: pd.DataFrame, *, standard_errors: bool = True) -> RaschFit:
    """Fits the Rasch model (two categories) or the partial credit model (more) with one common slope.

    P(x | ability) is proportional to exp(sum over steps up to x of (ability - step)), abilities normal with mean 0 and
    a free variance (Rasch 1960; Masters 1982, Psychometrika 47:149; Thissen 1982, Psychometrika 47:175, for the
    marginal likelihood). It gives abilities that can be compared between candidates who had different questions, as
    long as these hang together, and difficulties that do not depend on who was asked. Below some 30 answers an item
    intervals are wide, and the model wants one trait: see `items.omega` and the fit columns.

    Missing values: a question not asked says nothing about the person (missing by design). Persons and items without
    any answer are left out, as are items on which all answers are the same: they have no difficulty.

    Args:
        scores: Persons by items, whole numbers from 0: 0/1 for right and wrong, 0/1/2 for incorrect, partial, correct.
            See
            `verdict_scores` and `items.points_table`.
        standard_errors: Whether to reckon those of the items, which takes most of the time.

    Returns:
        The fit; without rows where fewer than two persons or two items are left.

    Raises:
        ValueError: Scores that are no whole numbers from 0 to 10.

    >>> rng = np.random.default_rng(1)
    >>> ability, difficulty = rng.normal(0, 1.5, 200), np.array([-1.0, 0.0, 1.0, 0.5])
    >>> right = rng.random((200, 4)) < 1 / (1 + np.exp(difficulty - ability[:, None]))
    >>> fit = rasch(pd.DataFrame(right.astype(int), columns=list("abcd")), standard_errors=False)
    >>> fit.items.sort_values("location")["item"].tolist()
    ['a', 'b', 'd', 'c']
    """
    table = _usable(scores)
    if len(table) < 2 or table.shape[1] < 2:
        empty_items, empty_persons = pd.DataFrame(columns=ITEM_COLUMNS), pd.DataFrame(columns=PERSON_COLUMNS)
        return RaschFit(empty_items, empty_persons, math.nan, math.nan, math.nan, math.nan, False)
    import mirt

    answers = table.to_numpy(float)
    k = answers.shape[1]
    dichotomous = bool(np.nanmax(answers) == 1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fitted = mirt.fit_mirt(
            answers,
            model="2PL" if dichotomous else "GPCM",
            n_categories=None if dichotomous else [int(top) + 1 for top in np.nanmax(answers, axis=0)],
            constraints=[("discrimination", list(range(k)))],
            compute_standard_errors=standard_errors,
            accelerate="squarem",
            n_quadpts=41,
            tol=1e-6,
        )
        scored = mirt.fscores(fitted, answers, method="EAP")
    slope = float(np.ravel(fitted.model.parameters["discrimination"])[0])
    errors = fitted.standard_errors or {}
    slope_se = float(np.ravel(errors["discrimination"])[0]) if "discrimination" in errors else math.nan
    name = "difficulty" if dichotomous else "steps"
    steps = np.reshape(np.asarray(fitted.model.parameters[name], float), (k, -1))
    steps_se = np.reshape(np.asarray(errors[name], float), (k, -1)) if name in errors else np.full_like(steps, np.nan)
    items = _items(table, steps, steps_se, slope)
    items["infit"], items["outfit"] = _mean_squares(answers, items["steps"], slope).T
    persons = _persons(table, np.ravel(scored.theta) * slope, np.ravel(scored.standard_error) * slope)
    spread, error = float(persons["ability"].var(ddof=1)), float(np.square(persons["se"]).mean())
    return RaschFit(
        items=items[ITEM_COLUMNS],
        persons=persons,
        sd=slope,
        sd_se=slope_se,
        log_likelihood=float(fitted.log_likelihood),
        reliability=spread / (spread + error) if spread + error > 0 else math.nan,
        converged=bool(fitted.converged),
    )


def verdict_scores(marks: pd.DataFrame) -> pd.DataFrame:
    """Verdicts as persons by items, incorrect 0, partial 1, correct 2, for `rasch`.

    Args:
        marks: `session_id, question_id, verdict`, and `counts` if known.

    Missing values: NaN where a question was not asked; marks without a verdict are left out.

    >>> marks = pd.DataFrame({"session_id": ["a", "b"], "question_id": "q1", "verdict": ["correct", "partial"]})
    >>> verdict_scores(marks)["q1"].tolist()
    [2.0, 1.0]
    """
    from workbench.statistics.items import points_table
    from workbench.statistics.tables import require

    require(marks, ["session_id", "question_id", "verdict"], "marks")
    value = marks["verdict"].astype(object).map({"incorrect": 0.0, "partial": 1.0, "correct": 2.0})
    return points_table(marks.assign(verdict_score=value), value="verdict_score")


def _usable(scores: pd.DataFrame) -> pd.DataFrame:
    table = scores.astype(float)
    known = table.to_numpy()[table.notna().to_numpy(bool)]
    if len(known) and (((known % 1) != 0).any() or known.min() < 0 or known.max() > 10):
        raise ValueError("scores for a Rasch model are whole numbers from 0 to 10; see verdict_scores")
    table = table.dropna(how="all").dropna(how="all", axis="columns")
    if not table.size:
        return table
    table = table - table.min()
    return table.loc[:, table.max() > 0].dropna(how="all")


def _items(table: pd.DataFrame, steps: np.ndarray, steps_se: np.ndarray, slope: float) -> pd.DataFrame:
    rows = []
    for place, item in enumerate(table.columns):
        top = int(table[item].max())
        own, own_se = steps[place, :top], steps_se[place, :top]
        unreached = not set(range(top + 1)) <= set(table[item].dropna().astype(int))
        estimable = bool((np.abs(own) < BOUND).all()) and not unreached
        location = float(own.mean()) * slope
        se = float(np.sqrt(np.square(own_se).sum()) / top) * slope if estimable else math.nan
        low, high = location - NORMAL_95 * se, location + NORMAL_95 * se
        n = int(table[item].notna().sum())
        rows.append([item, n, location, se, low, high, tuple(float(s * slope) for s in own), estimable])
    return pd.DataFrame(rows, columns=[name for name in ITEM_COLUMNS if name not in ("infit", "outfit")])


def _mean_squares(answers: np.ndarray, steps: Sequence[tuple[float, ...]], sd: float) -> np.ndarray:
    """Infit and outfit of each item, (n_items, 2), averaged over the posterior of the abilities, 1 where the model
    holds.

    With abilities put in as if they were known the mean squares of a short test fall below 1; averaged over what is not
    known of them they do not (Adams and Wu 2007, in von Davier and Carstensen, Multivariate and Mixture Distribution
    Rasch Models, ch. 4).
    """
    nodes = np.linspace(-5, 5, 61) * sd
    log_posterior = np.tile(-0.5 * np.linspace(-5, 5, 61) ** 2, (len(answers), 1))
    expected, variance = [], []
    for place, own in enumerate(steps):
        sums = np.concatenate([np.zeros((1, 61)), np.cumsum(nodes[None, :] - np.array(own)[:, None], axis=0)])
        shares = np.exp(sums - sums.max(axis=0))
        shares /= shares.sum(axis=0)
        values = np.arange(len(own) + 1)[:, None]
        expected.append((values * shares).sum(axis=0))
        variance.append((values**2 * shares).sum(axis=0) - expected[-1] ** 2)
        known = ~np.isnan(answers[:, place])
        log_posterior[known] += np.log(shares[answers[known, place].astype(int)] + 1e-300)
    posterior = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    found = []
    for place in range(len(steps)):
        known = ~np.isnan(answers[:, place])
        weights = posterior[known]
        squares = np.square(answers[known, place][:, None] - expected[place][None, :])
        infit = (weights * squares).sum() / (weights @ variance[place]).sum()
        outfit = (weights * (squares / variance[place])).sum(axis=1).mean()
        found.append([infit, outfit])
    return np.array(found)


def _persons(table: pd.DataFrame, ability: np.ndarray, se: np.ndarray) -> pd.DataFrame:
    half = NORMAL_95 * se
    return pd.DataFrame(
        {
            "person": table.index,
            "n_items": table.notna().sum(axis=1).to_numpy(),
            "ability": ability,
            "se": se,
            "low": ability - half,
            "high": ability + half,
        }
    )
