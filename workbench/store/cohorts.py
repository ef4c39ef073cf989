"""Cohorts and the candidates in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, false, func, insert, select, update

from workbench.store.archive import Archive
from workbench.store.candidate_csv import CandidateDraft, CandidateList, RowProblem, read_candidates
from workbench.store.columns import storable
from workbench.store.errors import NotFound, StillRunning, StoreError
from workbench.store.rows_educators import CandidateRow, CohortRow
from workbench.store.tables import Sessions
from workbench.store.tables_educators import Candidates, Cohorts, Sittings

_FIELDS = ("name", "email", "external_id", "extra_time", "typed_answers", "captions", "slower_voice")
_CANDIDATE_COLUMNS = (
    Candidates.id, Candidates.cohort_id, Candidates.name, Candidates.email, Candidates.external_id,
    Candidates.extra_time, Candidates.typed_answers, Candidates.captions, Candidates.slower_voice,
    Candidates.created_at,
)  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """What importing a list did, or would do: names of candidates by what becomes of them."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    problems: tuple[RowProblem, ...]
    ignored: tuple[str, ...]
    saved: bool


class CohortRolls(Archive):
    """Who sits what."""

    def create_cohort(self, name: str, *, actor: str) -> CohortRow:
        """Makes an empty cohort.

        Raises:
            StoreError: The name is empty, too long or taken.
        """
        name = _checked_name(name, "cohort", 120)
        with self._writing() as connection:
            if connection.execute(select(Cohorts.id).where(Cohorts.name == name)).first() is not None:
                raise StoreError(f"there is a cohort {name!r} already; choose another name")
            cohort_id = connection.execute(
                insert(Cohorts).values(name=name, created_by=actor, created_at=self._now()).returning(Cohorts.id)
            ).scalar_one()
            self._audit(connection, actor, "cohort.created", f"cohort:{cohort_id}", {})
            return _cohort(connection, cohort_id)

    def list_cohorts(self) -> tuple[CohortRow, ...]:
        """Every cohort, newest first."""
        with self._reading() as connection:
            rows = connection.execute(_cohorts_query().order_by(Cohorts.id.desc())).all()
        return tuple(CohortRow(**row._mapping) for row in rows)

    def load_cohort(self, cohort_id: int) -> CohortRow:
        """One cohort.

        Raises:
            NotFound: There is none of that id.
        """
        with self._reading() as connection:
            return _cohort(connection, cohort_id)

    def delete_cohort(self, cohort_id: int, *, actor: str, with_sessions: bool = False) -> int:
        """Deletes a cohort with its candidates and links; with their vivas and recordings too, when asked to.

        Vivas that are kept stay under their pseudonyms, and are nobody's results any more.

        Returns:
            Number of sessions deleted.

        Raises:
            NotFound: There is none of that id.
            StillRunning: One of those vivas is; nothing was deleted.
        """
        with self._reading() as connection:
            _cohort(connection, cohort_id)
        sat = Sittings.cohort_id == cohort_id if with_sessions else false()
        return self._delete_with(sat, Cohorts, cohort_id, "cohort", actor)

    def list_candidates(self, cohort_id: int) -> tuple[CandidateRow, ...]:
        """The candidates of a cohort, by name.

        Raises:
            NotFound: There is no such cohort.
        """
        with self._reading() as connection:
            _cohort(connection, cohort_id)
            return _candidates(connection, cohort_id)

    def load_candidate(self, candidate_id: int) -> CandidateRow:
        """One candidate.

        Raises:
            NotFound: There is none of that id.
        """
        with self._reading() as connection:
            return candidate_row(connection, candidate_id)

    def add_candidate(self, cohort_id: int, name: str, *, actor: str, **fields: Any) -> CandidateRow:
        """Adds one candidate; `fields` are those of `CandidateRow` that are not given their defaults.

        Raises:
            StoreError: A value does not fit, or the address or id is another's in this cohort.
        """
        draft = _checked(CandidateDraft(0, name, **fields))
        with self._writing() as connection:
            _cohort(connection, cohort_id)
            _refuse_taken(connection, cohort_id, draft, but=None)
            candidate_id = self._insert(connection, cohort_id, draft)
            self._audit(connection, actor, "candidate.added", f"candidate:{candidate_id}", {})
            return candidate_row(connection, candidate_id)

    def update_candidate(self, candidate_id: int, *, actor: str, **changes: Any) -> CandidateRow:
        """Changes fields of one candidate: `name, email, external_id` or an accommodation.

        A link that was sent already has the new accommodations: they are looked up when it is opened.

        Raises:
            NotFound: There is none of that id.
            StoreError: A value does not fit, or the address or id is another's in this cohort.
        """
        if unknown := set(changes) - set(_FIELDS):
            raise StoreError(f"cannot change {', '.join(sorted(unknown))}; allowed: {', '.join(_FIELDS)}")
        with self._writing() as connection:
            before = candidate_row(connection, candidate_id)
            draft = _checked(CandidateDraft(0, **{**{name: getattr(before, name) for name in _FIELDS}, **changes}))
            _refuse_taken(connection, before.cohort_id, draft, but=candidate_id)
            connection.execute(update(Candidates).where(Candidates.id == candidate_id).values(**_values(draft)))
            detail = {"changed": sorted(changes)}
            self._audit(connection, actor, "candidate.changed", f"candidate:{candidate_id}", detail)
            return candidate_row(connection, candidate_id)

    def delete_candidate(self, candidate_id: int, *, actor: str) -> int:
        """Deletes a person with their links, their vivas and the recordings of those.

        Returns:
            Number of sessions deleted.

        Raises:
            NotFound: There is none of that id.
            StillRunning: One of their vivas is; nothing was deleted.
        """
        with self._reading() as connection:
            candidate_row(connection, candidate_id)
        return self._delete_with(Sittings.candidate_id == candidate_id, Candidates, candidate_id, "candidate", actor)

    def _delete_with(
        self, sat: ColumnElement[bool], table: type[Cohorts] | type[Candidates], row_id: int, what: str, actor: str
    ) -> int:
        """Deletes the vivas that fit, then a row with all that hangs on it; returns how many vivas there were."""
        with self._reading() as connection:
            found = connection.execute(
                select(Sessions.id, Sessions.status).join(Sittings, Sittings.session_id == Sessions.id).where(sat)
            ).all()
        for row in found:
            if row.status == "running":
                raise StillRunning(row.id)
        session_ids = [row.id for row in found]
        for session_id in session_ids:
            self.delete_session(session_id, actor=actor)
        with self._writing() as connection:
            connection.execute(delete(table).where(table.id == row_id))
            self._audit(connection, actor, f"{what}.deleted", f"{what}:{row_id}", {"n_sessions": len(session_ids)})
        self._empty_write_ahead_log()
        return len(session_ids)

    def import_candidates(self, cohort_id: int, text: str, *, actor: str, dry_run: bool = True) -> Imported:
        """Takes a CSV list into a cohort, or only says what would become of each row.

        A row is someone already there when the id is theirs, else when the address is, else, for rows with neither,
        when the name is; their other fields are then brought up to date. Nobody is removed.

        Args:
            cohort_id: The cohort.
            text: CSV with a heading line; see `candidate_csv.TEMPLATE`.
            actor: Who imports, for the audit log.
            dry_run: Only look.

        Raises:
            NotFound: There is no such cohort.
            StoreError: The text is no such list.
        """
        found = read_candidates(text)
        if dry_run:
            with self._reading() as connection:
                _cohort(connection, cohort_id)
                return self._import(connection, cohort_id, found, save=False)
        with self._writing() as connection:
            _cohort(connection, cohort_id)
            done = self._import(connection, cohort_id, found, save=True)
            detail = {"n_added": len(done.added), "n_updated": len(done.updated), "n_refused": len(done.problems)}
            self._audit(connection, actor, "candidates.imported", f"cohort:{cohort_id}", detail)
            return done

    def _import(self, connection: Connection, cohort_id: int, found: CandidateList, *, save: bool) -> Imported:
        known = list(_candidates(connection, cohort_id))
        names: dict[str, list[str]] = {"added": [], "updated": [], "unchanged": []}
        problems = list(found.problems)
        met: set[int] = set()
        for draft in found.candidates:
            same = [row for row in known if _is_same(row, draft)]
            if same and same[0].id in met:
                problems.append(
                    RowProblem(draft.line, draft.name, "an earlier row of the list is this candidate already")
                )
                continue
            met |= {row.id for row in same[:1]}
            taken = _taken_by(known, draft, but=same[0].id if same else None)
            if len(same) > 1 or taken:
                reason = f"{taken or 'the name'} is that of another candidate of this cohort"
                problems.append(RowProblem(draft.line, draft.name, f"{reason}; mend the list or that candidate"))
            elif not same:
                names["added"].append(draft.name)
                if save:
                    self._insert(connection, cohort_id, draft)
            elif {name: getattr(same[0], name) for name in _FIELDS} == _values(draft):
                names["unchanged"].append(draft.name)
            else:
                names["updated"].append(draft.name)
                if save:
                    connection.execute(update(Candidates).where(Candidates.id == same[0].id).values(**_values(draft)))
        return Imported(
            tuple(names["added"]),
            tuple(names["updated"]),
            tuple(names["unchanged"]),
            tuple(sorted(problems, key=lambda problem: problem.line)),
            found.ignored,
            saved=save,
        )

    def _insert(self, connection: Connection, cohort_id: int, draft: CandidateDraft) -> int:
        return connection.execute(
            insert(Candidates)
            .values(cohort_id=cohort_id, created_at=self._now(), **_values(draft))
            .returning(Candidates.id)
        ).scalar_one()


def candidate_row(connection: Connection, candidate_id: int) -> CandidateRow:
    """One candidate.

    Raises:
        NotFound: There is none of that id.
    """
    row = connection.execute(select(*_CANDIDATE_COLUMNS).where(Candidates.id == candidate_id)).one_or_none()
    if row is None:
        raise NotFound("candidate", candidate_id)
    return CandidateRow(**row._mapping)


def candidate_rows(connection: Connection, candidate_ids: set[int]) -> dict[int, CandidateRow]:
    """Candidates by id; those that are gone are left out."""
    rows = connection.execute(select(*_CANDIDATE_COLUMNS).where(Candidates.id.in_(candidate_ids)))
    return {row.id: CandidateRow(**row._mapping) for row in rows}


def _candidates(connection: Connection, cohort_id: int) -> tuple[CandidateRow, ...]:
    rows = connection.execute(
        select(*_CANDIDATE_COLUMNS).where(Candidates.cohort_id == cohort_id).order_by(Candidates.name, Candidates.id)
    )
    return tuple(CandidateRow(**row._mapping) for row in rows)


def _cohorts_query() -> Any:
    n_candidates = (
        select(func.count()).select_from(Candidates).where(Candidates.cohort_id == Cohorts.id).scalar_subquery()
    )
    n_sessions = select(func.count()).select_from(Sittings).where(Sittings.cohort_id == Cohorts.id).scalar_subquery()
    return select(
        Cohorts.id,
        Cohorts.name,
        Cohorts.created_by,
        Cohorts.created_at,
        n_candidates.label("n_candidates"),
        n_sessions.label("n_sessions"),
    )


def _cohort(connection: Connection, cohort_id: int) -> CohortRow:
    row = connection.execute(_cohorts_query().where(Cohorts.id == cohort_id)).one_or_none()
    if row is None:
        raise NotFound("cohort", cohort_id)
    return CohortRow(**row._mapping)


def _values(draft: CandidateDraft) -> dict[str, Any]:
    return {name: value for name, value in asdict(draft).items() if name != "line"}


def _checked_name(name: str, what: str, most: int) -> str:
    name = " ".join(storable(name).split())
    if not 1 <= len(name) <= most:
        raise StoreError(f"the {what}'s name has {len(name)} characters; allowed are 1 to {most}")
    return name


def _checked(draft: CandidateDraft) -> CandidateDraft:
    """A draft made by a program, held to the rules of the list.

    Raises:
        StoreError: A value does not fit.
    """
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    values = _values(draft)
    writer.writerow(values)
    said = ["yes" if value is True else "no" if value is False else value for value in values.values()]
    writer.writerow(["" if value is None else value for value in said])
    found = read_candidates(buffer.getvalue())
    if found.problems or not found.candidates:
        raise StoreError(found.problems[0].reason if found.problems else "the name is empty")
    return found.candidates[0]


def _is_same(row: CandidateRow, draft: CandidateDraft) -> bool:
    if draft.external_id is not None and row.external_id is not None:
        return row.external_id == draft.external_id
    if draft.email is not None and row.email is not None:
        return row.email == draft.email
    if draft.external_id is None and draft.email is None:
        return row.name.casefold() == draft.name.casefold()
    return False


def _taken_by(known: list[CandidateRow], draft: CandidateDraft, *, but: int | None) -> str | None:
    """Which field of a draft belongs to someone else of the cohort, None when neither does."""
    for name in ("external_id", "email"):
        value = getattr(draft, name)
        if value is not None and any(getattr(row, name) == value and row.id != but for row in known):
            return f"{name} {value!r}"
    return None


def _refuse_taken(connection: Connection, cohort_id: int, draft: CandidateDraft, *, but: int | None) -> None:
    taken = _taken_by(list(_candidates(connection, cohort_id)), draft, but=but)
    if taken:
        raise StoreError(f"{taken} is that of another candidate of this cohort")
