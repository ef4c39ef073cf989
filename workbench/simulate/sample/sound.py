"""Speech with sound: both sides spoken by Piper, the candidate heard by the recogniser, mixed to a recording."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from workbench.engines.base import SAMPLE_RATE_HZ
from workbench.settings import Settings
from workbench.simulate.sample.plan import Person
from workbench.simulate.sample.speaking import HeardWord, Utterance
from workbench.simulate.voices import VOICES, Studio, Voice

EXAMINER = Voice("examiner", rate=1.0, pitch=0.94)
VOICE_OF = {"steady": VOICES[0], "hurried": next(voice for voice in VOICES if voice.name == "hurried")}


class SpokenSpeech:
    """Piper speaks, Whisper listens; clips that were made once are taken from the cache.

    Args:
        settings: Where the weights are.
    """

    def __init__(self, settings: Settings) -> None:
        from workbench.engines.registry import create

        self._studio = Studio(settings)
        self._transcriber = create("asr", settings.asr, settings)
        self._runner = asyncio.Runner()

    def candidate(self, text: str, person: Person, key_terms: Sequence[str], turn: str) -> Utterance:
        """See `workbench.simulate.sample.speaking.Speech`."""
        clip = self._runner.run(self._studio.say(text, VOICE_OF[person.group]))
        # the recogniser hears the room before and after, as in a viva
        around = np.zeros(int(0.3 * SAMPLE_RATE_HZ), np.float32)
        found = self._runner.run(
            self._transcriber.transcribe(
                np.concatenate([around, clip.samples, around]), key_terms=key_terms, with_words=True
            )
        )
        length_s = len(clip.samples) / SAMPLE_RATE_HZ
        words = tuple(
            HeardWord(
                word.text,
                min(max(word.start_s - 0.3, 0.0), length_s),
                min(max(word.end_s - 0.3, 0.0), length_s),
                word.probability,
            )
            for word in found.words
        )
        return Utterance(length_s, words, clip.samples)

    def examiner(self, text: str) -> tuple[float, Any]:
        """See `workbench.simulate.sample.speaking.Speech`."""
        clip = self._runner.run(self._studio.say(text, EXAMINER))
        return len(clip.samples) / SAMPLE_RATE_HZ, clip.samples

    def close(self) -> None:
        """Frees the models."""
        self._runner.run(self._studio.close())
        self._runner.run(self._transcriber.close())
        self._runner.close()


def write_recording(path: Path, sounds: Sequence[tuple[float, int, Any]], duration_s: float) -> None:
    """Mixes what was said into two channels (candidate, examiner) at 16 kHz and writes it as Ogg Opus."""
    mixed = np.zeros((int((duration_s + 0.5) * SAMPLE_RATE_HZ), 2), np.float32)
    for start_s, channel, samples in sounds:
        start = int(start_s * SAMPLE_RATE_HZ)
        stop = min(start + len(samples), len(mixed))
        mixed[start:stop, channel] += samples[: stop - start]
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 2, format="OGG", subtype="OPUS") as file:
        # libsndfile's Opus encoder overflows its stack on one long write
        for start in range(0, len(mixed), SAMPLE_RATE_HZ):
            file.write(mixed[start : start + SAMPLE_RATE_HZ])
