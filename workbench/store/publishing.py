"""Results that wait: a viva from a link shows its candidate nothing until an educator publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from workbench.store import reading
from workbench.store.cohorts import candidate_rows
from workbench.store.core import Database
from workbench.store.errors import NotFound, SessionNotFound, StoreError
from workbench.store.rows_educators import CohortSession, SittingRow
from workbench.store.tables import Evaluations, Sessions
from workbench.store.tables_educators import Cohorts, Sittings

HELD_MESSAGE = (
    "Your answers are saved. The results of this viva have not been published yet: your examiners look at them first."
    " Please come back to this page later."
)
"""What a candidate reads instead of a report."""

_COLUMNS = (
    Sittings.session_id, Sittings.invitation_id, Sittings.cohort_id, Sittings.candidate_id, Sittings.attempt,
    Sittings.results_published_at, Sittings.published_by,
)  # fmt: skip


class Publishing(Database):
    """Which results their candidates may see."""

    def sitting(self, session_id: str) -> SittingRow | None:
        """The link a session came from and whether it is published; None for one from the open page."""
        with self._reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(Sittings.session_id == session_id)).one_or_none()
        return None if row is None else SittingRow(**row._mapping)

    def results_held(self, session_id: str) -> bool:
        """Whether the candidate of a session has to wait for its results."""
        sitting = self.sitting(session_id)
        return sitting is not None and sitting.results_published_at is None

    def publish_results(self, session_ids: Sequence[str], *, actor: str) -> tuple[str, ...]:
        """Lets candidates see their results; all of the sessions or none.

        Returns:
            Those that were hidden before.

        Raises:
            SessionNotFound: One is not there.
            StoreError: One is still running.
        """
        return self._set_publication(session_ids, actor, "results.published", self._now())

    def hide_results(self, session_ids: Sequence[str], *, actor: str) -> tuple[str, ...]:
        """Takes a publication back; what a candidate has seen or saved they keep.

        Returns:
            Those that were published before; sessions from the open page have nothing to hide.

        Raises:
            SessionNotFound: One is not there.
        """
        return self._set_publication(session_ids, actor, "results.hidden", None)

    def _set_publication(
        self, session_ids: Sequence[str], actor: str, action: str, published_at: datetime | None
    ) -> tuple[str, ...]:
        with self._writing() as connection:
            _require_ended(connection, session_ids)
            changed = _with_publication(connection, session_ids, published=published_at is None)
            connection.execute(
                update(Sittings)
                .where(Sittings.session_id.in_(changed))
                .values(results_published_at=published_at, published_by=None if published_at is None else actor)
            )
            for session_id in changed:
                self._audit(connection, actor, action, session_id, {})
            return changed

    def cohort_sessions(self, cohort_id: int) -> tuple[CohortSession, ...]:
        """The vivas that came from a cohort's links, newest first.

        Raises:
            NotFound: There is no such cohort.
        """
        with self._reading() as connection:
            if connection.execute(select(Cohorts.id).where(Cohorts.id == cohort_id)).first() is None:
                raise NotFound("cohort", cohort_id)
            return _sessions_where(connection, Sittings.cohort_id == cohort_id)

    def published_since(self, since: datetime) -> tuple[CohortSession, ...]:
        """The vivas from links whose results were published at or after a moment and still are, newest first."""
        with self._reading() as connection:
            return _sessions_where(connection, Sittings.results_published_at >= since)

    def note_access(self, actor: str, session_id: str, what: str) -> None:
        """Keeps in the audit log that an educator read a session: `what` is `detail`, `report`, `audio` or `export`."""
        with self._writing() as connection:
            self._audit(connection, actor, "session.read", session_id, {"what": what})


def _require_ended(connection: Connection, session_ids: Sequence[str]) -> None:
    rows = connection.execute(select(Sessions.id, Sessions.status).where(Sessions.id.in_(session_ids)))
    status = {row.id: row.status for row in rows}
    for session_id in session_ids:
        if session_id not in status:
            raise SessionNotFound(session_id)
        if status[session_id] == "running":
            raise StoreError(f"session {session_id} is still running; publish it when it has ended")


def _with_publication(connection: Connection, session_ids: Sequence[str], *, published: bool) -> tuple[str, ...]:
    column = Sittings.results_published_at
    query = select(Sittings.session_id).where(
        Sittings.session_id.in_(session_ids), column.is_not(None) if published else column.is_(None)
    )
    return tuple(connection.execute(query.order_by(Sittings.session_id)).scalars())


def _sessions_where(connection: Connection, condition: ColumnElement[bool]) -> tuple[CohortSession, ...]:
    sittings = [
        SittingRow(**row._mapping)
        for row in connection.execute(
            select(*_COLUMNS)
            .join(Sessions, Sessions.id == Sittings.session_id)
            .where(condition)
            .order_by(Sessions.started_at.desc(), Sessions.id)
        )
    ]
    ids = [sitting.session_id for sitting in sittings]
    sessions = reading.session_rows(connection, ids)
    results = reading.result_rows(connection, ids)
    counts = _mark_counts(connection, ids)
    people = candidate_rows(connection, {row.candidate_id for row in sittings if row.candidate_id is not None})
    return tuple(
        CohortSession(
            sessions[row.session_id],
            results.get(row.session_id),
            row,
            None if row.candidate_id is None else people.get(row.candidate_id),
            *counts.get(row.session_id, (0, 0)),
        )
        for row in sittings
    )


def _mark_counts(connection: Connection, session_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Questions with a mark, and with an educator's, by session."""
    last = reading.ids_that_count(Evaluations.session_id.in_(session_ids))
    rows = connection.execute(
        select(
            Evaluations.session_id,
            func.count().label("n"),
            func.sum(case((Evaluations.rater == "judge", 0), else_=1)).label("n_corrected"),
        )
        .join(last, last.c.id == Evaluations.id)
        .group_by(Evaluations.session_id)
    )
    return {row.session_id: (int(row.n), int(row.n_corrected)) for row in rows}
