"""Agreement of marks: the quick figures equal scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

from finetune.metrics import VERDICTS, codes, draws_by_question, kappa, macro_f1, scores, weighted_f1
from finetune.reliability import expected_calibration_error, reliability_bins
from workbench.statistics.core import pearson


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_kappa_and_the_table_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, given = rng.choice(VERDICTS, (2, 60), p=(0.6, 0.3, 0.1))
    points, marks = rng.integers(0, 21, (2, 60)) / 2
    f1 = f1_score(true, given, average="macro", labels=VERDICTS, zero_division=0)
    assert macro_f1(codes(true), codes(given)) == pytest.approx(f1)
    qwk = cohen_kappa_score((2 * points).astype(int), (2 * marks).astype(int), weights="quadratic", labels=range(21))
    assert kappa(points, marks) == pytest.approx(qwk)
    table = scores(list(true), list(given), list(points), list(marks), ["q"] * 60)["confusion"]
    assert table == confusion_matrix(true, given, labels=VERDICTS).tolist()


def test_a_verdict_nobody_gave_counts_as_missed() -> None:
    verdicts = codes(["correct", "correct"])
    assert macro_f1(verdicts, verdicts) == pytest.approx(1 / 3)


def test_marks_that_do_not_vary_have_no_kappa() -> None:
    assert math.isnan(kappa(np.array([5.0, 5.0]), np.array([5.0, 5.0])))


def test_a_bootstrap_draws_whole_questions() -> None:
    for draw in draws_by_question(["a", "a", "b", "b", "b"])[:50]:
        counts = np.bincount(draw, minlength=5)
        assert counts[0] == counts[1] and counts[2] == counts[3] == counts[4]


@pytest.mark.parametrize("seed", range(3))
def test_weighted_f1_and_correlation_are_those_of_scikit_learn_and_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, given = rng.choice(VERDICTS, (2, 60), p=(0.6, 0.3, 0.1))
    points, marks = rng.integers(0, 21, (2, 60)) / 2
    f1 = f1_score(true, given, average="weighted", labels=VERDICTS, zero_division=0)
    assert weighted_f1(codes(true), codes(given)) == pytest.approx(f1)
    assert pearson(points, marks) == pytest.approx(pearsonr(points, marks).statistic)


def test_marks_that_do_not_vary_have_no_correlation() -> None:
    assert math.isnan(pearson(np.array([5.0, 5.0]), np.array([1.0, 5.0])))


def test_calibration_error_is_the_mean_gap_of_the_bins_weighted_by_their_answers() -> None:
    sure = np.array([0.95] * 8 + [0.55] * 2)
    hit = np.array([True] * 6 + [False] * 2 + [True] * 2)
    by_hand = 0.8 * abs(6 / 8 - 0.95) + 0.2 * abs(1 - 0.55)
    assert expected_calibration_error(sure, hit) == pytest.approx(by_hand)
    bins = reliability_bins(sure, hit)
    assert [(one["n"], one["confidence"], one["accuracy"]) for one in bins] == [(2, 0.55, 1.0), (8, 0.95, 0.75)]


def test_a_judge_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.34, 1, 40_000)
    assert expected_calibration_error(sure, rng.uniform(size=sure.size) < sure) < 0.02
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


def test_every_figure_lies_in_its_interval_and_confusion_too() -> None:
    rng = np.random.default_rng(1)
    true = list(rng.choice(VERDICTS, 120))
    given = [t if rng.uniform() < 0.7 else "partial" for t in true]
    points = [{"correct": 9.0, "partial": 5.0, "incorrect": 1.0}[t] for t in true]
    marks = [{"correct": 9.0, "partial": 5.0, "incorrect": 1.0}[t] for t in given]
    questions = [f"q{k % 12}" for k in range(120)]
    found = scores(true, given, points, marks, questions, confidences=[0.7] * 120)
    for name in ("accuracy", "macro_f1", "weighted_f1", "qwk", "rmse", "pearson", "ece"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"], name
    cells = np.array(found["confusion"])
    intervals = found["confusion_intervals"]
    assert (np.array(intervals["low"]) <= cells).all() and (cells <= np.array(intervals["high"])).all()
    assert sum(one["n"] for one in found["reliability"]) == 120
