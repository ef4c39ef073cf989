"""Sentence vectors for fitting and measuring: MiniLM as the judges have it, or MPNet, kept on disk once encoded."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines import sentence_encoder
from workbench.engines.base import EngineError
from workbench.models import ModelError, find

if TYPE_CHECKING:
    from workbench.judging.base import Embed
    from workbench.settings import Settings

log = logging.getLogger(__name__)

ENCODERS = ("minilm", "mpnet")
_BATCH = 32
_LONGEST_TOKENS = 128


class Mpnet:
    """all-mpnet-base-v2 on PyTorch, in bfloat16 where the processor multiplies it; blocking, loaded at its first use.

    The mean of the last layer's states, made one long (Reimers and Gurevych 2019, arXiv:1908.10084).

    Args:
        model_dir: Directory with the weights.
    """

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._loaded: tuple[Any, Any, Any] | None = None

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n_texts, 768) float32, each row of length 1."""
        torch, tokenizer, model = self._load()
        order = np.argsort([len(text) for text in texts], kind="stable")
        rows: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(texts)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(texts), _BATCH):
                chosen = order[start : start + _BATCH]
                batch = tokenizer(
                    [texts[i] for i in chosen], padding=True, truncation=True, max_length=_LONGEST_TOKENS,
                    return_tensors="pt",
                )  # fmt: skip
                mask = batch["attention_mask"][..., None].float()
                states = model(**batch).last_hidden_state.float()
                means = (states * mask).sum(1) / mask.sum(1)
                for i, row in zip(chosen, torch.nn.functional.normalize(means, dim=1).numpy(), strict=True):
                    rows[int(i)] = row
        return np.stack(rows) if rows else np.zeros((0, 768), np.float32)

    def _load(self) -> tuple[Any, Any, Any]:
        if self._loaded is None:
            try:
                import torch
            except ImportError as error:
                raise EngineError("mpnet", "PyTorch is not installed; run `pip install torch==2.13.0`") from error
            from transformers import AutoModel, AutoTokenizer

            self._loaded = (
                torch,
                AutoTokenizer.from_pretrained(self._model_dir),
                AutoModel.from_pretrained(self._model_dir, dtype=torch.float32).eval(),
            )
        return self._loaded


def encoder(name: str, settings: Settings) -> Embed:
    """The encoder of this name.

    Raises:
        ValueError: An unknown name.
        EngineError: Its weights are not there.
    """
    if name == "minilm":
        return sentence_encoder.create(settings)
    if name == "mpnet":
        try:
            return Mpnet(find("all-mpnet-base-v2", settings.models_dir))
        except ModelError as error:
            raise EngineError("mpnet", str(error)) from error
    raise ValueError(f"unknown sentence encoder {name!r}; known: {', '.join(ENCODERS)}")


class Vectors:
    """Vectors by text, encoded once; with a file, once for all runs.

    Args:
        embed: The encoder.
        file: Where vectors are kept between runs, an .npz; None keeps them in memory only.
    """

    def __init__(self, embed: Embed, file: Path | None = None) -> None:
        self._embed = embed
        self._file = file
        self._kept: dict[bytes, NDArray[np.float32]] = {}
        if file is not None and file.is_file():
            with np.load(file) as stored:
                self._kept = dict(zip((bytes(k) for k in stored["keys"]), stored["vectors"], strict=True))

    def __call__(self, text: str) -> NDArray[np.float32]:
        """The unit vector of a text."""
        key = _key(text)
        if key not in self._kept:
            self._kept[key] = self._embed([text])[0]
        return self._kept[key]

    def prepare(self, texts: Iterable[str], *, at_once: int = 512) -> int:
        """Encodes texts that are not known yet, and stores them after every `at_once`; returns how many there were."""
        missing = sorted(
            {text for text in texts if _key(text) not in self._kept}, key=len
        )  # of a length, little padding
        for start in range(0, len(missing), at_once):
            piece = missing[start : start + at_once]
            self._kept.update(zip(map(_key, piece), self._embed(piece), strict=True))
            self._store()
        return len(missing)

    def _store(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        keys = np.array([np.frombuffer(key, np.uint8) for key in self._kept])
        draft = self._file.with_suffix(".draft.npz")
        np.savez(draft, keys=keys, vectors=np.stack(list(self._kept.values())))
        draft.replace(self._file)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
