"""A base without an adapter as a judge, shown no marked answers or a few: what training has to beat.

A model that was not trained to mark leans towards one word whatever the answer is. How it leans on a question is
measured on answers without content and taken off (Zhao et al. 2021, Calibrate Before Use, ICML).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetune.adapter_judge import AdapterScorer, Loaded
from finetune.choosing import chosen_by_hash
from finetune.config import Recipe
from finetune.corpora import LABELS, Record
from finetune.graded_judge import GradedJudge
from finetune.pair_features import Pair
from workbench.engines.base import ChatMessage
from workbench.engines.bridge import wait_for
from workbench.exam.judge_prompts import NO_ANSWER, VERDICT_LABELS, verdict_prompt

if TYPE_CHECKING:
    from workbench.settings import Settings

PREFIX = "base:"
"""How the names of such judges begin: `base:NAME`, or `base:NAME#N` after N marked answers."""

MOST_SHOTS = 12

LONGEST_SHOT = 60
"""Words in question, reference and answer of one that is shown."""


class BaseGrader:
    """Verdicts of a model that was not trained to give them.

    Args:
        scorer: The model.
        name: How it is called beside a mark.
        shots: Marked answers it is shown before each question.
    """

    def __init__(self, scorer: AdapterScorer, name: str, shots: Sequence[Record] = ()) -> None:
        self.name = name
        self._scorer = scorer
        self._shown = [message for shot in shots for message in _turns(shot)]
        self._leanings: dict[tuple[str, tuple[str, ...]], NDArray[np.float64]] = {}

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        """Refuses: it is what comes before any fit."""
        raise NotImplementedError("a base is not fitted; an adapter is trained by `viva-finetune train`")

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3), in the order of `LABELS`; 1/3 each for an answer without content."""
        weighed = np.exp(self._scores(pairs) - np.stack([self._leaning(pair) for pair in pairs]))
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    def _leaning(self, pair: Pair) -> NDArray[np.float64]:
        key = pair.question, pair.references
        if key not in self._leanings:
            said = self._scores([Pair(pair.question, pair.references, text) for text in NO_ANSWER])
            self._leanings[key] = np.log(np.exp(said).mean(axis=0))
        return self._leanings[key]

    def _scores(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        chats = [self._chat(pair) for pair in pairs]
        labels = tuple(VERDICT_LABELS[verdict] for verdict in LABELS)
        return np.array(wait_for(self._scorer.score_many(chats, labels)))

    def _chat(self, pair: Pair) -> list[ChatMessage]:
        system, user = verdict_prompt(pair.question, pair.references, pair.answer).messages
        return [system, *self._shown, user]


def made_judge(name: str, settings: Settings, marked: Callable[[], Sequence[Record]]) -> GradedJudge:
    """The judge behind `base:NAME#N`.

    Args:
        name: A base as recipes have it, and how many marked answers it is shown, as many of each verdict as can be.
        settings: Where the weights are.
        marked: Answers to choose those from; of other questions than will be marked.

    Raises:
        ValueError: The name does not read like that, or the base is not there.
    """
    from finetune import bases

    base_name, _, number = name.removeprefix(PREFIX).partition("#")
    if not base_name or not (number or "0").isdecimal() or int(number or 0) > MOST_SHOTS:
        raise ValueError(f"{name!r}: write base:NAME, or base:NAME#N to show it N marked answers, at most {MOST_SHOTS}")
    recipe = Recipe(base=base_name, dtype="float32")
    device = bases.device_of(recipe)
    base = bases.find_base(base_name, recipe.kind, settings.models_dir)
    tokenizer = bases.load_tokenizer(base, settings.models_dir)
    loaded = Loaded(bases.load_model(base, tokenizer, recipe, device), tokenizer, recipe, device)
    shots = shots_from(marked(), int(number)) if number else []
    called = f"{base_name} without adapter, {len(shots)} shown, calibrated"
    return GradedJudge(BaseGrader(AdapterScorer(loaded, called), called, shots), {"shown": [shot.id for shot in shots]})


def shots_from(records: Sequence[Record], n: int) -> list[Record]:
    """So many short rows, each to another question, the verdicts in turn; chosen by hash.

    Args:
        records: To choose from.
        n: How many.
    """
    chosen: list[Record] = []
    for place in range(n):
        label, taken = LABELS[place % len(LABELS)], {record.question_id for record in chosen}
        rows = [record for record in records if record.label == label and record.question_id not in taken]
        short = [record for record in rows if _n_words(record) <= LONGEST_SHOT] or rows
        chosen += chosen_by_hash(short, 1, lambda record: record.id)
    return chosen


def _n_words(record: Record) -> int:
    return len(" ".join((record.question, *record.references, record.answer)).split())


def _turns(shot: Record) -> list[ChatMessage]:
    prompt = verdict_prompt(shot.question, shot.references, shot.answer)
    return [prompt.messages[-1], {"role": "assistant", "content": prompt.label_of(shot.label)}]
