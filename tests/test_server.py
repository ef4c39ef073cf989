"""The socket as clients see it: who may come in, what mistakes are answered with, seats, coming back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect

from tests.scripted_engines import Vocabulary
from tests.test_conversation import make_services
from workbench.audio import to_pcm16
from workbench.ports import free_port
from workbench.realtime.protocol import MAX_EVENT_BYTES
from workbench.realtime.server import RealtimeServer
from workbench.settings import Settings

READY = {"area": "cardiology", "candidate": "Ada", "consent": True, "seed": 1}


class Client:
    """A socket and everything that came over it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []

    async def send(self, **event: Any) -> None:
        await self.socket.send(json.dumps(event))

    async def start(self, **viva: Any) -> None:
        audio = {
            "input": {"format": {"type": "audio/pcm", "rate": 16000}},
            "output": {"format": {"type": "audio/pcm", "rate": 16000}},
        }
        session = {"type": "realtime", "audio": audio, "viva": {**READY, **viva}}
        await self.send(type="session.update", session=session)

    async def command(self, *names: str) -> None:
        for name in names:
            await self.send(type="viva.command", command=name)

    async def type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send(type="conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send(type="response.create")

    async def until(self, kind: str, check: Callable[[dict[str, Any]], bool] = lambda event: True) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                event = json.loads(await self.socket.recv())
                self.events.append(event)
                if event["type"] == kind and check(event):
                    return event

    async def error(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.until("error"))["error"]
        return found


class Running:
    def __init__(self, server: RealtimeServer, port: int) -> None:
        self.server = server
        self.url = f"ws://127.0.0.1:{port}/v1/realtime"

    @asynccontextmanager
    async def client(self, query: str = "", **options: Any) -> AsyncIterator[Client]:
        async with connect(self.url + query, max_size=None, **options) as socket:
            yield Client(socket)


@asynccontextmanager
async def running(settings: Settings, **changes: Any) -> AsyncIterator[Running]:
    settings = settings.model_copy(update=changes)
    server = RealtimeServer(make_services(settings, Vocabulary()))
    port = free_port()
    app = Starlette(routes=server.routes())
    web = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws_max_size=2**24))
    task = asyncio.create_task(web.serve())
    while not web.started:
        await asyncio.sleep(0.01)
    try:
        yield Running(server, port)
    finally:
        await server.close()
        web.should_exit = True
        await task


async def test_a_client_is_told_its_session_and_the_examiner_speaks_when_the_viva_is_chosen(settings: Settings) -> None:
    async with running(settings) as server, server.client() as client:
        created = await client.until("session.created")
        assert created["session"]["type"] == "realtime"
        await client.start()
        await client.until("session.updated")
        state = await client.until("viva.state")
        assert state["resume_token"] and state["total"] == 12
        await client.until("response.output_audio.delta")


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ("{", "(event)"),
        ("[]", "(event)"),
        ('{"type": "nonsense"}', "type"),
        ('{"type": "session.update"}', "session"),
        ('{"type": "session.update", "session": {"viva": {"mode": "easy"}}}', "session.viva.mode"),
        ('{"type": "session.update", "session": {"viva": {"moode": "exam"}}}', "session.viva.moode"),
        ('{"type": "session.update", "session": {"viva": {"discipline": "astrology"}}}', "session.viva.discipline"),
        ('{"type": "session.update", "session": {"viva": {"area": "toes"}}}', "session.viva.area"),
        ('{"type": "session.update", "session": {"viva": {"resume": "forged"}}}', "session.viva.resume"),
        ('{"type": "viva.command", "command": "repeat"}', "type"),
        ('{"type": "viva.played", "response_id": "x", "n_samples": -1}', "n_samples"),
        ("[" * 50_000, "(event)"),
    ],
)
async def test_a_malformed_event_is_answered_with_the_field_and_the_session_goes_on(
    settings: Settings, event: str, param: str
) -> None:
    async with running(settings) as server, server.client() as client:
        await client.socket.send(event)
        error = await client.error()
        assert error["param"] == param and error["message"] and error["type"] == "invalid_request_error"
        await client.start()
        await client.until("viva.state")


async def test_errors_carry_the_id_of_the_event_they_answer(settings: Settings) -> None:
    async with running(settings) as server, server.client() as client:
        await client.send(type="viva.command", command="fly", event_id="mine")
        assert (await client.error())["event_id"] == "mine"


async def test_mistakes_inside_a_viva_are_answered_and_do_not_disturb_it(settings: Settings) -> None:
    async with running(settings) as server, server.client() as client:
        await client.start()
        await client.until("viva.state")
        for event, param in (
            ({"type": "input_audio_buffer.append", "audio": "not base64!"}, "audio"),
            ({"type": "viva.area", "area": "toes"}, "area"),
            ({"type": "session.update", "session": {"viva": READY}}, "session.viva"),
        ):
            await client.send(**event)
            assert (await client.error())["param"] == param
        await client.socket.send(b"\x00" * 100)
        assert (await client.error())["code"] == "binary_frame"
        await client.socket.send("x" * (MAX_EVENT_BYTES + 1))
        assert (await client.error())["code"] == "event_too_large"
        await client.until("viva.question")


async def test_another_web_origin_is_turned_away_and_a_listed_one_is_not(settings: Settings) -> None:
    async with running(settings, allowed_origins="https://good.example") as server:
        with pytest.raises(websockets.exceptions.InvalidStatus):
            async with server.client(origin="https://evil.example"):
                pass
        async with server.client(origin="https://good.example") as client:
            await client.until("session.created")


async def test_behind_a_proxy_a_ticket_is_needed_and_opens_once(settings: Settings) -> None:
    forwarded = {"additional_headers": {"X-Forwarded-For": "203.0.113.9"}}
    async with running(settings) as server:
        async with server.client(**forwarded) as client:
            await client.start()
            assert (await client.error())["code"] == "ticket_needed"
        ticket = server.server.services.tickets.mint_ticket()
        async with server.client(**forwarded) as client:
            await client.start(ticket=ticket)
            await client.until("viva.state")
        async with server.client(**forwarded) as client:
            await client.start(ticket=ticket)
            assert "already used" in (await client.error())["message"]


async def test_a_resume_token_stands_in_for_the_ticket_that_is_used_up(settings: Settings) -> None:
    forwarded = {"additional_headers": {"X-Forwarded-For": "203.0.113.9"}}
    async with running(settings) as server:
        async with server.client(**forwarded) as client:
            await client.start(ticket=server.server.services.tickets.mint_ticket())
            token = (await client.until("viva.state"))["resume_token"]
        async with server.client(**forwarded) as client:
            await client.start(resume=token)
            assert (await client.until("viva.state"))["resume_token"]


@pytest.mark.parametrize("way", ["bearer", "query"])
async def test_a_ticket_travels_as_bearer_or_in_the_address(settings: Settings, way: str) -> None:
    async with running(settings) as server:
        ticket = server.server.services.tickets.mint_ticket()
        headers = {"X-Forwarded-For": "203.0.113.9"}
        query = ""
        if way == "bearer":
            headers["Authorization"] = f"Bearer {ticket}"
        else:
            query = f"?ticket={ticket}"
        async with server.client(query, additional_headers=headers) as client:
            await client.start()
            await client.until("viva.state")


async def test_a_full_room_tells_the_place_in_line_and_seats_the_next(settings: Settings) -> None:
    async with running(settings, max_sessions=1) as server:
        async with server.client() as second:
            async with server.client() as first:
                await first.start()
                first_state = await first.until("viva.state")
                await second.start()
                assert (await second.until("viva.queue"))["position"] == 1
            conversation = server.server.conversations[first_state["session_id"]]
            await conversation.close()  # what the grace period would do
            await second.until("viva.state")


async def test_a_lost_connection_goes_on_where_it_was(settings: Settings) -> None:
    async with running(settings) as server:
        async with server.client() as client:
            await client.start()
            token = (await client.until("viva.state"))["resume_token"]
            await client.until("viva.question")
            await client.send(
                type="conversation.item.create",
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "aspirin, an ecg, the senior"}],
                },
            )
            await client.send(type="response.create")
            await client.until("viva.verdict")
        async with server.client() as client:
            await client.start(resume=token)
            question = await client.until("viva.question")
            assert question["number"] == 2
            assert (await client.until("viva.verdict"))["number"] == 1
            await client.until("response.output_audio.delta")


async def test_a_second_window_takes_the_viva_over_and_the_first_is_told(settings: Settings) -> None:
    async with running(settings) as server, server.client() as first:
        await first.start()
        token = (await first.until("viva.state"))["resume_token"]
        async with server.client() as second:
            await second.start(resume=token)
            await second.until("viva.state")
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                while True:
                    await asyncio.wait_for(first.socket.recv(), 10)
            assert "another window" in str(closed.value)


async def test_the_candidates_sound_is_taken_at_16_and_24_khz(settings: Settings) -> None:
    for rate in (16_000, 24_000):
        async with running(settings) as server, server.client() as client:
            audio = {side: {"format": {"type": "audio/pcm", "rate": rate}} for side in ("input", "output")}
            await client.send(type="session.update", session={"type": "realtime", "audio": audio, "viva": READY})
            state = await client.until("viva.state")
            conversation = server.server.conversations[state["session_id"]]
            sound = base64.b64encode(to_pcm16(np.zeros(rate, np.float32))).decode()
            await client.send(type="input_audio_buffer.append", audio=sound)
            await client.send(type="viva.command", command="fly")
            await client.error()
            assert abs(conversation.listener.ear.n_samples - 16_000) <= 1200


async def test_a_viva_starts_by_itself_for_a_client_that_only_sends_sound(settings: Settings) -> None:
    async with running(settings) as server, server.client() as client:
        silence = base64.b64encode(bytes(4800)).decode()
        await client.send(type="input_audio_buffer.append", audio=silence)
        state = await client.until("viva.state")
        assert state["mode"] == "practice"
