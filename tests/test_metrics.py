"""Agreement of marks: the quick figures equal scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

from finetune.metrics import VERDICTS, codes, draws_by_question, kappa, macro_f1, scores


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
