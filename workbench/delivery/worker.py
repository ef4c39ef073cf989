"""Sends in the background what is due: reports and scores that are published, copies of ended vivas to the archive.

It looks at what is stored, not at what happens: a viva that ended while the archive, or this program, was down is
copied later, and a session deleted by whatever means disappears from the archive and the outbox at the next look.
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
from workbench.delivery.published import ReportUrl, deliver_published
from workbench.exam.items import Bank
from workbench.settings import Settings
from workbench.store.archive import MAX_PAGE
from workbench.store.errors import StoreError
from workbench.store.repository import Store

log = logging.getLogger(__name__)

INTERVAL_S = 20.0
LOOK_BACK = timedelta(days=7)
"""Vivas that began earlier are no longer copied by themselves; `viva deliver archive` copies any."""


def outbox_of(settings: Settings) -> Outbox:
    """The outbox beside the data."""
    return Outbox(Path(settings.data_dir) / "outbox.sqlite3")


def sweep(store: Store, banks: Mapping[str, Bank], settings: Settings, outbox: Outbox, now: datetime) -> int:
    """One look after the archive: copies what ended, and again what was published; returns how many were copied.

    An abandoned viva is copied once its candidate can no longer come back to it. A failure concerns its own session
    only; it is logged without a word of what was said, and tried at the next look.
    """
    done = {row.key for row in outbox.rows("archive") if row.state == "sent"}
    published = {row.session.id: row.sitting.results_published_at for row in store.published_since(now - LOOK_BACK)}
    n_copied = 0
    page = store.list_sessions(since=now - LOOK_BACK, limit=MAX_PAGE)
    for session, _ in page.sessions:
        if session.status == "running" or session.may_be_resumed(now):
            continue
        if archive.archive_key(settings, session.id, published.get(session.id)) in done:
            continue
        try:
            if archive.is_growing(store.load_session(session.id).recording):
                continue
            archive.archive_session(store, banks, settings, outbox, session.id, now=now)
            n_copied += 1
        except (DeliveryError, StoreError) as error:
            log.warning("session %s was not archived: %s", session.id, error)
    return n_copied


def forget_deleted(store: Store, settings: Settings, outbox: Outbox) -> int:
    """Takes sessions that were deleted here out of the archive and the outbox; returns how many there were.

    While the archive is off, the outbox goes on knowing what lies in it.
    """
    kinds: dict[str, set[str]] = {}
    for row in outbox.rows():
        kinds.setdefault(row.session_id, set()).add(row.kind)
    n_gone = 0
    for session_id in store.deleted_sessions(sorted(kinds)):
        archived = "archive" in kinds[session_id]
        if archived and not archive.is_configured(settings):
            continue
        try:
            if archived:
                archive.remove_archived(settings, session_id)
            n_gone += outbox.forget(session_id) > 0
        except DeliveryError as error:
            log.warning("session %s was not removed from the archive: %s", session_id, error)
    return n_gone


class DeliveryWorker:
    """A thread that sends what is due every `interval_s` seconds until it is stopped.

    Args:
        store: Where sessions are.
        banks: Today's banks.
        settings: Mail, learning platform and archive; those that are off are left alone.
        report_url: Where candidates read their reports.
        interval_s: Pause between two looks, seconds.
    """

    def __init__(
        self,
        store: Store,
        banks: Mapping[str, Bank],
        settings: Settings,
        *,
        report_url: ReportUrl = lambda session_id: None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._store, self._banks, self._settings, self._interval_s = store, banks, settings, interval_s
        self._report_url = report_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stops after what is being sent; what is not done is done after the next start."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        outbox = outbox_of(self._settings)
        while True:
            try:
                self._look(outbox)
            except Exception as error:
                # whatever it was, vivas go on and the next look comes
                log.warning("deliveries were not looked after: %s", type(error).__name__)
            if self._stop.wait(self._interval_s):
                return

    def _look(self, outbox: Outbox) -> None:
        now = datetime.now(UTC)
        deliver_published(self._store, self._banks, self._settings, outbox, now, report_url=self._report_url)
        if archive.is_configured(self._settings):
            sweep(self._store, self._banks, self._settings, outbox, now)
        forget_deleted(self._store, self._settings, outbox)
