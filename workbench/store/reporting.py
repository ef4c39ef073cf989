"""Joins what is stored of a session with the questions it was held with, and makes its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from workbench.exam.items import Bank
from workbench.exam.report import (
    AnswerFacts,
    Report,
    ReportError,
    SessionFacts,
    build_report,
    to_csv,
    to_html,
    to_json,
)
from workbench.store import bank_snapshot
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.store.rows import AnswerRow, SessionData, TurnRow

Format = Literal["html", "json", "csv"]


def bank_of(data: SessionData, banks: Mapping[str, Bank]) -> Bank:
    """The bank a session was held with: the one kept with it, else today's of its discipline.

    Raises:
        StoreError: There is neither.
    """
    if data.bank is not None:
        return bank_snapshot.from_text(data.bank)
    if data.session.discipline not in banks:
        raise StoreError(
            f"no question bank for {data.session.discipline!r}, which session {data.session.id} was held with;"
            f" known: {', '.join(sorted(banks))}; set VIVA_BANKS_DIR to where it is"
        )
    return banks[data.session.discipline]


def report_of(store: Store, banks: Mapping[str, Bank], session_id: str) -> Report:
    """The report of a stored session.

    Raises:
        SessionNotFound: There is none of that id.
        StoreError: The questions it was held with are not to be had.
    """
    return build(store.load_session(session_id), banks)


def build(data: SessionData, banks: Mapping[str, Bank], *, recording_url: str | None = None) -> Report:
    """The report of a session that was loaded.

    Args:
        data: What is kept of the session.
        banks: Today's banks, for a session that was stored without its own.
        recording_url: Where the recording can be played from, None without one.

    Raises:
        StoreError: The questions it was held with are not to be had.
    """
    bank = bank_of(data, banks)
    facts = _facts(data, recording_url)
    if data.session.area is None:
        # ended before an area was chosen, or free conversation: nothing was asked, so nothing is marked
        return Report(facts, bank.discipline, bank.title, "", bank.version, scenarios=(), score=0.0)
    marks = {mark.evaluation.question_id: mark.told for mark in data.marks_that_count.values()}
    try:
        return build_report(bank, facts, answers_of(data), marks)
    except ReportError as error:
        raise StoreError(f"session {data.session.id}: {error}") from None


def render(data: SessionData, banks: Mapping[str, Bank], kind: Format, *, recording_url: str | None = None) -> str:
    """The report of a loaded session as a page, a JSON object or a table.

    The JSON object also has `transcript` (who, text as heard, start_s, end_s, interrupted) and `audio_url`.

    Raises:
        StoreError: The questions it was held with are not to be had.
    """
    report = build(data, banks, recording_url=recording_url)
    if kind == "html":
        return to_html(report)
    if kind == "csv":
        return to_csv(report)
    whole = json.loads(to_json(report))
    return json.dumps({**whole, "transcript": transcript_of(data), "audio_url": recording_url}, ensure_ascii=False)


def answers_of(data: SessionData) -> list[AnswerFacts]:
    """One entry a question: what was said before and after its probe, joined; of repeats the last counts."""
    by_number: dict[int, list[AnswerRow]] = {}
    for row in data.answers:
        by_number.setdefault(row.number, []).append(row)
    return [_answer(rows, data.turns) for _, rows in sorted(by_number.items())]


def transcript_of(data: SessionData) -> list[dict[str, Any]]:
    """The turns as they were heard, in order."""
    return [
        {
            "who": turn.role,
            "text": turn.heard_text if turn.interrupted and turn.heard_text is not None else turn.text,
            "start_s": turn.start_s,
            "end_s": turn.end_s,
            "interrupted": turn.interrupted,
            "number": turn.number,
        }
        for turn in data.turns
    ]


def _answer(rows: list[AnswerRow], turns: tuple[TurnRow, ...]) -> AnswerFacts:
    last = rows[-1]
    parts = [next((row for row in reversed(rows) if row.probe is probe), None) for probe in (False, True)]
    said = [row for row in parts if row is not None and not row.skipped and row.text.strip()]
    about_it = [turn for turn in turns if turn.number == last.number]
    spoken = [turn for turn in about_it if turn.role == "candidate"]
    asked_s = min((turn.end_s for turn in about_it if turn.role == "examiner"), default=None)
    answered_s = max((turn.end_s for turn in spoken), default=None)
    return AnswerFacts(
        number=last.number,
        question_id=last.question_id,
        text=" ".join(row.text.strip() for row in said),
        skipped=not said,
        typed=any(row.typed for row in said),
        probed=any(row.probe for row in rows),
        time_used_s=None if asked_s is None or answered_s is None else max(0.0, answered_s - asked_s),
        start_s=min((turn.start_s for turn in spoken), default=None),
        end_s=answered_s,
    )


def _facts(data: SessionData, recording_url: str | None) -> SessionFacts:
    session = data.session
    ended = session.ended_at
    n_asked = session.wording.get("asked", 0)
    n_refused = sum(n for name, n in session.wording.items() if name.startswith("refused"))
    return SessionFacts(
        session_id=session.id,
        area=session.area or "",
        candidate=session.candidate_name or session.pseudonym,
        mode=session.mode,
        seed=session.seed,
        judge=session.judge or "",
        started_at=session.started_at.isoformat(timespec="seconds"),
        duration_s=None if ended is None else (ended - session.started_at).total_seconds(),
        completed=data.result.completed if data.result else False,
        wording_fallback_rate=n_refused / n_asked if n_asked else None,
        recording_url=recording_url,
    )
