"""Two judges on the same answers: whether one is better, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from finetune.metrics import RESAMPLES, codes, draws_by_question, kappa, macro_f1
from finetune.predictions import Prediction, PredictionsError, by_slice

NAMED = 3
"""Rows an error names at most."""

BETTER, UNCLEAR, WORSE = "#009E73", "#7F7F7F", "#D55E00"
"""Of the palette of Okabe and Ito (2008), which people with any colour vision tell apart; shapes say it again."""


@dataclass(frozen=True)
class Mcnemar:
    """Whether two judges are right equally often.

    Attributes:
        only_a: Answers only the first judge got right.
        only_b: Answers only the second got right.
        p: Two-sided, exact.
    """

    only_a: int
    only_b: int
    p: float


def mcnemar(right_a: Sequence[bool], right_b: Sequence[bool]) -> Mcnemar:
    """The exact test of McNemar (1947, Psychometrika 12:153) for paired yes and no.

    Of b + c answers on which exactly one judge is right, b are a binomial draw with p = .5 where neither is better, so
    p = 2 * P(X <= min(b, c)), at most 1. It takes answers as independent, which answers to one question are not: read
    it beside the bootstrap by question, which does not.

    Args:
        right_a: Whether the first judge was right on each answer.
        right_b: Whether the second was.

    >>> mcnemar([True] * 7 + [False], [False] * 7 + [True]).p
    0.0703125
    """
    a, b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    p = float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    return Mcnemar(only_a, only_b, p)


def paired(a: Sequence[Prediction], b: Sequence[Prediction]) -> list[tuple[Prediction, Prediction]]:
    """The same answers marked by both, in the order of the first.

    Raises:
        PredictionsError: Rows that only one has, or whose examiner's mark differs; or several judges in one file.
    """
    for side in (a, b):
        judges = sorted({p.judge for p in side})
        if len(judges) != 1:
            raise PredictionsError(
                f"predictions of {len(judges)} judges stand in one file ({', '.join(judges)}); write one file a judge"
            )
    others = {p.row_id: p for p in b}
    rows = {p.row_id for p in a}
    lost = [p.row_id for p in a if p.row_id not in others], [p.row_id for p in b if p.row_id not in rows]
    if any(lost):
        raise PredictionsError(
            f"the two files hold different answers: {_some(lost[0])} only in {a[0].judge}'s, {_some(lost[1])} only in "
            f"{b[0].judge}'s, {len(rows & set(others))} in both; evaluate both judges with the same --on, --split, "
            "--half, --hearings and --limit"
        )
    pairs = [(p, others[p.row_id]) for p in a]
    torn = [x.row_id for x, y in pairs if (x.true_verdict, x.true_points) != (y.true_verdict, y.true_points)]
    if torn:
        raise PredictionsError(
            f"the examiner's marks differ between the files for {_some(torn)}; evaluate both judges on the same data"
        )
    return pairs


def compare(a: Sequence[Prediction], b: Sequence[Prediction], *, seed: int = 0) -> dict[str, Any]:
    """How much better the second judge is than the first, whole and by slice.

    Both are drawn together, question by question, so that what makes a question hard cancels out (paired bootstrap:
    Koehn 2004, Statistical significance tests for machine translation evaluation, EMNLP, section 4; here the unit that
    is drawn is a question).

    Args:
        a: The first judge's marks.
        b: The second's, of the same answers.
        seed: Of the draws.

    Returns:
        `a` and `b` (judge and version), `resamples`, `whole` and `slices` (name, part): each `n`, `questions`, both
        macro-F1 and QWK, `macro_f1` and `qwk` (second less first: `value, low, high` of 95 %, `better_rate`, the share
        of draws in which the second is better) and `mcnemar`. Intervals are None where only one question is left to
        draw from.

    Raises:
        PredictionsError: The rows do not pair up; the message says how.
    """
    pairs = paired(a, b)
    cuts = by_slice([x for x, _ in pairs])
    return {
        "a": {"judge": a[0].judge, "version": a[0].version},
        "b": {"judge": b[0].judge, "version": b[0].version},
        "resamples": RESAMPLES,
        "whole": _compared(pairs, seed),
        "slices": {
            name: {part: _compared([pairs[row] for row in rows], seed) for part, rows in parts.items()}
            for name, parts in cuts.items()
            if len(parts) > 1
        },
    }


def rows_of(result: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The whole and every part with its name, for tables and plots."""
    parts = [(f"{cut}: {part}", r) for cut, found in result["slices"].items() for part, r in found.items()]
    return [("all answers", result["whole"]), *parts]


def plot(result: dict[str, Any], path: Path) -> None:
    """Draws the differences of macro-F1 with their intervals, one line a slice.

    Args:
        result: What `compare` returns.
        path: Picture it goes to, `.png` or what else matplotlib writes.
    """
    from matplotlib.figure import Figure

    rows = rows_of(result)
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="0.6", linewidth=1)
    for y, (_, one) in enumerate(rows):
        at = one["macro_f1"]
        low, high = (at["value"] if at[end] is None else at[end] for end in ("low", "high"))
        colour, marker = (BETTER, ">") if low > 0 else (WORSE, "<") if high < 0 else (UNCLEAR, "o")
        axes.plot([low, high], [y, y], color=colour, linewidth=2)
        axes.plot(at["value"], y, marker, color=colour, markersize=7)
    axes.set_yticks(range(len(rows)), [f"{name} (n={one['n']})" for name, one in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"macro-F1 of {result['b']['judge']} less that of {result['a']['judge']}, 95 % by question")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _compared(pairs: Sequence[tuple[Prediction, Prediction]], seed: int) -> dict[str, Any]:
    true = codes([x.true_verdict for x, _ in pairs])
    points = np.array([x.true_points for x, _ in pairs])
    given = [codes([pair[side].given_verdict for pair in pairs]) for side in (0, 1)]
    marks = [np.array([pair[side].given_points for pair in pairs]) for side in (0, 1)]
    questions = [x.question_id for x, _ in pairs]
    draws = draws_by_question(questions, seed=seed) if len(set(questions)) > 1 else []
    every = np.arange(len(pairs))

    def f1(side: int, i: NDArray[np.intp]) -> float:
        return macro_f1(true[i], given[side][i])

    def qwk(side: int, i: NDArray[np.intp]) -> float:
        return kappa(points[i], marks[side][i])

    test = mcnemar((given[0] == true).tolist(), (given[1] == true).tolist())
    result: dict[str, Any] = {"n": len(pairs), "questions": len(set(questions))}
    for name, measure in {"macro_f1": f1, "qwk": qwk}.items():
        result[f"{name}_a"], result[f"{name}_b"] = (_number(measure(side, every)) for side in (0, 1))
        result[name] = _difference(measure, every, draws)
    return result | {"mcnemar": {"only_a": test.only_a, "only_b": test.only_b, "p": float(f"{test.p:.4g}")}}


def _difference(
    measure: Callable[[int, NDArray[np.intp]], float], every: NDArray[np.intp], draws: Sequence[NDArray[np.intp]]
) -> dict[str, float | None]:
    drawn = np.array([measure(1, draw) - measure(0, draw) for draw in draws])
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return {
        "value": _number(measure(1, every) - measure(0, every)),
        "low": _number(low),
        "high": _number(high),
        "better_rate": _number(float(np.mean(drawn > 0))) if len(drawn) else None,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _some(rows: Sequence[str]) -> str:
    shown = f" ({', '.join(rows[:NAMED])}{', ...' if len(rows) > NAMED else ''})" if rows else ""
    return f"{len(rows)} row{'s' * (len(rows) != 1)}{shown}"
