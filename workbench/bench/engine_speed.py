"""How fast the language model and the voice are, alone: `viva bench engines`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from workbench.bench.report import summary
from workbench.engines import registry
from workbench.engines.base import ChatMessage, ChatModel, Synthesizer
from workbench.engines.spoken_text import speakable
from workbench.exam.prompts import PREFIXES
from workbench.settings import Settings

REPEATS = 7
"""Runs of each measurement; the middle one is reported."""

ANSWERS = (
    "I would give oxygen and aspirin, and ask for an ECG within ten minutes.",
    "The murmur is a low rumble at the apex, loudest when the patient lies on the left side.",
    "She needs a blood thinner, because a clot may form in the left atrium.",
    "I am not sure, but I think the valve is narrowed by an old rheumatic fever.",
    "First I would look at the airway, then at the breathing, then at the circulation.",
    "An echocardiogram shows the area of the valve and the pressure across it.",
    "He should come back after two weeks so that we can see whether the dose is right.",
)
"""What the model is given to answer; a different one each run, so that only the beginning of the chat is
shared."""

TEXTS = {
    "short": "Thank you.",
    "ten_words": "What is the most likely diagnosis in this patient here?",
    "question": (
        "Thank you, that was clear. A 64-year-old woman has an irregular pulse of 130 bpm and BP 105/70 "
        "mmHg: which "
        "drug would you give first, and what would make you choose another one?"
    ),
}
"""What the voice is given to say."""

REPLY_TOKENS = 40


async def measure(settings: Settings, *, repeats: int = REPEATS) -> dict[str, Any]:
    """Measures the chat model and the voice that the settings name.

    Returns:
        `llm`: `first_token_ms` with the chat's beginning read before and without, `tokens_per_s` (pieces of
        the reply after the first); `tts`: per text `first_audio_ms` and `real_time_factor` (seconds of work a
        second of sound). Each figure is a `workbench.bench.report.summary`.

    Raises:
        EngineError: An engine cannot be loaded or reached.
    """
    chosen = registry.effective(settings)
    return {
        "threads": chosen.threads,
        "llm": await _measure_chat(chosen, repeats),
        "tts": await _measure_voice(registry.create("tts", chosen.tts, chosen), repeats),
    }


async def _measure_chat(settings: Settings, repeats: int) -> dict[str, Any]:
    model: ChatModel = registry.create("llm", settings.llm, settings)
    beginning: list[ChatMessage] = [{"role": m["role"], "content": m["content"]} for m in PREFIXES["talk"]]
    try:
        await model.warm_up()
        cold, warm, speed = [], [], []
        for run in range(repeats):
            # A beginning nobody has used: its first words differ, so that nothing of it was read before.
            fresh: list[ChatMessage] = [
                {"role": "system", "content": f"Examiner number {run}. {beginning[0]['content']}"},
                *beginning[1:],
            ]
            cold.append((await _reply(model, fresh, ANSWERS[run % len(ANSWERS)], 2))[0])
        await registry.warm_up_chat(model, [beginning])
        for run in range(repeats):
            first_s, rate = await _reply(model, beginning, ANSWERS[run % len(ANSWERS)], REPLY_TOKENS)
            warm.append(first_s)
            if rate:
                speed.append(rate)
    finally:
        await model.close()
    return {
        "engine": settings.llm,
        "model": settings.llm_model,
        "first_token_ms": {
            "beginning_kept": summary([1000 * value for value in warm]),
            "beginning_new": summary([1000 * value for value in cold]),
        },
        "tokens_per_s": summary(speed),
    }


async def _reply(
    model: ChatModel, beginning: Sequence[ChatMessage], answer: str, max_tokens: int
) -> tuple[float, float | None]:
    """Seconds to the first piece, and pieces a second after it."""
    messages: list[ChatMessage] = [*beginning, {"role": "user", "content": answer}]
    started = time.perf_counter()
    times: list[float] = []
    async with aclosing(model.stream(messages, max_tokens=max_tokens)) as pieces:
        async for _ in pieces:
            times.append(time.perf_counter())
    if not times:
        return time.perf_counter() - started, None
    return times[0] - started, (len(times) - 1) / (times[-1] - times[0]) if len(times) > 4 else None


async def _measure_voice(voice: Synthesizer, repeats: int) -> dict[str, Any]:
    try:
        await voice.warm_up()
        texts: dict[str, Any] = {}
        for name, text in TEXTS.items():
            first, factor, length = [], [], []
            for _ in range(repeats):
                started = time.perf_counter()
                n_samples, heard = 0, None
                async with aclosing(voice.stream(speakable(text))) as chunks:
                    async for chunk in chunks:
                        heard = heard or time.perf_counter()
                        n_samples += len(chunk)
                audio_s = n_samples / voice.sample_rate_hz
                first.append((heard or time.perf_counter()) - started)
                factor.append((time.perf_counter() - started) / audio_s)
                length.append(audio_s)
            texts[name] = {
                "words": len(speakable(text).split()),
                "audio_s": round(statistics.median(length), 2),
                "first_audio_ms": summary([1000 * value for value in first]),
                "real_time_factor": summary(factor, 4),
            }
    finally:
        await voice.close()
    return {"engine": voice.name, "texts": texts}
