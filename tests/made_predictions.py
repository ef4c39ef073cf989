"""Marks of made-up judges whose strength is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from finetune.metrics import VERDICTS
from finetune.predictions import Prediction

POINTS = {"correct": 9.0, "partial": 5.0, "incorrect": 1.0}


def made(
    judge: str,
    right: Callable[[int, np.random.Generator], bool],
    *,
    seed: int = 1,
    n_questions: int = 40,
    per_question: int = 6,
    version: str = "",
) -> list[Prediction]:
    """Marks of a judge that is right where it is told to be, else one verdict off."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n_questions * per_question):
        true = VERDICTS[k % 3]
        given = true if right(k, rng) else VERDICTS[(k + 1) % 3]
        slices = {"medium": "heard" if k % 2 else "typed", "discipline": "law"}
        rows.append(
            Prediction(
                f"q{k // per_question}:{k}",
                f"q{k // per_question}",
                true,
                given,
                POINTS[true],
                POINTS[given],
                0.8,
                slices,
                judge,
                version or f"{judge}-1",
                3.0,
            )  # fmt: skip
        )
    return rows
