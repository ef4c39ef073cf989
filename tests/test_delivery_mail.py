"""Reports by mail: a real SMTP server gets each once, whatever happens on the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.delivery_helpers import BANKS, SECRET_ANSWER, configured, sat
from tests.mail_server import PASSWORD, Inbox, Start, certificate, mail_servers
from tests.store_helpers import new_session, store_at
from workbench.delivery import mail
from workbench.delivery.errors import DeliveryError, NotConfigured, Transient
from workbench.delivery.outbox import Outbox
from workbench.delivery.worker import outbox_of
from workbench.settings import Settings
from workbench.store.repository import Store
from workbench.store.rows import RESUME_LIFE_S


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def start(inbox: Inbox, pem: tuple[Path, Path], tmp_path: Path) -> Iterator[Start]:
    with mail_servers(inbox, tmp_path, pem) as begin:
        yield begin


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return outbox_of(configured(tmp_path))


def no_wait(seconds: float) -> None:
    """Waits for nothing."""


def send(store: Store, settings: Settings, outbox: Outbox, session_id: str = "sess_a", **options: Any) -> str:
    return mail.mail_report(store, BANKS, settings, outbox, session_id, sleep=no_wait, **options)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_report_reaches_its_candidate_as_a_pdf(start: Start, store, outbox, inbox, security: str) -> None:
    settings = start(security, mail_username="viva", mail_password=PASSWORD)
    sat(store)
    assert send(store, settings, outbox) == "sent"
    (message,) = inbox.mails
    assert (message["To"], message["From"]) == ("ada@example.org", "Vivas <vivas@example.org>")
    (attachment,) = message.iter_attachments()
    assert attachment.get_content_type() == "application/pdf" and attachment.get_content().startswith(b"%PDF-")
    assert "7.5" not in message["Subject"] and SECRET_ANSWER not in message.get_body().get_content()
    assert [row.action for row in store.audit_log("sess_a") if row.action == "report.mailed"]


def test_the_same_report_is_never_mailed_twice(start: Start, store, outbox, inbox) -> None:
    settings = start()
    sat(store)
    assert [send(store, settings, outbox) for _ in range(3)] == ["sent", "sent before", "sent before"]
    assert len(inbox.mails) == 1


def test_results_published_anew_are_mailed_anew(start: Start, store, outbox, inbox) -> None:
    settings = start()
    sat(store)
    send(store, settings, outbox)
    store.hide_results(["sess_a"], actor="tutor")
    with pytest.raises(DeliveryError, match="publish them first"):
        send(store, settings, outbox)
    store.publish_results(["sess_a"], actor="tutor")
    assert send(store, settings, outbox) == "sent" and len(inbox.mails) == 2


def test_a_server_that_is_busy_is_asked_again(start: Start, store, outbox, inbox) -> None:
    inbox.answers = ["451 try later", "452 full"]
    sat(store)
    assert send(store, start(), outbox) == "sent"
    assert (len(inbox.mails), inbox.n_offered) == (1, 3)


def test_a_mail_that_is_refused_is_not_offered_again_and_may_be_later(start: Start, store, outbox, inbox) -> None:
    settings = start()
    sat(store)
    inbox.answers = ["554 no"]
    with pytest.raises(DeliveryError, match="refused the mail.*554"):
        send(store, settings, outbox)
    assert inbox.n_offered == 1 and outbox.rows()[0].state == "failed"
    assert send(store, settings, outbox) == "sent"


def test_an_address_the_server_does_not_know_is_refused_once(start: Start, store, outbox, inbox) -> None:
    inbox.refused_recipients = {"ada@example.org"}
    sat(store)
    with pytest.raises(DeliveryError, match="refused the recipient"):
        send(store, start(), outbox)
    assert inbox.mails == []


def test_a_line_that_breaks_after_the_mail_leaves_it_to_a_person(start: Start, store, outbox, inbox) -> None:
    settings = start()
    sat(store)
    inbox.answers = ["hang up"]
    with pytest.raises(DeliveryError) as broken:
        send(store, settings, outbox)
    assert broken.value.uncertain and inbox.n_offered == 1
    with pytest.raises(DeliveryError, match="ask whether it arrived.*viva deliver release") as asked:
        send(store, settings, outbox)
    assert asked.value.uncertain and inbox.n_offered == 1
    assert outbox.release(outbox.rows()[0].key)
    assert send(store, settings, outbox) == "sent"


def test_a_process_that_died_while_sending_sends_nothing_again(start: Start, store, outbox, inbox, monkeypatch) -> None:
    settings = start()
    sat(store)

    def die(key: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox, "sent", die)
    with pytest.raises(KeyboardInterrupt):
        send(store, settings, outbox)
    assert len(inbox.mails) == 1
    with pytest.raises(DeliveryError) as caught:
        send(store, settings, outbox_of(settings))
    assert caught.value.uncertain and len(inbox.mails) == 1


def test_a_server_that_is_not_there_is_given_up_and_the_mail_may_be_sent_later(start, store, outbox, inbox) -> None:
    settings = start()
    sat(store)
    with pytest.raises(Transient, match="cannot be reached"):
        send(store, settings.model_copy(update={"mail_port": 1}), outbox)
    assert send(store, settings, outbox) == "sent"


def test_a_wrong_password_is_said_and_not_shown(start: Start, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    settings = start(mail_username="viva", mail_password="hunter2")
    with pytest.raises(DeliveryError, match="refused the login.*VIVA_MAIL_USERNAME") as caught:
        mail.send_test(settings, "ada@example.org", sleep=no_wait)
    said = str(caught.value) + "".join(record.getMessage() for record in caplog.records if "workbench" in record.name)
    assert "hunter2" not in said


def test_a_certificate_nobody_trusts_is_refused(start: Start, inbox) -> None:
    with pytest.raises(DeliveryError, match="not trusted.*VIVA_MAIL_CA_FILE"):
        mail.send_test(start("starttls", mail_ca_file=None), "ada@example.org", sleep=no_wait)
    assert inbox.mails == []


def test_without_starttls_on_the_server_nothing_is_sent_in_the_clear(start: Start, inbox) -> None:
    plain = start("none").model_copy(update={"mail_security": "starttls"})
    with pytest.raises(DeliveryError, match="VIVA_MAIL_SECURITY"):
        mail.send_test(plain, "ada@example.org", sleep=no_wait)
    assert inbox.mails == []


@pytest.mark.parametrize(
    "address", ["", "ada", "a@b\r\nBcc: x@y.z", "Ada <ada@example.org>", "a@b, c@d", "ü@example.org"]
)
def test_what_is_no_address_is_refused(start: Start, inbox, address: str) -> None:
    with pytest.raises(DeliveryError, match="no mail address"):
        mail.send_test(start(), address)
    assert inbox.mails == []


def test_the_test_button_sends_a_test(start: Start, inbox) -> None:
    assert "took a test mail" in mail.send_test(start(), "ada@example.org")
    assert inbox.mails[0]["Subject"] == "Viva Workbench: test"


def test_running_sessions_and_those_without_an_address_are_refused(start: Start, store, outbox) -> None:
    settings = start()
    running, open_page = new_session(store), new_session(store)
    store.finish_session(open_page, completed=True)
    with pytest.raises(DeliveryError, match="still running"):
        send(store, settings, outbox, running)
    with pytest.raises(DeliveryError, match="no address is known"):
        send(store, settings, outbox, open_page)
    assert send(store, settings, outbox, open_page, to="me@example.org") == "sent"


def test_the_report_of_an_abandoned_viva_waits_until_its_candidate_can_no_longer_come_back(
    start: Start, store, outbox, inbox
) -> None:
    settings = start()
    left = new_session(store, session_id="left")
    store.mark_abandoned(left)
    until = store.load_session(left).session.ended_at + timedelta(seconds=RESUME_LIFE_S)
    for options in ({}, {"now": until - timedelta(seconds=1)}):
        with pytest.raises(
            DeliveryError, match=f"left was abandoned.*until {until:%Y-%m-%d %H:%M} UTC; mail its report"
        ):
            send(store, settings, outbox, left, to="me@example.org", **options)
    assert not inbox.mails and not outbox.rows()
    assert send(store, settings, outbox, left, to="me@example.org", now=until) == "sent"


def test_without_settings_it_is_off(store, outbox, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="VIVA_MAIL_HOST"):
        send(store, configured(tmp_path), outbox)


def test_the_outbox_holds_no_address_and_nothing_that_was_said(start: Start, store, outbox, tmp_path: Path) -> None:
    sat(store)
    send(store, start(), outbox)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("outbox.sqlite3*"))
    assert kept and b"ada" not in kept.lower() and SECRET_ANSWER.encode() not in kept


def test_a_deleted_session_is_forgotten_by_the_outbox(start: Start, store, outbox) -> None:
    sat(store)
    send(store, start(), outbox)
    assert outbox.forget("sess_a") == 1 and outbox.rows() == []
