"""A served adapter as a judge: the judge its folder makes, with the server's likelihoods in the place of PyTorch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from finetune.adapter_judge import AdapterScorer, VerdictGrader
from finetune.graded_judge import GradedJudge
from finetune.marks_judge import MarksJudge
from finetune.references import BestReference
from workbench.exam.judge_prompts import Task
from workbench.judging.base import Judge
from workbench.judging.likelihood import LikelihoodJudge

if TYPE_CHECKING:
    from workbench.settings import Settings

PREFIX = "served:"
"""How the names of such judges begin: `served:NAME`, or `served:NAME#TASK`."""


def made_judge(name: str, settings: Settings, *, beside_references: bool = False) -> Judge:
    """The judge behind `served:NAME`, for `workbench.judging.registry`.

    Args:
        name: The adapter's on the server; `#verdict` or `#marks` may follow where it was trained for those and not
            for key points, which no server can tell.
        settings: VIVA_JUDGE_URL is the server's address, VIVA_LLM_URL where that is unset.
        beside_references: Whether what is marked has references and no key points of its own, as answers of corpora.

    Raises:
        ValueError: The name does not read like that.
        EngineError: There is no address, or the sentence encoder that quotes is not there.
    """
    from workbench.engines import sentence_encoder
    from workbench.engines.registry import create_scorer

    served, _, task = name.removeprefix(PREFIX).partition("#")
    if not served or task not in ("", *get_args(Task)):
        raise ValueError(f"{name!r}: write served:NAME, with #verdict, #marks or #key_point behind it where need be")
    scorer = create_scorer(settings.model_copy(update={"judge_llm": "http", "judge_model": served}))
    if task == "verdict":
        return GradedJudge(VerdictGrader(cast(AdapterScorer, scorer)), {"served": served})
    if task == "marks":
        return MarksJudge(scorer, {"served": served})
    judge = LikelihoodJudge(scorer, sentence_encoder.create(settings), leaning=False)
    return BestReference(judge) if beside_references else judge
