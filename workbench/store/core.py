"""Connections and transactions, shared by the parts of the store."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from workbench.settings import Settings
from workbench.store import migrate, recordings, writing
from workbench.store.database import WRITE, database_url, open_engine
from workbench.store.errors import StoreError
from workbench.store.tables import AuditLog

SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a session id may look like: it names files."""


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Database:
    """An open, migrated database.

    Args:
        settings: Where database and recordings are and how long sessions are kept.
        url: Database URL to use instead of the one of the settings.
        now: The clock; tests pass their own.

    Raises:
        StoreError: The database cannot be reached, or is newer than the program.
    """

    def __init__(self, settings: Settings, *, url: str | None = None, now: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self.recordings_dir = recordings.directory(settings)
        self._now = now
        self._engine = open_engine(url or database_url(settings))
        # SQLite has one writer; threads of this process queue here instead of polling the file's lock
        self._turnstile = threading.Lock()
        migrate.upgrade(self._engine)

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()

    def ping(self) -> None:
        """Asks the database for an answer.

        Raises:
            StoreError: There is none.
        """
        with self._reading() as connection:
            connection.execute(text("SELECT 1"))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self._explained(error) from None

    @contextmanager
    def _writing(self, session_id: str | None = None) -> Iterator[Connection]:
        """A transaction that may write; with a session id, one that fails plainly when there is no such session."""
        try:
            with (
                self._turnstile,
                self._engine.connect().execution_options(**WRITE) as connection,
                connection.begin(),
            ):
                if session_id is not None:
                    writing.require_session(connection, session_id)
                yield connection
        except DBAPIError as error:
            raise self._explained(error) from None

    def _explained(self, error: DBAPIError) -> StoreError:
        # the statement's parameters hold what was said, so neither the message nor the cause may carry them
        lines = str(error.orig).strip().splitlines() or ["no reason given"]
        if isinstance(error, IntegrityError):
            return StoreError(f"the database refused the row: {lines[0]}")
        return migrate.unreachable(self._engine, error)

    def _audit(self, connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        connection.execute(
            insert(AuditLog).values(
                at=self._now(),
                actor=actor,
                action=action,
                subject=subject,
                detail=writing.without_words(dict(detail)),
            )
        )
