"""What is heard of the candidate: frames into turn signals, stretches of sound into words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from workbench import metrics
from workbench.audio import Ear, Framer, StreamResampler, from_pcm16
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Engines, Samples, Transcript
from workbench.realtime.drafts import SpokenSoFar
from workbench.realtime.protocol import new_id
from workbench.realtime.turns import TurnSignal, TurnTaker

log = logging.getLogger(__name__)

BEFORE_S = 0.2
"""Sound recognised before the first voiced sample: quiet consonants begin there."""

AFTER_S = 0.1
PARTIAL_EVERY_S = 0.9
SMART_TURN_S = 8.0
SMART_TURN_WITHIN_S = 2.0
NO_SOUND_S = 8.0
"""Digital silence for this long means a muted microphone."""


class Listener:
    """The ear of one conversation.

    Args:
        engines: The shared engines.
        turns: The turn rule of this candidate.
        in_hz: Rate of the sound that comes in.
        key_terms: Rare words the candidate may say now.
        timeout_s: Longest wait for a recognition.
    """

    def __init__(
        self,
        engines: Engines,
        turns: TurnTaker,
        *,
        in_hz: int,
        key_terms: Callable[[], tuple[str, ...]],
        timeout_s: float,
    ) -> None:
        self.engines = engines
        self.turns = turns
        self.key_terms = key_terms
        self.timeout_s = timeout_s
        self.ear = Ear()
        self.turn_start: int | None = None
        self.item_id = new_id("item")
        self.so_far = SpokenSoFar()
        self._zero_samples = 0
        self._told_mute = False
        self.set_rate(in_hz)

    def set_rate(self, in_hz: int) -> None:
        """Sound comes at this rate from now on."""
        self._resampler = StreamResampler(in_hz, SAMPLE_RATE_HZ)
        self._framer = Framer()

    def frames(self, pcm: bytes) -> list[Samples]:
        """More sound, PCM16; returns the frames it completes, which `take` is to be given one by one."""
        samples = self._resampler.process(from_pcm16(pcm))
        if len(samples):
            self._zero_samples = 0 if samples.any() else self._zero_samples + len(samples)
        return list(self._framer.push(samples))

    def take(self, frame: Samples, examiner_speaking: bool) -> tuple[TurnSignal, ...]:
        """The next frame; what follows from it for the turn."""
        self.ear.push(frame)
        return self.turns.frame(frame, examiner_speaking)

    def newly_mute(self) -> bool:
        """Whether the microphone turns out to be muted; true once until sound comes again."""
        mute = self._zero_samples > NO_SOUND_S * SAMPLE_RATE_HZ
        news = mute and not self._told_mute
        self._told_mute = mute
        return news

    def begin_turn(self, sample: int) -> None:
        """A turn may have begun at this sample."""
        self.turn_start = sample
        self.item_id = new_id("item")
        self.so_far = SpokenSoFar(boundary=sample)

    def end_turn(self) -> None:
        """No turn is under way any more."""
        self.turn_start = None

    def forget_turn(self) -> None:
        """Whatever was being said does not count."""
        self.turns.reset()
        self.turn_start = None
        self.so_far = SpokenSoFar()

    def forget_old_sound(self) -> None:
        """Lets go of sound that no turn needs any more."""
        needed = self.ear.n_samples if self.turn_start is None else min(self.turn_start, self.so_far.boundary)
        self.ear.forget_before(needed)

    def voiced_s(self, end: int | None = None) -> float:
        """Seconds since the turn began."""
        end = self.ear.n_samples if end is None else end
        return 0.0 if self.turn_start is None else max(0.0, (end - self.turn_start) / SAMPLE_RATE_HZ)

    def clip(self, start: int, end: int) -> tuple[Samples, int]:
        """The sound between two absolute samples with a little before and after, and where it begins."""
        begin = max(0, start - int(BEFORE_S * SAMPLE_RATE_HZ))
        return self.ear.clip(begin, end + int(AFTER_S * SAMPLE_RATE_HZ)), begin

    async def recognise(self, start: int, end: int, *, partial: bool = False) -> Transcript:
        """The words between two absolute samples.

        Raises:
            EngineError: The recogniser failed.
            TimeoutError: It did not answer in time.
        """
        clip, _ = self.clip(start, end)
        async with asyncio.timeout(self.timeout_s):
            return await self.engines.transcriber.transcribe(
                clip, key_terms=self.key_terms(), priority="idle" if partial else "now"
            )

    async def recognise_turn(self, start: int, end: int) -> Transcript:
        """The words of a turn after its settled part; a failure is tried once more."""
        begin = self.so_far.boundary or start
        try:
            return await self.recognise(begin, end)
        except (EngineError, TimeoutError) as error:
            metrics.engine_error("asr")
            log.warning("recognition failed, once more: %s", error)
            return await self.recognise(begin, end)

    async def sounds_finished(self, start: int, end: int) -> float | None:
        """Probability that the turn sounds complete, None when the model gives no answer."""
        begin = max(start - int(BEFORE_S * SAMPLE_RATE_HZ), end - int(SMART_TURN_S * SAMPLE_RATE_HZ))
        clip = self.ear.clip(max(0, begin), end + int(AFTER_S * SAMPLE_RATE_HZ))
        try:
            async with asyncio.timeout(SMART_TURN_WITHIN_S):
                return await self.engines.end_of_turn.probability(clip)
        except (EngineError, TimeoutError) as error:
            log.warning("the end-of-turn model gave no answer, the words decide: %s", error)
            return None

    async def partials(self, tell: Callable[[str], None], busy: Callable[[], bool]) -> None:
        """Words while they are being said; `tell` hears those that two partials in a row agree on.

        Args:
            tell: Takes the next words.
            busy: Whether something more urgent uses the recogniser: then this round is left out.
        """
        last: list[str] = []
        n_told = 0
        while self.turn_start is not None:
            await asyncio.sleep(PARTIAL_EVERY_S)
            if self.turn_start is None or busy():
                continue
            try:
                found = await self.recognise(self.so_far.boundary or self.turn_start, self.ear.n_samples, partial=True)
            except (EngineError, TimeoutError):
                continue
            words = self.so_far.join(found.text).split()
            agreed = 0
            while agreed < min(len(words), len(last)) and words[agreed] == last[agreed]:
                agreed += 1
            if agreed > n_told:
                tell(" ".join(words[n_told:agreed]) + " ")
                n_told = agreed
            last = words
