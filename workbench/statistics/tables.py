"""What every statistic asks of the table it is given, and how a figure is worded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from workbench.statistics.core import group_draws, percentile_interval

N_DRAWS = 1000
"""Bootstrap samples of an interval, unless asked otherwise."""


def require(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Refuses a table that lacks a column.

    Raises:
        ValueError: Names what is lacking, what is there and what the table is for.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        there = ", ".join(map(str, table.columns)) or "no columns"
        raise ValueError(
            f"the table of {name} lacks {', '.join(missing)}; it has {there}: rename its columns, or take the table"
            " from workbench.transcripts.load"
        )


def require_level(level: float) -> None:
    """Refuses a confidence level that is none.

    Raises:
        ValueError: It does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}: a confidence level lies between 0 and 1, usually .95")


def present(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The rows in which none of the columns is missing, numbered afresh."""
    return table.dropna(subset=list(columns)).reset_index(drop=True)


def bootstrap(
    measure: Callable[[np.ndarray], float], groups: Any, *, n_draws: int = N_DRAWS, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of a figure, drawn by whole groups; NaN for fewer than two groups.

    Args:
        measure: Gives the figure of some row numbers (with repetition).
        groups: Group of each row, usually the session.
        n_draws: Samples.
        seed: Of the draws.
        level: Of the interval.
    """
    groups = list(groups)
    if len(set(groups)) < 2:
        return math.nan, math.nan
    return percentile_interval([measure(draw) for draw in group_draws(groups, n_draws, seed=seed)], level)


def figure(value: float, digits: int = 2) -> str:
    """A number for a sentence: no zero before the point where it cannot exceed 1, a true minus sign.

    >>> figure(0.836), figure(-0.5), figure(12.345), figure(float("nan"))
    ('.84', '-.50', '12.35', 'undefined')
    """
    if value is None or math.isnan(value):
        return "undefined"
    said = f"{value:.{digits}f}"
    if abs(value) < 1 and said.lstrip("-").startswith("0."):
        said = said.replace("0.", ".", 1)
    return said.removeprefix("-") if float(said) == 0 else said


def with_interval(value: float, low: float, high: float, *, digits: int = 2, level: float = 0.95) -> str:
    """A figure and its interval.

    >>> with_interval(0.836, 0.79, 0.88)
    '.84 (95% CI [.79, .88])'
    >>> with_interval(0.5, float("nan"), float("nan"))
    '.50 (no interval)'
    """
    if any(end is None or math.isnan(end) for end in (low, high)):
        return f"{figure(value, digits)} (no interval)"
    return f"{figure(value, digits)} ({level:.0%} CI [{figure(low, digits)}, {figure(high, digits)}])"


def counted(n: int, one: str, many: str | None = None) -> str:
    """A number of things.

    >>> counted(1, "viva"), counted(1200, "viva")
    ('1 viva', '1,200 vivas')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"
