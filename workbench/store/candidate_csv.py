"""Reads a list of candidates from CSV text; rows that do not fit are listed with the reason, the others are kept.

Columns are found by their heading, in any order, in this project's words or in those of Moodle and Canvas exports.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.store.columns import storable
from workbench.store.errors import StoreError

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "full name", "student", "candidate"),
    "first_name": ("first name", "given name", "firstname"),
    "last_name": ("last name", "surname", "family name", "lastname"),
    "email": ("email", "e-mail", "email address", "e-mail address", "mail"),
    "external_id": ("external id", "external_id", "id", "id number", "student id", "student number", "sis user id"),
    "extra_time": ("extra time", "extra_time", "time factor"),
    "typed_answers": ("typed answers", "typed_answers", "typed", "may type"),
    "captions": ("captions", "subtitles"),
    "slower_voice": ("slower voice", "slower_voice", "slow voice"),
}
"""Field -> headings that mean it, in lower case."""

MAX_ROWS = 5000
MAX_CHARS = 2_000_000
TEMPLATE = (
    "name,email,external_id,extra_time,typed_answers,captions,slower_voice\n"
    "Ada Byron,ada@example.org,s1001,1,no,yes,no\n"
    "Alan Turing,alan@example.org,s1002,1.5,yes,yes,yes\n"
)
"""A file to begin with."""

_YES = frozenset({"1", "yes", "y", "true", "x"})
_NO = frozenset({"", "0", "no", "n", "false", "-"})
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")


@dataclass(frozen=True)
class CandidateDraft:
    """A row that fits; `line` is where it stands in the text. See `CandidateRow`."""

    line: int
    name: str
    email: str | None = None
    external_id: str | None = None
    extra_time: float = 1.0
    typed_answers: bool = False
    captions: bool = True
    slower_voice: bool = False


@dataclass(frozen=True)
class RowProblem:
    """A row that does not fit: its line, what it has as its name, and what to do about it."""

    line: int
    name: str
    reason: str


@dataclass(frozen=True)
class CandidateList:
    """What a text holds; nothing of it is saved yet. `ignored` are headings nothing is known about."""

    candidates: tuple[CandidateDraft, ...]
    problems: tuple[RowProblem, ...]
    ignored: tuple[str, ...] = ()


def read_candidates(text: str) -> CandidateList:
    """Reads CSV with a heading line; commas, semicolons and tabs separate.

    Raises:
        StoreError: There is no heading line with a name, or the text is too long.
    """
    if len(text) > MAX_CHARS:
        raise StoreError(f"the list has {len(text)} characters; at most {MAX_CHARS} are taken, split it")
    # line breaks of every kind as the csv module wants them; a mark some spreadsheets put first is no heading
    text = "\n".join(storable(text).removeprefix("\ufeff").splitlines())
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    columns: dict[str, int] = {}
    ignored: list[str] = []
    drafts: list[CandidateDraft] = []
    problems: list[RowProblem] = []
    seen: dict[tuple[str, str], int] = {}
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns, ignored = _columns(cells)
                continue
            if len(drafts) + len(problems) >= MAX_ROWS:
                raise StoreError(f"the list has more than {MAX_ROWS} rows; split it")
            row = {field: cells[place].strip() if place < len(cells) else "" for field, place in columns.items()}
            name = " ".join((row.get("name") or f"{row.get('first_name', '')} {row.get('last_name', '')}").split())
            draft = _draft(reader.line_num, name, row)
            reason = draft if isinstance(draft, str) else _repeated(draft, seen)
            if isinstance(draft, CandidateDraft) and reason is None:
                drafts.append(draft)
            else:
                problems.append(RowProblem(reader.line_num, name[:80], str(reason)))
    except csv.Error as error:
        raise StoreError(f"line {reader.line_num} of the list is no CSV ({error}); export it again as CSV") from None
    if not columns:
        raise StoreError(f"the list is empty; its first line is the heading, such as: {TEMPLATE.splitlines()[0]}")
    return CandidateList(tuple(drafts), tuple(problems), tuple(ignored))


def _columns(cells: list[str]) -> tuple[dict[str, int], list[str]]:
    columns: dict[str, int] = {}
    ignored: list[str] = []
    for place, cell in enumerate(cells):
        heading = " ".join(cell.split()).casefold()
        field = next((field for field, names in HEADINGS.items() if heading in names), None)
        if field is not None and field not in columns:
            columns[field] = place
        elif heading:
            ignored.append(cell.strip()[:60])
    if "name" not in columns and not {"first_name", "last_name"} <= set(columns):
        raise StoreError(
            f"no column for the name among {', '.join(repr(cell.strip()[:40]) for cell in cells)}; the first line is"
            f" the heading, such as: {TEMPLATE.splitlines()[0]}"
        )
    return columns, ignored


def _draft(line: int, name: str, row: Mapping[str, str]) -> CandidateDraft | str:
    """The row's values, or why it does not fit."""
    if not name:
        return "the name is empty"
    if len(name) > 80:
        return f"the name has {len(name)} characters; at most 80 are taken"
    email = row.get("email", "").lower() or None
    if email is not None and (len(email) > 254 or not _EMAIL.fullmatch(email)):
        return f"email {email[:80]!r} is no address such as ada@example.org"
    external_id = row.get("external_id") or None
    if external_id is not None and len(external_id) > 120:
        return f"external_id has {len(external_id)} characters; at most 120 are taken"
    given = row.get("extra_time", "")
    try:
        extra_time = float(given.replace(",", ".")) if given else 1.0
    except ValueError:
        extra_time = 0.0
    if not 1 <= extra_time <= 4:
        return f"extra_time {given[:20]!r}: allowed is a factor from 1 to 4, such as 1.5 for half as much again"
    flags: dict[str, bool] = {}
    for field, default in (("typed_answers", False), ("captions", True), ("slower_voice", False)):
        said = row.get(field, "").casefold()
        if said not in _YES | _NO:
            return f"{field} {said[:20]!r}: allowed are yes and no"
        flags[field] = default if said == "" else said in _YES
    return CandidateDraft(line, name, email, external_id, extra_time, **flags)


def _repeated(draft: CandidateDraft, seen: dict[tuple[str, str], int]) -> str | None:
    """Why a row is one too many: it has the id, the address or, without either, the name of an earlier one."""
    keys = [("external_id", draft.external_id), ("email", draft.email)]
    if draft.external_id is None and draft.email is None:
        keys.append(("name", draft.name.casefold()))
    for kind, value in keys:
        if value is not None and (kind, value) in seen:
            return f"{kind} {value[:80]!r} is in line {seen[kind, value]} already"
    for kind, value in keys:
        if value is not None:
            seen[kind, value] = draft.line
    return None
