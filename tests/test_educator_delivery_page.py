"""The page of the ways out: what is on, what turns it on, a test of each, and deliveries that wait for a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import chromium
from tests.delivery_helpers import configured
from tests.educators_pages import serving_educators
from tests.mail_server import Inbox, mail_servers
from tests.small_bank import BANK
from workbench.delivery.published import MAX_TRIES
from workbench.delivery.worker import outbox_of
from workbench.web.educators.delivery import WAYS, deliveries_table, follows, way_card


def test_a_way_that_is_off_says_which_settings_turn_it_on(tmp_path: Path) -> None:
    off = configured(tmp_path)
    shown = {way.kind: way_card(way, off) for way in WAYS}
    assert "VIVA_MAIL_HOST and VIVA_MAIL_FROM" in shown["mail"]
    assert "VIVA_LTI_TOKEN_URL" in shown["lti"] and "VIVA_ARCHIVE_URL" in shown["archive"]
    assert follows(off) == ""
    on = configured(tmp_path, mail_host="mail.example.org", mail_from="v@example.org", archive_url="memory://x")
    assert ">on<" in way_card(WAYS[0], on) and "Off." not in way_card(WAYS[0], on)
    assert "reports by mail, copies to the archive" in follows(on)


def test_deliveries_tell_their_state_and_why_in_words(tmp_path: Path) -> None:
    outbox = outbox_of(configured(tmp_path))
    outbox.begin("a", "mail", "sess_a")
    outbox.begin("b", "lti", "sess_b")
    outbox.failed("b", "refused <the score>")
    for _ in range(MAX_TRIES):
        outbox.begin("c", "archive", "sess_c")
        outbox.failed("c", "cannot be reached")
    shown = deliveries_table(outbox.rows())
    for part in (">end not known<", ">failed<", ">given up<", "refused &lt;the score&gt;", 'href="?session=sess_c"'):
        assert part in shown, part
    assert "Nothing was sent yet" in deliveries_table([])


@pytest.mark.browser
@pytest.mark.slow
def test_an_educator_sends_a_test_mail_and_lets_an_uncertain_one_be_sent_again(tmp_path: Path) -> None:
    inbox = Inbox()
    with mail_servers(inbox, tmp_path) as start:
        settings = start()
        outbox = outbox_of(settings)
        outbox.begin("a", "mail", "sess_a")
        with serving_educators(settings, banks={BANK.discipline: BANK}) as served, chromium() as browser:
            page = browser.new_page()
            page.set_default_timeout(30_000)
            page.goto(f"{served.url}educators/")
            page.get_by_role("tab", name="Delivery", exact=True).click()
            page.fill("#edu-test-to-mail :is(input, textarea)", "tutor@example")
            page.click("#edu-test-mail")
            page.wait_for_function("document.querySelector('#edu-told-mail').innerText.includes('took a test mail')")
            assert [message["To"] for message in inbox.mails] == ["tutor@example"]
            page.fill("#edu-test-to-mail :is(input, textarea)", "no address")
            page.click("#edu-test-mail")
            page.wait_for_function("document.querySelector('#edu-told-mail').innerText.includes('no mail address')")
            assert page.is_disabled("#edu-test-lti") and page.is_disabled("#edu-test-archive")
            page.click("#edu-delivery-again")
            page.wait_for_function("document.querySelector('#edu-deliveries').innerText.includes('released')")
            assert [row.state for row in outbox.rows()] == ["failed"]
            assert "delivery.released" in [row.action for row in served.store.audit_log("a")]
            assert len(inbox.mails) == 1
