"""What goes out by itself once results are published: the report by mail, the score to the learning platform.

As `worker` does for the archive, it looks at what is stored, not at what happens: however results were published, and
whether or not this program or the other side was up, each is sent once. What was published before a way out was turned
on stays where it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from workbench.delivery import lti, mail
from workbench.delivery.errors import DeliveryError, Transient
from workbench.delivery.outbox import DeliveryRow, Outbox
from workbench.delivery.retrying import Sleep
from workbench.exam.items import Bank
from workbench.reports.errors import ReportFailed
from workbench.settings import Settings
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.store.rows_educators import CohortSession

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=7)
"""Results published earlier are no longer sent by themselves; `viva deliver` sends any."""

MAX_TRIES = 6
"""Rounds in which a delivery is tried; then it waits for a person."""

ReportUrl = Callable[[str], str | None]
"""Where the candidate of a session reads its report; None where nobody knows the workbench's address."""


def deliver_published(
    store: Store,
    banks: Mapping[str, Bank],
    settings: Settings,
    outbox: Outbox,
    now: datetime,
    *,
    report_url: ReportUrl = lambda session_id: None,
    sleep: Sleep = time.sleep,
) -> int:
    """One round: mails and scores of what was published; returns how many went out.

    A failure concerns its own session only; one that may pass is tried in a later round, after a longer pause each
    time.
    """
    n_sent = 0
    if mail.is_configured(settings):
        since = outbox.turned_on("mail", f"{settings.mail_host}:{settings.mail_port}")
        for row, to in _due_mails(store, outbox, since, now):

            def send(row: CohortSession = row, to: str = to) -> str:
                url = report_url(row.session.id)
                return mail.mail_report(store, banks, settings, outbox, row.session.id, to=to, url=url, sleep=sleep)

            sent = _tried(send, "report", row.session.id)
            if sent is None:
                break
            n_sent += sent
    else:
        outbox.turned_off("mail")
    if lti.is_configured(settings):
        since = outbox.turned_on("lti", str(settings.lti_line_items_url))
        n_sent += _scores(store, settings, outbox, _due_scores(store, settings, outbox, since, now), sleep)
    else:
        outbox.turned_off("lti")
    return n_sent


def is_due(row: DeliveryRow | None, now: datetime) -> bool:
    """Whether a delivery is to be tried now: it is new, or failed some time ago and not too often."""
    if row is None:
        return True
    if row.state != "failed" or row.tries >= MAX_TRIES:
        return False
    pause = timedelta(0) if row.tries == 0 else timedelta(minutes=2 ** (row.tries - 1))
    return now - datetime.fromisoformat(row.changed_at) >= pause


def _due_mails(store: Store, outbox: Outbox, since: datetime, now: datetime) -> Iterator[tuple[CohortSession, str]]:
    known = {row.key: row for row in outbox.rows("mail")}
    for row in store.published_since(max(since, now - LOOK_BACK)):
        to = row.candidate.email if row.candidate is not None else None
        # a link that shows results publishes them as the viva starts; without a result it is not over
        if to is not None and row.result is not None:
            key = mail.report_key(row.session.id, to, row.sitting.results_published_at)
            if is_due(known.get(key), now):
                yield row, to


def _due_scores(
    store: Store, settings: Settings, outbox: Outbox, since: datetime, now: datetime
) -> list[CohortSession]:
    known = {row.key: row for row in outbox.rows("lti")}
    found = []
    for row in store.published_since(max(since, now - LOOK_BACK)):
        user_id = row.candidate.external_id if row.candidate is not None else None
        # practice and talk are nobody's grade
        if user_id and row.result is not None and row.session.mode == "exam":
            key = lti.score_key(settings, row.session, row.result, user_id)
            was = known.get(key)
            # a score may be published twice without harm, so that what a crash left is taken on again
            if is_due(was, now) or (was is not None and was.state == "sending"):
                found.append(row)
    return found


def _scores(store: Store, settings: Settings, outbox: Outbox, due: Sequence[CohortSession], sleep: Sleep) -> int:
    n_sent = 0
    if due:
        with lti.Platform(settings, sleep=sleep) as platform:
            for row in due:

                def send(session_id: str = row.session.id) -> str:
                    return lti.publish_session(store, platform, outbox, session_id)

                sent = _tried(send, "score", row.session.id)
                if sent is None:
                    break
                n_sent += sent
    return n_sent


def _tried(send: Callable[[], Any], what: str, session_id: str) -> bool | None:
    """Whether it went out; None where the other side cannot be reached, so that nothing else need be tried now."""
    try:
        return bool(send() == "sent")
    except Transient as error:
        log.warning("the %s of session %s was not sent: %s", what, session_id, error)
        return None
    except (DeliveryError, StoreError, ReportFailed) as error:
        log.warning("the %s of session %s was not sent: %s", what, session_id, error)
        return False
