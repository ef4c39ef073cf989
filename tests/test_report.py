"""The report: its sums, its three forms, and that nothing a person wrote can do harm in it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from workbench.exam.bank import load_banks
from workbench.exam.feedback import feedback, feedback_lines, phrase
from workbench.exam.grading import judge_keywords
from workbench.exam.items import Question
from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.exam.report import (
    MAX_SCORE,
    AnswerFacts,
    Report,
    ReportError,
    SessionFacts,
    build_report,
    to_csv,
    to_html,
    to_json,
)
from workbench.exam.report_data import KeyPointReport
from workbench.exam.report_page import highlighted

BANK = load_banks()["medical"]
AREA = BANK.area("cardiology")
SESSION = SessionFacts("s1", "cardiology", "Ada Okonkwo", "exam", 7, "keyword-1", "2026-11-23T10:05:00", 1534.0)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</title></style><!--"


def marked(n: int = 12) -> tuple[list[AnswerFacts], dict[str, Evaluation]]:
    answers, marks = [], {}
    for number, asked in enumerate(AREA.questions[:n], start=1):
        text = asked.exemplars[number % 3].text
        answers.append(
            AnswerFacts(number, asked.id, text, time_used_s=40.0, start_s=60.0 * number, end_s=60.0 * number + 20)
        )
        marks[asked.id] = judge_keywords(asked, text)
    return answers, marks


def full_report(**session: object) -> Report:
    answers, marks = marked()
    return build_report(BANK, replace(SESSION, **session), answers, marks)  # type: ignore[arg-type]


def test_the_score_is_the_sum_of_the_points_out_of_120() -> None:
    answers, marks = marked()
    report = build_report(BANK, SESSION, answers, marks)
    assert report.max_score == MAX_SCORE == 120
    assert report.score == sum(mark.points for mark in marks.values())
    assert [scenario.max_points for scenario in report.scenarios] == [30, 30, 30, 30]
    assert sum(report.count(v) for v in ("correct", "partial", "incorrect")) == 12
    assert report.judges == ("keyword-1",)


def test_questions_that_were_not_asked_count_nothing_out_of_120() -> None:
    answers, marks = marked(4)
    report = build_report(BANK, replace(SESSION, completed=False), answers, marks)
    assert len(report.questions) == 4 and report.max_score == 120
    assert [len(scenario.questions) for scenario in report.scenarios] == [3, 1]


def test_a_question_without_a_mark_is_reported_as_such() -> None:
    answers, marks = marked()
    del marks[answers[4].question_id]
    report = build_report(BANK, SESSION, answers, marks)
    assert report.count(None) == 1
    assert "Not marked" in to_html(report)
    assert list(csv.DictReader(io.StringIO(to_csv(report))))[4]["points"] == ""


def test_a_question_the_bank_lacks_is_refused_with_advice() -> None:
    with pytest.raises(ReportError, match="version of the bank"):
        build_report(BANK, SESSION, [AnswerFacts(1, "gone")], {})
    with pytest.raises(ReportError, match="cardiology"):
        build_report(BANK, replace(SESSION, area="astrology"), [], {})


def test_a_question_reported_twice_is_refused() -> None:
    answers, marks = marked(1)
    with pytest.raises(ReportError, match="more than one answer"):
        build_report(BANK, SESSION, [*answers, replace(answers[0], number=2)], marks)


def test_json_holds_everything_and_reads_back() -> None:
    report = full_report(wording_fallback_rate=0.25)
    data = json.loads(to_json(report))
    assert data["version"] == 1 and data["score"] == report.score
    assert data["session"]["seed"] == 7 and data["session"]["wording_fallback_rate"] == 0.25
    assert (
        data["scenarios"][0]["questions"][0]["key_points"][0]["quote"]
        in data["scenarios"][0]["questions"][0]["answer"]["text"]
    )
    assert sum(data["counts"].values()) == 12


def test_csv_has_one_row_a_question() -> None:
    report = full_report()
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert [int(row["number"]) for row in rows] == list(range(1, 13))
    assert sum(float(row["points"]) for row in rows) == report.score
    assert rows[0]["covered"] == " ".join(p.id for p in report.questions[0].key_points if p.status == "covered")


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@sum(a1)", "  =hidden", "\t=tab"])
def test_csv_cells_are_never_formulas(text: str) -> None:
    answers, marks = marked(1)
    table = to_csv(build_report(BANK, replace(SESSION, candidate=text), [replace(answers[0], text=text)], marks))
    row = next(csv.DictReader(io.StringIO(table)))
    assert row["candidate"].startswith("'") and row["answer"].startswith("'")


class Tags(HTMLParser):
    """Collects tags, attributes and whether every element was closed."""

    VOID = frozenset(("meta", "br", "img", "input", "link", "circle", "rect"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.unbalanced: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read_page(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    parser.close()
    return parser


def hostile_report() -> Report:
    questions = [replace(q, stem=q.stem + HOSTILE, model_answer=HOSTILE) for q in AREA.scenarios[0].questions]
    scenario = replace(AREA.scenarios[0], title=HOSTILE, text=HOSTILE, questions=tuple(questions))
    bank = replace(BANK, title=HOSTILE, version=HOSTILE, areas=(replace(AREA, title=HOSTILE, scenarios=(scenario,)),))
    session = replace(
        SESSION, session_id=HOSTILE, candidate=HOSTILE, mode=HOSTILE, judge=HOSTILE, started_at=HOSTILE,
        recording_url="x.flac?" + HOSTILE,
    )  # fmt: skip
    text = f"It is a STEMI {HOSTILE} of the inferior wall"
    mark = judge_keywords(questions[0], text)
    broken = replace(mark, evidence=(replace(mark.evidence[0], quote=HOSTILE), *mark.evidence[1:]))
    answer = AnswerFacts(1, questions[0].id, text, start_s=1.0, end_s=2.0)
    return build_report(bank, session, [answer], {questions[0].id: broken})


def test_hostile_names_answers_and_questions_stay_text() -> None:
    page = read_page(to_html(hostile_report()))
    assert "script" not in page.tags and "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not page.unbalanced and not page.open
    assert "".join(page.text).count("<script>alert(1)</script>") >= 8


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,<b>", "file:///etc/passwd", "vbscript:x"]
)
def test_a_recording_is_only_played_from_the_web_or_beside_the_page(url: str) -> None:
    assert "audio" not in read_page(to_html(full_report(recording_url=url))).tags


def test_each_answer_plays_its_part_of_the_recording() -> None:
    page = read_page(to_html(full_report(recording_url="recording.flac")))
    sources = [value for name, value in page.attributes if name == "src"]
    assert sources[0] == "recording.flac#t=60.00,80.00" and len(sources) == 12


def test_the_page_is_whole_and_fetches_nothing() -> None:
    text = to_html(full_report())
    page = read_page(text)
    assert not page.unbalanced and not page.open
    assert not {"script", "link", "iframe", "audio"} & set(page.tags)
    assert "url(" not in text and "@import" not in text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {str(value)[1:] for name, value in page.attributes if name == "href"}
    assert targets <= set(ids) and len(targets) == 12
    assert {"main", "header", "h1", "h2", "h3"} <= set(page.tags)
    assert ("lang", "en") in page.attributes


def test_every_picture_has_words() -> None:
    report = full_report()
    page = to_html(report)
    for svg in re.findall(r"<svg[^>]*>", page):
        assert "aria-label=" in svg or 'aria-hidden="true"' in svg
    assert f'aria-label="Score {report.score:g} of 120"' in page


def test_a_session_without_questions_still_has_a_page() -> None:
    page = to_html(build_report(BANK, replace(SESSION, completed=False), [], {}))
    assert "No question was asked" in page and "of 120" in page


def test_skipped_and_silent_questions_say_so() -> None:
    answers, marks = marked(2)
    silent = [replace(answers[0], text="", skipped=True), replace(answers[1], text="  ")]
    page = to_html(build_report(BANK, SESSION, silent, marks))
    assert "The question was skipped." in page and "No answer was given." in page


def test_evidence_is_marked_where_it_was_said_and_lettered() -> None:
    points = (
        KeyPointReport("a", "A", "first", 0.5, "covered", "one two"),
        KeyPointReport("b", "B", "second", 0.3, "contradicted", "two & three"),
        KeyPointReport("c", "C", "third", 0.2, "missing", "four"),
    )
    html = highlighted("zero one two & three four", points)
    assert re.sub(r"<sup>.*?</sup>|<[^>]+>", "", html) == "zero one two &amp; three four"
    assert html.count("<mark") == 3 and 'class="contradicted"' in html
    assert "<sup>a</sup>" in html and "<sup>b</sup>" in html and "<sup>c</sup>" not in html


# ---- feedback ----


def statuses(asked: Question, *values: str) -> Evaluation:
    evidence = tuple(
        KeyPointEvidence(point.id, status, "words" if status != "missing" else "", point.weight)  # type: ignore[arg-type]
        for point, status in zip(asked.key_points, values, strict=True)
    )
    return Evaluation(asked.id, "partial", 4.0, evidence, 0.8, "test")


@pytest.mark.parametrize("asked", AREA.questions, ids=lambda q: q.id)
def test_feedback_claims_only_what_the_evidence_says(asked: Question) -> None:
    for seed in range(6):
        for exemplar in asked.exemplars:
            mark = judge_keywords(asked, exemplar.text)
            worded = feedback(asked, mark, seed=seed)
            status = {entry.key_point_id: entry.status for entry in mark.evidence}
            lacking = worded.missing
            for point in asked.key_points:
                if status[point.id] == "contradicted":
                    lacking = lacking.replace(point.text, "")
            for point in asked.key_points:
                if status[point.id] != "covered":
                    assert phrase(point) not in worded.right
                if status[point.id] != "missing":
                    assert phrase(point) not in lacking
                if status[point.id] != "contradicted":
                    assert point.text not in worded.missing
            assert bool(worded.right) == ("covered" in status.values())
            assert bool(worded.missing) == bool({"missing", "contradicted"} & set(status.values()))
            assert worded.model_answer == asked.model_answer


def test_feedback_on_points_the_evidence_lacks_is_silent() -> None:
    asked = AREA.questions[0]
    worded = feedback(asked, Evaluation(asked.id, "incorrect", 0, (), 1.0, "test"))
    assert worded.right == "" and worded.missing == ""


def test_the_seed_chooses_the_phrasing() -> None:
    asked = AREA.questions[0]
    mark = statuses(asked, "covered", "missing", "contradicted")
    versions = {feedback_lines(asked, mark, seed=seed)[:3] for seed in range(20)}
    assert len(versions) > 3
    assert feedback_lines(asked, mark, seed=3) == feedback_lines(asked, mark, seed=3)


def test_silence_is_not_told_that_it_is_wrong() -> None:
    asked = AREA.questions[0]
    worded = feedback(asked, judge_keywords(asked, ""), answered=False)
    assert "not right" not in worded.verdict_line and "answer" in worded.verdict_line


def test_feedback_is_made_of_whole_sentences_that_can_be_spoken() -> None:
    for asked in AREA.questions:
        for exemplar in asked.exemplars:
            for line in feedback_lines(asked, judge_keywords(asked, exemplar.text)):
                assert line[0].isupper() and line.endswith((".", "!", "?"))
                assert not re.search(r"[()/\[\]<>]|\.\.", line)
