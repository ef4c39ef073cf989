"""A recogniser behind `/v1/audio/transcriptions`."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.model_servers import TranscriptionServer, serving, tone
from workbench.engines import transcription_http
from workbench.engines.base import EngineError, Transcript
from workbench.settings import Settings

ANSWER: dict[str, Any] = {
    "text": " The mitral  valve.",
    "segments": [{"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.1}],
    "words": [
        {"word": "The", "start": 0.1, "end": 0.3},
        {"word": " mitral", "start": 0.3, "end": 0.7},
        {"word": "valve.", "start": 0.7, "end": 1.0},
    ],
}
CLIP = tone(1.0, 16_000)


async def recognise(server: TranscriptionServer, settings: dict[str, Any] | None = None, **options: Any) -> Transcript:
    async with serving(server.app()) as address:
        given = {"asr": "http", "asr_url": f"http://{address}/v1", "asr_model": "whisper", **(settings or {})}
        engine = transcription_http.create(Settings(_env_file=None, **given))
        try:
            return await engine.transcribe(CLIP, **options)
        finally:
            await engine.close()


async def test_the_clip_arrives_as_a_16_khz_wav_with_the_key_terms_as_prompt() -> None:
    server = TranscriptionServer(ANSWER)
    await recognise(server, key_terms=["mitral stenosis", "warfarin"])
    request = server.seen.requests[0]
    audio, rate_hz = soundfile.read(io.BytesIO(request["wav"]), dtype="float32")
    assert rate_hz == 16_000
    np.testing.assert_allclose(audio, CLIP, atol=1e-3)
    assert request["model"] == ["whisper"] and request["language"] == ["en"]
    assert request["prompt"] == ["mitral stenosis, warfarin"]


async def test_text_confidence_and_word_times_are_read() -> None:
    heard = await recognise(TranscriptionServer(ANSWER), with_words=True)
    assert heard.text == "The mitral valve."
    assert heard.confidence == pytest.approx(math.exp(-0.2))
    assert [(word.text, word.start_s, word.end_s) for word in heard.words] == [
        ("The", 0.1, 0.3), ("mitral", 0.3, 0.7), ("valve.", 0.7, 1.0),
    ]  # fmt: skip
    assert heard.audio_s == 1.0


async def test_words_are_asked_for_only_when_needed() -> None:
    server = TranscriptionServer(ANSWER)
    heard = await recognise(server)
    assert heard.words == () and "timestamp_granularities[]" not in server.seen.requests[0]


async def test_a_server_without_verbose_json_is_asked_for_plain_json() -> None:
    server = TranscriptionServer(ANSWER, verbose=False)
    heard = await recognise(server, with_words=True)
    assert (heard.text, heard.words) == ("The mitral valve.", ())
    assert [request["response_format"] for request in server.seen.requests] == [["verbose_json"], ["json"]]


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        ({"avg_logprob": -0.1, "compression_ratio": 8.0}, "repetition"),
        ({"avg_logprob": -1.4, "no_speech_prob": 0.9}, "no speech"),
    ],
)
async def test_a_loop_or_words_made_of_silence_become_an_honest_empty(segment: dict[str, float], reason: str) -> None:
    heard = await recognise(TranscriptionServer({"text": "thank you thank you", "segments": [segment]}))
    assert (heard.text, heard.gave_up, heard.confidence) == ("", reason, 0.0)


async def test_without_a_model_name_a_whisper_of_the_server_is_used() -> None:
    server = TranscriptionServer(ANSWER)
    async with serving(server.app()) as address:
        settings = Settings(_env_file=None, asr="http", asr_url=f"http://{address}")
        engine = transcription_http.create(settings)
        await engine.warm_up()
        await engine.close()
    assert server.seen.requests[0]["model"] == ["openai/whisper-large-v3-turbo"]


async def test_a_failing_recogniser_is_asked_again() -> None:
    server = TranscriptionServer(ANSWER, failures=[500, 502])
    assert (await recognise(server)).text == "The mitral valve."
    assert len(server.seen.requests) == 3


async def test_a_recogniser_that_is_too_slow_is_given_up() -> None:
    with pytest.raises(EngineError, match="within 0.3 s"):
        await recognise(TranscriptionServer(ANSWER, wait_s=5), {"engine_timeout_s": 0.3})


async def test_an_answer_of_another_format_is_refused() -> None:
    with pytest.raises(EngineError, match="does not speak the transcriptions format"):
        await recognise(TranscriptionServer({"result": "hello"}))
