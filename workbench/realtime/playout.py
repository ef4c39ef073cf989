"""The examiner's sound on its way to one listener: paced, pausable, and honest about what was heard.

A reply is a row of phrases. `Playout` sends them no more than `AHEAD_S` ahead of the listener's clock, so that what is
in flight when the candidate speaks up is short and a flush is quick. What has been heard is what the client reports
(`viva.played`), carried forward by the clock between reports; a client that does not report is taken to play what it
receives without delay.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from workbench.audio import to_pcm16
from workbench.engines.base import Samples
from workbench.exam.model import LineKind
from workbench.realtime.protocol import VivaCaption, VivaPlayback, new_id

AHEAD_S = 0.6
CancelReason = Literal["turn_detected", "client_cancelled"]

CHUNK_S = 0.1
"""Sound in one event: long enough to be cheap, short enough that the first word is not held up by the last."""

GRACE_S = 0.35
"""How long after the sound should have ended a reporting client's last report is waited for."""


class Emitter(Protocol):
    """Where events go; `generation` lets the outbox drop what a barge-in has overtaken."""

    def __call__(self, event: dict[str, Any], generation: int | None = None) -> None:
        """Queues one event."""
        ...


@dataclass
class Phrase:
    """One spoken phrase of a reply and the sound made of it so far, at the session's output rate."""

    text: str
    kind: LineKind
    start: int
    """First sample, from the start of the reply."""
    line: int = 0
    """Which line of the reply it belongs to."""
    n_samples: int = 0
    complete: bool = False
    announced: bool = False


@dataclass
class Reply:
    """What is being said: filled by a producer, emptied by `Playout`."""

    response_id: str = field(default_factory=lambda: new_id("resp"))
    item_id: str = field(default_factory=lambda: new_id("item"))
    phrases: list[Phrase] = field(default_factory=list)
    sound: list[Samples] = field(default_factory=list)
    n_made: int = 0
    finished: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, text: str, kind: LineKind, line: int = 0) -> None:
        """Starts a phrase; sound added from here on belongs to it."""
        if self.phrases:
            self.phrases[-1].complete = True
        self.phrases.append(Phrase(text, kind, self.n_made, line))

    def add(self, samples: Samples) -> None:
        """Adds sound to the current phrase."""
        if not len(samples):
            return
        self.sound.append(samples)
        self.n_made += len(samples)
        self.phrases[-1].n_samples += len(samples)
        self.changed.set()

    def finish(self) -> None:
        """No more sound will come."""
        if self.phrases:
            self.phrases[-1].complete = True
        self.finished = True
        self.changed.set()

    def clip(self, start: int, end: int) -> Samples:
        """The sound from sample `start` to `end`."""
        parts: list[Samples] = []
        position = 0
        for chunk in self.sound:
            if position + len(chunk) > start and position < end:
                parts.append(chunk[max(0, start - position) : end - position])
            position += len(chunk)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    @property
    def text(self) -> str:
        """Everything the reply says, whether heard or not."""
        return " ".join(phrase.text for phrase in self.phrases)

    def heard_text(self, n_samples: int) -> str:
        """The words that had begun by sample `n_samples`, taking words to be as long as their letters."""
        words: list[str] = []
        for phrase in self.phrases:
            if n_samples <= phrase.start:
                break
            if n_samples >= phrase.start + phrase.n_samples and phrase.complete:
                words.append(phrase.text)
                continue
            share = (n_samples - phrase.start) / max(1, phrase.n_samples)
            letters = share * len(phrase.text)
            position = 0
            for word in phrase.text.split():
                if position >= letters:
                    break
                words.append(word)
                position += len(word) + 1
        return " ".join(words)

    def kinds_begun(self, n_samples: int) -> list[LineKind]:
        """Kinds of the phrases that had begun by sample `n_samples`."""
        return [phrase.kind for phrase in self.phrases if n_samples > phrase.start]


@dataclass(frozen=True)
class Heard:
    """How a reply ended."""

    reply: Reply
    n_samples: int
    interrupted: bool

    @property
    def text(self) -> str:
        """What the candidate heard of it."""
        return self.reply.heard_text(self.n_samples) if self.interrupted else self.reply.text


class Playout:
    """Plays one reply at a time to one client.

    Args:
        emit: Takes the events.
        rate_hz: Output sample rate of the session.
        reports: Whether the client sends `viva.played` and obeys `viva.playback`.
        clock: Monotonic seconds.
        on_sound: Called with (samples, first sample's index in the reply) as sound is sent, for the recording.
        on_first: Called once a reply when its first sound is handed over.
    """

    def __init__(
        self,
        emit: Emitter,
        *,
        rate_hz: int,
        reports: bool,
        clock: Callable[[], float],
        on_end: Callable[[Heard], Awaitable[None]],
        on_first: Callable[[Reply], None] = lambda reply: None,
    ) -> None:
        self.emit = emit
        self.rate_hz = rate_hz
        self.reports = reports
        self.clock = clock
        self.on_end = on_end
        self.on_first = on_first
        self.generation = 0
        self.reply: Reply | None = None
        self.paused = False
        self.underruns = 0
        self._sent = 0
        self._played = 0.0
        self._played_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()

    # ---- state ----

    @property
    def speaking(self) -> bool:
        """Whether the candidate hears (or is about to hear) the examiner."""
        return self.reply is not None and not self.paused

    @property
    def busy(self) -> bool:
        """Whether a reply is under way, paused or not."""
        return self.reply is not None

    def played(self) -> int:
        """Samples of the current reply heard by now, never more than were sent."""
        position = self._played
        if not self.paused and self._sent:
            position += (self.clock() - self._played_at) * self.rate_hz
        return int(min(position, self._sent))

    # ---- commands ----

    def play(self, reply: Reply) -> None:
        """Starts a reply; the one before must have ended or been cleared."""
        if self.reply is not None:
            raise RuntimeError("a reply is already being played; clear it first")
        self.reply = reply
        self.paused = False
        self._sent = 0
        self._played = 0.0
        self._played_at = self.clock()
        self._task = asyncio.create_task(self._run(reply, self.generation), name="playout")

    def pause(self) -> None:
        """Stage one of a barge-in: the sound stops at once, nothing is lost yet."""
        if self.reply is None or self.paused:
            return
        self._played = float(self.played())
        self.paused = True
        if self.reports:
            self._event(VivaPlayback(action="pause", response_id=self.reply.response_id).model_dump())

    def resume(self) -> None:
        """It was a cough: the sentence goes on where it stopped."""
        if self.reply is None or not self.paused:
            return
        self.paused = False
        self._played_at = self.clock()
        if self.reports:
            self._event(VivaPlayback(action="resume", response_id=self.reply.response_id).model_dump())
        self._moved.set()

    def report(self, response_id: str, n_samples: int, underruns: int) -> None:
        """The client's own word on what it has played."""
        if self.reply is None or response_id != self.reply.response_id:
            return
        self._played = float(min(n_samples, self._sent))
        self._played_at = self.clock()
        self.underruns = max(self.underruns, underruns)
        self._moved.set()

    async def clear(self, heard_samples: int | None = None, *, reason: CancelReason = "turn_detected") -> Heard | None:
        """Stage two: the rest is dropped, here, on the way and at the client; returns what had been heard."""
        reply = self.reply
        if reply is None:
            return None
        n_samples = self.played() if heard_samples is None else min(heard_samples, self._sent)
        self.generation += 1
        self.reply = None
        self.paused = False
        self._cancel_task()
        if self.reports:
            self._event(VivaPlayback(action="clear", response_id=reply.response_id).model_dump())
        if self._sent:
            self._finish_events(reply, "cancelled", reply.heard_text(n_samples), reason)
        heard = Heard(reply, n_samples, interrupted=True)
        await self.on_end(heard)
        return heard

    def abandon(self) -> Heard | None:
        """The listener is gone: stops without telling it."""
        reply = self.reply
        if reply is None:
            return None
        heard = Heard(reply, self.played(), interrupted=True)
        self.generation += 1
        self.reply = None
        self.paused = False
        self._cancel_task()
        return heard

    # ---- the work ----

    def _cancel_task(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = None

    def _event(self, event: dict[str, Any], generation: int | None = None) -> None:
        self.emit(event, generation)

    async def _run(self, reply: Reply, generation: int) -> None:
        chunk_samples = int(CHUNK_S * self.rate_hz)
        ahead = int(AHEAD_S * self.rate_hz)
        pieces = iter(_Rechunker(reply, chunk_samples))
        while True:
            chunk = next(pieces)
            if chunk is None:
                if reply.finished and self._sent >= reply.n_made:
                    break
                reply.changed.clear()
                await reply.changed.wait()
                continue
            while self.paused or self._sent - self.played() >= ahead:
                await self._wait(CHUNK_S / 2 if not self.paused else 1.0)
            if self._sent == 0:
                self._start_events(reply, generation)
                self._played_at = self.clock()
                self.on_first(reply)
            if self.reports is False and self._sent and self.played() >= self._sent:
                # a stock client ran dry while sound was being made: its clock stands still until more arrives
                self._played = float(self._sent)
                self._played_at = self.clock()
            self._announce(reply, generation)
            self._sent += len(chunk)
            self._event(
                {
                    "type": "response.output_audio.delta",
                    "event_id": new_id("evt"),
                    "response_id": reply.response_id,
                    "item_id": reply.item_id,
                    "output_index": 0,
                    "content_index": 0,
                    "delta": base64.b64encode(to_pcm16(chunk)).decode("ascii"),
                },
                generation,
            )
        if self._sent:
            self._announce(reply, generation)
            self._event(self._part("response.output_audio.done", reply), generation)
        await self._until_heard()
        self.reply = None
        self._task = None
        if self._sent:
            self._finish_events(reply, "completed", reply.text)
        await self.on_end(Heard(reply, reply.n_made, interrupted=False))

    async def _until_heard(self) -> None:
        deadline: float | None = None
        while self.played() < self._sent or self.paused:
            if self.paused:
                await self._wait(1.0)
                continue
            left = (self._sent - self.played()) / self.rate_hz
            await self._wait(max(0.005, left))
        if self.reports:  # the clock says it was heard; give the client's last report a moment to agree
            deadline = self.clock() + GRACE_S
            while self._played < self._sent - 0.02 * self.rate_hz and self.clock() < deadline:
                await self._wait(max(0.001, deadline - self.clock()))
                if self.paused:
                    await self._until_heard()
                    return

    async def _wait(self, seconds: float) -> None:
        self._moved.clear()
        try:
            await asyncio.wait_for(self._moved.wait(), seconds)
        except TimeoutError:
            pass

    # ---- events ----

    def _part(self, kind: str, reply: Reply, **more: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "event_id": new_id("evt"),
            "response_id": reply.response_id,
            "item_id": reply.item_id,
            "output_index": 0,
            "content_index": 0,
            **more,
        }

    def _item(self, reply: Reply, status: str, transcript: str | None) -> dict[str, Any]:
        content = [] if transcript is None else [{"type": "output_audio", "transcript": transcript}]
        return {
            "id": reply.item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _response(self, reply: Reply, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": reply.response_id,
            "object": "realtime.response",
            "status": status,
            "output": output,
            "output_modalities": ["audio"],
        }

    def _start_events(self, reply: Reply, generation: int) -> None:
        started = self._response(reply, "in_progress", [])
        self._event({"type": "response.created", "event_id": new_id("evt"), "response": started}, generation)
        item = self._item(reply, "in_progress", None)
        for event in (
            {
                "type": "response.output_item.added",
                "response_id": reply.response_id,
                "output_index": 0,
                "item": item,
            },
            {"type": "conversation.item.added", "item": item, "previous_item_id": None},
        ):
            self._event({"event_id": new_id("evt"), **event}, generation)
        part = {"type": "audio", "transcript": ""}
        self._event(self._part("response.content_part.added", reply, part=part), generation)

    def _announce(self, reply: Reply, generation: int) -> None:
        """Captions for the phrases whose sound is about to be sent and whose length is known."""
        horizon = self._sent + int((AHEAD_S + CHUNK_S) * self.rate_hz)
        for phrase in reply.phrases:
            if phrase.announced or not phrase.complete or not phrase.n_samples or phrase.start > horizon:
                continue
            phrase.announced = True
            self._event(
                self._part("response.output_audio_transcript.delta", reply, delta=phrase.text + " "),
                generation,
            )
            caption = VivaCaption(
                response_id=reply.response_id,
                text=phrase.text,
                start_sample=phrase.start,
                end_sample=phrase.start + phrase.n_samples,
                kind=phrase.kind,
            )
            self._event(caption.model_dump(), generation)

    def _finish_events(
        self, reply: Reply, status: str, transcript: str, reason: CancelReason = "turn_detected"
    ) -> None:
        # after a barge-in these carry no generation: they are the news that must still arrive
        item_status = "completed" if status == "completed" else "incomplete"
        item = self._item(reply, item_status, transcript)
        self._event(self._part("response.output_audio_transcript.done", reply, transcript=transcript))
        part = {"type": "audio", "transcript": transcript}
        self._event(self._part("response.content_part.done", reply, part=part))
        done = {
            "type": "response.output_item.done",
            "response_id": reply.response_id,
            "output_index": 0,
            "item": item,
        }
        self._event({"event_id": new_id("evt"), **done})
        response = self._response(reply, status, [item])
        if status == "cancelled":
            response["status_details"] = {"type": "cancelled", "reason": reason}
        self._event({"type": "response.done", "event_id": new_id("evt"), "response": response})


class _Rechunker:
    """Yields the reply's sound in pieces of one size, a smaller one where no more is made yet, None where none is."""

    def __init__(self, reply: Reply, size: int) -> None:
        self.reply = reply
        self.size = size

    def __iter__(self) -> Any:
        taken = 0
        pending: list[Samples] = []
        n_pending = 0
        while True:
            while taken < len(self.reply.sound) and n_pending < self.size:
                pending.append(self.reply.sound[taken])
                n_pending += len(self.reply.sound[taken])
                taken += 1
            if n_pending:
                data = np.concatenate(pending)
                yield data[: self.size]
                pending = [data[self.size :]] if len(data) > self.size else []
                n_pending = max(0, len(data) - self.size)
            else:
                yield None
