"""Playout: pacing, pausing, clearing, and what counts as heard."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import numpy as np
import pytest

from workbench.realtime.playout import AHEAD_S, CHUNK_S, Heard, Playout, Reply

RATE_HZ = 24_000


class Listener:
    """Takes a playout's events and counts the sound in them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.ended: list[Heard] = []

    def emit(self, event: dict[str, Any], generation: int | None = None) -> None:
        self.events.append(event)

    async def end(self, heard: Heard) -> None:
        self.ended.append(heard)

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def n_samples(self) -> int:
        deltas = [e["delta"] for e in self.events if e["type"] == "response.output_audio.delta"]
        return sum(len(base64.b64decode(delta)) // 2 for delta in deltas)


def reply_of(seconds: float, text: str = "one two three four") -> Reply:
    reply = Reply()
    reply.begin(text, "question")
    reply.add(np.full(int(seconds * RATE_HZ), 0.1, np.float32))
    reply.finish()
    return reply


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def playout(listener: Listener, clock: Any, *, reports: bool = True) -> Playout:
    return Playout(listener.emit, rate_hz=RATE_HZ, reports=reports, clock=clock, on_end=listener.end)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_than_the_allowed_lead_is_sent_before_the_clock_moves() -> None:
    listener, clock = Listener(), Clock()
    out = playout(listener, clock)
    out.play(reply_of(5.0))
    await settle()
    assert AHEAD_S * RATE_HZ <= listener.n_samples() <= (AHEAD_S + CHUNK_S) * RATE_HZ
    out.abandon()


async def test_a_pause_stops_the_count_of_what_is_heard_and_a_resume_goes_on_from_there() -> None:
    listener, clock = Listener(), Clock()
    out = playout(listener, clock)
    out.play(reply_of(5.0))
    await settle()
    clock.now += 0.2
    out.pause()
    clock.now += 3.0
    assert out.played() == pytest.approx(0.2 * RATE_HZ, abs=1)
    assert not out.speaking and out.busy
    out.resume()
    clock.now += 0.1
    assert out.played() == pytest.approx(0.3 * RATE_HZ, abs=1)
    assert [e["action"] for e in listener.events if e["type"] == "viva.playback"] == ["pause", "resume"]
    out.abandon()


async def test_the_clients_report_wins_over_the_clock() -> None:
    listener, clock = Listener(), Clock()
    out = playout(listener, clock)
    reply = reply_of(5.0)
    out.play(reply)
    await settle()
    clock.now += 0.5
    out.report(reply.response_id, 4800, 0)
    assert out.played() == 4800
    out.report("resp_of_another", 9600, 0)
    assert out.played() == 4800
    out.abandon()


async def test_never_more_is_heard_than_was_sent() -> None:
    listener, clock = Listener(), Clock()
    out = playout(listener, clock)
    reply = reply_of(5.0)
    out.play(reply)
    await settle()
    clock.now += 60
    assert out.played() == listener.n_samples()
    out.report(reply.response_id, 10**9, 0)
    assert out.played() == listener.n_samples()
    out.abandon()


async def test_clearing_cancels_the_response_and_keeps_only_the_words_that_were_heard() -> None:
    listener, clock = Listener(), Clock()
    out = playout(listener, clock)
    out.play(reply_of(4.0, "alpha bravo charlie delta"))
    await settle()
    generation = out.generation
    clock.now += 0.5
    heard = await out.clear()
    assert heard is not None and heard.interrupted
    assert heard.text == "alpha"
    assert out.generation == generation + 1
    done = [e for e in listener.events if e["type"] == "response.done"]
    assert done[0]["response"]["status"] == "cancelled"
    sent = listener.n_samples()
    clock.now += 10
    await settle()
    assert listener.n_samples() == sent
    assert await out.clear() is None


async def test_a_reply_heard_to_the_end_is_completed_with_all_its_words() -> None:
    loop_clock = asyncio.get_running_loop().time
    listener = Listener()
    out = playout(listener, loop_clock, reports=False)
    out.play(reply_of(0.3))
    while not listener.ended:
        await asyncio.sleep(0.02)
    assert listener.ended[0].text == "one two three four"
    assert not listener.ended[0].interrupted
    assert listener.kinds()[-1] == "response.done"
    assert listener.n_samples() == int(0.3 * RATE_HZ)
    expected = [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
    ]
    assert listener.kinds()[:4] == expected


async def test_sound_made_while_playing_is_played_in_order_without_loss() -> None:
    listener = Listener()
    out = playout(listener, asyncio.get_running_loop().time, reports=False)
    reply = Reply()
    reply.begin("first", "feedback")
    out.play(reply)
    ramp = np.linspace(-0.5, 0.5, RATE_HZ // 2, dtype=np.float32)
    for part in np.array_split(ramp, 7):
        reply.add(part)
        await asyncio.sleep(0.01)
    reply.finish()
    while not listener.ended:
        await asyncio.sleep(0.02)
    deltas = [e["delta"] for e in listener.events if e["type"] == "response.output_audio.delta"]
    heard = np.concatenate([np.frombuffer(base64.b64decode(d), "<i2") for d in deltas])
    assert np.array_equal(heard, (ramp * 32767).astype("<i2"))


async def test_captions_name_every_phrase_with_its_place() -> None:
    listener = Listener()
    out = playout(listener, asyncio.get_running_loop().time, reports=True)
    reply = Reply()
    for text in ("First phrase.", "Second phrase."):
        reply.begin(text, "question")
        reply.add(np.full(2400, 0.1, np.float32))
    reply.finish()
    out.play(reply)
    while not listener.ended:
        await asyncio.sleep(0.02)
    captions = [e for e in listener.events if e["type"] == "viva.caption"]
    assert [(c["text"], c["start_sample"], c["end_sample"]) for c in captions] == [
        ("First phrase.", 0, 2400),
        ("Second phrase.", 2400, 4800),
    ]


async def test_a_second_reply_cannot_start_over_the_first() -> None:
    out = playout(Listener(), Clock())
    out.play(reply_of(1.0))
    with pytest.raises(RuntimeError, match="clear it first"):
        out.play(reply_of(1.0))
    out.abandon()


async def test_sound_that_has_been_made_does_not_wait_for_a_full_chunk() -> None:
    listener = Listener()
    out = playout(listener, time.monotonic)
    reply = Reply()
    reply.begin("A word", "talk")
    out.play(reply)
    n_made = int(1.5 * CHUNK_S * RATE_HZ)
    reply.add(np.full(n_made, 0.1, np.float32))
    await settle()
    assert listener.n_samples() == n_made
    out.abandon()
