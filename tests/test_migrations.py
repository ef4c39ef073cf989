"""The migrations make the tables the program uses, on both databases, there and back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from tests.store_helpers import answer, mark, new_session, store_at
from workbench.store import migrate
from workbench.store.database import open_engine
from workbench.store.errors import StoreError
from workbench.store.rows import WordRow
from workbench.store.tables import Base

TABLES = {
    "users", "sessions", "turns", "words", "answers", "evaluations", "results", "question_banks", "events",
    "audit_log", "configuration", "educators", "cohorts", "candidates", "invitations", "sittings", "bank_drafts",
    "bank_releases",
}  # fmt: skip


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own; skips where no server program is installed."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed (extra `postgres`)")
    found = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if found is None:
        pytest.skip("no PostgreSQL server found (initdb is neither on PATH nor below /usr/lib/postgresql)")
    binaries = Path(found).parent
    folder = tmp_path_factory.mktemp("postgres")
    user: dict[str, str] = {}
    if os.geteuid() == 0:
        # the server refuses to run as root
        user = {"user": "nobody"}
        shutil.chown(folder, "nobody")
        for parent in folder.parents[:3]:
            if parent.name.startswith(("pytest-", "popen-")):
                parent.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", "-U", "viva", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, cwd="/", **user,
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories="
    control = [binaries / "pg_ctl", "-D", folder / "data", "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", folder / "log", "start"], check=True, capture_output=True, cwd="/", **user
    )
    yield f"postgresql://viva@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/", **user)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/viva.sqlite3"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = open_engine(url)
    yield engine
    if migrate.current(engine) == migrate.head():
        migrate.downgrade(engine)
    engine.dispose()


def test_a_migrated_database_has_exactly_the_tables_of_the_models(engine: Engine):
    assert migrate.current(engine) is None
    migrate.upgrade(engine)
    assert migrate.current(engine) == migrate.head()
    assert set(inspect(engine).get_table_names()) == TABLES | {"alembic_version"}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_have_the_names_a_later_migration_can_drop(engine: Engine):
    migrate.upgrade(engine)
    inspector = inspect(engine)
    names = {
        constraint["name"]
        for table in TABLES
        for constraint in (
            *inspector.get_foreign_keys(table),
            *inspector.get_unique_constraints(table),
            *inspector.get_check_constraints(table),
        )
    }
    # SQLite has no name for a key that never gives a number twice; PostgreSQL has one for every key
    keys = {inspector.get_pk_constraint(table)["name"] for table in TABLES}
    names |= keys - {None} if engine.dialect.name == "sqlite" else keys
    assert None not in names
    assert {"fk_words_turn_id_turns", "ck_sessions_status", "uq_turns_session_id_position", "pk_users"} <= names


def test_going_back_leaves_nothing_and_forward_again_works(engine: Engine):
    migrate.upgrade(engine)
    migrate.downgrade(engine)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    migrate.upgrade(engine)
    assert TABLES <= set(inspect(engine).get_table_names())


def test_migrating_twice_changes_nothing_and_keeps_the_data(tmp_path: Path):
    store = store_at(tmp_path)
    session_id = new_session(store)
    store.close()
    again = store_at(tmp_path)
    assert again.load_session(session_id).session.id == session_id
    again.close()


def test_processes_that_migrate_at_the_same_time_do_not_trip_over_each_other(engine: Engine):
    engines = [open_engine(engine.url.render_as_string(hide_password=False)) for _ in range(4)]
    failures: list[BaseException] = []

    def run(own: Engine) -> None:
        try:
            migrate.upgrade(own)
        except BaseException as error:
            failures.append(error)
        finally:
            own.dispose()

    threads = [threading.Thread(target=run, args=(own,)) for own in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert migrate.current(engine) == migrate.head()


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path):
    store = store_at(tmp_path)
    store.close()
    engine = open_engine(f"sqlite:///{tmp_path}/viva.sqlite3")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="revision '9999'.*newer version"):
        store_at(tmp_path)


def test_a_whole_session_is_kept_in_postgresql_as_in_sqlite(postgres_url: str, tmp_path: Path):
    store = store_at(tmp_path, url=postgres_url)
    session_id = new_session(store, candidate_name="Zo\x00\u00eb \ud800", seed=2**53 - 1, setup={"note": "\x00"})
    answer(store, session_id, text="a\x00b \U0001fac0 \ud800")
    store.save_turn(session_id, "candidate", "a b", start_s=0.5, end_s=1.5, words=[WordRow("a", 0.5, 1.0, 0.9)])
    store.save_evaluation(session_id, 1, mark(7.5, quote="\x00"), state="{}")
    store.append_event(session_id, "began", 0.0, {"n": 1})
    store.set_configuration("k", [1, None])
    result = store.finish_session(session_id, completed=True)
    data = store.load_session(session_id)
    assert data.session.candidate_name == "Zo\ufffd\u00eb \ufffd" and data.session.setup == {"note": "\x00"}
    assert data.session.seed == 2**53 - 1 and data.session.started_at.utcoffset() is not None
    assert data.answers[0].text == "a\ufffdb \U0001fac0 \ufffd"
    assert data.turns[0].words == (WordRow("a", 0.5, 1.0, 0.9),)
    assert data.marks[0].evaluation == mark(7.5, quote="\x00")
    assert data.result == result and result.score == 7.5
    assert store.get_configuration("k") == [1, None]
    assert store.list_sessions().total == 1
    store.delete_session(session_id)
    assert store.list_sessions().total == 0
    with pytest.raises(StoreError, match="refused the row"):
        new_session(store, session_id="twice")
        new_session(store, session_id="twice")
    store.close()
    engine = open_engine(postgres_url)
    migrate.downgrade(engine)
    engine.dispose()
