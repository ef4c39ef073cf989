"""The layout that CSV and XLSX share: one row a thing, its parent named or above it, a column for every field.

Rows are of six kinds: bank, area, scenario, question, key point, exemplar. `belongs to` names the id of the parent and
may be left empty where the parent is the last one above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from workbench.bank_exchange.draft import Draft, Place, Step
from workbench.exam.bank_file import Finding

Kind = Literal["bank", "area", "scenario", "question", "key point", "exemplar"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BELONGS = "belongs to"

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "bank": ("discipline", "title", "version", "licence", "authors", "description", "not_for"),
    "area": ("key", "title", "jurisdiction"),
    "scenario": (BELONGS, "id", "title", "text"),
    "question": (
        BELONGS, "id", "stem", "model_answer", "difficulty", "cognitive_level", "sources", "key_terms",
    ),
    "key point": (BELONGS, "id", "text", "weight", "accepted", "misconceptions", "probe", "said", "essential"),
    "exemplar": (BELONGS, "text", "verdict", "points", "note"),
}  # fmt: skip
LISTS = frozenset(("authors", "sources", "key_terms", "accepted", "misconceptions"))
NUMBERS = frozenset(("weight", "points", "difficulty"))
PARENT: dict[Kind, Kind] = {
    "scenario": "area", "question": "scenario", "key point": "question", "exemplar": "question",
}  # fmt: skip
CHILDREN: dict[Kind, str] = {
    "area": "areas", "scenario": "scenarios", "question": "questions", "key point": "key_points",
    "exemplar": "exemplars",
}  # fmt: skip
_YES_NO = {word: True for word in ("yes", "y", "x", "1", "true")} | {word: False for word in ("no", "n", "0", "false")}
HELP: dict[str, str] = {
    "kind": "What the row holds: bank, area, scenario, question, key point or exemplar.",
    BELONGS: "Id of the area, scenario or question this row belongs to; empty means the one last named above.",
    "id": "Small letters, figures and hyphens; unique in the bank (key points: in their question).",
    "key": "Key of the area: small letters, figures, hyphens and underscores.",
    "discipline": "Key of the discipline, e.g. medical; areas are added to a discipline of the same key.",
    "title": "Name for people.",
    "version": "Version of the questions, e.g. 1.0.0.",
    "licence": "Under which licence others may use them, e.g. CC-BY-4.0.",
    "authors": "One a line, or separated by |.",
    "description": "What is examined, and at which level.",
    "not_for": "What it must not be used for.",
    "jurisdiction": "Which law or rule system holds, where that matters; may be empty.",
    "text": "Scenario: the case, two or three spoken sentences. Key point: a sentence that can be spoken. "
    "Exemplar: an answer as it would be spoken.",
    "stem": "The question as it is spoken; with its case at most 25 seconds.",
    "model_answer": "Two to four spoken sentences.",
    "difficulty": "1 (easy) to 5 (hard).",
    "cognitive_level": "remember, understand, apply, analyse, evaluate or create.",
    "sources": "Where the facts come from, by name and year; one a line, or separated by |.",
    "key_terms": "Rare words of a likely answer; one a line, or separated by |.",
    "weight": "Share of the marks; the three to six weights of a question sum to 1.",
    "accepted": "Spoken wordings that earn the point, lay words too; one a line, or separated by |.",
    "misconceptions": "Spoken wordings that contradict the point; one a line, or separated by |; may be empty.",
    "probe": "A question that invites the point and gives nothing away.",
    "said": "The point as a phrase that reads after `You did not mention`; may be empty.",
    "essential": "yes where contradicting the point bars the verdict correct; else empty.",
    "verdict": "correct, partial or incorrect.",
    "points": "0 to 10 in steps of 0.5.",
    "note": "Why it is marked so; may be empty.",
}


@dataclass(frozen=True)
class Cell:
    """A value with where it stands."""

    value: Any
    place: Place


@dataclass(frozen=True)
class Record:
    """A row: its kind, its filled cells by column, and where it stands."""

    kind: Kind
    cells: Mapping[str, Cell]
    place: Place


def records_of(data: Mapping[str, Any]) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Rows of a bank in the order of its parts: kind, and values by column with the parent's id."""
    yield "bank", {name: data.get(name, "") for name in COLUMNS["bank"]}

    def below(kind: Kind, part: Mapping[str, Any], parent: str) -> Iterator[tuple[Kind, dict[str, Any]]]:
        yield kind, {name: parent if name == BELONGS else part.get(name, "") for name in COLUMNS[kind]}
        own = str(part.get("key" if kind == "area" else "id", ""))
        for child, of in PARENT.items():
            if of == kind:
                for item in part.get(CHILDREN[child], ()):
                    yield from below(child, item, own)

    for area in data.get("areas", ()):
        yield from below("area", area, "")


def is_tabular(data: Mapping[str, Any]) -> bool:
    """Whether unvalidated data has the parts of a bank where they belong, whatever they hold."""

    def below(kind: Kind, part: Any) -> bool:
        if not isinstance(part, Mapping):
            return False
        for child, of in PARENT.items():
            items = part.get(CHILDREN[child], ()) if of == kind else ()
            if not isinstance(items, list | tuple) or not all(below(child, item) for item in items):
                return False
        return True

    areas = data.get("areas", ())
    return isinstance(areas, list | tuple) and all(below("area", area) for area in areas)


def assemble(records: Iterable[Record], name: str) -> Draft:
    """Puts rows together into a bank; rows that belong nowhere become findings."""
    draft = Draft({"areas": []}, {(): Place(name, 1)})
    parts: dict[Kind, dict[str, tuple[Step, ...]]] = {kind: {} for kind in KINDS}
    last: dict[Kind, tuple[Step, ...]] = {}
    for record in records:
        if record.kind == "bank":
            _card(draft, record)
            continue
        parent: tuple[Step, ...] = ()
        if record.kind in PARENT:
            found = _parent(draft, record, parts, last)
            if found is None:
                continue
            parent = found
        siblings = _at(draft.data, parent).setdefault(CHILDREN[record.kind], [])
        path = (*parent, CHILDREN[record.kind], len(siblings))
        part = {name: _value(name, cell) for name, cell in record.cells.items() if name != BELONGS}
        siblings.append(part)
        draft.places[path] = record.place
        for field, cell in record.cells.items():
            draft.places[*path, field] = cell.place
        last[record.kind] = path
        key = str(part.get("key" if record.kind == "area" else "id", ""))
        if key in parts[record.kind] and record.kind in ("area", "scenario", "question"):
            place, first = record.place, draft.places[parts[record.kind][key]]
            where = f"{place.cell}: " if place.cell else ""
            message = (
                f"{where}{record.kind} id {key!r} is taken already at {first.cell or f'{first.file}:{first.line}'}; "
                "ids must be unique in a bank"
            )
            question = key if record.kind == "question" else ""
            draft.findings.append(Finding(place.file, place.line, question, "duplicate-id", message))
        if key:
            parts[record.kind][key] = path
    return draft


def _card(draft: Draft, record: Record) -> None:
    if "discipline" in draft.data:
        place = record.place
        draft.findings.append(
            Finding(place.file, place.line, "", "table", "a second row of kind bank; a file holds one")
        )
        return
    for field, cell in record.cells.items():
        draft.data[field] = _value(field, cell)
        draft.places[(field,)] = cell.place


def _parent(
    draft: Draft,
    record: Record,
    parts: Mapping[Kind, Mapping[str, tuple[Step, ...]]],
    last: Mapping[Kind, tuple[Step, ...]],
) -> tuple[Step, ...] | None:
    kind = PARENT[record.kind]
    cell = record.cells.get(BELONGS)
    if cell is None:
        if kind in last:
            return last[kind]
        message = f"this {record.kind} has no {kind} above it, and `{BELONGS}` is empty; name its {kind}"
        place = record.place
    else:
        wanted = str(_value("id", cell))
        if wanted in parts[kind]:
            return parts[kind][wanted]
        known = ", ".join(list(parts[kind])[:20]) or "none"
        message, place = f"`{BELONGS}` names the {kind} {wanted!r}, which there is not; there are: {known}", cell.place
    where = f"{place.cell}: " if place.cell else ""
    draft.findings.append(Finding(place.file, place.line, "", "table", f"{where}{message}"))
    return None


def _at(data: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def _value(field: str, cell: Cell) -> Any:
    """The value of a cell as the bank has it; what does not fit is left for the schema to name."""
    value = cell.value
    if field in NUMBERS:
        return _number(value)
    if field == "essential":
        # what is none of these is left for the schema to name
        return _YES_NO.get(str(value).strip().lower(), value)
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    else:
        text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    if field in LISTS:
        return [entry for entry in (" ".join(e.split()) for e in text.replace("|", "\n").split("\n")) if entry]
    return text


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip().replace(",", ".")
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return value


def list_text(entries: Iterable[str], separator: str) -> str:
    """A list in one cell."""
    return separator.join(" ".join(str(entry).replace("|", " ").split()) for entry in entries)
