"""What was sent, kept in a small SQLite file beside the data, so that nothing is sent twice.

A delivery has a key. `begin` notes on disk that it is being sent *before* the first byte leaves; `sent` and `failed`
note the end. A process that dies in between leaves `sending`, and nobody can know whether the other side has it: the
next `begin` says `uncertain` and sends nothing. So a mail arrives at most once; `release` is for a person who looked
and wants it sent again. Keys are hashed: the file holds no address.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Claim = Literal["claimed", "sent", "uncertain"]
State = Literal["sending", "sent", "failed"]

_TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    session_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sending', 'sent', 'failed')),
    tries INTEGER NOT NULL,
    problem TEXT NOT NULL,
    changed_at TEXT NOT NULL
)
"""

_WAYS = """
CREATE TABLE IF NOT EXISTS ways (
    kind TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    since TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class DeliveryRow:
    """One delivery; `problem` says why the last try failed, without a word of what was to be sent."""

    key: str
    kind: str
    session_id: str
    state: State
    tries: int
    problem: str
    changed_at: str


def key_of(*parts: str) -> str:
    """The key of a delivery: the same parts, the same key; the parts cannot be read from it."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:40]


class Outbox:
    """The deliveries of one installation; every method may be called from any thread and process.

    Args:
        path: The SQLite file, made when there is none.
        now: The clock.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute(_TABLE)
            connection.execute(_WAYS)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        finally:
            # an open transaction is rolled back
            connection.close()

    def begin(self, key: str, kind: str, session_id: str, *, may_repeat: bool = False) -> Claim:
        """Takes a delivery on, if it may be sent.

        Args:
            key: Its key.
            kind: mail, lti or archive.
            session_id: What it is about.
            may_repeat: Sending it twice does no harm: what a crash left is taken on again.

        Returns:
            `claimed`: send it. `sent`: it was. `uncertain`: somebody began and never said how it ended.
        """
        with self._open() as connection:
            row = connection.execute("SELECT state FROM deliveries WHERE key = ?", (key,)).fetchone()
            if row is not None and row["state"] == "sent":
                return "sent"
            if row is not None and row["state"] == "sending" and not may_repeat:
                return "uncertain"
            connection.execute(
                "INSERT INTO deliveries VALUES (?, ?, ?, 'sending', 1, '', ?)"
                " ON CONFLICT (key) DO UPDATE SET state = 'sending', tries = tries + 1, problem = '',"
                " changed_at = excluded.changed_at",
                (key, kind, session_id, self._stamp()),
            )
            return "claimed"

    def sent(self, key: str) -> None:
        """Notes that it arrived."""
        self._set(key, "sent", "")

    def failed(self, key: str, problem: str) -> None:
        """Notes that it certainly did not arrive; it may be tried again."""
        self._set(key, "failed", problem[:300])

    def release(self, key: str) -> bool:
        """Lets a delivery that is uncertain or was given up be sent again; whether there was one of that key."""
        with self._open() as connection:
            done = connection.execute(
                "UPDATE deliveries SET state = 'failed', tries = 0, problem = 'released', changed_at = ?"
                " WHERE key = ? AND state IN ('sending', 'failed')",
                (self._stamp(), key),
            )
            return done.rowcount > 0

    def turned_on(self, kind: str, target: str) -> datetime:
        """Since when a way out leads to this target: what was published earlier is not sent by itself."""
        target = key_of(target)
        with self._open() as connection:
            row = connection.execute("SELECT target, since FROM ways WHERE kind = ?", (kind,)).fetchone()
            if row is not None and row["target"] == target:
                return datetime.fromisoformat(row["since"])
            since = self._now().astimezone(UTC)
            connection.execute(
                "INSERT INTO ways VALUES (?, ?, ?)"
                " ON CONFLICT (kind) DO UPDATE SET target = excluded.target, since = excluded.since",
                (kind, target, since.isoformat()),
            )
            return since

    def turned_off(self, kind: str) -> None:
        """Notes that a way out is off; when it is turned on again, it begins anew."""
        with self._open() as connection:
            connection.execute("DELETE FROM ways WHERE kind = ?", (kind,))

    def rows(self, kind: str | None = None) -> list[DeliveryRow]:
        """Every delivery, newest first."""
        with self._open() as connection:
            found = connection.execute(
                "SELECT * FROM deliveries WHERE kind = coalesce(?, kind) ORDER BY changed_at DESC, key", (kind,)
            ).fetchall()
        return [DeliveryRow(**dict(row)) for row in found]

    def forget(self, session_id: str) -> int:
        """Takes out what is known of a session that was deleted; returns how many rows."""
        with self._open() as connection:
            return connection.execute("DELETE FROM deliveries WHERE session_id = ?", (session_id,)).rowcount

    def _set(self, key: str, state: State, problem: str) -> None:
        with self._open() as connection:
            connection.execute(
                "UPDATE deliveries SET state = ?, problem = ?, changed_at = ? WHERE key = ?",
                (state, problem, self._stamp(), key),
            )

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds")
