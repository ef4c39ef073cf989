"""A conversation end to end over scripted engines: drafts, turns, barge-in, failures, resuming."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from tests.scripted_engines import Vocabulary, scripted_engines
from tests.small_bank import BANK
from workbench.audio import to_pcm16
from workbench.engines.base import Samples
from workbench.judging.base import MODERATE_BELOW
from workbench.realtime.conversation import Conversation
from workbench.realtime.keeper import Keeper
from workbench.realtime.protocol import VivaOptions
from workbench.realtime.services import Services
from workbench.realtime.speaker import PhraseCache
from workbench.realtime.tickets import Tickets
from workbench.settings import Settings
from workbench.store.repository import Store

HZ = 16_000
READY = VivaOptions(area="cardiology", candidate="Ada", consent=True, seed=3, playback=True)


class Candidate:
    """A client in the same process: plays what it gets, speaks when told to."""

    def __init__(self, conversation: Conversation, vocabulary: Vocabulary) -> None:
        self.conversation = conversation
        self.vocabulary = vocabulary
        self.events: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.unsaid = np.zeros(0, np.float32)
        self.microphone: asyncio.Task[None] | None = None
        conversation.outbox.attach()
        self.task = asyncio.create_task(conversation.outbox.run(self._take))

    async def _take(self, text: str) -> None:
        self.events.append(json.loads(text))
        self.arrived.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.arrived.clear()
                try:
                    await asyncio.wait_for(self.arrived.wait(), 0.05)
                except TimeoutError:
                    pass

    async def until_floor(self, floor: str = "candidate", seconds: float = 20.0) -> None:
        await self.until(lambda: bool(self.of("viva.state")) and self.of("viva.state")[-1]["floor"] == floor, seconds)

    async def hear_out(self) -> None:
        """Until the examiner has finished."""
        await self.until(lambda: not self.conversation.examiner.playout.busy and bool(self.of("response.done")))

    async def _microphone(self) -> None:
        """Sound without a gap, silence while nothing is said, some five times as fast as it was spoken."""
        while True:
            chunk, self.unsaid = self.unsaid[:320], self.unsaid[320:]
            hiss = np.full(320, 1e-3, np.float32)  # digital silence would be a muted microphone
            hiss[: len(chunk)] = chunk
            self.conversation.hear(to_pcm16(hiss))
            await asyncio.sleep(0.004)

    async def sound(self, samples: Samples) -> None:
        """Puts sound before the microphone and waits until it has gone in."""
        self.unsaid = np.concatenate([self.unsaid, samples])
        while len(self.unsaid):
            await asyncio.sleep(0.005)

    async def say(self, text: str, *, silence_s: float = 0.0, seconds: float = 0.8) -> None:
        await self.sound(self.vocabulary.spoken(text, seconds))
        await self.sound(np.zeros(int(silence_s * HZ), np.float32))

    async def cough_over_the_examiner(self) -> None:
        """A noise while the examiner speaks, who is then heard out."""
        await self.until_floor("examiner")
        await self.until(lambda: self.conversation.examiner.playout.played() > 0.15 * HZ)
        await self.sound(np.random.default_rng(0).normal(0, 0.3, int(0.25 * HZ)).astype(np.float32))
        await self.sound(np.zeros(HZ, np.float32))
        await self.hear_out()

    async def skip(self) -> None:
        """Stops the examiner: the next question is on its card then."""
        await self.until(lambda: self.conversation.examiner.playout.busy)
        await self.conversation.cancel_response()

    async def type(self, text: str) -> None:
        self.conversation.type_text(text)
        await self.conversation.respond()


def make_services(settings: Settings, vocabulary: Vocabulary) -> Services:
    return Services(
        settings=settings,
        engines=scripted_engines(vocabulary),
        banks={"medical": BANK},
        store=Store(settings),
        tickets=Tickets("key"),
        phrases=PhraseCache(HZ),
    )


@asynccontextmanager
async def viva(
    settings: Settings,
    options: VivaOptions = READY,
    *,
    services: Services | None = None,
    vocabulary: Vocabulary | None = None,
) -> AsyncIterator[Candidate]:
    vocabulary = vocabulary or Vocabulary()
    services = services or make_services(settings, vocabulary)
    keeper = await Keeper.create(services, "sess_1", options, options.seed or 0, BANK)
    conversation = Conversation(
        services,
        options,
        session_id="sess_1",
        resume_token="token",
        keeper=keeper,
        bank=BANK,
        seed=options.seed or 0,
        in_hz=HZ,
        out_hz=HZ,
    )
    candidate = Candidate(conversation, vocabulary)
    try:
        await conversation.begin()
        candidate.microphone = asyncio.create_task(candidate._microphone())
        yield candidate
    finally:
        candidate.task.cancel()
        if candidate.microphone is not None:
            candidate.microphone.cancel()
        await conversation.close()


async def test_the_examiner_speaks_first_and_then_the_candidate_has_the_floor(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.until_floor()
        assert candidate.of("viva.question")[0]["number"] == 1
        said = candidate.of("response.done")[0]["response"]["output"][0]["content"][0]["transcript"]
        assert candidate.of("viva.question")[0]["stem"] in said


async def test_a_spoken_answer_is_on_disk_and_judged_when_the_reply_is_heard(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.say("give aspirin, record an ecg and call the senior")
        await candidate.until(lambda: bool(candidate.of("viva.verdict")))
        data = candidate.conversation.services.store.load_session("sess_1")
        assert [answer.text for answer in data.answers] == ["give aspirin, record an ecg and call the senior"]
        assert candidate.of("viva.verdict")[0]["verdict"] == "correct"
        transcripts = candidate.of("conversation.item.input_audio_transcription.completed")
        assert transcripts[0]["transcript"] == "give aspirin, record an ecg and call the senior"
        await candidate.until(lambda: bool(candidate.of("viva.latency")))
        latency = candidate.of("viva.latency")[0]
        assert latency["endpoint_ms"] >= 0 and latency["sent_ms"] >= latency["asr_ms"] > 0


async def test_a_poorly_recognised_answer_is_marked_with_a_doubt_that_sends_it_to_a_person(settings: Settings) -> None:
    async with viva(settings) as candidate:
        candidate.conversation.services.engines.transcriber.confidence = 0.35  # type: ignore[attr-defined]
        await candidate.hear_out()
        await candidate.say("give aspirin, record an ecg and call the senior")
        await candidate.until(lambda: bool(candidate.of("viva.verdict")))
        given = candidate.of("viva.verdict")[0]
        assert given["verdict"] == "correct" and given["confidence"] < MODERATE_BELOW
        await candidate.conversation.close()
        store = candidate.conversation.services.store
        [turn] = [turn for turn in store.load_session("sess_1").turns if turn.role == "candidate"]
        assert turn.confidence == 0.35
        store.mark_abandoned("sess_1")
        queue = store.moderation_queue(min_doubt=1 - MODERATE_BELOW)
        assert [item.question_id for item in queue] == [given["question_id"]]


async def test_a_candidate_who_goes_on_after_a_pause_gives_one_answer(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.say("give aspirin and", silence_s=0.4)
        await candidate.say("record an ecg")
        await candidate.until(lambda: bool(candidate.of("viva.verdict")))
        data = candidate.conversation.services.store.load_session("sess_1")
        assert [answer.text for answer in data.answers] == ["give aspirin and record an ecg"]
        assert len(candidate.of("input_audio_buffer.committed")) == 1


async def test_words_over_the_examiner_stop_it_and_only_what_was_heard_is_kept(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.until_floor("examiner")
        await candidate.until(lambda: candidate.conversation.examiner.playout.played() > 0.15 * HZ)
        await candidate.say("wait please say that again")
        await candidate.until(lambda: len(candidate.of("response.done")) >= 1)
        actions = [event["action"] for event in candidate.of("viva.playback")]
        assert actions[:2] == ["pause", "clear"]
        assert candidate.of("response.done")[0]["response"]["status"] == "cancelled"
        store = candidate.conversation.services.store
        await candidate.until(lambda: any(turn.role == "examiner" for turn in store.load_session("sess_1").turns))
        first = next(turn for turn in store.load_session("sess_1").turns if turn.role == "examiner")
        assert first.interrupted and first.heard_text is not None and len(first.heard_text) < len(first.text)


async def test_a_client_that_stops_the_examiner_sees_the_question_and_can_answer_it(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.type("give aspirin, record an ecg and call the senior")
        await candidate.until(lambda: len(candidate.of("response.created")) == 2)
        await candidate.conversation.cancel_response()  # before the next question is heard
        await candidate.until(lambda: len(candidate.of("viva.question")) == 2)
        assert candidate.of("response.done")[-1]["response"]["status_details"]["reason"] == "client_cancelled"
        await candidate.type("an elevated segment in two leads")
        await candidate.until(lambda: len(candidate.of("viva.verdict")) >= 1)
        answers = candidate.conversation.services.store.load_session("sess_1").answers
        assert [(answer.number, answer.text) for answer in answers] == [
            (1, "give aspirin, record an ecg and call the senior"),
            (2, "an elevated segment in two leads"),
        ]


async def test_text_sent_before_the_next_question_is_seen_belongs_to_the_last_answer(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.type("give aspirin")
        await candidate.type("and record an ecg")
        await candidate.hear_out()
        answers = candidate.conversation.services.store.load_session("sess_1").answers
        assert answers[-1].text == "give aspirin and record an ecg"
        assert {answer.number for answer in answers} == {1}


async def test_the_floor_is_never_the_candidates_between_a_typed_answer_and_its_reply(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.until_floor("examiner")
        n_before = len(candidate.of("viva.state"))
        await candidate.type("give aspirin, record an ecg and call the senior")  # over the examiner's words
        await candidate.until(lambda: len(candidate.of("response.created")) >= 2)
        floors = [event["floor"] for event in candidate.of("viva.state")[n_before:]]
        assert "candidate" not in floors


async def test_a_cough_pauses_the_sentence_and_lets_it_go_on(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.cough_over_the_examiner()
        actions = [event["action"] for event in candidate.of("viva.playback")]
        assert actions == ["pause", "resume"]
        assert [d["response"]["status"] for d in candidate.of("response.done")] == ["completed"]


async def test_what_happened_is_kept_as_events_without_a_word_of_it(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.cough_over_the_examiner()
        await candidate.say("give aspirin, record an ecg and call the senior", silence_s=3.0)
        await candidate.until(lambda: bool(candidate.of("viva.latency")))
        await candidate.conversation.lose_client()
        candidate.conversation.outbox.attach()
        await candidate.conversation.come_back(playback=True, out_hz=HZ, in_hz=HZ)
        store = candidate.conversation.services.store
        kinds = ("question", "barge_in", "latency", "left", "returned")
        await candidate.until(lambda: {event.type for event in store.events("sess_1")} >= set(kinds))
        events = {event.type: event for event in store.events("sess_1")}
        assert events["question"].data.keys() == {"number"}
        assert events["barge_in"].data["decision"] == "resume" and 0 < events["barge_in"].data["settled_ms"] < 3000
        told = candidate.of("viva.latency")[0]
        assert events["latency"].data == {
            key: value for key, value in told.items() if key not in ("type", "event_id", "mode")
        }
        assert events["barge_in"].at_s < events["latency"].at_s <= events["left"].at_s <= events["returned"].at_s
        assert "aspirin" not in str([event.data for event in store.events("sess_1")])


async def test_a_stock_client_is_never_paused_and_hears_of_speech_once_it_is_words(settings: Settings) -> None:
    options = READY.model_copy(update={"playback": False})
    async with viva(settings, options) as candidate:
        await candidate.until_floor("examiner")
        await candidate.until(lambda: candidate.conversation.examiner.playout.played() > 0.15 * HZ)
        await candidate.say("wait please say that again")
        await candidate.until(lambda: bool(candidate.of("input_audio_buffer.speech_started")))
        assert not candidate.of("viva.playback")


async def test_a_recogniser_that_fails_once_costs_nothing(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        candidate.conversation.services.engines.transcriber.failures = 1  # type: ignore[attr-defined]
        await candidate.say("give aspirin")
        await candidate.until(lambda: bool(candidate.conversation.examiner.state.records[0].text))
        assert candidate.conversation.examiner.state.records[0].text == "give aspirin"


async def test_a_recogniser_that_stays_dead_costs_the_turn_an_apology_and_the_viva_goes_on(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        transcriber = candidate.conversation.services.engines.transcriber
        transcriber.failures = 1000  # type: ignore[attr-defined]
        await candidate.say("give aspirin")
        await candidate.until(lambda: bool(candidate.of("viva.notice")))
        assert candidate.of("viva.notice")[0]["code"] == "engine_failed"
        await candidate.hear_out()
        transcriber.failures = 0  # type: ignore[attr-defined]
        await candidate.say("give aspirin and call the senior")
        await candidate.until(lambda: bool(candidate.conversation.examiner.state.records[0].text))
        assert candidate.conversation.examiner.state.number >= 1


async def test_a_dead_language_model_leaves_the_banks_wording(settings: Settings) -> None:
    async with viva(settings) as candidate:
        candidate.conversation.services.engines.chat.fails = True  # type: ignore[attr-defined]
        await candidate.hear_out()
        await candidate.type("record an ecg")
        await candidate.until(
            lambda: candidate.conversation.examiner.speaker.fallbacks.refused.get("engine_failed", 0) > 0
        )
        await candidate.hear_out()
        assert candidate.conversation.examiner.state.phase in ("probe", "question")


async def test_a_dead_voice_shows_the_words_and_the_viva_goes_on(settings: Settings) -> None:
    vocabulary = Vocabulary()
    services = make_services(settings, vocabulary)
    services.engines.synthesizer.failures = 2  # type: ignore[attr-defined]
    async with viva(settings, services=services, vocabulary=vocabulary) as candidate:
        await candidate.until(lambda: bool(candidate.of("viva.notice")))
        await candidate.until_floor()
        await candidate.type("give aspirin, an ecg, and call the senior")
        await candidate.until(lambda: bool(candidate.of("viva.verdict")))


async def test_a_whole_typed_viva_ends_with_a_report(settings: Settings) -> None:
    async with viva(settings, READY.model_copy(update={"mode": "exam"})) as candidate:
        for _ in range(40):
            await candidate.until_floor("examiner")
            if candidate.conversation.examiner.completed is not None:
                break
            await candidate.skip()
            await candidate.type("give aspirin, an ecg, and call the senior")
            await asyncio.sleep(0)
            if candidate.conversation.examiner.completed is not None:
                break
        await candidate.until(lambda: bool(candidate.of("viva.report")), 30)
        report = candidate.of("viva.report")[0]
        assert report["completed"] and report["score"] == report["max_score"] == 120
        assert len(candidate.of("viva.verdict")) == 12


async def test_a_viva_goes_on_from_disk_at_the_same_question_with_the_same_marks(settings: Settings) -> None:
    vocabulary = Vocabulary()
    services = make_services(settings, vocabulary)
    async with viva(settings, services=services, vocabulary=vocabulary) as candidate:
        for _ in range(3):
            await candidate.skip()
            await candidate.type("give aspirin, an ecg, and call the senior")
        before = candidate.conversation.examiner.state
        await candidate.conversation.keeper._write(lambda: None)
    keeper, options, state_json, elapsed_s = await Keeper.reopen(services, "sess_1")
    from workbench.exam.state import ExamState

    state = ExamState.from_json(state_json)
    assert state.number == before.number == 4
    assert [r.evaluation for r in state.records] == [r.evaluation for r in before.records]
    again = Conversation(
        services, options, session_id="sess_1", resume_token="t", keeper=keeper, bank=BANK, seed=3, in_hz=HZ, out_hz=HZ,
        state=state, elapsed_s=elapsed_s,
    )  # fmt: skip
    returned = Candidate(again, vocabulary)
    await again.begin()
    await returned.hear_out()
    assert returned.of("viva.question")[0]["number"] == 4
    assert [v["number"] for v in returned.of("viva.verdict")] == [1, 2, 3]
    returned.task.cancel()
    await again.close()


async def test_nothing_is_left_running_after_a_viva(settings: Settings) -> None:
    before = asyncio.all_tasks()
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.say("give aspirin")
    await asyncio.sleep(0.3)
    left = {task.get_name() for task in asyncio.all_tasks() - before if not task.done()}
    assert left <= {"Task-1"}, left
