"""The simulated page against a tiny server that follows a script: what it sends, plays, obeys and measures."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
import websockets

from workbench.audio import from_pcm16, to_pcm16
from workbench.simulate.client import Disconnected, VivaClient
from workbench.simulate.sound import Clip, room_tone, voiced_bounds
from workbench.simulate.timing import first_sample_made, reply_to, timing_of

RATE = 24_000


class Server:
    """One client's visit to a scripted server."""

    def __init__(self, socket) -> None:
        self.socket = socket
        self.events: list[dict] = []
        self.audio: list[np.ndarray] = []
        self.arrived = asyncio.Event()

    async def read(self) -> None:
        async for text in self.socket:
            event = json.loads(text)
            if event["type"] == "input_audio_buffer.append":
                self.audio.append(from_pcm16(base64.b64decode(event["audio"])))
            else:
                self.events.append(event)
            self.arrived.set()
            self.arrived.clear()

    async def send(self, kind: str, /, **fields) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def sound(self, response_id: str, samples: np.ndarray) -> None:
        delta = base64.b64encode(to_pcm16(samples)).decode()
        await self.send("response.output_audio.delta", response_id=response_id, delta=delta)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["type"] == kind]


@asynccontextmanager
async def tiny_server(script: Callable[[Server], Awaitable[None]]) -> AsyncIterator[tuple[str, list[Server]]]:
    visits: list[Server] = []

    async def visit(socket) -> None:
        server = Server(socket)
        visits.append(server)
        reader = asyncio.create_task(server.read())
        await server.until(lambda: bool(server.of("session.update")))
        await script(server)
        await reader

    async with websockets.serve(visit, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime", visits


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


async def nothing(server: Server) -> None:
    await server.send("session.created")


async def begin_response(server: Server, response_id: str) -> None:
    await server.send("response.created", response={"id": response_id})


async def end_response(server: Server, response_id: str, status: str = "completed") -> None:
    await server.send("response.output_audio.done", response_id=response_id)
    await server.send("response.done", response={"id": response_id, "status": status})


async def test_the_first_event_declares_the_exam_the_formats_and_playback():
    async with tiny_server(nothing) as (url, visits):
        async with VivaClient(url, {"mode": "talk", "seed": 4}, input_hz=16_000) as client:
            await client.until(lambda: bool(visits[0].of("session.update")), 5)
        session = visits[0].of("session.update")[0]["session"]
        assert session["viva"] == {"mode": "talk", "seed": 4, "playback": True}
        assert session["audio"]["input"]["format"]["rate"] == 16_000
        assert session["audio"]["output"]["format"]["rate"] == 24_000


async def test_its_events_are_legal_in_the_protocol():
    from workbench.realtime.protocol import parse_client_event

    client = VivaClient("ws://nowhere", {"mode": "practice", "consent": True, "candidate": "A"})
    parse_client_event(json.dumps(client.session_update()))

    async def script(server: Server) -> None:
        await begin_response(server, "r")
        await server.sound("r", tone(0.3))

    async with tiny_server(script) as (url, visits):
        async with VivaClient(url, {}) as client:
            await client.type("an answer")
            await client.press("repeat")
            await asyncio.sleep(0)
            await visits[0].until(lambda: bool(visits[0].of("viva.played")) and bool(visits[0].of("viva.command")))
        for event in visits[0].events:
            parse_client_event(json.dumps(event))


async def test_the_microphone_sends_its_room_while_nobody_talks_and_the_clip_where_it_was_said():
    async with tiny_server(nothing) as (url, visits):
        clip = Clip.of(tone(0.3, 16_000), "words")
        async with VivaClient(url, {}, background=room_tone(0)) as client:
            await visits[0].until(lambda: len(visits[0].audio) > 5)
            spoken = client.say(clip, after_s=0.1)
            await client.sleep_until(spoken.end_s + 0.1)
            origin_s = client._origin_s
        stream = np.concatenate(visits[0].audio)
        assert stream[: 5 * 320].any(), "the room is not silent"
        first, last = voiced_bounds(stream)
        assert origin_s + first / 16_000 == pytest.approx(spoken.first_voiced_s, abs=0.011)
        assert origin_s + last / 16_000 == pytest.approx(spoken.last_voiced_s, abs=0.011)


async def test_a_typing_candidate_sends_no_sound():
    async with tiny_server(nothing) as (url, visits):
        async with VivaClient(url, {}, microphone=False) as client:
            await client.type("an answer")
            await visits[0].until(lambda: bool(visits[0].of("response.create")))
            with pytest.raises(RuntimeError, match="type instead"):
                client.say(Clip.of(tone(0.1), ""))
        assert visits[0].audio == []
        [item] = visits[0].of("conversation.item.create")
        assert item["item"]["content"] == [{"type": "input_text", "text": "an answer"}]


async def test_pause_resume_and_clear_are_obeyed_and_reported():
    async def script(server: Server) -> None:
        await begin_response(server, "r1")
        await server.sound("r1", tone(5))
        await server.until(lambda: bool(server.of("viva.played")))
        await server.send("viva.playback", action="pause", response_id="r1")
        paused_at = len(server.of("viva.played"))
        await asyncio.sleep(0.5)
        reports = server.of("viva.played")[paused_at:]
        assert len({event["n_samples"] for event in reports}) <= 1
        await server.send("viva.playback", action="resume", response_id="r1")
        before = server.of("viva.played")[-1]["n_samples"]
        await server.until(lambda: server.of("viva.played")[-1]["n_samples"] > before)
        await server.send("viva.playback", action="clear", response_id="r1")
        await end_response(server, "r1", "cancelled")

    async with tiny_server(script) as (url, _):
        async with VivaClient(url, {}) as client:
            assert await client.until(lambda: bool(client.responses) and not client.speaking(), 10)
            assert client.responses["r1"].status == "cancelled"
            heard = client.playout.responses["r1"]
            assert 0 < heard.played < 5 * RATE
            assert [action for _, action, _ in client.playbacks] == ["pause", "resume", "clear"]


async def test_the_examiner_holds_the_floor_until_its_sound_has_been_heard():
    async def script(server: Server) -> None:
        await begin_response(server, "r1")
        await server.sound("r1", tone(0.4))
        await end_response(server, "r1")
        await server.send("viva.state", floor="candidate", phase="question")

    async with tiny_server(script) as (url, _):
        async with VivaClient(url, {}) as client:
            await client.until(lambda: client.state.get("floor") == "candidate", 5)
            assert not client.has_floor()
            assert await client.until(client.has_floor, 5)
            assert client.playout.responses["r1"].played == int(0.4 * RATE)


async def test_a_closed_connection_is_an_error_for_those_who_wait():
    async def script(server: Server) -> None:
        await server.socket.close(1013, "too far behind")

    async with tiny_server(script) as (url, _):
        async with VivaClient(url, {}) as client:
            with pytest.raises(Disconnected, match="1013 too far behind"):
                await client.until(client.over, 10)


async def test_the_waiting_time_runs_from_the_last_voiced_sample_to_the_first_made_for_the_answer():
    """A canned opener of half a second comes first; its words do not count."""

    async def script(server: Server) -> None:
        await server.until(lambda: len(server.audio) > 40)
        await begin_response(server, "r1")
        event = {**latency(False, "moment"), "patience_ms": 500.0, "sent_ms": 520.0}
        await server.send("viva.latency", **event)
        for kind, start, end in (("moment", 0, 12_000), ("feedback", 12_000, 24_000)):
            await server.send(
                "viva.caption", response_id="r1", text="words", start_sample=start, end_sample=end, kind=kind
            )
        await server.sound("r1", tone(1.0))
        await end_response(server, "r1")

    async with tiny_server(script) as (url, _):
        async with VivaClient(url, {}) as client:
            spoken = client.say(Clip.of(tone(0.2, 16_000), "words"))
            await client.until(lambda: bool(client.responses) and not client.speaking(), 10)
            timing = timing_of(client, spoken)
            response = reply_to(client, spoken)
            assert response is not None
            first = client.playout.time_of("r1", 0)
            assert timing.first_sound_ms == pytest.approx((first - spoken.last_voiced_s) * 1000, abs=6)
            assert timing.voice_to_voice_ms == pytest.approx(timing.first_sound_ms + 500, abs=6)
            assert timing.beyond_endpoint_ms == pytest.approx(timing.voice_to_voice_ms - 500)
            assert not timing.cut_off


async def test_a_reply_before_the_answer_has_ended_is_a_cut_off():
    async def script(server: Server) -> None:
        await server.until(lambda: len(server.audio) > 20)
        await begin_response(server, "r1")
        await server.sound("r1", tone(0.1))
        await end_response(server, "r1")

    async with tiny_server(script) as (url, _):
        async with VivaClient(url, {}) as client:
            spoken = client.say(Clip.of(tone(2.0, 16_000), "a long answer"))
            await client.sleep_until(spoken.end_s)
            await client.until(lambda: bool(client.responses), 5)
            assert timing_of(client, spoken).cut_off


def latency(made: bool, first_kind: str, mode: str = "practice", llm_sentence_ms: float | None = None) -> dict:
    return {"made_for_answer": made, "first_kind": first_kind, "mode": mode, "llm_sentence_ms": llm_sentence_ms}


@pytest.mark.parametrize(
    ("event", "kinds", "expected"),
    [
        pytest.param(latency(True, "feedback"), ["feedback"], 0, id="feedback"),
        pytest.param(latency(False, "apology"), ["apology"], None, id="an apology"),
        pytest.param(latency(True, "talk", "talk"), ["talk"], None, id="the fallback of a model that failed"),
        pytest.param(latency(True, "talk", "talk", 90.0), ["talk"], 0, id="the model's words"),
        pytest.param(latency(False, "moment"), ["moment", "feedback"], 1000, id="feedback behind a filler"),
        pytest.param(latency(False, "acknowledge", "exam"), ["acknowledge", "question"], None, id="the next question"),
        pytest.param(None, [], None, id="no event"),
    ],
)
def test_only_words_about_the_answer_count(event, kinds, expected):
    captions = [{"kind": kind, "start_sample": 1000 * i} for i, kind in enumerate(kinds)]
    assert first_sample_made(captions, event) == expected
