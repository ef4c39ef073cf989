"""Raters with known errors: they mark what was deserved, plus an offset, noise and drift, within 0 to 10 points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import pandas as pd

from workbench.exam.grading import verdict_of


@dataclass(frozen=True)
class Rater:
    """How somebody marks.

    Attributes:
        name: As in the table `marks`.
        kind: As in the table `marks`.
        offset: Points added to what was deserved.
        noise: Standard deviation of what is added at random, points.
        drift: Points added from the first viva to the last, evenly.
        share: Share of the vivas marked.
    """

    name: str
    kind: str
    offset: float
    noise: float
    drift: float = 0.0
    share: float = 1.0


RATERS = (
    Rater("human:AB12", "human", offset=0.0, noise=0.9),
    Rater("human:CD34", "human", offset=-0.6, noise=0.9, drift=1.2, share=0.5),
    Rater("models:/viva-examiner/3", "adapter", offset=0.8, noise=0.7),
)
"""The planted raters, beside the real judge."""


def planted_marks(seed: int, truth: pd.DataFrame, sessions: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Marks of the planted raters, and what a comparison with the deserved points should find.

    Args:
        seed: Seed of every draw.
        truth: `session_id, item_index, question_id, deserved_points`.
        sessions: The table `sessions`.

    Returns:
        Rows for the table `marks` without `mark_index`, and by rater its parameters with `expected_difference`: the
        mean difference from the deserved points after marks were kept within 0 and 10, in closed form.
    """
    moments = sessions.set_index("session_id")["started_at"]
    first, last = moments.min(), moments.max()
    place = ((moments - first) / (last - first)).to_dict()
    rows: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    for rater in RATERS:
        random = Random(f"{seed}:rater:{rater.name}")
        marked = {session_id for session_id in sessions["session_id"] if random.random() < rater.share}
        expected = []
        for row in truth.itertuples():
            if row.session_id not in marked:
                continue
            mean = row.deserved_points + rater.offset + rater.drift * place[row.session_id]
            points = min(10.0, max(0.0, round(2 * random.gauss(mean, rater.noise)) / 2))
            expected.append(clipped_mean(mean, rater.noise) - row.deserved_points)
            rows.append(
                {
                    "session_id": row.session_id,
                    "item_index": row.item_index,
                    "question_id": row.question_id,
                    "rater": rater.name,
                    "rater_kind": rater.kind,
                    "rater_version": rater.name if rater.kind == "adapter" else None,
                    "verdict": verdict_of(points / 10),
                    "points": points,
                    "confidence": None if rater.kind == "human" else 0.8,
                    "marked_at": moments[row.session_id] + timedelta(days=1),
                    "counts": False,
                    "evidence": "[]",
                }
            )
        found[rater.name] = {
            "offset": rater.offset,
            "noise": rater.noise,
            "drift": rater.drift,
            "n_marks": len(expected),
            "expected_difference": round(sum(expected) / len(expected), 4),
        }
    return pd.DataFrame(rows), found


def clipped_mean(mean: float, sd: float, low: float = 0.0, high: float = 10.0) -> float:
    """The mean of a normal variable kept within two bounds (a doubly censored normal; Greene 2003, theorem 22.4).

    >>> round(clipped_mean(5.0, 1.0), 6), round(clipped_mean(0.0, 1.0), 4)
    (5.0, 0.3989)
    """

    def density(z: float) -> float:
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    def below(z: float) -> float:
        return 0.5 * (1 + math.erf(z / math.sqrt(2)))

    a, b = (low - mean) / sd, (high - mean) / sd
    inside = below(b) - below(a)
    return low * below(a) + high * (1 - below(b)) + mean * inside + sd * (density(a) - density(b))
