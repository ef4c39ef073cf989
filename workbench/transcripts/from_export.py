"""Reads exports: JSON lines of the educators' page and the HTTP API, JSON of `viva sessions export`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.exam.bank import load_banks
from workbench.transcripts.errors import TranscriptError

SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".ndjson")


def is_export(path: Path) -> bool:
    """Whether a file is named as exports are."""
    return path.name.endswith(SUFFIXES)


class ExportSource:
    """The raw tables of `tidy.py`, from files of exported vivas.

    Args:
        paths: The files; a viva that stands in several is read from the first.
    """

    def __init__(self, *paths: Path) -> None:
        self.paths = paths
        self.about = f"the export {', '.join(path.name for path in paths)}"

    def recording(self, session_id: str) -> Path | None:
        """A recording beside the export, in `audio` or `recordings`; None when there is none."""
        return recording_beside(self.paths[0].parent, session_id)

    @cached_property
    def vivas(self) -> list[dict[str, Any]]:
        """Every viva in the order it began, in the shape of the researchers' export.

        Raises:
            TranscriptError: A file is no export; the message names file and line.
        """
        found: dict[str, dict[str, Any]] = {}
        for path in self.paths:
            for place, given in _objects(path):
                viva = _same_shape(given)
                missing = {"session", "turns", "answers", "marks", "events"} - set(viva)
                if missing or not isinstance(viva["session"], dict) or "id" not in viva["session"]:
                    raise TranscriptError(
                        f"{path.name}, {place}: no exported viva ({', '.join(sorted(missing)) or 'session.id'} is"
                        " missing); allowed: what `viva sessions export` or the educators' page wrote"
                    )
                if viva["session"].get("status") != "running":
                    found.setdefault(viva["session"]["id"], viva)
        return sorted(found.values(), key=lambda viva: (viva["session"]["started_at"], viva["session"]["id"]))

    def raw_sessions(self) -> pd.DataFrame:
        """One row a viva."""
        return _frame([_session(viva) for viva in self.vivas], _SESSION)

    def raw_turns(self) -> pd.DataFrame:
        """One row a turn."""
        names = {
            "turn_index": "position",
            "speaker": "role",
            "item_index": "number",
            "text_corrected": "corrected_text",
        }
        return _frame(
            [
                {"session_id": viva["session"]["id"], **{name: turn.get(names.get(name, name)) for name in _TURN[1:]}}
                for viva in self.vivas
                for turn in viva["turns"]
            ],
            _TURN,
        )

    def raw_times(self) -> pd.DataFrame:
        """The turns without their words."""
        return self.raw_turns()

    def raw_words(self) -> pd.DataFrame:
        """One row a word."""
        return _frame(
            [
                {
                    "session_id": viva["session"]["id"],
                    "turn_index": turn["position"],
                    "word_index": place,
                    "speaker": turn["role"],
                    "word": word["text"],
                    "start_s": word["start_s"],
                    "end_s": word["end_s"],
                    "confidence": word.get("probability"),
                }
                for viva in self.vivas
                for turn in viva["turns"]
                for place, word in enumerate(turn.get("words") or ())
            ],
            _WORD,
        )

    def raw_answers(self) -> pd.DataFrame:
        """One row an answer."""
        rows = [
            {
                "session_id": viva["session"]["id"],
                "item_index": answer["number"],
                **{name: answer[name] for name in ("question_id", "text", "typed", "probe", "skipped")},
                **self._question(viva, answer["question_id"]),
            }
            for viva in self.vivas
            for answer in sorted(viva["answers"], key=lambda answer: answer["number"])
        ]
        return _frame(rows, _ANSWER)

    def raw_marks(self) -> pd.DataFrame:
        """One row a mark."""
        rows = [
            {
                "session_id": viva["session"]["id"],
                "item_index": mark["number"],
                **{name: mark["evaluation"][name] for name in _EVALUATION},
                "rater": _rater(mark["rater"]),
                "marked_at": mark["created_at"],
                "evidence": json.dumps(mark["evaluation"]["evidence"]),
                "mark_id": mark.get("id"),
                "restores_id": mark.get("restores_id"),
            }
            for viva in self.vivas
            for mark in sorted(viva["marks"], key=lambda mark: mark["number"])
        ]
        last = ("rater", "marked_at", "evidence", "mark_id", "restores_id")
        return _frame(rows, ("session_id", "item_index", *_EVALUATION, *last))

    def raw_events(self) -> pd.DataFrame:
        """One row an event."""
        return _frame(
            [
                {
                    "session_id": viva["session"]["id"],
                    "at_s": event["at_s"],
                    "kind": event["type"],
                    "detail": json.dumps(event.get("data") or {}),
                }
                for viva in self.vivas
                for event in viva["events"]
            ],
            ("session_id", "at_s", "kind", "detail"),
        )

    @cached_property
    def _known_questions(self) -> dict[str, dict[str, Any]]:
        """Today's questions, for exports that do not say what theirs were."""
        return {
            question.id: {
                "scenario_id": scenario.id,
                "difficulty": question.difficulty,
                "cognitive_level": question.cognitive_level,
            }
            for bank in load_banks(None).values()
            for _, scenario, question in bank.questions()
        }

    def _question(self, viva: dict[str, Any], question_id: str) -> dict[str, Any]:
        kept = viva.get("questions")
        found = (self._known_questions if kept is None else kept).get(question_id) or {}
        return {name: found.get(name) for name in ("scenario_id", "difficulty", "cognitive_level")}


_SESSION = (
    "session_id", "candidate_id", "discipline", "area", "mode", "seed", "options", "started_at", "ended_at", "status",
    "recorded", "judge", "adapter", "bank_version", "cohort_id", "completed", "score", "max_score", "n_items",
    "typed_share", "end_s",
)  # fmt: skip
_TURN = (
    "session_id", "turn_index", "speaker", "kind", "item_index", "text", "heard_text", "text_corrected", "interrupted",
    "typed", "confidence", "start_s", "end_s",
)  # fmt: skip
_WORD = ("session_id", "turn_index", "word_index", "speaker", "word", "start_s", "end_s", "confidence")
_ANSWER = (
    "session_id", "item_index", "question_id", "text", "typed", "probe", "skipped", "scenario_id", "difficulty",
    "cognitive_level",
)  # fmt: skip
_EVALUATION = ("question_id", "verdict", "points", "confidence", "judge")
_TEXTS = frozenset(
    "session_id candidate_id discipline area mode options status judge adapter bank_version speaker kind text"
    " heard_text text_corrected word question_id scenario_id cognitive_level rater verdict evidence detail".split()
)


def recording_beside(folder: Path, session_id: str) -> Path | None:
    """The recording of a viva in `audio` or `recordings` of a folder, None when there is none."""
    for inside in ("audio", "recordings"):
        for suffix in (".flac", ".wav", ".ogg", ".opus"):
            path = folder / inside / f"{session_id}{suffix}"
            if path.is_file():
                return path
    return None


def _session(viva: dict[str, Any]) -> dict[str, Any]:
    session, result = viva["session"], viva.get("result") or {}
    answers = viva["answers"]
    typed = [bool(answer["typed"]) for answer in answers if not answer["skipped"]]
    return {
        **{name: session.get(name) for name in _SESSION},
        "session_id": session["id"],
        "candidate_id": session["pseudonym"],
        "options": json.dumps(session.get("options") or {}),
        "recorded": session.get("record", False),
        **{name: result.get(name) for name in ("completed", "score", "max_score")},
        "n_items": len({answer["number"] for answer in answers}),
        "typed_share": sum(typed) / len(typed) if typed else None,
        "end_s": max((turn["end_s"] for turn in viva["turns"]), default=None),
    }


def _rater(rater: str) -> str:
    # version 1 of the export wrote educator-1, educator-2
    return rater if rater == "judge" or rater.startswith("human:") else f"human:{rater}"


def _same_shape(given: Any) -> dict[str, Any]:
    """The object in the shape of the researchers' export; `viva sessions export` writes a viva flat."""
    if not isinstance(given, dict):
        return {}
    if "session" in given or "id" not in given:
        return given
    lists = ("turns", "answers", "marks", "events", "questions")
    return {
        "session": {name: value for name, value in given.items() if name not in lists},
        "result": {name: given.get(name) for name in ("completed", "score", "max_score")},
        **{name: given[name] for name in lists if name in given},
    }


def _objects(path: Path) -> Iterator[tuple[str, Any]]:
    """Every object of a file with where it stands."""
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    lines = path.name.endswith((".jsonl", ".jsonl.gz", ".ndjson"))
    try:
        with opened as file:
            if lines:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield f"line {number}", json.loads(line)
            else:
                whole = json.load(file)
                rows = whole if isinstance(whole, list) else [whole]
                yield from ((f"object {number}", row) for number, row in enumerate(rows, start=1))
    except (json.JSONDecodeError, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise TranscriptError(f"{path.name}: no JSON ({type(error).__name__}); was the download complete?") from None


def _frame(rows: list[dict[str, Any]], names: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(names))
    return frame.astype({name: "string[pyarrow]" for name in names if name in _TEXTS})
