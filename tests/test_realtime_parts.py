"""The small parts of the socket's side: outbox, room, tickets, limits, clock, audio."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.audio import Ear, Framer, StreamResampler, from_pcm16, to_pcm16
from workbench.realtime.clock import ExamClock
from workbench.realtime.limits import EVENTS_BURST, EVENTS_PER_S, RateLimit
from workbench.realtime.outbox import MAX_WAITING, ClientTooSlow, Outbox
from workbench.realtime.protocol import ProtocolError
from workbench.realtime.rooms import Room
from workbench.realtime.tickets import TicketError, Tickets, signing_key


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# ---- outbox


async def drain(outbox: Outbox) -> list[dict[str, object]]:
    sent: list[dict[str, object]] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    task = asyncio.create_task(outbox.run(send))
    await asyncio.sleep(0.01)
    task.cancel()
    return sent


async def test_what_a_barge_in_has_overtaken_is_never_sent() -> None:
    outbox = Outbox()
    outbox.attach()
    outbox.put({"n": 1}, 0)
    outbox.put({"n": 2})
    outbox.drop_before(1)
    outbox.put({"n": 3}, 0)
    outbox.put({"n": 4}, 1)
    assert [event["n"] for event in await drain(outbox)] == [2, 4]


async def test_events_for_nobody_are_dropped() -> None:
    outbox = Outbox()
    outbox.put({"n": 1})
    outbox.attach()
    outbox.put({"n": 2})
    assert [event["n"] for event in await drain(outbox)] == [2]


async def test_a_client_that_stops_reading_is_given_up() -> None:
    outbox = Outbox()
    outbox.attach()
    for n in range(MAX_WAITING + 1):
        outbox.put({"n": n})

    async def send(text: str) -> None:
        pass

    with pytest.raises(ClientTooSlow):
        await outbox.run(send)


# ---- room


async def test_a_full_room_tells_each_candidate_their_place_and_seats_them_in_order() -> None:
    room = Room(1)
    told: dict[str, list[int]] = {"b": [], "c": []}
    await room.take_seat("a", lambda position: None)
    b = asyncio.create_task(room.take_seat("b", told["b"].append))
    c = asyncio.create_task(room.take_seat("c", told["c"].append))
    await asyncio.sleep(0)
    assert told == {"b": [1], "c": [2]}
    room.leave("a")
    await b
    assert not c.done() and told["c"][-1] == 1
    room.leave("b")
    await c
    assert room.seated == 1 and room.waiting == 0


async def test_who_leaves_the_line_frees_the_place_and_no_seat_is_lost() -> None:
    room = Room(1)
    told: list[int] = []
    await room.take_seat("a", lambda position: None)
    b = asyncio.create_task(room.take_seat("b", lambda position: None))
    c = asyncio.create_task(room.take_seat("c", told.append))
    await asyncio.sleep(0)
    b.cancel()
    await asyncio.sleep(0)
    assert told[-1] == 1
    room.leave("a")
    await c
    room.leave("c")
    await room.take_seat("d", lambda position: None)
    assert room.seated == 1


async def test_a_session_that_has_a_seat_keeps_it() -> None:
    room = Room(1)
    await room.take_seat("a", lambda position: None)
    await room.take_seat("a", lambda position: None)
    assert room.seated == 1


# ---- tickets


def test_a_ticket_opens_once() -> None:
    tickets = Tickets("key")
    ticket = tickets.mint_ticket({"mode": "exam"})
    assert tickets.use_ticket(ticket) == {"mode": "exam"}
    with pytest.raises(TicketError, match="already used"):
        tickets.use_ticket(ticket)


def test_a_ticket_of_another_key_or_kind_opens_nothing() -> None:
    tickets = Tickets("key")
    with pytest.raises(TicketError, match="not made by this server"):
        tickets.use_ticket(Tickets("other").mint_ticket())
    with pytest.raises(TicketError):
        tickets.open_resume(tickets.mint_ticket())
    assert tickets.open_report(tickets.mint_resume("s")) is None
    assert tickets.open_report(tickets.mint_report("s")) == "s"
    assert tickets.open_resume(tickets.mint_resume("s")) == "s"


def test_the_signing_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = signing_key(tmp_path, None)
    assert signing_key(tmp_path, None) == first and len(first) == 64
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert signing_key(tmp_path, "given") == "given"


# ---- limits and clock


def test_a_burst_is_taken_then_events_are_refused_until_time_has_passed() -> None:
    clock = Clock()
    limit = RateLimit(clock)
    for _ in range(int(EVENTS_BURST)):
        limit.check(10)
    with pytest.raises(ProtocolError, match="events a second"):
        limit.check(10)
    clock.now += 1.0
    for _ in range(int(EVENTS_PER_S)):
        limit.check(10)
    with pytest.raises(ProtocolError):
        limit.check(10)


def test_exam_time_stands_still_in_a_pause() -> None:
    clock = Clock()
    exam = ExamClock(clock, 5.0)
    clock.now += 2
    exam.stop()
    clock.now += 100
    assert exam.now() == pytest.approx(7.0)
    exam.run()
    exam.run()
    clock.now += 1
    assert exam.now() == pytest.approx(8.0)


# ---- audio


@given(st.lists(st.integers(0, 2000), max_size=30))
def test_frames_hold_every_sample_once_whatever_the_chunks(sizes: list[int]) -> None:
    total = np.arange(sum(sizes), dtype=np.float32)
    framer, position, got = Framer(), 0, []
    for size in sizes:
        got += [frame.copy() for frame in framer.push(total[position : position + size])]
        position += size
    joined = np.concatenate(got) if got else np.zeros(0, np.float32)
    assert all(len(frame) == 512 for frame in got)
    assert np.array_equal(joined, total[: len(joined)]) and len(total) - len(joined) < 512


def test_the_ear_gives_back_any_stretch_it_still_holds() -> None:
    ear = Ear(keep_s=0.1)
    sound = np.arange(512 * 40, dtype=np.float32)
    for start in range(0, len(sound), 512):
        ear.push(sound[start : start + 512])
    assert np.array_equal(ear.clip(700, 1900), sound[700:1900])
    assert np.array_equal(ear.clip(-50, 10), sound[:10])
    assert np.array_equal(ear.clip(len(sound) - 5, len(sound) + 100), sound[-5:])
    ear.forget_before(10_000)
    assert np.array_equal(ear.clip(8_500, 12_000), sound[8_500:12_000])
    assert len(ear.clip(0, 500)) == 0


def test_resampling_a_stream_in_pieces_equals_resampling_it_whole() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000).astype(np.float32)
    whole = StreamResampler(24_000, 16_000).process(tone, last=True)
    stream = StreamResampler(24_000, 16_000)
    pieces = [stream.process(part) for part in np.array_split(tone, 37)]
    pieces.append(stream.process(np.zeros(0, np.float32), last=True))
    joined = np.concatenate(pieces)
    assert len(joined) == len(whole) == 16_000
    assert np.allclose(joined, whole, atol=1e-5)


def test_pcm16_survives_a_round_trip_and_loud_sound_is_clipped() -> None:
    sound = np.array([0.0, 0.5, -0.5, 1.5, -1.5], np.float32)
    back = from_pcm16(to_pcm16(sound))
    assert np.allclose(back, [0.0, 0.5, -0.5, 1.0, -1.0], atol=1e-4)
    assert len(from_pcm16(b"\x00\x01\x02")) == 1
