"""What adapters say of answers, as the hybrid grader sees it: while it is fitted, only of questions they never met.

An adapter's word on a question that it was held from is worth what its word on a new one will be. One adapter was held
from the validation part of its data; adapters that were trained on the parts of one split (`viva-finetune prepare
--part`) have, for each question, one that was.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune import adapter_folder
from finetune.corpora import question_hash
from finetune.pair_features import Pair

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

_LEAST = 1e-4
"""Lowest probability told: beyond it an adapter is only vain."""

_AT_ONCE = 256


class AdapterScores:
    """Log-probabilities of the labels by adapters, each asked once about an answer; those of one base speak as one.

    Attributes:
        voices: Their bases. Adapters of one base are of one kind, and the mean of those that are asked speaks for
            them; what another kind says stands beside it.

    Args:
        folders: Of the adapters, trained for `verdict`.
        settings: Where the weights of their bases are.
        directory: Where what they said is kept between runs, a file for each adapter; None keeps it in memory only.

    Raises:
        AdapterError: A folder holds no adapter, or one that is still in training.
    """

    def __init__(self, folders: Sequence[Path], settings: Settings, directory: Path | None = None) -> None:
        self._asked = [_Asked(folder, settings, directory) for folder in folders]
        self.voices = tuple(dict.fromkeys(one.base for one in self._asked))

    def log_probabilities(self, pairs: Sequence[Pair], *, held_out: bool) -> NDArray[np.float64]:
        """(n_pairs, 3 n_voices), a voice's three in the order of `LABELS`.

        There are no numbers where every adapter of a voice was trained on the question.

        Args:
            pairs: The answers.
            held_out: Whether to ask only adapters that were not trained on a question; else all are asked.

        Raises:
            AdapterError: `held_out`, and an adapter does not say which questions it was trained on.
        """
        hashes = [question_hash(pair) for pair in pairs]
        total, count = np.zeros((len(pairs), len(self.voices), 3)), np.zeros((len(pairs), len(self.voices), 1))
        met: list[frozenset[str]] = [one.met if held_out else frozenset() for one in self._asked]
        for one, its_own in zip(self._asked, met, strict=True):
            rows = [i for i, key in enumerate(hashes) if key not in its_own]
            if rows:
                voice = self.voices.index(one.base)
                total[rows, voice] += one.log_probabilities([pairs[i] for i in rows])
                count[rows, voice] += 1
        with np.errstate(invalid="ignore"):
            return (total / count).reshape(len(pairs), -1)


class _Asked:
    """One adapter, loaded when it is first asked what it has not said yet."""

    def __init__(self, folder: Path, settings: Settings, directory: Path | None) -> None:
        from finetune.adapter_judge import AdapterError, read_adapter

        recipe, metrics = read_adapter(folder)
        sha256 = metrics.get("adapter_sha256")
        if sha256 is None:
            raise AdapterError(
                f"the training of {folder} is unfinished, so that its weights may change yet; wait for its end, or "
                "take it up again with `viva-finetune train --resume`"
            )
        self.base = recipe.base
        self._met = adapter_folder.questions_met(folder)
        self._folder, self._settings = folder, settings
        self._file = directory / f"{str(sha256)[:16]}.npz" if directory else None
        self._said: dict[bytes, NDArray[np.float32]] = {}
        self._grader: Any = None
        if self._file is not None and self._file.is_file():
            with np.load(self._file) as kept:
                self._said = dict(zip((bytes(key) for key in kept["keys"]), kept["said"], strict=True))

    @property
    def met(self) -> frozenset[str]:
        """`question_hash` of every question it was trained on."""
        from finetune.adapter_judge import AdapterError

        if self._met is None:
            raise AdapterError(
                f"{self._folder} does not say which questions it was trained on, so that nobody knows on which it may "
                f"be weighed; copy the {adapter_folder.DATA} that its training wrote into it"
            )
        return self._met

    def log_probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """(n_pairs, 3)."""
        keys = [pair_hash(pair) for pair in pairs]
        new = list({key: i for i, key in enumerate(keys) if key not in self._said}.items())
        for start in range(0, len(new), _AT_ONCE):
            piece = new[start : start + _AT_ONCE]
            chances = self._probabilities([pairs[i] for _, i in piece])
            logs = np.log(np.maximum(chances, _LEAST)).astype(np.float32)
            self._said.update(zip((key for key, _ in piece), logs, strict=True))
            if len(new) > 1:  # a corpus, not a candidate's answer
                self._keep()
        return np.array([self._said[key] for key in keys], np.float64)

    def _probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        if self._grader is None:
            from finetune.adapter_judge import verdict_grader

            self._grader = verdict_grader(self._folder, self._settings)
        return np.asarray(self._grader.probabilities(pairs))

    def _keep(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        keys = np.array([np.frombuffer(key, np.uint8) for key in self._said])
        draft = self._file.with_suffix(".draft.npz")
        np.savez(draft, keys=keys, said=np.stack(list(self._said.values())))
        draft.replace(self._file)


def kept_in(settings: Settings) -> Path:
    """Where what adapters said of corpora is kept: beside the weights."""
    return settings.models_dir.parent / "adapter-scores"


def pair_hash(pair: Pair) -> bytes:
    """SHA-256 of all that an adapter reads of a pair."""
    return hashlib.sha256(json.dumps([pair.question, *pair.references, pair.answer]).encode()).digest()
