"""A voice behind an OpenAI-compatible `/v1/audio/speech`; PCM16 or WAV, played while it is still arriving."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import httpx
import numpy as np

from workbench.audio import StreamResampler
from workbench.engines.base import EngineError, Priority, Samples
from workbench.engines.pcm_stream import LeadTrimmer, PcmDecoder
from workbench.engines.remote import Remote

if TYPE_CHECKING:
    from workbench.settings import Settings

NAME = "http"

SAMPLE_RATE_HZ = 24_000
"""Rate of the API's bare PCM; anything else a server says it sends is converted to it."""

_READ_BYTES = 4096


class HttpSpeech:
    """One voice of one server.

    Args:
        remote: The server.
        model: Name of the model.
        voice: Name of the voice.
    """

    name = NAME
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, remote: Remote, model: str, voice: str) -> None:
        self._remote = remote
        self._model = model
        self._voice = voice

    async def warm_up(self) -> None:
        """Speaks a phrase.

        Raises:
            EngineError: The server cannot be reached, or does not know model or voice.
        """
        async for _ in self.stream("Good morning, and welcome."):
            pass

    async def stream(
        self, text: str, *, rate: float = 1.0, priority: Priority = "now"
    ) -> AsyncGenerator[Samples, None]:
        """Yields audio at 24 kHz as it arrives; see `Synthesizer`. Closing the generator closes the connection.

        Raises:
            EngineError: No sound within the time limit after the retries; or the sound broke off.
        """
        response: httpx.Response | None = None
        chunks: AsyncGenerator[Samples, None] | None = None

        async def attempt() -> Samples | None:
            nonlocal response, chunks
            response = await self._open(text, rate)
            chunks = self._chunks(response)
            try:
                return await anext(chunks, None)
            except BaseException:
                await response.aclose()
                raise

        try:
            chunk = await self._remote.first(attempt)
            if chunk is None and re.search(r"\w", text):
                raise self._remote.error(f"{self._remote.base_url} sent no sound; does it have {self._voice!r}?")
            while chunk is not None and chunks is not None:
                yield chunk
                chunk = await anext(chunks, None)
        finally:
            if chunks is not None:
                await chunks.aclose()
            if response is not None:
                await response.aclose()

    async def close(self) -> None:
        """Closes the connections."""
        await self._remote.close()

    async def _open(self, text: str, rate: float) -> httpx.Response:
        body = {
            "model": self._model,
            "input": text,
            "voice": self._voice,
            "response_format": "pcm",
            "speed": min(4.0, max(0.25, rate)),
        }
        async with self._remote.translated("speech"):
            client = self._remote.client
            request = client.build_request("POST", self._remote.url("audio/speech"), json=body)
            response = await client.send(request, stream=True)
        await self._remote.check(response, self._model)
        return response

    async def _chunks(self, response: httpx.Response) -> AsyncGenerator[Samples, None]:
        kind = response.headers.get("content-type", "")
        if "json" in kind or "text/" in kind or "mpeg" in kind or "ogg" in kind:
            raise self._remote.error(f"{response.request.url} sent {kind}, not PCM or WAV; it must take pcm")
        said = re.search(r"rate=(\d{4,6})", kind)
        decoder = PcmDecoder(int(said[1]) if said else SAMPLE_RATE_HZ)
        trimmer = LeadTrimmer(SAMPLE_RATE_HZ)
        resampler: StreamResampler | None = None
        try:
            async with self._remote.translated("speech"):
                async for data in response.aiter_bytes(_READ_BYTES):
                    samples = decoder.push(data)
                    if not samples.size:
                        continue
                    resampler = resampler or StreamResampler(decoder.sample_rate_hz, SAMPLE_RATE_HZ, "HQ")
                    heard = trimmer.push(resampler.process(samples))
                    if heard.size:
                        yield heard
        except ValueError as error:
            raise self._remote.error(f"{response.request.url} sent {error}") from error
        if decoder.is_cut:
            raise self._remote.error(
                f"{response.request.url} closed the connection before the sound was complete", retryable=True
            )
        if resampler is not None:
            tail = trimmer.push(resampler.process(np.zeros(0, np.float32), last=True))
            if tail.size:
                yield tail


def create(settings: Settings) -> HttpSpeech:
    """The server at `VIVA_TTS_URL`, its model `VIVA_TTS_MODEL` and voice `VIVA_TTS_VOICE`.

    Raises:
        EngineError: No address was given.
    """
    if not settings.tts_url:
        raise EngineError(NAME, "set VIVA_TTS_URL to the address of a speech server, http://127.0.0.1:8000/v1")
    remote = Remote(
        NAME,
        settings.tts_url,
        timeout_s=settings.engine_timeout_s,
        api_key=settings.api_key,
        setting="VIVA_TTS_URL",
    )
    model = settings.tts_model if "tts_model" in settings.model_fields_set else "tts-1"
    return HttpSpeech(remote, model, settings.tts_voice or "alloy")
