"""A small real server of `/v1/realtime` that follows a script, for tests of the page.

It speaks the events of `workbench.realtime.protocol` over a real WebSocket on the port Gradio serves, with tones for a
voice. A test gives it a script (a coroutine on a `Visit`) and reads what the client sent.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from workbench.realtime import protocol

OUT_HZ = 24_000
AHEAD_S = 0.6
CHUNK_S = 0.1


def tone(seconds: float, hz: float = 440.0, level: float = 0.3) -> np.ndarray:
    """(n_samples,) float32 sine at 24 kHz."""
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * OUT_HZ)) / OUT_HZ)).astype(np.float32)


@dataclass
class Visit:
    """One connection: what came in, and how to answer."""

    socket: WebSocket
    options: dict[str, Any] = field(default_factory=dict)
    audio_formats: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    played: dict[str, int] = field(default_factory=dict)
    underruns: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    frames_at: dict[str, int] = field(default_factory=dict)
    """Frames of sound that had come in when an event of each type last did."""
    closed: bool = False
    elapsed_s: float = 0.0

    @property
    def audio(self) -> np.ndarray:
        """Everything heard of the candidate, (n_samples,) int16 at the session's input rate."""
        return np.concatenate(self.frames) if self.frames else np.zeros(0, np.int16)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Client events of one type, in order."""
        return [event for event in self.events if event["type"] == kind]

    async def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> None:
        """Waits until `condition` holds; it is asked whenever something arrives."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def send(self, event: Any) -> None:
        """Sends a protocol model or a plain event."""
        data = event.model_dump() if hasattr(event, "model_dump") else event
        await self.socket.send_json({"event_id": protocol.new_id("evt"), **data})

    async def state(self, floor: str = "candidate", **more: Any) -> None:
        """Sends a `viva.state`, with what a test does not care about filled in."""
        values: dict[str, Any] = {
            "session_id": "sess_scripted",
            "resume_token": "resume-scripted",
            "phase": "question",
            "mode": self.options.get("mode", "practice"),
            "discipline": self.options.get("discipline", "medical"),
            "area": self.options.get("area"),
            "candidate": self.options.get("candidate"),
            "number": 1,
            "total": 12,
            "elapsed_s": self.elapsed_s,
            "deadline_s": 180.0,
            "recording": True,
        }
        await self.send(protocol.VivaState(floor=floor, **(values | more)))

    async def question(self, number: int, stem: str) -> None:
        """Shows a question."""
        await self.send(
            protocol.VivaQuestion(
                number=number,
                total=12,
                question_id=f"q{number}",
                scenario_title="Chest pain at night",
                scenario="A man of 58 has had central chest pain for two hours. He sweats and is pale.",
                stem=stem,
                deadline_s=180.0 * number,
            )
        )

    async def verdict(self, number: int, verdict: str = "partial", points: float = 6.0) -> None:
        """Marks a question."""
        await self.send(
            protocol.VivaVerdict(
                number=number,
                question_id=f"q{number}",
                verdict=verdict,
                points=points,
                confidence=0.8,
                judge="scripted 1",
                key_points=[
                    protocol.VivaKeyPoint(text="Give aspirin", status="covered", quote="I would give aspirin"),
                    protocol.VivaKeyPoint(text="Record an electrocardiogram", status="missing", quote=""),
                ],
                answer="I would give aspirin",
                model_answer="Give aspirin at once and record an electrocardiogram.",
            )
        )

    async def report(self, score: float = 66.0) -> None:
        """Says where the report is, and that all is over."""
        await self.state("closed", phase="done", number=12)
        await self.send(
            protocol.VivaReport(
                session_id="sess_scripted",
                completed=True,
                score=score,
                max_score=120,
                url="report/sess_scripted.html?token=t",
            )
        )

    async def begin_response(self, response_id: str) -> None:
        """Opens a response."""
        response = {"id": response_id, "object": "realtime.response", "status": "in_progress", "output": []}
        await self.send({"type": "response.created", "response": response})

    async def audio_delta(self, response_id: str, samples: np.ndarray) -> None:
        """Sends one piece of sound."""
        pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
        await self.send(
            {
                "type": "response.output_audio.delta",
                "response_id": response_id,
                "item_id": f"item_{response_id}",
                "output_index": 0,
                "content_index": 0,
                "delta": base64.b64encode(pcm.tobytes()).decode(),
            }
        )

    async def end_response(self, response_id: str, status: str = "completed") -> None:
        """Closes a response."""
        response = {"id": response_id, "object": "realtime.response", "status": status, "output": []}
        await self.send({"type": "response.done", "response": response})

    async def playback(self, action: str, response_id: str) -> None:
        """Orders the client's loudspeaker about."""
        await self.send(protocol.VivaPlayback(action=action, response_id=response_id))

    async def caption(self, response_id: str, text: str, start: int, end: int) -> None:
        """Says when a phrase is heard."""
        await self.send(
            protocol.VivaCaption(
                response_id=response_id, text=text, start_sample=start, end_sample=end, kind="question"
            )
        )

    async def feed(self, response_id: str, samples: np.ndarray) -> None:
        """Sends sound no more than `AHEAD_S` ahead of what the client reports."""
        size = int(CHUNK_S * OUT_HZ)
        for start in range(0, len(samples), size):
            await self.until(lambda s=start: s - self.played.get(response_id, 0) < AHEAD_S * OUT_HZ)  # type: ignore[misc]
            await self.audio_delta(response_id, samples[start : start + size])
        await self.send({"type": "response.output_audio.done", "response_id": response_id})

    async def speak(self, response_id: str, text: str, samples: np.ndarray) -> None:
        """Speaks one phrase to its end."""
        await self.begin_response(response_id)
        await self.caption(response_id, text, 0, len(samples))
        await self.feed(response_id, samples)
        await self.until(lambda: self.played.get(response_id, 0) >= len(samples))
        await self.end_response(response_id)

    async def typed(self) -> str:
        """Waits for the next typed answer."""
        before = len(self.of_type("response.create"))
        await self.until(lambda: len(self.of_type("response.create")) > before, 60)
        return str(self.of_type("conversation.item.create")[-1]["item"]["content"][0]["text"])


Script = Callable[[Visit], Awaitable[None]]


async def short_viva(visit: Visit) -> None:
    """Two questions answered by keyboard, two verdicts, a report."""
    for number, stem in ((1, "What do you do first?"), (2, "Which test confirms it?")):
        await visit.question(number, stem)
        await visit.state("examiner", number=number, deadline_s=None)
        await visit.speak(f"resp_{number}", stem, tone(0.8, 300 + 100 * number))
        await visit.state("candidate", number=number)
        answer = await visit.typed()
        await visit.state("thinking", number=number, deadline_s=None)
        await visit.verdict(number, "correct" if "aspirin" in answer else "incorrect", 10 if "aspirin" in answer else 0)
    await visit.report(10)


class ScriptedServer:
    """Follows `script` with every visitor; `visits` keeps what each of them sent."""

    def __init__(self) -> None:
        self.script: Script = short_viva
        self.visits: list[Visit] = []
        self.refuse: int | None = None
        """Close code with which the next visitors are turned away, None to let them in."""
        self.minted: list[dict[str, Any]] = []
        self.stored: dict[str, Any] = {}
        """The report as JSON."""
        self.recording = Path()
        """The file the report's recording is."""
        self.loop: asyncio.AbstractEventLoop
        """The loop the latest visitor is served on."""

    @property
    def visit(self) -> Visit:
        """The latest visitor."""
        return self.visits[-1]

    def mint_ticket(self, _request: Any, options: dict[str, Any]) -> str:
        """A ticket, as the page asks for one."""
        self.minted.append(dict(options))
        return f"ticket-{len(self.minted)}"

    def routes(self) -> list[BaseRoute]:
        """Routes beside the page's own."""
        return [
            WebSocketRoute("/v1/realtime", self._endpoint),
            Route("/report/{name}", self._report),
        ]

    async def _report(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name.endswith(".json"):
            return JSONResponse(self.stored)
        if name.endswith(".wav"):
            return FileResponse(self.recording)
        if name.endswith(".csv"):
            return PlainTextResponse("number,points\n1,10\n", media_type="text/csv")
        return HTMLResponse("<h1>Report</h1>")

    async def _endpoint(self, socket: WebSocket) -> None:
        await socket.accept()
        if self.refuse is not None:
            await socket.close(self.refuse)
            return
        self.loop = asyncio.get_running_loop()
        visit = Visit(socket)
        self.visits.append(visit)
        await visit.send({"type": "session.created", "session": {"id": "sess_scripted"}})
        script: asyncio.Task[None] | None = None
        try:
            while True:
                event = protocol.parse_client_event(await socket.receive_text()).model_dump(mode="json")
                self._take(visit, event)
                if event["type"] == "session.update":
                    await visit.send({"type": "session.updated", "session": event["session"]})
                    if script is None:
                        script = asyncio.create_task(self._follow(visit))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            visit.closed = True
            visit.changed.set()
            if script is not None:
                script.cancel()

    async def _follow(self, visit: Visit) -> None:
        try:
            await self.script(visit)
        except (WebSocketDisconnect, RuntimeError):
            pass

    @staticmethod
    def _take(visit: Visit, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "input_audio_buffer.append":
            visit.frames.append(np.frombuffer(base64.b64decode(event["audio"]), "<i2"))
        elif kind == "viva.played":
            visit.played[event["response_id"]] = event["n_samples"]
            visit.underruns[event["response_id"]] = event["underruns"]
            visit.events.append(event)
        else:
            visit.events.append(event)
        if kind == "session.update":
            visit.options = event["session"]["viva"] or {}
            visit.audio_formats = event["session"]["audio"]
        visit.frames_at[kind] = len(visit.frames)
        visit.changed.set()
