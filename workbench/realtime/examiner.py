"""The examiner's side of a viva: events of the exam in, effects carried out, replies spoken, heard or cut short.

Whatever happens to the exam passes through here one at a time. An answer is on disk before anything is said to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Literal

from workbench import metrics
from workbench.audio import Ear
from workbench.engines.base import SAMPLE_RATE_HZ
from workbench.exam import asking, flow
from workbench.exam import model as exam
from workbench.exam.items import Bank
from workbench.exam.requests import understand
from workbench.exam.state import ExamState
from workbench.realtime import telling
from workbench.realtime.clock import ExamClock
from workbench.realtime.drafts import Outcome, Prepared, TurnTimes
from workbench.realtime.keeper import EventKind, Keeper
from workbench.realtime.outbox import Outbox
from workbench.realtime.playout import CancelReason, Heard, Playout, Reply
from workbench.realtime.services import Services
from workbench.realtime.speaker import Marks, Speaker

log = logging.getLogger(__name__)

LEAVES_THE_QUESTION = ("skip", "dont_know")
"""Commands that end a question, which must have been seen for that."""

CONTINUE_WITHIN_S = 1.6
"""A candidate who speaks up this soon into an acknowledgement was not finished: the answer goes on."""


class Examiner:
    """Exam, voice and memory of one conversation.

    Args:
        services: Shared engines, store and judge.
        bank: The questions.
        state: Where the exam stands.
        keeper: Writes what must survive.
        outbox: Where events go.
        ear: The candidate's sound, whose sample count is the clock of the recording.
        exam_clock: The exam's time.
        speaker: Makes the sound of replies.
        reports: Whether the client reports what it has played.
        on_state: Called when something a client sees has changed.
        on_grant: Called with the seconds of silence the candidate asked for.
        on_finished: Called when the last word of the exam has been heard.
        spawn: Starts work that may outlive the call.
    """

    def __init__(
        self,
        services: Services,
        bank: Bank,
        state: ExamState,
        *,
        keeper: Keeper,
        outbox: Outbox,
        ear: Ear,
        exam_clock: ExamClock,
        speaker: Speaker,
        reports: bool,
        on_state: Callable[[], None],
        on_grant: Callable[[float], None],
        spawn: Callable[[Coroutine[Any, Any, Any], str], None],
    ) -> None:
        self.services = services
        self.bank = bank
        self.state = state
        self.keeper = keeper
        self.outbox = outbox
        self.ear = ear
        self.exam_clock = exam_clock
        self.speaker = speaker
        self.on_state = on_state
        self.on_grant = on_grant
        self.spawn = spawn
        self.playout = Playout(
            outbox.put,
            rate_hz=speaker.out_hz,
            reports=reports,
            clock=services.clock,
            on_end=self._reply_ended,
            on_first=self._first_sound,
        )
        self.deciding = asyncio.Lock()
        self.revision = 0
        self.completed: bool | None = None
        self.reported = False
        self.silent_since = services.clock()
        self.n_turns = 0
        self.latency_ms: float | None = None
        self._saying: Prepared | None = None
        self._times: TurnTimes | None = None
        self._before_answer: tuple[ExamState, str] | None = None
        self._unheard: tuple[exam.Line, ...] = ()
        self._cards: list[telling.Event] = []
        self._recorded_to = 0

    # ---- deciding ----

    def frame(self, text: str, *, typed: bool = False) -> tuple[ExamState, str, tuple[exam.Line, ...]]:
        """What a turn answers, also when the examiner was interrupted before its question was heard.

        Args:
            text: The words of the turn.
            typed: Whether they were typed, by someone who reads the question's card.

        Returns:
            The state it happens to, its words, and lines to say instead of asking the exam. Someone who goes on right
            after an acknowledgement goes on with the last answer; other words over unheard lines get them again: an
            answer to a question that was never heard is none, unless its card was read.
        """
        if not self._unheard or (typed and not self._cards):
            return self.state, text, ()
        if not text:
            return self.state, text, self._unheard
        if understand(text, self.state.phase) is not None:
            return self.state, text, ()
        if self._before_answer is not None:
            before, answer = self._before_answer
            return before, f"{answer} {text}".strip(), ()
        return self.state, text, (exam.Line("All right.", "acknowledge"), *self._unheard)

    async def consider(
        self, event: exam.Event, *, base: ExamState | None = None, instead: tuple[exam.Line, ...] = ()
    ) -> Outcome:
        """What an event would come to; nothing is changed yet.

        A reply that depends on the mark waits for the judge here; one that does not leaves the mark for later.
        """
        base = base or self.state
        if instead:
            return Outcome(base, (), instead, before=base)
        step = flow.step(self.bank, base, event)
        effects = list(step.effects)
        waiting = [effect for effect in effects if isinstance(effect, exam.Judge)]
        says = any(isinstance(effect, exam.Say) for effect in effects)
        while waiting and not says:
            evaluation = await self._judge(waiting.pop(0))
            step = flow.step(self.bank, step.state, exam.Judged(evaluation, self.exam_clock.now()))
            effects += step.effects
            waiting += [effect for effect in step.effects if isinstance(effect, exam.Judge)]
            says = any(isinstance(effect, exam.Say) for effect in step.effects)
        lines = tuple(line for effect in effects if isinstance(effect, exam.Say) for line in effect.lines)
        answers = any(isinstance(effect, exam.SaveAnswer) for effect in effects)
        answer = event.text if answers and isinstance(event, exam.Heard) else None
        return Outcome(step.state, tuple(effects), lines, tuple(waiting), base, answer)

    async def lacks_nothing(self, outcome: Outcome) -> bool:
        """Whether the answer of this outcome covers every key point, so that nothing is lost by ending it here."""
        if outcome.answer is None:
            return False
        marks = [effect.evaluation for effect in outcome.effects if isinstance(effect, exam.SaveMark)]
        marks += [await self.services.judge(self.bank, ask) for ask in outcome.judging]
        return any(mark.evidence and all(point.status == "covered" for point in mark.evidence) for mark in marks)

    async def happen(
        self,
        event: exam.Event,
        *,
        base: ExamState | None = None,
        instead: tuple[exam.Line, ...] = (),
        times: TurnTimes | None = None,
        on_speech: Callable[[], None] = lambda: None,
    ) -> None:
        """Something other than a spoken turn happened; stops the examiner when there is something to say to it."""
        async with self.deciding:
            if isinstance(event, exam.Command) and event.name in LEAVES_THE_QUESTION and self._cards:
                on_speech()
                await self._go_to_the_question()
                return
            await self._happen(event, base, instead, times, on_speech)

    async def take_typed(self, text: str, times: TurnTimes, on_speech: Callable[[], None]) -> None:
        """A typed answer is complete; it answers what the exam asks when its turn to be decided on has come."""
        async with self.deciding:
            base, text, instead = self.frame(text, typed=True)
            await self._happen(exam.Heard(text, self.exam_clock.now(), typed=True), base, instead, times, on_speech)

    async def _happen(
        self,
        event: exam.Event,
        base: ExamState | None,
        instead: tuple[exam.Line, ...],
        times: TurnTimes | None,
        on_speech: Callable[[], None],
    ) -> None:
        if self.completed is not None:
            return
        outcome = await self.consider(event, base=base, instead=instead)
        if not outcome.effects and not outcome.lines:
            self.state = outcome.state
            return
        if outcome.lines:
            await self.stop_speaking()
            on_speech()
        if times is not None:
            times.judged = self.services.clock()
        await self.commit(outcome, times=times)

    async def _go_to_the_question(self) -> None:
        """Leaves out what comes before a question that is still to be shown: nobody can leave that one unseen."""
        cards, self._cards = self._cards, []  # shown with the question's sound, not with the end of this one
        await self.stop_speaking(reason="client_cancelled")
        lines, self._unheard = self._unheard, ()
        self._cards = cards
        if lines:
            await self.say(lines)
        else:
            self._show_cards()

    async def commit(
        self, outcome: Outcome, *, prepared: Prepared | None = None, times: TurnTimes | None = None
    ) -> None:
        """Makes an outcome real: on disk first, then seen, then said. The caller holds `deciding`."""
        answered = outcome.answer is not None and outcome.before is not None
        self._before_answer = (outcome.before, outcome.answer) if answered else None  # type: ignore[assignment]
        self.state = outcome.state
        self.revision += 1
        self._unheard = ()
        await self.keeper.commit(outcome, self.state, self.exam_clock.now())
        self._cards = []
        for effect in outcome.effects:
            self._apply(effect)
        self.on_state()
        for ask in outcome.judging:
            self.spawn(self._judge_later(ask), "judge")
        if outcome.lines:
            await self.say(outcome.lines, prepared=prepared, times=times)

    async def _judge(self, ask: exam.Judge) -> exam.Evaluation:
        """The mark of an answer: an educator's where there is one, which counts whatever the judge says."""
        given = (mark for mark in self.keeper.corrected.values() if mark.question_id == ask.question_id)
        return next(given, None) or await self.services.judge(self.bank, ask)

    async def _judge_later(self, ask: exam.Judge) -> None:
        evaluation = await self._judge(ask)
        await self.happen(exam.Judged(evaluation, self.exam_clock.now()))

    def _apply(self, effect: exam.Effect) -> None:
        match effect:
            case exam.ShowQuestion():
                self._cards.append(telling.question(effect))
                self.note("question", number=effect.number)
            case exam.SaveMark(number=number, evaluation=evaluation, public=True):
                self.outbox.put(telling.verdict(self.bank, self.state, number, evaluation))
            case exam.GrantTime(seconds=seconds):
                self.silent_since = self.services.clock() + seconds
                self.on_grant(seconds)
                self.note("time_granted", seconds=seconds)
            case exam.SetConsent(given=True) if self.keeper.options.record:
                self.keeper.start_recording()
            case exam.OfferAreas():
                self.outbox.put(telling.areas(effect))
            case exam.SetPaused(paused=paused):
                (self.exam_clock.stop if paused else self.exam_clock.run)()
                self.note("paused" if paused else "resumed")
            case exam.Finish(completed=completed):
                self.completed = completed
            case exam.Say(lines=lines) if any(line.kind == "consent" for line in lines):
                self.outbox.put(telling.consent_asked())
            case _:
                pass

    # ---- speaking ----

    def prepare(self, lines: tuple[exam.Line, ...]) -> Prepared:
        """Starts to make the sound of a reply; it is heard when `say` is given it."""
        reply, marks = Reply(), Marks()

        def heard() -> int:
            return self.playout.played() if self.playout.reply is reply else 0

        work = self.speaker.produce(lines, reply, marks, heard=heard)
        return Prepared(lines, reply, asyncio.create_task(work, name="produce"), marks)

    async def say(
        self,
        lines: tuple[exam.Line, ...],
        *,
        prepared: Prepared | None = None,
        times: TurnTimes | None = None,
    ) -> None:
        """Speaks a reply, after stopping the one under way."""
        await self.stop_speaking()
        saying = prepared or self.prepare(lines)
        saying.producer.add_done_callback(lambda task: self._made(saying, task))
        self._saying = saying
        self._times = times
        self._recorded_to = 0
        self.playout.play(saying.reply)
        self.on_state()

    async def stop_speaking(self, heard_samples: int | None = None, *, reason: CancelReason = "turn_detected") -> None:
        """Cuts the reply under way, here, on the wire and at the client; what was heard of it is kept."""
        if self._saying is not None:
            self._saying.producer.cancel()
        self.record()
        await self.playout.clear(heard_samples, reason=reason)
        self.outbox.drop_before(self.playout.generation)

    async def skip_speech(self) -> None:
        """The client wants no more sound of this reply: the question it led to is shown, and counts as asked."""
        if self.playout.reply is None:
            return
        await self.stop_speaking(reason="client_cancelled")
        self._unheard = ()
        self._before_answer = None
        self._show_cards()

    async def lose_listener(self) -> None:
        """The connection is gone, and nobody hears the rest."""
        if self._saying is not None:
            self._saying.producer.cancel()
        heard = self.playout.abandon()
        if heard is not None:
            await self._keep(heard)

    def close(self) -> None:
        """Stops making and playing sound."""
        if self._saying is not None:
            self._saying.producer.cancel()
        self.playout.abandon()

    def tick(self) -> None:
        """Moves what follows the playback clock: the recording, and cards due when their words are heard."""
        self.record()
        if self.playout.reply is not None:
            self._show_due_cards(self.playout.reply)

    def record(self) -> None:
        """Puts what was heard since the last call on the recording, at the moment it was heard."""
        reply = self.playout.reply
        if reply is None or self._saying is None or self._saying.reply is not reply:
            return
        played = self.playout.played()
        if played > self._recorded_to:
            rate_hz = self.playout.rate_hz
            at = self.ear.n_samples - int((played - self._recorded_to) * SAMPLE_RATE_HZ / rate_hz)
            self.keeper.examiner_sound(reply, self._recorded_to, played, rate_hz, max(0, at))
            self._recorded_to = played

    async def replay(self) -> None:
        """Tells a client that has come back what it must know before the examiner speaks.

        Marks are told, and counted at the end, as they count now: an educator may have changed them meanwhile.
        """
        async with self.deciding:
            self.state = self.state.with_marks(await self.keeper.marks_that_count())
            self.revision += 1
        self.on_state()
        if self.state.number and self.state.phase not in ("closing", "done"):
            self.outbox.put(telling.question(asking.show(self.bank, self.state)))
        shown_at_end = self.completed is not None and not self.state.setup.results_held
        if self.state.setup.mode == "practice" or shown_at_end:
            for record in self.state.records:
                if record.evaluation is not None and record.final:
                    self.outbox.put(telling.verdict(self.bank, self.state, record.number, record.evaluation))

    async def report(self) -> None:
        """Closes the session in the store and tells where its report is; again, it tells a client that is back."""
        counts = self.speaker.fallbacks
        wording = {"asked": counts.asked, **{f"refused_{reason}": n for reason, n in counts.refused.items()}}
        report = await self.keeper.finish(bool(self.completed), self.state, wording)
        self.on_state()
        self.outbox.put(report.model_dump())
        self.reported = self.reported or self.outbox.attached

    def note(self, kind: EventKind, sample: int | None = None, **detail: Any) -> None:
        """Keeps that something happened, at a sample of the candidate's sound or now, for whoever studies the viva."""
        at_s = self.keeper.seconds(self.ear.n_samples if sample is None else sample)
        self.spawn(self.keeper.event(kind, at_s, detail), "event")

    # ---- what became of a reply ----

    def _made(self, saying: Prepared, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        metrics.engine_error("tts")
        self.note("engine_failed", stage="tts")
        log.error("the voice failed: %s", task.exception())
        self.outbox.put(telling.notice("engine_failed", "The voice failed; the examiner's words are shown instead."))
        self.outbox.put(telling.words_without_sound(saying.reply.response_id, saying.lines))

    def _first_sound(self, reply: Reply) -> None:
        self._show_due_cards(reply)
        saying, times = self._saying, self._times
        self._times = None
        if saying is None or times is None:
            return
        self.n_turns += 1
        first = saying.lines[reply.phrases[0].line]
        event = telling.latency(self.n_turns, self.state.setup.mode, times, saying.marks, first, self.services.clock())
        self.latency_ms = event.sent_ms
        self.outbox.put(event.model_dump())
        metrics.turn(event)
        self.note("latency", **event.model_dump(exclude={"type", "event_id", "mode"}))

    async def _reply_ended(self, heard: Heard) -> None:
        saying = self._saying
        if not heard.interrupted:
            self._record_rest(heard)
        await self._keep(heard)
        if saying is not None and saying.reply is heard.reply:
            self._learn(saying, heard)
        self._show_due_cards(heard.reply, everything=not heard.interrupted)
        self.silent_since = max(self.silent_since, self.services.clock())
        self.on_state()
        if self.completed is not None:  # the goodbye may be cut short, what it ends is over all the same
            self.spawn(self.report(), "report")

    def _record_rest(self, heard: Heard) -> None:
        rate_hz = self.playout.rate_hz
        if self._saying is not None and self._saying.reply is heard.reply and heard.n_samples > self._recorded_to:
            at = self.ear.n_samples - int((heard.n_samples - self._recorded_to) * SAMPLE_RATE_HZ / rate_hz)
            self.keeper.examiner_sound(heard.reply, self._recorded_to, heard.n_samples, rate_hz, max(0, at))
            self._recorded_to = heard.n_samples

    def _learn(self, saying: Prepared, heard: Heard) -> None:
        """What follows for the next turn from how much of this reply was heard."""
        begun = {phrase.line for phrase in heard.reply.phrases if heard.n_samples > phrase.start}
        if heard.interrupted:
            self._unheard = tuple(
                replace(line, wording=None) if line.wording is not None and index in begun else line
                for index, line in enumerate(saying.lines)
                if line.essential and index not in begun
            )
            seconds = heard.n_samples / self.playout.rate_hz
            told = {saying.lines[index].kind for index in begun}
            if seconds > CONTINUE_WITHIN_S or not told <= {"acknowledge"}:
                self._before_answer = None
        else:
            self._unheard = ()
            self._before_answer = None
        kinds: tuple[Literal["talk", "probe"], ...] = ("talk", "probe")
        for kind in kinds:
            lines = {index for index, line in enumerate(saying.lines) if line.kind == kind}
            words = " ".join(phrase.text for phrase in heard.reply.phrases if phrase.line in lines)
            if words:
                text = heard.text if kind == "talk" else words
                self.state = flow.step(self.bank, self.state, exam.Spoken(text, self.exam_clock.now(), kind=kind)).state

    async def _keep(self, heard: Heard) -> None:
        end_s = self.keeper.seconds(self.ear.n_samples)
        await self.keeper.turn(
            "examiner",
            heard.reply.text,
            heard.text,
            heard.interrupted,
            max(0.0, end_s - heard.n_samples / self.playout.rate_hz),
            end_s,
            number=self.state.number or None,
            kind=heard.reply.phrases[-1].kind if heard.reply.phrases else None,
        )

    def _show_due_cards(self, reply: Reply, *, everything: bool = False) -> None:
        """Shows a question's card when its sound begins, not when it is planned."""
        if not self._cards:
            return
        played = self.playout.played() if self.playout.reply is reply else 0
        begun = set(reply.kinds_begun(played)) | ({reply.phrases[0].kind} if reply.phrases else set())
        if everything or begun & {"scenario", "question"}:
            self._show_cards()

    def _show_cards(self) -> None:
        for card in self._cards:
            self.outbox.put(card)
        self._cards = []
