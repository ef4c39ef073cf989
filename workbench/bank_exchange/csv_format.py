"""A bank as one CSV table: a row a thing, the column `kind` says which (see `records`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.bank_exchange.draft import Draft, Place
from workbench.bank_exchange.records import (
    COLUMNS,
    HELP,
    KINDS,
    LISTS,
    Cell,
    Kind,
    Record,
    assemble,
    list_text,
    records_of,
)
from workbench.bank_exchange.source import Source, refused

MAX_ROWS = 50_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
HEADER: tuple[str, ...] = ("kind", *dict.fromkeys(name for kind in KINDS for name in COLUMNS[kind]))


def read_csv(source: Source) -> Draft:
    """Reads a table with comma, semicolon or tab between cells.

    Raises:
        BankError: It is not UTF-8 (or UTF-16 with its mark), has no header, or names unknown columns or kinds.
    """
    text = _text(source.name, source.only)
    return assemble(_records(source.name, text), source.name)


def _text(name: str, data: bytes) -> str:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"is not UTF-8: byte {data[error.start]:#x}; save it as `CSV UTF-8` (in Excel: Save as, CSV UTF-8)"
        raise refused(name, message, "encoding", line) from error
    if "\0" in text:
        raise refused(name, "holds NUL bytes, so it is no text", "encoding", text[: text.index("\0")].count("\n") + 1)
    return text


def _records(name: str, text: str) -> Iterator[Record]:
    separator, skipped = ",", 0
    first = text.lstrip("\n").split("\n", 1)[0].strip()
    if first.lower().startswith("sep=") and len(first) == 5:
        start = text.index(first) + len(first)
        separator, skipped, text = first[4], text[:start].count("\n"), text[start:]
    else:
        heads = [line for line in text.splitlines()[:200] if line.strip().lstrip('"').lower().startswith("kind")]
        if heads:
            separator = max(",;\t", key=heads[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    n_rows, line, next_line = 0, 1, 1
    try:
        for row in reader:
            line, next_line = skipped + next_line, reader.line_num + 1
            if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
                continue
            if header is None:
                header = known_header(name, row, line, HEADER)
                continue
            n_rows += 1
            if n_rows > MAX_ROWS:
                raise refused(name, f"has more than {MAX_ROWS} rows", "too-large", line)
            if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
                message = f"has {len(row)} cells, the header {len(header)}; put text that holds {separator!r} in quotes"
                raise refused(name, message, "table", line)
            yield _record(name, header, row, line)
    except csv.Error as error:
        raise refused(name, f"is no valid CSV: {error}", "table", skipped + next_line) from error
    if header is None:
        raise refused(name, f"has no header; its first row must name the columns: {', '.join(HEADER)}", "table")


def known_header(name: str, row: Sequence[Any], line: int, allowed: Sequence[str], cell: str = "") -> list[str]:
    """The columns of a header row; spaces, underscores and capitals make no difference.

    Raises:
        BankError: A column is unknown or given twice.
    """
    by_form = {column.replace("_", " "): column for column in allowed}
    header = []
    for value in row:
        form = " ".join(str(value if value is not None else "").replace("_", " ").lower().split())
        if form and form not in by_form:
            where = f"{cell}: " if cell else ""
            raise refused(name, f"{where}unknown column {value!r}; allowed are {', '.join(allowed)}", "table", line)
        if form and by_form[form] in header:
            raise refused(name, f"column {value!r} is given twice", "table", line)
        header.append(by_form.get(form, ""))
    return header


def _record(name: str, header: Sequence[str], row: Sequence[str], line: int) -> Record:
    filled = {
        column: Cell(_unescaped(cell.strip()), Place(name, line, f"column {column}"))
        for column, cell in zip(header, row, strict=False)
        if column and cell.strip()
    }
    kind_cell = filled.pop("kind", None)
    kind = " ".join(str(kind_cell.value).replace("_", " ").lower().split()) if kind_cell else ""
    if kind not in KINDS:
        raise refused(name, f"column kind: {kind!r} is no kind of row; allowed are {', '.join(KINDS)}", "table", line)
    found: Kind = kind
    if found == "area" and "id" in filled:
        filled.setdefault("key", filled.pop("id"))
    return Record(found, filled, Place(name, line))


def write_csv(data: Mapping[str, Any], *, with_help: bool = False) -> bytes:
    """A bank as UTF-8 CSV with a byte order mark, so that Excel reads it as such.

    Cells that a spreadsheet would take for a formula get an apostrophe in front, which reading takes off again.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    if with_help:
        writer.writerow(["# A question bank: one row a thing, in this order. Rows that begin with # are not read."])
        writer.writerows([f"# {column}: {HELP[column]}"] for column in HEADER)
    writer.writerow(HEADER)
    for kind, values in records_of(data):
        writer.writerow([kind, *(_cell(column, values.get(column, "")) for column in HEADER[1:])])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _cell(column: str, value: Any) -> str:
    if column in LISTS:
        return _escaped(list_text(value or (), " | "))
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return _escaped("" if value is None else str(value))


def _escaped(text: str) -> str:
    return f"'{text}" if text.startswith((*_FORMULA, "'", "#")) else text


def _unescaped(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith((*_FORMULA, "'", "#")) else text
