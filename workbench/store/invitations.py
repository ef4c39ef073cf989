"""One-time links: made for candidates, opened by their token, used up by the viva that starts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Connection, insert, select, update

from workbench.exam.model import Mode
from workbench.store.cohorts import candidate_row
from workbench.store.core import Database
from workbench.store.errors import InvitationRefused, NotFound, StoreError
from workbench.store.rows_educators import CandidateRow, InvitationRow, NewInvitation, OpenedInvitation, SittingRow
from workbench.store.tables import QuestionBanks, Sessions
from workbench.store.tables_educators import Candidates, Cohorts, Invitations, Sittings

MAX_ATTEMPTS = 1000
SLOWER_RATE = 0.85
"""Rate of the examiner's voice for who needs it slower."""

_COLUMNS = (
    Invitations.id, Invitations.cohort_id, Invitations.candidate_id, Candidates.name.label("candidate_name"),
    Candidates.email.label("candidate_email"), Invitations.bank_id, Invitations.discipline, Invitations.area,
    Invitations.mode, Invitations.opens_at, Invitations.closes_at, Invitations.attempts_allowed,
    Invitations.attempts_used, Invitations.show_results, Invitations.revoked_at, Invitations.created_by,
    Invitations.created_at,
)  # fmt: skip

_SITTING_COLUMNS = (
    Sittings.session_id, Sittings.invitation_id, Sittings.cohort_id, Sittings.candidate_id, Sittings.attempt,
    Sittings.results_published_at, Sittings.published_by,
)  # fmt: skip
_REFUSALS = {
    "revoked": "This link was withdrawn. Please ask whoever sent it for a new one.",
    "used": "This link has been used already. Please ask whoever sent it if you may sit the viva again.",
    "unknown": "This link is not known here. Check that it was copied whole, or ask whoever sent it for a new one.",
}


class InvitationLinks(Database):
    """Links to vivas."""

    def create_invitations(
        self,
        *,
        discipline: str,
        actor: str,
        area: str | None = None,
        mode: Mode = "exam",
        cohort_id: int | None = None,
        candidate_ids: Sequence[int] | None = None,
        opens_at: datetime | None = None,
        closes_at: datetime | None = None,
        attempts: int = 1,
        show_results: bool = False,
        bank_id: int | None = None,
    ) -> tuple[NewInvitation, ...]:
        """Makes links and returns their tokens, which are kept nowhere.

        One for each of `candidate_ids`; without them one for each candidate of `cohort_id`; without a cohort a single
        one for whoever has it.

        Args:
            discipline: Key of the discipline.
            actor: Who makes them.
            area: Key of the area; None lets the candidate choose.
            mode: How feedback is given.
            cohort_id: The cohort.
            candidate_ids: Those of its candidates that get a link; None for all.
            opens_at: From when the link opens a viva; None for at once.
            closes_at: Until when one may be started; None for ever.
            attempts: Vivas a link opens.
            show_results: Let the candidate see the results at once, not only when they are published.
            bank_id: Version of the questions, as `publish_bank` gave it; None for the newest at the time.

        Raises:
            NotFound: No such cohort or candidate.
            StoreError: A value does not fit, or the cohort is empty.
        """
        if mode not in get_args(Mode):
            raise StoreError(f"mode {mode!r}: allowed are {', '.join(get_args(Mode))}")
        if not 1 <= attempts <= MAX_ATTEMPTS:
            raise StoreError(f"attempts {attempts}: allowed are 1 to {MAX_ATTEMPTS}")
        now = self._now()
        if closes_at is not None and closes_at <= max(now, opens_at or now):
            raise StoreError(f"closes_at {closes_at.isoformat()} is past or before opens_at; give a later one")
        values = {
            "cohort_id": cohort_id,
            "bank_id": bank_id,
            "discipline": discipline,
            "area": area,
            "mode": mode,
            "opens_at": opens_at,
            "closes_at": closes_at,
            "attempts_allowed": attempts,
            "attempts_used": 0,
            "show_results": show_results,
            "created_by": actor,
            "created_at": now,
        }
        with self._writing() as connection:
            if bank_id is not None:
                _require_bank(connection, bank_id, discipline)
            made = [
                self._create(connection, values, candidate_id)
                for candidate_id in _invited(connection, cohort_id, candidate_ids)
            ]
            detail = {"n": len(made), "discipline": discipline, "area": area, "mode": mode, "attempts": attempts}
            subject = f"invitation:{made[0].invitation.id}" if cohort_id is None else f"cohort:{cohort_id}"
            self._audit(connection, actor, "invitations.created", subject, detail)
            return tuple(made)

    def renew_invitation(self, invitation_id: int, *, actor: str) -> NewInvitation:
        """Replaces a link whose token was lost: the old token opens nothing any more, all else stays.

        Raises:
            NotFound: There is none of that id.
        """
        token = secrets.token_urlsafe(24)
        with self._writing() as connection:
            changed = connection.execute(
                update(Invitations).where(Invitations.id == invitation_id).values(token_hash=_hash(token))
            )
            if changed.rowcount != 1:
                raise NotFound("invitation", invitation_id)
            self._audit(connection, actor, "invitation.renewed", f"invitation:{invitation_id}", {})
            return NewInvitation(_invitation(connection, invitation_id), token)

    def revoke_invitation(self, invitation_id: int, *, actor: str) -> InvitationRow:
        """Withdraws a link; vivas that came from it stay.

        Raises:
            NotFound: There is none of that id.
        """
        with self._writing() as connection:
            row = _invitation(connection, invitation_id)
            if row.revoked_at is None:
                now = self._now()
                connection.execute(update(Invitations).where(Invitations.id == row.id).values(revoked_at=now))
                self._audit(connection, actor, "invitation.revoked", f"invitation:{row.id}", {})
                row = replace(row, revoked_at=now)
            return row

    def list_invitations(
        self, *, cohort_id: int | None = None, candidate_id: int | None = None
    ) -> tuple[InvitationRow, ...]:
        """Links of a cohort, of a candidate or all, newest first."""
        query = select(*_COLUMNS).outerjoin(Candidates, Candidates.id == Invitations.candidate_id)
        if cohort_id is not None:
            query = query.where(Invitations.cohort_id == cohort_id)
        if candidate_id is not None:
            query = query.where(Invitations.candidate_id == candidate_id)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(Invitations.id.desc())).all()
        return tuple(InvitationRow(**row._mapping) for row in rows)

    def open_invitation(self, token: str, now: datetime | None = None) -> OpenedInvitation:
        """What a token opens; nothing is used up by looking.

        Args:
            token: As it stands in the link.
            now: The time; the store's clock when None.

        Raises:
            InvitationRefused: It is unknown, withdrawn, used up or out of its window, in words for the candidate.
        """
        with self._reading() as connection:
            found = connection.execute(
                select(Invitations.id).where(Invitations.token_hash == _hash(token))
            ).scalar_one_or_none()
            if found is None:
                raise InvitationRefused("unknown", _REFUSALS["unknown"])
            row = _invitation(connection, found)
            _refuse_unless_open(row, now or self._now())
            candidate = None if row.candidate_id is None else candidate_row(connection, row.candidate_id)
            cohort = connection.execute(select(Cohorts.name).where(Cohorts.id == row.cohort_id)).scalar()
        left = row.attempts_allowed - row.attempts_used
        return OpenedInvitation(row, _grants(row, candidate), candidate, cohort, left)

    def link_sittings(self, token: str) -> tuple[SittingRow, ...]:
        """The vivas that were held with a link and have ended, in the order of their attempts.

        None for a link that names nobody, whose holders must not learn of each other, nor for one that was withdrawn.
        """
        with self._reading() as connection:
            rows = connection.execute(
                select(*_SITTING_COLUMNS)
                .join(Invitations, Invitations.id == Sittings.invitation_id)
                .join(Sessions, Sessions.id == Sittings.session_id)
                .where(
                    Invitations.token_hash == _hash(token),
                    Invitations.candidate_id.is_not(None),
                    Invitations.revoked_at.is_(None),
                    Sessions.status != "running",
                )
                .order_by(Sittings.attempt)
            ).all()
        return tuple(SittingRow(**row._mapping) for row in rows)

    def load_invitation(self, invitation_id: int) -> InvitationRow:
        """One link.

        Raises:
            NotFound: There is none of that id.
        """
        with self._reading() as connection:
            return _invitation(connection, invitation_id)

    def use_attempt(self, invitation_id: int, session_id: str, now: datetime | None = None) -> SittingRow:
        """Counts a viva against its link and notes where the session came from: both or neither.

        `create_session(invitation_id=...)` does this in the transaction that makes the session.

        Raises:
            InvitationRefused: The link does not open a viva now.
            SessionNotFound: No such session.
        """
        with self._writing(session_id) as connection:
            return use_attempt(connection, invitation_id, session_id, now or self._now())

    def invitation_bank(self, invitation_id: int) -> str | None:
        """The question bank a link pins, as `bank_snapshot` text; None when it takes the newest."""
        with self._reading() as connection:
            return connection.execute(
                select(QuestionBanks.content)
                .join(Invitations, Invitations.bank_id == QuestionBanks.id)
                .where(Invitations.id == invitation_id)
            ).scalar_one_or_none()

    def _create(self, connection: Connection, values: dict[str, Any], candidate_id: int | None) -> NewInvitation:
        token = secrets.token_urlsafe(24)
        invitation_id = connection.execute(
            insert(Invitations)
            .values(token_hash=_hash(token), candidate_id=candidate_id, **values)
            .returning(Invitations.id)
        ).scalar_one()
        return NewInvitation(_invitation(connection, invitation_id), token)


def use_attempt(connection: Connection, invitation_id: int, session_id: str, now: datetime) -> SittingRow:
    """See `InvitationLinks.use_attempt`; the caller holds the transaction."""
    changed = connection.execute(
        update(Invitations)
        .where(
            Invitations.id == invitation_id,
            Invitations.attempts_used < Invitations.attempts_allowed,
        )
        .values(attempts_used=Invitations.attempts_used + 1)
    )
    try:
        row = _invitation(connection, invitation_id)
    except NotFound:
        raise InvitationRefused("unknown", _REFUSALS["unknown"]) from None
    # looked at as it was before this attempt: the last one is still one
    _refuse_unless_open(replace(row, attempts_used=row.attempts_used - changed.rowcount), now)
    sitting = SittingRow(
        session_id=session_id,
        invitation_id=row.id,
        cohort_id=row.cohort_id,
        candidate_id=row.candidate_id,
        attempt=row.attempts_used,
        results_published_at=now if row.show_results else None,
        published_by=row.created_by if row.show_results else None,
    )
    connection.execute(insert(Sittings).values(**asdict(sitting)))
    return sitting


def candidate_key(connection: Connection, invitation_id: int) -> str | None:
    """What links the sessions of the candidate a link is for; None for a link that names nobody."""
    candidate_id = connection.execute(
        select(Invitations.candidate_id).where(Invitations.id == invitation_id)
    ).scalar_one_or_none()
    return None if candidate_id is None else f"candidate:{candidate_id}"


def _grants(row: InvitationRow, candidate: CandidateRow | None) -> dict[str, Any]:
    """What the holder may not change; a seed of None is drawn by the server, so that nobody picks the questions."""
    grants: dict[str, Any] = {
        "invitation": row.id,
        "discipline": row.discipline,
        "mode": row.mode,
        "seed": None,
        "extra_time": 1.0,
        "speaking_rate": 1.0,
    }
    if row.area is not None:
        grants["area"] = row.area
    if candidate is not None:
        grants["candidate"] = candidate.name
        grants["extra_time"] = candidate.extra_time
        grants["speaking_rate"] = SLOWER_RATE if candidate.slower_voice else 1.0
    return grants


def _refuse_unless_open(row: InvitationRow, now: datetime) -> None:
    state = row.state(now)
    if state == "not_yet":
        assert row.opens_at is not None
        raise InvitationRefused(state, f"This link opens on {_moment(row.opens_at)}. Please come back then.")
    if state == "expired":
        assert row.closes_at is not None
        message = f"This link could be used until {_moment(row.closes_at)}. Please ask whoever sent it for a new one."
        raise InvitationRefused(state, message)
    if state != "open":
        raise InvitationRefused(state, _REFUSALS[state])


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y at %H:%M} UTC"


def _hash(token: str) -> str:
    # 24 random bytes cannot be guessed, so that a fast hash without salt hides them as well as a slow one
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _invitation(connection: Connection, invitation_id: int) -> InvitationRow:
    row = connection.execute(
        select(*_COLUMNS)
        .outerjoin(Candidates, Candidates.id == Invitations.candidate_id)
        .where(Invitations.id == invitation_id)
    ).one_or_none()
    if row is None:
        raise NotFound("invitation", invitation_id)
    return InvitationRow(**row._mapping)


def _invited(
    connection: Connection, cohort_id: int | None, candidate_ids: Sequence[int] | None
) -> list[int] | list[None]:
    if cohort_id is None:
        if candidate_ids:
            raise StoreError("candidate_ids without cohort_id; name the cohort they belong to")
        return [None]
    if connection.execute(select(Cohorts.id).where(Cohorts.id == cohort_id)).first() is None:
        raise NotFound("cohort", cohort_id)
    query = select(Candidates.id).where(Candidates.cohort_id == cohort_id).order_by(Candidates.name, Candidates.id)
    members = list(connection.execute(query).scalars())
    if candidate_ids is None:
        if not members:
            raise StoreError("this cohort has no candidates yet; import a list first")
        return members
    if strangers := set(candidate_ids) - set(members):
        raise NotFound("candidate of this cohort", min(strangers))
    if not candidate_ids:
        raise StoreError("candidate_ids is empty; leave it out for the whole cohort")
    return list(dict.fromkeys(candidate_ids))


def _require_bank(connection: Connection, bank_id: int, discipline: str) -> None:
    kept = connection.execute(select(QuestionBanks.discipline).where(QuestionBanks.id == bank_id)).scalar()
    if kept != discipline:
        raise StoreError(
            f"bank_id {bank_id} is {'unknown' if kept is None else f'of {kept!r}'}; give one of {discipline!r}"
        )
