"""The data dictionary, made from the columns' own descriptions."""

from __future__ import annotations

from workbench.transcripts.columns import KIND, MOMENT, TABLES, TEXT, Column

_WORDS = {
    TEXT: "text",
    KIND: "text",
    "float64": "number",
    "int64": "whole number",
    "Int64": "whole number",
    "bool": "true or false",
    MOMENT: "moment",
}


def dictionary() -> str:
    """Every table and column as Markdown."""
    lines = [
        "# Data dictionary",
        "",
        "Times named `*_s` are seconds from the start of the recording (of the viva, where nothing was recorded).",
        "Rows are ordered by the start of the vivas and then by their key. Written by `viva transcripts --dictionary`.",
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", f"One row is {table.about}. Key: {', '.join(table.key)}.", ""]
        lines += ["| column | type | unit or values | missing | meaning |", "|---|---|---|---|---|"]
        lines += [_row(column) for column in table.columns]
    return "\n".join(lines) + "\n"


def _row(column: Column) -> str:
    values = ", ".join(column.allowed) or column.unit
    missing = "may be" if column.optional else ""
    return f"| `{column.name}` | {_WORDS[column.dtype]} | {values} | {missing} | {column.meaning} |"
