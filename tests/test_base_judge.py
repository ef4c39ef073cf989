"""A base without an adapter as a judge: its leaning is taken off, and what it is shown stands before the question."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from finetune.base_judge import BaseGrader, made_judge, shots_from
from finetune.pair_features import Pair
from tests.small_corpus import many
from workbench.engines.base import ChatMessage
from workbench.settings import Settings

SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]


class Leaning:
    """Says "correct" whatever is asked, a little more where the answer is the right one."""

    scored_model = "leaning"

    def __init__(self) -> None:
        self.asked: list[Sequence[ChatMessage]] = []

    async def score_many(self, chats: Sequence[Sequence[ChatMessage]], labels: Sequence[str]) -> list[Any]:
        assert list(labels) == ["correct", "partial", "wrong"]
        self.asked += chats
        right = ["it melts" in chat[-1]["content"].split("Answer:")[1] for chat in chats]
        return [tuple(np.log((0.9, 0.07, 0.03) if one else (0.8, 0.1, 0.1))) for one in right]


def test_the_leaning_is_taken_off_so_that_no_answer_says_nothing() -> None:
    model = Leaning()
    grader = BaseGrader(model, "leaning")  # type: ignore[arg-type]
    found = grader.probabilities([Pair("Why?", ("Heat.",), text) for text in ("it melts", "who knows", "")])
    np.testing.assert_allclose(found[1:], 1 / 3)
    assert found[0].argmax() == 0 and found[0][0] < 0.6
    n = len(model.asked)
    grader.probabilities([Pair("Why?", ("Heat.",), "another")])
    assert len(model.asked) == n + 1  # the leaning on a question is measured once


def test_what_is_shown_stands_before_the_question_each_with_its_verdict() -> None:
    model = Leaning()
    shots = shots_from(many(), 4)
    assert [shot.label for shot in shots] == ["correct", "partial", "incorrect", "correct"]
    assert len({shot.question_id for shot in shots}) == 4 and shots == shots_from(many()[::-1], 4)
    BaseGrader(model, "shown", shots).probabilities([Pair("Why?", ("Heat.",), "it melts")])  # type: ignore[arg-type]
    chat = model.asked[0]
    assert [message["role"] for message in chat] == ["system", *["user", "assistant"] * 4, "user"]
    assert [message["content"] for message in chat[2::2]] == ["correct", "partial", "wrong", "correct"]
    assert all(shot.answer in message["content"] for shot, message in zip(shots, chat[1::2], strict=False))
    assert "Why?" in chat[-1]["content"]


@pytest.mark.parametrize("name", ["base:", "base:smollm2#many", "base:smollm2#13", "base:smollm2#-1"])
def test_a_name_that_does_not_read_so_says_how_it_is_written(name: str) -> None:
    with pytest.raises(ValueError, match="base:NAME#N"):
        made_judge(name, SETTINGS, list)


@pytest.mark.weights
def test_a_base_marks_an_answer_beside_its_reference() -> None:
    judge = made_judge("base:tiny-llama#3", SETTINGS, many)
    assert judge.name == "tiny-llama without adapter, 3 shown, calibrated" and len(judge.card["shown"]) == 3
    question: Any = SimpleNamespace(stem="Why?", key_points=(), model_answer="Heat.", id="q")
    assert judge.judge(question, "").points == 0.0
