"""Brings a database to the tables this version of the program expects, and says where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from workbench.store.database import WRITE, public_url
from workbench.store.errors import StoreError

SCRIPTS = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x76697661  # "viva": one migration at a time, among all servers on one PostgreSQL


def head() -> str:
    """The revision this program expects."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """The revision a database is at; None when it has no tables of ours yet.

    Raises:
        StoreError: The database cannot be reached.
    """
    try:
        with engine.connect() as connection:
            return _revision_of(connection)
    except OperationalError as error:
        raise unreachable(engine, error) from None


def is_known(revision: str) -> bool:
    """Whether this program has the migration to `revision`; a database of a newer program is at one it has not."""
    from alembic.script import ScriptDirectory

    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(engine: Engine) -> None:
    """Creates or migrates the tables; does nothing when they are current. Safe while others do the same.

    Raises:
        StoreError: The database cannot be reached, or was written by a newer version of the program.
    """
    wanted = head()
    try:
        with engine.connect() as probe:
            if _revision_of(probe) == wanted:
                return
        with engine.connect().execution_options(**WRITE) as connection, connection.begin():
            _lock(connection)
            _refuse_newer(connection)
            _run(connection, "upgrade", "head")
    except OperationalError as error:
        raise unreachable(engine, error) from None


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Takes migrations back, down to `revision`; `base` drops every table and what is in it."""
    with engine.connect().execution_options(**WRITE) as connection, connection.begin():
        _lock(connection)
        _run(connection, "downgrade", revision)


def unreachable(engine: Engine, error: Exception) -> StoreError:
    """The error for a database that does not answer, without its password."""
    lines = str(getattr(error, "orig", error)).strip().splitlines() or ["no reason given"]
    return StoreError(
        f"the database at {public_url(str(engine.url))} does not answer ({lines[0]}); check"
        " VIVA_DATABASE_URL, that the server runs and that the directory can be written"
    )


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_newer(connection: Connection) -> None:
    revision = _revision_of(connection)
    if revision is not None and not is_known(revision):
        raise StoreError(
            f"the database is at revision {revision!r}, this program knows up to {head()!r}: it was written"
            " by a"
            " newer version; update the program, or point VIVA_DATABASE_URL or VIVA_DATA_DIR elsewhere"
        )


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def _config(connection: Connection | None = None) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _run(connection: Connection, direction: str, revision: str) -> None:
    from alembic import command

    getattr(command, direction)(_config(connection), revision)
