"""Turns the lines of a reply into sound: the model words what it may word, the guard reads along, the voice speaks.

The producer fills a `Reply` from the front, so that the first phrase can be heard while the rest is being made. A
phrase that is the same in every viva (a stem, a thank-you) is synthesised once and kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench import metrics
from workbench.audio import StreamResampler
from workbench.engines.base import EngineError, Engines, Priority, Samples
from workbench.engines.spoken_text import sentences, speakable
from workbench.exam.guard import GuardedStream
from workbench.exam.model import Line, Wording
from workbench.exam.prompts import RETRY_TEMPERATURE, SAMPLING, chat_messages
from workbench.realtime.playout import Reply

log = logging.getLogger(__name__)

CACHED_S = 240.0
"""Sound kept by the phrase cache: about 20 MB, some sixty phrases."""

SENTENCE_GAP_S = 0.28
"""Silence between two sentences; the pauses inside a text the voice makes itself."""

LOOKAHEAD_S = 8.0
"""Sound made ahead of what is being heard; more would be thrown away at a barge-in."""

RUNNING_DRY_S = 1.2
"""Sound made ahead below which the next phrase is as urgent as the first phrase of another reply: a gap inside a
sentence is heard as a fault, a later answer is not."""

FIRST_WORDS_S = 2.5
"""Longest wait for the model's first clause; then the line's own text is spoken."""


@dataclass
class Marks:
    """When the parts of a reply were ready, monotonic seconds; None for what did not happen."""

    llm_first: float | None = None
    llm_clause: float | None = None
    tts_first: float | None = None


@dataclass
class Fallbacks:
    """How often the model was asked for a line, and why its words were not used."""

    asked: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Counts one refusal."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


class PhraseCache:
    """Synthesised phrases by (text, rate), the least recently used dropped first."""

    def __init__(self, sample_rate_hz: int, keep_s: float = CACHED_S) -> None:
        self._room = int(keep_s * sample_rate_hz)
        self._held = 0
        self._phrases: OrderedDict[tuple[str, float], Samples] = OrderedDict()

    def get(self, text: str, rate: float) -> Samples | None:
        """The phrase's sound, if it is held."""
        found = self._phrases.get((text, rate))
        if found is not None:
            self._phrases.move_to_end((text, rate))
        return found

    def put(self, text: str, rate: float, sound: Samples) -> None:
        """Holds the sound of a phrase."""
        if (text, rate) in self._phrases or len(sound) > self._room // 4:
            return
        self._phrases[(text, rate)] = sound
        self._held += len(sound)
        while self._held > self._room:
            _, dropped = self._phrases.popitem(last=False)
            self._held -= len(dropped)


class Speaker:
    """Makes replies for one session.

    Args:
        engines: The shared engines.
        cache: Phrases shared by all sessions of the process.
        out_hz: Output sample rate of the session.
        rate: Speaking rate of the voice.
        clock: Monotonic seconds.
        instructions: System prompt of a free conversation in place of the workbench's own.
    """

    def __init__(
        self,
        engines: Engines,
        cache: PhraseCache,
        *,
        out_hz: int,
        rate: float,
        clock: Callable[[], float],
        instructions: str | None = None,
    ) -> None:
        self.engines = engines
        self.cache = cache
        self.out_hz = out_hz
        self.rate = rate
        self.clock = clock
        self.instructions = instructions
        self.fallbacks = Fallbacks()

    async def produce(
        self,
        lines: Sequence[Line],
        reply: Reply,
        marks: Marks,
        *,
        heard: Callable[[], int] = lambda: 0,
        priority: Priority = "now",
    ) -> None:
        """Fills `reply` with the sound of `lines`, and finishes it, whatever happens.

        Args:
            lines: What to say.
            reply: Where the sound goes.
            marks: Told when the parts were ready.
            heard: Samples of the reply heard so far; production stays `LOOKAHEAD_S` ahead of it.
            priority: Place in the engines' queues.

        Raises:
            EngineError: The voice failed twice on the same phrase; what was made before stands.
        """
        try:
            for index, line in enumerate(lines):
                async for words in self._words(line, marks, priority):
                    for text in sentences(words):
                        if reply.phrases and reply.phrases[-1].text.endswith((".", "?", "!")):
                            reply.add(np.zeros(int(SENTENCE_GAP_S * self.out_hz), np.float32))
                        reply.begin(text, line.kind, index)
                        await self._say(text, reply, marks, priority, keep=line.wording is None)
                        if priority != "idle":
                            made_ahead_s = (reply.n_made - heard()) / self.out_hz
                            priority = "now" if made_ahead_s < RUNNING_DRY_S else "soon"
                        while reply.n_made - heard() > LOOKAHEAD_S * self.out_hz:
                            await asyncio.sleep(0.25)
        finally:
            reply.finish()

    async def _words(self, line: Line, marks: Marks, priority: Priority) -> AsyncIterator[str]:
        """The phrases of a line: the model's if it words the line well, else the line's own."""
        if line.wording is None:
            yield line.text
            return
        self.fallbacks.asked += 1
        temperatures = [SAMPLING[line.wording.purpose].temperature]
        if line.wording.purpose == "talk":
            temperatures.append(RETRY_TEMPERATURE)
        for temperature in temperatures:
            guarded = GuardedStream(line.wording, line.text)
            failure: str | None = None
            try:
                async for clause in self._clauses(line.wording, guarded, marks, priority, temperature):
                    yield clause
            except (EngineError, TimeoutError) as error:
                # what was not said yet is said in the line's own words: `finish` sees an unfinished text
                failure = "too_slow" if isinstance(error, TimeoutError) else "engine_failed"
                metrics.engine_error("llm")
                log.warning("the language model failed, the line's own words are spoken: %s", error)
            outcome = guarded.finish()
            if failure or outcome.reason != "repetition" or outcome.text != line.text:
                break
        if outcome.fallback:
            self.fallbacks.refuse(failure or outcome.reason or "empty")
        metrics.wording(not outcome.fallback)
        if outcome.rest:
            if marks.llm_clause is None and not outcome.fallback:
                marks.llm_clause = self.clock()
            yield outcome.rest

    async def _clauses(
        self, wording: Wording, guarded: GuardedStream, marks: Marks, priority: Priority, temperature: float
    ) -> AsyncIterator[str]:
        sampling = SAMPLING[wording.purpose]
        messages = chat_messages(wording, self.engines.chat.recall)
        if self.instructions and wording.purpose == "talk":
            messages[0] = {"role": "system", "content": self.instructions}
        stream = self.engines.chat.stream(
            messages,
            max_tokens=sampling.max_tokens,
            temperature=temperature,
            stop=sampling.stop,
            priority=priority,
        )
        try:
            async with asyncio.timeout(FIRST_WORDS_S) as limit:
                async for piece in stream:
                    if marks.llm_first is None:
                        marks.llm_first = self.clock()
                    for clause in guarded.feed(piece):
                        if marks.llm_clause is None:
                            marks.llm_clause = self.clock()
                        limit.reschedule(None)
                        yield clause
                    if guarded.done:
                        break
        finally:
            await stream.aclose()

    async def _say(self, text: str, reply: Reply, marks: Marks, priority: Priority, *, keep: bool) -> None:
        cached = self.cache.get(text, self.rate)
        if cached is not None:
            if marks.tts_first is None:
                marks.tts_first = self.clock()
            reply.add(self._convert(cached))
            return
        for attempt in (1, 2):
            made: list[Samples] = []
            try:
                resampler = StreamResampler(self.engines.synthesizer.sample_rate_hz, self.out_hz, "HQ")
                async for chunk in self.engines.synthesizer.stream(speakable(text), rate=self.rate, priority=priority):
                    if marks.tts_first is None:
                        marks.tts_first = self.clock()
                    made.append(chunk)
                    reply.add(resampler.process(chunk))
                reply.add(resampler.process(np.zeros(0, np.float32), last=True))
                break
            except EngineError:
                if attempt == 2 or made:
                    raise
                log.warning("the voice failed on a phrase of %d characters, once more", len(text))
        if made and keep:
            self.cache.put(text, self.rate, np.concatenate(made))

    def _convert(self, sound: Samples) -> Samples:
        resampler = StreamResampler(self.engines.synthesizer.sample_rate_hz, self.out_hz, "HQ")
        return np.concatenate([resampler.process(sound), resampler.process(np.zeros(0, np.float32), last=True)])
