"""Small real stand-ins for the engines: they keep the protocols, wait as models do, and say what they are told to.

The candidate's sound in these tests is a tone whose loudness carries a number: `spoken("aspirin")` returns a clip that
`ScriptedTranscriber` recognises as "aspirin" again, so that words travel through resampling, framing and turn-taking
as they do in real sound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import numpy as np

from workbench.engines.base import SAMPLE_RATE_HZ, ChatMessage, EngineError, Engines, Priority, Samples, Transcript

OUT_HZ = 16_000


class LoudnessVoice:
    """Hears speech wherever the sound is louder than a whisper."""

    def probability(self, frame: Samples) -> float:
        return 0.95 if float(np.abs(frame).max(initial=0.0)) > 0.05 else 0.02

    def reset(self) -> None:
        pass


class LoudnessDetector:
    name = "scripted"

    async def warm_up(self) -> None:
        pass

    def new_stream(self) -> LoudnessVoice:
        return LoudnessVoice()


class Vocabulary:
    """Phrases by the pitch they are spoken at, 200 Hz apart by 20 Hz."""

    def __init__(self) -> None:
        self.phrases: list[str] = []

    def spoken(self, text: str, seconds: float = 0.8, rate_hz: int = SAMPLE_RATE_HZ) -> Samples:
        if text not in self.phrases:
            self.phrases.append(text)
        hz = 200 + 40 * self.phrases.index(text)
        times = np.arange(int(seconds * rate_hz)) / rate_hz
        return (0.3 * np.sin(2 * np.pi * hz * times)).astype(np.float32)

    def recognise(self, audio: Samples) -> str:
        """Every phrase heard, in order, separated by silence."""
        heard: list[str] = []
        for start, end in _voiced(audio):
            part = audio[start:end]
            spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * SAMPLE_RATE_HZ))
            hz = float(np.argmax(spectrum)) / 8
            index = round((hz - 200) / 40)
            if 0 <= index < len(self.phrases):
                heard.append(self.phrases[index])
        return " ".join(heard)


def _voiced(audio: Samples) -> list[tuple[int, int]]:
    frame = 160
    loud = [float(np.abs(audio[i : i + frame]).max(initial=0.0)) > 0.05 for i in range(0, len(audio), frame)]
    spans: list[tuple[int, int]] = []
    start: int | None = None
    for index, is_loud in enumerate([*loud, False]):
        if is_loud and start is None:
            start = index
        elif not is_loud and start is not None:
            if index - start >= 5:
                spans.append((start * frame, index * frame))
            start = None
    return spans


class ScriptedTranscriber:
    name = "scripted"

    def __init__(self, vocabulary: Vocabulary, *, delay_s: float = 0.005) -> None:
        self.vocabulary = vocabulary
        self.delay_s = delay_s
        self.confidence = 0.9
        self.failures = 0
        """Calls that will fail before one succeeds again."""
        self.calls = 0
        self.cancelled = 0

    async def warm_up(self) -> None:
        pass

    async def transcribe(
        self,
        audio: Samples,
        *,
        key_terms: Sequence[str] = (),
        with_words: bool = False,
        priority: Priority = "now",
    ) -> Transcript:
        self.calls += 1
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failures > 0:
            self.failures -= 1
            raise EngineError(self.name, "told to fail", retryable=True)
        text = self.vocabulary.recognise(audio)
        return Transcript(text, audio_s=len(audio) / SAMPLE_RATE_HZ, confidence=self.confidence if text else 0.0)

    async def close(self) -> None:
        pass


class ScriptedChat:
    name = "scripted"
    recall = None

    def __init__(self, reply: str = "That is a fair point.", *, delay_s: float = 0.0) -> None:
        self.reply = reply
        self.delay_s = delay_s
        self.fails = False
        self.prompts: list[list[ChatMessage]] = []

    async def warm_up(self) -> None:
        pass

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int = 64,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        priority: Priority = "now",
    ) -> AsyncGenerator[str, None]:
        self.prompts.append(list(messages))
        await asyncio.sleep(self.delay_s)
        if self.fails:
            raise EngineError(self.name, "told to fail")
        for word in self.reply.split(" "):
            await asyncio.sleep(0)
            yield word + " "

    async def close(self) -> None:
        pass


class ScriptedVoice:
    """Speaks every text as a tone, four milliseconds a letter."""

    name = "scripted"
    sample_rate_hz = OUT_HZ

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.failures = 0

    async def warm_up(self) -> None:
        pass

    async def stream(
        self, text: str, *, rate: float = 1.0, priority: Priority = "now"
    ) -> AsyncGenerator[Samples, None]:
        await asyncio.sleep(0)
        if self.failures > 0:
            self.failures -= 1
            raise EngineError(self.name, "told to fail", retryable=True)
        self.spoken.append(text)
        yield np.full(int(0.004 * len(text) * OUT_HZ / rate), 0.1, np.float32)

    async def close(self) -> None:
        pass


class ScriptedEndOfTurn:
    name = "scripted"

    def __init__(self, probability: float = 0.95) -> None:
        self.value = probability

    async def warm_up(self) -> None:
        pass

    async def probability(self, audio: Samples, *, priority: Priority = "now") -> float:
        await asyncio.sleep(0)
        return self.value


def scripted_engines(vocabulary: Vocabulary) -> Engines:
    """One stand-in of each kind."""
    return Engines(
        voice=LoudnessDetector(),
        end_of_turn=ScriptedEndOfTurn(),
        transcriber=ScriptedTranscriber(vocabulary),
        chat=ScriptedChat(),
        synthesizer=ScriptedVoice(),
    )
