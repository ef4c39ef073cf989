"""What would be said if the turn were over: made in the pause, thrown away when the candidate goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from workbench.engines.base import SAMPLE_RATE_HZ, Transcript
from workbench.exam import model as exam
from workbench.exam.flow import ExamState
from workbench.realtime.playout import Reply
from workbench.realtime.speaker import Marks

FIX_AFTER_S = 8.0
"""Length from which what was recognised up to a pause is kept: a long answer is not recognised again whole."""


@dataclass
class TurnTimes:
    """When the parts of a turn happened, monotonic seconds.

    Attributes:
        voice_end: When the last voiced sample arrived.
        endpoint: When the turn was declared over.
        recognised: When its words were known.
        judged: When the exam had decided what to do.
        needed_s: Silence the turn rule asked for, seconds.
    """

    voice_end: float
    endpoint: float = 0.0
    recognised: float = 0.0
    judged: float | None = None
    needed_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What an event of the exam comes to.

    Attributes:
        state: The exam's next state.
        effects: What is to be done.
        lines: What is to be said.
        judging: Answers to mark in the background.
        before: The state it happened to.
        answer: The whole answer it was, None when it was something else.
    """

    state: ExamState
    effects: tuple[exam.Effect, ...]
    lines: tuple[exam.Line, ...]
    judging: tuple[exam.Judge, ...] = ()
    before: ExamState | None = None
    answer: str | None = None


@dataclass
class Prepared:
    """A reply whose sound is being made.

    Attributes:
        lines: What it says.
        reply: Where the sound goes.
        producer: The task that makes it.
        marks: When its parts were ready.
    """

    lines: tuple[exam.Line, ...]
    reply: Reply
    producer: asyncio.Task[None]
    marks: Marks


@dataclass
class SpokenSoFar:
    """The part of a turn whose words are settled; recognition goes on from `boundary` (an absolute sample).

    Attributes:
        boundary: First sample of what is not settled.
        text: The settled words.
        confidence: How sure the recogniser was of the least sure stretch of them, in [0, 1].
    """

    boundary: int = 0
    text: str = ""
    confidence: float = 1.0

    def fix(self, end: int, transcript: Transcript) -> None:
        """The candidate went on after a pause at `end`: settles the words before it once they are long enough."""
        if end - self.boundary >= FIX_AFTER_S * SAMPLE_RATE_HZ:
            self.text, self.confidence = self.join(transcript.text), self.sure(transcript)
            self.boundary = end

    def join(self, text: str) -> str:
        """The whole turn, given the words after the boundary."""
        return f"{self.text} {text}".strip()

    def sure(self, transcript: Transcript) -> float:
        """Confidence in the whole turn: that of its least sure stretch; a cough after the words takes nothing away."""
        if not self.text:
            return transcript.confidence
        return min(self.confidence, transcript.confidence) if transcript.text else self.confidence


@dataclass
class Draft:
    """The work of one pause."""

    pause_id: int
    start: int
    end: int
    times: TurnTimes
    task: asyncio.Task[None] | None = None
    planning: asyncio.Task[None] | None = None
    planned: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    transcript: Transcript | None = None
    text: str = ""
    confidence: float = 0.0
    outcome: Outcome | None = None
    prepared: Prepared | None = None
    revision: int = -1
    failed: Exception | None = None
    cancelled: bool = False

    def discard_reply(self) -> None:
        """Stops making the reply's sound."""
        if self.prepared is not None:
            self.prepared.producer.cancel()
        self.prepared = None

    def cancel(self) -> None:
        """The candidate goes on: nothing of this happened."""
        self.cancelled = True
        for task in (self.task, self.planning):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self.discard_reply()
