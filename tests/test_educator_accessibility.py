"""The educators' pages for everybody: labels, contrast and roles by axe-core, in both themes; nothing off a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium
from tests.educators_pages import Served, sat, serving_educators
from tests.small_bank import BANK
from workbench.bank_exchange import export_bank
from workbench.delivery.worker import outbox_of
from workbench.settings import Settings

READY = {
    "Sessions": ".e-sessions",
    "Moderation": "#moderation-card .e-question",
    "Cohorts": "#cohort-plots svg",
    "Live": "#edu-live table",
    "People and links": "#edu-links table",
    "Banks": "#edu-question-shown h3",
    "Import a file": "#edu-import-save",
    "Drafts and versions": "#edu-findings table",
    "Delivery": "#edu-deliveries table",
}
"""What each tab shows when it is ready."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Every page with something on it."""
    settings = Settings(_env_file=None, data_dir=tmp_path_factory.mktemp("access"))
    with serving_educators(settings, banks={BANK.discipline: BANK}) as served:
        store = served.store
        cohort = store.create_cohort("Spring", actor="ada")
        sat(store, "sess_one", recorded=True, cohort_id=cohort.id, confidence=0.6)
        sat(store, "sess_two", ("correct", "correct", "partial"), name="Grace Hopper", cohort_id=cohort.id)
        sat(store, "sess_six", ("incorrect", "correct", "partial"), name="Alan Perlis", cohort_id=cohort.id)
        store.confirm_mark("sess_two", 1, actor="ada")
        store.create_session(session_id="sess_now", discipline="medical", mode="exam", seed=7, area="cardiology")
        store.create_draft("medical", "Medicine", export_bank(BANK, "yaml").data.decode(), actor="ada")
        outbox = outbox_of(settings)
        outbox.begin("a", "mail", "sess_two")
        outbox.begin("b", "archive", "sess_two")
        outbox.sent("b")
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def turn_to(page: Any, tab: str) -> None:
    page.evaluate(
        "(n) => [...document.querySelectorAll('[role=tab]')].find((one) => one.innerText.trim() === n).click()", tab
    )
    if tab == "Drafts and versions":
        page.wait_for_function("document.querySelector('#edu-form-stem textarea').value")
        page.click("#edu-draft-save")
    page.wait_for_selector(READY[tab])
    page.wait_for_timeout(150)


def broken_rules(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    return [
        f"{rule['id']}: {node['html'][:140]} {node.get('failureSummary', '')[:300]}"
        for rule in Axe().run(page).response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(browser: Any, served: Served, scheme: str) -> None:
    page = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{served.url}educators/?session=sess_one")
    page.wait_for_selector("#session-question .e-question")
    broken = {"a session": broken_rules(page)}
    page.click("#session-back")
    for tab in READY:
        turn_to(page, tab)
        broken[tab] = broken_rules(page)
    assert "\n".join(f"{tab}: {rule}" for tab, rules in broken.items() for rule in rules) == ""
    page.context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_no_page_is_wider_than_a_phone(browser: Any, served: Served) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{served.url}educators/?session=sess_one")
    page.wait_for_selector("#session-question .e-question")
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits), "a session"
    page.click("#session-back")
    for tab in READY:
        turn_to(page, tab)
        assert page.evaluate(fits), tab
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_form_breaks_no_rule(browser: Any, tmp_path: Path, scheme: str) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, password="the right one")
    with serving_educators(settings, banks={BANK.discipline: BANK}) as served:
        page = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844}).new_page()
        page.goto(f"{served.url}educators/")
        # by keyboard alone: the name has the focus, Tab leads to the password, Enter sends
        page.keyboard.type("educator")
        page.keyboard.press("Tab")
        page.keyboard.type("not this one")
        page.keyboard.press("Enter")
        page.wait_for_selector(".problem")
        assert broken_rules(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.context.close()
