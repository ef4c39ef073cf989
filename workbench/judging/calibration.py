"""What turns a key point's features into probabilities: a multinomial logistic model, kept as readable JSON.

It is small on purpose: twenty features with their products, three outcomes. `viva-finetune calibrate` fits it on
answers whose key points were ticked one by one, and on no exemplar of a bank.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.exam.grading import points_of, verdict_of
from workbench.exam.items import Question
from workbench.exam.model import Verdict
from workbench.judging.features import FEATURES

STATUSES = ("covered", "contradicted", "missing")
BUILT_IN = "hybrid.json"


@dataclass(frozen=True)
class Calibration:
    """A fitted model with where it comes from.

    Attributes:
        features: Names of the features, in order; those of `FEATURES`.
        mean: Their means.
        scale: Their standard deviations.
        product_mean: Means of the standardised features and their products, see `with_products`.
        product_scale: Standard deviations of the same.
        weights: (n_features_and_products, 3), towards covered, contradicted, missing.
        bias: (3,).
        card: What it was fitted on, how, and how good it was there.
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    product_mean: tuple[float, ...]
    product_scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    card: dict[str, object]

    def __post_init__(self) -> None:
        if self.features != FEATURES:
            raise ValueError(
                f"the calibration is for features {self.features}, this program measures {FEATURES}; "
                "fit it anew with `viva-finetune calibrate`"
            )

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_key_points, n_features) -> (n_key_points, 3): covered, contradicted, missing."""
        x = with_products((features - np.array(self.mean)) / np.array(self.scale))
        z = (x - np.array(self.product_mean)) / np.array(self.product_scale) @ np.array(self.weights) + self.bias
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path | None = None) -> Calibration:
        """Reads one; None takes the one that comes with the program.

        Raises:
            ValueError: The file is no calibration, or one for other features.
        """
        text = path.read_text(encoding="utf-8") if path else (files(__package__) / BUILT_IN).read_text(encoding="utf-8")
        try:
            data = json.loads(text)
            return Calibration(
                tuple(data["features"]),
                tuple(data["mean"]),
                tuple(data["scale"]),
                tuple(data["product_mean"]),
                tuple(data["product_scale"]),
                tuple(map(tuple, data["weights"])),
                tuple(data["bias"]),
                dict(data["card"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path or BUILT_IN} is no calibration: {error!r}") from error


def with_products(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, k) -> (n, k + k (k + 1) / 2): the features, then every product of two of them, squares too."""
    first, second = np.triu_indices(features.shape[1])
    return np.concatenate([features, features[:, first] * features[:, second]], axis=1)


def mark_probability(question: Question, probabilities: NDArray[np.float64], verdict: Verdict) -> float:
    """Probability of a verdict when the key points' outcomes are independent of each other.

    Args:
        question: Its key points' weights make the verdict.
        probabilities: (n_key_points, 3).
        verdict: The verdict in question.
    """
    total = 0.0
    for outcome in product(range(3), repeat=len(question.key_points)):
        if marked(question, [STATUSES[i] for i in outcome])[0] == verdict:
            total += float(np.prod([probabilities[k, i] for k, i in enumerate(outcome)]))
    return total


def marked(question: Question, statuses: list[str]) -> tuple[Verdict, float]:
    """Verdict and points that follow from the key points' statuses."""
    pairs = list(zip(question.key_points, statuses, strict=True))
    covered = sum(point.weight for point, status in pairs if status == "covered")
    contradicted = sum(point.weight for point, status in pairs if status == "contradicted")
    essential_wrong = any(point.essential and status == "contradicted" for point, status in pairs)
    verdict = verdict_of(covered, essential_wrong=essential_wrong)
    return verdict, points_of(covered, contradicted, verdict)
