"""Whisper on CTranslate2 (the runtime of faster-whisper), int8 on a CPU, float16 on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench import memory
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Samples, Word
from workbench.engines.whisper_decoding import FULL, LADDER, Padding, Recogniser
from workbench.engines.whisper_engine import WhisperEngine
from workbench.engines.whisper_guards import Hypothesis
from workbench.engines.whisper_weights import find_ctranslate2
from workbench.engines.whisper_words import attach_punctuation, silence_probe, tame_long_words

if TYPE_CHECKING:
    from workbench.settings import Settings

NAME = "faster-whisper"

FRAMES_PER_S, STATES_PER_S = 100, 50


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

        memory.keep_few_kernels()
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


def create(settings: Settings) -> WhisperEngine:
    """The recogniser `VIVA_ASR_MODEL` names: a size of the manifest, a directory, or a hub id of CTranslate2 weights.

    Raises:
        EngineError: The weights of the manifest are not there.
    """
    directory = find_ctranslate2(settings, NAME)

    def load() -> Recogniser:
        try:
            where = directory or _from_hub(settings)
            decoder = CTranslate2Decoder(where, threads=settings.threads, device=settings.asr_device)
        except EngineError:
            raise
        except Exception as error:  # the tokenizer's errors have no class of their own
            raise EngineError(NAME, f"cannot load {directory}: {error}; run `viva models pull`") from error
        return Recogniser(decoder, LADDER if decoder.device == "cpu" else (FULL,))

    return WhisperEngine(NAME, load)


def _from_hub(settings: Settings) -> Path:
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(settings.asr_model, cache_dir=str(settings.models_dir / "hub")))
    except Exception as error:  # the hub's client raises what its transports raise
        raise EngineError(
            NAME,
            f"no Whisper {settings.asr_model!r}: no directory with model.bin, not in the manifest, not to be had "
            f"from the hub ({type(error).__name__}: {error}); VIVA_ASR_MODEL=tiny.en comes with `viva models pull`",
        ) from error
