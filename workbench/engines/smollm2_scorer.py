"""The embedded language model as a judge's: it says how likely given replies are, and writes nothing.

Apart from the engine that talks, with weights of its own (135 MB more in int8), loaded when somebody judges by it: a
judge may have another model than the voice, and CTranslate2 keeps the room of the longest prompt on each thread that
ever read one (127 MB for four key points).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.engines.base import ChatMessage, EngineError, Priority
from workbench.engines.label_scoring import label_scores
from workbench.engines.smollm2 import CLOSED_WITHIN_S, NAME, find_model, render
from workbench.engines.worker import CancelFlag, Worker

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

Precision = Literal["int8", "float32"]

CONTEXT_TOKENS = 8192
"""Longest prompt: what the model was trained on."""


class SmolLM2Scorer:
    """One model, one call after another.

    Args:
        model_dir: Directory of the converted model.
        precision: `int8` reads a prompt in a third of the time of `float32`. It also rounds what flows between layers:
            in a model of this size log-probabilities then differ by up to .3, and by .2 with the rows scored together.
    """

    name = NAME

    def __init__(self, model_dir: Path, *, precision: Precision = "int8") -> None:
        self.scored_model = model_dir.name
        self._model_dir = model_dir
        self._precision = precision
        self._worker = Worker("smollm2-scores")
        self._closing = CancelFlag()
        self._model: tuple[Any, Any] | None = None

    async def warm_up(self) -> None:
        """Loads the weights and scores once."""
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
            EngineError: The weights are missing, a prompt is too long, the labels overlap, another model was asked for,
                or the model failed.
        """
        if model not in (None, self.scored_model):
            raise EngineError(
                NAME,
                f"holds {self.scored_model} and no model or adapter {model!r}; set VIVA_JUDGE_MODEL to the path of a "
                "converted model, or serve adapters by name with VIVA_JUDGE_LLM=http",
            )
        return await self._worker.run(lambda flag: self._scores(chats, labels, flag), priority=priority)

    async def close(self) -> None:
        """Lets the running call end and frees the model."""
        self._closing.set()
        self._worker.close()
        if await asyncio.to_thread(self._worker.join, CLOSED_WITHIN_S):
            self._model = None

    def _scores(
        self, chats: Sequence[Sequence[ChatMessage]], labels: Sequence[str], flag: CancelFlag
    ) -> list[tuple[float, ...]]:
        """The labels' scores, on the worker's thread."""

        def check() -> None:
            flag.check()
            if self._closing:
                raise EngineError(NAME, "is being closed; no more answers are scored")

        if self._model is None:
            self._model = self._read()
        generator, tokenizer = self._model
        prompts = [[*prefix, *rest] for prefix, rest in (render(chat, tokenizer) for chat in chats)]
        if (longest := max(map(len, prompts), default=0)) >= CONTEXT_TOKENS:
            raise EngineError(NAME, f"a prompt of {longest} tokens is longer than the {CONTEXT_TOKENS} it can read")
        try:
            return label_scores(
                generator, prompts, [tokenizer.encode(label).tokens for label in labels], tokenizer.token_to_id, check
            )
        except (RuntimeError, ValueError) as error:
            if isinstance(error, EngineError):
                raise
            raise EngineError(NAME, f"could not score {list(labels)}: {error}") from error

    def _read(self) -> tuple[Any, Any]:
        import ctranslate2
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self._model_dir / "tokenizer.json"))
            generator = ctranslate2.Generator(
                str(self._model_dir), compute_type=self._precision, inter_threads=1, intra_threads=1
            )
        except Exception as error:  # the tokenizer's errors have no class of their own
            raise EngineError(NAME, f"cannot load {self._model_dir}: {error}; run `viva models pull`") from error
        tokenizer.encode_special_tokens = True
        log.info("loaded %s to judge", self._model_dir.name)
        return generator, tokenizer


def create(settings: Settings) -> SmolLM2Scorer:
    """The judge's embedded model; `VIVA_LLM_MODEL` is its name, or the path of a converted directory or a GGUF file.

    Raises:
        EngineError: The weights are not there.
    """
    return SmolLM2Scorer(find_model(settings), precision=settings.judge_precision)
