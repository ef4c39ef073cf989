"""What is due for deletion, before and while it is deleted: vivas, and the people of whom none is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import exists, or_, select

from workbench.store.archive import Archive
from workbench.store.cohorts import CohortRolls
from workbench.store.rows import Purged
from workbench.store.tables import Sessions, Users
from workbench.store.tables_educators import Candidates, Invitations, Sittings


@dataclass(frozen=True)
class DueSession:
    """A viva whose retention date is past, or soon will be; dates in ISO 8601."""

    session_id: str
    pseudonym: str
    started_at: str
    retention_until: str


@dataclass(frozen=True)
class Due:
    """What a purge would delete: vivas with everything said in them, and rows of candidates without any viva."""

    sessions: tuple[DueSession, ...]
    candidate_ids: tuple[int, ...]


class Retention(CohortRolls, Archive):
    """Deletes what is past its date."""

    def retention_due(self, *, within_days: int = 0) -> Due:
        """What would go now, or within some days, without deleting anything."""
        until = self._now() + timedelta(days=within_days)
        query = (
            select(Sessions.id, Users.pseudonym, Sessions.started_at, Sessions.retention_until)
            .join(Users, Users.id == Sessions.user_id)
            .where(Sessions.retention_until <= until, Sessions.status != "running")
            .order_by(Sessions.retention_until, Sessions.id)
        )
        with self._reading() as connection:
            sessions = tuple(
                DueSession(row.id, row.pseudonym, row.started_at.isoformat(), row.retention_until.isoformat())
                for row in connection.execute(query)
            )
            # a person goes when no viva of theirs would be left, and neither they nor a link to them is newer
            made = until - timedelta(days=self.settings.retention_days)
            kept = (
                exists()
                .where(Sittings.candidate_id == Candidates.id)
                .where(
                    Sessions.id == Sittings.session_id,
                    or_(Sessions.retention_until > until, Sessions.status == "running"),
                )
            )
            invited = exists().where(Invitations.candidate_id == Candidates.id, Invitations.created_at > made)
            people = select(Candidates.id).where(Candidates.created_at <= made, ~kept, ~invited)
            return Due(sessions, tuple(connection.execute(people.order_by(Candidates.id)).scalars()))

    def purge_expired(self, *, dry_run: bool = True, actor: str = "system") -> Purged:
        """Deletes the vivas and people past their retention date, or only says which they are."""
        due = self.retention_due()
        session_ids = tuple(session.session_id for session in due.sessions)
        if not dry_run:
            for session_id in session_ids:
                self.delete_session(session_id, actor=actor)
            for candidate_id in due.candidate_ids:
                self.delete_candidate(candidate_id, actor=actor)
        return Purged(session_ids, dry_run, due.candidate_ids)
