"""What happens to a viva afterwards: finishing, loading, listing, correcting, exporting, deleting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, delete, exists, func, insert, select, update

from workbench.exam.model import MAX_POINTS, N_QUESTIONS_PER_SCENARIO, N_SCENARIOS, Evaluation
from workbench.store import reading, recordings, writing
from workbench.store.core import Database
from workbench.store.errors import StillRunning, StoreError
from workbench.store.rows import (
    AuditRow,
    EventRow,
    Page,
    Purged,
    ResultRow,
    SessionData,
    SessionRow,
    Status,
)  # fmt: skip
from workbench.store.tables import Answers, Configuration, Results, Sessions, Users

MAX_PAGE = 500
MAX_SCORE = float(N_SCENARIOS * N_QUESTIONS_PER_SCENARIO * MAX_POINTS)


class Archive(Database):
    """Sessions that ended, and those that are taken up again."""

    def publish_bank(self, discipline: str, version: str, content: str) -> int:
        """Keeps a question bank as it is now; the same content again gives the same id."""
        with self._writing() as connection:
            return writing.publish_bank(connection, discipline, version, content, self._now())

    def finish_session(
        self,
        session_id: str,
        *,
        completed: bool,
        wording: dict[str, int] | None = None,
        state: str | None = None,
        max_score: float = MAX_SCORE,
    ) -> ResultRow:
        """Closes a session, `finished` when completed and else `stopped`, and sums its marks up.

        Calling it again recomputes the result and keeps the first end time.
        """
        with self._writing(session_id) as connection:
            values: dict[str, Any] = {"status": "finished" if completed else "stopped"}
            if wording is not None:
                values["wording"] = wording
            values["ended_at"] = func.coalesce(Sessions.ended_at, self._now())
            connection.execute(update(Sessions).where(Sessions.id == session_id).values(**values))
            if state is not None:
                writing.set_state(connection, session_id, state)
            return self._sum_up(connection, session_id, completed, max_score)

    def mark_abandoned(self, session_id: str) -> SessionRow:
        """Closes a running session whose candidate never came back; `reopen` takes it up again."""
        with self._writing(session_id) as connection:
            connection.execute(
                update(Sessions)
                .where(Sessions.id == session_id, Sessions.status == "running")
                .values(status="abandoned", ended_at=self._now())
            )
            return reading.session_row(connection, session_id)

    def abandon_running(self) -> int:
        """Closes every session that still counts as running; a server calls it when it starts, holding none yet.

        Returns:
            How many there were: what a killed process left behind. Their candidates may still come back.
        """
        with self._writing() as connection:
            changed: CursorResult[Any] = connection.execute(
                update(Sessions).where(Sessions.status == "running").values(status="abandoned", ended_at=self._now())
            )
            return changed.rowcount

    def reopen(self, session_id: str) -> SessionRow:
        """Takes an abandoned session up again.

        Raises:
            StoreError: It was finished or stopped.
        """
        with self._writing(session_id) as connection:
            connection.execute(
                update(Sessions)
                .where(Sessions.id == session_id, Sessions.status == "abandoned")
                .values(status="running", ended_at=None)
            )
            row = reading.session_row(connection, session_id)
            if row.status != "running":
                raise StoreError(f"session {session_id} is {row.status}: it can be read, not resumed")
            return row

    def correct_mark(self, session_id: str, number: int, evaluation: Evaluation, *, rater: str) -> ResultRow | None:
        """Puts an educator's mark over the judge's and sums up again; the earlier mark stays in the history.

        Returns:
            The new result, None while the viva still runs.
        """
        if rater == "judge":
            raise StoreError("a correction needs the name of who made it, not 'judge'")
        with self._writing(session_id) as connection:
            writing.add_evaluation(
                connection, session_id, number, evaluation, rater=rater, public=True, now=self._now()
            )
            detail = {"number": number, "points": evaluation.points, "verdict": evaluation.verdict}
            self._audit(connection, rater, "mark.corrected", session_id, detail)
            before = reading.result_row(connection, session_id)
            if before is None:
                return None
            return self._sum_up(connection, session_id, before.completed, before.max_score)

    def load_session(self, session_id: str) -> SessionData:
        """Everything kept of a session: what resuming it and reporting on it take.

        Raises:
            SessionNotFound: There is none of that id.
        """
        recording = recordings.find(self.recordings_dir, session_id)
        with self._reading() as connection:
            return reading.session_data(connection, session_id, recording)

    def list_sessions(
        self,
        *,
        status: Status | None = None,
        discipline: str | None = None,
        area: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> Page:
        """One page of sessions, newest first.

        Raises:
            StoreError: `limit` is not 1 to 500 or `offset` is negative.
        """
        if not 1 <= limit <= MAX_PAGE or offset < 0:
            raise StoreError(f"limit {limit}, offset {offset}: allowed are 1 to {MAX_PAGE}, and 0 or more")
        with self._reading() as connection:
            return reading.session_page(
                connection,
                status=status,
                discipline=discipline,
                area=area,
                since=since,
                limit=limit,
                offset=offset,
            )

    def events(self, session_id: str) -> tuple[EventRow, ...]:
        """The events of a session in the order they came."""
        with self._reading() as connection:
            return reading.event_rows(connection, session_id)

    def audit_log(self, subject: str | None = None, limit: int = 100) -> tuple[AuditRow, ...]:
        """The newest entries of the audit log, of one subject or of all."""
        with self._reading() as connection:
            return reading.audit_rows(connection, subject, limit)

    def note(self, actor: str, action: str, subject: str, **detail: Any) -> None:
        """Adds an entry to the audit log (an export, a login); identifiers and numbers only."""
        with self._writing() as connection:
            self._audit(connection, actor, action, subject, detail)

    def deleted_sessions(self, session_ids: Sequence[str]) -> tuple[str, ...]:
        """Which of these sessions are not there, or not any more; in the order given."""
        with self._reading() as connection:
            there = set(connection.execute(select(Sessions.id).where(Sessions.id.in_(session_ids))).scalars())
        return tuple(session_id for session_id in session_ids if session_id not in there)

    def delete_session(self, session_id: str, *, actor: str = "system") -> int:
        """Deletes a session with everything said in it and its recordings; the audit log keeps that it was done.

        Files go first: a crash in between leaves a row to delete again, never a recording nobody knows of.

        Returns:
            Number of recording files deleted.

        Raises:
            SessionNotFound: There is none of that id.
            StillRunning: Its candidate is in the middle of it.
        """
        with self._reading() as connection:
            if reading.session_row(connection, session_id).status == "running":
                raise StillRunning(session_id)
        n_files = recordings.remove(self.recordings_dir, session_id)
        with self._writing(session_id) as connection:
            n_answers = connection.execute(
                select(func.count()).select_from(Answers).where(Answers.session_id == session_id)
            ).scalar_one()
            connection.execute(delete(Sessions).where(Sessions.id == session_id))
            # a candidate known by a session only goes with it
            has_session = exists().where(Sessions.user_id == Users.id)
            connection.execute(delete(Users).where(Users.role == "candidate", ~has_session))
            detail = {"n_recordings": n_files, "n_answers": n_answers}
            self._audit(connection, actor, "session.deleted", session_id, detail)
        self._empty_write_ahead_log()
        return n_files

    def purge_expired(self, *, dry_run: bool = True, actor: str = "system") -> Purged:
        """Deletes the ended sessions whose retention date has passed, or only says which they are."""
        with self._reading() as connection:
            expired = connection.execute(
                select(Sessions.id)
                .where(Sessions.retention_until <= self._now(), Sessions.status != "running")
                .order_by(Sessions.retention_until)
            ).scalars()
            session_ids = tuple(expired)
        if not dry_run:
            for session_id in session_ids:
                self.delete_session(session_id, actor=actor)
        return Purged(session_ids, dry_run)

    def get_configuration(self, key: str, default: Any = None) -> Any:
        """A value that was set while the program ran."""
        with self._reading() as connection:
            row = connection.execute(select(Configuration.value).where(Configuration.key == key)).first()
            return default if row is None else row[0]

    def set_configuration(self, key: str, value: Any, *, actor: str = "system") -> None:
        """Sets a value for every process that shares the database; the audit log keeps who did."""
        with self._writing() as connection:
            now = self._now()
            changed: CursorResult[Any] = connection.execute(
                update(Configuration).where(Configuration.key == key).values(value=value, updated_at=now)
            )
            if changed.rowcount == 0:
                connection.execute(insert(Configuration).values(key=key, value=value, updated_at=now))
            self._audit(connection, actor, "configuration.set", key[:128], {})

    def _sum_up(self, connection: Connection, session_id: str, completed: bool, max_score: float) -> ResultRow:
        marks = reading.marks_that_count(connection, session_id).values()
        verdicts = [mark.evaluation.verdict for mark in marks]
        connection.execute(delete(Results).where(Results.session_id == session_id))
        connection.execute(
            insert(Results).values(
                session_id=session_id,
                completed=completed,
                score=float(sum(mark.evaluation.points for mark in marks)),
                max_score=float(max_score),
                n_correct=verdicts.count("correct"),
                n_partial=verdicts.count("partial"),
                n_incorrect=verdicts.count("incorrect"),
                created_at=self._now(),
            )
        )
        result = reading.result_row(connection, session_id)
        assert result is not None
        return result

    def _empty_write_ahead_log(self) -> None:
        # the log still holds what the deleted pages said until it is written back and cut
        if self._engine.dialect.name == "sqlite":
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
