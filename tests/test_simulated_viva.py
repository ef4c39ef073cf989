"""Simulated candidates sit whole vivas over the real socket: with stand-in engines fast, with real ones spoken."""

from __future__ import annotations

import asyncio
import re

import pytest

from workbench.settings import Settings, get_settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import behaviour
from workbench.simulate.candidate import Candidate
from workbench.simulate.client import VivaClient
from workbench.simulate.cohort import CohortPlan, agreement, make_candidates, sit_all

SPEED = 40.0


@pytest.fixture(scope="module")
def book():
    return AnswerBook(Settings(_env_file=None))


def typing(name: str, book: AnswerBook, **options) -> Candidate:
    return Candidate("Alex Morgan", behaviour(name), book, None, speed=SPEED, **options)


async def test_a_typed_practice_viva_has_twelve_questions_and_marks_each_at_once(scripted_url, book):
    record = await typing("knowledgeable", book, seed=3).sit(scripted_url, timeout_s=120)
    assert record.failure is None
    assert record.completed
    assert len(record.questions) == 12
    assert sorted(record.verdicts) == list(range(1, 13))
    assert record.max_score == 120
    assert record.score == pytest.approx(sum(record.points.values()))
    assert record.errors == []


async def test_a_typed_exam_shows_its_marks_only_at_the_end(scripted_url, book):
    candidate = typing("mixed", book, mode="exam", seed=4)
    record = await candidate.sit(scripted_url, timeout_s=120)
    assert record.failure is None and record.completed
    assert sorted(record.verdicts) == list(range(1, 13))
    assert record.score == pytest.approx(sum(record.points.values()))


async def test_a_typed_conversation_takes_turns_and_ends_when_asked(scripted_url, book):
    candidate = typing("mixed", book, mode="talk", seed=5, max_questions=6)
    record = await candidate.sit(scripted_url, timeout_s=120)
    assert record.failure is None
    assert record.unanswered == 0
    assert record.questions == []


async def test_one_who_gives_no_name_no_consent_and_no_area_is_asked_for_them(scripted_url, book):
    options = {"candidate": None, "consent": False, "area": None}
    candidate = typing("mixed", book, seed=6, options=options, max_questions=2)
    record = await candidate.sit(scripted_url, timeout_s=120)
    assert record.failure is None
    assert len(record.questions) >= 2


async def test_knowing_more_earns_more(scripted_url, book):
    records = await asyncio.gather(
        *(typing(name, book, seed=8).sit(scripted_url, timeout_s=180) for name in ("knowledgeable", "partial", "wrong"))
    )
    assert [record.failure for record in records] == [None] * 3
    knowledgeable, partial, wrong = (record.score for record in records)
    assert knowledgeable > partial > wrong


async def test_the_same_seed_asks_the_same_questions_and_gives_the_same_marks(scripted_url, book):
    first, second = await asyncio.gather(
        *(typing("mixed", book, seed=9).sit(scripted_url, timeout_s=180) for _ in range(2))
    )
    assert first.questions == second.questions
    assert first.points == second.points


async def test_asking_and_silence_do_not_stop_a_viva(scripted_url, book):
    candidates = [typing("asking", book, seed=10), typing("silent", book, seed=11)]
    records = await sit_all(candidates, scripted_url, at_once=2, timeout_s=240)
    assert [record.failure for record in records] == [None, None]
    assert all(len(record.questions) == 12 for record in records)


async def test_one_who_leaves_early_gets_a_report_that_says_so(scripted_url, book):
    record = await typing("mixed", book, seed=12, max_questions=2).sit(scripted_url, timeout_s=120)
    assert record.failure is None
    assert record.completed is False
    assert record.score is not None


def test_a_cohort_deals_out_behaviours_and_voices_in_turn():
    candidates = make_candidates(CohortPlan(n=5, behaviours=("partial", "wrong"), seed=20), Settings(_env_file=None))
    assert [c.behaviour.name for c in candidates] == ["partial", "wrong", "partial", "wrong", "partial"]
    assert len({c.voice.name for c in candidates}) == 5
    assert [c.seed for c in candidates] == [20, 21, 22, 23, 24]


def test_agreement_counts_what_was_deserved_against_what_was_given(book):
    candidate = typing("mixed", book)
    candidate.record.expected = {1: "correct", 2: "partial", 3: "incorrect"}
    candidate.record.verdicts = {1: "correct", 2: "correct"}
    found = agreement([candidate.record])
    assert found == {"n": 2, "share": 0.5, "counts": {"correct -> correct": 1, "partial -> correct": 1}}


# ---- with the real engines ----


@pytest.mark.weights
@pytest.mark.realtime
@pytest.mark.slow
async def test_a_spoken_viva_is_understood_and_marked_through_the_real_engines(live_server):
    plan = CohortPlan(
        n=1,
        behaviours=("knowledgeable",),
        seed=1,
        questions=1,
        surroundings=False,
        options={"speaking_rate": 1.3},
    )
    [candidate] = make_candidates(plan, get_settings())
    # not prepared: only what is said is synthesised, while the floor is had
    record = await candidate.sit(live_server.realtime, timeout_s=200)
    assert record.failure is None
    assert record.unanswered == 0
    assert record.points[1] > 0, f"a full answer earned nothing; heard: {record.heard[1]}"
    said = set(re.findall("[a-z]+", " ".join(timing.text for timing in record.timings).lower()))
    heard = set(re.findall("[a-z]+", record.heard[1].lower()))
    assert len(said & heard) > 0.4 * len(heard) > 0, f"said {sorted(said)}, heard {sorted(heard)}"


@pytest.mark.weights
@pytest.mark.realtime
@pytest.mark.slow
async def test_typed_vivas_of_every_mode_end_on_the_real_server(live_server, book):
    candidates = [
        typing("knowledgeable", book, mode="practice", seed=1),
        typing("mixed", book, mode="exam", seed=2),
        typing("mixed", book, mode="talk", seed=3, max_questions=4),
    ]
    records = await sit_all(candidates, live_server.realtime, at_once=3, timeout_s=280)
    assert [record.failure for record in records] == [None] * 3
    assert [len(record.questions) for record in records] == [12, 12, 0]


@pytest.mark.weights
@pytest.mark.realtime
@pytest.mark.slow
async def test_words_heard_are_the_words_said(live_server):
    from workbench.simulate.voices import QUIET, Studio, background_of

    settings = get_settings()
    studio = Studio(settings)
    clip = await studio.say("I worked on the cardiology ward last month.")
    await studio.close()
    options = {"mode": "talk", "consent": True, "candidate": "Alex"}
    async with VivaClient(live_server.realtime, options, background=background_of(QUIET, settings)) as client:
        assert await client.until(client.has_floor, 60)
        client.say(clip)
        assert await client.until(lambda: bool(client.transcripts), 30)
        heard = client.transcripts[0][1].lower()
        assert "cardiology" in heard and "month" in heard
