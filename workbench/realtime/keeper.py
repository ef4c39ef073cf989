"""What must survive one viva, written off the event loop: answers before the examiner reacts, turns, words, sound.

All writes of a process go through one thread in the order they were asked for, so that a state on disk never overtakes
the answer it follows from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from workbench import metrics
from workbench.audio import StreamResampler
from workbench.engines.base import SAMPLE_RATE_HZ, Samples, Word
from workbench.exam import model as exam
from workbench.exam.asking import NO_ANSWER_JUDGE
from workbench.exam.consent import CONSENT_VERSION
from workbench.exam.items import Bank
from workbench.exam.state import ExamState
from workbench.realtime.drafts import Outcome
from workbench.realtime.playout import Reply
from workbench.realtime.protocol import ProtocolError, VivaOptions, VivaReport
from workbench.realtime.services import Services
from workbench.store import bank_snapshot, reporting
from workbench.store.errors import InvitationRefused, SessionNotFound, StoreError
from workbench.store.recorder import Recorder
from workbench.store.rows import JUDGE, counting_marks
from workbench.store.rows_educators import SittingRow

log = logging.getLogger(__name__)

T = TypeVar("T")

EventKind = Literal[
    "question", "latency", "barge_in", "time_granted", "paused", "resumed", "left", "returned", "engine_failed"
]
"""What is kept for whoever studies a viva later; `workbench.transcripts.columns` says what each tells."""


class Keeper:
    """Writes one session; every method may be called from the event loop.

    Args:
        services: The shared store and settings.
        session_id: The session's id in the store.
        options: What the client asked for.

    Attributes:
        results_held: Whether the candidate has to wait for the results until an educator publishes them.
        bank: The questions of this session, also when newer ones were published since.
        invited: Whether the session came from a link, whose area is not the candidate's to change.
        corrected: Educators' marks by question: they count, whatever the judge says of these questions from now on.
    """

    def __init__(self, services: Services, session_id: str, options: VivaOptions) -> None:
        self.services = services
        self.store = services.store
        self.session_id = session_id
        self.options = options
        self._recorder: Recorder | None = None
        self._heard_samples = 0
        self._offset = 0
        self._resampled: tuple[str, StreamResampler] | None = None
        self._ended = False
        self.results_held = False
        self.bank: Bank | None = None
        self.invited = False
        self.corrected: dict[int, exam.Evaluation] = {}

    # ---- beginning ----

    @classmethod
    async def create(
        cls,
        services: Services,
        session_id: str,
        options: VivaOptions,
        seed: int,
        bank: Bank,
        *,
        invitation_id: int | None = None,
    ) -> Keeper:
        """Opens a new session in the store; one from a link uses up one of its attempts.

        Raises:
            ProtocolError: The link opens no viva any more; nothing was started.
        """
        keeper = cls(services, session_id, options)
        keeper.bank, keeper.invited = bank, invitation_id is not None
        setup = options.model_dump(exclude={"ticket", "resume"})

        def write() -> bool:
            bank_id = services.store.publish_bank(bank.discipline, bank.version, bank_snapshot.to_text(bank))
            services.store.create_session(
                session_id=session_id,
                discipline=options.discipline,
                area=options.area,
                mode=options.mode,
                seed=seed,
                candidate_name=options.candidate,
                consented=options.consent,
                consent_version=CONSENT_VERSION if options.consent else None,
                record=options.record and options.consent,
                setup=setup,
                bank_id=bank_id,
                adapter=services.settings.llm_model,
                invitation_id=invitation_id,
            )
            return invitation_id is not None and services.store.results_held(session_id)

        try:
            keeper.results_held = await keeper._write(write)
        except InvitationRefused as error:
            raise ProtocolError(str(error), param="session.viva.ticket", code=f"invitation_{error.code}") from None
        if options.consent and options.record:
            keeper.start_recording()
        return keeper

    @classmethod
    async def reopen(cls, services: Services, session_id: str) -> tuple[Keeper, VivaOptions, str, float]:
        """Takes a saved session up again: the keeper, its options, the exam's state and the exam time used.

        Raises:
            ProtocolError: There is no such session any more, or it has ended.
        """

        def read() -> tuple[VivaOptions, str, bool, SittingRow | None, Bank, float]:
            services.store.reopen(session_id)
            data = services.store.load_session(session_id)
            if data.state is None:
                raise StoreError(f"session {session_id} ended before its first question")
            options = VivaOptions.model_validate(data.session.setup)
            record = data.session.consented and data.session.record
            bank = reporting.bank_of(data, services.banks)
            told_s = max((turn.end_s for turn in data.turns), default=0.0)
            return options, data.state, record, services.store.sitting(session_id), bank, told_s

        try:
            options, state, record, sitting, bank, told_s = await services.store_thread.run(lambda _: read())
        except (SessionNotFound, StoreError) as error:
            raise ProtocolError(
                f"this viva cannot be resumed: {error}", param="session.viva.resume", code="not_resumable"
            ) from None
        keeper = cls(services, session_id, options)
        keeper.bank, keeper.invited = bank, sitting is not None
        keeper.results_held = sitting is not None and sitting.results_published_at is None
        keeper._offset = round(told_s * SAMPLE_RATE_HZ)
        if record:
            keeper.start_recording()
        return keeper, options, state, ExamState.from_json(state).now_s

    # ---- sound ----

    @property
    def recording(self) -> bool:
        """Whether the sound is being kept."""
        return self._recorder is not None and self._recorder.problem is None

    def start_recording(self) -> None:
        """Keeps the sound from now on; a recording that exists is gone on with."""
        if self._recorder is not None or not self.services.settings.record_audio:
            return
        try:
            self._recorder = Recorder(self.store.recording_path(self.session_id))
        except StoreError as error:
            log.warning("no recording: %s", error)
            return
        self._offset = self._recorder.n_samples - self._heard_samples

    def candidate_sound(self, frame: Samples) -> None:
        """The next frame of the candidate's sound, 16 kHz."""
        self._heard_samples += len(frame)
        if self._recorder is not None:
            self._recorder.write_candidate(frame)

    def examiner_sound(self, reply: Reply, start: int, end: int, rate_hz: int, at_sample: int) -> None:
        """Samples `start` to `end` of a reply were heard from the candidate's sample `at_sample` on."""
        if self._recorder is None:
            return
        if self._resampled is None or self._resampled[0] != reply.response_id:
            self._resampled = (reply.response_id, StreamResampler(rate_hz, SAMPLE_RATE_HZ))
        sound = self._resampled[1].process(reply.clip(start, end))
        place = max(0, at_sample + self._offset)
        if len(sound):
            self._recorder.write_examiner(sound, place)

    def seconds(self, sample: int) -> float:
        """Seconds from the start of the recording (of the session, when nothing is recorded) of a sample heard."""
        return max(0.0, (sample + self._offset) / SAMPLE_RATE_HZ)

    # ---- words ----

    async def commit(self, outcome: Outcome, state: ExamState, at_s: float) -> None:
        """Answers, marks and the state that follows from them, all or nothing; on disk when this returns."""
        answers = [effect for effect in outcome.effects if isinstance(effect, exam.SaveAnswer)]
        marks = [
            (effect.number, effect.evaluation, effect.public)
            for effect in outcome.effects
            if isinstance(effect, exam.SaveMark) and effect.number not in self.corrected
        ]
        changes: dict[str, Any] = {}
        consent: bool | None = None
        for effect in outcome.effects:
            match effect:
                case exam.SetCandidate(name=name):
                    changes["candidate_name"] = name
                case exam.SetArea(area=area):
                    changes["area"] = area
                case exam.SetConsent(given=given):
                    consent = given
                case _:
                    pass
        for _, made, _ in marks:
            if made.judge != NO_ANSWER_JUDGE:
                changes["judge"] = made.judge

        def write() -> None:
            self.store.commit_turn(self.session_id, state.to_json(), at_s=at_s, answers=answers, marks=marks)
            if changes:
                self.store.update_session(self.session_id, **changes)
            if consent is not None:
                version = CONSENT_VERSION if consent else None
                self.store.set_consent(
                    self.session_id, consent, version=version, record=self.options.record and consent
                )

        await self._write(write)

    async def marks_that_count(self) -> dict[int, exam.Evaluation]:
        """The marks that count now, by question; educators' may have been given while the candidate was away."""
        marks = counting_marks(await self._write(lambda: self.store.mark_history(self.session_id)))
        self.corrected = {number: mark.told for number, mark in marks.items() if mark.rater != JUDGE}
        return {number: mark.told for number, mark in marks.items()}

    async def turn(
        self,
        role: Any,
        text: str,
        heard_text: str,
        interrupted: bool,
        start_s: float,
        end_s: float,
        *,
        typed: bool = False,
        number: int | None = None,
        kind: str | None = None,
        confidence: float | None = None,
    ) -> int:
        """What one side said, and how much of it was heard; returns the turn's number in the store."""
        return await self._write(
            lambda: self.store.save_turn(
                self.session_id,
                role,
                text,
                start_s=start_s,
                end_s=max(start_s, end_s),
                heard_text=heard_text,
                interrupted=interrupted,
                typed=typed,
                number=number,
                kind=kind,
                confidence=confidence,
            )
        )

    async def words(self, turn_id: int, words: Sequence[Word]) -> None:
        """The words of a turn, once their times are known."""
        await self._write(lambda: self.store.save_words(self.session_id, turn_id, words))

    async def event(self, kind: EventKind, at_s: float, detail: dict[str, Any]) -> None:
        """Something that happened, in numbers and identifiers; what cannot be kept costs the viva nothing."""
        try:
            await self._write(lambda: self.store.append_event(self.session_id, kind, at_s, detail))
        except StoreError as error:
            log.warning("an event was not kept: %s", error)

    # ---- ending ----

    async def finish(self, completed: bool, state: ExamState, wording: dict[str, int]) -> VivaReport:
        """Closes the session and says where its report is."""
        result = await self._write(
            lambda: self.store.finish_session(
                self.session_id,
                completed=completed,
                wording=wording,
                state=state.to_json(),
                max_score=state.max_score,
            )
        )
        if not self._ended:
            metrics.session_ended("finished" if completed else "stopped")
        self._ended = True
        token = self.services.tickets.mint_report(self.session_id)
        # asked again: an educator may have published a viva that was left open
        held = self.results_held and await self._write(lambda: self.store.results_held(self.session_id))
        return VivaReport(
            session_id=self.session_id,
            completed=completed,
            score=0.0 if held else result.score,
            max_score=result.max_score,
            url=f"api/sessions/{self.session_id}/report?token={token}",
            held=held,
        )

    async def abandon(self) -> None:
        """The candidate did not come back in time; the token still opens the session later."""
        if not self._ended:
            metrics.session_ended("abandoned")
            await self._write(lambda: self.store.mark_abandoned(self.session_id))

    async def close(self) -> None:
        """Closes the recording."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            await asyncio.to_thread(recorder.close)

    async def _write(self, call: Callable[[], T]) -> T:
        # shielded: a task that is cancelled between asking and writing must not lose an answer
        return await asyncio.shield(self.services.store_thread.run(lambda _: call()))
