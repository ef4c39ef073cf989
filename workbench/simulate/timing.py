"""How long a candidate waited: from the last voiced sample of an answer to the first word made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.simulate.client import Response, VivaClient
from workbench.simulate.microphone import Spoken


@dataclass(frozen=True)
class TurnTiming:
    """One answer and the reply to it, milliseconds after the last voiced sample was captured.

    Attributes:
        voice_to_voice_ms: First audible sample of words made for this answer, None when there were none.
        first_sound_ms: First audible sample of anything, fillers included.
        patience_ms: Silence the end-of-turn rule asked for.
        beyond_endpoint_ms: What was waited on top of that silence.
        cut_off: The reply began before the answer had ended.
        latency: The server's own account (`viva.latency`), None when it sent none.
        voice_end_late_ms: How much later than it did the server took the voice to have ended (network included).
        text: What was said to the examiner.
        response_id: The reply.
    """

    voice_to_voice_ms: float | None
    first_sound_ms: float | None
    patience_ms: float | None
    beyond_endpoint_ms: float | None
    cut_off: bool
    latency: dict[str, Any] | None
    text: str
    response_id: str | None
    voice_end_late_ms: float | None = None


def reply_to(client: VivaClient, spoken: Spoken) -> Response | None:
    """The first reply that began after the candidate did."""
    later = [r for r in client.responses.values() if r.created_s > spoken.first_voiced_s]
    return min(later, key=lambda response: response.created_s, default=None)


def first_sample_made(captions: list[dict[str, Any]], latency: dict[str, Any] | None) -> int | None:
    """First sample of a response that belongs to words made for the answer; None when it holds canned words only.

    Args:
        captions: The response's `viva.caption` events.
        latency: The turn's `viva.latency` event; it says whether the first line was made for the answer.
    """
    if latency is None:
        return None
    if latency["mode"] == "talk" and latency["llm_sentence_ms"] is None:
        return None  # the model's words were refused or late: the line's own words are canned
    if latency["made_for_answer"]:
        return 0
    kinds = sorted(captions, key=lambda caption: caption["start_sample"])
    # after a canned opener only these are about the answer; what follows (the next question) is not
    made = [c["start_sample"] for c in kinds if c["kind"] in MADE_FOR_ANSWER and c["kind"] != latency["first_kind"]]
    return made[0] if made else None


MADE_FOR_ANSWER = ("feedback", "probe", "model_answer", "talk", "off_script")


def timing_of(client: VivaClient, spoken: Spoken) -> TurnTiming:
    """The timing of an answer whose reply has (at least begun to) come."""
    response = reply_to(client, spoken)
    if response is None:
        return TurnTiming(None, None, None, None, False, None, spoken.clip.text, None)
    client.playout.advance(client.clock())
    cut_off = response.created_s < spoken.last_voiced_s
    told_s, latency = next(
        (
            (at_s, event)
            for at_s, event in client.latencies
            # the event is sent with the reply's first sound
            if response.created_s - 0.5 <= at_s <= (response.done_s or client.clock()) + 0.5
        ),
        (0.0, None),
    )
    first = client.playout.first_audible(response.response_id)
    first_sound_ms = None if first is None else (first[1] - spoken.last_voiced_s) * 1000
    sample = first_sample_made(client.captions.get(response.response_id, []), latency)
    made = None if sample is None else client.playout.first_audible(response.response_id, sample)
    voice_to_voice_ms = None if made is None else (made[1] - spoken.last_voiced_s) * 1000
    patience_ms = None if latency is None else float(latency["patience_ms"])
    beyond = None
    if voice_to_voice_ms is not None and patience_ms is not None:
        beyond = voice_to_voice_ms - patience_ms
    late = None if latency is None else (told_s - spoken.last_voiced_s) * 1000 - float(latency["sent_ms"])
    return TurnTiming(
        voice_to_voice_ms,
        first_sound_ms,
        patience_ms,
        beyond,
        cut_off,
        latency,
        spoken.clip.text,
        response.response_id,
        late,
    )
