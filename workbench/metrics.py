"""What `/metrics` shows: counters, gauges and histograms of one process, in Prometheus' text format.

Names follow Prometheus' conventions (base units, `_total` for counters); labels hold identifiers of the program, never
anything a candidate said or is called.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
"""A registry of our own: what libraries put into the global one is none of our business."""

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_LATENCY_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)

SESSIONS_ACTIVE = Gauge("viva_sessions_active", "Vivas being held now.", registry=REGISTRY)
QUEUE_LENGTH = Gauge("viva_queue_length", "Candidates waiting for a seat.", registry=REGISTRY)
TASKS = Gauge("viva_asyncio_tasks", "Tasks of the server's event loop.", registry=REGISTRY)
SESSIONS = Counter("viva_sessions", "Vivas by how they ended.", ["outcome"], registry=REGISTRY)
TURNS = Counter("viva_turns", "Turns the examiner replied to.", ["mode"], registry=REGISTRY)
STAGE_SECONDS = Histogram(
    "viva_stage_seconds",
    "When each stage of a reply was done, from the last voiced sample.",
    ["stage"],
    buckets=_LATENCY_BUCKETS_S,
    registry=REGISTRY,
)
VOICE_TO_VOICE_SECONDS = Histogram(
    "viva_voice_to_voice_seconds",
    "From the last voiced sample to the first audible sample made for this answer handed to the socket.",
    ["mode"],
    buckets=_LATENCY_BUCKETS_S,
    registry=REGISTRY,
)
BARGE_INS = Counter("viva_barge_ins", "Times the candidate spoke over the examiner.", ["decision"], registry=REGISTRY)
WORDINGS = Counter("viva_wordings", "Lines the model was asked to word.", ["outcome"], registry=REGISTRY)
ENGINE_ERRORS = Counter("viva_engine_errors", "Failures of an engine.", ["stage"], registry=REGISTRY)
PROTOCOL_ERRORS = Counter("viva_protocol_errors", "Client events answered by `error`.", ["code"], registry=REGISTRY)
STAGES = ("endpoint", "asr", "judge", "llm_first", "llm_sentence", "tts_first", "sent")


class TurnLatency(Protocol):
    """The fields of `viva.latency` the histograms are made from, milliseconds from the last voiced sample."""

    @property
    def mode(self) -> str:
        """Mode of the viva."""

    endpoint_ms: float
    asr_ms: float
    judge_ms: float | None
    llm_first_ms: float | None
    llm_sentence_ms: float | None
    tts_first_ms: float
    sent_ms: float
    made_for_answer: bool


def seats(taken: int, waiting: int) -> None:
    """Sets how many vivas are held and how many candidates wait."""
    SESSIONS_ACTIVE.set(taken)
    QUEUE_LENGTH.set(waiting)


def session_ended(outcome: str) -> None:
    """Counts a viva that ended: `finished`, `stopped` or `abandoned`."""
    SESSIONS.labels(outcome).inc()


def turn(latency: TurnLatency) -> None:
    """Counts a turn and where its time went."""
    TURNS.labels(latency.mode).inc()
    for stage in STAGES:
        at_ms = getattr(latency, f"{stage}_ms")
        if at_ms is not None:
            STAGE_SECONDS.labels(stage).observe(max(0.0, at_ms) / 1000)
    if latency.made_for_answer:
        VOICE_TO_VOICE_SECONDS.labels(latency.mode).observe(max(0.0, latency.sent_ms) / 1000)


def barge_in(decision: str) -> None:
    """Counts a barge-in by what came of it: `pause`, `resume`, `clear`."""
    BARGE_INS.labels(decision).inc()


def wording(used: bool) -> None:
    """Counts a line of the model's, `used` or replaced by the bank's wording."""
    WORDINGS.labels("used" if used else "fallback").inc()


def engine_error(stage: str) -> None:
    """Counts a failure of `asr`, `llm`, `tts`, `judge`, ..."""
    ENGINE_ERRORS.labels(stage).inc()


def protocol_error(code: str) -> None:
    """Counts a client event that was answered by `error`."""
    PROTOCOL_ERRORS.labels(code).inc()


def as_text() -> bytes:
    """Everything, in Prometheus' text format; asked from the server's event loop, its tasks are counted too."""
    with suppress(RuntimeError):
        TASKS.set(len(asyncio.all_tasks()))
    return generate_latest(REGISTRY)
