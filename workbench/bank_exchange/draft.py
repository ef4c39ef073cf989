"""What was read, in the shape of a bank file, with the place each part came from; and its validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from workbench.exam.bank_check import check
from workbench.exam.bank_file import BankModel, Finding, build_bank, duplicate_ids, explain_problem
from workbench.exam.items import Bank

Step = str | int


@dataclass(frozen=True)
class Place:
    """Where something stands; `cell` is given for tables, e.g. `key points!F12`."""

    file: str
    line: int
    cell: str = ""


@dataclass(frozen=True)
class Unmapped:
    """Something of the file that a bank cannot hold, and why."""

    file: str
    line: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.reason}"


@dataclass
class Draft:
    """A bank as it was read, holes and all.

    Attributes:
        data: The shape of a bank file (`BankModel`), not yet validated.
        places: Path of keys and indices in `data` to its place; the root is the empty path.
        findings: Problems met while reading; with any of them nothing is saved.
        unmapped: What was left out.
    """

    data: dict[str, Any]
    places: dict[tuple[Step, ...], Place]
    findings: list[Finding] = field(default_factory=list)
    unmapped: list[Unmapped] = field(default_factory=list)

    def place(self, *path: Step) -> Place:
        """Place of the deepest part of `path` that is known."""
        for n in range(len(path), -1, -1):
            if path[:n] in self.places:
                return self.places[path[:n]]
        return Place("", 1)


class _Serials:
    """Numbers places, so that a finding's line leads back to file and cell."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.places: list[Place] = [Place("", 1)]

    def at(self, *path: Step) -> int:
        self.places.append(self._draft.place(*path))
        return len(self.places) - 1


class _RealLines:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def at(self, *path: Step) -> int:
        return self._draft.place(*path).line


def validate(draft: Draft, others: Sequence[Bank] = ()) -> tuple[Bank | None, list[Finding]]:
    """Turns a draft into a bank.

    Args:
        draft: What was read.
        others: Banks whose questions it must not ask again.

    Returns:
        The bank with what `check` finds, or None with every schema error.
    """
    name = draft.place().file
    if draft.findings:
        return None, list(draft.findings)
    try:
        model = BankModel.model_validate(draft.data)
    except ValidationError as error:
        return None, [_schema_finding(draft, problem) for problem in error.errors()]
    serials = _Serials(draft)
    numbered = build_bank(model, serials, name)
    if not numbered.areas:
        return None, [Finding(name, 1, "", "schema", "areas: a bank holds at least one area")]
    duplicates = [_resolved(finding, serials.places) for finding in duplicate_ids(numbered.areas)]
    if duplicates:
        return None, [_earlier_named(finding, name, serials.places) for finding in duplicates]
    findings = [_resolved(finding, serials.places) for finding in check(numbered, others)]
    return build_bank(model, _RealLines(draft), name), findings


def _schema_finding(draft: Draft, problem: Any) -> Finding:
    question, message = explain_problem(draft.data, problem)
    place = draft.place(*problem["loc"])
    return Finding(place.file, place.line, question, "schema", _with_cell(place, message))


def _with_cell(place: Place, message: str) -> str:
    return f"{place.cell}: {message}" if place.cell else message


def _resolved(finding: Finding, places: Sequence[Place]) -> Finding:
    place = places[finding.line]
    return replace(finding, file=place.file, line=place.line, message=_with_cell(place, finding.message))


def _earlier_named(finding: Finding, name: str, places: Sequence[Place]) -> Finding:
    """Serial numbers inside a message, as those of an earlier question with the same id, become places too."""
    message = finding.message
    before, mark, rest = message.partition(f"taken already at {name}:")
    if mark:
        number, sep, tail = rest.partition(";")
        place = places[int(number)]
        message = f"{before}taken already at {place.cell or f'{place.file}:{place.line}'}{sep}{tail}"
    return replace(finding, message=message)


def questions_of(data: Mapping[str, Any]) -> Iterator[tuple[tuple[Step, ...], dict[str, Any]]]:
    """Every question of unvalidated data with its path."""
    for a, area in enumerate(data.get("areas", ())):
        for s, scenario in enumerate(area.get("scenarios", ())):
            for q, question in enumerate(scenario.get("questions", ())):
                yield ("areas", a, "scenarios", s, "questions", q), question
