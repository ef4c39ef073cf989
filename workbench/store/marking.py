"""Educators over the judge: overrides with a reason, undo, and the marks that want a second look.

Nothing is changed: an override is a further row of `evaluations`, and so is an undo, which brings the row before back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from sqlalchemy import Connection, select

from workbench.exam.model import Evaluation, Verdict
from workbench.store import reading, writing
from workbench.store.archive import Archive
from workbench.store.errors import StoreError
from workbench.store.rows import JUDGE, NO_MARK, MarkRow, ResultRow
from workbench.store.rows_educators import DoubtfulMark
from workbench.store.tables import Answers, Evaluations, Sessions, Users
from workbench.store.tables_educators import Sittings

CONFIRMED = "confirmed"
"""Reason of a mark an educator looked at and left as it was."""

MAX_REASON = 2000


class Marking(Archive):
    """Marks that educators gave, took back or confirmed."""

    def override_mark(
        self,
        session_id: str,
        number: int,
        *,
        actor: str,
        reason: str,
        verdict: Verdict | None = None,
        points: float | None = None,
    ) -> MarkRow:
        """Puts an educator's mark over the one that counts and sums the viva up again.

        Args:
            session_id: The session.
            number: The question, 1 to 12.
            actor: Login of the educator.
            reason: Why, for whoever reads the history; kept with the mark only, and deleted with it.
            verdict: The new verdict; None keeps the old one.
            points: The new points, 0 to 10 in steps of 0.5; None keeps the old ones.

        Raises:
            SessionNotFound: No such session.
            StoreError: The viva still runs, the question was not asked, a value does not fit, or nothing would change.
        """
        reason = _checked_reason(reason)
        if verdict is not None and verdict not in get_args(Verdict):
            raise StoreError(f"verdict {verdict!r}: allowed are {', '.join(get_args(Verdict))}")
        if points is not None and not (0 <= points <= 10 and float(points * 2).is_integer()):
            raise StoreError(f"points {points}: allowed are 0 to 10 in steps of 0.5")
        with self._writing(session_id) as connection:
            _require_ended(connection, session_id)
            before = _counting(connection, session_id, number)
            old = before.evaluation if before else _unmarked(_answered(connection, session_id, number))
            new_verdict = old.verdict if verdict is None else verdict
            new_points = old.points if points is None else float(points)
            if before is not None and (new_verdict, new_points) == (old.verdict, old.points):
                raise StoreError(
                    f"question {number} is {old.verdict} with {old.points:g} points already; change either, or"
                    " confirm the mark"
                )
            new = Evaluation(old.question_id, new_verdict, new_points, old.evidence, 1.0, old.judge)
            return self._add(connection, session_id, number, new, actor, "mark.overridden", reason)

    def confirm_mark(self, session_id: str, number: int, *, actor: str) -> MarkRow:
        """Says that an educator looked at a mark and agrees; it then leaves the moderation queue.

        Raises:
            SessionNotFound: No such session.
            StoreError: The question has no mark, or an educator's already.
        """
        with self._writing(session_id) as connection:
            _require_ended(connection, session_id)
            before = _counting(connection, session_id, number)
            if before is None:
                raise StoreError(f"question {number} of {session_id} has no mark to confirm; override it instead")
            if before.rater != JUDGE:
                raise StoreError(f"question {number} of {session_id} has the mark of {before.rater} already")
            old = before.evaluation
            same = Evaluation(old.question_id, old.verdict, old.points, old.evidence, 1.0, old.judge)
            return self._add(connection, session_id, number, same, actor, "mark.confirmed", CONFIRMED)

    def undo_override(self, session_id: str, number: int, *, actor: str) -> MarkRow | None:
        """Brings back what counted before the last override or confirmation, as a new row.

        Undoing again goes one further back, until the judge's own mark counts, or none where the judge gave none.

        Returns:
            The mark that counts now, None where the question is unmarked again.

        Raises:
            SessionNotFound: No such session.
            StoreError: The viva still runs, or there is nothing to undo.
        """
        with self._writing(session_id) as connection:
            _require_ended(connection, session_id)
            standing = _standing(connection, session_id, number)
            if not standing or standing[-1].rater == JUDGE:
                raise StoreError(f"question {number} of {session_id} has no override to undo")
            if len(standing) == 1:
                # the judge's, as a mark that is brought back has its own rater: nobody is said to have given this
                none = _unmarked(standing[0].evaluation.question_id)
                action = "mark.withdrawn"
                self._add(connection, session_id, number, none, actor, action, None, rater=JUDGE, restores_id=NO_MARK)
                return None
            back = standing[-2]
            return self._add(
                connection,
                session_id,
                number,
                back.evaluation,
                actor,
                "mark.restored",
                back.reason,
                rater=back.rater,
                restores_id=back.id,
            )

    def mark_history(self, session_id: str, number: int | None = None) -> tuple[MarkRow, ...]:
        """Every mark and undo of one question, or of all, in the order they were given; the last one counts.

        Raises:
            SessionNotFound: No such session.
        """
        with self._reading() as connection:
            reading.session_row(connection, session_id)
            marks = reading.all_marks(connection, session_id)
        return tuple(mark for mark in marks if number in (None, mark.number))

    def moderation_queue(
        self, limit: int = 50, *, min_doubt: float = 0.0, cohort_id: int | None = None
    ) -> tuple[DoubtfulMark, ...]:
        """Marks of ended vivas that are still the judge's, the most doubtful first.

        A mark leaves the queue when an educator overrides or confirms it and comes back when that is undone.

        Args:
            limit: Marks at most.
            min_doubt: Only those at least this doubtful; doubt is 1 less the judge's confidence.
            cohort_id: Only vivas of this cohort.
        """
        last = reading.ids_that_count()
        query = (
            select(
                Evaluations.session_id,
                Evaluations.number,
                Evaluations.question_id,
                Evaluations.verdict,
                Evaluations.points,
                (1 - Evaluations.confidence).label("doubt"),
                Evaluations.judge,
                Sessions.discipline,
                Sessions.area,
                Users.pseudonym,
                Sessions.candidate_name,
                Sittings.cohort_id,
                Evaluations.created_at.label("marked_at"),
            )
            .join(last, last.c.id == Evaluations.id)
            .join(Sessions, Sessions.id == Evaluations.session_id)
            .join(Users, Users.id == Sessions.user_id)
            .outerjoin(Sittings, Sittings.session_id == Sessions.id)
            .where(
                Evaluations.rater == JUDGE,
                Sessions.status != "running",
                Evaluations.confidence <= 1 - min_doubt,
            )
            .order_by(Evaluations.confidence, Evaluations.id)
            .limit(limit)
        )
        if cohort_id is not None:
            query = query.where(Sittings.cohort_id == cohort_id)
        with self._reading() as connection:
            return tuple(DoubtfulMark(**row._mapping) for row in connection.execute(query))

    def _add(
        self,
        connection: Connection,
        session_id: str,
        number: int,
        evaluation: Evaluation,
        actor: str,
        action: str,
        reason: str | None,
        *,
        rater: str | None = None,
        restores_id: int | None = None,
    ) -> MarkRow:
        if actor == JUDGE:
            raise StoreError("an override needs the login of who made it, not 'judge'")
        mark_id = writing.add_evaluation(
            connection,
            session_id,
            number,
            evaluation,
            rater=rater or actor,
            public=True,
            now=self._now(),
            reason=reason,
            restores_id=restores_id,
        )
        detail = {
            "number": number,
            "points": evaluation.points,
            "verdict": evaluation.verdict,
            "mark_id": mark_id,
            "restores_id": restores_id,
        }
        self._audit(connection, actor, action, session_id, detail)
        before: ResultRow | None = reading.result_row(connection, session_id)
        if before is not None:
            self._sum_up(connection, session_id, before.completed, before.max_score)
        return next(mark for mark in reading.all_marks(connection, session_id) if mark.id == mark_id)


def _require_ended(connection: Connection, session_id: str) -> None:
    # the judge gives every mark of an exam once more when it ends, and the last one counts
    if reading.session_row(connection, session_id).status == "running":
        raise StoreError(f"session {session_id} is still running; its marks can be changed when it has ended")


def _counting(connection: Connection, session_id: str, number: int) -> MarkRow | None:
    return reading.marks_that_count(connection, session_id).get(number)


def _standing(connection: Connection, session_id: str, number: int) -> list[MarkRow]:
    """The marks of a question that no undo has taken back, the one that counts last."""
    standing: list[MarkRow] = []
    for mark in reading.all_marks(connection, session_id):
        if mark.number != number:
            continue
        if mark.is_none:
            standing.clear()
            continue
        places = [place for place, earlier in enumerate(standing) if earlier.id == mark.restores_id]
        if mark.restores_id is not None and places:
            del standing[places[0] + 1 :]
        else:
            standing.append(mark)
    return standing


def _unmarked(question_id: str) -> Evaluation:
    """A question that was never marked (the judge failed), with no points so far."""
    return Evaluation(question_id, "incorrect", 0.0, (), 1.0, "none")


def _answered(connection: Connection, session_id: str, number: int) -> str:
    """Id of a question that was answered.

    Raises:
        StoreError: It was not.
    """
    question_id = connection.execute(
        select(Answers.question_id)
        .where(Answers.session_id == session_id, Answers.number == number)
        .order_by(Answers.id.desc())
        .limit(1)
    ).scalar()
    if question_id is None:
        raise StoreError(f"question {number} of {session_id} was not asked; `viva sessions show` lists those that were")
    return question_id


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON:
        raise StoreError(f"the reason has {len(reason)} characters; an override needs one of 1 to {MAX_REASON}")
    return reason


def marks_by_number(marks: Sequence[MarkRow]) -> dict[int, list[MarkRow]]:
    """Marks of each question, in the order they were given."""
    found: dict[int, list[MarkRow]] = {}
    for mark in marks:
        found.setdefault(mark.number, []).append(mark)
    return found


def without_repeats(history: Sequence[MarkRow]) -> list[MarkRow]:
    """The marks without those the judge gave again as they were: an exam's are given once more when it ends."""
    kept: list[MarkRow] = []
    for mark in history:
        before = kept[-1] if kept else None
        if before is not None and before.rater == mark.rater == "judge" and before.evaluation == mark.evaluation:
            kept[-1] = mark
        else:
            kept.append(mark)
    return kept
