"""Reads a cohort's marks and times for its statistics."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Select, func, select

from workbench.store import cohort_statistics as statistics
from workbench.store.core import Database
from workbench.store.errors import NotFound
from workbench.store.rows import JUDGE, NO_MARK
from workbench.store.tables import Evaluations, Sessions, Turns, Users
from workbench.store.tables_educators import Cohorts, Sittings


class CohortStatistics(Database):
    """Questions, judge and time over the ended vivas of a cohort, or over all there are."""

    def counted_marks(self, cohort_id: int | None = None) -> tuple[statistics.CountedMark, ...]:
        """The mark of every question that counts, beside the judge's own.

        Args:
            cohort_id: The cohort; None for every viva.

        Raises:
            NotFound: There is no such cohort.
        """
        query = (
            select(
                Evaluations.session_id,
                Evaluations.number,
                Evaluations.question_id,
                Evaluations.verdict,
                Evaluations.points,
                Evaluations.rater,
                Evaluations.restores_id,
            )
            .where(Evaluations.session_id.in_(self._ended(cohort_id)))
            .order_by(Evaluations.id)
        )
        last: dict[tuple[str, int], dict[bool, Any]] = defaultdict(dict)
        with self._reading() as connection:
            _require(connection, cohort_id)
            for row in connection.execute(query):
                if row.restores_id == NO_MARK:
                    last.pop((row.session_id, row.number), None)
                    continue
                marks = last[row.session_id, row.number]
                if row.rater == JUDGE:
                    marks[True] = row
                marks[False] = row
        found = []
        for marks in last.values():
            counts, judge = marks[False], marks.get(True)
            found.append(
                statistics.CountedMark(
                    session_id=counts.session_id,
                    number=counts.number,
                    question_id=counts.question_id,
                    verdict=counts.verdict,
                    points=counts.points,
                    by_human=counts.rater != JUDGE,
                    judge_verdict=getattr(judge, "verdict", None),
                    judge_points=getattr(judge, "points", None),
                )
            )
        return tuple(found)

    def item_statistics(self, cohort_id: int | None = None) -> tuple[statistics.ItemStatistics, ...]:
        """Difficulty and discrimination of each question, the hardest first; see `cohort_statistics`."""
        return statistics.item_statistics(self.counted_marks(cohort_id))

    def judge_against_human(self, cohort_id: int | None = None) -> statistics.Agreement:
        """The judge beside educators, with intervals; see `cohort_statistics.Agreement` for what it compares."""
        return statistics.agreement(self.counted_marks(cohort_id))

    def time_used(self, cohort_id: int | None = None) -> tuple[statistics.TimeUsed, ...]:
        """How long each ended viva and its questions took, newest first.

        Raises:
            NotFound: There is no such cohort.
        """
        ended = self._ended(cohort_id)
        sessions = (
            select(Sessions.id, Users.pseudonym, Sessions.started_at, Sessions.ended_at)
            .join(Users, Users.id == Sessions.user_id)
            .where(Sessions.id.in_(ended))
            .order_by(Sessions.started_at.desc(), Sessions.id)
        )
        spoken = (
            select(
                Turns.session_id,
                Turns.number,
                Turns.role,
                func.min(Turns.end_s).label("first_s"),
                func.max(Turns.end_s).label("last_s"),
            )
            .where(Turns.session_id.in_(ended), Turns.number.is_not(None))
            .group_by(Turns.session_id, Turns.number, Turns.role)
        )
        asked: dict[tuple[str, int], float] = {}
        answered: dict[tuple[str, int], float] = {}
        with self._reading() as connection:
            _require(connection, cohort_id)
            rows = connection.execute(sessions).all()
            for turn in connection.execute(spoken):
                if turn.role == "examiner":
                    asked[turn.session_id, turn.number] = turn.first_s
                else:
                    answered[turn.session_id, turn.number] = turn.last_s
        times: dict[str, dict[int, float]] = defaultdict(dict)
        for (session_id, number), end_s in sorted(answered.items()):
            if (session_id, number) in asked:
                times[session_id][number] = max(0.0, end_s - asked[session_id, number])
        return tuple(
            statistics.TimeUsed(
                row.id,
                row.pseudonym,
                None if row.ended_at is None else (row.ended_at - row.started_at).total_seconds(),
                times[row.id],
            )
            for row in rows
        )

    def _ended(self, cohort_id: int | None) -> Select[str]:
        query = select(Sessions.id).where(Sessions.status != "running")
        if cohort_id is not None:
            query = query.join(Sittings, Sittings.session_id == Sessions.id).where(Sittings.cohort_id == cohort_id)
        return query


def _require(connection: Connection, cohort_id: int | None) -> None:
    if cohort_id is not None and connection.execute(select(Cohorts.id).where(Cohorts.id == cohort_id)).first() is None:
        raise NotFound("cohort", cohort_id)
