"""Voices behind a server: `/v1/audio/speech` and VibeVoice's own WebSocket."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.model_servers import SpeechServer, VibeVoiceServer, serving, tone
from workbench.audio import to_pcm16
from workbench.engines import speech_http, vibevoice
from workbench.engines.base import EngineError, Synthesizer
from workbench.settings import Settings

RATE_HZ = 24_000


def speech(address: str, **changes: Any) -> speech_http.HttpSpeech:
    given = {"tts": "http", "tts_url": f"http://{address}/v1", "tts_model": "tts", "tts_voice": "sam", **changes}
    return speech_http.create(Settings(_env_file=None, **given))


def vibe(address: str, **changes: Any) -> vibevoice.VibeVoice:
    given = {"tts": "vibevoice", "tts_url": f"ws://{address}", **changes}
    return vibevoice.create(Settings(_env_file=None, **given))


async def listen(engine: Synthesizer, text: str = "Good morning.", **options: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *[chunk async for chunk in engine.stream(text, **options)]])


def wav(sound: np.ndarray, rate_hz: int, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


# ---- /v1/audio/speech
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_bytes", [1, 3, 997, 4096])
async def test_chunks_of_odd_length_come_out_as_the_sound_that_was_sent(chunk_bytes: int) -> None:
    sound = tone(0.05)
    server = SpeechServer(to_pcm16(sound), chunk_bytes=chunk_bytes)
    async with serving(server.app()) as address:
        engine = speech(address)
        heard = await listen(engine, "Well done.", rate=0.8)
        await engine.close()
    np.testing.assert_allclose(heard, sound[len(sound) - len(heard) :], atol=1e-4)
    assert len(sound) - len(heard) <= 2
    assert server.seen.requests[0] == {
        "model": "tts", "input": "Well done.", "voice": "sam", "response_format": "pcm", "speed": 0.8,
    }  # fmt: skip


async def test_silence_in_front_is_cut_to_ten_milliseconds() -> None:
    server = SpeechServer(to_pcm16(tone(0.3, silence_s=0.4)))
    async with serving(server.app()) as address:
        engine = speech(address)
        heard = await listen(engine)
        await engine.close()
    first_loud = int(np.flatnonzero(np.abs(heard) > 0.01)[0])
    assert 0.009 * RATE_HZ < first_loud < 0.012 * RATE_HZ
    assert len(heard) == pytest.approx(0.31 * RATE_HZ, abs=0.002 * RATE_HZ)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
async def test_a_wav_of_another_rate_is_converted_to_the_engines_rate(subtype: str) -> None:
    server = SpeechServer(wav(tone(0.5, 16_000), 16_000, subtype), content_type="audio/wav")
    async with serving(server.app()) as address:
        engine = speech(address)
        heard = await listen(engine)
        await engine.close()
    assert len(heard) == pytest.approx(0.5 * RATE_HZ, abs=300)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * RATE_HZ / len(heard) == pytest.approx(220, abs=3)


async def test_a_rate_in_the_content_type_is_believed() -> None:
    server = SpeechServer(to_pcm16(tone(0.5, 16_000)), content_type="audio/pcm;rate=16000")
    async with serving(server.app()) as address:
        engine = speech(address)
        assert len(await listen(engine)) == pytest.approx(0.5 * RATE_HZ, abs=300)
        await engine.close()


async def test_speech_is_asked_for_again_after_a_server_error() -> None:
    server = SpeechServer(to_pcm16(tone(0.1)), failures=[500, 503])
    async with serving(server.app()) as address:
        engine = speech(address)
        assert len(await listen(engine))
        await engine.close()
    assert len(server.seen.requests) == 3


async def test_sound_cut_short_is_an_error_after_what_was_heard() -> None:
    sound = wav(tone(1.0), RATE_HZ)
    server = SpeechServer(sound, cut_after=10, content_type="audio/wav")
    heard = 0
    async with serving(server.app()) as address:
        engine = speech(address)
        with pytest.raises(EngineError) as caught:
            async for chunk in engine.stream("Good morning."):
                heard += len(chunk)
        await engine.close()
    assert heard > 0 and caught.value.retryable
    assert len(server.seen.requests) == 1


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"", "audio/pcm", "no sound"),
        (b'{"error": "x"}', "application/json", "not PCM"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0", "audio/wav", "format 6"),
    ],
)
async def test_an_answer_that_is_no_sound_is_refused_in_words(body: bytes, kind: str, says: str) -> None:
    async with serving(SpeechServer(body, content_type=kind).app()) as address:
        engine = speech(address)
        with pytest.raises(EngineError, match=says):
            await listen(engine)
        await engine.close()


async def test_closing_the_speech_makes_the_server_stop() -> None:
    server = SpeechServer(to_pcm16(tone(30)), chunk_bytes=4800, pause_s=0.01)
    async with serving(server.app()) as address:
        engine = speech(address)
        stream = engine.stream("A long story.")
        assert len(await anext(stream))
        await stream.aclose()
        async with asyncio.timeout(5):
            await server.seen.left.wait()
        await engine.close()
    assert server.seen.sent < 100


# ---- VibeVoice
# ---------------------------------------------------------------------------------------------------


async def test_vibevoice_gets_the_text_and_the_voice_and_its_sound_is_heard_without_the_logs() -> None:
    server = VibeVoiceServer()
    async with serving(server.app()) as address:
        engine = vibe(address)
        heard = await listen(engine, "Good morning & welcome?")
    request = server.seen.requests[0]
    assert request["text"] == "Good morning & welcome?"
    assert request["voice"] == "in-Samuel_man"
    assert float(request["cfg"]) > 0 and int(request["steps"]) > 0
    assert len(heard) == pytest.approx(0.61 * RATE_HZ, abs=0.002 * RATE_HZ)
    np.testing.assert_allclose(heard[-1000:], server.sound[-1000:], atol=1e-4)


async def test_an_unknown_vibevoice_voice_fails_and_lists_those_there_are() -> None:
    server = VibeVoiceServer()
    async with serving(server.app()) as address:
        engine = vibe(address, tts_voice="in-Samantha_woman")
        with pytest.raises(EngineError, match="'in-Samantha_woman'.*en-WHTest_man, in-Samuel_man"):
            await engine.warm_up()
    assert server.seen.requests == [], "the server would have spoken with another voice"


async def test_texts_for_vibevoice_queue_up_because_it_speaks_one_at_a_time() -> None:
    server = VibeVoiceServer(pause_s=0.01)
    async with serving(server.app()) as address:
        engine = vibe(address)
        heard = await asyncio.gather(*(listen(engine, f"Sentence {i}.") for i in range(4)))
    assert all(len(sound) > RATE_HZ // 2 for sound in heard)
    assert server.seen.most_speaking == 1
    assert len(server.seen.requests) == 4, "none was turned away"


async def test_a_busy_vibevoice_server_is_asked_again() -> None:
    server = VibeVoiceServer(busy_times=2)
    async with serving(server.app()) as address:
        assert len(await listen(vibe(address)))
    assert len(server.seen.requests) == 3


async def test_a_vibevoice_server_that_stays_busy_is_given_up_with_a_reason() -> None:
    server = VibeVoiceServer(busy_times=1000)
    async with serving(server.app()) as address:
        with pytest.raises(EngineError, match="busy for 0.7 s") as caught:
            await listen(vibe(address, engine_timeout_s=0.7))
    assert caught.value.retryable


async def test_closing_vibevoices_speech_frees_it_for_the_next_text() -> None:
    server = VibeVoiceServer(sound=tone(60), pause_s=0.005)
    async with serving(server.app()) as address:
        engine = vibe(address)
        stream = engine.stream("A long story.")
        assert len(await anext(stream))
        await stream.aclose()
        async with asyncio.timeout(5):
            await server.seen.left.wait()
            server.sound = tone(0.1)
            assert len(await listen(engine, "Next."))


@pytest.mark.parametrize(
    ("failure", "says"),
    [({"cut_after": 1}, "code 1011"), ({"fail": "generation_error"}, "generation_error"), ({"pause_s": 30}, "nothing")],
)
async def test_a_failing_vibevoice_server_is_an_error_that_says_what_happened(failure: Any, says: str) -> None:
    async with serving(VibeVoiceServer(**failure).app()) as address:
        with pytest.raises(EngineError, match=says):
            await listen(vibe(address, engine_timeout_s=0.5))


async def test_no_vibevoice_server_says_which_setting_to_correct() -> None:
    with pytest.raises(EngineError, match="start the server or correct VIVA_TTS_URL"):
        await listen(vibe("127.0.0.1:9", engine_timeout_s=2))


async def test_a_long_text_reaches_vibevoice_in_requests_its_request_line_can_hold() -> None:
    server = VibeVoiceServer(sound=tone(0.1))
    text = " ".join(f"This is sentence number {i} of a rather long speech, β and all." for i in range(80))
    async with serving(server.app()) as address:
        await listen(vibe(address), text)
    said = [request["text"] for request in server.seen.requests]
    assert len(said) > 1 and max(map(len, said)) <= vibevoice.MAX_TEXT
    assert " ".join(said) == text


async def test_vibevoice_speaks_slower_at_the_same_pitch_when_asked() -> None:
    server = VibeVoiceServer(sound=tone(1.0))
    async with serving(server.app()) as address:
        heard = await listen(vibe(address), rate=0.8)
    assert len(heard) / RATE_HZ == pytest.approx(1.25, rel=0.05)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * RATE_HZ / len(heard) == pytest.approx(220, rel=0.02)
