"""A realtime client with the ears and the mouth of a real page: a microphone that never stops, a loudspeaker.

It speaks the protocol of `workbench.realtime.protocol` and nothing else. Sound goes out in real time, frame by frame,
also while nobody talks; what comes in is played by a `PlayoutClock`, paused and cleared when the server says so, and
reported five times a second. Every time is read from one monotonic clock, so that "when did the voice end" and "when
was the first word heard" can be subtracted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
import websockets

from workbench.audio import from_pcm16, to_pcm16
from workbench.engines.base import Samples
from workbench.simulate.microphone import Microphone, Spoken
from workbench.simulate.playout import PlayoutClock
from workbench.simulate.sound import Clip

log = logging.getLogger(__name__)

REPORT_EVERY_S = 0.2
POLL_S = 0.02
SETTLED_S = 0.08
"""Nobody starts to talk within a few milliseconds of a change on the screen; the next one may follow at once."""


class Disconnected(ConnectionError):
    """The server closed the connection before the viva was over."""


@dataclass
class Response:
    """One reply of the examiner as this client saw it; seconds on the client's clock."""

    response_id: str
    item_id: str
    created_s: float
    done_s: float | None = None
    status: str = "in_progress"
    transcript: str = ""


class VivaClient:
    """One candidate's connection.

    Args:
        url: `ws://host:port/v1/realtime`.
        options: The `viva` object of the `session.update`; `playback` is always declared.
        input_hz: Rate of the microphone, 16000 or 24000.
        output_hz: Rate of the loudspeaker, 16000 or 24000.
        frame_ms: Sound in one event.
        background: What the microphone hears when nobody talks, (n_samples,) float32, 16 kHz.
        microphone: Whether sound is sent at all; a typing candidate has none.
        speed: Speed of the loudspeaker; 1 for a listener, more for a test in a hurry.
        echo_db: Level of the loudspeaker in the microphone relative to what is played; None for a headset.
        token: Sent as `Authorization: Bearer`.
        keep_sound: Keep what was played.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        url: str,
        options: dict[str, Any],
        *,
        input_hz: int = 16_000,
        output_hz: int = 24_000,
        frame_ms: int = 20,
        background: Samples | None = None,
        microphone: bool = True,
        speed: float = 1.0,
        echo_db: float | None = None,
        token: str | None = None,
        keep_sound: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self.options = {**options, "playback": True}
        self.input_hz = input_hz
        self.output_hz = output_hz
        self.frame_s = frame_ms / 1000
        self.clock = clock
        self.token = token
        self.microphone = Microphone(input_hz, frame_ms=frame_ms, background=background) if microphone else None
        self.playout = PlayoutClock(output_hz, speed=speed, keep_sound=keep_sound or echo_db is not None)
        self.echo_gain = None if echo_db is None else 10.0 ** (echo_db / 20.0)

        self.state: dict[str, Any] = {}
        self.state_s = 0.0
        self.question: dict[str, Any] | None = None
        self.report: dict[str, Any] | None = None
        self.queue_position: int | None = None
        self.verdicts: dict[int, dict[str, Any]] = {}
        self.questions: list[dict[str, Any]] = []
        self.responses: dict[str, Response] = {}
        self.captions: dict[str, list[dict[str, Any]]] = {}
        self.latencies: list[tuple[float, dict[str, Any]]] = []
        self.playbacks: list[tuple[float, str, str | None]] = []
        self.transcripts: list[tuple[float, str]] = []
        self.speech_started: list[float] = []
        self.errors: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.n_events: dict[str, int] = {}
        self.close_code: int | None = None
        self.close_reason = ""
        self.microphone_lag_s = 0.0
        self._socket: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._origin_s = 0.0
        self._reported: dict[str, tuple[int, int]] = {}

    # ---- coming and going ----

    async def __aenter__(self) -> VivaClient:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Opens the socket, says what is wanted, and starts to listen and to speak."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self._socket = await websockets.connect(
            self.url, compression=None, max_size=None, additional_headers=headers, open_timeout=30, ping_interval=None
        )
        self._tasks = [asyncio.create_task(self._receive(), name="client-receive")]
        await self.send(self.session_update())
        self._origin_s = self.clock()
        if self.microphone is not None:
            self._tasks.append(asyncio.create_task(self._speak(), name="client-microphone"))
        self._tasks.append(asyncio.create_task(self._report_playing(), name="client-report"))

    def session_update(self) -> dict[str, Any]:
        """The event that starts the exam."""

        def pcm(rate: int) -> dict[str, Any]:
            return {"format": {"type": "audio/pcm", "rate": rate}}

        audio = {"input": pcm(self.input_hz), "output": pcm(self.output_hz)}
        return {"type": "session.update", "session": {"type": "realtime", "audio": audio, "viva": self.options}}

    async def close(self) -> None:
        """Closes the socket."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._socket.close(), 5)

    async def send(self, event: dict[str, Any]) -> None:
        """Sends one event.

        Raises:
            Disconnected: The connection is closed.
        """
        try:
            await self._socket.send(json.dumps(event, separators=(",", ":")))
        except websockets.ConnectionClosed as error:
            self._closed(error)
            raise Disconnected(f"the server closed the connection: {self.close_code} {self.close_reason}") from None

    # ---- doing ----

    def say(self, clip: Clip, *, after_s: float = 0.0) -> Spoken:
        """Starts to say a clip, now or a little later; returns at once with where in time it lies."""
        if self.microphone is None:
            raise RuntimeError("this client has no microphone; type instead")
        # a frame leaves when its last sample has been captured, so "now" is the frame being captured
        start = self.microphone.lay(clip, self.microphone.n_samples + int(after_s * self.input_hz))
        return self.microphone.placed(clip, start, self._origin_s)

    def hush(self) -> None:
        """Breaks off what is being said."""
        if self.microphone is not None:
            self.microphone.hush()

    async def type(self, text: str) -> None:
        """Types an answer and sends it."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send({"type": "conversation.item.create", "item": item})
        await self.send({"type": "response.create"})

    async def press(self, command: str) -> None:
        """Presses a button of the page."""
        await self.send({"type": "viva.command", "command": command})

    # ---- waiting ----

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Waits until the condition holds; False when it did not in time.

        Raises:
            Disconnected: The connection was closed and the condition does not hold.
        """
        deadline = self.clock() + timeout_s
        while True:
            self.playout.advance(self.clock())
            if condition():
                return True
            if self.close_code is not None:
                raise Disconnected(f"the server closed the connection: {self.close_code} {self.close_reason}")
            left = deadline - self.clock()
            if left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(left, POLL_S))

    def speaking(self) -> bool:
        """Whether the examiner is being heard, or will be as soon as more sound arrives."""
        return self.playout.current is not None or any(r.done_s is None for r in self.responses.values())

    def has_floor(self) -> bool:
        """Whether it is the candidate's turn, has been for a moment, and the examiner's last word has been heard."""
        settled = self.clock() - self.state_s >= SETTLED_S
        return settled and self.state.get("floor") == "candidate" and not self.speaking()

    def over(self) -> bool:
        """Whether the viva has ended."""
        return self.report is not None

    async def sleep_until(self, moment_s: float) -> None:
        """Sleeps until a moment of the client's clock."""
        await asyncio.sleep(max(0.0, moment_s - self.clock()))

    # ---- the tasks ----

    async def _speak(self) -> None:
        assert self.microphone is not None
        n_sent = 0
        while True:
            due_s = self._origin_s + (n_sent + 1) * self.frame_s
            wait_s = due_s - self.clock()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            else:
                self.microphone_lag_s = max(self.microphone_lag_s, -wait_s)
            frame = self.microphone.frame(self._echo(due_s))
            n_sent += 1
            await self.send(
                {"type": "input_audio_buffer.append", "audio": base64.b64encode(to_pcm16(frame)).decode("ascii")}
            )

    def _echo(self, end_s: float) -> Samples | None:
        if self.echo_gain is None:
            return None
        self.playout.advance(self.clock())
        sound = self.playout.played_between(end_s - self.frame_s, end_s) * np.float32(self.echo_gain)
        if self.output_hz != self.input_hz and sound.any():
            sound = soxr.resample(sound, self.output_hz, self.input_hz, quality="LQ")
        return sound if sound.any() else None

    async def _report_playing(self) -> None:
        every_s = max(0.02, REPORT_EVERY_S / self.playout.speed)
        while True:
            await asyncio.sleep(every_s)
            await self.report_now()

    async def report_now(self) -> None:
        """Tells the server what has been heard, if that has changed."""
        self.playout.advance(self.clock())
        for response_id, heard in list(self.playout.responses.items())[-2:]:
            now = (heard.played, len(heard.underruns))
            if heard.played and self._reported.get(response_id) != now:
                self._reported[response_id] = now
                await self.send(
                    {"type": "viva.played", "response_id": response_id, "n_samples": now[0], "underruns": now[1]}
                )

    async def _receive(self) -> None:
        try:
            async for text in self._socket:
                now_s = self.clock()
                event = json.loads(text)
                kind = event.get("type", "")
                self.n_events[kind] = self.n_events.get(kind, 0) + 1
                self._take(kind, event, now_s)
                if kind != "response.output_audio.delta":
                    self._tell()
            self._closed(None)
        except websockets.ConnectionClosed as error:
            self._closed(error)

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()

    def _closed(self, error: websockets.ConnectionClosed | None) -> None:
        frame = error.rcvd if error is not None else None
        code = frame.code if frame is not None else getattr(self._socket, "close_code", None)
        self.close_code = code if code is not None else 1006
        self.close_reason = frame.reason if frame is not None else (getattr(self._socket, "close_reason", "") or "")
        self._tell()

    def _take(self, kind: str, event: dict[str, Any], now_s: float) -> None:
        match kind:
            case "response.output_audio.delta":
                self.playout.push(now_s, event["response_id"], from_pcm16(base64.b64decode(event["delta"])))
            case "response.output_audio.done":
                self.playout.finish(now_s, event["response_id"])
            case "response.created":
                response_id = event["response"]["id"]
                self.responses[response_id] = Response(response_id, "", now_s)
            case "response.output_item.added":
                if event["response_id"] in self.responses:
                    self.responses[event["response_id"]].item_id = event["item"]["id"]
            case "response.output_audio_transcript.done":
                if event["response_id"] in self.responses:
                    self.responses[event["response_id"]].transcript = event["transcript"]
            case "response.done":
                response = self.responses.get(event["response"]["id"])
                if response is not None:
                    response.done_s = now_s
                    response.status = event["response"]["status"]
            case "viva.playback":
                action, response_id = event["action"], event.get("response_id")
                self.playbacks.append((now_s, action, response_id))
                if action == "pause":
                    self.playout.pause(now_s)
                elif action == "resume":
                    self.playout.resume(now_s)
                else:
                    self.playout.clear(now_s, response_id)
            case "viva.caption":
                self.captions.setdefault(event["response_id"], []).append(event)
            case "viva.state":
                if event["floor"] != self.state.get("floor"):
                    self.state_s = now_s
                self.state = event
            case "viva.question":
                self.question = event
                self.questions.append(event)
            case "viva.verdict":
                self.verdicts[event["number"]] = event
            case "viva.latency":
                self.latencies.append((now_s, event))
            case "viva.report":
                self.report = event
            case "viva.queue":
                self.queue_position = event["position"]
            case "viva.notice":
                self.notices.append(event)
            case "input_audio_buffer.speech_started":
                self.speech_started.append(now_s)
            case "conversation.item.input_audio_transcription.completed":
                self.transcripts.append((now_s, event.get("transcript", "")))
            case "error":
                self.errors.append(event["error"])
