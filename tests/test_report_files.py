"""Reports as spreadsheets, gradebooks and downloads."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import openpyxl
import pytest
from starlette.applications import Starlette
from typer.testing import CliRunner

from tests.delivery_helpers import sat
from tests.store_helpers import mark, new_session, store_at
from workbench.api import build_api
from workbench.cli import app as viva
from workbench.exam.bank import load_banks
from workbench.reports.cells import MAX_CELL_CHARS
from workbench.reports.errors import ReportFailed
from workbench.reports.formats import FORMATS, file_name, session_file, sessions_file
from workbench.reports.gradebook import Grade, one_a_person, to_gradebook
from workbench.reports.tables import COLUMNS, MEANINGS, tables_of
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.repository import Store

BANKS = load_banks()
QUESTIONS = BANKS["medical"].area("cardiology").questions
FORMULA = '=HYPERLINK("http://evil.example","click")'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two finished exams and one that runs; the first answer is a formula."""
    store = store_at(tmp_path)
    bank_id = store.publish_bank("medical", "1", bank_snapshot.to_text(BANKS["medical"]))
    for session_id, name, points in (
        ("s1", "Ada Byron", 8.0),
        ("s2", "+Alan Turing", 3.5),
        ("s3", "Grace Hopper", 1.0),
    ):
        new_session(store, session_id=session_id, candidate_name=name, bank_id=bank_id, mode="exam")
        store.save_answer(session_id, 1, QUESTIONS[0].id, FORMULA, typed=True, probe=False, skipped=False, at_s=3.0)
        store.save_evaluation(session_id, 1, mark(points, QUESTIONS[0].id))
        if session_id != "s3":
            store.finish_session(session_id, completed=True)
    store.correct_mark("s1", 1, mark(9.0, QUESTIONS[0].id), rater="tutor")
    yield store
    store.close()


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


# ---- workbook ----


def test_a_workbook_has_sessions_items_and_every_mark(store: Store) -> None:
    sessions = [store.load_session(key) for key in ("s1", "s2")]
    book = openpyxl.load_workbook(io.BytesIO(sessions_file(sessions, BANKS, "xlsx", names=True).content))
    assert book.sheetnames == ["Sessions", "Items", "Marks", "Key points", "Columns"]
    heads = {sheet.title: [cell.value for cell in sheet[1]] for sheet in book}
    assert heads["Sessions"] == list(COLUMNS["sessions"]) and heads["Marks"] == list(COLUMNS["marks"])
    scores = [row[heads["Sessions"].index("score")].value for row in book["Sessions"].iter_rows(min_row=2)]
    assert scores == [9.0, 3.5]
    marks = [[cell.value for cell in row] for row in book["Marks"].iter_rows(min_row=2)]
    rater, counts = heads["Marks"].index("rater"), heads["Marks"].index("counts")
    assert [(m[rater], m[counts]) for m in marks] == [("judge", False), ("tutor", True), ("judge", True)]
    started = book["Sessions"].cell(2, heads["Sessions"].index("started_at") + 1).value
    assert isinstance(started, datetime)


def test_nothing_in_a_workbook_is_a_formula(store: Store) -> None:
    content = sessions_file([store.load_session("s2")], BANKS, "xlsx", names=True).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = {name: archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/")}
        styles = archive.read("xl/styles.xml").decode()
    assert sheets and not any(re.search(r"<f[ >]", text) for text in sheets.values())
    assert 'quotePrefix="1"' in styles
    book = openpyxl.load_workbook(io.BytesIO(content))
    texts = [
        cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value in (FORMULA, "+Alan Turing")
    ]
    assert texts and all(cell.data_type == "s" and cell.quotePrefix for cell in texts)


def test_a_workbook_opens_whatever_was_said(store: Store) -> None:
    said = "a\x00b\x0bc\ufffe" + "x" * (MAX_CELL_CHARS + 10)
    store.save_answer("s1", 2, QUESTIONS[1].id, said, typed=True, probe=False, skipped=False, at_s=9.0)
    book = openpyxl.load_workbook(io.BytesIO(session_file(store.load_session("s1"), BANKS, "xlsx").content))
    answer = book["Items"].cell(3, COLUMNS["items"].index("answer") + 1).value
    assert answer.startswith("a\ufffdbcx") and len(answer) == MAX_CELL_CHARS and answer.endswith("\u2026")


def test_columns_that_are_explained_exist() -> None:
    assert set(MEANINGS) <= {column for columns in COLUMNS.values() for column in columns}


def test_an_export_by_pseudonym_has_no_name_in_any_format(store: Store) -> None:
    sessions = [store.load_session("s1")]
    for kind in ("csv", "json"):
        assert b"Byron" not in sessions_file(sessions, BANKS, kind, names=False).content
        assert b"Byron" in sessions_file(sessions, BANKS, kind, names=True).content
    assert {row["candidate"] for row in tables_of(sessions, BANKS, names=False).items} == {""}


def test_json_and_csv_of_several_sessions_say_the_same(store: Store) -> None:
    sessions = [store.load_session(key) for key in ("s1", "s2")]
    whole = json.loads(sessions_file(sessions, BANKS, "json", names=True).content)
    table = list(csv.DictReader(io.StringIO(sessions_file(sessions, BANKS, "csv", names=True).content.decode())))
    assert [float(row["points"]) for row in table] == [item["points"] for item in whole["items"]] == [9.0, 3.5]
    assert table[0]["answer"] == "'" + FORMULA and whole["items"][0]["answer"] == FORMULA


def test_file_names_carry_no_name_of_a_person(store: Store) -> None:
    data = store.load_session("s1")
    name = file_name(data, "pdf")
    assert "ada" not in name.replace("cardiology", "") and name.endswith(".pdf")
    assert re.fullmatch(r"[a-z0-9._-]+", name)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_made_of_a_stored_session(store: Store, kind) -> None:
    file = session_file(store.load_session("s1"), BANKS, kind)
    start = {"html": b"<!doctype html>", "pdf": b"%PDF-", "csv": b"session_id,", "xlsx": b"PK", "json": b"{"}[kind]
    assert file.content.startswith(start) and file.name.endswith(f".{kind}")


# ---- gradebooks ----

ADA = Grade("Ada King Byron", 73.5, 120, email="ada@example.org", external_id="s1001", session_id="s1")


def test_the_moodle_file_has_the_columns_of_moodles_own_export() -> None:
    rows = rows_of(to_gradebook([ADA], "moodle", item="Viva"))
    assert rows == [
        ["First name", "Last name", "ID number", "Email address", "Viva (Real)", "Viva (Feedback)"],
        ["Ada King", "Byron", "s1001", "ada@example.org", "73.5", ""],
    ]


def test_the_canvas_file_has_points_possible_in_its_second_row() -> None:
    rows = rows_of(to_gradebook([ADA], "canvas", item="Viva cardiology (4711)"))
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Viva cardiology (4711)"],
        ["    Points Possible", "", "", "", "", "120"],
        ["Byron, Ada King", "", "s1001", "ada@example.org", "", "73.5"],
    ]


def test_of_several_exams_of_one_person_the_best_or_the_last_counts() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    first = Grade("Ada", 90, 120, now, email="Ada@example.org")
    second = Grade("Ada B.", 70, 120, now + timedelta(days=1), email="ada@example.org")
    assert one_a_person([first, second]) == one_a_person([second, first]) == [first]
    assert one_a_person([first, second], keep="last") == one_a_person([second, first], keep="last") == [second]


def test_a_person_may_have_one_name_only() -> None:
    assert rows_of(to_gradebook([Grade("Cher", 1, 120)], "moodle", item="V"))[1][:2] == ["Cher", ""]
    assert rows_of(to_gradebook([Grade("Cher", 1, 120)], "canvas", item="V"))[2][0] == "Cher"


def test_a_name_that_is_a_formula_is_none_in_a_gradebook() -> None:
    assert rows_of(to_gradebook([Grade("=cmd", 1, 120)], "canvas", item="V"))[2][0] == "'=cmd"


@pytest.mark.parametrize(
    "grades, kind, item, complaint",
    [
        ([ADA], "canvas", "Final Score", "column of its own"),
        ([ADA], "moodle", "  ", "no name"),
        ([ADA, Grade("B", 1, 60)], "moodle", "V", "60, 120 points"),
        ([ADA, ADA], "canvas", "V", "more than once"),
    ],
)
def test_a_gradebook_the_platform_would_misread_is_refused(grades, kind, item, complaint) -> None:
    with pytest.raises(ReportFailed, match=complaint):
        to_gradebook(grades, kind, item=item)


# ---- over HTTP ----


def caller(store: Store, address: str = "127.0.0.1", **changes: object) -> httpx.AsyncClient:
    settings = Settings(_env_file=None, data_dir=store.settings.data_dir, **changes)  # type: ignore[call-arg, arg-type]
    application = Starlette(routes=build_api(store, BANKS, settings, {"good": "s1"}.get))
    transport = httpx.ASGITransport(app=application, client=(address, 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860")


async def test_pdf_and_workbook_are_downloads(store: Store) -> None:
    async with caller(store) as call:
        pdf = await call.get("/api/sessions/s1/report.pdf?paper=us-letter")
        assert pdf.headers["content-type"] == "application/pdf" and pdf.content.startswith(b"%PDF-1.7")
        assert pdf.headers["content-disposition"].startswith('attachment; filename="viva-medical-cardiology-')
        book = await call.get("/api/sessions/s1/report.xlsx")
        assert openpyxl.load_workbook(io.BytesIO(book.content)).sheetnames[0] == "Sessions"
        assert (await call.get("/api/sessions/s1/report.pdf?paper=a0")).status_code == 422
        assert (await call.get("/api/sessions/none/report.pdf")).status_code == 404


async def test_a_candidates_token_opens_their_own_pdf_and_no_export(store: Store) -> None:
    async with caller(store, "203.0.113.9", password="secret") as call:
        assert (await call.get("/api/sessions/s1/report.pdf?token=good")).status_code == 200
        assert (await call.get("/api/sessions/s2/report.pdf?token=good")).status_code == 403
        assert (await call.get("/api/sessions/s1/report.xlsx")).status_code == 401
        for path in ("sessions.csv", "sessions.xlsx", "sessions.json", "grades.csv?format=moodle"):
            assert (await call.get(f"/api/exports/{path}", params={"token": "good"})).status_code in (401, 422)
            assert (await call.get(f"/api/exports/{path}")).status_code == 401


async def test_exports_are_by_pseudonym_unless_names_are_asked_for_and_are_noted(store: Store) -> None:
    async with caller(store) as call:
        assert b"Byron" not in (await call.get("/api/exports/sessions.json")).content
        assert b"Byron" in (await call.get("/api/exports/sessions.json?names=true&status=finished")).content
        noted = store.audit_log("json")
        assert [(row.actor, row.detail["names"]) for row in noted] == [("educator", True), ("educator", False)]
        assert (await call.get("/api/exports/sessions.csv?since=2026-01-01T00:00:00")).status_code == 422


async def test_the_gradebook_has_finished_exams_only(store: Store) -> None:
    new_session(store, session_id="p1", candidate_name="Practising", mode="practice")
    store.finish_session("p1", completed=True)
    async with caller(store) as call:
        answer = await call.get("/api/exports/grades.csv?format=moodle&item=Viva")
        assert [row[:2] for row in rows_of(answer.text)[1:]] == [["'+Alan", "Turing"], ["Ada", "Byron"]]
        refused = await call.get("/api/exports/grades.csv?format=canvas&item=Final%20Grade")
        assert refused.status_code == 422 and "something else" in refused.json()["detail"]


# ---- on the command line ----


def run(store: Store, monkeypatch: pytest.MonkeyPatch, *words: str):
    monkeypatch.setenv("VIVA_DATA_DIR", str(store.settings.data_dir))
    monkeypatch.chdir(store.settings.data_dir)
    return CliRunner().invoke(viva, list(words))


def test_the_command_writes_pdf_and_workbook_to_files_only_their_owner_reads(store: Store, monkeypatch) -> None:
    folder = store.settings.data_dir
    assert run(store, monkeypatch, "report", "s1", "--format", "pdf", "--out", str(folder / "a.pdf")).exit_code == 0
    assert (folder / "a.pdf").read_bytes().startswith(b"%PDF") and (folder / "a.pdf").stat().st_mode & 0o077 == 0
    assert run(store, monkeypatch, "report", "s1", "-f", "xlsx").exit_code == 0
    assert len(list(folder.glob("viva-medical-cardiology-*.xlsx"))) == 1


def test_the_command_writes_gradebooks_and_workbooks_of_all(store: Store, monkeypatch) -> None:
    folder = store.settings.data_dir
    done = run(store, monkeypatch, "sessions", "grades", "--format", "canvas", "-o", str(folder / "g.csv"))
    assert done.exit_code == 0, done.output
    assert len(rows_of((folder / "g.csv").read_text())) == 4
    assert run(store, monkeypatch, "sessions", "export", "-f", "xlsx", "-o", str(folder / "all.xlsx")).exit_code == 0
    book = openpyxl.load_workbook(folder / "all.xlsx")
    assert book["Sessions"].max_row == 4


async def test_a_cohorts_gradebook_has_the_ids_and_addresses_it_was_imported_with(store: Store, monkeypatch) -> None:
    sat(store, "exam")
    (cohort,) = store.list_cohorts()
    async with caller(store) as call:
        answer = await call.get(f"/api/exports/grades.csv?format=moodle&cohort={cohort.id}")
        assert (await call.get("/api/exports/grades.csv?format=moodle&cohort=99")).status_code in (404, 503)
    assert rows_of(answer.text)[1] == ["Ada", "Byron", "u-17", "ada@example.org", "7.5", ""]
    path = store.settings.data_dir / "g.csv"
    done = run(store, monkeypatch, "sessions", "grades", "-f", "canvas", "--cohort", str(cohort.id), "-o", str(path))
    assert done.exit_code == 0 and rows_of(path.read_text())[2][:4] == ["Byron, Ada", "", "u-17", "ada@example.org"]
