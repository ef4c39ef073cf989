"""The examiner's voice for those who write questions: a text as a WAV file."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Awaitable, Callable

import numpy as np

from workbench.audio import to_pcm16
from workbench.engines.base import Samples, Synthesizer
from workbench.engines.spoken_text import sentences, speakable

Speak = Callable[[str], Awaitable[bytes]]
SENTENCE_GAP_S = 0.28
"""Silence between two sentences, as in a viva."""


def speak_with(synthesizer: Synthesizer) -> Speak:
    """A function that speaks as the examiner does, after what a running viva needs now."""

    async def speak(text: str) -> bytes:
        gap = np.zeros(int(SENTENCE_GAP_S * synthesizer.sample_rate_hz), np.float32)
        pieces: list[Samples] = []
        for sentence in sentences(speakable(text)):
            pieces += [chunk async for chunk in synthesizer.stream(sentence, priority="soon")]
            pieces.append(gap)
        return wav(np.concatenate(pieces) if pieces else gap, synthesizer.sample_rate_hz)

    return speak


def wav(samples: Samples, rate_hz: int) -> bytes:
    """A mono 16-bit WAV file of `(n_samples,)` float32 in [-1, 1]."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(to_pcm16(samples))
    return buffer.getvalue()


def audio(wav: bytes) -> str:
    """A player that begins at once; the sound is part of the page and of no file."""
    sound = base64.b64encode(wav).decode()
    return f'<audio controls autoplay aria-label="The question as spoken" src="data:audio/wav;base64,{sound}"></audio>'
