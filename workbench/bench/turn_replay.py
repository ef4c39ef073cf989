"""Sessions recorded once and decided many times: what the engines heard is kept, the turn rule runs on it again.

The real voice detector, recogniser and end-of-turn model hear every pause once. A `Recording` then holds all a
`TurnTaker` needs, and any patience can be tried on it in milliseconds, with the evidence delivered so many samples
after its pause as computing it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.bench.turn_corpus import Answer, Condition
from workbench.engines.base import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    EndOfTurnModel,
    Samples,
    Transcriber,
    VoiceDetector,
)
from workbench.realtime.completeness import Expects
from workbench.realtime.turns import EndOfTurn, Patience, Pause, Resume, TurnTaker

PATIENT_FOR_EVER = Patience(1e6, 1e6, 1e6)

BEFORE_S, AFTER_S = 0.2, 0.1
"""Sound around the turn that recogniser and end-of-turn model get too, as in a conversation."""

WORTH_HEARING_S = 0.24
"""Shorter pauses end no turn under any patience, so nothing is recognised in them here."""

WORDS_DELAY_S, SOUND_DELAY_S = 0.35, 0.1
"""From a pause to its words and to the end-of-turn model's verdict; about what two busy cores take."""


@dataclass(frozen=True)
class HeardPause:
    """A pause and what the engines made of the turn up to it; `silence_s` is None for the last one."""

    start: int
    end: int
    silence_s: float | None
    text: str
    end_of_turn: float


@dataclass(frozen=True)
class Recording:
    """An answer as it was heard: voice probabilities frame by frame, and every pause worth hearing."""

    answer: Answer
    condition: str
    probabilities: tuple[float, ...]
    pauses: tuple[HeardPause, ...]


@dataclass(frozen=True)
class Ending:
    """How the turn rule ended a recorded answer.

    Attributes:
        cut_off: Whether it ended before the answer did.
        at: The signal, None if the turn never ended.
        wait_s: From the answer's last voiced sample to the decision; None when cut off or never ended.
        heard: The pause it ended in, None for one too short to be heard.
    """

    cut_off: bool
    at: EndOfTurn | None
    wait_s: float | None
    heard: HeardPause | None


class RecordedVoice:
    """Voice probabilities, played back."""

    def __init__(self, probabilities: Sequence[float]) -> None:
        self._left = iter(probabilities)

    def probability(self, frame: Samples) -> float:
        """The next recorded probability; silence after the last."""
        return next(self._left, 0.0)

    def reset(self) -> None:
        """Nothing is remembered that could be forgotten."""


@dataclass
class Ears:
    """The engines that hear a pause."""

    voice: VoiceDetector
    transcriber: Transcriber
    end_of_turn: EndOfTurnModel

    async def record(self, answer: Answer, condition: Condition, seed: int) -> Recording:
        """Listens to an answer once."""
        sound = condition.heard(answer, seed)
        stream = self.voice.new_stream()
        whole = len(sound) - len(sound) % VAD_FRAME_SAMPLES
        probabilities = tuple(stream.probability(frame) for frame in sound[:whole].reshape(-1, VAD_FRAME_SAMPLES))
        found = pauses_of(probabilities)
        heard: list[HeardPause] = []
        for pause, resumed_at in found:
            silence_s = None if resumed_at is None else (resumed_at - pause.end_sample) / SAMPLE_RATE_HZ
            if silence_s is not None and silence_s < WORTH_HEARING_S:
                continue
            clip = clip_of(sound, pause.start_sample, pause.end_sample)
            text = (await self.transcriber.transcribe(clip)).text
            finished = await self.end_of_turn.probability(clip)
            heard.append(HeardPause(pause.start_sample, pause.end_sample, silence_s, text, finished))
        return Recording(answer, condition.name, probabilities, tuple(heard))


def clip_of(sound: Samples, start: int, end: int) -> Samples:
    """What is recognised of a turn: a little more than its voiced part."""
    return sound[max(0, start - int(BEFORE_S * SAMPLE_RATE_HZ)) : end + int(AFTER_S * SAMPLE_RATE_HZ)]


def pauses_of(probabilities: Sequence[float]) -> list[tuple[Pause, int | None]]:
    """Every pause of a session in which no turn ever ends, with the sample at which the voice came back."""
    taker = TurnTaker(RecordedVoice(probabilities), patience=PATIENT_FOR_EVER)
    frame = np.zeros(VAD_FRAME_SAMPLES, np.float32)
    found: list[tuple[Pause, int | None]] = []
    for _ in probabilities:
        for signal in taker.frame(frame):
            if isinstance(signal, Pause):
                found.append((signal, None))
            elif isinstance(signal, Resume):
                found[-1] = (found[-1][0], signal.sample)
    return found


def decide(recording: Recording, patience: Patience, expects: Expects, *, accommodation: float = 1.0) -> Ending:
    """Runs the turn rule on a recording up to the first end of a turn."""
    taker = TurnTaker(
        RecordedVoice(recording.probabilities), patience=patience, expects=expects, accommodation=accommodation
    )
    heard_at = {pause.end: pause for pause in recording.pauses}
    frame = np.zeros(VAD_FRAME_SAMPLES, np.float32)
    due: list[tuple[int, int, str | None, float | None]] = []
    for _ in range(len(recording.probabilities) + int(6 * SAMPLE_RATE_HZ / VAD_FRAME_SAMPLES)):
        signals = list(taker.frame(frame))
        for item in [item for item in due if item[0] <= taker.n_samples]:
            due.remove(item)
            signals += taker.evidence(item[1], text=item[2], end_of_turn=item[3])
        for signal in signals:
            heard = heard_at.get(signal.end_sample) if isinstance(signal, Pause | EndOfTurn) else None
            if isinstance(signal, Pause) and heard is not None:
                now = taker.n_samples
                due.append((now + int(SOUND_DELAY_S * SAMPLE_RATE_HZ), signal.pause_id, None, heard.end_of_turn))
                due.append((now + int(WORDS_DELAY_S * SAMPLE_RATE_HZ), signal.pause_id, heard.text, heard.end_of_turn))
            elif isinstance(signal, EndOfTurn):
                cut_off = signal.end_sample < recording.answer.last_voiced - int(0.2 * SAMPLE_RATE_HZ)
                wait_s = None if cut_off else (signal.at_sample - recording.answer.last_voiced) / SAMPLE_RATE_HZ
                return Ending(cut_off, signal, wait_s, heard)
    return Ending(False, None, None, None)
