"""A ConvoKit corpus: vivas as conversations, turns as utterances, everything else as their metadata.

Layout: ConvoKit's documentation, "The data format" (https://convokit.cornell.edu/documentation/data_format.html); its
`Corpus(filename=folder)` opens what is written here. ConvoKit itself is not needed: it brings spaCy and much else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.transcripts.columns import MOMENT, TABLES, Table
from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.frames import Transcripts

EXAMINER = "examiner"
FILES = ("utterances.jsonl", "speakers.json", "conversations.json", "corpus.json", "index.json")
_OF_TURN = ("kind", "item_index", "start_s", "end_s", "text_corrected", "text_planned", "interrupted", "typed",
            "confidence", "turn_index")  # fmt: skip
_OF_WORD = ("word", "start_s", "end_s", "confidence")
_IN_CONVERSATION = ("items", "marks", "events")


def to_convokit(transcripts: Transcripts, folder: Path | str) -> Path:
    """Writes one corpus of all vivas; returns the folder.

    Nothing is lost: `read_convokit` gives equal frames. An utterance's id is `SESSION:TURN`, its timestamp the second
    it began at, its metadata the columns of `turns` and the words; a conversation's metadata are the columns of
    `sessions` and the rows of `items, marks, events`. The examiner is one speaker, a candidate goes by pseudonym.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    sessions = {row["session_id"]: row for row in _rows(transcripts.sessions, TABLES["sessions"])}
    words = _grouped(transcripts.words, TABLES["words"], "session_id", "turn_index")
    inside = {name: _grouped(transcripts.table(name), TABLES[name], "session_id") for name in _IN_CONVERSATION}

    with (target / "utterances.jsonl").open("w", encoding="ascii") as file:
        before: dict[str, Any] = {"conversation_id": None, "id": None}
        for turn in _rows(transcripts.turns, TABLES["turns"]):
            session_id = turn["session_id"]
            said = words.get((session_id, turn["turn_index"]), [])
            utterance = {
                "id": f"{session_id}:{turn['turn_index']}",
                "conversation_id": session_id,
                "text": turn["text"],
                "speaker": EXAMINER if turn["speaker"] == EXAMINER else sessions[session_id]["candidate_id"],
                "meta": {
                    **{name: turn[name] for name in _OF_TURN},
                    "words": [[word[name] for name in _OF_WORD] for word in said],
                },
                "reply-to": before["id"] if before["conversation_id"] == session_id else None,
                "timestamp": turn["start_s"],
                "vectors": [],
            }
            file.write(json.dumps(utterance) + "\n")
            before = utterance
    speakers = {EXAMINER: "examiner", **{row["candidate_id"]: "candidate" for row in sessions.values()}}
    conversations = {
        session_id: {
            "meta": {
                **row,
                **{name: _without_session(inside[name].get((session_id,), [])) for name in _IN_CONVERSATION},
            },
            "vectors": [],
        }
        for session_id, row in sessions.items()
    }
    _write(target / "speakers.json", {name: {"meta": {"role": role}, "vectors": []} for name, role in speakers.items()})
    _write(target / "conversations.json", conversations)
    _write(target / "corpus.json", {"name": "vivas", "written_by": "viva-workbench"})
    _write(target / "index.json", _index())
    return target


def read_convokit(folder: Path | str) -> Transcripts:
    """The tables of a corpus that `to_convokit` wrote, or that ConvoKit dumped after opening it.

    Raises:
        TranscriptError: The folder holds no such corpus.
    """
    source = Path(folder)
    if missing := [name for name in FILES[:3] if not (source / name).is_file()]:
        raise TranscriptError(f"{source} is no ConvoKit corpus: {', '.join(missing)} is missing")
    try:
        conversations = json.loads((source / "conversations.json").read_text(encoding="utf-8"))
        with (source / "utterances.jsonl").open(encoding="utf-8") as file:
            utterances = [json.loads(line) for line in file]
        metas = {name: value.get("meta", value) for name, value in conversations.items()}
        frames = {name: pd.DataFrame(_from_conversations(metas, name)) for name in ("sessions", *_IN_CONVERSATION)}
        frames["turns"] = pd.DataFrame(_turns(utterances))
        frames["words"] = pd.DataFrame(_words(utterances))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise TranscriptError(
            f"{source} is no corpus that was written here ({type(error).__name__}: {error})"
        ) from None
    return Transcripts.of({name: frame for name, frame in frames.items() if len(frame)}, about=f"the corpus {source}")


def _turns(utterances: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in utterances:
        speaker = EXAMINER if one["speaker"] == EXAMINER else "candidate"
        meta = {name: one["meta"][name] for name in _OF_TURN}
        yield {"session_id": one["conversation_id"], "speaker": speaker, "text": one["text"], **meta}


def _words(utterances: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in utterances:
        for place, word in enumerate(one["meta"]["words"]):
            yield {
                "session_id": one["conversation_id"],
                "turn_index": one["meta"]["turn_index"],
                "word_index": place,
                "speaker": EXAMINER if one["speaker"] == EXAMINER else "candidate",
                **dict(zip(_OF_WORD, word, strict=True)),
            }


def _from_conversations(metas: dict[str, dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    for session_id, meta in metas.items():
        if name == "sessions":
            yield {key: value for key, value in meta.items() if key not in _IN_CONVERSATION}
        else:
            yield from ({"session_id": session_id, **row} for row in meta[name])


def _rows(frame: pd.DataFrame, table: Table) -> Iterator[dict[str, Any]]:
    """The rows with plain values: None for what is missing, moments in ISO 8601."""
    columns: list[list[Any]] = []
    for column in table.columns:
        values = frame[column.name]
        if column.dtype == MOMENT:
            columns.append([value.isoformat() for value in values])
        else:
            plain = values.astype(object)
            columns.append(plain.where(plain.notna(), None).tolist())
    return (dict(zip(table.names, row, strict=True)) for row in zip(*columns, strict=True))


def _grouped(frame: pd.DataFrame, table: Table, *key: str) -> dict[tuple, list[dict[str, Any]]]:
    found: dict[tuple, list[dict[str, Any]]] = {}
    for row in _rows(frame, table):
        found.setdefault(tuple(row[name] for name in key), []).append(row)
    return found


def _without_session(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "session_id"} for row in rows]


def _index() -> dict[str, Any]:
    """ConvoKit's list of metadata by kind of object, with their Python types."""
    kinds = {"string[pyarrow]": "str", "category": "str", "float64": "float", "int64": "int", "Int64": "int",
             "bool": "bool", MOMENT: "str"}  # fmt: skip

    def types(table: Table, names: tuple[str, ...]) -> dict[str, list[str]]:
        return {c.name: [f"<class '{kinds[c.dtype]}'>"] for c in table.columns if c.name in names}

    listed = ["<class 'list'>"]
    return {
        "utterances-index": {**types(TABLES["turns"], _OF_TURN), "words": listed},
        "speakers-index": {"role": ["<class 'str'>"]},
        "conversations-index": {
            **types(TABLES["sessions"], TABLES["sessions"].names),
            **{name: listed for name in _IN_CONVERSATION},
        },
        "overall-index": {"name": ["<class 'str'>"], "written_by": ["<class 'str'>"]},
        "version": 1,
        "vectors": [],
    }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="ascii")
