"""The members of the hybrid grader: what each sees of an answer, and what learns from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from finetune.views import Views


def same(terms: list[str]) -> list[str]:
    """The terms as they are: what a vectoriser of ready-made terms asks for."""
    return terms


def _regression(c: float) -> Any:
    return LogisticRegression(C=c, max_iter=2000, class_weight="balanced")


def _beside(encoder: str, views: Views) -> NDArray[np.float32]:
    said, right = views.said[encoder], views.right[encoder]
    return np.hstack([said, np.abs(said - right), said * right])


@dataclass(frozen=True)
class Member:
    """One way to see answers, and what learns from it.

    Attributes:
        see: What of the views it is given.
        make: A new, unfitted model.
    """

    see: Callable[[Views], Any]
    make: Callable[[], Any]


def members_for(encoders: Sequence[str], *, adapted: bool = False) -> dict[str, Member]:
    """The members by name: three that see words and measures, one for each encoder's vectors, two that hear adapters.

    Args:
        encoders: Sentence encoders whose vectors are seen.
        adapted: Whether adapters were asked.
    """
    members = {
        "boosting": Member(lambda views: views.measures, _boosting),
        "measures": Member(lambda views: views.measures, lambda: make_pipeline(StandardScaler(), _regression(0.03))),
        "terms": Member(lambda views: views.terms, _words),
        **{f"{name} beside": Member(partial(_beside, name), lambda: _regression(1.0)) for name in encoders},
    }
    if adapted:
        members["adapters"] = Member(
            lambda views: views.told, lambda: make_pipeline(StandardScaler(), _regression(1.0))
        )
        members["boosting, adapters"] = Member(lambda views: np.hstack([views.measures, views.told]), _boosting)
    return members


def _boosting() -> Any:
    return HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        l2_regularization=1.0,
        class_weight="balanced",
        random_state=0,
    )


def _words() -> Any:
    return make_pipeline(TfidfVectorizer(analyzer=same, sublinear_tf=True, min_df=2), _regression(1.0))
