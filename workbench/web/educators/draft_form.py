"""A draft's text as the fields of one question, and back: what a form edits, the YAML keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.bank_exchange.draft import Draft
from workbench.bank_exchange.source import from_bytes
from workbench.bank_exchange.yaml_format import read_yaml, write_yaml
from workbench.exam.bank_overlap import PLACEHOLDER
from workbench.store.errors import StoreError

MAX_POINTS_SHOWN = 6
EXEMPLAR_COLUMNS = ("verdict", "points", "text", "note")


@dataclass(frozen=True)
class PointFields:
    """A key point as a form shows it; `weight` None is a field left empty."""

    id: str = ""
    text: str = ""
    said: str = ""
    weight: float | None = None
    essential: bool = False
    accepted: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()
    probe: str = ""


@dataclass(frozen=True)
class Fields:
    """A question as a form shows it, with the scenario it belongs to; exemplars are rows of `EXEMPLAR_COLUMNS`."""

    scenario_title: str
    scenario_text: str
    stem: str
    difficulty: int | None
    cognitive_level: str
    sources: tuple[str, ...]
    key_terms: tuple[str, ...]
    points: tuple[PointFields, ...]
    model_answer: str
    exemplars: tuple[tuple[str, float | None, str, str], ...]


def data_of(source: str) -> dict[str, Any]:
    """The fields of a draft, complete or not.

    Raises:
        BankError: The text is no YAML of a bank.
    """
    return read(source).data


def read(source: str) -> Draft:
    """A draft as it is written, with the place of every part; raises what `data_of` raises."""
    return read_yaml(from_bytes("draft.yaml", source.encode()))


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


def fields_of(data: dict[str, Any], place: str) -> Fields:
    """The fields of a question.

    Raises:
        StoreError: There is no question at this place any more.
    """
    scenario, question = _found(data, place)
    return Fields(
        scenario_title=_text(scenario.get("title")),
        scenario_text=_text(scenario.get("text")),
        stem=_text(question.get("stem")),
        difficulty=_whole(question.get("difficulty")),
        cognitive_level=_text(question.get("cognitive_level")),
        sources=_texts(question.get("sources")),
        key_terms=_texts(question.get("key_terms")),
        points=tuple(_point_fields(point) for point in _dicts(question.get("key_points"))),
        model_answer=_text(question.get("model_answer")),
        exemplars=tuple(_exemplar_fields(one) for one in _dicts(question.get("exemplars"))),
    )


def with_fields(source: str, place: str, fields: Fields, before: Fields | None = None) -> str:
    """The draft with the fields of one question replaced; what the form does not show stays as it is.

    Args:
        source: The draft; returned as it is, comments and all, where nothing was changed.
        place: Where the question is.
        fields: What the form holds now.
        before: What the form held when it was filled.

    Raises:
        BankError: The text is no YAML of a bank.
        StoreError: There is no such question, or the text of the question was changed as well.
    """
    if fields == before:
        return source
    data = data_of(source)
    now = fields_of(data, place)
    if fields == now:
        return source
    if before is not None and now != before:
        raise StoreError(
            "this question was changed in the text and in the form; choose it in the form again to go on from the text"
        )
    scenario, question = _found(data, place)
    _put(scenario, "title", fields.scenario_title)
    _put(scenario, "text", fields.scenario_text)
    _put(question, "stem", fields.stem)
    _put(question, "difficulty", fields.difficulty)
    _put(question, "cognitive_level", fields.cognitive_level)
    _put(question, "sources", list(fields.sources))
    _put(question, "key_terms", list(fields.key_terms))
    old = {str(point.get("id")): point for point in _dicts(question.get("key_points"))}
    question["key_points"] = [_point_data(point, old.get(point.id, {})) for point in fields.points]
    _put(question, "model_answer", fields.model_answer)
    exemplars = [_exemplar_data(row) for row in fields.exemplars]
    if exemplars or "exemplars" in question:
        question["exemplars"] = exemplars
    return write_yaml(data).decode()


def merged(source: str, place: str | None, shown: Fields, before: Fields | None) -> str:
    """The draft with what was changed in the form; what the form could not show is kept.

    Args:
        source: The draft.
        place: Where the question of the form is; None where there is none.
        shown: What the form holds now.
        before: What it was filled with.

    Raises:
        BankError: The text is no YAML of a bank, and the form was changed.
        StoreError: What `with_fields` raises.
    """
    if place is None or before is None:
        return source
    whole = replace(
        shown,
        difficulty=before.difficulty if shown.difficulty is None else shown.difficulty,
        cognitive_level=shown.cognitive_level or before.cognitive_level,
        points=(*shown.points, *before.points[MAX_POINTS_SHOWN:]),
    )
    return with_fields(source, place, whole, before)


def with_new_question(source: str, place: str) -> tuple[str, str]:
    """The draft with a question to be written after those of a scenario, and where that one is.

    Raises:
        BankError: The text is no YAML of a bank.
        StoreError: There is no such scenario any more.
    """
    data = data_of(source)
    scenario, _ = _found(data, place)
    taken = {str(one.get("id")) for area in _dicts(data.get("areas")) for case in _dicts(area.get("scenarios"))
             for one in _dicts(case.get("questions"))}  # fmt: skip
    base = f"{scenario.get('id', 'case')}-question"
    n = len(_dicts(scenario.get("questions"))) + 1
    while f"{base}-{n}" in taken:
        n += 1
    scenario["questions"].append(
        {
            "id": f"{base}-{n}",
            "stem": f"{PLACEHOLDER} what is asked?",
            "difficulty": 2,
            "cognitive_level": "apply",
            "sources": [f"{PLACEHOLDER} title, year"],
            "key_points": [
                {
                    "id": f"point-{k}",
                    "text": f"{PLACEHOLDER} what a good answer says",
                    "weight": weight,
                    "accepted": [f"{PLACEHOLDER} as candidates say it"],
                    "probe": f"{PLACEHOLDER} a hint that gives nothing away",
                }
                for k, weight in enumerate((0.4, 0.3, 0.3), 1)
            ],
            "model_answer": f"{PLACEHOLDER} two to four spoken sentences.",
        }
    )
    a, s, _ = place.split("/")
    return write_yaml(data).decode(), f"{a}/{s}/{len(scenario['questions']) - 1}"


def next_version(version: str) -> str:
    """The version after one that was published: its last number is counted on."""
    head, dot, last = version.rpartition(".")
    return f"{head}{dot}{int(last) + 1}" if last.isdigit() else f"{version}.1"


def question_id(data: dict[str, Any], place: str) -> str:
    """The id of a question; raises what `fields_of` raises."""
    return _text(_found(data, place)[1].get("id"))


def lines(text: str | None) -> tuple[str, ...]:
    """The lines of a field that hold something."""
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


def exemplar_rows(table: Sequence[Sequence[Any]] | None) -> tuple[tuple[str, float | None, str, str], ...]:
    """The rows of the exemplars' table that hold a text.

    Raises:
        StoreError: Points are no number.
    """
    rows = []
    for row in table or ():
        cells = [str(cell if cell is not None else "").strip() for cell in (*row, "", "", "", "")[:4]]
        if cells[2]:
            rows.append((cells[0].lower(), _points(cells[1], cells[2]), cells[2], cells[3]))
    return tuple(rows)


def _exemplar_fields(one: dict[str, Any]) -> tuple[str, float | None, str, str]:
    return _text(one.get("verdict")).lower(), _number(one.get("points")), _text(one.get("text")), _text(one.get("note"))


def _point_fields(point: dict[str, Any]) -> PointFields:
    return PointFields(
        id=_text(point.get("id")),
        text=_text(point.get("text")),
        said=_text(point.get("said")),
        weight=_number(point.get("weight")),
        essential=point.get("essential") is True,
        accepted=_texts(point.get("accepted")),
        misconceptions=_texts(point.get("misconceptions")),
        probe=_text(point.get("probe")),
    )


def _point_data(point: PointFields, before: dict[str, Any]) -> dict[str, Any]:
    data = dict(before)
    for name, value in (
        ("id", point.id),
        ("text", point.text),
        ("said", point.said),
        ("weight", point.weight),
        ("essential", point.essential),
        ("accepted", list(point.accepted)),
        ("misconceptions", list(point.misconceptions)),
        ("probe", point.probe),
    ):
        _put(data, name, value)
    return data


def _exemplar_data(row: tuple[str, float | None, str, str]) -> dict[str, Any]:
    verdict, points, text, remark = row
    data: dict[str, Any] = {"verdict": verdict, "points": points, "text": text}
    return {**data, "note": remark} if remark else data


def _put(data: dict[str, Any], name: str, value: Any) -> None:
    """Sets a field; one that is empty and was not there stays away."""
    if name in data or value not in ("", None, [], False):
        data[name] = value


def _found(data: dict[str, Any], place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scenario and the question at a place."""
    try:
        a, s, q = (int(part) for part in place.split("/"))
        scenario = data["areas"][a]["scenarios"][s]
        question = scenario["questions"][q]
    except (ValueError, KeyError, IndexError, TypeError):
        raise StoreError("this question is not in the draft any more; choose another") from None
    if not isinstance(question, dict) or not isinstance(scenario, dict):
        raise StoreError("this question is not written as one; mend it in the text")
    return scenario, question


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _texts(value: Any) -> tuple[str, ...]:
    # one a line in the form, so that none has lines of its own
    return tuple(" ".join(_text(item).split()) for item in value) if isinstance(value, list) else ()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _points(text: str, answer: str) -> float | None:
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise StoreError(f"the points {text!r} of the exemplar {answer[:40]!r} are no number from 0 to 10") from None
