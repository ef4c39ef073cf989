"""Generalisability theory: how much of a mark is the candidate, the question, the rater, and how many of each are
wanted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.statistics.core import group_draws, percentile_interval
from workbench.statistics.tables import counted, figure, present, require

COMPONENT_COLUMNS = ["effect", "variance", "low", "high", "share", "levels"]
DECISION_COLUMNS = ["n_items", "n_raters", "relative_error", "absolute_error", "g", "phi", "sem"]
PERSON = "person"


def variance_components(
    marks: pd.DataFrame,
    facets: Sequence[str] = ("item",),
    *,
    person: str = PERSON,
    score: str = "points",
    n_draws: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Variance of persons, facets and their interactions, all random, for a crossed study with or without gaps.

    For persons x items the effects are `person, item, person:item` (the last holds the residual); with raters as second
    facet there are seven. Every effect's uncorrected sum of squares T = sum(n_cell mean_cell^2) is set equal to what
    the variances make it expect, and the equations solved (Henderson's method 1; Brennan 2001, Generalizability
    Theory, section 7.1.1, "analogous ANOVA"). Without gaps that is the usual analysis of variance (Cronbach et al.
    1972); with gaps it stays unbiased as long as who was asked what is left to chance, as a seeded choice of questions
    does. Negative estimates, a sign of too little data, are shown as 0.

    Intervals are percentile bootstraps over persons. Effects without the person (items, raters, items x raters) have
    none: other persons would bring the same items and raters again, so that drawing persons says nothing of how
    those would vary (Brennan 2001, ch. 6).

    Missing values: rows with a gap are left out. Fewer than two persons, or a facet with one level: NaN; effects that
    the gaps leave confounded (say, every item with one rater): NaN for all.

    Args:
        marks: One row a mark: the person, the facets and the score. Two rows of one cell are refused.
        facets: Columns that are crossed with persons, at most two: items, or items and raters.
        person: Column of the persons: one viva each.
        score: Column of the scores.
        n_draws: Bootstrap samples of persons for the intervals of effects with the person; 0 gives none.
        seed: Of the bootstrap.

    Returns:
        `effect, variance, low, high, share, levels`; effects are joined with a colon, `low` and `high` NaN where there
        is no interval.

    Raises:
        ValueError: More than two facets, or two scores in one cell.

    >>> scores = {(p, i): p + [0, 1, 3][i] + ((p * 7 + i * 5) % 3) / 2 for p in range(6) for i in range(3)}
    >>> marks = pd.DataFrame([(p, i, x) for (p, i), x in scores.items()], columns=["person", "item", "points"])
    >>> variance_components(marks)[["effect", "variance"]].round(2).values.tolist()
    [['person', 3.4], ['item', 2.28], ['person:item', 0.3]]
    """
    names = [person, *facets]
    require(marks, [*names, score], "marks")
    if not 1 <= len(facets) <= 2:
        raise ValueError(f"{len(facets)} facets: one (items) or two (items and raters) can be crossed with persons")
    known = present(marks, [*names, score])
    if known.duplicated(names).any():
        twice = int(known.duplicated(names).sum())
        raise ValueError(f"{twice} marks share {', '.join(names)} with another: take one mark of each rater")
    codes = [pd.factorize(known[name])[0] for name in names]
    values = known[score].to_numpy(float)
    effects = [c for size in range(1, len(names) + 1) for c in itertools.combinations(range(len(names)), size)]
    labels = [":".join(names[at] for at in effect) for effect in effects]
    levels = [len(set(column)) for column in codes]
    estimate = _components(codes, values, effects) if len(values) and min(levels) > 1 else np.full(len(effects), np.nan)
    low = high = np.full(len(effects), np.nan)
    if n_draws and not np.isnan(estimate).any():
        drawn = [_redrawn(codes, values, effects, rows) for rows in group_draws(codes[0].tolist(), n_draws, seed=seed)]
        ends = np.array([percentile_interval(column) for column in np.array(drawn).T])
        ends[[0 not in effect for effect in effects]] = math.nan
        low, high = ends.T
    total = float(estimate.sum())
    return pd.DataFrame(
        {
            "effect": labels,
            "variance": estimate,
            "low": low,
            "high": high,
            "share": estimate / total if total > 0 else np.nan,
            "levels": [math.prod(levels[at] for at in effect) for effect in effects],
        }
    )


def decision_study(
    components: pd.DataFrame,
    n_items: Sequence[int],
    n_raters: Sequence[int] = (1,),
    *,
    facets: Sequence[str] = ("item",),
) -> pd.DataFrame:
    """What other numbers of items and raters would give: errors, the coefficients G and Phi, and SEM of the mean mark.

    G = var(person) / (var(person) + relative error), for ranking candidates; Phi with the absolute error, for marks
    against a standard, where hard questions and strict raters count too (Brennan 2001, sections 4.1 to 4.3; Shavelson
    and Webb 1991, Generalizability Theory: A Primer, ch. 6). Errors are the variances divided by how many levels are
    averaged over.

    Missing values: NaN components give NaN coefficients, as does var(person) = 0 without any error.

    Args:
        components: The table of `variance_components`.
        n_items: Numbers of items to try.
        n_raters: Numbers of raters to try; of no effect where raters were no facet.
        facets: The facets of the study, in its order: items, or items and raters.

    >>> components = pd.DataFrame({"effect": ["person", "item", "person:item"], "variance": [0.5, 0.2, 1.5]})
    >>> decision_study(components, [3, 12])[["n_items", "g", "phi"]].round(2).values.tolist()
    [[3.0, 0.5, 0.47], [12.0, 0.8, 0.78]]
    """
    require(components, ["effect", "variance"], "variance components")
    if min([*n_items, *n_raters], default=1) < 1:
        raise ValueError("numbers of items and raters start at 1")
    rows = []
    for items, raters in itertools.product(n_items, n_raters):
        count = dict(zip(facets, (items, raters), strict=False))
        universe = relative = absolute = 0.0
        for effect, variance in zip(components["effect"], components["variance"], strict=True):
            parts = effect.split(":")
            divided = variance / math.prod(count.get(part, 1) for part in parts)
            own = [part for part in parts if part not in count]
            if len(own) == len(parts):
                universe += divided
            else:
                absolute += divided
                relative += divided if own else 0.0
        g, phi = (_ratio(universe, universe + error) for error in (relative, absolute))
        sem = math.sqrt(absolute) if absolute >= 0 else math.nan
        rows.append([items, raters, relative, absolute, g, phi, sem])
    return pd.DataFrame(rows, columns=DECISION_COLUMNS)


def items_needed(
    components: pd.DataFrame,
    target: float = 0.80,
    *,
    n_raters: int = 1,
    facets: Sequence[str] = ("item",),
    absolute: bool = False,
    at_most: int = 500,
) -> int | None:
    """How many questions a viva wants for a coefficient of `target`; None if not even `at_most` would do.

    Args:
        components: The table of `variance_components`.
        target: The coefficient that is wanted.
        n_raters: Raters of each answer.
        facets: The facets of the study.
        absolute: Whether Phi is wanted, not G.
        at_most: Largest number tried.

    Missing values: NaN components: None.

    >>> components = pd.DataFrame({"effect": ["person", "item", "person:item"], "variance": [0.5, 0.2, 1.5]})
    >>> items_needed(components, 0.80)
    12
    """
    if not 0 < target < 1:
        raise ValueError(f"target {target}: a coefficient lies between 0 and 1, usually .80")
    tried = decision_study(components, range(1, at_most + 1), [n_raters], facets=facets)
    enough = tried[tried["phi" if absolute else "g"] >= target - 1e-9]
    return int(enough["n_items"].iloc[0]) if len(enough) else None


def generalisability_sentence(
    components: pd.DataFrame,
    n_items: int,
    *,
    n_raters: int = 1,
    facets: Sequence[str] = ("item",),
    target: float = 0.80,
) -> str:
    """The sentence for the paper from the table of `variance_components`.

    >>> components = pd.DataFrame({
    ...     "effect": ["person", "item", "person:item"], "variance": [0.5, 0.2, 1.5], "share": [0.227, 0.091, 0.682],
    ...     "levels": [40, 12, 480],
    ... })
    >>> print(generalisability_sentence(components, 6))  # doctest: +NORMALIZE_WHITESPACE
    Candidates accounted for 23% of the variance of single marks (40 candidates); with 6 questions and 1 rater the
    generalisability coefficient is .67 and the dependability .64; .80 would take 12 questions.
    """
    if components["variance"].isna().any():
        return "The marks do not allow the variance components to be told apart."
    person = components.iloc[0]
    found = decision_study(components, [n_items], [n_raters], facets=facets).iloc[0]
    needed = items_needed(components, target, n_raters=n_raters, facets=facets)
    many = "more than 500 questions" if needed is None else counted(needed, "question")
    return (
        f"Candidates accounted for {person['share']:.0%} of the variance of single marks"
        f" ({counted(int(person['levels']), 'candidate')}); with {counted(n_items, 'question')} and"
        f" {counted(n_raters, 'rater')} the generalisability coefficient is {figure(found['g'])} and the dependability"
        f" {figure(found['phi'])}; {figure(target)} would take {many}."
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _components(codes: list[Any], values: np.ndarray, effects: list[tuple[int, ...]]) -> np.ndarray:
    """Solves T = expected T for the variances; NaN where the equations do not determine them."""
    cells = {effect: _cells(codes, effect) for effect in effects}
    n = len(values)
    wanted = [*effects, ()]
    totals = []
    for effect in wanted:
        cell = cells[effect] if effect else np.zeros(n, np.intp)
        counts = np.bincount(cell)
        totals.append(float((np.bincount(cell, values) ** 2 / counts).sum()))
    coefficients = np.zeros((len(wanted), len(effects) + 1))
    coefficients[:, -1] = n
    for row, outer in enumerate(wanted):
        outer_cell = cells[outer] if outer else np.zeros(n, np.intp)
        size = np.bincount(outer_cell)
        for column, inner in enumerate(effects):
            wide = int(cells[inner].max()) + 1
            both, counts = np.unique(outer_cell * wide + cells[inner], return_counts=True)
            coefficients[row, column] = float((counts**2 / size[both // wide]).sum())
    if np.linalg.matrix_rank(coefficients) < len(effects) + 1:
        return np.full(len(effects), np.nan)
    solved = np.linalg.solve(coefficients, np.array(totals))
    return np.maximum(solved[:-1], 0.0)


def _cells(codes: list[Any], effect: tuple[int, ...]) -> np.ndarray:
    """Number of the cell of each row in the table of the effect, (n,)."""
    cell = np.zeros(len(codes[0]), np.int64)
    for at in effect:
        cell = cell * (int(codes[at].max()) + 1) + codes[at]
    return np.unique(cell, return_inverse=True)[1].reshape(-1)


def _redrawn(codes: list[Any], values: np.ndarray, effects: list[tuple[int, ...]], rows: np.ndarray) -> np.ndarray:
    """Components of a bootstrap sample; a person drawn twice counts as two persons."""
    persons = codes[0][rows].tolist()
    size = np.bincount(codes[0])
    copy = np.zeros(len(rows), np.intp)
    turn, left = -1, 0
    for place, person in enumerate(persons):  # a draw is made of whole persons, one after the other
        if left == 0:
            turn, left = turn + 1, int(size[person])
        copy[place] = turn
        left -= 1
    return _components([copy, *(column[rows] for column in codes[1:])], values[rows], effects)
