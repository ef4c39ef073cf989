"""VibeVoice-Realtime-0.5B behind its own server (`demo/web/app.py` of microsoft/VibeVoice).

The server speaks one text a WebSocket: `/stream?text=&cfg=&steps=&voice=` answers with binary frames of mono
PCM16 at 24 kHz, JSON log frames between them, and closes. It serves one request at a time, turns a second one
away (`backend_busy`, code 1013), and takes its default voice for one it does not know; so requests queue
here, and the voice is looked up first. It has no speaking rate, so that is done here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from workbench.engines.base import EngineError, Priority, Samples
from workbench.engines.pcm_stream import LeadTrimmer, PcmDecoder
from workbench.engines.spoken_text import sentences
from workbench.engines.time_stretch import TimeStretcher

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

NAME = "vibevoice"
DEFAULT_VOICE = "in-Samuel_man"
SAMPLE_RATE_HZ = 24_000

GUIDANCE = 1.5
"""Classifier-free guidance scale, the server's own default."""

STEPS = 5
"""Diffusion steps a frame, the server's own default."""

MAX_TEXT = 1200
"""Characters of one request: the text travels in the request line, which servers cut at 8 KiB."""

BUSY_WAIT_S = 0.2
"""Pause before asking a busy server again; another program may be using it."""

_BUSY_CODE = 1013
_FAILED = ("generation_error", "backend_error")


class _Busy(Exception):
    """The server is speaking for someone else."""


class VibeVoice:
    """One voice of one server, one text at a time.

    Args:
        url: Address of the server, http or ws.
        voice: Name of the voice preset.
        timeout_s: Longest wait for the first sound, the queue left out, and for each later piece.
    """

    name = NAME
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, url: str, voice: str, *, timeout_s: float) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        secure = parts.scheme in ("https", "wss")
        path = parts.path.rstrip("/").removesuffix("/stream")
        self._http_url = urlunsplit(("https" if secure else "http", parts.netloc, path, "", ""))
        self._ws_url = urlunsplit(("wss" if secure else "ws", parts.netloc, f"{path}/stream", "", ""))
        self._voice = voice
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._voice_known = False

    async def warm_up(self) -> None:
        """Looks the voice up and speaks a phrase.

        Raises:
            EngineError: The server cannot be reached, or does not have the voice.
        """
        async for _ in self.stream("Good morning, and welcome."):
            pass

    async def stream(
        self, text: str, *, rate: float = 1.0, priority: Priority = "now"
    ) -> AsyncGenerator[Samples, None]:
        """Yields audio at 24 kHz as it arrives; see `Synthesizer`. Closing the generator closes the socket.

        Raises:
            EngineError: Unknown voice, no sound within the time limit, or the sound broke off.
        """
        await self._check_voice()
        trimmer = LeadTrimmer(SAMPLE_RATE_HZ)
        stretcher = TimeStretcher(SAMPLE_RATE_HZ, min(2.0, max(0.5, rate)))
        for piece in _pieces(text):
            async with self._turn, aclosing(self._speak(piece)) as chunks:
                async for chunk in chunks:
                    heard = stretcher.push(trimmer.push(chunk))
                    if heard.size:
                        yield heard
        tail = stretcher.push(np.zeros(0, np.float32), last=True)
        if tail.size:
            yield tail

    async def close(self) -> None:
        """Nothing stays open between two texts."""

    async def _check_voice(self) -> None:
        """Fails on a voice the server would silently replace."""
        if self._voice_known:
            return
        url = f"{self._http_url}/config"
        try:
            async with httpx.AsyncClient(timeout=self._timeout_s) as client:
                response = await client.get(url)
            response.raise_for_status()
            voices = [str(voice) for voice in response.json()["voices"]]
        except httpx.HTTPError as error:
            raise EngineError(
                NAME,
                f"cannot ask {url} for its voices ({type(error).__name__}); start the server or correct VIVA_TTS_URL",
                retryable=True,
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(NAME, f"{url} is no VibeVoice server: its answer lists no voices") from error
        if self._voice not in voices:
            raise EngineError(
                NAME, f"the server has no voice {self._voice!r}; set VIVA_TTS_VOICE to one of {', '.join(voices)}"
            )
        self._voice_known = True

    async def _speak(self, text: str) -> AsyncGenerator[Samples, None]:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        while True:
            n_samples = 0
            try:
                async with aclosing(self._request(text, deadline)) as chunks:
                    async for chunk in chunks:
                        n_samples += len(chunk)
                        yield chunk
                return
            except _Busy:
                if n_samples or asyncio.get_running_loop().time() + BUSY_WAIT_S >= deadline:
                    raise EngineError(
                        NAME,
                        f"{self._ws_url} was busy for {self._timeout_s:g} s; it speaks one text at a time, "
                        "run it for this workbench alone",
                        retryable=True,
                    ) from None
                await asyncio.sleep(BUSY_WAIT_S)

    async def _request(self, text: str, deadline: float) -> AsyncGenerator[Samples, None]:
        query = urlencode({"text": text, "cfg": GUIDANCE, "steps": STEPS, "voice": self._voice})
        left = max(0.05, deadline - asyncio.get_running_loop().time())
        try:
            socket = await connect(f"{self._ws_url}?{query}", open_timeout=left, max_size=None, compression=None)
        except (OSError, TimeoutError, WebSocketException) as error:
            raise EngineError(
                NAME,
                f"cannot connect to {self._ws_url} ({type(error).__name__}); start the server or correct VIVA_TTS_URL",
                retryable=True,
            ) from error
        decoder = PcmDecoder(SAMPLE_RATE_HZ)
        n_samples = 0
        try:
            while True:
                frame = await self._frame(socket, deadline, n_samples)
                if frame is None:
                    break
                if isinstance(frame, str):
                    self._read_log(frame)
                    continue
                samples = decoder.push(frame)
                n_samples += len(samples)
                if samples.size:
                    yield samples
        finally:
            # The server notices at its next frame; its own farewell is not worth waiting for.
            socket.close_timeout = 0.2
            with suppress(Exception):
                await socket.close()
        if n_samples == 0:
            raise EngineError(NAME, f"{self._ws_url} closed without a sound; see its log", retryable=True)

    async def _frame(self, socket: ClientConnection, deadline: float, n_samples: int) -> str | bytes | None:
        """The next frame, None once the server has said everything."""
        left = self._timeout_s if n_samples else deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await socket.recv()
        except TimeoutError:
            raise EngineError(
                NAME, f"{self._ws_url} sent nothing within {self._timeout_s:g} s", retryable=True
            ) from None
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            if code == _BUSY_CODE:
                raise _Busy from None
            if code in (1000, 1001, 1005):
                return None
            raise EngineError(
                NAME, f"{self._ws_url} broke off in the middle of a text (code {code})", retryable=True
            ) from None

    def _read_log(self, frame: str) -> None:
        try:
            event = json.loads(frame).get("event")
        except (ValueError, AttributeError):
            return
        if event == "backend_busy":
            raise _Busy
        if event in _FAILED:
            raise EngineError(NAME, f"{self._ws_url} reported {event}; see its log", retryable=True)


def _pieces(text: str) -> list[str]:
    """The text in requests of at most `MAX_TEXT` characters, cut between sentences, or between words if need be."""
    pieces: list[str] = []
    for sentence in sentences(text):
        if pieces and len(pieces[-1]) + 1 + len(sentence) <= MAX_TEXT:
            pieces[-1] += f" {sentence}"
            continue
        while len(sentence) > MAX_TEXT:
            at = sentence.rfind(" ", 0, MAX_TEXT)
            at = at if at > 0 else MAX_TEXT
            pieces.append(sentence[:at])
            sentence = sentence[at:].strip()
        pieces.append(sentence)
    return pieces


def create(settings: Settings) -> VibeVoice:
    """The server at `VIVA_TTS_URL` with the voice `VIVA_TTS_VOICE`, `in-Samuel_man` when empty.

    Raises:
        EngineError: No address was given.
    """
    if not settings.tts_url:
        raise EngineError(NAME, "set VIVA_TTS_URL to the address of a VibeVoice server, ws://127.0.0.1:3000")
    return VibeVoice(settings.tts_url, settings.tts_voice or DEFAULT_VOICE, timeout_s=settings.engine_timeout_s)
