"""Graded answers of one's own, from CSV or JSON lines with columns mapped by name."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.corpora import LABELS, CorpusError, Record
from workbench.exam.grading import CORRECT_SHARE, PARTIAL_SHARE
from workbench.exam.model import Verdict

FIELDS = {
    "question": "what was asked",
    "answer": "what was answered",
    "reference": "a right answer; several in a JSON list, or split by |",
    "label": f"{', '.join(LABELS)}; may be left out where there are points",
    "points": "0 to 10; may be left out where there is a label",
    "feedback": "what the candidate was told; may be left out",
    "question_id": "one id for one question; its text if left out",
    "candidate": "a pseudonym, so that nobody stands on two sides",
    "id": "of the row; its place in the file if left out",
}
"""What a row may hold, with a line of help each; question, answer, reference and a mark it must."""


@dataclass(frozen=True)
class Unfit:
    """A row that does not fit, by its line, and why."""

    where: str
    reason: str


def read_own(path: Path, columns: Mapping[str, str]) -> tuple[list[Record], list[Unfit]]:
    """Reads a file of graded answers.

    Args:
        path: `.csv` with a header line, or `.jsonl`; UTF-8.
        columns: Field of `FIELDS` to the column that holds it; a field without an entry is looked for by its own name.

    Returns:
        Records, and the rows that do not fit.

    Raises:
        CorpusError: Another kind of file, unknown fields, or a column that is mapped or needed is not there.
    """
    unknown = sorted(set(columns) - set(FIELDS))
    if unknown:
        raise CorpusError(f"unknown fields {', '.join(unknown)}; known: {', '.join(FIELDS)}")
    records: list[Record] = []
    unfit: list[Unfit] = []
    rows = list(_rows(path))
    _check_columns(path, columns, list(dict.fromkeys(column for _, row in rows for column in row or ())))
    for number, row in rows:
        where = f"{path.name}:{number}"
        try:
            if row is None:
                raise ValueError("is no JSON object")
            records.append(_record({f: row.get(columns.get(f, f)) for f in FIELDS}, path, number))
        except ValueError as error:
            unfit.append(Unfit(where, str(error)))
    return records, unfit


_KINDS = (".csv", ".jsonl")
_NEEDED = ("question", "answer", "reference")
_MARKS = ("label", "points")


def _check_columns(path: Path, columns: Mapping[str, str], there: Sequence[str]) -> None:
    if not there:
        return
    wanted = dict.fromkeys([columns.get(field, field) for field in _NEEDED] + list(columns.values()))
    missing = sorted(column for column in wanted if column not in there)
    if not any(field in columns or field in there for field in _MARKS):
        missing.append(" or ".join(_MARKS))
    if not missing:
        return
    if path.suffix == ".csv" and wanted.keys().isdisjoint(there) and any(mark in there[0] for mark in ";\t"):
        hint = "its columns must be separated by commas: save it so"
    else:
        hint = f"--columns maps them, such as --columns {_NEEDED[0]}=prompt"
    raise CorpusError(f"{path} has no column {', '.join(missing)}; it has {', '.join(there)}; {hint}")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    if path.suffix not in _KINDS:
        raise CorpusError(
            f"cannot read {path.name}; allowed: {' and '.join(_KINDS)}, with a header line or an object a line"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read {path}: {error}; give a UTF-8 file") from error
    if path.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            for row in reader:
                yield reader.line_num, {key: value for key, value in row.items() if key is not None}
        except csv.Error as error:
            raise CorpusError(
                f"cannot read {path} from line {reader.line_num + 1} on: {error}; is a quote never closed?"
            ) from error
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                value = None
            yield number, value if isinstance(value, dict) else None


def _record(row: Mapping[str, Any], path: Path, number: int) -> Record:
    question, answer, own_id, question_id, candidate = (
        _text(row[name]) for name in ("question", "answer", "id", "question_id", "candidate")
    )
    if not question:
        raise ValueError("has no question")
    if not answer:
        raise ValueError("has no answer")
    references = _references(row["reference"])
    if not references:
        raise ValueError("has no reference answer to compare with")
    points = _points(row["points"])
    label = _text(row["label"]).lower()
    if not label and points is None:
        raise ValueError(f"has neither a label ({', '.join(LABELS)}) nor points (0 to 10)")
    if label and label not in LABELS:
        raise ValueError(f"has the label {label!r}; allowed: {', '.join(LABELS)}")
    verdict: Verdict = label if label else _verdict(points or 0.0)
    key = hashlib.sha256(question.encode()).hexdigest()[:12]
    return Record(
        f"own:{own_id or f'{path.stem}:{number}'}",
        f"own:{question_id or key}",
        question,
        references,
        answer,
        verdict,
        points,
        "own",
        "train",
        candidate,
        feedback=_text(row["feedback"]),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _references(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            pass
    parts = value if isinstance(value, list) else _text(value).split("|")
    return tuple(dict.fromkeys(_text(part) for part in parts if _text(part)))


def _points(value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        points = float(str(value).replace(",", "."))
    except ValueError:
        raise ValueError(f"has points {value!r}; allowed: a number from 0 to 10") from None
    if not 0 <= points <= 10:
        raise ValueError(f"has {points:g} points; allowed: 0 to 10 (scale other marks to it)")
    return points


def _verdict(points: float) -> Verdict:
    if points >= 10 * CORRECT_SHARE:
        return "correct"
    return "partial" if points >= 10 * PARTIAL_SHARE else "incorrect"
