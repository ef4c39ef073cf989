"""The embedded voice: Piper (VITS, exported to ONNX), phrase by phrase, to be heard early."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from workbench.engines.base import EngineError, Priority, Samples
from workbench.engines.phrasing import Phrase, phrases
from workbench.engines.worker import CancelFlag, Worker
from workbench.model_manifest import MANIFEST
from workbench.models import ModelError, find

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

NAME = "piper"

LEAD_S = 0.01
"""Silence kept before a phrase's first sound."""

TAIL_S = 0.03
"""Silence kept after a phrase's last sound; the pause comes on top of it."""

FADE_S = 0.004
"""Length of the ramps at both ends of a phrase: the model's phrases do not start and end on zero."""

FRAME_S = 0.005
"""Grain at which silence is looked for."""

SILENCE_PEAK = 0.002
"""Peak below which a frame is silence; the model's silence peaks at 0.0001, soft fricatives at 0.005."""

GAIN = 1.3
"""Brings the voice (peaks near 0.7, -26 dBFS) to the loudness of speech on a call, alike for every phrase."""

_SPELLED_A = re.compile(
    r"(?<=\b[A-Z] )A\b|\bA(?= [A-Z]\b)|(?<=[Vv]itamin )A\b|(?<=[Hh]epatitis )A\b|(?<=[Ff]actor )A\b"
    r"|(?<=[Tt]ype )A\b|(?<=[Oo]ption )A\b|(?<=[Pp]art )A\b"
)
"""The letter, which espeak-ng would read as the article; "eigh" is how it spells the sound to itself."""


@dataclass(frozen=True)
class Manner:
    """How a phrase is spoken.

    Attributes:
        rate: Speaking rate, 1 is the voice's own.
        pitch: Factor on the pitch, 1 is the voice's own; 1.2 is a lighter voice.
        noise_scale: Liveliness of the sound in [0, 1]; None is the voice's own.
        noise_w_scale: Unevenness of the rhythm in [0, 1]; None is the voice's own.
    """

    rate: float = 1.0
    pitch: float = 1.0
    noise_scale: float | None = None
    noise_w_scale: float | None = None

    def __post_init__(self) -> None:
        for field, value, low, high in (("rate", self.rate, 0.3, 3.0), ("pitch", self.pitch, 0.5, 2.0)):
            if not low <= value <= high:
                raise ValueError(f"{field} must be between {low} and {high}, got {value}")


class PiperSynthesizer:
    """One Piper voice behind one worker thread; phrases of several speakers take turns on it."""

    name = NAME

    def __init__(self, model_path: Path, *, threads: int = 1) -> None:
        self._model_path = model_path
        self._threads = threads
        self._config = _read_config(model_path)
        self.sample_rate_hz: int = self._config["audio"]["sample_rate"]
        self._voice: Any = None
        self._worker = Worker("piper")

    async def warm_up(self) -> None:
        """Loads the voice and speaks a short and a long phrase."""
        for text in ("Thank you.", "What is the most likely diagnosis, and which investigation comes first?"):
            async for _ in self.stream(text):
                pass

    async def stream(
        self, text: str, *, rate: float = 1.0, priority: Priority = "now"
    ) -> AsyncGenerator[Samples, None]:
        """Yields audio phrase by phrase, (n_samples,) float32 at `sample_rate_hz`; see `Synthesizer`."""
        async with aclosing(self.speak(text, rate=rate, priority=priority)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def speak(
        self,
        text: str,
        *,
        rate: float = 1.0,
        pitch: float = 1.0,
        noise_scale: float | None = None,
        noise_w_scale: float | None = None,
        priority: Priority = "now",
    ) -> AsyncGenerator[Samples, None]:
        """`stream` with the voice's manner; what simulated candidates sound different by.

        Args:
            text: Sentences, already normalised for speech.
            rate: Speaking rate, 0.3 to 3.
            pitch: Factor on the pitch, 0.5 to 2.
            noise_scale: Liveliness of the sound; None is the voice's own.
            noise_w_scale: Unevenness of the rhythm; None is the voice's own.
            priority: Place of the first phrase in the queue. Later ones are asked for while the one before is
                being heard, so they queue behind every first phrase.

        Raises:
            EngineError: The voice cannot be loaded, or it failed on this text.
            ValueError: A value is out of range.
        """
        manner = Manner(rate, pitch, noise_scale, noise_w_scale)
        pending: asyncio.Task[Samples] | None = None
        try:
            for phrase in phrases(text):
                task = asyncio.create_task(self._phrase(phrase, manner, priority))
                if pending is not None:
                    ready = await pending
                    pending = task
                    if ready.size:
                        yield ready
                else:
                    pending = task
                priority = "soon" if priority == "now" else priority
            if pending is not None:
                ready, pending = await pending, None
                if ready.size:
                    yield ready
        finally:
            if pending is not None:
                pending.cancel()
                with suppress(asyncio.CancelledError, EngineError):
                    await pending

    async def close(self) -> None:
        """Frees the voice."""
        self._worker.close()
        self._voice = None

    async def _phrase(self, phrase: Phrase, manner: Manner, priority: Priority) -> Samples:
        def job(flag: CancelFlag) -> Samples:
            return self._synthesize(phrase, manner, flag)

        try:
            return await self._worker.run(job, priority=priority)
        except (EngineError, ValueError):
            raise
        except Exception as error:
            raise EngineError(
                self.name, f"could not speak a phrase of {len(phrase.text)} characters: {error}"
            ) from error

    def _synthesize(self, phrase: Phrase, manner: Manner, flag: CancelFlag) -> Samples:
        from piper.config import SynthesisConfig

        if self._voice is None:
            self._voice = _load(self._model_path, self._config, self._threads)
        voice = self._voice
        settings = SynthesisConfig(
            length_scale=voice.config.length_scale * manner.pitch / manner.rate,
            noise_scale=manner.noise_scale,
            noise_w_scale=manner.noise_w_scale,
        )
        spoken: list[Samples] = []
        for phonemes in voice.phonemize(_SPELLED_A.sub("eigh", phrase.text)):
            flag.check()
            if not any(phoneme.isalpha() for phoneme in phonemes):
                continue  # punctuation alone makes the model hum
            audio = voice.phoneme_ids_to_audio(voice.phonemes_to_ids(phonemes), settings)
            audio = np.atleast_1d(audio).astype(np.float32)
            if manner.pitch != 1.0:
                audio = soxr.resample(audio, self.sample_rate_hz * manner.pitch, self.sample_rate_hz)
            audio = trim(np.clip(audio * GAIN, -1.0, 1.0), self.sample_rate_hz)
            spoken.append(audio)
        if not spoken:
            return np.zeros(0, np.float32)
        spoken.append(np.zeros(round(phrase.pause_s * self.sample_rate_hz), np.float32))
        return np.concatenate(spoken)


def trim(audio: Samples, sample_rate_hz: int) -> Samples:
    """Cuts silence off both ends of a phrase, down to `LEAD_S` and `TAIL_S`, and ramps the ends to zero.

    Args:
        audio: (n_samples,) float32.
        sample_rate_hz: Its rate.

    Returns:
        A new array; empty when there is no sound.
    """
    frame = max(1, round(FRAME_S * sample_rate_hz))
    whole = np.pad(np.abs(audio), (0, -len(audio) % frame)).reshape(-1, frame)
    loud = np.flatnonzero(whole.max(axis=1) > SILENCE_PEAK) if audio.size else np.zeros(0, int)
    if loud.size == 0:
        return np.zeros(0, np.float32)
    start = max(0, int(loud[0]) * frame - round(LEAD_S * sample_rate_hz))
    end = min(len(audio), (int(loud[-1]) + 1) * frame + round(TAIL_S * sample_rate_hz))
    cut = audio[start:end].astype(np.float32, copy=True)
    n_fade = min(round(FADE_S * sample_rate_hz), len(cut) // 2)
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    cut[:n_fade] *= ramp
    cut[len(cut) - n_fade :] *= ramp[::-1]
    return cut


def create(settings: Settings) -> PiperSynthesizer:
    """The voice `VIVA_TTS_MODEL`: a name from the weights manifest, or the path of a Piper `.onnx` file.

    Raises:
        EngineError: `piper-tts` is not installed, or the voice is not there.
    """
    try:
        import piper  # noqa: F401
    except ImportError as error:
        raise EngineError(
            NAME, f"piper-tts cannot be imported ({error}); install it: pip install 'viva-workbench[piper]'"
        ) from error
    return PiperSynthesizer(_find_voice(settings), threads=settings.threads)


def _find_voice(settings: Settings) -> Path:
    given = Path(settings.tts_model).expanduser()
    if given.suffix == ".onnx":
        if given.is_file():
            return given
        raise EngineError(NAME, f"there is no voice at {given}; correct VIVA_TTS_MODEL, or run `viva models pull`")
    file = f"{given.name}.onnx"
    for name, weights in MANIFEST.items():
        if any(entry.path == file for entry in weights.files):
            try:
                return find(name, settings.models_dir) / file
            except ModelError as error:
                raise EngineError(NAME, str(error)) from error
    raise EngineError(
        NAME,
        f"no voice is called {settings.tts_model!r}; set VIVA_TTS_MODEL to en_US-joe-medium, or to the "
        "path of "
        "a Piper .onnx file with its .onnx.json beside it",
    )


def _read_config(model_path: Path) -> dict[str, Any]:
    path = model_path.with_name(model_path.name + ".json")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        int(config["audio"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            NAME, f"cannot read the voice's settings at {path}: {error}; run `viva models pull`"
        ) from error
    return config


def _load(model_path: Path, config: dict[str, Any], threads: int) -> Any:
    import onnxruntime
    from piper import PiperVoice
    from piper.config import PiperConfig

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between calls take the processor from the recogniser and the language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(NAME, f"cannot load {model_path}: {error}; run `viva models pull`") from error
    log.info("loaded the voice %s (%d Hz)", model_path.stem, config["audio"]["sample_rate"])
    return PiperVoice(session=session, config=PiperConfig.from_dict(config))
