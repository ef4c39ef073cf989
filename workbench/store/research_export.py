"""Vivas for research: pseudonyms only, and the candidate's name replaced wherever it was said."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, select

from workbench.store.archive import Archive
from workbench.store.errors import SessionNotFound
from workbench.store.pseudonyms import keyed
from workbench.store.rows import JUDGE, EventRow, SessionData
from workbench.store.tables import Sessions
from workbench.store.tables_educators import Sittings

EXPORT_VERSION = 2
"""1 had raters in the order they appeared, and neither questions nor cohorts."""

KEY_SETTING = "research.key"
"""Where the database keeps the key of its pseudonyms: with the names it hides, never with what is handed on."""


class ResearchExport(Archive):
    """Hands vivas to researchers."""

    def research_export(self, *, actor: str, cohort_id: int | None = None) -> Iterator[dict[str, Any]]:
        """Every ended viva, or those of a cohort, oldest first, as JSON objects; noted in the audit log at once.

        Left out: the name, address and id of the candidate, and the recording. The name is replaced by the pseudonym
        in everything that was said or written; one that was said differently from how it is kept is not found.
        Educators are `human:` and a pseudonym that is the same in every export.
        """
        session_ids = self.ended_sessions(cohort_id=cohort_id)
        subject = "all" if cohort_id is None else f"cohort:{cohort_id}"
        key = self.research_key()
        self.note(actor, "research.exported", subject, n_sessions=len(session_ids))
        return self._exported(session_ids, key)

    def ended_sessions(self, *, cohort_id: int | None = None) -> tuple[str, ...]:
        """Ids of every ended viva, or of those of a cohort, oldest first."""
        query = select(Sessions.id).where(Sessions.status != "running").order_by(Sessions.started_at, Sessions.id)
        if cohort_id is not None:
            query = query.join(Sittings, Sittings.session_id == Sessions.id).where(Sittings.cohort_id == cohort_id)
        with self._reading() as connection:
            return tuple(connection.execute(query).scalars())

    @contextmanager
    def querying(self) -> Iterator[Connection]:
        """A connection to read by queries of one's own, as tables of many vivas at once need."""
        with self._reading() as connection:
            yield connection

    def research_key(self) -> bytes:
        """The key of the pseudonyms for research, made the first time; whoever deletes it cuts old from new ones."""
        kept = self.get_configuration(KEY_SETTING)
        if kept is None:
            self.set_configuration(KEY_SETTING, secrets.token_hex(32))
            kept = self.get_configuration(KEY_SETTING)  # of two processes at once, the later one's
        return bytes.fromhex(kept)

    def _exported(self, session_ids: tuple[str, ...], key: bytes) -> Iterator[dict[str, Any]]:
        for session_id in session_ids:
            try:
                data, events = self.load_session(session_id), self.events(session_id)
                sitting = self.sitting_cohort(session_id)
            except SessionNotFound:
                continue  # deleted meanwhile
            yield anonymous(data, events, key, cohort_id=sitting)

    def sitting_cohort(self, session_id: str) -> int | None:
        """The cohort a session's link was for, None without one."""
        with self._reading() as connection:
            return connection.execute(
                select(Sittings.cohort_id).where(Sittings.session_id == session_id)
            ).scalar_one_or_none()


def rater_pseudonym(key: bytes, rater: str) -> str:
    """What a rater is called outside: `judge`, or `human:` and a pseudonym of the login."""
    return rater if rater == JUDGE else f"human:{keyed(key, 'rater', rater)}"


@lru_cache(maxsize=16)
def questions_in(bank: str | None) -> dict[str, dict[str, Any]]:
    """Case, difficulty and cognitive level of every question of a kept bank, by its id."""
    if bank is None:
        return {}
    return {
        question["id"]: {
            "scenario_id": scenario["id"],
            "difficulty": question["difficulty"],
            "cognitive_level": question["cognitive_level"],
        }
        for area in json.loads(bank)["areas"]
        for scenario in area["scenarios"]
        for question in scenario["questions"]
    }


def anonymous(
    data: SessionData, events: tuple[EventRow, ...], key: bytes, *, cohort_id: int | None = None
) -> dict[str, Any]:
    """One viva without anybody's name.

    Args:
        data: The viva.
        events: Its events.
        key: The key of the raters' pseudonyms.
        cohort_id: The cohort it belongs to.
    """
    session = data.session
    asked = {answer.question_id for answer in data.answers}
    questions = {name: facts for name, facts in questions_in(data.bank).items() if name in asked}
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
    marks = [{**asdict(mark), "rater": rater_pseudonym(key, mark.rater)} for mark in data.marks]
    whole = {
        "export_version": EXPORT_VERSION,
        "session": {**shown, "options": options, "cohort_id": cohort_id, "bank_version": bank_version(data.bank)},
        "questions": questions,
        "turns": turns,
        "answers": [asdict(answer) for answer in data.answers],
        "marks": marks,
        "result": None if data.result is None else asdict(data.result),
        "events": [asdict(event) for event in events],
    }
    found: dict[str, Any] = _plain(_unnamed(whole, session.candidate_name, session.pseudonym, anywhere=False))
    return found


@lru_cache(maxsize=16)
def bank_version(bank: str | None) -> str | None:
    """The version a kept bank says it is."""
    return None if bank is None else json.loads(bank).get("version")


def without_name(text: str, name: str | None, pseudonym: str, *, anywhere: bool) -> str:
    """The text with a name replaced by a pseudonym.

    The whole name goes however it is written; its parts where they are written as names are, or, with `anywhere`, in
    lower case too, which elsewhere would take words away that are no name (Will, Grace, Mark).

    >>> without_name("I'm ada byron. Ada will do.", "Ada Byron", "c-2345", anywhere=False)
    "I'm c-2345. c-2345 will do."
    """
    return name_remover(name, pseudonym, anywhere=anywhere)(text)


def name_parts(name: str | None) -> list[str]:
    """The parts of a name that are long enough to be told from other words."""
    return [part for part in (name or "").split() if len(part) > 1]


@lru_cache(maxsize=64)
def name_remover(name: str | None, pseudonym: str, *, anywhere: bool) -> Callable[[str], str]:
    """`without_name` for many texts of one person."""
    parts = name_parts(name)
    if not parts:
        return lambda text: text
    whole = r"\W+".join(map(re.escape, parts))
    in_a_row = re.compile(rf"(?<!\w){whole}(?!\w)", re.IGNORECASE)
    either = "|".join(re.escape(part) for part in sorted({*parts, *(p.capitalize() for p in parts)}, key=len)[::-1])
    flags = re.IGNORECASE if anywhere else re.NOFLAG
    any_part = re.compile(rf"(?<!\w)(?:{either})(?!\w)", flags)
    plain = [part.lower() for part in parts] if "".join(parts).isascii() else None

    def removed(text: str) -> str:
        # most texts hold no name, which letters without cases of their own tell ten times as fast
        if plain is not None and text.isascii():
            low = text.lower()
            if not any(part in low for part in plain):
                return text
        return any_part.sub(lambda _: pseudonym, in_a_row.sub(lambda _: pseudonym, text))

    return removed


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
