"""Question banks that educators write: drafts that change, and published versions that never do."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from workbench.exam.bank import check
from workbench.exam.bank_file import BankError, Finding, read_bank
from workbench.exam.items import Bank
from workbench.store import bank_snapshot, writing
from workbench.store.columns import storable
from workbench.store.core import Database
from workbench.store.errors import NotFound, StoreError
from workbench.store.rows_educators import DraftRow, ReleaseRow
from workbench.store.tables import QuestionBanks
from workbench.store.tables_educators import BankDrafts, BankReleases

MAX_SOURCE_CHARS = 4_000_000
SEVERE = frozenset({"schema", "yaml", "unreadable", "duplicate-id"})
"""Codes of findings with which no viva could be held."""

_DRAFT_COLUMNS = (
    BankDrafts.id, BankDrafts.discipline, BankDrafts.title, BankDrafts.source, BankDrafts.revision,
    BankDrafts.created_by, BankDrafts.updated_by, BankDrafts.created_at, BankDrafts.updated_at,
)  # fmt: skip
_RELEASE_COLUMNS = (
    BankReleases.id, BankReleases.bank_id, BankReleases.discipline, BankReleases.version, BankReleases.source,
    BankReleases.note, BankReleases.published_by, BankReleases.published_at, BankReleases.withdrawn_at,
)  # fmt: skip


def read_source(source: str) -> Bank:
    """The bank a YAML text holds.

    Raises:
        BankError: It holds none; every problem is named by its line.
    """
    if len(source) > MAX_SOURCE_CHARS:
        message = f"the text has {len(source)} characters; at most {MAX_SOURCE_CHARS} are taken"
        raise BankError([Finding("bank", 1, "", "schema", message)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bank.yaml"
        path.write_text(storable(source), encoding="utf-8")
        try:
            bank = read_bank(path)
        except BankError as error:
            raise BankError([replace(finding, file="bank") for finding in error.findings]) from None
    return replace(bank, file="", areas=tuple(replace(area, file="bank") for area in bank.areas))


def findings_of(source: str) -> tuple[Finding, ...]:
    """Everything to mend in a YAML text: what keeps it from being read, else what `viva bank check` finds."""
    try:
        return tuple(check(read_source(source)))
    except BankError as error:
        return error.findings


class KeptBanks(Database):
    """Drafts and releases."""

    def create_draft(self, discipline: str, title: str, source: str, *, actor: str) -> DraftRow:
        """Begins a bank; the text need not be complete, nor a bank at all yet."""
        now = self._now()
        with self._writing() as connection:
            draft_id = connection.execute(
                insert(BankDrafts)
                .values(
                    discipline=_short(discipline),
                    title=title,
                    source=_checked(source),
                    revision=1,
                    created_by=actor,
                    updated_by=actor,
                    created_at=now,
                    updated_at=now,
                )
                .returning(BankDrafts.id)
            ).scalar_one()
            self._audit(connection, actor, "draft.created", f"draft:{draft_id}", {})
            row = connection.execute(select(*_DRAFT_COLUMNS).where(BankDrafts.id == draft_id)).one()
            return DraftRow(**row._mapping)

    def save_draft(
        self,
        draft_id: int,
        source: str,
        *,
        actor: str,
        revision: int,
        discipline: str | None = None,
        title: str | None = None,
    ) -> DraftRow:
        """Saves a draft over the revision the writer began from.

        Raises:
            NotFound: There is no such draft.
            StoreError: Somebody saved it meanwhile; nothing was overwritten.
        """
        values: dict[str, Any] = {"source": _checked(source), "updated_by": actor, "updated_at": self._now()}
        if discipline is not None:
            values["discipline"] = _short(discipline)
        if title is not None:
            values["title"] = title
        with self._writing() as connection:
            changed = connection.execute(
                update(BankDrafts)
                .where(BankDrafts.id == draft_id, BankDrafts.revision == revision)
                .values(revision=BankDrafts.revision + 1, **values)
            )
            row = connection.execute(select(*_DRAFT_COLUMNS).where(BankDrafts.id == draft_id)).one_or_none()
            if row is None:
                raise NotFound("draft", draft_id)
            if changed.rowcount != 1:
                raise StoreError(
                    f"{row.updated_by} saved this draft meanwhile (revision {row.revision}, yours began from"
                    f" {revision}); load it again and put your changes in"
                )
            self._audit(connection, actor, "draft.saved", f"draft:{draft_id}", {"revision": row.revision})
            return DraftRow(**row._mapping)

    def list_drafts(self) -> tuple[DraftRow, ...]:
        """Every draft, the one saved last first."""
        with self._reading() as connection:
            rows = connection.execute(select(*_DRAFT_COLUMNS).order_by(BankDrafts.updated_at.desc(), BankDrafts.id))
            return tuple(DraftRow(**row._mapping) for row in rows)

    def load_draft(self, draft_id: int) -> DraftRow:
        """One draft.

        Raises:
            NotFound: There is none of that id.
        """
        with self._reading() as connection:
            row = connection.execute(select(*_DRAFT_COLUMNS).where(BankDrafts.id == draft_id)).one_or_none()
        if row is None:
            raise NotFound("draft", draft_id)
        return DraftRow(**row._mapping)

    def delete_draft(self, draft_id: int, *, actor: str) -> None:
        """Deletes a draft; versions published from it stay.

        Raises:
            NotFound: There is none of that id.
        """
        with self._writing() as connection:
            if connection.execute(delete(BankDrafts).where(BankDrafts.id == draft_id)).rowcount != 1:
                raise NotFound("draft", draft_id)
            self._audit(connection, actor, "draft.deleted", f"draft:{draft_id}", {})

    def publish_draft(self, draft_id: int, *, actor: str, note: str = "") -> ReleaseRow:
        """Publishes a draft under the version its text gives; vivas that begin from now on are held with it.

        Raises:
            NotFound: There is no such draft.
            BankError: The text is no bank.
            StoreError: That version was published with other questions already.
        """
        return self.publish_source(self.load_draft(draft_id).source, actor=actor, note=note)

    def publish_source(self, source: str, *, actor: str, note: str = "") -> ReleaseRow:
        """Publishes a YAML text (an import); the same text again gives the release there is.

        Raises:
            BankError: The text is no bank.
            StoreError: That version was published with other questions already.
        """
        bank = read_source(source)
        snapshot = bank_snapshot.to_text(bank)
        with self._writing() as connection:
            bank_id = writing.publish_bank(connection, bank.discipline, bank.version, snapshot, self._now())
            row = connection.execute(
                select(*_RELEASE_COLUMNS).where(
                    BankReleases.discipline == bank.discipline, BankReleases.version == bank.version
                )
            ).one_or_none()
            if row is not None and row.bank_id != bank_id:
                raise StoreError(
                    f"{bank.discipline} {bank.version} was published on {row.published_at:%Y-%m-%d} with other"
                    " questions, and a published version never changes; give this one a new version"
                )
            if row is None:
                connection.execute(
                    insert(BankReleases).values(
                        bank_id=bank_id,
                        discipline=bank.discipline,
                        version=bank.version,
                        source=source,
                        note=note,
                        published_by=actor,
                        published_at=self._now(),
                    )
                )
                detail = {"version": bank.version, "n_areas": len(bank.areas)}
                self._audit(connection, actor, "bank.published", bank.discipline, detail)
                row = connection.execute(select(*_RELEASE_COLUMNS).where(BankReleases.bank_id == bank_id)).one()
            return ReleaseRow(**row._mapping)

    def list_releases(self, discipline: str | None = None) -> tuple[ReleaseRow, ...]:
        """Published versions, newest first; withdrawn ones too."""
        query = select(*_RELEASE_COLUMNS).order_by(BankReleases.id.desc())
        if discipline is not None:
            query = query.where(BankReleases.discipline == discipline)
        with self._reading() as connection:
            return tuple(ReleaseRow(**row._mapping) for row in connection.execute(query))

    def withdraw_release(self, release_id: int, *, actor: str) -> ReleaseRow:
        """Holds no further vivas with a version; reports and links made with it keep it.

        Raises:
            NotFound: There is no such release.
        """
        with self._writing() as connection:
            connection.execute(
                update(BankReleases)
                .where(BankReleases.id == release_id, BankReleases.withdrawn_at.is_(None))
                .values(withdrawn_at=self._now())
            )
            row = connection.execute(select(*_RELEASE_COLUMNS).where(BankReleases.id == release_id)).one_or_none()
            if row is None:
                raise NotFound("release", release_id)
            self._audit(connection, actor, "bank.withdrawn", row.discipline, {"version": row.version})
            return ReleaseRow(**row._mapping)

    def released_banks(self) -> dict[str, Bank]:
        """The newest version of each discipline that is published and not withdrawn."""
        newest = (
            select(func.max(BankReleases.id).label("id"))
            .where(BankReleases.withdrawn_at.is_(None))
            .group_by(BankReleases.discipline)
            .subquery()
        )
        query = (
            select(QuestionBanks.discipline, QuestionBanks.content)
            .join(BankReleases, BankReleases.bank_id == QuestionBanks.id)
            .join(newest, newest.c.id == BankReleases.id)
            .order_by(QuestionBanks.discipline)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return {row.discipline: bank_snapshot.from_text(row.content) for row in rows}

    def releases_mark(self) -> tuple[int, int]:
        """Changes whenever a version is published or withdrawn."""
        query = select(func.coalesce(func.max(BankReleases.id), 0), func.count(BankReleases.withdrawn_at))
        with self._reading() as connection:
            newest, n_withdrawn = connection.execute(query).one()
        return int(newest), int(n_withdrawn)


class LiveBanks(Mapping[str, Bank]):
    """The banks a server offers: those of the files, with what educators published over them, always the newest.

    A published bank replaces areas of the same key and adds others, as a directory of `VIVA_BANKS_DIR` does.

    Args:
        files: Banks by discipline, as they were loaded.
        store: Where published ones are.
        every_s: How often it looks for new ones.
        clock: Seconds.
    """

    def __init__(
        self,
        files: Mapping[str, Bank],
        store: KeptBanks,
        every_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = dict(files)
        self._store = store
        self._every_s = every_s
        self._clock = clock
        self._mark: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self._banks = dict(files)

    def refresh(self) -> None:
        """Looks for what was published or withdrawn now."""
        self._looked_at = self._clock()
        mark = self._store.releases_mark()
        if mark == self._mark:
            return
        banks = dict(self._files)
        for discipline, bank in self._store.released_banks().items():
            banks[discipline] = _over(banks.get(discipline), bank)
        self._banks, self._mark = banks, mark

    def _current(self) -> dict[str, Bank]:
        if self._clock() - self._looked_at >= self._every_s:
            self.refresh()
        return self._banks

    def __getitem__(self, discipline: str) -> Bank:
        return self._current()[discipline]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._current()))

    def __len__(self) -> int:
        return len(self._current())


def _over(old: Bank | None, new: Bank) -> Bank:
    """`new` with the areas of `old` that it does not replace, in the old order first."""
    if old is None:
        return new
    fresh = {area.key: area for area in new.areas}
    areas = [fresh.pop(area.key, area) for area in old.areas]
    return replace(new, areas=(*areas, *fresh.values()))


def _checked(source: str) -> str:
    if len(source) > MAX_SOURCE_CHARS:
        raise StoreError(f"the text has {len(source)} characters; at most {MAX_SOURCE_CHARS} are taken")
    return source


def _short(discipline: str) -> str:
    discipline = storable(discipline).strip()
    if not 1 <= len(discipline) <= 60:
        raise StoreError(f"discipline {discipline[:80]!r}: allowed are 1 to 60 characters")
    return discipline
