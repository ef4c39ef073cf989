"""The judge a server marks with, by its name in the settings: pure judges from `exam`, models from `engines`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from workbench.exam.grading import KeywordJudge
from workbench.exam.items import Bank, Question, Scenario
from workbench.exam.model import Evaluation
from workbench.exam.model import Judge as Ask
from workbench.judging.base import Judge
from workbench.judging.makers import SCHEMES, made_elsewhere

if TYPE_CHECKING:
    from workbench.engines.base import LabelScorer
    from workbench.settings import Settings

JudgeCall = Callable[[Bank, Ask], Awaitable[Evaluation]]

JUDGES = {
    "keyword": "accepted wordings and misconceptions, word by word; no model",
    "embedding": "nearness of meaning to the wordings, by MiniLM",
    "hybrid": "words and nearness, weighed by a model fitted on ticked answers",
    "llm": "a language model's likelihood of covered, wrong, missing by key point; VIVA_JUDGE_MODEL names it",
    "panel": "keyword, embedding and hybrid; where they disagree, a person should look",
}
"""Names for `VIVA_JUDGE`, each with a line of help."""


def make_judge(name: str, settings: Settings, *, scorer: LabelScorer | None = None, with_spare: bool = False) -> Judge:
    """The judge of this name.

    Args:
        name: One of `JUDGES`, or a judge that is made elsewhere, see `workbench.judging.makers`.
        settings: Where its weights are, and which model the `llm` judge asks.
        scorer: The language model for `llm`, where it is loaded already.
        with_spare: Whether another judge marks where a model cannot be reached or fails; a viva must go on.

    Raises:
        ValueError: An unknown name; the message lists the known ones.
        EngineError: The weights it needs are not there.
    """
    made = made_elsewhere(name, settings)
    if name not in JUDGES and made is None:
        raise ValueError(f"unknown judge {name!r}; known: {', '.join([*JUDGES, *SCHEMES])}")
    if name == "keyword":
        return KeywordJudge()
    from workbench.engines import sentence_encoder
    from workbench.judging.panel import Panel
    from workbench.judging.similarity import EmbeddingJudge, HybridJudge
    from workbench.judging.spare import WithSpare

    if made is not None and not with_spare:
        return made
    embed = sentence_encoder.create(settings)
    if made is not None:
        return WithSpare(made, HybridJudge(embed))
    if name == "embedding":
        return EmbeddingJudge(embed)
    if name == "hybrid":
        return HybridJudge(embed)
    if name == "llm":
        from workbench.engines.registry import create_scorer
        from workbench.judging.likelihood import LikelihoodJudge

        trained = settings.judge_model is not None
        leaning = not trained if settings.judge_calibrated is None else settings.judge_calibrated
        judge = LikelihoodJudge(scorer or create_scorer(settings), embed, leaning=leaning)
        return WithSpare(judge, HybridJudge(embed)) if with_spare else judge
    return Panel([HybridJudge(embed), KeywordJudge(), EmbeddingJudge(embed)])


def find_question(bank: Bank, question_id: str) -> tuple[Scenario, Question]:
    """The question of this id with its scenario, in whichever area it is.

    Raises:
        KeyError: The bank has no such question.
    """
    for _, scenario, question in bank.questions():
        if question.id == question_id:
            return scenario, question
    raise KeyError(f"{bank.discipline} {bank.version} has no question {question_id!r}")


def judge_call(judge: Judge) -> JudgeCall:
    """A judge as conversations call it: off the event loop, with the scenario as the question's text."""

    async def call(bank: Bank, ask: Ask) -> Evaluation:
        scenario, question = find_question(bank, ask.question_id)
        return await asyncio.to_thread(
            judge.judge,
            question,
            ask.answer,
            question_text=scenario.text,
            recognition_confidence=ask.confidence,
        )

    return call


judge_by_key_points: JudgeCall = judge_call(KeywordJudge())
"""The judge that needs no model."""
