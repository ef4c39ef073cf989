"""Educators' pages of banks, people, links and running vivas, and the page that a one-time link opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium
from tests.educator_driver import CSV, FIRST_AID, Educator, yaml_of
from tests.small_bank import BANK
from tests.store_helpers import new_session, store_at
from tests.workbench_site import Site, workbench_site
from workbench.bank_exchange import preview_bytes
from workbench.realtime.watching import Watched
from workbench.store.banks_kept import findings_of, read_source
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.web.educators import (
    bank_drafts,
    browser,
    draft_fields,
    draft_findings,
    draft_form,
    people,
    people_view,
)
from workbench.web.educators.bank_view import preview_card
from workbench.web.educators.context import Context
from workbench.web.educators.live import live_table
from workbench.web.educators.tables import table
from workbench.web.invited import card, fixed_options, read_link, refusal


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_at(tmp_path)


# ---- drafts --------------------------------------------------------------------------------------------------------


def places_of(text: str) -> list[str]:
    return [place for _, place in draft_form.questions_of(draft_form.data_of(text))]


def test_fields_that_are_put_back_as_they_were_leave_the_text_as_it_was():
    text = "# mine\n" + yaml_of()
    for place in places_of(text):
        fields = draft_form.fields_of(draft_form.data_of(text), place)
        n_values = len(draft_fields.filled(fields)) - draft_form.MAX_POINTS_SHOWN
        again = draft_fields.fields_of_values(draft_fields.filled(fields)[:n_values])
        assert again == fields
        assert draft_form.merged(text, place, again, fields) == text


def test_a_form_changes_every_field_of_its_own_question_and_no_other():
    text = yaml_of()
    before = draft_form.fields_of(draft_form.data_of(text), places_of(text)[0])
    first, *others = before.points
    fields = replace(
        before,
        scenario_title="A burn",
        scenario_text="A cook has burnt a hand.",
        stem="What comes first?",
        difficulty=4,
        cognitive_level="analyse",
        sources=("A book, 2020", "A guideline, 2021"),
        key_terms=("cling film",),
        points=(replace(first, accepted=("aspirin", "asa"), misconceptions=("no aspirin",), essential=True), *others),
        model_answer="Water first. Then cling film.",
        exemplars=(("correct", 9.0, "well, aspirin I think", ""), ("incorrect", 0.5, "no idea", "guessed")),
    )
    bank = read_source(draft_form.merged(text, places_of(text)[0], fields, before))
    (area, scenario, changed), *rest = bank.questions()
    _, *was = FIRST_AID.questions()
    assert (scenario.title, scenario.text) == ("A burn", "A cook has burnt a hand.")
    assert (changed.stem, changed.difficulty, changed.cognitive_level) == ("What comes first?", 4, "analyse")
    assert changed.sources == ("A book, 2020", "A guideline, 2021") and changed.key_terms == ("cling film",)
    point = changed.key_points[0]
    assert (point.accepted, point.misconceptions, point.essential) == (("aspirin", "asa"), ("no aspirin",), True)
    assert point.said == first.said and changed.key_points[1:] == FIRST_AID.areas[0].questions[0].key_points[1:]
    assert [(one.verdict, one.points, one.note) for one in changed.exemplars] == [
        ("correct", 9.0, ""),
        ("incorrect", 0.5, "guessed"),
    ]
    assert [question for _, _, question in rest] == [question for _, _, question in was]


def test_a_question_that_was_changed_in_the_text_meanwhile_is_not_overwritten():
    text = yaml_of()
    place = places_of(text)[0]
    before = draft_form.fields_of(draft_form.data_of(text), place)
    meanwhile = text.replace("What is step 1", "Which is step 1", 1)
    with pytest.raises(StoreError, match="changed in the text and in the form"):
        draft_form.merged(meanwhile, place, replace(before, stem="What comes first?"), before)
    assert draft_form.merged(meanwhile, place, before, before) == meanwhile


def test_a_new_question_is_placed_after_those_of_its_scenario_and_says_what_is_to_be_written():
    text, place = draft_form.with_new_question(yaml_of(), places_of(yaml_of())[0])
    assert place == "0/0/3" and place in places_of(text)
    found = draft_findings.at_fields(findings_of(text), text, place)
    assert "still holds the word" in found["stem"][0]
    assert len(list(read_source(text).questions())) == len(list(FIRST_AID.questions())) + 1


def test_findings_stand_at_the_field_they_are_about():
    data = draft_form.data_of(yaml_of())
    question = data["areas"][0]["scenarios"][0]["questions"][0]
    data["areas"][0]["scenarios"][0]["text"] = "A patient (male) comes in."
    question["stem"] = "What is the point of aspirin?"
    question["model_answer"] = "Aspirin."
    text = draft_form.write_yaml(data).decode()
    found = draft_findings.at_fields(findings_of(text), text, "0/0/0")
    assert "brackets are not heard" in found["scenario"][0]
    assert any("gives away" in said for said in found["point-0"])
    assert "1 sentences" in found["model"][0] and "0 exemplars are correct" in found["exemplars"][0]
    elsewhere = draft_findings.at_fields(findings_of(text), text, "0/1/0")
    assert "exemplars" in elsewhere and not {"scenario", "model"} & set(elsewhere)
    # a field that is missing or wrong keeps the bank from being read, and is named at its place too
    del question["key_points"][1]["probe"]
    question["difficulty"] = 9
    text = draft_form.write_yaml(data).decode()
    found = draft_findings.at_fields(findings_of(text), text, "0/0/0")
    assert found == {"point-1": ["probe: is missing"], "about": [found["about"][0]]}
    assert found["about"][0].startswith("difficulty:")


def test_points_of_an_exemplar_that_are_no_number_are_named():
    with pytest.raises(StoreError, match="'many' of the exemplar 'I would wait'"):
        draft_form.exemplar_rows([["correct", "many", "I would wait", ""]])


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
    shown = people_view.import_preview(store.import_candidates(cohort, CSV, actor="eve", dry_run=True))
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
        assert f">{word}<" in people_view.links_table([store.load_invitation(row.id)], {}, now), word


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
        educator.choose("edu-marker", "embedding")
        page.click("#edu-judge")
        educator.wait("edu-judged", "judge embedding")
        assert educator.errors == []
