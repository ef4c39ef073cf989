"""The hybrid fitted on a corpus: several views of an answer beside its references, stacked by question.

A member's probabilities for an answer come from a fit without that answer's question (Wolpert 1992, Neural Networks
5:241), so that the stack learns whom to trust on questions nobody has met. Adapters that were, between them, held from
every question are members like the others. Those held from a part only are weighed afterwards, on that part, against
what the other members say together, who learn from all: a few questions are enough for one weight, not for a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from finetune.adapter_scores import AdapterScores, kept_in
from finetune.corpora import LABELS
from finetune.members import Member, members_for
from finetune.metrics import scores
from finetune.pair_features import Pair, fit_idf
from finetune.vectors import Vectors, encoder
from finetune.views import Views, texts_of, views_of
from workbench.settings import get_settings

FOLDS = 8

LEAST_HEARD = 6
"""Questions that some adapter was held from, below which there is nothing to weigh adapters by: weighed on the five of
saf, one adapter made the hybrid worse than itself (macro-F1 of .41 for .50)."""

ADAPTERS_C = 0.03
"""scikit-learn's C where adapters are weighed afterwards: between .01 and .1, which cross-validation on the held
questions of scientsbank and beetle does not tell apart (mean macro-F1 .679, at .03 .676, at .1 .678)."""

Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


class HybridGrader:
    """Members fitted apart, and a regression that weighs their probabilities.

    Args:
        name: Name and version.
        encoders: Sentence encoders whose vectors it sees, see `finetune.vectors`.
        vectors: By encoder; None makes them of the settings' weights when they are first needed.
        adapters: Folders of adapters whose word is weighed too, see `finetune.adapter_scores`.
        scores: What they say; None asks them when it is first needed.
    """

    def __init__(
        self,
        name: str,
        encoders: Sequence[str] = ("minilm",),
        vectors: Mapping[str, Vectors] | None = None,
        adapters: Sequence[Path] = (),
        scores: AdapterScores | None = None,
    ) -> None:
        self.name = name
        self.encoders = tuple(encoders)
        self.adapters = tuple(adapters)
        self._scores = scores
        self.validated: dict[str, Any] = {}
        self._fitted: dict[str, Any] = {}
        self._afterwards = False
        self._vectors = vectors

    def __getstate__(self) -> dict[str, Any]:
        """Without encoders and adapters, which are not the fit's; the adapters' folders are."""
        return self.__dict__ | {"_vectors": None, "_scores": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes fits that were kept before there were adapters, too."""
        self.__dict__.update({"adapters": (), "_scores": None, "_afterwards": False, **state})

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        """Learns, and fills `validated` with the figures on questions left out; see `Grader`."""
        y = np.array([LABELS.index(label) for label in labels])
        self._idf = fit_idf(
            [pair.answer for pair in pairs] + [text for pair in dict.fromkeys(_askings(pairs)) for text in pair]
        )
        views = self.look(pairs, held_out=True)
        heard = np.flatnonzero(np.isfinite(views.told).all(axis=1))
        groups_heard = [groups[i] for i in heard.tolist()]
        n_heard, n_questions = len(set(groups_heard)), len(set(groups))
        _check_heard(n_heard, n_questions)
        self._afterwards = n_heard < n_questions
        folds, folds_heard = folds_by_question(groups), folds_by_question(groups_heard)
        outside = {name: left_out_probabilities(member, views, y, folds) for name, member in self._members().items()}
        stacked = _logs(outside.values())
        honest, y_heard = _left_out(_stack, stacked, y, folds), y[heard]
        if self._afterwards:
            beside = np.hstack([_logs([honest])[heard], views.told[heard]])
            outside |= {"these together": honest} | _voices(views.told)
            honest = _left_out(_weigher, beside, y_heard, folds_heard)
            self._weigher = _weigher().fit(beside, y_heard)
        self._offsets = macro_offsets(honest, y_heard)
        given = [LABELS[k] for k in left_out_labels(honest, y_heard, folds_heard)]
        points = {"correct": 10.0, "partial": 5.0, "incorrect": 0.0}
        right = [LABELS[k] for k in y_heard]
        self.validated = scores(right, given, [points[v] for v in right], [points[v] for v in given], groups_heard)
        self.validated["members"] = {
            name: round(_macro_f1(y_heard, found[heard].argmax(axis=1)), 4) for name, found in outside.items()
        }
        self.validated["questions"] = {"weighed_on": n_heard, "of": n_questions}
        self._stack = _stack().fit(stacked, y)
        self._fitted = {name: member.make().fit(member.see(views), y) for name, member in self._members().items()}

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3); see `Grader`."""
        views = self.look(pairs)
        stacked = _logs(
            label_probabilities(self._fitted[name], member.see(views)) for name, member in self._members().items()
        )
        found = label_probabilities(self._stack, stacked)
        if self._afterwards:
            found = label_probabilities(self._weigher, np.hstack([_logs([found]), views.told]))
        weighed = np.exp(np.log(found + 1e-9) + self._offsets)
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    def _members(self) -> Mapping[str, Member]:
        return members_for(self.encoders, adapted=bool(self.adapters) and not self._afterwards)

    def look(self, pairs: Sequence[Pair], *, held_out: bool = False) -> Views:
        """The members' views of answers.

        Args:
            pairs: The answers.
            held_out: Whether an adapter is asked about no question that it was trained on.
        """
        vectors = self._encoders()
        for one in vectors.values():
            one.prepare(text for pair in pairs for text in texts_of(pair))
        told = None
        if self.adapters:
            if self._scores is None:
                self._scores = AdapterScores(self.adapters, get_settings(), kept_in(get_settings()))
            told = self._scores.log_probabilities(pairs, held_out=held_out)
        return views_of(pairs, self._idf, vectors, told)

    def use(self, vectors: Mapping[str, Vectors]) -> None:
        """Takes these vectors instead of making its own, such as those that were kept on disk."""
        self._vectors = vectors

    def _encoders(self) -> Mapping[str, Vectors]:
        if self._vectors is None:
            settings = get_settings()
            self._vectors = {name: Vectors(encoder(name, settings)) for name in self.encoders}
        return self._vectors


def folds_by_question(groups: Sequence[str], seed: int = 0) -> Folds:
    """Train and test rows, no question on both sides."""
    folds = min(FOLDS, len(set(groups)))
    return list(GroupKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(groups)), groups=groups))


def left_out_probabilities(member: Member, views: Views, y: NDArray[np.intp], folds: Folds) -> NDArray[np.float64]:
    """(n, 3): what a member says of each answer when it was fitted without the answer's question."""
    found = np.zeros((len(y), len(LABELS)))
    for train, test in folds:
        made = member.make().fit(member.see(views.rows(train)), y[train])
        found[test] = label_probabilities(made, member.see(views.rows(test)))
    return found


def label_probabilities(model: Any, seen: Any) -> NDArray[np.float64]:
    """(n, 3): what a fitted model says; 0 for a label that it never met, as a few questions may lack one."""
    found = np.zeros((len(seen), len(LABELS)))
    found[:, model.classes_] = model.predict_proba(seen)
    return found


def _left_out(
    make: Callable[[], Any], seen: NDArray[np.float64], y: NDArray[np.intp], folds: Folds
) -> NDArray[np.float64]:
    """(n, 3): what a model says of each row when it was fitted without the row's question."""
    found = np.zeros((len(y), len(LABELS)))
    for train, test in folds:
        found[test] = label_probabilities(make().fit(seen[train], y[train]), seen[test])
    return found


def left_out_labels(probabilities: NDArray[np.float64], y: NDArray[np.intp], folds: Folds) -> NDArray[np.intp]:
    """(n,): the likeliest label of each row, with offsets that were chosen without the row's question."""
    found = np.zeros(len(y), np.intp)
    for train, test in folds:
        offsets = macro_offsets(probabilities[train], y[train])
        found[test] = (np.log(probabilities[test] + 1e-9) + offsets).argmax(axis=1)
    return found


def _voices(told: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Probabilities by each voice of adapters."""
    n = told.shape[1] // len(LABELS)
    names = ["adapters"] if n == 1 else [f"adapters, base {k + 1}" for k in range(n)]
    return {name: np.exp(one) for name, one in zip(names, np.split(told, n, axis=1), strict=True)}


def _check_heard(n_heard: int, n: int) -> None:
    if n_heard < min(n, LEAST_HEARD):
        raise ValueError(
            f"the adapters were held from {n_heard} of {n} questions, at least {LEAST_HEARD} are needed: what they say "
            "of a question they were trained on is no guide to new ones; prepare their rows from this corpus too, so "
            "that some of its questions are set aside, or train one on each part of a split (`viva-finetune prepare "
            "--validation .2 --part 0` to 4) and give all"
        )


def macro_offsets(probabilities: NDArray[np.float64], y: NDArray[np.intp]) -> NDArray[np.float64]:
    """What to add to the logarithms of the probabilities so that the likeliest label has the best macro-F1.

    Args:
        probabilities: (n, 3), of answers to questions left out.
        y: Right labels.

    Returns:
        (3,), the first 0; in steps of .05 up to .6 either way.
    """
    steps = np.arange(-12, 13) * 0.05
    logs = np.log(probabilities + 1e-9)
    tried = [np.array([0.0, a, b]) for a in steps for b in steps]
    found = [_macro_f1(y, (logs + offset).argmax(axis=1)) for offset in tried]
    return tried[int(np.argmax(found))]


def _macro_f1(y: NDArray[np.intp], given: NDArray[np.intp]) -> float:
    """Macro-F1 from the confusion matrix: hundreds of offsets are tried."""
    n = len(LABELS)
    confusion = np.bincount(n * y + given, minlength=n * n).reshape(n, n)
    return float(np.mean(2 * confusion.diagonal() / np.maximum(1, confusion.sum(axis=0) + confusion.sum(axis=1))))


def _logs(probabilities: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.hstack([np.log(np.clip(one, 1e-3, 1)) for one in probabilities])


def _stack() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced"))


def _weigher() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=ADAPTERS_C, max_iter=2000, class_weight="balanced"))


def _askings(pairs: Iterable[Pair]) -> list[tuple[str, ...]]:
    return [pair.references for pair in pairs]
