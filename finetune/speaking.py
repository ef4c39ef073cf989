"""Marked answers as sound: one of four voices, in one of four noisy places, both drawn by the hash of the answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.engines.base import SAMPLE_RATE_HZ, Samples
from workbench.simulate.sound import Clip, joined, read_wav
from workbench.simulate.voices import SENTENCE_PAUSE_S, VOICES, Studio, Voice

SPEAKERS: tuple[Voice, ...] = VOICES[:4]
"""The four voices answers are spoken in."""

BEFORE_S = 0.2
AFTER_S = 0.1
"""Sound around the voice that is recognised with it, as in a conversation (`workbench.realtime.listening`)."""

SETTLE_S = 8.0
"""Length from which what was recognised up to a pause is kept (`workbench.realtime.drafts.FIX_AFTER_S`)."""


@dataclass(frozen=True)
class Place:
    """Where an answer is given.

    Attributes:
        name: For people.
        noise: Recording below `speech/` of the corpora.
        snr_db: Speech over noise, decibels of mean power from the first to the last voiced sample.
        room: Impulse response below `speech/`, None for a microphone close to the mouth.
    """

    name: str
    noise: str
    snr_db: float
    room: str | None = None


PLACES: tuple[Place, ...] = (
    Place("office", "noise/noise2.wav", 20.0),
    Place("hall", "noise/noise2.wav", 15.0, "rir/rir1.wav"),
    Place("street", "noise/noise5.wav", 15.0),
    Place("busy room", "noise/noise5.wav", 10.0, "rir/rir2.wav"),
)


@dataclass(frozen=True)
class Spoken:
    """An answer as a microphone has it.

    Attributes:
        samples: (n_samples,) float32 in [-1, 1], 16 kHz.
        stretches: First and last sample of what is recognised at a time, the sound around it included.
    """

    samples: Samples
    stretches: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.samples) / SAMPLE_RATE_HZ


def drawn(text: str, seed: int = 0) -> tuple[Voice, Place, float]:
    """Voice, place and where in the noise to begin (in [0, 1)) for an answer; the same for the same words and seed."""
    digest = hashlib.sha256(f"{seed}:{' '.join(text.split())}".encode()).digest()
    # voice and place from different bytes, so that every voice is heard in every place
    return (
        SPEAKERS[digest[1] % len(SPEAKERS)],
        PLACES[digest[2] % len(PLACES)],
        int.from_bytes(digest[3:7], "big") / 2**32,
    )


async def speak(studio: Studio, text: str, speech_dir: Path, seed: int = 0) -> Spoken:
    """Speaks an answer in the voice and place drawn for it.

    Args:
        studio: Makes the clips of clean speech, and keeps them.
        text: The answer.
        speech_dir: Directory with `noise` and `rir`.
        seed: Of the draw.

    Raises:
        ValueError: Nothing in the text can be spoken.
    """
    voice, place, offset = drawn(text, seed)
    sentences = [s for s in re.split(r"(?<=[.!?])\s+", text.strip()) if any(map(str.isalnum, s))]
    if not sentences:
        raise ValueError(f"nothing to say in a text of {len(text)} characters")
    clips = [await studio.say(sentence, voice) for sentence in sentences]
    response = read_wav(speech_dir / place.room) if place.room else np.zeros(0, np.float32)
    return in_place(clips, response, read_wav(speech_dir / place.noise), place.snr_db, offset)


def in_place(clips: Sequence[Clip], response: Samples, noise: Samples, snr_db: float, offset: float) -> Spoken:
    """Sentences in a room and in noise, with a breath between them.

    Args:
        clips: One of clean speech for every sentence.
        response: Impulse response of the room, empty for none.
        noise: A recording, repeated as needed.
        snr_db: Speech over noise, decibels.
        offset: Where in the recording the noise begins, in [0, 1).
    """
    parts: list[Clip | float] = [BEFORE_S]
    ends: list[int] = []
    n_before = round(BEFORE_S * SAMPLE_RATE_HZ)
    for clip in clips:
        ends.append(n_before + clip.last_voiced)
        parts += [clip, SENTENCE_PAUSE_S]
        n_before += len(clip.samples) + int(SENTENCE_PAUSE_S * SAMPLE_RATE_HZ)
    whole = joined(parts).in_room(response)
    first, last = whole.first_voiced, min(whole.last_voiced, len(whole.samples))
    background = np.resize(np.roll(noise, -int(offset * len(noise))), len(whole.samples))
    ratio = np.mean(np.square(whole.samples[first:last])) / (np.mean(np.square(background[first:last])) + 1e-12)
    mixed = whole.samples + background * np.sqrt(ratio / 10 ** (snr_db / 10))
    samples = (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)
    return Spoken(samples, _stretches(ends, len(samples)))


def _stretches(ends: Sequence[int], n_samples: int) -> tuple[tuple[int, int], ...]:
    """What a conversation recognises at a time: from the last settled pause to the next one, or to the end."""
    boundaries = [0]
    for end in ends[:-1]:
        if end - boundaries[-1] >= SETTLE_S * SAMPLE_RATE_HZ:
            boundaries.append(end)
    before, after = int(BEFORE_S * SAMPLE_RATE_HZ), int(AFTER_S * SAMPLE_RATE_HZ)
    return tuple(
        (max(0, start - before), min(n_samples, end + after))
        for start, end in zip(boundaries, [*boundaries[1:], ends[-1]], strict=True)
    )
