"""One story from end to end: a bank's file, a link, a viva, a corrected mark, published results, files for the LMS."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from tests.browser import chromium
from tests.educator_driver import CSV, FIRST_AID, Educator, sit, yaml_of
from tests.workbench_site import Site, workbench_site
from workbench.bank_exchange import export_bank

REASON = "the senior was meant, though another word was heard"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with workbench_site(tmp_path / "site") as running:
        yield running


def import_and_publish_the_bank(educator: Educator, site: Site, file: Path) -> None:
    page = educator.page
    educator.tab("Banks")
    educator.tab("Import a file")
    page.set_input_files("#edu-bank-file input[type=file]", file)
    educator.wait("edu-import-preview", "Respiratory Medicine")
    educator.wait("edu-import-preview", "Nothing is saved yet")
    assert site.store.list_drafts() == ()
    page.click("#edu-import-save")
    educator.wait("edu-import-told", "Saved as draft")
    educator.tab("Drafts and versions")
    page.wait_for_function("document.querySelector('#edu-form-stem textarea').value.startsWith('What is step 1')")
    page.click("#edu-publish")
    educator.wait("edu-published", "Not published")
    page.get_by_label("Publish although there are findings").check()
    page.click("#edu-publish")
    educator.wait("edu-published", "first-aid 1.0.0 is published")


def make_a_link(educator: Educator) -> str:
    page = educator.page
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
    educator.wait("edu-links", "unused")
    return str(page.input_value("#edu-new-links input"))


def override_a_mark(educator: Educator) -> int:
    """Opens the newest session and gives its most doubtful answer 2.5 points; returns the question's number."""
    page = educator.page
    educator.tab("Sessions")
    page.click("#sessions-table a[data-session]")
    educator.wait("session-question", "Question ")
    number = int(page.locator("#session-number input:checked").get_attribute("value"))
    page.get_by_label("\u25d0 Partly correct").first.check()
    page.fill("#session-mark-points input[type=number]", "2.5")
    page.fill("#session-mark-reason textarea", REASON)
    page.click("#session-mark-change")
    educator.wait("session-question", REASON)
    return number


@pytest.mark.browser
@pytest.mark.slow
def test_an_educators_bank_becomes_a_viva_whose_corrected_results_are_seen_once_published(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "first-aid.csv"
    file.write_bytes(export_bank(FIRST_AID, "csv").data)
    (tmp_path / "banks").mkdir()
    (tmp_path / "banks" / "first-aid.yaml").write_text(yaml_of())
    with chromium() as running:
        educator = Educator(running, site)
        import_and_publish_the_bank(educator, site, file)
        link = make_a_link(educator)
        token = link.partition("?invite=")[2]
        assert link == f"{site.url}?invite={token}"

        # the candidate's page shows what is fixed, and the viva is held as the link says, whatever was asked for
        candidate = running.new_context().new_page()
        candidate.goto(link)
        candidate.wait_for_selector("#viva-invited dl")
        assert "Ada Byron" in candidate.inner_text("#viva-invited")
        assert candidate.locator("#viva-mode").count() == 0
        record = sit(site, token, tmp_path / "banks")
        assert record.failure is None and len(record.questions) == 12
        assert record.score == 0 and record.verdicts == {}
        kept = site.store.load_session(record.session_id)
        assert (kept.session.candidate_name, kept.session.discipline, kept.session.area, kept.session.mode) == (
            "Ada Byron", "first-aid", "cardiology", "exam",
        )  # fmt: skip

        # the attempt is counted, and the link opens neither another viva nor any result
        (row,) = site.store.list_invitations()
        assert row.attempts_used == 1
        candidate.reload()
        candidate.wait_for_selector("#viva-invited.viva-invited-refused")
        assert "has been used" in candidate.inner_text("#viva-invited")
        assert "not been published yet" in candidate.inner_text("#viva-invited")
        assert candidate.locator("#viva-invited a").count() == 0
        assert not candidate.is_visible("#viva-start")
        own = site.services.tickets.mint_report(record.session_id)
        addresses = [
            f"{site.url}api/sessions/{record.session_id}/report{kind}?token={own}"
            for kind in ("", ".html", ".json", ".csv", ".pdf", ".xlsx")
        ]
        assert {candidate.request.get(address).status for address in addresses} == {403}

        # a mark is corrected, the results are published
        number = override_a_mark(educator)
        corrected = site.store.load_session(record.session_id)
        assert corrected.marks_that_count[number].evaluation.points == 2.5
        assert corrected.result is not None and kept.result is not None
        assert corrected.result.score != kept.result.score
        assert {candidate.request.get(address).status for address in addresses} == {403}
        educator.page.click("#session-publish")
        educator.wait("session-head", "Published")

        # files for the educator say what counts now
        name, pdf = educator.download("session-head", "PDF")
        assert name.endswith(".pdf")
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            assert "First Aid" in str(opened.docinfo["/Title"]) and len(opened.pages) > 2
        name, table = educator.download("session-head", "CSV")
        rows = {int(line["number"]): line for line in csv.DictReader(io.StringIO(table.decode()))}
        assert len(rows) == 12
        assert (float(rows[number]["points"]), rows[number]["verdict"]) == (2.5, "partial")

        # and now the candidate reads them, through the link they were sent
        candidate.reload()
        candidate.wait_for_selector("#viva-invited a")
        assert "open your report" in candidate.inner_text("#viva-invited")
        with candidate.context.expect_page() as report:
            candidate.click("#viva-invited a")
        shown: Any = report.value
        shown.wait_for_selector(f"#question-{number}")
        assert "2.5" in shown.inner_text(f"#question-{number} .score")
        assert REASON not in shown.content()  # between educators
        assert {candidate.request.get(address).status for address in addresses} == {200}
        assert educator.errors == []
