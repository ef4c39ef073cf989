"""Vivas for research: pseudonyms only, and the candidate's name replaced wherever it was said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select

from workbench.store.archive import Archive
from workbench.store.errors import SessionNotFound
from workbench.store.marking import JUDGE
from workbench.store.rows import EventRow, SessionData
from workbench.store.tables import Sessions
from workbench.store.tables_educators import Sittings

EXPORT_VERSION = 1


class ResearchExport(Archive):
    """Hands vivas to researchers."""

    def research_export(self, *, actor: str, cohort_id: int | None = None) -> Iterator[dict[str, Any]]:
        """Every ended viva, or those of a cohort, oldest first, as JSON objects; noted in the audit log at once.

        Left out: the name, address and id of the candidate, and the recording. The name is replaced by the pseudonym
        in everything that was said or written; one that was said differently from how it is kept is not found.
        Educators are `educator-1`, `educator-2`, in the order they appear.
        """
        query = select(Sessions.id).where(Sessions.status != "running").order_by(Sessions.started_at, Sessions.id)
        if cohort_id is not None:
            query = query.join(Sittings, Sittings.session_id == Sessions.id).where(Sittings.cohort_id == cohort_id)
        with self._reading() as connection:
            session_ids = tuple(connection.execute(query).scalars())
        subject = "all" if cohort_id is None else f"cohort:{cohort_id}"
        self.note(actor, "research.exported", subject, n_sessions=len(session_ids))
        return self._exported(session_ids)

    def _exported(self, session_ids: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        raters: dict[str, str] = {JUDGE: JUDGE}
        for session_id in session_ids:
            try:
                data, events = self.load_session(session_id), self.events(session_id)
            except SessionNotFound:
                continue  # deleted meanwhile
            for mark in data.marks:
                raters.setdefault(mark.rater, f"educator-{len(raters)}")
            yield anonymous(data, events, raters)


def anonymous(data: SessionData, events: tuple[EventRow, ...], raters: dict[str, str]) -> dict[str, Any]:
    """One viva without anybody's name.

    Args:
        data: The viva.
        events: Its events.
        raters: What each rater is called.
    """
    session = data.session
    shown = {
        name: value
        for name, value in asdict(session).items()
        if name not in ("candidate_name", "setup", "bank_id", "consent_at")
    }
    options = {key: value for key, value in session.setup.items() if key != "candidate"}
    turns = [
        _unnamed(asdict(turn), session.candidate_name, session.pseudonym, anywhere=turn.number is None)
        for turn in data.turns
    ]
    marks = [{**asdict(mark), "rater": raters.get(mark.rater, "educator")} for mark in data.marks]
    whole = {
        "export_version": EXPORT_VERSION,
        "session": {**shown, "options": options},
        "turns": turns,
        "answers": [asdict(answer) for answer in data.answers],
        "marks": marks,
        "result": None if data.result is None else asdict(data.result),
        "events": [asdict(event) for event in events],
    }
    found: dict[str, Any] = _plain(_unnamed(whole, session.candidate_name, session.pseudonym, anywhere=False))
    return found


def without_name(text: str, name: str | None, pseudonym: str, *, anywhere: bool) -> str:
    """The text with a name replaced by a pseudonym.

    The whole name goes however it is written; its parts where they are written as names are, or, with `anywhere`, in
    lower case too, which elsewhere would take words away that are no name (Will, Grace, Mark).

    >>> without_name("I'm ada byron. Ada will do.", "Ada Byron", "c-2345", anywhere=False)
    "I'm c-2345. c-2345 will do."
    """
    parts = [part for part in (name or "").split() if len(part) > 1]
    if not parts:
        return text
    in_a_row = r"\W+".join(map(re.escape, parts))
    text = re.sub(rf"(?<!\w){in_a_row}(?!\w)", pseudonym, text, flags=re.IGNORECASE)
    either = "|".join(re.escape(part) for part in sorted({*parts, *(p.capitalize() for p in parts)}, key=len)[::-1])
    flags = re.IGNORECASE if anywhere else re.NOFLAG
    return re.sub(rf"(?<!\w)(?:{either})(?!\w)", pseudonym, text, flags=flags)


def _unnamed(value: Any, name: str | None, pseudonym: str, *, anywhere: bool) -> Any:
    if isinstance(value, str):
        return without_name(value, name, pseudonym, anywhere=anywhere)
    if isinstance(value, dict):
        return {key: _unnamed(item, name, pseudonym, anywhere=anywhere) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_unnamed(item, name, pseudonym, anywhere=anywhere) for item in value]
    return value


def _plain(value: Any) -> Any:
    """The value with moments in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
