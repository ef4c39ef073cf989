"""Which sessions go into an export, and whose grades they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from workbench.reports.gradebook import Grade, one_a_person
from workbench.store.archive import MAX_PAGE
from workbench.store.repository import Store
from workbench.store.rows import ResultRow, SessionData, SessionRow, Status


def sessions_with_results(
    store: Store,
    *,
    status: Status | None = None,
    discipline: str | None = None,
    area: str | None = None,
    since: datetime | None = None,
) -> Iterator[tuple[SessionRow, ResultRow | None]]:
    """Every session that fits, newest first."""
    offset = 0
    while page := store.list_sessions(
        status=status, discipline=discipline, area=area, since=since, limit=MAX_PAGE, offset=offset
    ).sessions:
        yield from page
        offset += len(page)


def whole_sessions(store: Store, **which: object) -> list[SessionData]:
    """Everything kept of the sessions that fit, oldest first; takes what `sessions_with_results` takes."""
    rows = list(sessions_with_results(store, **which))  # type: ignore[arg-type]
    return [store.load_session(session.id) for session, _ in reversed(rows)]


def cohort_vivas(store: Store, cohort_id: int) -> list[SessionData]:
    """Everything kept of a cohort's vivas that ended, oldest first.

    Raises:
        NotFound: There is no such cohort.
    """
    rows = reversed(store.cohort_sessions(cohort_id))
    return [store.load_session(row.session.id) for row in rows if row.session.status != "running"]


def grades_of(
    rows: Iterable[tuple[SessionRow, ResultRow | None]],
    *,
    keep: Literal["best", "last"] = "best",
) -> list[Grade]:
    """One grade a person of the exams that have a result; practice and talk are nobody's grade."""
    grades = [
        Grade(
            name=session.candidate_name or session.pseudonym,
            score=result.score,
            max_score=result.max_score,
            finished_at=session.ended_at,
            session_id=session.id,
            feedback="" if result.completed else "The examination ended early.",
        )
        for session, result in rows
        if result is not None and session.mode == "exam"
    ]
    return _by_name(one_a_person(grades, keep=keep))


def cohort_grades(store: Store, cohort_id: int, *, keep: Literal["best", "last"] = "best") -> list[Grade]:
    """One grade a person of a cohort's exams, with the addresses and ids it was imported with.

    Raises:
        NotFound: There is no such cohort.
    """
    grades = []
    for row in store.cohort_sessions(cohort_id):
        for grade in grades_of([(row.session, row.result)]):
            person = row.candidate
            if person is not None:
                grade = replace(grade, name=person.name, email=person.email or "", external_id=person.external_id or "")
            grades.append(grade)
    return _by_name(one_a_person(grades, keep=keep))


def _by_name(grades: list[Grade]) -> list[Grade]:
    return sorted(grades, key=lambda grade: grade.name.casefold())
