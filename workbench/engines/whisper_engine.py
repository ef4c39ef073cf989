"""The recogniser both Whisper runtimes are: one model on a thread of its own, loaded once, used in order of urgency."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Priority, Samples, Transcript
from workbench.engines.urgency import URGENCY
from workbench.engines.whisper_decoding import Recogniser
from workbench.engines.worker import CancelFlag, Worker

log = logging.getLogger(__name__)

WARM_UP_S = (1.5, 4.0, 9.0)
"""Lengths of realistic answers; the first call at a new length is slower than the next."""


class WhisperEngine:
    """A `Transcriber`.

    Args:
        name: As the registry spells it.
        load: Reads the weights; called once, on the engine's thread. Raises `EngineError`.
    """

    def __init__(self, name: str, load: Callable[[], Recogniser]) -> None:
        self.name = name
        self._load = load
        self._worker = Worker(name, urgency=URGENCY)
        self._recogniser: Recogniser | None = None

    async def warm_up(self) -> None:
        """Loads the weights and recognises clips of realistic lengths once."""

        def job(flag: CancelFlag) -> None:
            recogniser = self._loaded()
            rng = np.random.default_rng(0)
            for seconds in WARM_UP_S:
                flag.check()
                noise = rng.normal(0, 0.05, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)
                recogniser.rehearse(noise)

        await self._worker.run(job)

    async def transcribe(
        self,
        audio: Samples,
        *,
        key_terms: Sequence[str] = (),
        with_words: bool = False,
        priority: Priority = "now",
    ) -> Transcript:
        """Recognises one clip of any length; see `Transcriber`.

        A clip asked for again, or one that begins as an earlier one did, costs only its new part. `idle` asks for a
        draft: text that fails a guard is left out rather than decoded again.
        """
        if audio.ndim != 1:
            raise EngineError(self.name, f"audio must be mono, shape (n_samples,), got shape {audio.shape}")

        def job(flag: CancelFlag) -> Transcript:
            recogniser = self._loaded()
            try:
                return recogniser.recognise(
                    audio, key_terms=key_terms, with_words=with_words, draft=priority == "idle", check=flag.check
                )
            except (RuntimeError, ValueError) as error:  # how both runtimes report a failed computation
                raise EngineError(self.name, f"recognition of {len(audio)} samples failed: {error}") from error

        return await self._worker.run(job, priority=priority)

    async def close(self) -> None:
        """Stops the thread, frees the model and forgets what was heard."""
        self._worker.close()
        self._recogniser = None

    def _loaded(self) -> Recogniser:
        if self._recogniser is None:
            self._recogniser = self._load()
            log.info("loaded %s", self.name)
        return self._recogniser
