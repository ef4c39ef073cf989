"""Small real servers that speak the wire formats of model servers, with the failures real ones have.

Each is an ordinary ASGI application on an ephemeral loopback port; `Seen` is what it noticed of its client.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from workbench.audio import to_pcm16


@dataclass
class Seen:
    """What a server noticed."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    speaking: int = 0
    most_speaking: int = 0


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serves an application; yields its address without a scheme, `127.0.0.1:43210`."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


def tone(seconds: float, rate_hz: int = 24_000, silence_s: float = 0.0) -> np.ndarray:
    """A 220 Hz tone after some silence, (n_samples,) float32."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.concatenate([np.zeros(round(silence_s * rate_hz)), 0.3 * np.sin(2 * np.pi * 220 * t)]).astype(np.float32)


@dataclass
class ChatServer:
    """`/v1/chat/completions` and `/v1/models`.

    Attributes:
        pieces: What it says, one event each.
        failures: Statuses answered before the first success.
        cut_after: Events after which it closes the connection in the middle of a chunk.
        stall_after: Events after which it says nothing more.
        error_after: Events after which it reports an error inside the stream.
    """

    pieces: tuple[str, ...] = ("Thank ", "you, ", "that is ", "clear.")
    failures: list[int] = field(default_factory=list)
    cut_after: int | None = None
    stall_after: int | None = None
    error_after: int | None = None
    pause_s: float = 0.0
    models: tuple[str, ...] = ("viva-examiner", "base")
    seen: Seen = field(default_factory=Seen)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.seen.requests.append(body)
        self.seen.headers.append(dict(request.headers))
        if self.failures:
            status = self.failures.pop(0)
            return JSONResponse({"error": {"message": f"echo {body['messages']}"}}, status_code=status)
        if body["model"] not in self.models:
            return JSONResponse({"error": {"message": "unknown model"}}, status_code=404)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            yield _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
            for i, piece in enumerate(self.pieces):
                if i == self.cut_after:
                    raise ConnectionResetError("cut on purpose")
                if i == self.stall_after:
                    await asyncio.sleep(30)
                if i == self.error_after:
                    yield _event({"error": {"message": "out of memory", "code": 500}})
                    return
                event = _event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
                middle = len(event) // 2  # events do not respect the borders of packets
                yield event[:middle]
                await asyncio.sleep(self.pause_s)
                yield event[middle:]
                self.seen.sent += 1
            yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            yield b": a comment\n\ndata: [DONE]\n\n"
        except asyncio.CancelledError:
            self.seen.left.set()
            raise


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


@dataclass
class LabelServer:
    """`/v1/chat/completions` with log-probabilities, of models that know a few replies.

    It checks and answers as vLLM does; `MAX_LISTED` and the checks are those of its `ChatCompletionRequest`.

    Attributes:
        replies: By model: replies as their tokens, each with its log-probability after what stands before it.
        reads_prompts: Whether it knows `prompt_logprobs`; False ignores it, "refuses" answers with 400.
        names: Whether it tells the tokens of a prompt, and the probability of tokens that are named.
        lists: Alternatives it lists; 0 reports no log-probabilities at all.
        failures: Statuses answered before the first success.
        wait_s: Time each answer takes.
    """

    replies: dict[str, list[list[tuple[str, float]]]] = field(default_factory=dict)
    reads_prompts: bool | str = True
    names: bool = False
    lists: int = 20
    failures: list[int] = field(default_factory=list)
    wait_s: float = 0.0
    seen: Seen = field(default_factory=Seen)

    MAX_LISTED = 20

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
                *([Route("/tokenize", self._tokenize, methods=["POST"])] if self.names else ()),
            ]
        )

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"data": [{"id": name} for name in self.replies]})

    async def _tokenize(self, request: Request) -> Response:
        body = await request.json()
        *before, last = body["messages"]
        continues = body.get("continue_final_message", False)
        if continues:
            reply = next(r for r in self.replies[body["model"]] if "".join(t for t, _ in r) == last["content"])
        said = before if continues else body["messages"]
        own = [_id(token) for token, _ in reply] if continues else []
        return JSONResponse({"tokens": [*(_id(message["content"]) for message in said), 1, *own]})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.seen.requests.append(body)
        await asyncio.sleep(self.wait_s)
        if self.failures:
            return JSONResponse({"error": {"message": f"echo {body['messages']}"}}, status_code=self.failures.pop(0))
        if body["model"] not in self.replies:
            return JSONResponse({"error": {"message": "unknown model"}}, status_code=404)
        opens = body.get("add_generation_prompt", True)
        continues = body.get("continue_final_message", False)
        if (
            (opens and continues)
            or body.get("top_logprobs", 0) > self.MAX_LISTED
            or (body.get("top_logprobs") and not body.get("logprobs"))
            or (self.reads_prompts == "refuses" and continues)
        ):
            return JSONResponse({"error": {"message": f"echo {body['messages']}"}}, status_code=400)
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": ""}, "logprobs": None}
        if body.get("logprobs") and self.lists:
            first = dict(reply[0] for reply in self.replies[body["model"]])
            ranked = sorted(first.items(), key=lambda item: -item[1])[: min(self.lists, body["top_logprobs"])]
            if self.names and body.get("logprob_token_ids"):
                ranked = [item for item in first.items() if _id(item[0]) in body["logprob_token_ids"]]
            alternatives = [{"token": token, "logprob": value, "bytes": None} for token, value in ranked]
            choice["logprobs"] = {"content": [{**alternatives[0], "top_logprobs": alternatives}]}
        answer = {"object": "chat.completion", "model": body["model"], "choices": [choice], "prompt_logprobs": None}
        if body.get("prompt_logprobs") is not None and self.reads_prompts is True:
            answer["prompt_logprobs"] = self._prompt(body["model"], body["messages"])
        return JSONResponse(answer)

    def _prompt(self, model: str, messages: list[dict[str, str]]) -> list[dict[str, Any] | None]:
        *before, last = messages
        given = [(token, -3.0) for message in before for token in (message["role"], *message["content"].split())]
        own = next(reply for reply in self.replies[model] if "".join(token for token, _ in reply) == last["content"])
        return [None] + [
            {str(_id(token)): {"logprob": value, "rank": 1, "decoded_token": token}}
            for token, value in (*given[1:], ("assistant", -0.1), *own)
        ]


def _id(token: str) -> int:
    return sum(token.encode())


@dataclass
class SpeechServer:
    """`/v1/audio/speech`.

    Attributes:
        body: The bytes of its sound, header and all.
        chunk_bytes: Length of its chunks; an odd number cuts samples in two.
        content_type: What it says it sends.
        failures: Statuses answered before the first success.
        cut_after: Chunks after which it closes the connection.
    """

    body: bytes = b""
    chunk_bytes: int = 997
    content_type: str = "audio/pcm"
    failures: list[int] = field(default_factory=list)
    cut_after: int | None = None
    pause_s: float = 0.0
    seen: Seen = field(default_factory=Seen)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(routes=[Route("/v1/audio/speech", self._speak, methods=["POST"])])

    async def _speak(self, request: Request) -> Response:
        self.seen.requests.append(await request.json())
        if self.failures:
            return JSONResponse({}, status_code=self.failures.pop(0))
        return StreamingResponse(self._chunks(), media_type=self.content_type)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            for i, start in enumerate(range(0, len(self.body), self.chunk_bytes)):
                if i == self.cut_after:
                    raise ConnectionResetError("cut on purpose")
                yield self.body[start : start + self.chunk_bytes]
                self.seen.sent += 1
                await asyncio.sleep(self.pause_s)
        except asyncio.CancelledError:
            self.seen.left.set()
            raise


@dataclass
class TranscriptionServer:
    """`/v1/audio/transcriptions`: answers with `answer`; `verbose` False refuses `verbose_json` as plain servers do."""

    answer: dict[str, Any] = field(default_factory=dict)
    verbose: bool = True
    failures: list[int] = field(default_factory=list)
    wait_s: float = 0.0
    models: tuple[str, ...] = ("llama", "openai/whisper-large-v3-turbo")
    seen: Seen = field(default_factory=Seen)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/v1/audio/transcriptions", self._transcribe, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"data": [{"id": name} for name in self.models]})

    async def _transcribe(self, request: Request) -> Response:
        form = await request.form()
        upload: Any = form["file"]
        self.seen.requests.append({**{k: form.getlist(k) for k in form if k != "file"}, "wav": await upload.read()})
        await asyncio.sleep(self.wait_s)
        if self.failures:
            return JSONResponse({}, status_code=self.failures.pop(0))
        if form["response_format"] == "verbose_json":
            if not self.verbose:
                return JSONResponse({"error": {"message": "verbose_json is not supported"}}, status_code=400)
            return JSONResponse(self.answer)
        return JSONResponse({"text": self.answer["text"]})


@dataclass
class VibeVoiceServer:
    """VibeVoice's demo server: `/config` and `/stream`, one text at a time.

    Attributes:
        voices: Presets it has; an unknown one is replaced silently, as the real one does.
        sound: What it says, at 24 kHz.
        busy_times: Requests it turns away before it is free.
        fail: Log event it reports instead of a sound.
        cut_after: Frames after which the connection breaks.
    """

    voices: tuple[str, ...] = ("en-WHTest_man", "in-Samuel_man")
    sound: np.ndarray = field(default_factory=lambda: tone(0.6, silence_s=0.2))
    busy_times: int = 0
    fail: str | None = None
    cut_after: int | None = None
    pause_s: float = 0.0
    frame_samples: int = 3200
    seen: Seen = field(default_factory=Seen)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(routes=[Route("/config", self._config), WebSocketRoute("/stream", self._stream)])

    async def _config(self, request: Request) -> Response:
        return JSONResponse({"voices": list(self.voices), "default_voice": self.voices[0]})

    async def _stream(self, socket: WebSocket) -> None:
        await socket.accept()
        self.seen.requests.append(dict(socket.query_params))
        if self.busy_times > 0 or self.seen.speaking:
            self.busy_times -= 1
            await self._log(socket, "backend_busy", message="Please wait for the other requests to complete.")
            await socket.close(1013, "Service busy")
            return
        self.seen.speaking += 1
        self.seen.most_speaking = max(self.seen.most_speaking, self.seen.speaking)
        try:
            await self._log(socket, "backend_request_received", voice=socket.query_params.get("voice"))
            if self.fail:
                await self._log(socket, self.fail, message="CUDA out of memory")
            else:
                await self._say(socket)
            await self._log(socket, "backend_stream_complete")
            await socket.close()
        except (WebSocketDisconnect, RuntimeError):
            self.seen.left.set()
        finally:
            self.seen.speaking -= 1

    async def _say(self, socket: WebSocket) -> None:
        for i, start in enumerate(range(0, len(self.sound), self.frame_samples)):
            if i == self.cut_after:
                await socket.close(1011)
                return
            await self._log(socket, "model_progress", generated_sec=start / 24_000)
            await socket.send_bytes(to_pcm16(self.sound[start : start + self.frame_samples]))
            self.seen.sent += 1
            await asyncio.sleep(self.pause_s)

    async def _log(self, socket: WebSocket, event: str, **data: Any) -> None:
        await socket.send_text(json.dumps({"type": "log", "event": event, "data": data, "timestamp": "now"}))
