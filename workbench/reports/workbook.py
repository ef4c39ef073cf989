"""Tables as one Excel workbook (ECMA-376): a sheet a table, and a sheet that says what the columns hold.

Text stays text: each such cell is typed as a string and marked as quoted, so that Excel neither computes it on opening
nor makes a formula of it when somebody edits the cell.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from workbench.reports.cells import xml_text
from workbench.reports.tables import COLUMNS, MEANINGS, Tables

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_TITLES = {"sessions": "Sessions", "items": "Items", "marks": "Marks", "key_points": "Key points"}
_WIDE = {"stem": 60, "answer": 70, "quote": 45, "key_point": 50, "scenario": 30, "candidate": 24, "session_id": 26}
_WRAPPED = frozenset({"stem", "answer", "quote", "key_point"})
_FORMATS = {"percent": "0.0", "confidence": "0.00", "weight": "0.00", "duration_s": "0", "time_used_s": "0.0"}


def to_xlsx(tables: Tables, *, made_at: datetime | None = None) -> bytes:
    """Tables as a workbook; times are UTC."""
    from openpyxl import Workbook

    book: Any = Workbook()
    book.remove(book.active)
    book.properties.creator = "Viva Workbench"
    book.properties.title = "Vivas: sessions, items, marks"
    if made_at is not None:
        book.properties.created = book.properties.modified = made_at.astimezone(UTC).replace(tzinfo=None)
    for name, columns in COLUMNS.items():
        _fill(book.create_sheet(_TITLES[name]), columns, tables.of(name))
    columns = ("sheet", "column", "holds")
    meanings = [
        {"sheet": _TITLES[name], "column": column, "holds": MEANINGS[column]}
        for name, names in COLUMNS.items()
        for column in names
        if column in MEANINGS
    ]
    _fill(book.create_sheet("Columns"), columns, meanings)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(sheet: Any, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    for place, name in enumerate(columns, start=1):
        head = sheet.cell(1, place, name)
        head.font = Font(bold=True)
        head.fill = PatternFill("solid", start_color="E6EAEE")
        widest = max((len(str(row.get(name) or "")) for row in rows[:200]), default=0)
        width = _WIDE.get(name) or min(28, max(len(name), widest) + 3)
        sheet.column_dimensions[get_column_letter(place)].width = width
    top, wrapped = Alignment(vertical="top"), Alignment(vertical="top", wrap_text=True)
    for line, row in enumerate(rows, start=2):
        for place, name in enumerate(columns, start=1):
            cell = sheet.cell(line, place)
            cell.alignment = wrapped if name in _WRAPPED else top
            _set(cell, row.get(name))
            if name in _FORMATS:
                cell.number_format = _FORMATS[name]
    sheet.freeze_panes = "A2"
    if rows:
        sheet.auto_filter.ref = sheet.dimensions


def _set(cell: Any, value: Any) -> None:
    if isinstance(value, datetime):
        cell.value = value.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
    elif isinstance(value, str):
        cell.value = xml_text(value)
        # openpyxl takes what begins with "=" for a formula
        cell.data_type = "s"
        cell.quotePrefix = True
    else:
        cell.value = value
