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
"""Length from which what was recognised up to a pause is kept, so that a long answer is not recognised again whole."""


@dataclass(frozen=True)
class Outcome:
    """What an event of the exam comes to: the new state, what is to be done, said, and judged in the background."""

    state: ExamState
    effects: tuple[exam.Effect, ...]
    lines: tuple[exam.Line, ...]
    judging: tuple[exam.Judge, ...] = ()


@dataclass
class SpokenSoFar:
    """The part of a turn whose words are settled; recognition goes on from `boundary` (an absolute sample)."""

    boundary: int = 0
    text: str = ""

    def fix(self, end: int, transcript: Transcript) -> None:
        """The candidate went on after a pause at `end`: settle the words before it once they are long enough."""
        if end - self.boundary >= FIX_AFTER_S * SAMPLE_RATE_HZ:
            self.text = self.join(transcript.text)
            self.boundary = end

    def join(self, text: str) -> str:
        """The whole turn, given the words after the boundary."""
        return f"{self.text} {text}".strip()


@dataclass
class Draft:
    """The work of one pause."""

    pause_id: int
    start: int
    end: int
    t0: float
    task: asyncio.Task[None] | None = None
    planning: asyncio.Task[None] | None = None
    producer: asyncio.Task[None] | None = None
    planned: asyncio.Event = field(default_factory=asyncio.Event)
    transcript: Transcript | None = None
    text: str = ""
    heard: str = ""
    before: ExamState | None = None
    outcome: Outcome | None = None
    reply: Reply | None = None
    revision: int = -1
    marks: Marks = field(default_factory=Marks)
    failed: Exception | None = None
    endpoint_at: float = 0.0
    asr_at: float = 0.0
    judged_at: float = 0.0
    needed_s: float = 0.0

    def cancel_producer(self) -> None:
        """Stops making the reply's sound."""
        if self.producer is not None:
            self.producer.cancel()
        self.producer = None
        self.reply = None
        self.marks = Marks()

    def cancel(self) -> None:
        """The candidate goes on: nothing of this happened."""
        for task in (self.task, self.planning):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self.cancel_producer()
