"""Whether a judge that is 80 % sure is right in 80 of 100 cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_BINS = 15
"""As in Guo et al. 2017, Table 1."""


def expected_calibration_error(
    confidences: NDArray[np.float64], hits: NDArray[np.bool_], n_bins: int = N_BINS
) -> float:
    """How far confidence lies from accuracy, on average over bins of confidence.

    ECE = sum over bins m of |B_m| / n * |acc(B_m) - conf(B_m)|, with bins ((m - 1) / M, m / M] of equal width (Guo,
    Pleiss, Sun and Weinberger 2017, On calibration of modern neural networks, ICML, equations 2, 3 and 5).

    Args:
        confidences: (n,) in [0, 1].
        hits: (n,) whether the verdict was right.
        n_bins: M.

    >>> round(expected_calibration_error(np.array([0.9, 0.9, 0.6, 0.6]), np.array([True, True, True, False])), 3)
    0.1
    """
    counts, sure, right = _sums(confidences, hits, n_bins)
    return float(np.abs(right - sure).sum() / max(1, counts.sum()))


def reliability_bins(
    confidences: NDArray[np.float64], hits: NDArray[np.bool_], n_bins: int = N_BINS
) -> list[dict[str, Any]]:
    """`above`, `up_to`, `n`, mean `confidence` and `accuracy` of each bin that holds answers; see the error's formula.

    Args:
        confidences: (n,) in [0, 1].
        hits: (n,) whether the verdict was right.
        n_bins: Bins of equal width.
    """
    counts, sure, right = _sums(confidences, hits, n_bins)
    return [
        {
            "above": round(m / n_bins, 4),
            "up_to": round((m + 1) / n_bins, 4),
            "n": int(counts[m]),
            "confidence": round(float(sure[m] / counts[m]), 4),
            "accuracy": round(float(right[m] / counts[m]), 4),
        }
        for m in np.flatnonzero(counts)
    ]


def plot_reliability(bins: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draws accuracy over confidence, the diagonal of a judge that knows itself, and how many answers each bin holds.

    Args:
        bins: As `reliability_bins` gives them.
        path: File the picture goes to.
        title: Stands above it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    at = [one["confidence"] for one in bins]
    upper.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="as sure as right")
    upper.plot(at, [one["accuracy"] for one in bins], "o-", color="#0072B2", label="judge")
    upper.set(title=title, ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.legend(loc="upper left", frameon=False)
    lower.bar(
        [one["above"] for one in bins], [one["n"] for one in bins],
        [one["up_to"] - one["above"] for one in bins], align="edge", color="#E69F00", edgecolor="white",
    )  # fmt: skip
    lower.set(xlabel="confidence", ylabel="answers")
    figure.savefig(path, dpi=150)


def _sums(
    confidences: NDArray[np.float64], hits: NDArray[np.bool_], n_bins: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Answers, sum of confidences and hits of each bin, (n_bins,) each."""
    place = np.clip(np.ceil(confidences * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    return (
        np.bincount(place, minlength=n_bins),
        np.asarray(np.bincount(place, confidences, n_bins), np.float64),
        np.asarray(np.bincount(place, hits.astype(float), n_bins), np.float64),
    )
