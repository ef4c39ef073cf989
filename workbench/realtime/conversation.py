"""One viva as it happens: what is heard becomes a turn, a turn becomes an event of the exam.

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
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from workbench import metrics
from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, EngineError, Samples
from workbench.exam import flow
from workbench.exam import model as exam
from workbench.exam.items import Bank
from workbench.exam.state import ExamState
from workbench.realtime import telling
from workbench.realtime.bargein import BargeIn
from workbench.realtime.clock import ExamClock
from workbench.realtime.drafts import Draft, SpokenSoFar, TurnTimes
from workbench.realtime.examiner import Examiner
from workbench.realtime.keeper import Keeper
from workbench.realtime.listening import Listener
from workbench.realtime.outbox import Outbox
from workbench.realtime.protocol import VivaOptions
from workbench.realtime.services import Services
from workbench.realtime.speaker import Speaker
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
from workbench.store.errors import StoreError

log = logging.getLogger(__name__)

TICK_S = 0.1
NO_MICROPHONE_S = 0.3
"""Silence is counted from then on where no sound has come yet, and sound may never come."""

LINE_SILENT_S = 3.0
"""Silence is counted where sound stays away for this long; what a line holds up for less comes late, and all of it."""

OVERTIME_S = 12.0
"""How long past the deadline a candidate may go on before the turn is ended for them."""

BARGE_LISTEN_EVERY_S = 0.3
ECHO_AHEAD_S = 0.3
"""The echo of words this far ahead of the last report may be heard already."""

PREPARE_AHEAD_S = 1.2
"""How long before the turn would end the sound of the reply is begun."""

WORD_TIMES_AFTER_S = 1.0
"""When the times of a turn's words are looked for: the first sound of the reply has the cores before."""

SLOW_S = 3.0
"""A reply that takes longer than this is announced as slow."""

LOST_WORDS = "I'm sorry, I lost what you just said. Could you say it once more, please?"


class Conversation:
    """One candidate's viva, from the first `session.update` to the report.

    Args:
        services: Engines, banks, store, settings, judge; shared by all conversations.
        options: What the client asked for.
        session_id: Id of the session in the store.
        resume_token: Opens the session again after a lost connection.
        keeper: Writes what must survive.
        bank: The questions.
        seed: Seed of the exam's choices.
        in_hz: Rate of the candidate's sound.
        out_hz: Rate of the examiner's sound.
        instructions: System prompt of a free conversation, None for the workbench's own.
        state: State of the exam to go on with, None for a new one.
        elapsed_s: Exam time already used, when going on.
        on_closed: Called once, when it has ended.
    """

    def __init__(
        self,
        services: Services,
        options: VivaOptions,
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
        self.on_closed = on_closed
        self.clock = services.clock
        self.outbox = Outbox()
        self.exam_clock = ExamClock(services.clock, elapsed_s)
        self.returning = state is not None
        self.closed = False
        self.draft: Draft | None = None

        turns = TurnTaker(
            services.engines.voice.new_stream(),
            patience=Patience.preset(options.patience or services.settings.patience),
            accommodation=options.extra_time,
        )
        self.listener = Listener(
            services.engines,
            turns,
            in_hz=in_hz,
            key_terms=lambda: self.examiner.state.key_terms,
            timeout_s=services.settings.engine_timeout_s,
        )
        speaker = Speaker(
            services.engines,
            services.phrases,
            out_hz=out_hz,
            rate=options.speaking_rate,
            clock=services.clock,
            instructions=instructions,
        )
        self.examiner = Examiner(
            services,
            bank,
            state or flow.new_exam(bank, services.setup(options, seed, results_held=keeper.results_held)),
            keeper=keeper,
            outbox=self.outbox,
            ear=self.listener.ear,
            exam_clock=self.exam_clock,
            speaker=speaker,
            reports=options.playback,
            on_state=self.show_state,
            on_grant=turns.grant,
            spawn=self._spawn,
        )
        self._thinking = False
        self._typed: list[str] = []
        self._barge: BargeIn | None = None
        self._barge_from = 0
        self._barge_task: asyncio.Task[None] | None = None
        self._partials: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._last_tick = 0.0
        self._postponed: Draft | None = None
        self._sound_at = services.clock()
        self._has_sound = False

    # ---- coming and going ----

    async def begin(self) -> None:
        """The candidate is there: the examiner speaks first."""
        self._sound_at = self.clock()
        self._ticker = asyncio.create_task(self._tick_forever(), name="viva-ticker")
        if self.returning:
            self.examiner.note("returned")
            await self.examiner.replay()
            await self.happen(exam.Returned(self.exam_clock.now()))
            if self.examiner.completed is not None and not self.examiner.playout.busy:
                await self.examiner.report()
        else:
            await self.happen(exam.Begin(self.exam_clock.now()))

    async def come_back(self, *, playback: bool, out_hz: int, in_hz: int) -> None:
        """The connection was lost and is here again."""
        self.listener.set_rate(in_hz)
        self._sound_at, self._has_sound = self.clock(), False
        self.examiner.speaker.out_hz = self.examiner.playout.rate_hz = out_hz
        self.examiner.playout.reports = playback
        self.examiner.silent_since = self.clock()
        self.examiner.note("returned")
        await self.examiner.replay()
        self.exam_clock.run()
        if self.examiner.completed is None:
            await self.happen(exam.Returned(self.exam_clock.now()))
        else:
            await self.examiner.report()

    async def lose_client(self) -> None:
        """The connection is lost: the clock stops, nothing is lost."""
        self.outbox.detach()
        self.exam_clock.stop()
        self.examiner.note("left")
        self._forget_turn()
        await self.examiner.lose_listener()
        await self._write_end()

    async def close(self) -> None:
        """Ends every task of this viva and closes its recording."""
        if self.closed:
            return
        self.closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        self._forget_turn()
        self.examiner.close()
        try:
            await self._write_end()
        except StoreError as error:
            log.error("the end of a viva is not kept: %s", error)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self.keeper.close()
        self.on_closed()

    async def _write_end(self) -> None:
        """A viva that is over is closed in the store, though its last words were not heard to their end."""
        if self.examiner.completed is not None and not self.examiner.reported:
            await self.examiner.report()

    # ---- what the client does ----

    def hear(self, pcm: bytes) -> None:
        """More of the candidate's sound, PCM16 at the session's input rate."""
        self._sound_at, self._has_sound = self.clock(), True
        for frame in self.listener.frames(pcm):
            self._take_frame(frame)
        if self.listener.newly_mute():
            self.notice("no_sound", "No sound arrives from the microphone. Is it muted? You can also type.")

    async def commit_turn(self) -> None:
        """The client says the turn is over."""
        for signal in self.listener.turns.force_end():
            self._signal(signal)

    def forget_turn(self) -> None:
        """The client takes back what was said in this turn; an examiner who fell silent at it goes on."""
        self._settle_barge("resume")
        self._forget_turn()

    def type_text(self, text: str) -> None:
        """Part of a typed answer; `respond` sends it."""
        self._typed.append(text)

    async def respond(self) -> None:
        """The typed answer is complete."""
        text = " ".join(self._typed).strip()
        self._typed.clear()
        if not text:
            return
        self._forget_turn()
        now = self.clock()
        self._thinking = True
        try:
            await self.examiner.stop_speaking()
            at_s = self.keeper.seconds(self.listener.ear.n_samples)
            number = self.examiner.state.number or None
            await self.keeper.turn("candidate", text, text, False, at_s, at_s, typed=True, number=number)
            times = TurnTimes(voice_end=now, endpoint=now, recognised=now)
            if not self.closed:
                await self.examiner.take_typed(text, times, self._drop_draft)
                self.listener.turns.expects = self.examiner.state.expects
        finally:
            self._thinking = False
            self.show_state()

    async def cancel_response(self) -> None:
        """The client stops the examiner, and goes on with the question on the card."""
        await self.examiner.skip_speech()

    async def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """A stock client tells how much of an item it played before it stopped."""
        playout = self.examiner.playout
        if playout.reply is not None and playout.reply.item_id == item_id:
            await self.examiner.stop_speaking(int(audio_end_ms * playout.rate_hz / 1000))
        self.outbox.put(telling.truncated(item_id, audio_end_ms))

    async def happen(self, event: exam.Event, **more: Any) -> None:
        """Something other than a spoken turn happened to the exam."""
        if not self.closed:
            await self.examiner.happen(event, on_speech=self._drop_draft, **more)
            self.listener.turns.expects = self.examiner.state.expects

    # ---- turn signals ----

    def _take_frame(self, frame: Samples) -> None:
        self.keeper.candidate_sound(frame)
        for signal in self.listener.take(frame, self.examiner.playout.speaking):
            self._signal(signal)

    def _signal(self, signal: TurnSignal) -> None:
        match signal:
            case Onset(sample=sample):
                self._onset(sample)
            case Pause(pause_id=pause_id, start_sample=start, end_sample=end):
                self._begin_draft(pause_id, start, end)
            case Resume():
                if self.draft is not None and self.draft.transcript is not None:
                    self.listener.so_far.fix(self.draft.end, self.draft.transcript)
                self._drop_draft()
            case EndOfTurn():
                self._end_of_turn(signal)
            case Withdrawn():
                self._drop_draft()
                self._stop_partials()
                self.listener.end_turn()
                self._settle_barge("resume")
                self._take_postponed()

    def _onset(self, sample: int) -> None:
        self.listener.begin_turn(sample)
        playout = self.examiner.playout
        if playout.reply is not None:
            playout.pause()
            said = playout.reply.heard_text(playout.played() + int(ECHO_AHEAD_S * playout.rate_hz))
            self._barge = BargeIn(examiner_words=said)
            self._barge_from = sample
            self._barge_task = asyncio.create_task(self._listen_through_bargein(sample), name="barge-in")
        else:
            self.outbox.put(telling.speech_started(self.listener.item_id, sample))
            self.show_state()
        self._partials = asyncio.create_task(
            self.listener.partials(
                lambda words: self.outbox.put(telling.words_so_far(self.listener.item_id, words)),
                busy=lambda: self.draft is not None or self._barge is not None,
            ),
            name="partials",
        )

    def _begin_draft(self, pause_id: int, start: int, end: int) -> Draft:
        self._drop_draft()
        age_s = (self.listener.ear.n_samples - end) / SAMPLE_RATE_HZ
        draft = Draft(pause_id, start, end, TurnTimes(voice_end=self.clock() - age_s))
        self.draft = draft
        draft.task = asyncio.create_task(self._prepare(draft), name="draft")
        return draft

    def _end_of_turn(self, signal: EndOfTurn) -> None:
        self._stop_partials()
        self._postponed = None
        draft = self.draft
        if draft is None or draft.pause_id != signal.pause_id:
            draft = self._begin_draft(signal.pause_id, signal.start_sample, signal.end_sample)
        draft.over.set()
        draft.times.endpoint = self.clock()
        draft.times.needed_s = signal.needed_s
        self.draft = None
        self.listener.end_turn()
        self._thinking = True
        self.show_state()
        self._spawn(self._take_turn(draft), "take-turn")

    # ---- the draft: what would be said, were the turn over ----

    async def _prepare(self, draft: Draft) -> None:
        """Recognises a pause's turn and plans the reply to it; the turn rule hears what is learnt on the way."""
        sounding = asyncio.create_task(self.listener.sounds_finished(draft.start, draft.end), name="smart-turn")
        try:
            draft.transcript = await self.listener.recognise_turn(draft.start, draft.end)
            draft.times.recognised = self.clock()
            draft.text = self.listener.so_far.join(draft.transcript.text)
            draft.confidence = self.listener.so_far.sure(draft.transcript)
            if self._barge is not None:
                self._settle_barge(self._barge.hear(draft.text, self.listener.voiced_s(draft.end), final=True))
                if draft.cancelled:
                    return
            early = sounding.result() if sounding.done() else None
            self._evidence(draft, early)
            draft.planning = asyncio.create_task(self._plan(draft), name="plan")
            if early is None:
                self._evidence(draft, await sounding)
            await draft.planning
        except (EngineError, TimeoutError) as error:
            draft.failed = error
        finally:
            sounding.cancel()
            draft.planned.set()

    def _evidence(self, draft: Draft, sounds_finished: float | None) -> None:
        turns = self.listener.turns
        for signal in turns.evidence(draft.pause_id, text=draft.text, end_of_turn=sounds_finished):
            self._signal(signal)

    async def _plan(self, draft: Draft) -> None:
        """What the exam would do, and the beginning of its sound."""
        base, text, instead = self.examiner.frame(draft.text)
        draft.revision = self.examiner.revision
        heard = exam.Heard(text, self.exam_clock.now(), confidence=draft.confidence)
        draft.outcome = await self.examiner.consider(heard, base=base, instead=instead)
        draft.times.judged = self.clock()
        if await self.examiner.lacks_nothing(draft.outcome):
            for signal in self.listener.turns.evidence(draft.pause_id, enough=True):
                self._signal(signal)
        with suppress(TimeoutError):  # sound made long before it is heard is mostly made in vain
            left_s = self.listener.turns.silence_left_s() - PREPARE_AHEAD_S
            await asyncio.wait_for(draft.over.wait(), max(0.0, left_s))
        if draft.outcome.lines:
            draft.prepared = self.examiner.prepare(draft.outcome.lines)

    def _drop_draft(self) -> None:
        draft, self.draft = self.draft, None
        if draft is not None:
            draft.cancel()

    # ---- the turn is over ----

    async def _take_turn(self, draft: Draft) -> None:
        try:
            await self._wait_for_plan(draft)
            if draft.cancelled or self.closed:
                return
            if draft.failed is not None:
                await self._lost_words(draft)
                return
            async with self.examiner.deciding:
                await self._reply_to(draft)
        finally:
            self._thinking = False
            self.show_state()

    async def _wait_for_plan(self, draft: Draft) -> None:
        try:
            await asyncio.wait_for(draft.planned.wait(), SLOW_S)
        except TimeoutError:
            self.notice("engine_slow", "One moment, the examiner is still thinking.")
            await draft.planned.wait()
        if self._barge is not None:
            self._settle_barge("confirm" if draft.text else "resume")

    async def _reply_to(self, draft: Draft) -> None:
        """Keeps the answer, then lets the reply be heard."""
        if self.listener.turn_start is not None:
            # the candidate went on before a word was spoken: one turn, not two
            draft.discard_reply()
            self.listener.so_far = SpokenSoFar(self.listener.turn_start, draft.text, draft.confidence)
            self._postponed = draft
            return
        await self.examiner.stop_speaking()
        if draft.revision != self.examiner.revision:  # the exam moved on meanwhile (a click, the clock)
            draft.discard_reply()
            await self._plan(draft)
        if draft.outcome is None:
            return
        for event in telling.turn_taken(self.listener.item_id, draft.text, draft.start, draft.end):
            self.outbox.put(event)
        clip, begin = self.listener.clip(draft.start, draft.end)
        terms, number = self.examiner.state.key_terms, self.examiner.state.number or None
        self._spawn(self._keep_turn(draft, clip, self.keeper.seconds(begin), terms, number), "keep-turn")
        await self.examiner.commit(draft.outcome, prepared=draft.prepared, times=draft.times)
        self.listener.turns.expects = self.examiner.state.expects

    async def _keep_turn(
        self, draft: Draft, clip: Samples, begin_s: float, key_terms: tuple[str, ...], number: int | None
    ) -> None:
        """Keeps the turn at once, and the times of its words after one more pass nobody waits for."""
        turn_id = await self.keeper.turn(
            "candidate",
            draft.text,
            draft.text,
            False,
            self.keeper.seconds(draft.start),
            self.keeper.seconds(draft.end),
            number=number,
            confidence=draft.confidence if draft.transcript else None,
        )
        await asyncio.sleep(WORD_TIMES_AFTER_S)
        try:
            found = await self.services.engines.transcriber.transcribe(
                clip, key_terms=key_terms, with_words=True, priority="soon"
            )
        except EngineError as error:
            log.warning("no word times for a turn: %s", error)
            return
        words = [replace(word, start_s=word.start_s + begin_s, end_s=word.end_s + begin_s) for word in found.words]
        await self.keeper.words(turn_id, words)

    async def _lost_words(self, draft: Draft) -> None:
        metrics.engine_error("turn")
        self.examiner.note("engine_failed", stage="asr")
        log.error("a turn could not be recognised: %s", draft.failed)
        self.notice("engine_failed", "What you said could not be recognised. Please say it once more, or type it.")
        async with self.examiner.deciding:
            await self.examiner.say((exam.Line(LOST_WORDS, "apology"),))

    def _take_postponed(self) -> None:
        """What made a turn that was over go on was no speech: it is over after all."""
        draft, self._postponed = self._postponed, None
        if draft is not None:
            draft.revision = -1  # its reply was thrown away
            self._thinking = True
            self._spawn(self._take_turn(draft), "take-turn")

    def _forget_turn(self) -> None:
        self._postponed = None
        self._drop_draft()
        self._stop_partials()
        self._barge = None
        if self._barge_task is not None:
            self._barge_task.cancel()
        self.listener.forget_turn()

    def _stop_partials(self) -> None:
        if self._partials is not None:
            self._partials.cancel()
            self._partials = None

    # ---- barge-in ----

    async def _listen_through_bargein(self, sample: int) -> None:
        """Looks for words in the sound that made the examiner pause, until it is settled."""
        try:
            await asyncio.sleep(BARGE_LISTEN_EVERY_S)
            while self._barge is not None:
                text = ""
                try:
                    text = (await self.listener.recognise(sample, self.listener.ear.n_samples)).text
                except (EngineError, TimeoutError) as error:
                    log.warning("recognition failed inside a barge-in: %s", error)
                if self._barge is not None:
                    self._settle_barge(self._barge.hear(text, self.listener.voiced_s(), final=False))
                    await asyncio.sleep(BARGE_LISTEN_EVERY_S)
        finally:
            self._barge_task = None

    def _settle_barge(self, decision: str) -> None:
        if self._barge is None or decision == "wait":
            return
        self._barge = None
        if self._barge_task is not None and self._barge_task is not asyncio.current_task():
            self._barge_task.cancel()
        metrics.barge_in(decision)
        settled_ms = round((self.listener.ear.n_samples - self._barge_from) * 1000 / SAMPLE_RATE_HZ)
        self.examiner.note("barge_in", self._barge_from, decision=decision, settled_ms=settled_ms)
        if decision == "resume":
            self._drop_draft()
            self._stop_partials()
            self.listener.forget_turn()
            self.examiner.playout.resume()
        else:
            start = self.listener.turn_start
            self.outbox.put(
                telling.speech_started(self.listener.item_id, self.listener.ear.n_samples if start is None else start)
            )
            self._spawn(self.examiner.stop_speaking(), "stop-speaking")

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
        self._hear_nothing()
        self.listener.forget_old_sound()
        if self.examiner.playout.busy:
            self.examiner.tick()
            return
        now = self.exam_clock.now()
        if self.listener.turn_start is not None:
            self.examiner.silent_since = max(self.examiner.silent_since, self.clock())
            deadline = self.examiner.state.card().deadline_s
            if deadline is not None and now > deadline + OVERTIME_S:
                await self.commit_turn()
            return
        if self.clock() - self._last_tick < 1.0 or self._thinking:
            return
        self._last_tick = self.clock()
        await self.happen(exam.Tick(now))
        silent_s = self.clock() - self.examiner.silent_since
        if not self.examiner.playout.busy and silent_s >= 1.0:
            await self.happen(exam.Silence(silent_s, now))

    def _hear_nothing(self) -> None:
        """Counts silence where no sound comes, as of a candidate who types: it is the clock of turns and recording."""
        if self.floor == "closed":
            return  # the recording is whole, and played by then
        waited_s = self.clock() - self._sound_at
        if waited_s < (LINE_SILENT_S if self._has_sound else NO_MICROPHONE_S) or self.listener.turn_start is not None:
            return
        n_frames = int(waited_s * SAMPLE_RATE_HZ / VAD_FRAME_SAMPLES)
        self._sound_at += n_frames * VAD_FRAME_SAMPLES / SAMPLE_RATE_HZ
        for _ in range(n_frames):
            self._take_frame(np.zeros(VAD_FRAME_SAMPLES, np.float32))

    # ---- telling the client ----

    def notice(self, code: Any, message: str) -> None:
        """Tells the candidate something they should know."""
        self.outbox.put(telling.notice(code, message))

    def show_state(self) -> None:
        """Tells where the exam stands and who has the floor."""
        self.outbox.put(
            telling.state(
                self.examiner.state,
                session_id=self.session_id,
                resume_token=self.resume_token,
                floor=self.floor,
                elapsed_s=self.exam_clock.now(),
                recording=self.keeper.recording,
            )
        )

    @property
    def floor(self) -> telling.Floor:
        """Whose turn it is."""
        if self.examiner.playout.busy:
            return "examiner"
        if self.closed or self.examiner.completed is not None:
            return "closed"
        if self.examiner.state.phase == "paused":
            return "paused"
        return "thinking" if self._thinking else "candidate"

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
