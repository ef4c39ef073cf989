"""Copies ended vivas to the archive in the background, and takes out of it what was deleted here.

It looks at what is stored, not at what happens: a viva that ended while the archive, or this program, was down is
copied later, and a session deleted by whatever means disappears from the archive at the next look.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from workbench.delivery import archive
from workbench.delivery.errors import DeliveryError
from workbench.delivery.outbox import Outbox
from workbench.exam.items import Bank
from workbench.settings import Settings
from workbench.store.archive import MAX_PAGE
from workbench.store.errors import SessionNotFound, StoreError
from workbench.store.repository import Store

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
LOOK_BACK = timedelta(days=7)
"""Vivas that began earlier are no longer copied by themselves; `viva deliver archive` copies any."""


def outbox_of(settings: Settings) -> Outbox:
    """The outbox beside the data."""
    return Outbox(Path(settings.data_dir) / "outbox.sqlite3")


def sweep(store: Store, banks: Mapping[str, Bank], settings: Settings, outbox: Outbox, now: datetime) -> int:
    """One look: copies what ended, removes what was deleted; returns how many sessions were copied.

    A failure concerns its own session only; it is logged without a word of what was said, and tried at the next look.
    """
    done = {row.key for row in outbox.rows("archive") if row.state == "sent"}
    n_copied = 0
    page = store.list_sessions(since=now - LOOK_BACK, limit=MAX_PAGE)
    for session, _ in page.sessions:
        if session.status == "running" or archive.archive_key(settings, session.id) in done:
            continue
        try:
            if archive.is_growing(store.load_session(session.id).recording):
                continue
            archive.archive_session(store, banks, settings, outbox, session.id)
            n_copied += 1
        except (DeliveryError, StoreError) as error:
            log.warning("session %s was not archived: %s", session.id, error)
    for session_id in sorted({row.session_id for row in outbox.rows("archive")}):
        try:
            store.load_session(session_id)
        except SessionNotFound:
            try:
                archive.remove_archived(settings, session_id)
                outbox.forget(session_id)
            except DeliveryError as error:
                log.warning("session %s was not removed from the archive: %s", session_id, error)
    return n_copied


class ArchiveWorker:
    """A thread that sweeps every `interval_s` seconds until it is stopped.

    Args:
        store: Where sessions are.
        banks: Today's banks.
        settings: The archive.
        interval_s: Pause between two looks, seconds.
    """

    def __init__(
        self, store: Store, banks: Mapping[str, Bank], settings: Settings, *, interval_s: float = INTERVAL_S
    ) -> None:
        self._store, self._banks, self._settings, self._interval_s = store, banks, settings, interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stops after the session that is being copied; what is not done is done after the next start."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        outbox = outbox_of(self._settings)
        while not self._stop.wait(self._interval_s):
            try:
                sweep(self._store, self._banks, self._settings, outbox, datetime.now(UTC))
            except Exception as error:
                # whatever it was, vivas go on and the next look comes
                log.warning("the archive was not looked after: %s", type(error).__name__)
