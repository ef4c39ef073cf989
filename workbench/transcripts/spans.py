"""Spans of time with a label, as annotation programs want them: on a tier none overlaps another, each has a length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.frames import Transcripts

SHORTEST_S = 0.001
"""Length given to a span without one: a typed turn, a word the recogniser gave no length."""

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class Span:
    """A labelled stretch of time, seconds."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Annotated:
    """One viva as an annotation program shows it.

    Attributes:
        session_id: The viva.
        duration_s: Its length, at least as long as the last span ends.
        tiers: Spans by the name of their tier, in order and without overlap.
        recording: Its recording, None where there is none.
    """

    session_id: str
    duration_s: float
    tiers: dict[str, list[Span]]
    recording: Path | None


def one_line(text: str) -> str:
    """The text on one line, without control characters; runs of white space become one space."""
    return _UNPRINTABLE.sub("\ufffd", " ".join(text.split()))


def laid_out(spans: Iterable[Span]) -> list[Span]:
    """The spans by their start, moved on as far as is needed for none to overlap the one before or to be empty."""
    placed: list[Span] = []
    free_s = 0.0
    for span in sorted(spans, key=lambda span: span.start_s):
        start_s = max(span.start_s, free_s)
        free_s = max(span.end_s, start_s + SHORTEST_S)
        placed.append(Span(start_s, free_s, span.label))
    return placed


def annotated(transcripts: Transcripts) -> Iterator[Annotated]:
    """Every viva with the tiers `candidate, examiner, candidate words, examiner words, items`; empty ones left out."""
    turns = _by_session(transcripts.turns, "speaker", "text", "start_s", "end_s")
    words = _by_session(transcripts.words, "speaker", "word", "start_s", "end_s")
    items = _by_session(transcripts.items, "item_index", "question_id", "asked_at_s", "answer_end_s")
    for session_id, duration_s in zip(
        transcripts.sessions["session_id"], transcripts.sessions["duration_s"].fillna(0.0), strict=True
    ):
        tiers: dict[str, list[Span]] = {}
        for speaker in ("candidate", "examiner"):
            tiers[speaker] = [
                Span(a, b, one_line(text)) for who, text, a, b in turns.get(session_id, ()) if who == speaker
            ]
        for speaker in ("candidate", "examiner"):
            tiers[f"{speaker} words"] = [
                Span(a, b, one_line(text)) for who, text, a, b in words.get(session_id, ()) if who == speaker
            ]
        tiers["items"] = [
            Span(a, b, f"{index} {question_id}")
            for index, question_id, a, b in items.get(session_id, ())
            if not (pd.isna(a) or pd.isna(b))
        ]
        placed = {name: laid_out(spans) for name, spans in tiers.items() if spans}
        end_s = max((spans[-1].end_s for spans in placed.values()), default=SHORTEST_S)
        yield Annotated(session_id, max(float(duration_s), end_s), placed, transcripts.recording(session_id))


def file_name(session_id: str, suffix: str) -> str:
    """The file of a viva.

    Raises:
        TranscriptError: The id cannot name a file.
    """
    if not re.fullmatch(r"[\w.-]{1,100}", session_id) or session_id.startswith("."):
        raise TranscriptError(f"session id {session_id[:80]!r} cannot name a file; allowed are letters, digits, - _ .")
    return f"{session_id}{suffix}"


def _by_session(frame: pd.DataFrame, *names: str) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    columns = [frame[name].astype(object) for name in names]
    for session_id, *values in zip(frame["session_id"], *columns, strict=True):
        found.setdefault(session_id, []).append(tuple(values))
    return found
