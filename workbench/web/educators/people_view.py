"""Candidates, previews of lists, and links as markup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from workbench.exam.items import Bank
from workbench.store.cohorts import Imported
from workbench.store.rows_educators import CandidateRow, InvitationRow
from workbench.web.educators.tables import Markup, badge, note, table, when

STATES = {
    "open": ("open", "good"),
    "not_yet": ("not open yet", "plain"),
    "expired": ("expired", "bad"),
    "used": ("used up", "plain"),
    "revoked": ("revoked", "bad"),
}
MAX_NAMED = 12
"""Names that a preview lists of each kind; the others are counted."""


def candidates_table(people: Sequence[CandidateRow]) -> str:
    """The candidates with what was arranged for each."""
    rows = [(person.name, person.email, person.external_id, accommodations(person)) for person in people]
    empty = "Nobody is in this cohort yet: add a list below."
    return table(("Name", "E-mail", "Id", "Arranged"), rows, caption="Candidates of the cohort", empty=empty)


def accommodations(person: CandidateRow) -> str:
    """What was arranged for a candidate, in words."""
    parts = []
    if person.extra_time > 1:
        parts.append(f"time × {person.extra_time:g}")
    parts += [word for flag, word in ((person.typed_answers, "typed answers"), (person.slower_voice, "slower voice"),
                                      (not person.captions, "no captions")) if flag]  # fmt: skip
    return ", ".join(parts)


def import_preview(found: Imported) -> str:
    """What becomes of each row of a list, or became of it."""
    would = "" if found.saved else "to be "
    verbs = (f"{would}added", f"{would}brought up to date", "unchanged")
    parts = []
    for verb, names in zip(verbs, (found.added, found.updated, found.unchanged), strict=True):
        if names:
            more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
            parts.append(f"{len(names)} {verb}: {', '.join(names[:MAX_NAMED])}{more}.")
    first = "Saved." if found.saved else "Nothing is saved yet."
    lines = note(" ".join([first, *(parts or ["No row would change anything."])]), "good" if found.saved else "plain")
    if found.ignored:
        lines += note(f"Columns that are not used: {', '.join(found.ignored)}.", "mid")
    if found.problems:
        n_problems = len(found.problems)
        counted = "1 row does not fit and is left out:" if n_problems == 1 else f"{n_problems} rows do not fit:"
        lines += note(counted, "bad")
        rows = [(problem.line, problem.name, problem.reason) for problem in found.problems]
        lines += table(("Line", "Name", "What to mend"), rows, caption="Rows that do not fit", empty="")
    return lines


def links_table(links: Sequence[InvitationRow], banks: Any, now: datetime) -> str:
    """The links of a cohort with the state of each."""
    rows = []
    for link in links:
        word, kind = STATES[link.state(now)]
        if word == "open":
            word = "unused" if link.attempts_used == 0 else "open"
        bank: Bank | None = banks.get(link.discipline)
        areas = {} if bank is None else {area.key: area.title for area in bank.areas}
        area = "area of their choice" if link.area is None else areas.get(link.area, link.area)
        window = " – ".join(part for part in (when(link.opens_at), when(link.closes_at)) if part) or "no limit"
        if link.closes_at is None and link.opens_at is not None:
            window = f"from {window}"
        elif link.opens_at is None and link.closes_at is not None:
            window = f"until {window}"
        rows.append(
            (
                link.candidate_name or "whoever has it",
                f"{link.discipline if bank is None else bank.title}: {area}",
                link.mode,
                window,
                f"{link.attempts_used} of {link.attempts_allowed}",
                Markup(badge(word, kind)),
            )
        )
    headings = ("Candidate", "Viva", "Mode", "Window", "Attempts used", "State")
    return table(headings, rows, caption="Links of the cohort", empty="No links were made for this cohort yet.")


def link_name(row: InvitationRow) -> str:
    """A link among others."""
    return f"{row.candidate_name or 'whoever has it'}, {row.area or row.discipline} (no. {row.id})"


def link_entry(row: InvitationRow, token: str) -> dict[str, str]:
    """A new link for the script that shows it."""
    return {"name": row.candidate_name or "whoever has it", "email": row.candidate_email or "", "token": token}
