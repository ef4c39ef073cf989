"""What a client is told: the events about turns, questions, verdicts and time, made from plain values."""

from __future__ import annotations

from typing import Any, Literal

from workbench.engines.base import SAMPLE_RATE_HZ
from workbench.exam import model as exam
from workbench.exam.items import Bank
from workbench.exam.state import ExamState
from workbench.judging.registry import find_question
from workbench.realtime import protocol
from workbench.realtime.drafts import TurnTimes
from workbench.realtime.speaker import Marks

Event = dict[str, Any]
Floor = Literal["examiner", "candidate", "thinking", "paused", "closed"]

MADE_FOR_ANSWER = frozenset({"feedback", "probe", "model_answer"})
"""Kinds of line that exist only because of the answer, besides those the language model worded."""


def stock(kind: str, **fields: Any) -> Event:
    """An event of the stock API."""
    return {"type": kind, "event_id": protocol.new_id("evt"), **fields}


def notice(code: Any, message: str) -> Event:
    """Something the candidate should know."""
    return protocol.VivaNotice(code=code, message=message).model_dump()


def speech_started(item_id: str, sample: int) -> Event:
    """The candidate began to speak at this sample of their own stream."""
    return stock("input_audio_buffer.speech_started", audio_start_ms=_ms(sample), item_id=item_id)


def turn_taken(item_id: str, text: str, start: int, end: int) -> tuple[Event, ...]:
    """The candidate's turn is over, and what was understood of it."""
    item = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_audio", "transcript": text}],
    }
    usage = {"type": "duration", "seconds": round((end - start) / SAMPLE_RATE_HZ, 3)}
    return (
        stock("input_audio_buffer.speech_stopped", audio_end_ms=_ms(end), item_id=item_id),
        stock("input_audio_buffer.committed", item_id=item_id, previous_item_id=None),
        stock("conversation.item.added", item=item, previous_item_id=None),
        stock(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage=usage,
        ),
    )


def words_so_far(item_id: str, delta: str) -> Event:
    """More words of a turn still being spoken."""
    return stock("conversation.item.input_audio_transcription.delta", item_id=item_id, content_index=0, delta=delta)


def truncated(item_id: str, audio_end_ms: int) -> Event:
    """An examiner's item was cut at what was heard of it."""
    return stock("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms)


def words_without_sound(response_id: str, lines: tuple[exam.Line, ...]) -> Event:
    """The words of a reply whose sound could not be made."""
    text = " ".join(line.text for line in lines)
    kind = lines[0].kind if lines else "apology"
    return protocol.VivaCaption(
        response_id=response_id, text=text, start_sample=0, end_sample=0, kind=kind
    ).model_dump()


def state(
    exam_state: ExamState, *, session_id: str, resume_token: str, floor: Floor, elapsed_s: float, recording: bool
) -> Event:
    """Where the exam stands and who has the floor."""
    card = exam_state.card()
    return protocol.VivaState(
        session_id=session_id,
        resume_token=resume_token,
        phase=exam_state.phase,
        floor=floor,
        mode=exam_state.setup.mode,
        discipline=exam_state.setup.discipline,
        area=card.area,
        candidate=card.candidate,
        number=card.number,
        total=card.total,
        elapsed_s=round(elapsed_s, 2),
        deadline_s=card.deadline_s,
        recording=recording,
    ).model_dump()


def question(effect: exam.ShowQuestion) -> Event:
    """The card of a question."""
    return protocol.VivaQuestion(
        number=effect.number,
        total=effect.total,
        question_id=effect.question_id,
        scenario_title=effect.scenario_title,
        scenario=effect.scenario,
        stem=effect.stem,
        deadline_s=effect.deadline_s,
    ).model_dump()


def areas(effect: exam.OfferAreas) -> Event:
    """The areas to choose from."""
    return protocol.VivaAreas(areas=[{"key": key, "title": title} for key, title in effect.areas]).model_dump()


def consent_asked() -> Event:
    """Consent is asked for."""
    return protocol.VivaConsentAsked().model_dump()


def verdict(bank: Bank, exam_state: ExamState, number: int, evaluation: exam.Evaluation) -> Event:
    """An answer's mark with its evidence."""
    _, asked = find_question(bank, evaluation.question_id)
    texts = {point.id: point.text for point in asked.key_points}
    answers = {record.number: record.text for record in exam_state.records}
    return protocol.VivaVerdict(
        number=number,
        question_id=evaluation.question_id,
        verdict=evaluation.verdict,
        points=evaluation.points,
        confidence=evaluation.confidence,
        judge=evaluation.judge,
        key_points=[
            protocol.VivaKeyPoint(text=texts.get(item.key_point_id, ""), status=item.status, quote=item.quote)
            for item in evaluation.evidence
        ],
        answer=answers.get(number, ""),
        model_answer=asked.model_answer,
    ).model_dump()


def latency(
    turn: int, mode: exam.Mode, times: TurnTimes, marks: Marks, first: exam.Line, sent_at: float
) -> protocol.VivaLatency:
    """Where the time of a turn went, from the last voiced sample to the first sound of the reply."""

    def since(moment: float | None) -> float | None:
        return None if moment is None else round((moment - times.voice_end) * 1000, 1)

    return protocol.VivaLatency(
        turn=turn,
        mode=mode,
        patience_ms=round(times.needed_s * 1000, 1),
        endpoint_ms=since(times.endpoint) or 0.0,
        asr_ms=since(times.recognised) or 0.0,
        judge_ms=since(times.judged),
        llm_first_ms=since(marks.llm_first),
        llm_sentence_ms=since(marks.llm_clause),
        tts_first_ms=since(marks.tts_first) or 0.0,
        sent_ms=since(sent_at) or 0.0,
        first_kind=first.kind,
        made_for_answer=first.wording is not None or first.kind in MADE_FOR_ANSWER,
    )


def _ms(sample: int) -> int:
    return int(sample * 1000 / SAMPLE_RATE_HZ)
