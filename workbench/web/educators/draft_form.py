"""A draft's text as the fields of one question, and back: what a form edits, the YAML keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.bank_exchange.source import from_bytes
from workbench.bank_exchange.yaml_format import read_yaml, write_yaml
from workbench.store.errors import StoreError

POINT_COLUMNS = ("id", "text", "weight", "accepted", "misconceptions", "probe")
LISTS = ("accepted", "misconceptions")
SEPARATOR = " | "


def data_of(source: str) -> dict[str, Any]:
    """The fields of a draft, complete or not.

    Raises:
        BankError: The text is no YAML of a bank.
    """
    return read_yaml(from_bytes("draft.yaml", source.encode())).data


def questions_of(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Every question that has an id: what to call it and where it is, `area/scenario/question` by position."""
    found = []
    for a, area in enumerate(_dicts(data.get("areas"))):
        for s, scenario in enumerate(_dicts(area.get("scenarios"))):
            for q, question in enumerate(_dicts(scenario.get("questions"))):
                stem = str(question.get("stem", ""))
                label = f"{question.get('id', '?')}: {stem[:70]}{'…' if len(stem) > 70 else ''}"
                found.append((label, f"{a}/{s}/{q}"))
    return found


def fields_of(data: dict[str, Any], place: str) -> tuple[str, str, list[list[Any]]]:
    """Stem, model answer and key points (a row each, `POINT_COLUMNS`) of a question.

    Raises:
        StoreError: There is no question at this place any more.
    """
    question = _question(data, place)
    points = [[_cell(point.get(name)) for name in POINT_COLUMNS] for point in _dicts(question.get("key_points"))]
    return str(question.get("stem", "")), str(question.get("model_answer", "")), points


def with_fields(source: str, place: str, stem: str, model_answer: str, points: Sequence[Sequence[Any]]) -> str:
    """The draft with the fields of one question replaced; fields that the form does not show stay as they are.

    Raises:
        BankError: The text is no YAML of a bank.
        StoreError: There is no such question, or a weight is no number.
    """
    data = data_of(source)
    question = _question(data, place)
    before = {str(point.get("id")): point for point in _dicts(question.get("key_points"))}
    question["stem"] = stem.strip()
    question["model_answer"] = model_answer.strip()
    new = []
    for row in points:
        cells = {
            name: str(cell if cell is not None else "").strip() for name, cell in zip(POINT_COLUMNS, row, strict=False)
        }
        if not any(cells.values()):
            continue
        point = dict(before.get(cells["id"], {}))
        for name, text in cells.items():
            if name in LISTS:
                items = [item.strip() for item in text.split(SEPARATOR.strip()) if item.strip()]
                if items or name in point:
                    point[name] = items
            else:
                point[name] = _weight(text, cells["id"]) if name == "weight" else text
        new.append(point)
    question["key_points"] = new
    return write_yaml(data).decode()


def next_version(version: str) -> str:
    """The version after one that was published: its last number is counted on."""
    head, dot, last = version.rpartition(".")
    return f"{head}{dot}{int(last) + 1}" if last.isdigit() else f"{version}.1"


def _question(data: dict[str, Any], place: str) -> dict[str, Any]:
    try:
        a, s, q = (int(part) for part in place.split("/"))
        question = data["areas"][a]["scenarios"][s]["questions"][q]
    except (ValueError, KeyError, IndexError, TypeError):
        raise StoreError("this question is not in the draft any more; choose another") from None
    if not isinstance(question, dict):
        raise StoreError("this question is not written as one; mend it in the text")
    return question


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _cell(value: Any) -> Any:
    return SEPARATOR.join(map(str, value)) if isinstance(value, list) else "" if value is None else value


def _weight(text: str, point: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise StoreError(f"key point {point!r}: weight {text!r} is no number between 0 and 1") from None
