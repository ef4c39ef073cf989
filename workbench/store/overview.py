"""The list of sessions as educators search it: with the result, whether it is published, and the doubt in its marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from workbench.store import reading
from workbench.store.core import Database
from workbench.store.errors import StoreError
from workbench.store.rows import JUDGE, Status
from workbench.store.tables import Evaluations, Results, Sessions, Users
from workbench.store.tables_educators import Sittings

Published = Literal["published", "held", "open"]
"""`held`: its candidate waits for the results; `open`: a viva from the open page, whose results are never held."""

Order = Literal["newest", "doubt", "score"]

MAX_LINES = 200


@dataclass(frozen=True)
class OverviewLine:
    """One session of the list.

    Attributes:
        id: Its id.
        pseudonym: The candidate's pseudonym.
        candidate_name: The candidate's name, None when unknown.
        discipline: Key of the discipline.
        area: Key of the area.
        mode: practice, exam or talk.
        status: Whether it runs, and how it ended.
        started_at: When it began.
        score: Points, None before the end.
        max_score: Points there were.
        published: Whether the candidate sees the results.
        doubt: Largest doubt of a mark that is still the judge's, 0 to 1; None when there is none.
        n_marks: Questions that have a mark.
        n_corrected: Questions whose mark is an educator's.
    """

    id: str
    pseudonym: str
    candidate_name: str | None
    discipline: str
    area: str | None
    mode: str
    status: Status
    started_at: datetime
    score: float | None
    max_score: float | None
    published: Published
    doubt: float | None
    n_marks: int
    n_corrected: int


class Overviews(Database):
    """Searches sessions."""

    def session_overview(
        self,
        *,
        text: str = "",
        status: Status | None = None,
        discipline: str | None = None,
        area: str | None = None,
        published: Published | None = None,
        order: Order = "newest",
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[tuple[OverviewLine, ...], int]:
        """One page of the sessions that fit, and how many fit in all.

        Args:
            text: Part of the candidate's name, of the pseudonym or of the session's id.
            status: Only sessions of this status.
            discipline: Only those of this discipline.
            area: Only those of this area.
            published: Only those whose results are published, held, or never held.
            order: Newest first, most doubtful first, or highest score first.
            limit: Lines at most.
            offset: Lines to leave out.

        Raises:
            StoreError: `limit` is not 1 to 200 or `offset` is negative.
        """
        if not 1 <= limit <= MAX_LINES or offset < 0:
            raise StoreError(f"limit {limit}, offset {offset}: allowed are 1 to {MAX_LINES}, and 0 or more")
        last = reading.ids_that_count()
        marks = (
            select(
                Evaluations.session_id,
                func.max(case((Evaluations.rater == JUDGE, 1 - Evaluations.confidence))).label("doubt"),
                func.count().label("n_marks"),
                func.sum(case((Evaluations.rater == JUDGE, 0), else_=1)).label("n_corrected"),
            )
            .join(last, last.c.id == Evaluations.id)
            .group_by(Evaluations.session_id)
            .subquery()
        )
        shown = case(
            (Sittings.session_id.is_(None), "open"),
            (Sittings.results_published_at.is_(None), "held"),
            else_="published",
        )
        conditions = [
            column == wanted
            for column, wanted in (
                (Sessions.status, status),
                (Sessions.discipline, discipline),
                (Sessions.area, area),
                (shown, published),
            )
            if wanted is not None
        ]
        if text.strip():
            conditions.append(_contains(text.strip()))
        source = (
            select(
                Sessions.id,
                Users.pseudonym,
                Sessions.candidate_name,
                Sessions.discipline,
                Sessions.area,
                Sessions.mode,
                Sessions.status,
                Sessions.started_at,
                Results.score,
                Results.max_score,
                shown.label("published"),
                marks.c.doubt,
                func.coalesce(marks.c.n_marks, 0).label("n_marks"),
                func.coalesce(marks.c.n_corrected, 0).label("n_corrected"),
            )
            .join(Users, Users.id == Sessions.user_id)
            .outerjoin(Results, Results.session_id == Sessions.id)
            .outerjoin(Sittings, Sittings.session_id == Sessions.id)
            .outerjoin(marks, marks.c.session_id == Sessions.id)
            .where(and_(True, *conditions))
        )
        first: dict[str, Any] = {"doubt": marks.c.doubt, "score": Results.score}
        ordered = [] if order == "newest" else [first[order].is_(None), first[order].desc()]
        page = source.order_by(*ordered, Sessions.started_at.desc(), Sessions.id).limit(limit).offset(offset)
        with self._reading() as connection:
            total = connection.execute(select(func.count()).select_from(source.subquery())).scalar_one()
            return tuple(OverviewLine(**row._mapping) for row in connection.execute(page)), int(total)


def _contains(text: str) -> ColumnElement[bool]:
    columns = (Sessions.candidate_name, Users.pseudonym, Sessions.id)
    return or_(*(column.icontains(text[:200], autoescape=True) for column in columns))
