"""The voices of simulated candidates: one Piper voice at several rates and pitches, in rooms, kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from workbench.engines.base import SAMPLE_RATE_HZ, Samples
from workbench.settings import Settings
from workbench.simulate.sound import Clip, background, cough, hum, joined, knock, read_wav, room_tone

log = logging.getLogger(__name__)

SENTENCE_PAUSE_S = 0.25
"""Breath between two sentences of one answer; shorter than any end-of-turn silence."""


MODEL = "en_US-joe-medium"
"""Weights of the voice all of them are made from."""


@dataclass(frozen=True)
class Voice:
    """How a candidate speaks: rate and pitch are factors on the voice's own."""

    name: str
    rate: float = 1.0
    pitch: float = 1.0


VOICES: tuple[Voice, ...] = (
    Voice("even"),
    Voice("brisk", rate=1.15, pitch=1.06),
    Voice("low", rate=0.95, pitch=0.88),
    Voice("light", rate=1.05, pitch=1.22),
    Voice("slow", rate=0.82, pitch=0.96),
    Voice("hurried", rate=1.28, pitch=1.12),
)


@dataclass(frozen=True)
class Surroundings:
    """Where a candidate sits: file names below `speech/` of the corpora, None for a quiet dry room."""

    name: str
    noise: str | None = None
    noise_dbfs: float = -50.0
    room: str | None = None


QUIET = Surroundings("quiet")
SURROUNDINGS: tuple[Surroundings, ...] = (
    QUIET,
    Surroundings("street", noise="noise/noise2.wav", noise_dbfs=-48.0),
    Surroundings("hall", room="rir/rir1.wav"),
    Surroundings("busy room", noise="noise/noise5.wav", noise_dbfs=-46.0, room="rir/rir3.wav"),
)


def speech_dir(settings: Settings) -> Path | None:
    """Directory of the recorded speech, noise and rooms, None where there is none."""
    path = settings.shared_dir / "speech" if settings.shared_dir else None
    return path if path and path.is_dir() else None


def background_of(surroundings: Surroundings, settings: Settings, seed: int = 0) -> Samples:
    """The endless background of a place, (n_samples,) float32, 16 kHz; recorded noise only where the corpora are."""
    directory = speech_dir(settings)
    if surroundings.noise and directory:
        return background(directory / surroundings.noise, surroundings.noise_dbfs)
    return room_tone(seed)


def room_of(surroundings: Surroundings, settings: Settings) -> Samples:
    """The impulse response of a place, empty for a dry one or where the corpora are absent."""
    directory = speech_dir(settings)
    if surroundings.room and directory:
        return read_wav(directory / surroundings.room)
    return np.zeros(0, np.float32)


class Studio:
    """Makes clips of spoken text and keeps them on disk, so that a bench's second run synthesises nothing.

    Args:
        settings: Says where the weights, the corpora and the cache are.
        synthesizer: A voice with `speak(text, rate=, pitch=)`; the embedded one when omitted.
    """

    def __init__(self, settings: Settings, synthesizer: Any = None) -> None:
        self.settings = settings
        self.cache_dir = settings.models_dir.parent / "candidates"
        self._synthesizer = synthesizer
        self._model = "given" if synthesizer is not None else MODEL

    async def say(self, text: str, voice: Voice = VOICES[0], surroundings: Surroundings = QUIET) -> Clip:
        """One stretch of speech without long pauses inside."""
        dry = await self._dry(text, voice)
        room = room_of(surroundings, self.settings)
        return dry.in_room(room) if len(room) else dry

    async def say_parts(
        self, parts: tuple[str | float, ...], voice: Voice = VOICES[0], surroundings: Surroundings = QUIET
    ) -> Clip:
        """Speech with pauses (seconds) between its parts as one clip."""
        made: list[Clip | float] = []
        for part in parts:
            made.append(await self._dry(part, voice) if isinstance(part, str) else part)
        dry = joined(made)
        room = room_of(surroundings, self.settings)
        return dry.in_room(room) if len(room) else dry

    def noise(self, kind: str, seed: int) -> Clip:
        """A noise a candidate makes: `cough`, `knock` or `hum` ("mm-hm").

        Raises:
            ValueError: An unknown kind; the message lists the known ones.
        """
        makers = {"cough": cough, "knock": knock, "hum": hum}
        if kind not in makers:
            raise ValueError(f"unknown noise {kind!r}; known: {', '.join(makers)}")
        return makers[kind](seed)

    async def close(self) -> None:
        """Frees the voice."""
        if self._synthesizer is not None:
            await self._synthesizer.close()

    async def _dry(self, text: str, voice: Voice) -> Clip:
        path = self.cache_dir / f"{self._key(text, voice)}.flac"
        if not path.is_file():
            await self._synthesize(text, voice, path)
        samples, _ = soundfile.read(path, dtype="float32")
        return Clip.of(samples, text)

    def _key(self, text: str, voice: Voice) -> str:
        try:
            piper_version = version("piper-tts")
        except PackageNotFoundError:
            piper_version = "absent"
        manner = asdict(replace(voice, name=""))
        what = json.dumps([text, manner, self._model, piper_version, SENTENCE_PAUSE_S], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:32]

    async def _synthesize(self, text: str, voice: Voice, path: Path) -> None:
        if self._synthesizer is None:
            from workbench.engines import piper

            self._synthesizer = piper.create(
                self.settings.model_copy(update={"tts": "piper", "tts_model": self._model, "threads": 1})
            )
        from workbench.engines.spoken_text import speakable

        clips: list[Clip | float] = []
        for sentence in re.split(r"(?<=[.!?])\s+", text.strip()):
            chunks = [
                chunk
                async for chunk in self._synthesizer.speak(
                    speakable(sentence), rate=voice.rate, pitch=voice.pitch, priority="idle"
                )
            ]
            if not chunks:
                continue
            samples = np.concatenate(chunks)
            samples = soxr.resample(samples, self._synthesizer.sample_rate_hz, SAMPLE_RATE_HZ).astype(np.float32)
            clips += [Clip.of(samples, sentence), SENTENCE_PAUSE_S]
        if not clips:
            raise ValueError(f"nothing to say in a text of {len(text)} characters")
        whole = joined(clips[:-1], text)
        path.parent.mkdir(parents=True, exist_ok=True)
        # written beside and moved, so that a bench started twice never reads half a file
        handle, name = tempfile.mkstemp(suffix=".flac", dir=path.parent)
        os.close(handle)
        soundfile.write(name, whole.samples, SAMPLE_RATE_HZ, format="FLAC")
        os.replace(name, path)
