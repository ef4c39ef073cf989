"""A cohort's files, and the educators' copy of a session's PDF: what is in them, and for whom."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from openpyxl import load_workbook
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.educators_pages import answered_without_a_mark, sat
from tests.small_bank import BANK
from tests.store_helpers import store_at
from workbench.api import build_api
from workbench.realtime.tickets import Tickets
from workbench.reports.cohort_pdf import cohort_data, cohort_file
from workbench.reports.errors import ReportFailed
from workbench.reports.formats import session_file
from workbench.reports.session_pdf import educators_part
from workbench.store import reporting
from workbench.store.cohort_statistics import item_statistics
from workbench.store.core import utc_now
from workbench.store.repository import Store
from workbench.web.educators.cohort_files import KINDS, cohort_download, usable
from workbench.web.educators.context import Context

BANKS = {BANK.discipline: BANK}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


@pytest.fixture
def cohort(store: Store) -> int:
    """Three vivas: 12, 21 and 12 of 120 points."""
    cohort_id = store.create_cohort("Spring", actor="ada").id
    sat(store, "sess_one", cohort_id=cohort_id, confidence=0.6)
    sat(store, "sess_two", ("correct", "correct", "partial"), name="Grace Hopper", cohort_id=cohort_id)
    sat(store, "sess_six", ("incorrect", "correct", "partial"), name="Alan <Perlis> #panic()", cohort_id=cohort_id)
    return cohort_id


def data_of(store: Store, cohort: int) -> dict[str, Any]:
    return cohort_data(store, BANKS, cohort, utc_now())


def download(store: Store, kind: str, cohort_id: int | None, item: str = "Viva") -> Any:
    context = Context(store, BANKS, store.settings, lambda request: None, lambda *_: "")
    return cohort_download(context, kind, cohort_id, item)


def test_a_cohorts_pdf_is_tagged_and_has_a_table_of_scores_of_people_and_of_questions(store, cohort) -> None:
    file = cohort_file(store, BANKS, cohort)
    assert file.name.startswith(f"cohort-{cohort}-") and file.media_type == "application/pdf"
    with pikepdf.open(io.BytesIO(file.content)) as pdf:
        with pdf.open_metadata() as metadata:
            assert (metadata["pdfuaid:part"], metadata["dc:title"]) == ("1", "Cohort: Spring")
        kinds = [str(o.S) for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and o.get("/S") == "/Table"]
        assert len(kinds) == 3
        with pdf.open_outline() as outline:
            assert [item.title for item in outline.root] == [
                "Result", "Scores", "Candidates", "Questions, the hardest first", "Judge and people",
            ]  # fmt: skip


def test_a_cohorts_pdf_says_what_the_store_says(store, cohort) -> None:
    store.override_mark("sess_six", 1, actor="ada", reason="heard another word", verdict="correct", points=9)
    store.publish_results(["sess_two"], actor="ada")
    data = data_of(store, cohort)
    assert [
        (row["name"].split(" sess")[0], row["score"], row["by_people"], row["published"]) for row in data["people"]
    ] == [
        ("Ada Byron", "12 of 120", "0", "no"),
        ("Alan <Perlis> #panic()", "21 of 120", "1", "no"),
        ("Grace Hopper", "21 of 120", "0", "yes"),
    ]
    assert [b["n"] for b in data["bins"]] == ["0", "1", "2", *["0"] * 9]  # 10, 17.5 and 17.5 % of the points
    assert dict(data["facts"])["Marks by people"] == "1 of 9"
    items = item_statistics(store.counted_marks(cohort))
    assert [row["difficulty"] for row in data["items"]] == [f"{item.difficulty:.2f}" for item in items]
    assert data["items"][0]["stem"].startswith("What is step")
    assert "1 mark of 1 viva were confirmed or changed" in data["agreement"]
    assert data["notes"] == ["2 results are not published: the candidates do not know them."]


def test_a_cohort_without_an_ended_viva_has_no_pdf_and_says_why(store) -> None:
    cohort_id = store.create_cohort("Autumn", actor="ada").id
    with pytest.raises(ReportFailed, match="Autumn has ended yet"):
        cohort_file(store, BANKS, cohort_id)
    with pytest.raises(ReportFailed, match="no exam has ended"):
        download(store, "moodle", cohort_id)
    assert [update["interactive"] for update in usable(cohort_id, any_ended=False)] == [False] * len(KINDS)


def test_gradebooks_and_tables_of_a_cohort_hold_its_people_and_nobody_else(store, cohort) -> None:
    sat(store, "sess_open", name="Somebody Else")
    for kind in ("moodle", "canvas", "csv"):
        text = download(store, kind, cohort, "Viva spring").content.decode()
        assert "Grace Hopper" in text or "Hopper" in text
        assert "Somebody" not in text and "Else" not in text
    rows = list(csv.reader(io.StringIO(download(store, "moodle", cohort, "Viva spring").content.decode())))
    assert rows[0][-2:] == ["Viva spring (Real)", "Viva spring (Feedback)"] and len(rows) == 4
    book = load_workbook(io.BytesIO(download(store, "xlsx", cohort).content))
    assert book["Sessions"].max_row == 4
    assert "Somebody Else" in download(store, "csv", None).content.decode()


def test_a_name_of_a_grade_item_that_cannot_be_is_named(store, cohort) -> None:
    with pytest.raises(ReportFailed, match="the grade item has no name"):
        download(store, "moodle", cohort, " ")
    with pytest.raises(ReportFailed, match="a PDF is of one cohort"):
        download(store, "pdf", None)


def test_a_first_mark_that_was_taken_back_is_in_no_file_but_in_the_history(store, cohort) -> None:
    answered_without_a_mark(store, "sess_one", 4)
    before = store.load_session("sess_one").result
    store.override_mark("sess_one", 4, actor="ada", reason="the judge was down", verdict="correct", points=9)
    store.undo_override("sess_one", 4, actor="grace")
    data = store.load_session("sess_one")
    assert before is not None and data.result is not None and data.result.score == before.score
    assert (data.result.n_correct, data.result.n_incorrect) == (before.n_correct, before.n_incorrect)
    question = next(one for one in reporting.build(data, BANKS).questions if one.number == 4)
    assert (question.verdict, question.points) == (None, None)
    (changed,) = educators_part(data)["history"]
    assert [(mark["who"], mark["word"], mark["points"], mark["reason"]) for mark in changed["marks"]] == [
        ("", "Not marked", "", "undo: back to no mark"),
        ("ada", "Correct", "9", "the judge was down"),
    ]
    assert session_file(data, BANKS, "pdf", full=True).content.startswith(b"%PDF")
    book = load_workbook(io.BytesIO(session_file(data, BANKS, "xlsx").content))
    marks = list(book["Marks"].iter_rows(values_only=True))
    rater, counts = marks[0].index("rater"), marks[0].index("counts")
    assert [(row[rater], row[counts]) for row in marks[1:]] == [*[("judge", True)] * 3, ("ada", False)]


def test_the_educators_copy_has_the_transcript_and_every_mark_with_its_reason(store, cohort) -> None:
    store.override_mark("sess_one", 3, actor="ada", reason="heard another word", verdict="partial", points=4.5)
    store.undo_override("sess_one", 3, actor="grace")
    part = educators_part(store.load_session("sess_one"))
    (changed,) = part["history"]
    assert changed["number"] == "3"
    assert [(mark["who"].split(",")[0], mark["points"], mark["reason"]) for mark in changed["marks"]] == [
        ("the judge", "0", "undo: back to this mark"),
        ("ada", "4.5", "heard another word"),
        ("the judge", "0", ""),
    ]
    assert [turn["who"] for turn in part["transcript"]] == ["Examiner", "Candidate"] * 3
    assert part["transcript"][1]["text"] == "I would give aspirin, record an ECG and call the senior."


def test_the_educators_copy_is_refused_to_the_candidate(store, cohort) -> None:
    tickets = Tickets("a key for tests")
    app = Starlette(routes=build_api(store, BANKS, store.settings, tickets.open_report))
    client = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5))
    store.publish_results(["sess_one"], actor="ada")
    own = tickets.mint_report("sess_one")
    path = "/api/sessions/sess_one/report.pdf"
    plain = client.get(path, params={"token": own})
    assert plain.status_code == 200
    assert client.get(path, params={"token": own, "full": "true"}).status_code == 403
    full = client.get(path, params={"full": "true"})
    assert full.status_code == 200 and len(full.content) > len(plain.content)
    report = client.get(f"/api/cohorts/{cohort}/report.pdf")
    assert report.status_code == 200 and report.content.startswith(b"%PDF")
    assert client.get("/api/cohorts/99/report.pdf").status_code == 404
    assert "cohort.exported" in [row.action for row in store.audit_log(f"cohort:{cohort}")]
