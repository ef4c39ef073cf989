"""Connections: which database, how durable, how a write begins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from workbench.settings import Settings
from workbench.store.errors import StoreError

SQLITE_PRAGMAS = {
    "journal_mode": "WAL",
    # FULL syncs the log at every commit, so that an answer survives a power cut and not only a killed
    # process; an exam commits a few times a minute, so the milliseconds do not matter
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "busy_timeout": "10000",
    # deleted means deleted: the pages are overwritten, not only unlinked
    "secure_delete": "ON",
}

WRITE = {"viva_begin": "IMMEDIATE"}
"""Execution options of a writing transaction: it takes SQLite's write lock at once, where the busy time-out
applies, instead of failing when it would have to upgrade a read that has gone stale."""


def database_url(settings: Settings) -> str:
    """The URL of the store: the setting, or an SQLite file in the data directory, which is made."""
    if settings.database_url:
        return settings.database_url
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"sqlite:///{(settings.data_dir / 'viva.sqlite3').resolve()}"


def open_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL; connects to nothing yet.

    Raises:
        StoreError: The URL is no database URL, its kind is not supported, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "VIVA_DATABASE_URL is no database URL; allowed: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        # the plain spelling everyone writes means the driver this project ships
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            return create_engine(parsed, pool_pre_ping=True, pool_size=5, connect_args={"connect_timeout": 10})
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise StoreError(
                f"PostgreSQL needs its driver ({error}); install it with `pip install 'viva-workbench[postgres]'`"
            ) from None
    if backend != "sqlite":
        raise StoreError(f"VIVA_DATABASE_URL names a {backend!r} database; allowed: sqlite, postgresql")
    in_memory = parsed.database in (None, "", ":memory:")
    if not in_memory:
        file = Path(str(parsed.database))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # made here so that only its owner may read it; the log beside it inherits that
            file.touch(mode=0o600)
        except OSError as error:
            raise StoreError(f"cannot make the database {file}: {error.strerror}; set VIVA_DATA_DIR") from None
    extra: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    engine = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": 10}, **extra)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # the driver's own transaction handling starts no transaction before a SELECT and none before DDL; ours
    # does
    connection.isolation_level = None
    for name, value in SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("viva_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


def public_url(url: str) -> str:
    """The URL with its password hidden, for messages."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return re.sub(r"://[^@]*@", "://***@", url)
