"""Scores as a file that the gradebook of Moodle or Canvas takes in.

Moodle (docs.moodle.org, "Grade import"): the columns of its own export, `First name` to `Email address`, then the grade
item as `NAME (Real)` and `NAME (Feedback)`; the person who imports maps `Email address` or `ID number` to the user.

Canvas (Instructure, "How do I import grades in the Gradebook?", and its importer): `Student, ID, SIS User ID,
SIS Login ID, Section`, then the assignment; a second row with the points possible. A student is found by ID, then by
SIS User ID, then by SIS Login ID, then by name.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from workbench.exam.report import csv_cell
from workbench.reports.errors import ReportFailed

Gradebook = Literal["moodle", "canvas"]

# columns of Canvas' own that an assignment of that name would be taken for
_CANVAS_COLUMNS = re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)")


@dataclass(frozen=True)
class Grade:
    """One candidate's score.

    Attributes:
        name: The candidate, first name first.
        score: Points reached.
        max_score: Points possible.
        finished_at: When the viva ended; of several vivas of one person the best or the last counts.
        session_id: The viva.
        email: Address in the learning management system.
        external_id: Its id number (Moodle) or SIS user id (Canvas).
        login: Its login, the address when empty.
        section: Section or group.
        feedback: A sentence for the candidate; Moodle only.
    """

    name: str
    score: float
    max_score: float
    finished_at: datetime | None = None
    session_id: str = ""
    email: str = ""
    external_id: str = ""
    login: str = ""
    section: str = ""
    feedback: str = ""


def one_a_person(grades: Sequence[Grade], *, keep: Literal["best", "last"] = "best") -> list[Grade]:
    """One grade a person: gradebooks take one row each. Who has neither id nor address is told by name."""
    kept: dict[tuple[str, str], Grade] = {}
    for grade in grades:
        key = next(
            (kind, value.casefold())
            for kind, value in (("id", grade.external_id), ("mail", grade.email), ("name", grade.name))
            if value or kind == "name"
        )
        other = kept.get(key)
        if other is None or _is_better(grade, other, keep):
            kept[key] = grade
    return list(kept.values())


def to_gradebook(grades: Sequence[Grade], kind: Gradebook, *, item: str) -> str:
    """The file to import.

    Args:
        grades: One a person.
        kind: Whose gradebook.
        item: Name of the grade item or assignment; Canvas finds an existing one by `Name (id)`.

    Raises:
        ReportFailed: The name is empty or one of the gradebook's own, the grades are out of different sums, or a
            person is in it twice.
    """
    item = " ".join(item.split())
    if not item:
        raise ReportFailed("the grade item has no name; give one, such as 'Viva cardiology'")
    if kind == "canvas" and _CANVAS_COLUMNS.search(item):
        raise ReportFailed(
            f"Canvas keeps the name {item!r} for a column of its own; call the assignment something else"
        )
    sums = sorted({grade.max_score for grade in grades})
    if len(sums) > 1:
        raise ReportFailed(
            f"the vivas are out of {', '.join(f'{n:g}' for n in sums)} points; a grade item has one maximum, export"
            " them apart"
        )
    if len(one_a_person(grades)) != len(grades):
        raise ReportFailed("somebody is in it more than once; keep one grade a person (`one_a_person`)")
    rows = _moodle(grades, item) if kind == "moodle" else _canvas(grades, item, sums[0] if sums else 0.0)
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([[csv_cell(cell) for cell in row] for row in rows])
    return out.getvalue()


def _is_better(grade: Grade, other: Grade, keep: str) -> bool:
    if keep == "best" and grade.score != other.score:
        return grade.score > other.score
    if grade.finished_at is None or other.finished_at is None:
        return other.finished_at is None and grade.finished_at is not None
    return grade.finished_at > other.finished_at


def _names(name: str) -> tuple[str, str]:
    """First names and the last: what a list of names that were spoken can tell."""
    first, _, last = " ".join(name.split()).rpartition(" ")
    return (first, last) if first else (last, "")


def _moodle(grades: Sequence[Grade], item: str) -> list[list[object]]:
    head: list[object] = [
        "First name",
        "Last name",
        "ID number",
        "Email address",
        f"{item} (Real)",
        f"{item} (Feedback)",
    ]
    return [
        head,
        *([*_names(grade.name), grade.external_id, grade.email, grade.score, grade.feedback] for grade in grades),
    ]


def _canvas(grades: Sequence[Grade], item: str, max_score: float) -> list[list[object]]:
    return [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", item],
        ["    Points Possible", "", "", "", "", max_score],
        *(
            [
                ", ".join(part for part in reversed(_names(grade.name)) if part),
                "",
                grade.external_id,
                grade.login or grade.email,
                grade.section,
                grade.score,
            ]
            for grade in grades
        ),
    ]
