"""What is easily lost around the edges of a viva: its end, questions not yet seen, answers a click falls upon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.scripted_engines import Vocabulary
from tests.small_bank import BANK
from tests.test_conversation import HZ, READY, Candidate, make_services, viva
from tests.test_server import Client, Running, running
from workbench.exam import flow
from workbench.exam import model as exam
from workbench.realtime import server as realtime_server
from workbench.realtime.keeper import Keeper
from workbench.settings import Settings
from workbench.store.errors import StoreError

ANSWER = "give aspirin, record an ecg and call the senior"


@asynccontextmanager
async def opened(server: Running, **viva: Any) -> AsyncIterator[tuple[Client, dict[str, Any]]]:
    """A client whose viva begins, or goes on with `resume`, and the first state it is told."""
    async with server.client() as client:
        await client.start(**viva)
        yield client, await client.until("viva.state")


async def press(candidate: Candidate, name: Any) -> None:
    conversation = candidate.conversation
    await conversation.happen(exam.Command(name, conversation.exam_clock.now()))


async def stop_the_viva(candidate: Candidate) -> None:
    """Until the examiner says goodbye."""
    await candidate.hear_out()
    await press(candidate, "stop")
    await press(candidate, "confirm")
    assert candidate.conversation.examiner.completed is not None
    await candidate.until(lambda: candidate.conversation.examiner.playout.played() > 0.05 * HZ)


@pytest.mark.parametrize("how", ["typed", "cancelled", "spoken"])
async def test_a_goodbye_that_is_cut_short_still_ends_in_a_report(settings: Settings, how: str) -> None:
    async with viva(settings) as candidate:
        await stop_the_viva(candidate)
        if how == "typed":
            await candidate.type("thank you very much, goodbye")
        elif how == "cancelled":
            await candidate.conversation.cancel_response()
        else:
            await candidate.say("thank you very much and goodbye")
        await candidate.until(lambda: bool(candidate.of("viva.report")))
        data = candidate.conversation.services.store.load_session("sess_1")
        assert data.session.status == "stopped" and data.result is not None
        await candidate.until_floor("closed")


async def test_who_leaves_in_the_goodbye_has_a_result_and_gets_the_report_on_coming_back(settings: Settings) -> None:
    async with running(settings) as server:
        store = server.server.services.store
        async with opened(server) as (client, state):
            await client.until("viva.question")
            await client.command("stop", "confirm")
            await client.until("response.created", lambda _: store.load_session(state["session_id"]).turns != ())
            while server.server.conversations[state["session_id"]].examiner.completed is None:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            while store.load_session(state["session_id"]).session.status == "running":
                await asyncio.sleep(0.02)
        assert store.load_session(state["session_id"]).result is not None
        async with opened(server, resume=state["resume_token"]) as (client, _):
            assert (await client.until("viva.report"))["session_id"] == state["session_id"]


async def test_a_server_that_stops_in_the_goodbye_keeps_the_result(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await stop_the_viva(candidate)
    assert candidate.conversation.services.store.load_session("sess_1").result is not None


async def test_a_question_cannot_be_skipped_before_it_is_seen(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        for _ in range(5):  # a key that is held
            await press(candidate, "skip")
        await candidate.until(lambda: len(candidate.of("viva.question")) == 2)
        assert candidate.conversation.examiner.state.number == 2
        await candidate.hear_out()
        said = candidate.of("response.done")[-1]["response"]["output"][0]["content"][0]["transcript"]
        assert candidate.of("viva.question")[-1]["stem"] in said
        await press(candidate, "skip")
        await candidate.until(lambda: candidate.conversation.examiner.state.number == 3)


async def test_who_only_types_has_a_clock_and_a_recording(settings: Settings) -> None:
    async with viva(settings.model_copy(update={"record_audio": True})) as candidate:
        assert candidate.microphone is not None
        candidate.microphone.cancel()
        await candidate.hear_out()
        await candidate.type(ANSWER)
        await candidate.hear_out()
        store = candidate.conversation.services.store
        async with asyncio.timeout(10):
            while len(store.load_session("sess_1").turns) < 3:
                await asyncio.sleep(0.02)
        examiner, answer, reply = store.load_session("sess_1").turns[:3]
        assert (examiner.role, answer.role, reply.role) == ("examiner", "candidate", "examiner")
        assert examiner.end_s > examiner.start_s and answer.start_s >= examiner.end_s - 0.3
        assert reply.end_s > reply.start_s >= answer.start_s - 0.3
        assert candidate.conversation.listener.ear.n_samples / HZ >= reply.end_s - 0.3


async def test_nothing_is_recorded_once_a_viva_is_over(settings: Settings) -> None:
    async with viva(settings.model_copy(update={"record_audio": True})) as candidate:
        await stop_the_viva(candidate)
        await candidate.until(lambda: bool(candidate.of("viva.report")))
        assert candidate.microphone is not None
        candidate.microphone.cancel()
        n_samples = candidate.conversation.listener.ear.n_samples
        candidate.conversation._sound_at -= 60
        await asyncio.sleep(0.5)
        assert candidate.conversation.listener.ear.n_samples == n_samples


async def test_times_go_on_after_a_return_where_nothing_was_recorded(settings: Settings) -> None:
    services = make_services(settings, Vocabulary())
    async with viva(settings, READY.model_copy(update={"record": False}), services=services) as candidate:
        await candidate.hear_out()
        await candidate.type(ANSWER)
        await candidate.hear_out()
    keeper, *_ = await Keeper.reopen(services, "sess_1")
    last_s = max(turn.end_s for turn in services.store.load_session("sess_1").turns)
    assert last_s > 0 and keeper.seconds(0) == pytest.approx(last_s, abs=0.001)


async def test_a_client_that_clears_its_sound_over_the_examiner_lets_it_go_on(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.until_floor("examiner")
        await candidate.until(lambda: candidate.conversation.examiner.playout.played() > 0.15 * HZ)
        noise = np.random.default_rng(0).normal(0, 0.3, int(0.2 * HZ)).astype(np.float32)
        await candidate.sound(noise)
        assert candidate.conversation.examiner.playout.paused
        candidate.conversation.forget_turn()
        assert not candidate.conversation.examiner.playout.paused
        await candidate.hear_out()
        assert candidate.of("response.done")[0]["response"]["status"] == "completed"


async def test_a_click_after_an_answer_does_not_swallow_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        conversation = candidate.conversation
        take = conversation._take_turn

        async def take_after_a_click(draft: Any) -> None:
            monkeypatch.setattr(conversation, "_take_turn", take)
            await candidate.sound(np.full(2 * 512, 0.3, np.float32))  # heard while the reply is being planned
            await take(draft)

        monkeypatch.setattr(conversation, "_take_turn", take_after_a_click)
        await candidate.say(ANSWER)
        await candidate.until(lambda: bool(candidate.of("viva.verdict")), 10)
        assert [one.text for one in conversation.services.store.load_session("sess_1").answers] == [ANSWER]


async def test_who_comes_back_while_the_viva_is_put_away_goes_on_from_the_store(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_server, "GRACE_S", 0.05)
    async with running(settings) as server:
        async with opened(server) as (client, state):
            await client.until("viva.question")
            keeper = server.server.conversations[state["session_id"]].keeper
            abandon, begun = keeper.abandon, asyncio.Event()

            async def slowly() -> None:
                begun.set()
                await asyncio.sleep(0.5)
                await abandon()

            monkeypatch.setattr(keeper, "abandon", slowly)
        await asyncio.wait_for(begun.wait(), 10)
        async with opened(server, resume=state["resume_token"]) as (client, back):
            assert back["floor"] != "closed"
            await client.until("response.output_audio.delta")


async def test_a_seat_is_free_again_when_a_viva_cannot_be_marked_abandoned(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_server, "GRACE_S", 0.05)
    async with running(settings) as server:
        async with opened(server) as (_, state):

            async def fails() -> None:
                raise StoreError("the disk is full")

            monkeypatch.setattr(server.server.conversations[state["session_id"]].keeper, "abandon", fails)
        async with asyncio.timeout(10):
            while server.server.conversations:
                await asyncio.sleep(0.02)
        assert server.server.room.seated == 0


async def until_given_up(server: Running, session_id: str) -> None:
    """Until the viva of a candidate who left can be gone on with from the store only."""
    async with asyncio.timeout(10):
        while server.server.conversations:
            await asyncio.sleep(0.02)
    assert server.server.services.store.load_session(session_id).session.status == "abandoned"


async def leave_after_an_answer(server: Running, mode: str) -> dict[str, Any]:
    """The state of a viva whose candidate answered the first question, left, and was given up."""
    async with opened(server, mode=mode) as (client, state):
        await client.until("viva.question")
        await client.type(ANSWER)
        await client.until("viva.question", lambda question: question["number"] == 2)
    await until_given_up(server, state["session_id"])
    return state


async def test_who_comes_back_sees_the_mark_an_educator_gave_meanwhile(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_server, "GRACE_S", 0.05)
    async with running(settings) as server:
        store = server.server.services.store
        state = await leave_after_an_answer(server, "practice")
        session_id = state["session_id"]
        (judged,) = store.load_session(session_id).marks_that_count.values()
        assert judged.evaluation.points != 2.5
        store.override_mark(session_id, 1, actor="eve", reason="r", verdict="partial", points=2.5)
        async with opened(server, resume=state["resume_token"]) as (client, _):
            told = await client.until("viva.verdict")
            assert (told["number"], told["verdict"], told["points"]) == (1, "partial", 2.5)
            assert told["judge"] == "an examiner", "a person's mark must not go by the judge's name"
        await until_given_up(server, session_id)
        store.undo_override(session_id, 1, actor="eve")
        async with opened(server, resume=state["resume_token"]) as (client, _):
            told = await client.until("viva.verdict")
            assert (told["points"], told["judge"]) == (judged.evaluation.points, judged.evaluation.judge)


async def test_the_end_of_an_exam_tells_the_mark_an_educator_gave_while_its_candidate_was_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_server, "GRACE_S", 0.05)
    async with running(settings) as server:
        store = server.server.services.store
        state = await leave_after_an_answer(server, "exam")
        store.override_mark(state["session_id"], 1, actor="eve", reason="r", verdict="partial", points=2.5)
        async with opened(server, resume=state["resume_token"]) as (client, _):
            await client.until("viva.question")
            await client.command("stop", "confirm")
            told = await client.until("viva.verdict")
            assert (told["number"], told["verdict"], told["points"]) == (1, "partial", 2.5)
            assert (await client.until("viva.report"))["score"] == 2.5
        data = store.load_session(state["session_id"])
        said = data.turns[-1].text
        assert "2.5 of 120 points" in said and "one partly right" in said
        assert data.marks_that_count[1].rater == "eve"


async def test_an_answer_an_educator_marked_before_the_judge_could_keeps_that_mark(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_server, "GRACE_S", 0.05)

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    async with running(settings) as server:
        services = server.server.services
        store = services.store
        server.server.services = replace(services, judge=never)
        async with opened(server, mode="exam") as (client, state):
            await client.until("viva.question")
            await client.type(f"{ANSWER}, let me think")
            await client.command("stop", "confirm")
            while not store.load_session(state["session_id"]).answers:
                await asyncio.sleep(0.02)
        await until_given_up(server, state["session_id"])
        server.server.services = services
        store.override_mark(state["session_id"], 1, actor="eve", reason="r", verdict="incorrect", points=1)
        async with opened(server, resume=state["resume_token"]) as (client, _):
            told = await client.until("viva.verdict")
            assert (told["number"], told["points"]) == (1, 1)
            assert (await client.until("viva.report"))["score"] == 1
        assert store.load_session(state["session_id"]).session.judge is None


async def test_a_mark_that_was_given_out_and_no_longer_counts_is_asked_for_again(settings: Settings) -> None:
    async with viva(settings, READY.model_copy(update={"mode": "exam"})) as candidate:
        await candidate.hear_out()
        await candidate.type(ANSWER)
        await candidate.until(lambda: candidate.conversation.examiner.state.number == 2)
        state = candidate.conversation.examiner.state
    assert state.records[0].final
    back = flow.step(BANK, state.with_marks({}), exam.Returned(state.now_s))
    assert [effect.answer for effect in back.effects if isinstance(effect, exam.Judge)] == [ANSWER]
    assert back.state.score == 0


async def test_silence_at_the_end_does_not_become_the_judge_of_a_viva(settings: Settings) -> None:
    async with viva(settings) as candidate:
        await candidate.hear_out()
        await candidate.type(ANSWER)
        await candidate.hear_out()
        await press(candidate, "skip")
        await candidate.until(lambda: len(candidate.of("viva.verdict")) == 2)
        data = candidate.conversation.services.store.load_session("sess_1")
        assert {mark.evaluation.judge for mark in data.marks} == {data.session.judge, "no-answer 1"}
