"""Sessions as tidy tables: one row a session, an item, a mark, a key point; the same in CSV, XLSX and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.exam.items import Bank
from workbench.exam.model import MAX_POINTS
from workbench.exam.report_data import Report
from workbench.store import reporting
from workbench.store.rows import SessionData

SESSION_COLUMNS = (
    "session_id", "pseudonym", "candidate", "discipline", "area", "mode", "status", "started_at", "ended_at",
    "duration_s", "completed", "score", "max_score", "percent", "n_asked", "n_correct", "n_partial", "n_incorrect",
    "n_unmarked", "judges", "bank_version", "seed",
)  # fmt: skip
ITEM_COLUMNS = (
    "session_id", "pseudonym", "candidate", "discipline", "area", "number", "scenario", "question_id", "stem",
    "verdict", "points", "max_points", "covered", "contradicted", "missing", "answer", "skipped", "typed", "probed",
    "time_used_s", "start_s", "end_s", "judge", "confidence",
)  # fmt: skip
MARK_COLUMNS = (
    "session_id", "pseudonym", "number", "question_id", "verdict", "points", "confidence", "judge", "rater",
    "counts", "created_at",
)  # fmt: skip
KEY_POINT_COLUMNS = (
    "session_id", "pseudonym", "number", "question_id", "key_point_id", "key_point", "weight", "status", "quote",
)  # fmt: skip

COLUMNS: Mapping[str, Sequence[str]] = {
    "sessions": SESSION_COLUMNS,
    "items": ITEM_COLUMNS,
    "marks": MARK_COLUMNS,
    "key_points": KEY_POINT_COLUMNS,
}
"""Table -> its columns."""

MEANINGS: Mapping[str, str] = {
    "session_id": "Id of the session",
    "pseudonym": "Stands for the candidate; the same person has the same one only where a stable key was given",
    "candidate": "Name as it was given; empty in exports by pseudonym",
    "duration_s": "Seconds from the beginning to the end of the session",
    "percent": "Points reached, per cent of max_score",
    "number": "Place of the question in the exam, from 1",
    "points": "0 to 10 in steps of 0.5; empty while there is no mark",
    "covered": "Ids of key points the answer covers",
    "contradicted": "Ids of key points the answer contradicts",
    "missing": "Ids of key points the answer lacks",
    "answer": "What was said before and after the follow-up question, as recognised or typed",
    "time_used_s": "Seconds from the end of the question to the end of the answer",
    "start_s": "Where the answer begins in the recording, seconds",
    "end_s": "Where it ends",
    "judge": "Judge and version; in the table of questions `an examiner` where a person's mark counts",
    "confidence": "How sure the judge is, 0 to 1; 1 where a person marked",
    "rater": "judge, or the login of the educator who corrected the mark",
    "counts": "Whether this is the mark that counts; earlier ones show how it came about",
    "weight": "Share of the question's points, 0 to 1",
    "quote": "The candidate's words that are the evidence",
}
"""What a column holds, where its name does not say it."""


@dataclass(frozen=True)
class Tables:
    """Rows of several sessions, by table."""

    sessions: list[dict[str, Any]]
    items: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    key_points: list[dict[str, Any]]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The rows of one table of `COLUMNS`."""
        rows: list[dict[str, Any]] = getattr(self, name)
        return rows


def tables_of(sessions: Iterable[SessionData], banks: Mapping[str, Bank], *, names: bool = True) -> Tables:
    """Sessions as rows, in the order given.

    Args:
        sessions: What is kept of them.
        banks: Today's banks, for a session that was stored without its own.
        names: Whether candidates' names are in it; without, the pseudonym stands for them.

    Raises:
        StoreError: The questions a session was held with are not to be had.
    """
    tables = Tables([], [], [], [])
    for data in sessions:
        report = reporting.build(data, banks)
        person = {
            "pseudonym": data.session.pseudonym,
            "candidate": (data.session.candidate_name or "") if names else "",
        }
        tables.sessions.append({**_session(data, report), **person})
        tables.items.extend({**row, **person} for row in _items(data, report))
        tables.marks.extend({**row, **person} for row in _marks(data))
        tables.key_points.extend({**row, **person} for row in _key_points(data, report))
    return tables


def _session(data: SessionData, report: Report) -> dict[str, Any]:
    session = data.session
    return {
        "session_id": session.id,
        "discipline": session.discipline,
        "area": session.area,
        "mode": session.mode,
        "status": session.status,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "duration_s": report.session.duration_s,
        "completed": report.session.completed,
        "score": report.score,
        "max_score": report.max_score,
        "percent": round(100 * report.score / report.max_score, 2) if report.max_score else None,
        "n_asked": len(report.questions),
        "n_correct": report.count("correct"),
        "n_partial": report.count("partial"),
        "n_incorrect": report.count("incorrect"),
        "n_unmarked": report.count(None),
        "judges": " ".join(report.judges),
        "bank_version": report.bank_version,
        "seed": session.seed,
    }


def _items(data: SessionData, report: Report) -> Iterable[dict[str, Any]]:
    for scenario in report.scenarios:
        for q in scenario.questions:
            ids = {
                status: " ".join(p.id for p in q.key_points if p.status == status and q.verdict)
                for status in ("covered", "contradicted", "missing")
            }
            yield {
                "session_id": data.session.id,
                "discipline": report.discipline,
                "area": data.session.area,
                "number": q.number,
                "scenario": scenario.title,
                "question_id": q.question_id,
                "stem": q.stem,
                "verdict": q.verdict,
                "points": q.points,
                "max_points": MAX_POINTS,
                **ids,
                "answer": q.answer.text,
                "skipped": q.answer.skipped,
                "typed": q.answer.typed,
                "probed": q.answer.probed,
                "time_used_s": q.answer.time_used_s,
                "start_s": q.answer.start_s,
                "end_s": q.answer.end_s,
                "judge": q.judge,
                "confidence": q.confidence,
            }


def _marks(data: SessionData) -> Iterable[dict[str, Any]]:
    counting = {mark.id for mark in data.marks_that_count.values()}
    for mark in data.marks:
        if mark.is_none:
            continue
        yield {
            "session_id": data.session.id,
            "number": mark.number,
            "question_id": mark.evaluation.question_id,
            "verdict": mark.evaluation.verdict,
            "points": mark.evaluation.points,
            "confidence": mark.evaluation.confidence,
            "judge": mark.evaluation.judge,
            "rater": mark.rater,
            "counts": mark.id in counting,
            "created_at": mark.created_at,
        }


def _key_points(data: SessionData, report: Report) -> Iterable[dict[str, Any]]:
    for q in report.questions:
        for point in q.key_points if q.verdict else ():
            yield {
                "session_id": data.session.id,
                "number": q.number,
                "question_id": q.question_id,
                "key_point_id": point.id,
                "key_point": point.text,
                "weight": point.weight,
                "status": point.status,
                "quote": point.quote,
            }
