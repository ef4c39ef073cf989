"""Made-up graded answers in the form of the shared corpora, small enough to read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from finetune.corpora import Record

TOPICS = ("magnet", "battery", "shadow", "river", "seed", "bridge", "cloud", "candle", "lever", "spring")


def record(
    key: str, question: str, answer: str, label: str = "correct", *, corpus: str = "scientsbank", candidate: str = ""
) -> Record:
    return Record(
        key, question, f"What does the {question} do?", (f"The {question} pulls the weight up.",), answer,
        label, None, corpus, "train", candidate,  # type: ignore[arg-type]
    )  # fmt: skip


def many(corpus: str = "scientsbank") -> list[Record]:
    """Three answers, one of each label, to every topic; no answer is near another."""
    return [
        record(f"{corpus}:{topic}:{label}", topic, text, label, corpus=corpus)
        for topic in TOPICS
        for label, text in (
            ("correct", f"{topic}s lift {topic}ish loads {topic}wards"),
            ("partial", f"some {topic}ness comes {topic}wise to the {topic}land"),
            ("incorrect", f"{topic}less {topic}men sleep near a {topic}house"),
        )
    ]


def row(key: str, question_id: str, answer: str, label: str = "correct", **more: Any) -> dict[str, Any]:
    return {
        "id": key,
        "question_id": question_id,
        "question": f"What is {question_id}?",
        "references": [f"{question_id} is a thing."],
        "answer": answer,
        "label": label,
        "score10": None,
        "feedback": None,
    } | more


def write_corpus(
    directory: Path, train: Iterable[dict[str, Any]], ua: Iterable[dict[str, Any]], uq: Iterable[dict[str, Any]]
) -> Path:
    """Writes a SciEntsBank of one's own below `directory`."""
    folder = directory / "scientsbank"
    folder.mkdir(parents=True)
    for name, rows in (("train", train), ("test-ua", ua), ("test-uq", uq)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return directory
