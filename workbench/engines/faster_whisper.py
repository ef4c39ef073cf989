"""Whisper on CTranslate2 (the runtime of faster-whisper), int8 on a CPU, float16 on a GPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Priority, Samples, Transcript, Word
from workbench.engines.whisper_decoding import FULL, LADDER, Padding, Recogniser
from workbench.engines.whisper_guards import Hypothesis
from workbench.engines.whisper_words import attach_punctuation, silence_probe, tame_long_words
from workbench.engines.worker import CancelFlag, Worker

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

NAME = "faster-whisper"

FRAMES_PER_S = 100
STATES_PER_S = 50

WARM_UP_S = (1.5, 4.0, 9.0)
"""Lengths of realistic answers; the first call at a new length is slower than the next."""


class CTranslate2Decoder:
    """A `Decoder` on CTranslate2; every call blocks.

    Args:
        model_dir: Directory with `model.bin`, `config.json` and `tokenizer.json`.
        threads: CPU threads.
        device: "cpu", "cuda" or "auto".
        compute_type: Of CTranslate2; None is int8 on a CPU, float16 on a GPU.
    """

    def __init__(
        self, model_dir: Path, *, threads: int = 2, device: str = "cpu", compute_type: str | None = None
    ) -> None:
        import ctranslate2
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.tokenizer import Tokenizer

        self._storage = ctranslate2.StorageView
        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self.device = device
        self._model = ctranslate2.models.Whisper(
            str(model_dir),
            device=device,
            compute_type=compute_type or ("int8" if device == "cpu" else "float16"),
            intra_threads=threads,
            inter_threads=1,
        )
        many = self._model.is_multilingual
        self._tokenizer = Tokenizer(
            tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json")),
            many,
            task="transcribe" if many else None,
            language="en" if many else None,
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        t = self._tokenizer
        self._start = [*t.sot_sequence, t.no_timestamps]
        self._suppressed = sorted({*t.non_speech_tokens, t.sot, t.sot_prev, t.sot_lm, t.no_speech, *_task_tokens(t)})
        self._silence: NDArray[np.float32] | None = None

    def encode(self, samples: Samples, padding: Padding) -> Any:
        """States of one window, see `Decoder`."""
        audio_s = len(samples) / SAMPLE_RATE_HZ
        features = self._features(samples)[:, : round(padding.encoded_s(audio_s) * FRAMES_PER_S)]
        states = self._encode(features, round(padding.encoded_s(audio_s) * FRAMES_PER_S))
        if not padding.tail_s or self.device != "cpu":
            return states
        if self._silence is None:
            self._silence = self._states_of_silence()
        encoded = np.array(states)
        n = encoded.shape[1]
        tail = self._silence[:, n : n + round(padding.tail_s * STATES_PER_S)]
        return self._storage.from_array(np.ascontiguousarray(np.concatenate([encoded, tail], axis=1)))

    def decode(self, states: Any, prompt: Sequence[int], limit: int) -> Hypothesis:
        """Greedy text, see `Decoder`."""
        before = [self._tokenizer.sot_prev, *prompt] if prompt else []
        start = [*before, *self._start]
        result = self._model.generate(
            states,
            [start],
            beam_size=1,
            # CTranslate2 stops at half of this, or at all of it less the prompt, whichever comes first
            max_length=min(448, max(2 * limit, limit + len(start))),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
        )[0]
        tokens = result.sequences_ids[0]
        n = len(tokens)
        return Hypothesis(
            text=self._tokenizer.decode(tokens).strip(),
            tokens=tuple(tokens),
            avg_logprob=result.scores[0] * n / (n + 1),
            no_speech_prob=result.no_speech_prob,
            cut_off=n >= limit,
        )

    def align(self, states: Any, tokens: Sequence[int], audio_s: float) -> list[Word]:
        """Words with times from the cross-attention, see `Decoder`."""
        if not tokens:
            return []
        n_frames = min(int(audio_s * FRAMES_PER_S) + 20, 2 * int(states.shape[1]))
        result = self._model.align(states, self._tokenizer.sot_sequence, [list(tokens)], n_frames)[0]
        texts, groups = self._tokenizer.split_to_word_tokens([*tokens, self._tokenizer.eot])
        steps = np.array(result.alignments, dtype=int)
        jumps = steps[np.diff(steps[:, 0], prepend=-1) > 0, 1] / STATES_PER_S
        words, at = [], 0
        for text, group in zip(texts[:-1], groups[:-1], strict=True):
            start_s, end_s = float(jumps[at]), float(jumps[min(at + len(group), len(jumps) - 1)])
            probability = float(np.mean(result.text_token_probs[at : at + len(group)]))
            words.append(Word(text, min(start_s, audio_s), min(end_s, audio_s), probability))
            at += len(group)
        return tame_long_words(attach_punctuation(words))

    def prompt_tokens(self, text: str) -> list[int]:
        """Token ids of a text, see `Decoder`."""
        return list(self._tokenizer.encode(text))

    def _encode(self, features: NDArray[np.float32], n_frames: int) -> Any:
        n_frames -= n_frames % 2
        padded = np.zeros((1, features.shape[0], n_frames), np.float32)
        padded[0, :, : features.shape[1]] = features[:, :n_frames]
        return self._model.encode(self._storage.from_array(padded), to_cpu=True)

    def _states_of_silence(self) -> NDArray[np.float32]:
        """(1, 1500, n_state) states of a clip that falls silent after a moment."""
        features = self._features(silence_probe())
        return np.array(self._encode(features, 30 * FRAMES_PER_S))


def _task_tokens(tokenizer: Any) -> set[int]:
    return {token for token in (tokenizer.transcribe, tokenizer.translate) if token is not None}


class FasterWhisper:
    """The recogniser: one model on a thread of its own."""

    name = NAME

    def __init__(self, model_dir: Path, *, threads: int = 2, device: str = "cpu") -> None:
        self._model_dir = model_dir
        self._threads = threads
        self._device = device
        self._worker = Worker(NAME)
        self._recogniser: Recogniser | None = None

    async def warm_up(self) -> None:
        """Loads the weights and recognises clips of realistic lengths once."""

        def job(flag: CancelFlag) -> None:
            recogniser = self._load()
            rng = np.random.default_rng(0)
            for seconds in WARM_UP_S:
                flag.check()
                noise = rng.normal(0, 0.05, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)
                recogniser.recognise(noise, draft=True)
            recogniser.forget()

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
            raise EngineError(NAME, f"audio must be mono, shape (n_samples,), got shape {audio.shape}")

        def job(flag: CancelFlag) -> Transcript:
            try:
                return self._load().recognise(
                    audio, key_terms=key_terms, with_words=with_words, draft=priority == "idle", check=flag.check
                )
            except (RuntimeError, ValueError) as error:
                if isinstance(error, EngineError):
                    raise
                raise EngineError(NAME, f"recognition of {len(audio)} samples failed: {error}") from error

        return await self._worker.run(job, priority=priority)

    async def close(self) -> None:
        """Stops the thread and frees the model."""
        self._worker.close()
        self._recogniser = None

    def _load(self) -> Recogniser:
        if self._recogniser is None:
            try:
                decoder = CTranslate2Decoder(self._model_dir, threads=self._threads, device=self._device)
            except Exception as error:  # the tokenizer's errors have no class of their own
                raise EngineError(NAME, f"cannot load {self._model_dir}: {error}; run `viva models pull`") from error
            self._recogniser = Recogniser(decoder, LADDER if decoder.device == "cpu" else (FULL,))
            log.info("loaded %s on %s", self._model_dir.name, decoder.device)
        return self._recogniser


def create(settings: Settings) -> FasterWhisper:
    """The recogniser `VIVA_ASR_MODEL` names: a size of the manifest, a directory, or a hub id of CTranslate2 weights.

    Raises:
        EngineError: The weights are not there and cannot be had.
    """
    return FasterWhisper(find_weights(settings), threads=settings.threads, device=settings.asr_device)


def find_weights(settings: Settings) -> Path:
    """Directory of the CTranslate2 weights `VIVA_ASR_MODEL` names.

    Raises:
        EngineError: Not there, and no hub answered.
    """
    from workbench import models

    given = Path(settings.asr_model).expanduser()
    if (given / "model.bin").is_file():
        return given
    name = f"whisper-{settings.asr_model}"
    if name in models.MANIFEST:
        try:
            return models.find(name, settings.models_dir)
        except models.ModelError as error:
            raise EngineError(NAME, str(error)) from error
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(settings.asr_model, cache_dir=str(settings.models_dir / "hub")))
    except Exception as error:  # the hub's client raises what its transports raise
        raise EngineError(
            NAME,
            f"no Whisper {settings.asr_model!r}: no directory with model.bin, not in the manifest, not to be had "
            f"from the hub ({type(error).__name__}: {error}); VIVA_ASR_MODEL=tiny.en comes with `viva models pull`",
        ) from error
