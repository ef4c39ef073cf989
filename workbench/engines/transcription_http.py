"""A recogniser behind an OpenAI-compatible `/v1/audio/transcriptions`: vLLM, speaches, whisper.cpp's server."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import soundfile

from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Priority, Samples, Transcript, Word
from workbench.engines.remote import Remote

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

NAME = "http"

MAX_COMPRESSION = 2.4
"""A segment that packs better than this repeats itself (Radford et al. 2022, section 4.5)."""

NO_SPEECH_PROBABILITY, NO_SPEECH_LOGPROB = 0.6, -1.0
"""Thresholds of the same section: silence when the model thinks so and is unsure of its words."""


class HttpTranscriber:
    """One recogniser of one server.

    Args:
        remote: The server.
        model: Name of the model; None takes the first the server lists.
    """

    name = NAME

    def __init__(self, remote: Remote, model: str | None) -> None:
        self._remote = remote
        self._model = model
        self._verbose = True

    async def warm_up(self) -> None:
        """Sends a second of near-silence.

        Raises:
            EngineError: The server cannot be reached, or does not know the model.
        """
        noise = np.random.default_rng(0).normal(0, 1e-4, SAMPLE_RATE_HZ).astype(np.float32)
        await self.transcribe(noise)

    async def transcribe(
        self,
        audio: Samples,
        *,
        key_terms: Sequence[str] = (),
        with_words: bool = False,
        priority: Priority = "now",
    ) -> Transcript:
        """Recognises one clip; see `Transcriber`. Word times come from servers that offer `verbose_json`.

        Raises:
            EngineError: No answer within the time limit after the retries.
        """
        audio_s = len(audio) / SAMPLE_RATE_HZ
        if not len(audio):
            return Transcript("", audio_s=0.0, gave_up="no sound")
        wav = io.BytesIO()
        soundfile.write(wav, audio, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
        answer = await self._remote.first(lambda: self._ask(wav.getvalue(), key_terms, with_words))
        return _transcript(answer, audio_s, with_words)

    async def close(self) -> None:
        """Closes the connections."""
        await self._remote.close()

    async def _ask(self, wav: bytes, key_terms: Sequence[str], with_words: bool) -> dict[str, Any]:
        model = await self._model_name()
        form: dict[str, Any] = {"model": model, "language": "en", "temperature": "0"}
        form["response_format"] = "verbose_json" if self._verbose else "json"
        if key_terms:
            form["prompt"] = ", ".join(key_terms)
        if with_words and self._verbose:
            form["timestamp_granularities[]"] = ["word", "segment"]
        async with self._remote.translated("transcription"):
            response = await self._remote.client.post(
                self._remote.url("audio/transcriptions"),
                data=form,
                files={"file": ("answer.wav", wav, "audio/wav")},
            )
        if self._verbose and response.status_code in (400, 422):
            self._verbose = False  # a server without verbose_json; asked plainly from now on
            log.info("%s has no verbose_json: no word times and no confidence", self._remote.base_url)
            return await self._ask(wav, key_terms, with_words)
        await self._remote.check(response, model)
        return self._json(response)

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise self._remote.error(f"{response.request.url} does not speak the transcriptions format")
        return answer

    async def _model_name(self) -> str:
        if self._model is None:
            known = await self._remote.models()
            self._model = next((name for name in known if "whisper" in name.lower()), None)
            self._model = self._model or (known[0] if known else "whisper-1")
            log.info("using the server's model %s", self._model)
        return self._model


def _transcript(answer: dict[str, Any], audio_s: float, with_words: bool) -> Transcript:
    text = " ".join(answer["text"].split())
    segments = [segment for segment in answer.get("segments") or () if isinstance(segment, dict)]
    logprobs = [float(s["avg_logprob"]) for s in segments if isinstance(s.get("avg_logprob"), int | float)]
    confidence = math.exp(min(0.0, sum(logprobs) / len(logprobs))) if logprobs else 1.0
    if not text:
        return Transcript("", audio_s=audio_s, gave_up="no speech")
    if any(_number(segment, "compression_ratio") > MAX_COMPRESSION for segment in segments):
        return Transcript("", audio_s=audio_s, gave_up="repetition")
    if segments and all(
        _number(segment, "no_speech_prob") > NO_SPEECH_PROBABILITY
        and _number(segment, "avg_logprob") < NO_SPEECH_LOGPROB
        for segment in segments
    ):
        return Transcript("", audio_s=audio_s, gave_up="no speech")
    words: tuple[Word, ...] = ()
    if with_words:
        words = tuple(
            Word(
                str(word["word"]).strip(),
                float(word["start"]),
                float(word["end"]),
                float(word.get("probability", confidence)),
            )
            for word in answer.get("words") or ()
            if isinstance(word, dict) and {"word", "start", "end"} <= word.keys()
        )
    return Transcript(text, words, audio_s, confidence)


def _number(segment: dict[str, Any], name: str) -> float:
    value = segment.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def create(settings: Settings) -> HttpTranscriber:
    """The server at `VIVA_ASR_URL` and its model `VIVA_ASR_MODEL`.

    Raises:
        EngineError: No address was given.
    """
    if not settings.asr_url:
        raise EngineError(NAME, "set VIVA_ASR_URL to the address of a transcription server, http://127.0.0.1:8000/v1")
    remote = Remote(
        NAME,
        settings.asr_url,
        timeout_s=settings.engine_timeout_s,
        api_key=settings.api_key,
        setting="VIVA_ASR_URL",
    )
    return HttpTranscriber(remote, settings.asr_model if "asr_model" in settings.model_fields_set else None)
