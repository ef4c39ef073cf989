"""Publishing results sends what is set up by itself: once each, later when it fails, nothing from before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.delivery_helpers import BANKS, configured, sat
from tests.lti_platform import CLIENT_ID
from tests.lti_platform import Platform as LearningPlatform
from tests.mail_server import Inbox, Start, mail_servers
from tests.store_helpers import Clock, new_session, store_at
from workbench.delivery import lti
from workbench.delivery.outbox import Outbox
from workbench.delivery.published import MAX_TRIES, deliver_published
from workbench.delivery.worker import forget_deleted, outbox_of
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.repository import Store


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = store_at(tmp_path, now=clock)
    yield store
    store.close()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite3", clock)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def start(inbox: Inbox, tmp_path: Path) -> Iterator[Start]:
    with mail_servers(inbox, tmp_path) as begin:
        yield begin


@pytest.fixture
def lms(tmp_path: Path) -> Iterator[LearningPlatform]:
    key = tmp_path / "key.pem"
    key.write_bytes(lti.new_key())
    platform = LearningPlatform(lti.public_keys(configured(tmp_path, lti_key_file=key)))
    yield platform
    platform.close()


def with_lms(lms: LearningPlatform, folder: Path, **more: Any) -> Settings:
    return configured(
        folder,
        lti_token_url=f"{lms.url}/token",
        lti_client_id=CLIENT_ID,
        lti_key_file=folder / "key.pem",
        lti_line_items_url=lms.line_items_url,
        **more,
    )


def look(store: Store, settings: Settings, outbox: Outbox, clock: Clock, **options: Any) -> int:
    return deliver_published(store, BANKS, settings, outbox, clock(), sleep=lambda seconds: None, **options)


def publish(store: Store, session_id: str = "sess_a") -> str:
    sat(store, session_id, published=False)
    store.publish_results([session_id], actor="tutor")
    return session_id


def test_a_published_report_is_mailed_once_with_the_address_where_it_is_read(
    start: Start,
    inbox: Inbox,
    store: Store,
    outbox: Outbox,
    clock: Clock,
) -> None:
    settings = start()
    look(store, settings, outbox, clock)
    sat(store, published=False)
    assert look(store, settings, outbox, clock) == 0 and inbox.mails == []
    store.publish_results(["sess_a"], actor="tutor")

    def url(session_id: str) -> str:
        return f"https://vivas.example.org/{session_id}"

    assert [look(store, settings, outbox, clock, report_url=url) for _ in range(3)] == [1, 0, 0]
    (message,) = inbox.mails
    assert message["To"] == "ada@example.org"
    assert "https://vivas.example.org/sess_a" in message.get_body().get_content()


def test_what_was_published_before_mail_was_turned_on_is_not_mailed(
    start: Start,
    inbox: Inbox,
    store: Store,
    outbox: Outbox,
    clock: Clock,
    tmp_path: Path,
) -> None:
    settings = start()
    publish(store)
    clock.later(minutes=1)
    assert look(store, settings, outbox, clock) == 0
    # turned off and on again, it begins anew
    clock.later(minutes=1)
    look(store, configured(tmp_path), outbox, clock)
    publish(store, "sess_b")
    clock.later(minutes=1)
    assert look(store, settings, outbox, clock) == 0 and inbox.mails == []


def test_a_mail_that_fails_is_tried_later_and_given_up_in_the_end(
    start: Start,
    inbox: Inbox,
    store: Store,
    outbox: Outbox,
    clock: Clock,
) -> None:
    settings = start()
    look(store, settings, outbox, clock)
    publish(store)
    inbox.answers = ["554 no"] * 20
    look(store, settings, outbox, clock)
    assert inbox.n_offered == 1
    look(store, settings, outbox, clock)
    assert inbox.n_offered == 1  # not at once
    for _ in range(20):
        clock.later(hours=1)
        look(store, settings, outbox, clock)
    assert inbox.n_offered == MAX_TRIES
    (row,) = outbox.rows("mail")
    assert outbox.release(row.key)
    inbox.answers = []
    assert look(store, settings, outbox, clock) == 1 and len(inbox.mails) == 1


def test_a_published_score_reaches_the_platform_once_and_again_when_a_mark_is_corrected(
    lms: LearningPlatform, store: Store, outbox: Outbox, clock: Clock, tmp_path: Path
) -> None:
    settings = with_lms(lms, tmp_path)
    look(store, settings, outbox, clock)
    publish(store)
    assert [look(store, settings, outbox, clock) for _ in range(2)] == [1, 0]
    clock.later(minutes=1)
    store.override_mark("sess_a", 1, actor="tutor", reason="heard another word", verdict="correct", points=10)
    assert [look(store, settings, outbox, clock) for _ in range(2)] == [1, 0]
    assert [score["scoreGiven"] for score in lms.posted] == [7.5, 10]


def test_a_platform_that_cannot_be_reached_is_asked_once_a_round(
    lms: LearningPlatform, store: Store, outbox: Outbox, clock: Clock, tmp_path: Path
) -> None:
    settings = with_lms(lms, tmp_path, delivery_tries=1)
    look(store, settings, outbox, clock)
    for session_id in ("sess_a", "sess_b"):
        publish(store, session_id)
    lms.trouble = [(503, {})]
    assert look(store, settings, outbox, clock) == 0
    assert lms.posted == [] and lms.trouble == []
    clock.later(minutes=5)
    assert look(store, settings, outbox, clock) == 2


def test_an_abandoned_viva_is_mailed_only_when_its_candidate_came_back_and_finished(
    start: Start,
    inbox: Inbox,
    store: Store,
    outbox: Outbox,
    clock: Clock,
) -> None:
    settings = start()
    look(store, settings, outbox, clock)
    cohort = store.create_cohort("Year 3", actor="tutor")
    ada = store.add_candidate(cohort.id, "Ada Byron", actor="tutor", email="ada@example.org")
    (link,) = store.create_invitations(
        discipline="medical", cohort_id=cohort.id, candidate_ids=[ada.id], show_results=True, actor="tutor"
    )
    bank_id = store.publish_bank("medical", "1", bank_snapshot.to_text(BANKS["medical"]))
    session_id = new_session(store, mode="exam", bank_id=bank_id, invitation_id=link.invitation.id)
    assert [row.session.id for row in store.published_since(clock() - timedelta(days=1))] == [session_id]
    assert look(store, settings, outbox, clock) == 0
    store.mark_abandoned(session_id)
    clock.later(minutes=5)
    assert look(store, settings, outbox, clock) == 0 and inbox.mails == []
    store.reopen(session_id)
    store.finish_session(session_id, completed=True)
    assert [look(store, settings, outbox, clock) for _ in range(2)] == [1, 0] and len(inbox.mails) == 1


@pytest.mark.parametrize("how", ["session", "candidate", "cohort"])
def test_whoever_is_deleted_is_forgotten_by_the_outbox(
    start: Start,
    store: Store,
    outbox: Outbox,
    clock: Clock,
    how: str,
) -> None:
    settings = start()
    look(store, settings, outbox, clock)
    publish(store)
    look(store, settings, outbox, clock)
    sitting = store.sitting("sess_a")
    assert sitting is not None and sitting.candidate_id and sitting.cohort_id
    if how == "session":
        store.delete_session("sess_a")
    elif how == "candidate":
        store.delete_candidate(sitting.candidate_id, actor="tutor")
    else:
        store.delete_cohort(sitting.cohort_id, actor="tutor", with_sessions=True)
    assert [row.session_id for row in outbox.rows()] == ["sess_a"]
    assert forget_deleted(store, settings, outbox) == 1
    assert outbox_of(settings).rows() == []
