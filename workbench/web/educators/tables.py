"""Small pieces of markup the educators' pages share: tables that phones can read, messages, times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape


class Markup(str):
    """Text that is markup already and must not be escaped again."""


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str, empty: str) -> str:
    """A table with a caption for screen readers; on a phone each row becomes a block of labelled lines.

    Args:
        headings: One a column.
        rows: Cells; what is no `Markup` is escaped.
        caption: What the table shows.
        empty: What is said instead of a table without rows.
    """
    lines = []
    for row in rows:
        cells = "".join(
            f'<td data-label="{escape(heading, quote=True)}">{_cell(cell)}</td>'
            for heading, cell in zip(headings, row, strict=True)
        )
        lines.append(f"<tr>{cells}</tr>")
    if not lines:
        return note(empty)
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return (
        f'<div class="edu-table"><table><caption class="viva-hidden">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def note(text: str, kind: str = "plain") -> str:
    """A line that tells something: `plain`, `good`, `mid` or `bad`; an empty text shows nothing."""
    if not text:
        return ""
    role = "alert" if kind == "bad" else "status"
    return f'<p class="edu-note" data-kind="{kind}" role="{role}">{_cell(text)}</p>'


def badge(text: str, kind: str = "plain") -> Markup:
    """A word in a coloured field; the word alone says it all."""
    return Markup(f'<span class="edu-badge" data-kind="{kind}">{escape(text)}</span>')


def counted(n: int, one: str) -> str:
    """A number of things, "1 link" or "3 links"."""
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def when(moment: datetime | None, nothing: str = "") -> str:
    """A moment for people, UTC."""
    if moment is None:
        return nothing
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def _cell(cell: object) -> str:
    if isinstance(cell, Markup):
        return cell
    return "" if cell is None else escape(str(cell))
