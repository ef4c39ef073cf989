"""Fits the hybrid judge: from ticked answers to the probabilities of covered, contradicted and missing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from finetune.answers import Marked
from finetune.metrics import scores
from workbench.judging.base import Embed
from workbench.judging.calibration import STATUSES, Calibration, marked, with_products
from workbench.judging.features import FEATURES, Measurer

INVERSE_REGULARISATION = 0.01
"""scikit-learn's C; .002, .01 and .05 were tried by cross-validation (macro-F1 .831, .839, .836)."""

FOLDS = 6
NEGATIVE_WEIGHT = 0.05
"""What a made answer that earns nothing counts beside a ticked one: there are four times as many of them."""


def measure_all(answers: Sequence[Marked], embed: Embed) -> list[NDArray[np.float64]]:
    """(n_key_points, n_features) of each answer."""
    measurer = Measurer(embed)
    return [measurer.measure(a.question, a.text, a.scenario).features for a in answers]


@dataclass(frozen=True)
class Fitted:
    """Answers with their features; `weight` is what each counts in the fit."""

    answers: Sequence[Marked]
    measured: Sequence[NDArray[np.float64]]
    weight: float = 1.0


def fit(parts: Sequence[Fitted], card: dict[str, Any]) -> Calibration:
    """Fits on answers that are ticked by key point.

    Args:
        parts: Answers, and answers made to earn nothing.
        card: What the calibration is to say of itself.
    """
    x = np.concatenate([row for part in parts for row in part.measured])
    y = np.array([STATUSES.index(s) for part in parts for answer in part.answers for s in answer.statuses])
    weight = np.concatenate([np.full(len(answer.statuses), part.weight) for part in parts for answer in part.answers])
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    products = with_products((x - mean) / scale)
    product_mean, product_scale = products.mean(axis=0), products.std(axis=0) + 1e-9
    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=5000)
    model.fit((products - product_mean) / product_scale, y, sample_weight=weight)

    def rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(float(f"{value:.6g}") for value in values)

    return Calibration(
        FEATURES,
        rounded(mean),
        rounded(scale),
        rounded(product_mean),
        rounded(product_scale),
        tuple(rounded(row) for row in model.coef_.T),
        rounded(model.intercept_),
        card,
    )


def cross_validate(ticked: Fitted, worthless: Fitted) -> dict[str, Any]:
    """Scores of marks given to each question by a model that was fitted on other questions.

    Args:
        ticked: Answers that people ticked; these are marked.
        worthless: Answers that earn nothing, fitted along.
    """
    answers, measured = ticked.answers, ticked.measured
    groups = [answer.question.id for answer in answers]
    verdicts: list[str] = [""] * len(answers)
    points = [0.0] * len(answers)
    right = total = 0
    for train, test in GroupKFold(FOLDS).split(measured, groups=groups):
        left_out = {groups[i] for i in test}
        kept = [i for i, answer in enumerate(worthless.answers) if answer.question.id not in left_out]
        parts = [
            Fitted([answers[i] for i in train], [measured[i] for i in train]),
            Fitted([worthless.answers[i] for i in kept], [worthless.measured[i] for i in kept], worthless.weight),
        ]
        model = fit(parts, {})
        for i in test:
            statuses = [STATUSES[int(k)] for k in model.probabilities(measured[i]).argmax(axis=1)]
            verdicts[i], points[i] = marked(answers[i].question, statuses)
            right += sum(a == b for a, b in zip(statuses, answers[i].statuses, strict=True))
            total += len(statuses)
    figures = scores([a.verdict for a in answers], verdicts, [a.points for a in answers], points, groups)
    return {"key_point_accuracy": round(right / total, 4), **figures}


def fingerprint(path: Path) -> str:
    """First twelve hexadecimal digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
