"""One viva as it happens: what is heard becomes a turn, a turn becomes an event of the exam, its effects are spoken.

The compute hides in the silence. As soon as the candidate pauses, a `Draft` recognises what was said, asks the exam
(a pure function) what it would do about it, and starts to make the sound of the reply, all while the turn rule is still
waiting. If the candidate goes on the draft is thrown away and nothing has happened; if the turn is over the answer goes
to disk, and the reply that is already there is played.

Everything here runs on one event loop; models, files and the database are behind awaits. Time inside a turn is counted
in samples received. The clock serves the exam's time limits and the latency report only.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Literal

from workbench import metrics
from workbench.audio import Ear, Framer, StreamResampler, from_pcm16
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Samples, Transcript
from workbench.exam import asking, flow
from workbench.exam import model as exam
from workbench.exam.items import Bank
from workbench.exam.requests import understand
from workbench.exam.state import ExamState
from workbench.realtime import protocol
from workbench.realtime.bargein import BargeIn
from workbench.realtime.clock import ExamClock
from workbench.realtime.drafts import Draft, Outcome, SpokenSoFar
from workbench.realtime.keeper import Keeper
from workbench.realtime.outbox import Outbox
from workbench.realtime.playout import Heard, Playout, Reply
from workbench.realtime.services import Services, find_question
from workbench.realtime.speaker import Marks, Speaker
from workbench.realtime.turns import (
    EndOfTurn,
    Onset,
    Patience,
    Pause,
    Resume,
    TurnSignal,
    TurnTaker,
    Withdrawn,
)

log = logging.getLogger(__name__)

TICK_S = 0.1
OVERTIME_S = 12.0
"""How long past the deadline a candidate may go on before the turn is ended for them."""

PARTIAL_EVERY_S = 0.9
BARGE_PARTIAL_EVERY_S = 0.3
CONTINUE_WITHIN_S = 1.6
"""A candidate who speaks up this soon into an acknowledgement was not finished: the answer goes on."""

SLOW_S = 3.0
"""A reply that takes longer than this is announced as slow."""

NO_SOUND_S = 8.0
"""Digital silence for this long means a muted microphone."""

LOST_WORDS = "I'm sorry, I lost what you just said. Could you say it once more, please?"


class Conversation:
    """One candidate's viva, from the first `session.update` to the report.

    Args:
        services: Engines, banks, store, settings, judge; shared by all conversations.
        options: What the client asked for.
        session_id: Id of the session in the store.
        keeper: Writes what must survive.
        state: State of the exam to go on with, None for a new one.
        elapsed_s: Exam time already used, when going on.
    """

    def __init__(
        self,
        services: Services,
        options: protocol.VivaOptions,
        *,
        session_id: str,
        resume_token: str,
        keeper: Keeper,
        bank: Bank,
        seed: int,
        in_hz: int = 24_000,
        out_hz: int = 24_000,
        instructions: str | None = None,
        state: ExamState | None = None,
        elapsed_s: float = 0.0,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self.services = services
        self.options = options
        self.session_id = session_id
        self.resume_token = resume_token
        self.keeper = keeper
        self.bank = bank
        self.on_closed = on_closed
        self.outbox = Outbox()
        self.clock = services.clock
        self.exam_clock = ExamClock(services.clock, elapsed_s)
        self.returning = state is not None
        self.state = state or flow.new_exam(bank, services.setup(options, seed))
        self.revision = 0
        self.closed = False
        self.finished: bool | None = None
        self.turn_number = 0

        self.in_hz = in_hz
        self.out_hz = out_hz
        self._resampler = StreamResampler(in_hz, SAMPLE_RATE_HZ)
        self._framer = Framer()
        self.ear = Ear()
        self.turns = TurnTaker(
            services.engines.voice.new_stream(),
            patience=Patience.preset(options.patience or services.settings.patience),
            accommodation=options.extra_time,
        )
        self.speaker = Speaker(
            services.engines,
            services.phrases,
            out_hz=out_hz,
            rate=options.speaking_rate,
            clock=services.clock,
        )
        self.playout = Playout(
            self.emit,
            rate_hz=out_hz,
            reports=options.playback,
            clock=services.clock,
            on_end=self._reply_ended,
            on_first=self._first_sound,
        )
        self.draft: Draft | None = None
        self._turn_start: int | None = None
        self._user_item = protocol.new_id("item")
        self._so_far = SpokenSoFar()
        self._barge: BargeIn | None = None
        self._barge_task: asyncio.Task[None] | None = None
        self._partial_task: asyncio.Task[None] | None = None
        self._producer: asyncio.Task[None] | None = None
        self._typed: list[str] = []
        self._deciding = asyncio.Lock()
        self._ticker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._silent_since = services.clock()
        self._last_tick = 0.0
        self._zero_samples = 0
        self._sound_notice = False
        self._recorded_to = 0
        self._recording_reply: Reply | None = None
        self._before_answer: tuple[ExamState, str] | None = None
        self._unheard: tuple[exam.Line, ...] = ()
        self._lines: tuple[exam.Line, ...] = ()
        self._cues: list[tuple[int, dict[str, Any]]] = []
        self._latency: tuple[dict[str, Any], Marks] | None = None
        self._thinking = False

    # ---- the client's side ----

    def emit(self, event: dict[str, Any], generation: int | None = None) -> None:
        """Queues an event for the client."""
        self.outbox.put(event, generation)

    async def begin(self) -> None:
        """The candidate is there: the examiner speaks first."""
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick_forever(), name="viva-ticker")
        if self.returning:
            self._replay_for_client()
            await self.happen(exam.Returned(self.exam_clock.now()))
        else:
            await self.happen(exam.Begin(self.exam_clock.now()))

    async def come_back(self, *, playback: bool, out_hz: int, in_hz: int) -> None:
        """The connection was lost and is here again."""
        self.in_hz, self._resampler, self._framer = in_hz, StreamResampler(in_hz, SAMPLE_RATE_HZ), Framer()
        self.out_hz = self.speaker.out_hz = self.playout.rate_hz = out_hz
        self.playout.reports = playback
        self.exam_clock.run()
        self._replay_for_client()
        if self.finished is None:
            await self.happen(exam.Returned(self.exam_clock.now()))
        else:
            await self._report()

    async def lose_client(self) -> None:
        """The connection is lost: the clock stops, nothing is lost."""
        self.outbox.detach()
        self.exam_clock.stop()
        self._drop_draft()
        self._stop_barge()
        heard = self.playout.abandon()
        if self._producer is not None:
            self._producer.cancel()
        if heard is not None:
            await self._keep_examiner_turn(heard)
        self.turns.reset()
        self._turn_start = None

    async def close(self) -> None:
        """Ends every task of this viva and closes its recording."""
        if self.closed:
            return
        self.closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        self._drop_draft()
        self._stop_barge()
        self.playout.abandon()
        for task in [self._producer, self._partial_task, *self._tasks]:
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        await self.keeper.close()
        self.on_closed()

    def hear(self, pcm: bytes) -> None:
        """More of the candidate's sound, PCM16 at the session's input rate."""
        samples = self._resampler.process(from_pcm16(pcm))
        self._watch_for_mute(samples)
        for frame in self._framer.push(samples):
            self.ear.push(frame)
            self.keeper.candidate_sound(frame)
            for signal in self.turns.frame(frame, self.playout.speaking):
                self._signal(signal)

    async def commit_turn(self) -> None:
        """The client says the turn is over."""
        for signal in self.turns.force_end():
            self._signal(signal)

    def forget_turn(self) -> None:
        """The client takes back what was said in this turn."""
        self._drop_draft()
        self.turns.reset()
        self._turn_start = None
        self._so_far = SpokenSoFar()

    def type_text(self, text: str) -> None:
        """Part of a typed answer; `respond` sends it."""
        self._typed.append(text)

    async def respond(self) -> None:
        """The typed answer is complete."""
        if not self._typed:
            return
        text = " ".join(self._typed).strip()
        self._typed.clear()
        self._drop_draft()
        self.turns.reset()
        self._turn_start = None
        t0 = self.clock()
        item = protocol.new_id("item")
        now = self.exam_clock.now()
        at_s = self.keeper.seconds(self.ear.n_samples)
        await self.keeper.turn("candidate", text, text, False, at_s, at_s, typed=True, number=self.state.number or None)
        base, text, extra = self._frame(text)
        await self.happen(
            exam.Heard(text, now, typed=True),
            base=base,
            instead=extra,
            latency={"t0": t0, "endpoint": t0, "asr": t0, "patience": 0.0},
        )
        log.debug("typed turn %s", item)

    async def cancel_response(self) -> None:
        """The client stops the examiner."""
        await self._stop_speaking()

    async def truncated(self, item_id: str, audio_end_ms: int) -> None:
        """A stock client tells how much of an item it played before it stopped."""
        reply = self.playout.reply
        if reply is not None and reply.item_id == item_id:
            await self._stop_speaking(int(audio_end_ms * self.out_hz / 1000))
        self.emit(
            {
                "type": "conversation.item.truncated",
                "event_id": protocol.new_id("evt"),
                "item_id": item_id,
                "content_index": 0,
                "audio_end_ms": audio_end_ms,
            }
        )

    # ---- turn signals ----

    def _signal(self, signal: TurnSignal) -> None:
        match signal:
            case Onset(sample=sample):
                self._onset(sample)
            case Pause(pause_id=pause_id, start_sample=start, end_sample=end):
                self._pause(pause_id, start, end)
            case Resume():
                self._resume()
            case EndOfTurn():
                self._end_of_turn(signal)
            case Withdrawn():
                self._withdrawn()

    def _onset(self, sample: int) -> None:
        self._turn_start = sample
        self._user_item = protocol.new_id("item")
        self._so_far = SpokenSoFar(boundary=sample)
        if self.playout.busy:
            self.playout.pause()
            words = (
                self.playout.reply.heard_text(self.playout.played() + int(0.3 * self.out_hz))
                if self.playout.reply
                else ""
            )
            self._barge = BargeIn(examiner_words=words)
            self._barge_task = asyncio.create_task(self._listen_through_bargein(sample), name="barge-in")
        else:
            self._announce_speech(sample)
        self._partial_task = asyncio.create_task(self._partials(), name="partials")

    def _announce_speech(self, sample: int) -> None:
        self._event(
            "input_audio_buffer.speech_started",
            audio_start_ms=int(sample * 1000 / SAMPLE_RATE_HZ),
            item_id=self._user_item,
        )
        self._show_state()

    def _pause(self, pause_id: int, start: int, end: int) -> None:
        self._drop_draft()
        draft = Draft(
            pause_id=pause_id,
            start=start,
            end=end,
            t0=self.clock() - (self.ear.n_samples - end) / SAMPLE_RATE_HZ,
        )
        self.draft = draft
        draft.task = asyncio.create_task(self._draft(draft), name="draft")

    def _resume(self) -> None:
        draft = self.draft
        if draft is not None and draft.transcript is not None:
            self._so_far.fix(draft.end, draft.transcript)
        self._drop_draft()

    def _withdrawn(self) -> None:
        self._drop_draft()
        self._stop_partials()
        self._turn_start = None
        if self._barge is not None:
            self._settle_barge("resume")

    def _end_of_turn(self, signal: EndOfTurn) -> None:
        self._stop_partials()
        draft = self.draft
        if draft is None or draft.pause_id != signal.pause_id:
            self._drop_draft()
            draft = Draft(
                pause_id=signal.pause_id,
                start=signal.start_sample,
                end=signal.end_sample,
                t0=self.clock() - (self.ear.n_samples - signal.end_sample) / SAMPLE_RATE_HZ,
            )
            self.draft = draft
            draft.task = asyncio.create_task(self._draft(draft), name="draft")
        draft.endpoint_at = self.clock()
        draft.needed_s = signal.needed_s
        self.draft = None
        self._turn_start = None
        self._thinking = True
        self._show_state()
        self._spawn(self._take_turn(draft), "take-turn")

    # ---- the draft: what would be said, were the turn over ----

    async def _recognise(self, start: int, end: int, *, final: bool) -> Transcript:
        clip = self.ear.clip(max(0, start - int(0.2 * SAMPLE_RATE_HZ)), end + int(0.1 * SAMPLE_RATE_HZ))
        async with asyncio.timeout(self.services.settings.engine_timeout_s):
            return await self.services.engines.transcriber.transcribe(
                clip, key_terms=self.state.key_terms, priority="now" if final else "idle"
            )

    async def _sounds_finished(self, draft: Draft) -> float | None:
        clip = self.ear.clip(
            max(draft.start - int(0.2 * SAMPLE_RATE_HZ), draft.end - 8 * SAMPLE_RATE_HZ),
            draft.end + int(0.1 * SAMPLE_RATE_HZ),
        )
        try:
            async with asyncio.timeout(2.0):
                return await self.services.engines.end_of_turn.probability(clip)
        except (EngineError, TimeoutError) as error:
            log.warning("the end-of-turn model gave no answer, the words decide: %s", error)
            return None

    async def _draft(self, draft: Draft) -> None:
        listening = asyncio.create_task(self._sounds_finished(draft), name="smart-turn")
        try:
            try:
                transcript = await self._recognise(self._so_far.boundary or draft.start, draft.end, final=True)
            except (EngineError, TimeoutError) as error:
                metrics.engine_error("asr")
                log.warning("recognition failed, once more: %s", error)
                transcript = await self._recognise(self._so_far.boundary or draft.start, draft.end, final=True)
            draft.asr_at = self.clock()
            draft.transcript = transcript
            draft.text = self._so_far.join(transcript.text)
            if self._barge is not None:
                self._settle_barge(self._barge.hear(draft.text, self._voiced_s(draft.end), final=True))
                if self._barge is None and self._turn_start is None:
                    return  # it was no interruption
            sounds = await listening if listening.done() else None
            self._evidence(draft, sounds)
            making = asyncio.create_task(self._plan(draft), name="plan")
            draft.planning = making
            if sounds is None:
                self._evidence(draft, await listening)
            await making
        except (EngineError, TimeoutError) as error:
            draft.failed = error
        finally:
            listening.cancel()
            draft.planned.set()

    def _evidence(self, draft: Draft, sounds_finished: float | None) -> None:
        for signal in self.turns.evidence(draft.pause_id, text=draft.text, end_of_turn=sounds_finished):
            self._signal(signal)

    async def _plan(self, draft: Draft) -> None:
        """What the exam would do, and the beginning of its sound."""
        base, text, instead = self._frame(draft.text)
        draft.before = base
        draft.heard = text
        draft.revision = self.revision
        confidence = draft.transcript.confidence if draft.transcript else 0.0
        event = exam.Heard(text, self.exam_clock.now(), confidence=confidence)
        draft.outcome = await self._consider(event, base=base, instead=instead)
        draft.judged_at = self.clock()
        lines = draft.outcome.lines
        if lines:
            draft.reply = Reply()
            draft.producer = asyncio.create_task(
                self.speaker.produce(lines, draft.reply, draft.marks, heard=self._heard_of(draft.reply)),
                name="produce",
            )

    def _heard_of(self, reply: Reply) -> Callable[[], int]:
        return lambda: self.playout.played() if self.playout.reply is reply else 0

    def _drop_draft(self) -> None:
        draft, self.draft = self.draft, None
        if draft is not None:
            draft.cancel()

    async def _take_turn(self, draft: Draft) -> None:
        """The turn is over: keep the answer, then let the reply be heard."""
        try:
            await self._reply_to(draft)
        finally:
            self._thinking = False

    async def _reply_to(self, draft: Draft) -> None:
        try:
            await asyncio.wait_for(draft.planned.wait(), SLOW_S)
        except TimeoutError:
            self._notice("engine_slow", "One moment, the examiner is still thinking.")
            await draft.planned.wait()
        if self._barge is not None:
            self._settle_barge("confirm" if draft.text else "resume")
        if draft.failed is not None:
            await self._lost_words(draft)
            return
        if draft.outcome is None or self.closed:
            return
        async with self._deciding:
            if self._turn_start is not None:
                # the candidate went on before a word was spoken: one turn, not two
                draft.cancel_producer()
                self._so_far = SpokenSoFar(boundary=self._turn_start, text=draft.text)
                return
            await self._stop_speaking()
            if draft.revision != self.revision:  # the exam moved on meanwhile (a click, the clock): think again
                draft.cancel_producer()
                await self._plan(draft)
            assert draft.outcome is not None
            self._event(
                "input_audio_buffer.speech_stopped",
                audio_end_ms=int(draft.end * 1000 / SAMPLE_RATE_HZ),
                item_id=self._user_item,
            )
            self._event("input_audio_buffer.committed", item_id=self._user_item, previous_item_id=None)
            self._user_said(draft.text, draft.end - draft.start)
            start_s, end_s = self.keeper.seconds(draft.start), self.keeper.seconds(draft.end)
            self._spawn(self._keep_words(draft.text, draft.start, draft.end, start_s, end_s), "keep-words")
            latency = {
                "t0": draft.t0,
                "endpoint": draft.endpoint_at,
                "asr": draft.asr_at,
                "judge": draft.judged_at,
                "patience": draft.needed_s,
            }
            await self._commit(
                draft.outcome,
                before=draft.before,
                heard=draft.heard,
                reply=draft.reply,
                producer=draft.producer,
                marks=draft.marks,
                latency=latency,
            )
        self.ear.forget_before(self.ear.n_samples)

    async def _lost_words(self, draft: Draft) -> None:
        metrics.engine_error("turn")
        log.error("a turn could not be recognised: %s", draft.failed)
        self._notice("engine_failed", "What you said could not be recognised. Please say it once more, or type it.")
        await self._speak((exam.Line(LOST_WORDS, "apology"),))

    # ---- barge-in ----

    def _voiced_s(self, end: int | None = None) -> float:
        return max(0.0, ((end or self.ear.n_samples) - (self._turn_start or self.ear.n_samples)) / SAMPLE_RATE_HZ)

    async def _listen_through_bargein(self, sample: int) -> None:
        try:
            await asyncio.sleep(BARGE_PARTIAL_EVERY_S)
            while self._barge is not None:
                text = ""
                try:
                    text = (await self._recognise(sample, self.ear.n_samples, final=True)).text
                except (EngineError, TimeoutError) as error:
                    log.warning("recognition failed inside a barge-in: %s", error)
                if self._barge is None:
                    return
                self._settle_barge(self._barge.hear(text, self._voiced_s(), final=False))
                await asyncio.sleep(BARGE_PARTIAL_EVERY_S)
        finally:
            self._barge_task = None

    def _settle_barge(self, decision: str) -> None:
        if self._barge is None or decision == "wait":
            return
        self._barge = None
        if self._barge_task is not None and self._barge_task is not asyncio.current_task():
            self._barge_task.cancel()
        metrics.barge_in(decision)
        if decision == "resume":
            self._drop_other_draft()
            self.turns.reset()
            self._turn_start = None
            self._stop_partials()
            self.playout.resume()
        else:
            self._announce_speech(self._turn_start or self.ear.n_samples)
            self._spawn(self._stop_speaking(), "stop-speaking")

    def _drop_other_draft(self) -> None:
        draft = self.draft
        if draft is not None and draft.task is asyncio.current_task():
            self.draft = None  # it is deciding this very thing, and ends by itself
            return
        self._drop_draft()

    def _stop_barge(self) -> None:
        self._barge = None
        if self._barge_task is not None:
            self._barge_task.cancel()

    async def _stop_speaking(self, heard_samples: int | None = None) -> None:
        if self._producer is not None:
            self._producer.cancel()
            self._producer = None
        self._record_examiner()
        await self.playout.clear(heard_samples)
        self.outbox.drop_before(self.playout.generation)

    def _frame(self, text: str) -> tuple[ExamState | None, str, tuple[exam.Line, ...]]:
        """What a turn answers, when the examiner was interrupted before the question was heard.

        Returns:
            The state it happens to (None: the present one), its words, and lines to say instead of asking the exam.
        """
        if not self._unheard or not text:
            return None, text, self._unheard if not text else ()
        if understand(text, self.state.phase) is not None:
            return None, text, ()
        if self._before_answer is not None:
            before, answer = self._before_answer
            return before, f"{answer} {text}".strip(), ()
        return None, text, (exam.Line("All right.", "acknowledge"), *self._unheard)

    # ---- the exam ----

    async def happen(
        self,
        event: exam.Event,
        *,
        base: ExamState | None = None,
        instead: tuple[exam.Line, ...] = (),
        latency: dict[str, Any] | None = None,
    ) -> None:
        """Something other than a spoken turn happened to the exam; stops the examiner if there is something to say."""
        async with self._deciding:
            if self.closed or self.finished is not None:
                return
            outcome = await self._consider(event, base=base, instead=instead)
            if not outcome.effects and not outcome.lines:
                self.state = outcome.state
                return
            if outcome.lines:
                await self._stop_speaking()
                self._drop_draft()
            heard = event.text if isinstance(event, exam.Heard) else None
            if latency is not None:
                latency["judge"] = self.clock()
            await self._commit(outcome, before=base or self.state, heard=heard, latency=latency)

    async def _consider(
        self, event: exam.Event, *, base: ExamState | None = None, instead: tuple[exam.Line, ...] = ()
    ) -> Outcome:
        state = base or self.state
        if instead:
            return Outcome(state, (), instead)
        step = flow.step(self.bank, state, event)
        effects = list(step.effects)
        waiting = [effect for effect in effects if isinstance(effect, exam.Judge)]
        says = any(isinstance(effect, exam.Say) for effect in effects)
        while waiting and not says:
            judged = await self._judge(waiting.pop(0))
            step = flow.step(self.bank, step.state, exam.Judged(judged, self.exam_clock.now()))
            effects += step.effects
            waiting += [effect for effect in step.effects if isinstance(effect, exam.Judge)]
            says = any(isinstance(effect, exam.Say) for effect in step.effects)
        lines = tuple(line for effect in effects if isinstance(effect, exam.Say) for line in effect.lines)
        return Outcome(step.state, tuple(effects), lines, tuple(waiting))

    async def _judge(self, ask: exam.Judge) -> exam.Evaluation:
        return await self.services.judge(self.bank, ask)

    async def _commit(
        self,
        outcome: Outcome,
        *,
        before: ExamState | None,
        heard: str | None,
        reply: Reply | None = None,
        producer: asyncio.Task[None] | None = None,
        marks: Marks | None = None,
        latency: dict[str, Any] | None = None,
    ) -> None:
        if heard is not None and not any(isinstance(effect, exam.SaveAnswer) for effect in outcome.effects):
            heard = None
        self._before_answer = (before or self.state, heard) if heard is not None else None
        self.state = outcome.state
        self.turns.expects = self.state.expects
        self.revision += 1
        self._unheard = ()
        await self.keeper.commit(outcome, self.state, self.exam_clock.now())
        self._cues = []
        for effect in outcome.effects:
            self._apply(effect)
        self._show_state()
        for ask in outcome.judging:
            self._spawn(self._judge_later(ask), "judge")
        if outcome.lines:
            await self._speak(outcome.lines, reply=reply, producer=producer, marks=marks, latency=latency)

    async def _judge_later(self, ask: exam.Judge) -> None:
        await self.happen(exam.Judged(await self._judge(ask), self.exam_clock.now()))

    async def _speak(
        self,
        lines: tuple[exam.Line, ...],
        *,
        reply: Reply | None = None,
        producer: asyncio.Task[None] | None = None,
        marks: Marks | None = None,
        latency: dict[str, Any] | None = None,
    ) -> None:
        marks = marks or Marks()
        if self.playout.busy:
            await self._stop_speaking()
        if reply is None or producer is None:
            reply = Reply()
            producer = asyncio.create_task(
                self.speaker.produce(lines, reply, marks, heard=self._heard_of(reply)), name="produce"
            )
        producer.add_done_callback(self._producer_done)
        self._producer = producer
        self._lines = lines
        self._latency = (latency, marks) if latency is not None else None
        self._recorded_to = 0
        self._recording_reply = reply
        self.playout.play(reply)
        self._show_state()

    def _producer_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        metrics.engine_error("tts")
        log.error("the voice failed: %s", task.exception())
        self._notice("engine_failed", "The voice failed; the examiner's words are shown instead.")
        if self._producer is task:
            self.emit(
                protocol.VivaCaption(
                    response_id=self.playout.reply.response_id if self.playout.reply else "none",
                    text=" ".join(line.text for line in self._lines),
                    start_sample=0,
                    end_sample=0,
                    kind=self._lines[0].kind if self._lines else "apology",
                ).model_dump()
            )

    def _apply(self, effect: exam.Effect) -> None:
        match effect:
            case exam.ShowQuestion():
                question = protocol.VivaQuestion(
                    number=effect.number,
                    total=effect.total,
                    question_id=effect.question_id,
                    scenario_title=effect.scenario_title,
                    scenario=effect.scenario,
                    stem=effect.stem,
                    deadline_s=effect.deadline_s,
                )
                self._cues.append((effect.number, question.model_dump()))
            case exam.SaveMark(number=number, evaluation=evaluation, public=True):
                self._show_verdict(number, evaluation)
            case exam.GrantTime(seconds=seconds):
                self.turns.grant(seconds)
                self._silent_since = self.clock() + seconds
            case exam.SetConsent(given=given):
                if given and self.options.record:
                    self.keeper.start_recording()
            case exam.OfferAreas(areas=areas):
                self.emit(protocol.VivaAreas(areas=[{"key": key, "title": title} for key, title in areas]).model_dump())
            case exam.SetPaused(paused=paused):
                (self.exam_clock.stop if paused else self.exam_clock.run)()
            case exam.Finish(completed=completed):
                self.finished = completed
            case _:
                pass
        if isinstance(effect, exam.Say) and any(line.kind == "consent" for line in effect.lines):
            self.emit(protocol.VivaConsentAsked().model_dump())

    def _show_marks(self) -> None:
        for record in self.state.records:
            if record.evaluation is not None and record.final:
                self._show_verdict(record.number, record.evaluation)

    def _show_verdict(self, number: int, evaluation: exam.Evaluation) -> None:
        question = find_question(self.bank, evaluation.question_id)
        texts = {point.id: point.text for point in question.key_points}
        self.emit(
            protocol.VivaVerdict(
                number=number,
                question_id=evaluation.question_id,
                verdict=evaluation.verdict,
                points=evaluation.points,
                confidence=evaluation.confidence,
                judge=evaluation.judge,
                key_points=[
                    protocol.VivaKeyPoint(text=texts.get(item.key_point_id, ""), status=item.status, quote=item.quote)
                    for item in evaluation.evidence
                ],
                answer=self.state.records[number - 1].text if number <= len(self.state.records) else "",
                model_answer=question.model_answer,
            ).model_dump()
        )

    # ---- what was said and heard ----

    def _first_sound(self, reply: Reply) -> None:
        self._release_cues(reply)
        if self._latency is None:
            return
        latency, marks = self._latency
        self._latency = None
        self.turn_number += 1
        t0 = latency["t0"]

        def since(moment: float | None) -> float | None:
            return None if moment is None else round((moment - t0) * 1000, 1)

        kind = reply.phrases[0].kind
        first = self._lines[reply.phrases[0].line]
        event = protocol.VivaLatency(
            turn=self.turn_number,
            mode=self.state.setup.mode,
            patience_ms=round(latency["patience"] * 1000, 1),
            endpoint_ms=since(latency["endpoint"]) or 0.0,
            asr_ms=since(latency["asr"]) or 0.0,
            judge_ms=since(latency.get("judge")),
            llm_first_ms=since(marks.llm_first),
            llm_sentence_ms=since(marks.llm_clause),
            tts_first_ms=since(marks.tts_first) or 0.0,
            sent_ms=since(self.clock()) or 0.0,
            first_kind=kind,
            made_for_answer=first.wording is not None or kind in ("feedback", "probe", "model_answer"),
        )
        self.emit(event.model_dump())
        metrics.turn(event)

    async def _reply_ended(self, heard: Heard) -> None:
        self._record_examiner()
        await self._keep_examiner_turn(heard)
        reply = heard.reply
        begun = {phrase.line for phrase in reply.phrases if heard.n_samples > phrase.start}
        if heard.interrupted:
            self._unheard = tuple(
                line for index, line in enumerate(self._lines) if line.essential and index not in begun
            )
            seconds = heard.n_samples / self.out_hz
            told = {self._lines[index].kind for index in begun if index < len(self._lines)}
            if self._before_answer is not None and (seconds > CONTINUE_WITHIN_S or not told <= {"acknowledge"}):
                self._before_answer = None
        else:
            self._unheard = ()
            self._before_answer = None
        self._release_cues(reply, everything=not heard.interrupted)
        self._silent_since = max(self._silent_since, self.clock())
        self._tell_what_was_spoken(heard)
        self._show_state()
        if self.finished is not None and not heard.interrupted:
            self._spawn(self._report(), "report")

    def _tell_what_was_spoken(self, heard: Heard) -> None:
        """The exam learns the words of lines the model worded: a repetition repeats them, a talk remembers them."""
        kinds: tuple[Literal["talk", "probe"], ...] = ("talk", "probe")
        for kind in kinds:
            lines = {index for index, line in enumerate(self._lines) if line.kind == kind}
            words = [phrase.text for phrase in heard.reply.phrases if phrase.line in lines]
            if words:
                text = heard.text if kind == "talk" else " ".join(words)
                spoken = exam.Spoken(text, self.exam_clock.now(), kind=kind)
                self.state = flow.step(self.bank, self.state, spoken).state

    async def _keep_examiner_turn(self, heard: Heard) -> None:
        end_s = self.keeper.seconds(self.ear.n_samples)
        start_s = max(0.0, end_s - heard.n_samples / self.out_hz)
        await self.keeper.turn(
            "examiner",
            heard.reply.text,
            heard.text,
            heard.interrupted,
            start_s,
            end_s,
            number=self.state.number or None,
            kind=heard.reply.phrases[-1].kind if heard.reply.phrases else None,
        )

    async def _keep_words(self, text: str, start: int, end: int, start_s: float, end_s: float) -> None:
        words: tuple[Any, ...] = ()
        try:
            clip = self.ear.clip(start, end)
            if len(clip):
                found = await self.services.engines.transcriber.transcribe(clip, with_words=True, priority="idle")
                words = tuple(
                    replace(word, start_s=word.start_s + start_s, end_s=word.end_s + start_s) for word in found.words
                )
        except EngineError as error:
            log.warning("no word times for a turn: %s", error)
        await self.keeper.turn("candidate", text, text, False, start_s, end_s, words=words)

    def _record_examiner(self) -> None:
        """Puts what was heard since the last call on the recording, at the moment it was heard."""
        reply = self._recording_reply
        if reply is None:
            return
        played = self.playout.played() if self.playout.reply is reply else self._recorded_to
        if played > self._recorded_to:
            at = self.ear.n_samples - int((played - self._recorded_to) * SAMPLE_RATE_HZ / self.out_hz)
            self.keeper.examiner_sound(reply, self._recorded_to, played, self.out_hz, max(0, at))
            self._recorded_to = played

    def _release_cues(self, reply: Reply, *, everything: bool = False) -> None:
        """Shows a question's card when its sound begins, not when it is planned."""
        if not self._cues:
            return
        played = self.playout.played() if self.playout.reply is reply else reply.n_made
        begun = set(reply.kinds_begun(played)) | ({reply.phrases[0].kind} if reply.phrases else set())
        if everything or begun & {"scenario", "question"}:
            for _, event in self._cues:
                self.emit(event)
            self._cues = []

    def _user_said(self, text: str, n_samples: int) -> None:
        item = {
            "id": self._user_item,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_audio", "transcript": text}],
        }
        self._event("conversation.item.added", item=item, previous_item_id=None)
        self._event(
            "conversation.item.input_audio_transcription.completed",
            item_id=self._user_item,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": round(n_samples / SAMPLE_RATE_HZ, 3)},
        )

    async def _partials(self) -> None:
        """Words while they are being said; only those two partials in a row agree on are sent."""
        last: list[str] = []
        sent = 0
        while self._turn_start is not None:
            await asyncio.sleep(PARTIAL_EVERY_S)
            if self._turn_start is None or self.draft is not None or self._barge is not None:
                continue
            try:
                found = await self._recognise(
                    self._so_far.boundary or self._turn_start, self.ear.n_samples, final=False
                )
            except (EngineError, TimeoutError):
                continue
            words = self._so_far.join(found.text).split()
            agreed = 0
            while agreed < min(len(words), len(last)) and words[agreed] == last[agreed]:
                agreed += 1
            if agreed > sent:
                delta = " ".join(words[sent:agreed]) + " "
                self._event(
                    "conversation.item.input_audio_transcription.delta",
                    item_id=self._user_item,
                    content_index=0,
                    delta=delta,
                )
                sent = agreed
            last = words

    def _stop_partials(self) -> None:
        if self._partial_task is not None:
            self._partial_task.cancel()
            self._partial_task = None

    # ---- time ----

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._tick()
            except Exception:
                log.exception("a tick failed")

    async def _tick(self) -> None:
        if not self.outbox.attached or self.closed:
            return
        reply = self.playout.reply
        if reply is not None:
            self._record_examiner()
            self._release_cues(reply)
            return
        now = self.exam_clock.now()
        talking = self._turn_start is not None
        deadline = self.state.card().deadline_s
        if talking:
            self._silent_since = max(self._silent_since, self.clock())
            if deadline is not None and now > deadline + OVERTIME_S:
                await self.commit_turn()
            return
        if self.clock() - self._last_tick < 1.0:
            return
        self._last_tick = self.clock()
        await self.happen(exam.Tick(now))
        silent = self.clock() - self._silent_since
        if not self.playout.busy and silent >= 1.0:
            await self.happen(exam.Silence(silent, now))

    def _watch_for_mute(self, samples: Samples) -> None:
        if len(samples) and not samples.any():
            self._zero_samples += len(samples)
            if self._zero_samples > NO_SOUND_S * SAMPLE_RATE_HZ and not self._sound_notice:
                self._sound_notice = True
                self._notice("no_sound", "No sound arrives from the microphone. Is it muted? You can also type.")
        elif len(samples):
            self._zero_samples = 0
            self._sound_notice = False

    # ---- telling the client ----

    def _event(self, kind: str, **fields: Any) -> None:
        self.emit({"type": kind, "event_id": protocol.new_id("evt"), **fields})

    def _notice(self, code: Any, message: str) -> None:
        self.emit(protocol.VivaNotice(code=code, message=message).model_dump())

    def _floor(self) -> Any:
        if self.closed or (self.finished is not None and not self.playout.busy):
            return "closed"
        if self.state.phase == "paused":
            return "paused"
        if self.playout.busy:
            return "examiner"
        return "thinking" if self._thinking else "candidate"

    def _show_state(self) -> None:
        card = self.state.card()
        self.emit(
            protocol.VivaState(
                session_id=self.session_id,
                resume_token=self.resume_token,
                phase=self.state.phase,
                floor=self._floor(),
                mode=self.state.setup.mode,
                discipline=self.state.setup.discipline,
                area=card.area,
                candidate=card.candidate,
                number=card.number,
                total=card.total,
                elapsed_s=round(self.exam_clock.now(), 2),
                deadline_s=card.deadline_s,
                recording=self.keeper.recording,
            ).model_dump()
        )

    def _replay_for_client(self) -> None:
        """What a client that has come back must know before the examiner speaks."""
        self._show_state()
        if self.state.number and self.state.phase != "closing":
            self._apply(asking.show(self.bank, self.state))
        for _, event in self._cues:
            self.emit(event)
        self._cues = []
        if self.state.setup.mode == "practice":
            self._show_marks()

    async def _report(self) -> None:
        counts = self.speaker.fallbacks
        wording = {"asked": counts.asked, **{f"refused_{reason}": n for reason, n in counts.refused.items()}}
        report = await self.keeper.finish(bool(self.finished), self.state, wording)
        self._show_state()
        self.emit(report.model_dump())

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_done)

    def _spawned_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the viva failed", exc_info=task.exception())


def draw_seed() -> int:
    """A seed for an exam whose client gave none."""
    return random.SystemRandom().randrange(2**31)
