"""The PDF of a report: tagged, complete, and safe against what people write."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.test_report import AREA, BANK, HOSTILE, SESSION, full_report, marked
from workbench.exam.grading import judge_keywords
from workbench.exam.report import Report, build_report
from workbench.exam.report_evidence import pieces
from workbench.reports.pdf import _fonts, _printable
from workbench.reports.session_pdf import session_data, session_pdf

MADE_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def opened(report: Report, **options: Any) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(session_pdf(report, made_at=MADE_AT, **options)))


def tags(pdf: pikepdf.Pdf) -> Counter[str]:
    """How often each kind of structure element is in the file."""
    found: Counter[str] = Counter()

    def walk(node: Any) -> None:
        if isinstance(node, pikepdf.Array):
            for item in node:
                walk(item)
        elif isinstance(node, pikepdf.Dictionary) and "/S" in node:
            found[str(node.S)] += 1
            walk(node.get("/K"))

    walk(pdf.Root.StructTreeRoot.K)
    return found


def fonts(pdf: pikepdf.Pdf) -> set[str]:
    """Names of the fonts in the file, without the tag of the subset."""
    found = [o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and o.get("/Type") == "/Font"]
    return {str(font.BaseFont).rpartition("+")[2] for font in found}


def test_the_pdf_says_it_is_accessible_and_has_language_and_title() -> None:
    pdf = opened(full_report())
    with pdf.open_metadata() as metadata:
        assert metadata["pdfuaid:part"] == "1"
        assert metadata["dc:title"] == "Medicine: Cardiology \u2013 Ada Okonkwo"
    assert pdf.Root.Lang == "en" and pdf.Root.MarkInfo.Marked is True
    assert pdf.Root.ViewerPreferences.DisplayDocTitle is True


def test_headings_tables_and_bookmarks_follow_the_exam() -> None:
    pdf = opened(full_report())
    found = tags(pdf)
    assert found["/H1"] == 2 + 4 and found["/H2"] == 12
    assert found["/Table"] == 1 + 12 and found["/THead"] == found["/Table"]
    with pdf.open_outline() as outline:
        titles = [item.title for item in outline.root]
        below = [[child.title for child in item.children] for item in outline.root]
    assert titles == ["Result", "Points by question", *(scenario.title for scenario in AREA.scenarios)]
    assert sum(below, []) == [f"Question {n}" for n in range(1, 13)]


def test_the_same_report_and_date_make_the_same_bytes() -> None:
    report = full_report()
    assert session_pdf(report, made_at=MADE_AT) == session_pdf(report, made_at=MADE_AT)


def test_pages_have_the_paper_that_was_asked_for() -> None:
    for paper, size in (("a4", (595, 842)), ("us-letter", (612, 792))):
        pdf = opened(full_report(), paper=paper)
        box = [round(float(side)) for side in pdf.pages[0].mediabox]
        assert tuple(box[2:]) == size


def test_an_answer_of_many_pages_is_whole() -> None:
    answers, marks = marked(1)
    short = len(opened(build_report(BANK, SESSION, answers, marks)).pages)
    long = replace(answers[0], text=answers[0].text + " and then I would think about it again" * 600)
    marks[long.question_id] = judge_keywords(AREA.questions[0], long.text)
    assert len(opened(build_report(BANK, SESSION, [long], marks)).pages) >= short + 4


@pytest.mark.parametrize(
    "name", ["Nguyễn Thị Ọláọlúwa", "Ελένη Παπαδοπούλου", "Ольга", "محمد", "דוד", "देवेन्द्र", "Łukasz Żak"]
)
def test_names_of_many_scripts_are_set_in_letters(name: str) -> None:
    assert not any("LastResort" in font for font in fonts(opened(full_report(candidate=name))))


def test_a_script_without_a_font_does_not_stop_the_report() -> None:
    unassigned = "\u2fe0"
    assert "LastResortHE-Regular" in fonts(opened(full_report(candidate=f"Ada {unassigned}")))


@pytest.mark.parametrize(
    "text", [HOSTILE, "#panic()", '#import "x"', "$ x $ *b* _i_ `c` @ref <l> \\", "]" * 30, "\x00\ufeff\ud800\ufffe"]
)
def test_what_a_person_wrote_is_shown_and_never_run(text: str) -> None:
    answers, marks = marked(2)
    answers[0] = replace(answers[0], text=text)
    report = build_report(BANK, replace(SESSION, candidate=text), answers, marks)
    assert len(opened(report).pages) >= 2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_any_text_can_be_set(text: str) -> None:
    answers, marks = marked(1)
    report = build_report(BANK, replace(SESSION, candidate=text), [replace(answers[0], text=text)], marks)
    assert session_pdf(report, made_at=MADE_AT).startswith(b"%PDF-1.7")


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_what_is_taken_out_of_a_text_is_invisible(text: str) -> None:
    kept = _printable(text)
    assert set(text) - set(kept) <= {c for c in text if not c.isprintable() or 0xE000 <= ord(c)} | set("\ufeff")


def test_unfinished_and_unmarked_is_said_on_the_first_page() -> None:
    answers, marks = marked(3)
    del marks[answers[2].question_id]
    data = session_data(build_report(BANK, replace(SESSION, completed=False), answers, marks))
    assert "ended early" in data["notes"][0] and "no mark yet" in data["notes"][1]
    assert data["scenarios"][0]["questions"][2]["points"] == "\u2013"
    assert {p["status"] for p in data["scenarios"][0]["questions"][2]["key_points"]} == {"unmarked"}


def test_a_session_without_questions_has_a_pdf() -> None:
    assert tags(opened(build_report(BANK, SESSION, [], {})))["/H1"] == 1


def test_every_quote_stands_with_its_key_point_and_in_the_answer() -> None:
    report = full_report()
    data = session_data(report)
    for shown, question in zip((q for s in data["scenarios"] for q in s["questions"]), report.questions, strict=True):
        assert "".join(piece["text"] for piece in shown["pieces"]) == question.answer.text
        assert [p["quote"] for p in shown["key_points"]] == [
            p.quote if p.status != "missing" else "" for p in question.key_points
        ]
        assert shown["model_answer"] == question.model_answer


def test_the_pieces_of_an_answer_are_the_answer_and_a_letter_ends_each_evidence() -> None:
    for question in full_report().questions:
        cut = pieces(question.answer.text, question.key_points)
        assert "".join(piece.text for piece in cut) == question.answer.text
        lettered = "".join(sorted("".join(piece.letters for piece in cut)))
        quoted = [n for n, p in enumerate(question.key_points) if p.quote and p.quote in question.answer.text]
        assert lettered == "".join("abcdefghijklmnop"[n] for n in quoted)


def test_the_fonts_begin_with_ours_and_end_with_boxes() -> None:
    _, families = _fonts()
    assert families[:2] == ("Noto Sans", "DejaVu Sans") and families[-1].startswith("Last Resort")
