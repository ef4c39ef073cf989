"""What a cell of a spreadsheet may hold: never a formula that came from a person."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from workbench.exam.report import csv_cell

# what XML 1.0, section 2.2, has no place for
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

MAX_CELL_CHARS = 32_767
"""The longest text a cell of Excel takes."""


def xml_text(text: str) -> str:
    """Text for a cell of a workbook: without what its XML cannot hold, cut where Excel would call the file broken."""
    text = _NOT_XML.sub("", text)
    return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "\u2026"


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV (RFC 4180), every cell made safe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else csv_cell(value)
