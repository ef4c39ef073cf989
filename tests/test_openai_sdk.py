"""The stock `openai` SDK sits twelve questions: spoken and typed, with nothing of the workbench on its side."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI

from tests.live_server import scripted_socket
from tests.scripted_engines import Vocabulary
from workbench.audio import to_pcm16
from workbench.settings import Settings, get_settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.voices import Studio

RATE = 24_000
FRAME = RATE // 50
EXAM = {"discipline": "medical", "area": "cardiology", "candidate": "Sade", "consent": True, "mode": "exam", "seed": 7}


@dataclass
class Sat:
    """What the SDK's client saw."""

    types: set[str] = field(default_factory=set)
    questions: dict[int, str] = field(default_factory=dict)
    transcripts: list[str] = field(default_factory=list)
    examiner_said: list[str] = field(default_factory=list)
    verdicts: dict[int, dict[str, Any]] = field(default_factory=dict)
    n_audio_bytes: int = 0
    errors: list[Any] = field(default_factory=list)
    report: dict[str, Any] | None = None


def fields_of(event: Any) -> dict[str, Any]:
    """An event the SDK has no class for, as plain values."""
    return event.model_dump() if hasattr(event, "model_dump") else dict(event)


async def sit(
    base_url: str,
    book: AnswerBook,
    *,
    spoken: dict[int, Callable[[str], np.ndarray]],
    hurry: bool,
    timeout_s: float,
) -> Sat:
    """Sits the exam with the SDK's own connection; answers of the numbers in `spoken` are said, the rest typed."""
    seen = Sat()
    to_say: asyncio.Queue[np.ndarray] = asyncio.Queue()
    floor, awaiting_reply, n_sent = "", False, 0
    options = {**EXAM, **({"speaking_rate": 1.5, "patience": "brisk"} if hurry else {})}

    async with AsyncOpenAI(base_url=base_url, api_key="none needed") as sdk:
        async with asyncio.timeout(timeout_s), sdk.realtime.connect(model="viva") as connection:
            pcm: Any = {"format": {"type": "audio/pcm", "rate": RATE}}
            session: Any = {"type": "realtime", "audio": {"input": pcm, "output": pcm}, "viva": options}
            await connection.session.update(session=session)

            async def microphone() -> None:
                waiting = np.zeros(0, np.float32)
                while True:
                    if not len(waiting) and not to_say.empty():
                        waiting = to_say.get_nowait()
                    frame = np.full(FRAME, 1e-4, np.float32)  # a quiet room
                    frame[: len(waiting[:FRAME])] += waiting[:FRAME]
                    waiting = waiting[FRAME:]
                    await connection.input_audio_buffer.append(audio=base64.b64encode(to_pcm16(frame)).decode())
                    await asyncio.sleep(0.02)

            async def answer(number: int) -> None:
                text = book.model_answer(seen.questions[number])
                if number in spoken:
                    to_say.put_nowait(spoken[number](text))
                    return
                item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
                await connection.conversation.item.create(item=item)
                await connection.response.create()

            async def stop_examiner(after_s: float) -> None:
                await asyncio.sleep(after_s)
                await connection.response.cancel()

            sound = asyncio.create_task(microphone())
            stopping: asyncio.Task[None] | None = None
            try:
                async for event in connection:
                    seen.types.add(event.type)
                    match event.type:
                        case "error":
                            seen.errors.append(fields_of(event))
                        case "response.output_audio.delta":
                            n_sent += len(base64.b64decode(event.delta)) // 2
                            seen.n_audio_bytes += len(base64.b64decode(event.delta))
                        case "response.created":
                            n_sent = 0
                            if stopping is not None:
                                stopping.cancel()  # it was meant for the reply before
                        case "response.done":
                            awaiting_reply = False
                        case "response.output_audio_transcript.done":
                            seen.examiner_said.append(event.transcript)
                        case "conversation.item.input_audio_transcription.completed":
                            seen.transcripts.append(event.transcript)
                        case "viva.question":
                            question = fields_of(event)
                            seen.questions[question["number"]] = question["question_id"]
                        case "viva.caption" if hurry:
                            caption = fields_of(event)
                            if caption["kind"] == "question" and max(seen.questions, default=0) not in spoken:
                                # one who reads faster than the examiner speaks, once the question has begun
                                ahead_s = max(0, caption["start_sample"] - n_sent) / RATE
                                stopping = asyncio.create_task(stop_examiner(ahead_s + 1.5))
                        case "viva.state":
                            floor = fields_of(event)["floor"]
                        case "viva.verdict":
                            verdict = fields_of(event)
                            seen.verdicts[verdict["number"]] = verdict
                        case "viva.report":
                            seen.report = fields_of(event)
                            return seen
                    if floor == "candidate" and seen.questions and not awaiting_reply:
                        awaiting_reply = True
                        await answer(max(seen.questions))
            finally:
                for task in (sound, stopping):
                    if task is not None:
                        task.cancel()
                        with contextlib.suppress(asyncio.CancelledError):
                            await task
    return seen


def check(seen: Sat) -> None:
    assert seen.errors == []
    assert sorted(seen.questions) == list(range(1, 13))
    assert sorted(seen.verdicts) == list(range(1, 13))
    assert seen.report is not None and seen.report["completed"] and seen.report["max_score"] == 120
    assert seen.report["score"] == pytest.approx(sum(v["points"] for v in seen.verdicts.values()))
    assert seen.n_audio_bytes > RATE
    assert {
        "session.created", "session.updated", "response.created", "response.output_audio.delta", "response.done",
        "response.output_audio_transcript.delta", "conversation.item.added", "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.completed",
    } <= seen.types  # fmt: skip


async def test_the_stock_sdk_sits_twelve_questions_over_stand_in_engines(tmp_path):
    vocabulary = Vocabulary()
    book = AnswerBook(Settings(_env_file=None))

    def tone(text: str) -> np.ndarray:
        return vocabulary.spoken(text, 1.2, RATE)

    with scripted_socket(tmp_path, vocabulary, max_sessions=2) as url:
        seen = await sit(
            url.replace("ws://", "http://").removesuffix("/realtime"),
            book,
            spoken={2: tone, 5: tone, 12: tone},
            hurry=False,
            timeout_s=150,
        )
    check(seen)
    assert [book.model_answer(seen.questions[number]) for number in (2, 5, 12)] == seen.transcripts


@pytest.mark.weights
@pytest.mark.realtime
@pytest.mark.slow
async def test_the_stock_sdk_sits_twelve_questions_by_voice_and_keyboard(live_server):
    book = AnswerBook(Settings(_env_file=None))
    studio = Studio(get_settings())
    # which questions come is the exam's business: every answer that may be needed is made before
    clips = {}
    for question_id in book.question_ids("medical", "cardiology"):
        text = book.model_answer(question_id)
        clips[text] = (await studio.say(text)).at(RATE)
    await studio.close()
    seen = await sit(
        f"{live_server.url}/v1",
        book,
        spoken={1: clips.__getitem__, 8: clips.__getitem__},
        hurry=True,
        timeout_s=400,
    )
    check(seen)
    assert len([text for text in seen.transcripts if text]) >= 2
    for number in (1, 8):
        assert seen.verdicts[number]["points"] > 0, "a full answer, spoken, earned nothing"
