"""A bank as an Excel workbook: a sheet for each kind of row (see `records`), with help and lists to choose from."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from workbench.bank_exchange.csv_format import known_header
from workbench.bank_exchange.draft import Draft, Place
from workbench.bank_exchange.records import (
    BELONGS,
    COLUMNS,
    HELP,
    KINDS,
    LISTS,
    PARENT,
    Cell,
    Kind,
    Record,
    assemble,
    list_text,
    records_of,
)
from workbench.bank_exchange.source import Source, open_archive, refused
from workbench.exam.bank_file import Finding

MAX_ROWS = 20_000
"""Rows of a sheet that are read; a sheet may claim a million."""

MAX_COLUMNS = 40
MAX_EMPTY_ROWS = 500
HELP_SHEET = "read me"

_CHOICES = {
    "cognitive_level": "remember,understand,apply,analyse,evaluate,create",
    "verdict": "correct,partial,incorrect",
    "essential": "yes",
    "difficulty": "1,2,3,4,5",
}
_WIDTHS = {"text": 60, "stem": 60, "model_answer": 60, "accepted": 45, "misconceptions": 40, "probe": 40, "sources": 40}


def read_xlsx(source: Source) -> Draft:
    """Reads a workbook with sheets named as the kinds of rows; other sheets are left alone.

    A formula is not computed and not trusted: it becomes a finding, as do errors and dates in place of text.

    Raises:
        BankError: It is no workbook, unpacks to too much, or has none of the sheets.
    """
    name = source.name
    open_archive(name, source.only).close()
    try:
        workbook = load_workbook(io.BytesIO(source.only), read_only=True, data_only=False, keep_links=False)
    except (KeyError, ValueError, zipfile.BadZipFile, OSError, SyntaxError, TypeError, AttributeError) as error:
        raise refused(name, f"is no readable workbook: {error}; save it as .xlsx once more") from error
    try:
        findings: list[Finding] = []
        draft = assemble(_records(name, workbook, findings), name)
    except (ValueError, KeyError, SyntaxError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        if hasattr(error, "findings"):
            raise
        raise refused(name, f"holds a damaged sheet: {error}; save it as .xlsx once more") from error
    finally:
        workbook.close()
    draft.findings[:0] = findings
    return draft


def _records(name: str, workbook: Any, findings: list[Finding]) -> Iterator[Record]:
    sheets = {" ".join(title.replace("_", " ").lower().split()): title for title in workbook.sheetnames}
    # a sheet may be named in the plural
    by_kind = {kind: sheets.get(kind) or sheets.get(f"{kind}s") for kind in KINDS}
    if not any(by_kind.values()):
        expected = ", ".join(f"{kind}s" if kind != "bank" else kind for kind in KINDS)
        raise refused(name, f"has none of the sheets {expected}; given are {', '.join(workbook.sheetnames)}", "table")
    for kind, title in by_kind.items():
        if title is not None:
            yield from _sheet(name, workbook[title], kind, findings)


def _sheet(name: str, sheet: Any, kind: Kind, findings: list[Finding]) -> Iterator[Record]:
    header: list[str] | None = None
    parent: Cell | None = None
    n_empty = 0
    for line, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
        if line > MAX_ROWS:
            raise refused(name, f"sheet {sheet.title!r} has more than {MAX_ROWS} rows", "too-large", line)
        if all(cell.value in (None, "") for cell in row):
            n_empty += 1
            if n_empty > MAX_EMPTY_ROWS:
                return
            continue
        n_empty = 0
        if header is None:
            allowed = tuple("id" if column == "key" else column for column in COLUMNS[kind])
            header = known_header(name, [cell.value for cell in row], line, (*COLUMNS[kind], *allowed), sheet.title)
            continue
        cells: dict[str, Cell] = {}
        for number, (column, cell) in enumerate(zip(header, row, strict=False), start=1):
            if not column or cell.value in (None, ""):
                continue
            place = Place(name, line, f"{sheet.title}!{get_column_letter(number)}{line}")
            problem = _problem(cell)
            if problem:
                findings.append(Finding(name, line, "", "cell", f"{place.cell}: {problem}"))
                continue
            value = cell.value.strip() if isinstance(cell.value, str) else cell.value
            if value != "":
                cells["key" if kind == "area" and column == "id" else column] = Cell(value, place)
        if kind in PARENT:
            # an empty cell repeats the one above it, in this sheet only
            parent = cells.get(BELONGS, parent)
            if parent is None:
                message = f"column `{BELONGS}` is empty; name the {PARENT[kind]} of the row"
                findings.append(Finding(name, line, "", "table", f"{sheet.title}!A{line}: {message}"))
                continue
            cells[BELONGS] = parent
        if cells:
            yield Record(kind, cells, Place(name, line, f"{sheet.title}!A{line}"))


def _problem(cell: Any) -> str:
    value = cell.value
    if cell.data_type == "f":
        return "holds a formula; paste its value instead (Paste special, Values)"
    if cell.data_type == "e":
        return f"holds the error {value}; write the text"
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return f"holds a date or time, {value}; format the cell as text and write it again"
    return ""


def write_xlsx(data: Mapping[str, Any], *, with_help: bool = True) -> bytes:
    """A bank as a workbook; text that begins with `=` is written as text, never as a formula."""
    workbook = Workbook(write_only=False)
    workbook.remove(workbook.worksheets[0])
    if with_help:
        _help_sheet(workbook)
    sheets = {kind: _new_sheet(workbook, kind) for kind in KINDS}
    for kind, values in records_of(data):
        sheet = sheets[kind]
        row = sheet.max_row + 1
        for number, column in enumerate(COLUMNS[kind], start=1):
            value = values.get(column, "")
            if column in LISTS:
                value = list_text(value or (), "\n")
            elif isinstance(value, bool):
                value = "yes" if value else ""
            if value in ("", None):
                continue
            cell = sheet.cell(row=row, column=number)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
                cell.alignment = Alignment(wrap_text=True, vertical="top")
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _new_sheet(workbook: Workbook, kind: Kind) -> Any:
    sheet = workbook.create_sheet(kind if kind == "bank" else f"{kind}s")
    sheet.freeze_panes = "A2"
    for number, column in enumerate(COLUMNS[kind], start=1):
        cell = sheet.cell(row=1, column=number, value=column.replace("_", " "))
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDE6F0")
        cell.comment = Comment(HELP[column], "Viva Workbench", width=320, height=100)
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = _WIDTHS.get(column, 22)
        if column in _CHOICES:
            rule = DataValidation(type="list", formula1=f'"{_CHOICES[column]}"', allow_blank=True)
            sheet.add_data_validation(rule)
            rule.add(f"{letter}2:{letter}{MAX_ROWS}")
    return sheet


def _help_sheet(workbook: Workbook) -> None:
    sheet = workbook.create_sheet(HELP_SHEET)
    lines = [
        ("A question bank", "One sheet a kind of thing, one row a thing. Fill in, save, then: viva bank import FILE"),
        ("Several entries in a cell", "One a line (Alt and Enter), or separated by |."),
        (
            "An area holds",
            "at least four scenarios, each with at least three questions, each with three to six key points.",
        ),
        ("", ""),
        *((column.replace("_", " "), meaning) for column, meaning in HELP.items() if column != "kind"),
    ]
    for row, (left, right) in enumerate(lines, start=1):
        sheet.cell(row=row, column=1, value=left).font = Font(bold=True)
        sheet.cell(row=row, column=2, value=right).alignment = Alignment(wrap_text=True, vertical="top")
    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = 100
