"""What is written while a viva runs. What a method has returned from is on disk."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import insert, update

from workbench.exam.model import Evaluation, SaveAnswer
from workbench.store import invitations, reading, writing
from workbench.store.core import SESSION_ID, Database
from workbench.store.errors import StoreError
from workbench.store.rows import SessionRow, WordLike
from workbench.store.tables import Sessions


class LiveSessions(Database):
    """Starts a session and keeps what happens in it."""

    def create_session(
        self,
        *,
        discipline: str,
        mode: Literal["practice", "exam", "talk"],
        seed: int,
        area: str | None = None,
        candidate_name: str | None = None,
        candidate_key: str | None = None,
        consented: bool = False,
        consent_version: str | None = None,
        record: bool = False,
        setup: Mapping[str, Any] | None = None,
        state: str | None = None,
        judge: str | None = None,
        adapter: str | None = None,
        bank_id: int | None = None,
        session_id: str | None = None,
        invitation_id: int | None = None,
    ) -> SessionRow:
        """Starts a session and returns it.

        Args:
            discipline: Key of the discipline.
            mode: How feedback is given.
            seed: Seed of the exam's choices.
            area: Key of the area, None while it is not chosen.
            candidate_name: The name given; kept with the session only, and deleted with it.
            candidate_key: Anything stable about the candidate (a login); links sessions by pseudonym and
                is kept as a hash.
            consented: Whether consent was given; its time is now.
            consent_version: Version of the text agreed to.
            record: Whether the sound is kept.
            setup: What the exam was set up with, any JSON.
            state: First snapshot of the exam.
            judge: Name and version of the judge.
            adapter: Name and version of the language model or adapter.
            bank_id: Id that `publish_bank` gave.
            session_id: Id to use; one is made when None.
            invitation_id: The link it came from; one of its attempts is used up with this.

        Raises:
            StoreError: The id is taken or cannot name a file.
            InvitationRefused: The link opens no viva now; nothing was started.
        """
        session_id = f"sess_{secrets.token_hex(12)}" if session_id is None else session_id
        if not SESSION_ID.fullmatch(session_id):
            raise StoreError(f"session id {session_id[:80]!r}: allowed are 1 to 64 letters, digits, - and _")
        now = self._now()
        with self._writing() as connection:
            if invitation_id is not None and candidate_key is None:
                candidate_key = invitations.candidate_key(connection, invitation_id)
            user_id = writing.candidate_user(connection, candidate_key, now)
            connection.execute(
                insert(Sessions).values(
                    id=session_id,
                    user_id=user_id,
                    bank_id=bank_id,
                    discipline=discipline,
                    area=area,
                    mode=mode,
                    seed=seed,
                    candidate_name=candidate_name,
                    consented=consented,
                    consent_version=consent_version if consented else None,
                    consent_at=now if consented else None,
                    record=record,
                    setup=dict(setup or {}),
                    state=state,
                    state_revision=0 if state is None else 1,
                    status="running",
                    started_at=now,
                    retention_until=now + timedelta(days=self.settings.retention_days),
                    judge=judge,
                    adapter=adapter,
                    wording={},
                )
            )
            if invitation_id is not None:
                invitations.use_attempt(connection, invitation_id, session_id, now)
            return reading.session_row(connection, session_id)

    def update_session(self, session_id: str, **changes: Any) -> SessionRow:
        """Changes what became known later: `area, candidate_name, record, judge, adapter, wording, bank_id`."""
        allowed = {"area", "candidate_name", "record", "judge", "adapter", "wording", "bank_id"}
        if unknown := set(changes) - allowed:
            raise TypeError(f"cannot change {sorted(unknown)}; allowed: {sorted(allowed)}")
        with self._writing(session_id) as connection:
            if changes:
                connection.execute(update(Sessions).where(Sessions.id == session_id).values(**changes))
            return reading.session_row(connection, session_id)

    def set_consent(self, session_id: str, given: bool, *, version: str | None, record: bool) -> SessionRow:
        """Notes that consent was given or refused now; refusing also ends recording."""
        with self._writing(session_id) as connection:
            connection.execute(
                update(Sessions)
                .where(Sessions.id == session_id)
                .values(
                    consented=given,
                    consent_version=version if given else None,
                    consent_at=self._now() if given else None,
                    record=record and given,
                )
            )
            return reading.session_row(connection, session_id)

    def save_answer(
        self,
        session_id: str,
        number: int,
        question_id: str,
        text: str,
        *,
        typed: bool,
        probe: bool,
        skipped: bool,
        at_s: float,
    ) -> int:
        """Puts an answer on disk; saving the same one twice keeps one."""
        with self._writing(session_id) as connection:
            return writing.add_answer(
                connection,
                session_id,
                self._now(),
                number=number,
                question_id=question_id,
                text=text,
                typed=typed,
                probe=probe,
                skipped=skipped,
                at_s=float(at_s),
            )

    def save_turn(
        self,
        session_id: str,
        role: Literal["candidate", "examiner"],
        text: str,
        *,
        start_s: float,
        end_s: float,
        heard_text: str | None = None,
        interrupted: bool = False,
        typed: bool = False,
        number: int | None = None,
        kind: str | None = None,
        confidence: float | None = None,
        words: Sequence[WordLike] = (),
    ) -> int:
        """Keeps what one side said; `words` are `WordRow`s or anything with their four fields."""
        with self._writing(session_id) as connection:
            return writing.add_turn(
                connection,
                session_id,
                words,
                role=role,
                text=text,
                heard_text=heard_text,
                interrupted=interrupted,
                typed=typed,
                number=number,
                kind=kind,
                confidence=confidence,
                start_s=float(start_s),
                end_s=float(end_s),
            )

    def save_words(self, session_id: str, turn_id: int, words: Sequence[WordLike]) -> None:
        """Adds the words, with their times, of a turn that was kept without them."""
        with self._writing(session_id) as connection:
            writing.add_words(connection, turn_id, words)

    def save_evaluation(
        self,
        session_id: str,
        number: int,
        evaluation: Evaluation,
        *,
        public: bool = False,
        rater: str = "judge",
        state: str | None = None,
    ) -> int:
        """Adds the mark of an answer, and the exam's new snapshot in the same transaction when one is given."""
        with self._writing(session_id) as connection:
            mark_id = writing.add_evaluation(
                connection, session_id, number, evaluation, rater=rater, public=public, now=self._now()
            )
            if rater != "judge":
                detail = {"number": number, "points": evaluation.points, "verdict": evaluation.verdict}
                self._audit(connection, rater, "mark.corrected", session_id, detail)
            if state is not None:
                writing.set_state(connection, session_id, state)
            return mark_id

    def save_state(self, session_id: str, state: str) -> int:
        """Replaces the exam's snapshot; returns its revision, which only grows."""
        with self._writing() as connection:
            return writing.set_state(connection, session_id, state)

    def commit_turn(
        self,
        session_id: str,
        state: str,
        *,
        at_s: float,
        answers: Sequence[SaveAnswer] = (),
        marks: Sequence[tuple[int, Evaluation, bool]] = (),
    ) -> int:
        """Saves answers, marks (number, evaluation, public) and the snapshot that follows from them: all or nothing.

        A mark that an educator gave, while the viva was abandoned, stays the one that counts.

        Returns:
            The revision of the snapshot.
        """
        now = self._now()
        with self._writing(session_id) as connection:
            for answer in answers:
                writing.add_answer(
                    connection,
                    session_id,
                    now,
                    number=answer.number,
                    question_id=answer.question_id,
                    text=answer.text,
                    typed=answer.typed,
                    probe=answer.probe,
                    skipped=answer.skipped,
                    at_s=float(at_s),
                )
            counting = reading.marks_that_count(connection, session_id) if marks else {}
            for number, evaluation, public in marks:
                if number in counting and counting[number].rater != "judge":
                    continue
                writing.add_evaluation(
                    connection, session_id, number, evaluation, rater="judge", public=public, now=now
                )
            return writing.set_state(connection, session_id, state)

    def append_event(self, session_id: str, type: str, at_s: float, data: Mapping[str, Any] | None = None) -> None:
        """Keeps that something happened; strings that are no identifiers are replaced by their length."""
        with self._writing(session_id) as connection:
            writing.add_event(connection, session_id, type, at_s, data or {}, self._now())
