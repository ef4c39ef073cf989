"""An adapter as a judge, in PyTorch: the same judges as those in service, over a folder that `train` wrote."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune import adapter_folder
from finetune.config import Recipe, RecipeError, load_recipe
from finetune.corpora import LABELS
from finetune.examples import OUTCOMES, Asked, common_start, encoder_example, label_ids, prompt_ids
from finetune.graded_judge import GradedJudge
from finetune.marks_judge import MarksJudge
from finetune.pair_features import Pair
from workbench.engines.base import ChatMessage, EngineError, Priority
from workbench.engines.bridge import wait_for
from workbench.engines.label_scoring import check_labels
from workbench.engines.worker import CancelFlag, Worker
from workbench.exam import judge_prompts
from workbench.exam.items import Question
from workbench.exam.judge_prompts import verdict_prompt
from workbench.exam.model import Evaluation
from workbench.judging.base import Embed, Judge
from workbench.judging.evaluation import earns_nothing, evaluation
from workbench.judging.features import Measurer
from workbench.judging.likelihood import LikelihoodJudge

if TYPE_CHECKING:
    import torch

    from workbench.settings import Settings

log = logging.getLogger(__name__)

PREFIX = "adapter:"
"""How the names of judges begin that are an adapter's folder: `adapter:PATH`, or `adapter:PATH#TASK`."""

CLOSED_WITHIN_S = 10.0


class AdapterError(ValueError):
    """A folder is no adapter that can judge; the message says why."""


@dataclass(frozen=True)
class Loaded:
    """An adapter on its base, ready to be asked.

    Attributes:
        model: In evaluation mode.
        tokenizer: The base's.
        recipe: What it was trained by.
        device: Where it is.
    """

    model: Any
    tokenizer: Any
    recipe: Recipe
    device: torch.device


def load_adapter(folder: Path, models_dir: Path, device: str = "auto") -> Loaded:
    """Puts an adapter on its base, in float32 (on CUDA in the numbers it was trained with).

    Args:
        folder: Of the adapter.
        models_dir: The cache of weights.
        device: auto, cpu or cuda.

    Raises:
        AdapterError: It is no adapter, or was trained with other prompts or under another tokenizer.
        RecipeError: Its base is not there.
    """
    from finetune import bases

    recipe, metrics = read_adapter(folder)
    chosen = bases.device_of(recipe.changed(device=device, quantization="none"))
    half = recipe.dtype == "bfloat16" and chosen.type != "cpu"
    recipe = recipe.changed(device=device, quantization="none", dtype="bfloat16" if half else "float32")
    base = bases.find_base(recipe.base, recipe.kind, models_dir)
    tokenizer = bases.load_tokenizer(base, models_dir)
    own, theirs = bases.tokenizer_fingerprint(tokenizer), metrics.get("tokenizer_sha256")
    if theirs is not None and own != theirs:
        raise AdapterError(
            f"{folder} was trained under another tokenizer or chat template ({theirs[:12]}) than {recipe.base} has now "
            f"({own[:12]}); find the base it was trained on, or train anew"
        )
    return Loaded(bases.load_adapted(base, tokenizer, recipe, folder, chosen), tokenizer, recipe, chosen)


def load_base(loaded: Loaded, models_dir: Path) -> Loaded:
    """The base by itself, as another model: that of a model trained in all its weights has no adapter to switch off.

    Args:
        loaded: What was trained on it.
        models_dir: The cache of weights.

    Raises:
        RecipeError: The base is not there.
    """
    from finetune import bases

    recipe = loaded.recipe
    base = bases.find_base(recipe.base, recipe.kind, models_dir)
    return replace(loaded, model=bases.load_model(base, loaded.tokenizer, recipe, loaded.device))


def read_adapter(folder: Path) -> tuple[Recipe, dict[str, Any]]:
    """Recipe and metrics of a folder.

    Raises:
        AdapterError: It holds no adapter, or one of other prompts.
    """
    if not adapter_folder.weights_of(folder).is_file() or not (folder / adapter_folder.RECIPE).is_file():
        raise AdapterError(
            f"no adapter in {folder}: {adapter_folder.WEIGHTS} (of a fully trained model {adapter_folder.ALL_WEIGHTS}) "
            f"and {adapter_folder.RECIPE} are wanted; train one with `viva-finetune train --out {folder}`"
        )
    try:
        recipe, metrics = load_recipe(folder / adapter_folder.RECIPE), adapter_folder.metrics_of(folder)
    except (RecipeError, ValueError, OSError) as error:
        raise AdapterError(f"{folder} cannot be read: {error}") from error
    version = metrics.get("prompts_version", judge_prompts.VERSION)
    if recipe.kind == "causal" and version != judge_prompts.VERSION:
        raise AdapterError(
            f"{folder} was trained with prompts of version {version}, they have version {judge_prompts.VERSION} now; "
            "train anew"
        )
    return recipe, metrics


class AdapterScorer:
    """A causal adapter as a `LabelScorer`.

    Args:
        loaded: The adapter.
        name: How it is called beside a mark.
    """

    name = "adapter"

    def __init__(self, loaded: Loaded, name: str) -> None:
        self.scored_model = name
        self._loaded = loaded
        self._worker = Worker("adapter-scores")

    async def warm_up(self) -> None:
        """Scores once."""
        await self.score_many([[{"role": "user", "content": "Good morning."}]], ("yes", "no"))

    async def score_many(
        self,
        chats: Sequence[Sequence[ChatMessage]],
        labels: Sequence[str],
        *,
        priority: Priority = "now",
        model: str | None = None,
    ) -> list[tuple[float, ...]]:
        """Log-probabilities of the labels after each chat; see `LabelScorer`.

        Raises:
            EngineError: The labels overlap, another model was asked for, or the model failed.
        """
        if model not in (None, self.scored_model):
            raise EngineError(self.name, f"holds {self.scored_model} and no model or adapter {model!r}")
        return await self._worker.run(lambda flag: self._scores(chats, labels, flag), priority=priority)

    async def close(self) -> None:
        """Lets the running call end."""
        self._worker.close()
        await asyncio.to_thread(self._worker.join, CLOSED_WITHIN_S)

    def _scores(
        self, chats: Sequence[Sequence[ChatMessage]], labels: Sequence[str], flag: CancelFlag
    ) -> list[tuple[float, ...]]:
        import torch

        from finetune.outcome_scores import label_scores

        one = self._loaded
        try:
            prompts = [prompt_ids(chat, one.tokenizer) for chat in chats]
            ids = [label_ids(label, one.tokenizer) for label in labels]
            check_labels(ids)
            with torch.inference_mode():
                shared = [common_start(prompts)] * len(prompts)
                scores = label_scores(one.model, prompts, ids, one.tokenizer.pad_token_id, one.device, shared=shared)
        except (RuntimeError, ValueError) as error:
            raise EngineError(self.name, f"could not score {list(labels)}: {error}") from error
        return [tuple(float(value) for value in row) for row in scores]


class VerdictGrader:
    """A causal adapter's verdicts as a grader's.

    Args:
        scorer: The adapter, or any model: a server's, the embedded one.
    """

    def __init__(self, scorer: AdapterScorer) -> None:
        self._scorer = scorer

    @property
    def name(self) -> str:
        """Version of the prompts, and the adapter."""
        return f"verdict-{judge_prompts.VERSION} ({self._scorer.scored_model})"

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        """Refuses: an adapter is trained by `viva-finetune train`."""
        raise NotImplementedError("an adapter is trained by `viva-finetune train`")

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3), in the order of `LABELS`."""
        prompts = [verdict_prompt(pair.question, pair.references, pair.answer) for pair in pairs]
        labels = tuple(prompts[0].label_of(verdict) for verdict in LABELS)
        return np.exp(np.array(wait_for(self._scorer.score_many([prompt.messages for prompt in prompts], labels))))


class EncoderGrader:
    """An encoder's verdicts as a grader's.

    Args:
        loaded: Trained for `verdict`.
        name: How it is called beside a mark.
    """

    def __init__(self, loaded: Loaded, name: str) -> None:
        self._loaded = loaded
        self.name = name

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        """Refuses: an adapter is trained by `viva-finetune train`."""
        raise NotImplementedError("an adapter is trained by `viva-finetune train`")

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3), in the order of `LABELS`."""
        asked = [Asked("", "", "verdict", p.question, tuple(p.references), p.answer, LABELS[0]) for p in pairs]
        return _head_probabilities(self._loaded, asked)


class EncoderPointJudge:
    """Key points by an encoder that was trained on ticked ones; verdict and points follow from them.

    Args:
        loaded: Trained for `key_point`.
        embed: The sentence encoder, which finds the words that are quoted.
        name: How it is called beside a mark.
    """

    def __init__(self, loaded: Loaded, embed: Embed, name: str) -> None:
        self._loaded = loaded
        self._measurer = Measurer(embed)
        self.name = name

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`."""
        measured = self._measurer.measure(question, answer, question_text, spoken=recognition_confidence < 1)
        if earns_nothing(measured):
            chances = np.tile(np.array([0.0, 0.0, 1.0]), (len(question.key_points), 1))
        else:
            stem = f"{question_text} {question.stem}".strip()
            asked = [
                Asked("", "", "key_point", stem, (point.text,), answer, "missing") for point in question.key_points
            ]
            chances = _head_probabilities(self._loaded, asked)
        return evaluation(question, measured, chances, self.name, recognition_confidence)


def adapter_judge(folder: Path, settings: Settings, *, task: str | None = None, device: str = "auto") -> Judge:
    """The judge an adapter makes.

    Args:
        folder: Of the adapter.
        settings: Where the weights of its base, and of the sentence encoder that quotes, are.
        task: Which of its tasks it judges by; None takes `key_point` where it was trained for it.
        device: auto, cpu or cuda.

    Raises:
        AdapterError: It is no adapter, or was not trained for the task.
        RecipeError: Its base is not there.
        EngineError: The sentence encoder is not there.
    """
    from workbench.engines import sentence_encoder

    recipe, metrics = read_adapter(folder)
    graded = [one for one in recipe.tasks if one != "feedback"]
    if not graded or task == "feedback":
        raise AdapterError(f"{folder} was trained to write feedback, which `viva-finetune feedback` does, not to mark")
    chosen = task or recipe.marks_by
    if chosen not in graded:
        raise AdapterError(f"{folder} was not trained for {chosen!r}; it has {', '.join(recipe.tasks)}")
    name = f"{folder.name}@{(metrics.get('adapter_sha256') or 'unfinished')[:8]}"
    loaded = _load_for_service(folder, settings, device)
    about = {"adapter": folder.name, "base": recipe.base, "task": chosen, "status": metrics.get("status")}
    if recipe.kind == "encoder":
        if chosen == "verdict":
            return GradedJudge(EncoderGrader(loaded, name), about)
        return EncoderPointJudge(loaded, sentence_encoder.create(settings), name)
    scorer = AdapterScorer(loaded, name)
    if chosen == "verdict":
        return GradedJudge(VerdictGrader(scorer), about)
    if chosen == "marks":
        return MarksJudge(scorer, about)
    return LikelihoodJudge(scorer, sentence_encoder.create(settings), leaning=False)


def verdict_grader(folder: Path, settings: Settings) -> VerdictGrader | EncoderGrader:
    """An adapter's verdicts as those of a grader.

    Raises:
        AdapterError: It is no adapter, or was not trained for verdicts.
        RecipeError: Its base is not there.
    """
    recipe, metrics = read_adapter(folder)
    if "verdict" not in recipe.tasks:
        raise AdapterError(f"{folder} was not trained for 'verdict'; it has {', '.join(recipe.tasks)}")
    name = f"{folder.name}@{(metrics.get('adapter_sha256') or 'unfinished')[:8]}"
    loaded = _load_for_service(folder, settings)
    return EncoderGrader(loaded, name) if recipe.kind == "encoder" else VerdictGrader(AdapterScorer(loaded, name))


def _load_for_service(folder: Path, settings: Settings, device: str = "auto") -> Loaded:
    """An adapter that takes no more of the processor than the settings give to a model."""
    import torch

    loaded = load_adapter(folder, settings.models_dir, device)
    if loaded.device.type == "cpu":
        torch.set_num_threads(settings.threads)
    return loaded


def _head_probabilities(loaded: Loaded, asked: Sequence[Asked]) -> NDArray[np.float64]:
    import torch

    from finetune.outcome_scores import head_scores

    recipe = loaded.recipe
    examples = [
        encoder_example(one, loaded.tokenizer, recipe.max_tokens, with_question=recipe.with_question) for one in asked
    ]
    with torch.inference_mode():
        scores = head_scores(loaded.model, examples, loaded.tokenizer.pad_token_id, loaded.device)
    chances = np.exp(scores.numpy())
    # the head's order is that of the task's outcomes, which is also the order in which they are asked for
    assert len(OUTCOMES[examples[0].task]) == chances.shape[1]
    return np.asarray(chances)
