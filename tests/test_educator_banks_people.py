"""Educators' pages of banks, people, links and running vivas, and the page that a one-time link opens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium
from tests.small_bank import BANK
from tests.store_helpers import new_session, store_at
from tests.workbench_site import Site, workbench_site
from workbench.bank_exchange import export_bank, preview_bytes
from workbench.realtime.watching import Watched
from workbench.settings import Settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import behaviour
from workbench.simulate.candidate import Candidate
from workbench.simulate.local_server import realtime_url
from workbench.store.banks_kept import read_source
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.web.educators import bank_drafts, browser, draft_form, people
from workbench.web.educators.bank_view import preview_card
from workbench.web.educators.context import Context
from workbench.web.educators.live import live_table
from workbench.web.educators.tables import table
from workbench.web.invited import card, fixed_options, read_link, refusal

FIRST_AID = replace(BANK, discipline="first-aid", title="First Aid")
CSV = (
    "name,email,extra_time,typed_answers,slower_voice,house\n"
    "Ada Byron,ada@example.org,1.5,yes,yes,north\n"
    "No Address,nowhere,1,no,no,south\n"
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_at(tmp_path)


# ---- drafts --------------------------------------------------------------------------------------------------------


def yaml_of(bank: Any = FIRST_AID) -> str:
    return export_bank(bank, "yaml").data.decode()


def test_fields_that_are_put_back_as_they_were_leave_the_bank_as_it_was():
    data = draft_form.data_of(yaml_of())
    for _, place in draft_form.questions_of(data):
        stem, model, points = draft_form.fields_of(data, place)
        assert read_source(draft_form.with_fields(yaml_of(), place, stem, model, points)) == FIRST_AID


def test_a_form_changes_its_own_question_and_no_other():
    place = draft_form.questions_of(draft_form.data_of(yaml_of()))[0][1]
    _, model, points = draft_form.fields_of(draft_form.data_of(yaml_of()), place)
    points[0][points_column("accepted")] = "aspirin | asa | blood thinner"
    bank = read_source(draft_form.with_fields(yaml_of(), place, "What comes first?", model, points))
    changed, *others = (question for _, _, question in bank.questions())
    _, *before = (question for _, _, question in FIRST_AID.questions())
    assert changed.stem == "What comes first?" and others == before
    assert changed.key_points[0].accepted == ("aspirin", "asa", "blood thinner")
    assert changed.key_points[0].said == "aspirin straight away"  # a field that the form does not show


def points_column(name: str) -> int:
    return draft_form.POINT_COLUMNS.index(name)


def test_a_weight_that_is_no_number_is_named_with_its_key_point():
    place = draft_form.questions_of(draft_form.data_of(yaml_of()))[0][1]
    stem, model, points = draft_form.fields_of(draft_form.data_of(yaml_of()), place)
    points[1][points_column("weight")] = "a third"
    with pytest.raises(StoreError, match="'trace': weight 'a third'"):
        draft_form.with_fields(yaml_of(), place, stem, model, points)


@pytest.mark.parametrize(
    ("version", "following"), [("1.0.0", "1.0.1"), ("2", "3"), ("1.9", "1.10"), ("beta", "beta.1")]
)
def test_a_copy_has_the_version_after_the_one_that_never_changes(version: str, following: str):
    assert draft_form.next_version(version) == following


def test_a_copy_of_a_bank_can_be_published_beside_it(store: Store):
    store.publish_source(yaml_of(), actor="eve")
    row = bank_drafts.copy_bank(store, FIRST_AID, "eve")
    changed = row.source.replace("What is step 1", "Which is step 1", 1)
    row = bank_drafts.save_draft(store, row.id, changed, row.revision, "eve")
    assert store.publish_draft(row.id, actor="eve").version == "1.0.1"


def test_an_import_keeps_a_bank_file_as_it_was_written_comments_and_all(store: Store):
    text = "# mine\n" + yaml_of()
    given = ("mine.yaml", text.encode())
    assert bank_drafts.save_import(store, given, preview_bytes(*given), "eve").source == text


def test_an_import_with_gaps_is_kept_as_a_draft_to_mend(store: Store):
    data = draft_form.data_of(yaml_of())
    del data["areas"][0]["scenarios"][0]["questions"][0]["model_answer"]
    given = ("holes.yaml", draft_form.write_yaml(data))
    seen = preview_bytes(*given)
    assert seen.bank is None and "model_answer" in preview_card(seen)
    row = bank_drafts.save_import(store, given, seen, "eve")
    assert (row.discipline, row.title) == ("first-aid", "First Aid")


def test_what_a_file_says_is_shown_as_text_and_never_as_markup():
    named = ("<img src=x onerror=alert(1)>.yaml", yaml_of(replace(FIRST_AID, title="<b>First</b>")).encode())
    assert "<img" not in preview_card(preview_bytes(*named))
    assert "<script>" not in table(("a",), [("<script>",)], caption="x", empty="")


# ---- people and links ----------------------------------------------------------------------------------------------


def test_the_preview_of_a_list_names_every_row_that_does_not_fit(store: Store):
    cohort = store.create_cohort("Year 4", actor="eve").id
    shown = people.import_preview(store.import_candidates(cohort, CSV, actor="eve", dry_run=True))
    assert "Nothing is saved yet. 1 to be added: Ada Byron." in shown
    assert "Columns that are not used: house." in shown
    assert "No Address" in shown and "is no address" in shown
    assert store.list_candidates(cohort) == ()


def test_an_uploaded_list_is_deleted_once_it_was_read(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text(CSV)
    assert browser.take_upload(str(path), 10_000) == ("people.csv", CSV.encode())
    assert not path.exists()
    path.write_text(CSV)
    with pytest.raises(StoreError, match="at most 10 are taken"):
        browser.take_upload(str(path), 10)
    assert not path.exists()


def context(store: Store) -> Context:
    return Context(store, {BANK.discipline: BANK}, store.settings, lambda request: None, lambda *_: "")


def form(**changes: Any) -> people.LinkForm:
    given: dict[str, Any] = {
        "discipline": "medical", "area": "cardiology", "mode": "exam", "opens": None, "closes": None, "attempts": 1,
        "chosen": [], "show_results": False,
    }  # fmt: skip
    return people.LinkForm(**(given | changes))


def test_links_ask_the_questions_of_the_day_they_were_made(store: Store):
    cohort = store.create_cohort("Year 4", actor="eve").id
    store.import_candidates(cohort, CSV, actor="eve", dry_run=False)
    made = people.make_invitations(context(store), cohort, form(), "eve")
    assert [one.invitation.candidate_name for one in made] == ["Ada Byron"]
    assert store.invitation_bank(made[0].invitation.id) is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"area": "botany"}, "has no area 'botany'; choose one of cardiology"),
        ({"discipline": "magic"}, "no discipline 'magic'"),
        ({"attempts": 1.5}, "whole number"),
        ({"closes": 1000.0}, "is past"),
    ],
)
def test_links_that_make_no_sense_are_refused_with_what_is_allowed(store: Store, changes: dict[str, Any], said: str):
    cohort = store.create_cohort("Year 4", actor="eve").id
    store.import_candidates(cohort, CSV, actor="eve", dry_run=False)
    with pytest.raises(StoreError, match=said):
        people.make_invitations(context(store), cohort, form(**changes), "eve")
    assert store.list_invitations() == ()


def test_the_table_of_links_tells_the_state_of_each(store: Store):
    now = datetime.now(UTC)
    options: dict[str, Any] = {"discipline": "medical", "actor": "eve"}
    unused = store.create_invitations(**options)[0].invitation
    later = store.create_invitations(**options, opens_at=now + timedelta(days=1))[0].invitation
    revoked = store.revoke_invitation(store.create_invitations(**options)[0].invitation.id, actor="eve")
    used = store.create_invitations(**options)[0].invitation
    new_session(store, mode="exam", invitation_id=used.id)
    for row, word in ((unused, "unused"), (later, "not open yet"), (revoked, "revoked"), (used, "used up")):
        assert f">{word}<" in people.links_table([store.load_invitation(row.id)], {}, now), word


# ---- running vivas -------------------------------------------------------------------------------------------------


def test_the_live_table_tells_where_a_viva_stands_and_how_fast_it_is(store: Store):
    session_id = new_session(store, candidate_name="Ada <Byron>")
    rows = [row for row, _ in store.list_sessions(status="running").sessions]
    seen = Watched(3, 12, "question", "candidate", 2340.0, 2, connected=True)
    shown = live_table(rows, {session_id: seen}, {BANK.discipline: BANK}, datetime.now(UTC))
    for part in ("Ada &lt;Byron&gt;", "Medicine: Cardiology", "3 of 12", "listening", "2.34 s, slow", "just now"):
        assert part in shown, part
    gone = live_table(rows, {session_id: replace(seen, connected=False)}, {}, datetime.now(UTC))
    assert "connection lost" in gone
    assert "not held by this process" in live_table(rows, {}, {}, datetime.now(UTC))
    assert "No viva is running" in live_table([], {}, {}, datetime.now(UTC))


# ---- what a link opens ---------------------------------------------------------------------------------------------


def link_for_ada(store: Store, **options: Any) -> tuple[str, int]:
    cohort = store.create_cohort("Year 4", actor="eve").id
    store.import_candidates(cohort, CSV, actor="eve", dry_run=False)
    given: dict[str, Any] = {"discipline": "medical", "area": "cardiology", "cohort_id": cohort, **options}
    made = store.create_invitations(actor="eve", **given)[0]
    return made.token, made.invitation.id


def test_a_link_fixes_name_area_mode_and_what_was_arranged(store: Store):
    token, _ = link_for_ada(store)
    link = read_link(store, {BANK.discipline: BANK}, str, token)
    assert link.opened is not None
    options, page = fixed_options(link.opened)
    assert (options["candidate"], options["area"], options["mode"]) == ("Ada Byron", "cardiology", "exam")
    assert (options["extra_time"], options["speaking_rate"]) == (1.5, 0.85)
    assert page == {"captions": True, "typed": True}
    shown = card(link)
    for part in ("Medicine", "Cardiology", "Ada Byron", "1.5 times the usual time", "answers may be typed"):
        assert part in shown, part


def held_and_ended(store: Store, invitation_id: int) -> str:
    session_id = new_session(store, mode="exam", invitation_id=invitation_id)
    store.finish_session(session_id, completed=True)
    return session_id


def test_a_used_link_leads_to_the_report_once_it_is_published_and_not_before(store: Store):
    token, invitation_id = link_for_ada(store)
    session_id = held_and_ended(store, invitation_id)
    before = refusal(read_link(store, {}, lambda _: "opens", token))
    assert "This link has been used" in before and "not been published yet" in before and "opens" not in before
    store.publish_results([session_id], actor="eve")
    after = refusal(read_link(store, {}, lambda _: "opens", token))
    assert f'href="api/sessions/{session_id}/report?token=opens"' in after


@pytest.mark.parametrize("ended", ["revoked", "renewed"])
def test_a_link_that_was_taken_back_shows_nobody_any_results(store: Store, ended: str):
    token, invitation_id = link_for_ada(store, show_results=True)
    held_and_ended(store, invitation_id)
    if ended == "revoked":
        store.revoke_invitation(invitation_id, actor="eve")
    else:
        store.renew_invitation(invitation_id, actor="eve")
    assert "href" not in refusal(read_link(store, {}, lambda _: "opens", token))


def test_holders_of_a_link_that_names_nobody_do_not_see_each_others_results(store: Store):
    made = store.create_invitations(discipline="medical", actor="eve", attempts=30, show_results=True)[0]
    held_and_ended(store, made.invitation.id)
    link = read_link(store, {BANK.discipline: BANK}, lambda _: "opens", made.token)
    assert link.sittings == () and "href" not in card(link)


# ---- in the browser ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with workbench_site(tmp_path_factory.mktemp("site")) as running:
        yield running


class Educator:
    """Somebody at the educators' pages of this machine."""

    def __init__(self, running: Any, site: Site) -> None:
        self.page = running.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{site.url}educators/")
        self.page.wait_for_function("window.educators")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def choose(self, elem_id: str, option: str) -> None:
        """Chooses from a dropdown."""
        self.page.click(f"#{elem_id} input")
        self.page.get_by_role("option", name=option).first.click()

    def wait(self, elem_id: str, text: str) -> None:
        """Waits until a part of the page says something."""
        self.page.wait_for_function(
            "([id, text]) => document.getElementById(id)?.innerText.includes(text)", arg=[elem_id, text]
        )


def sit(site: Site, token: str, banks: Path) -> Any:
    """A simulated candidate types its way through the viva of a link, coming in as the page does."""
    services = site.services
    ticket = services.tickets.mint_ticket(services.store.open_invitation(token).grants)
    book = AnswerBook(Settings(_env_file=None, banks_dir=banks))
    one = Candidate(
        "Somebody Else", behaviour("knowledgeable"), book, None, mode="practice", speed=40.0, options={"ticket": ticket}
    )
    with ThreadPoolExecutor(1) as pool:  # the browser's driver keeps a loop running on this thread
        return pool.submit(lambda: asyncio.run(one.sit(realtime_url(site.url), timeout_s=240))).result()


@pytest.mark.browser
@pytest.mark.slow
def test_a_bank_goes_from_a_file_to_a_viva_by_link_whose_results_wait_to_be_published(site: Site, tmp_path: Path):
    file = tmp_path / "first-aid.csv"
    file.write_bytes(export_bank(FIRST_AID, "csv").data)
    (tmp_path / "banks").mkdir()
    (tmp_path / "banks" / "first-aid.yaml").write_text(yaml_of())
    with chromium() as running:
        educator = Educator(running, site)
        page = educator.page
        # a file is looked at before anything is saved
        educator.tab("Banks")
        educator.tab("Import a file")
        page.set_input_files("#edu-bank-file input[type=file]", file)
        educator.wait("edu-import-preview", "Respiratory Medicine")
        educator.wait("edu-import-preview", "Nothing is saved yet")
        assert site.store.list_drafts() == ()
        page.click("#edu-import-save")
        educator.wait("edu-import-told", "Saved as draft")
        # it is checked and published
        educator.tab("Drafts and versions")
        page.wait_for_function("document.querySelector('#edu-source').innerText.includes('first-aid')")
        page.click("#edu-publish")
        educator.wait("edu-published", "Not published")
        page.get_by_label("Publish although there are findings").check()
        page.click("#edu-publish")
        educator.wait("edu-published", "first-aid 1.0.0 is published")
        # a cohort, a list, a link
        educator.tab("People and links")
        page.fill("#edu-new-cohort :is(input, textarea)", "Year 4")
        page.click("#edu-make-cohort")
        educator.wait("edu-candidates", "Nobody is in this cohort yet")
        page.fill("#edu-csv textarea", CSV)
        page.click("#edu-preview")
        educator.wait("edu-preview-result", "1 to be added: Ada Byron")
        page.click("#edu-save")
        educator.wait("edu-candidates", "ada@example.org")
        educator.choose("edu-link-discipline", "First Aid")
        educator.choose("edu-link-area", "Cardiology")
        page.click("#edu-make-links")
        page.wait_for_selector("#edu-new-links input")
        link = page.input_value("#edu-new-links input")
        educator.wait("edu-links", "unused")
        token = link.partition("?invite=")[2]
        assert link == f"{site.url}?invite={token}"
        # the candidate's page shows what is fixed
        candidate = running.new_context().new_page()
        candidate.goto(link)
        candidate.wait_for_selector("#viva-invited dl")
        assert "Ada Byron" in candidate.inner_text("#viva-invited")
        assert candidate.locator("#viva-mode").count() == 0
        # the viva is held as the link says, whatever was asked for
        record = sit(site, token, tmp_path / "banks")
        assert record.failure is None and len(record.questions) == 12
        assert record.score == 0 and record.verdicts == {}
        kept = site.store.load_session(record.session_id).session
        assert (kept.candidate_name, kept.discipline, kept.area, kept.mode) == (
            "Ada Byron", "first-aid", "cardiology", "exam",
        )  # fmt: skip
        # the attempt is counted, and the link opens no other viva
        cohort = next(row.id for row in site.store.list_cohorts() if row.name == "Year 4")
        (row,) = site.store.list_invitations(cohort_id=cohort)
        assert row.attempts_used == 1
        candidate.reload()
        candidate.wait_for_selector("#viva-invited.viva-invited-refused")
        assert "has been used" in candidate.inner_text("#viva-invited")
        assert "not been published yet" in candidate.inner_text("#viva-invited")
        assert not candidate.is_visible("#viva-start")
        # published, the report can be read
        site.store.publish_results([record.session_id], actor="eve")
        candidate.reload()
        candidate.wait_for_selector("#viva-invited a")
        report = candidate.evaluate("document.querySelector('#viva-invited a').href")
        assert candidate.request.get(report).status == 200
        assert educator.errors == []


@pytest.mark.browser
def test_a_viva_begun_on_the_page_of_a_link_ends_without_marks(site: Site):
    token, invitation_id = link_for_someone(site.store)
    with chromium() as running:
        page = running.new_context().new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{site.url}?invite={token}")
        page.wait_for_selector("#viva-invited dl")
        page.wait_for_function("window.viva")
        page.check("#viva-consent-given input")
        page.click("#viva-start")
        page.wait_for_selector('#viva-floor[data-floor="candidate"]')
        assert site.store.load_invitation(invitation_id).attempts_used == 1
        page.click("#viva-end")
        page.click("#viva-end-yes")
        page.wait_for_selector("#viva-report:not([hidden])")
        assert "not been published yet" in page.inner_text("#viva-report-summary")
        assert page.inner_text("#viva-report-verdicts") == ""
        assert not page.is_visible("#viva-score")


def link_for_someone(store: Store) -> tuple[str, int]:
    cohort = store.create_cohort("Typists", actor="eve").id
    store.add_candidate(cohort, "Grace Hopper", actor="eve", typed_answers=True)
    made = store.create_invitations(discipline="medical", area="cardiology", cohort_id=cohort, actor="eve")[0]
    return made.token, made.invitation.id


@pytest.mark.browser
def test_a_question_can_be_heard_and_an_answer_tried(site: Site):
    with chromium() as running:
        educator = Educator(running, site)
        page = educator.page
        educator.tab("Banks")
        educator.wait("edu-question-shown", "Key points")
        page.click("#edu-hear")
        sound = "document.querySelector('#edu-heard audio')"
        page.wait_for_function(f"{sound}?.error || {sound}?.duration > 1")
        assert page.evaluate("document.querySelector('#edu-heard audio').error") is None
        page.fill("#edu-answer textarea", "I really could not say.")
        page.click("#edu-judge")
        educator.wait("edu-judged", "0 of 10 points")
        assert educator.errors == []
