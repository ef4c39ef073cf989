"""A viva's report as data (JSON), as a table (CSV) and as a page (HTML). Pure: what it says is given to it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict

from workbench.exam.model import MAX_POINTS
from workbench.exam.report_data import (
    MAX_SCORE,
    AnswerFacts,
    KeyPointReport,
    QuestionReport,
    Report,
    ReportError,
    ScenarioReport,
    SessionFacts,
    build_report,
)
from workbench.exam.report_page import to_html

__all__ = [
    "MAX_SCORE", "AnswerFacts", "KeyPointReport", "QuestionReport", "Report", "ReportError", "ScenarioReport",
    "SessionFacts", "build_report", "csv_cell", "to_csv", "to_html", "to_json",
]  # fmt: skip

REPORT_VERSION = 1
"""Version of the JSON form."""


def to_json(report: Report) -> str:
    """The report as one JSON object; `version` tells its form."""
    data = {
        "version": REPORT_VERSION,
        **asdict(report),
        "counts": {
            "correct": report.count("correct"),
            "partial": report.count("partial"),
            "incorrect": report.count("incorrect"),
            "unmarked": report.count(None),
        },
        "judges": list(report.judges),
    }
    for scenario, values in zip(report.scenarios, data["scenarios"], strict=True):
        values["points"], values["max_points"] = scenario.points, scenario.max_points
    return json.dumps(data, indent=2, ensure_ascii=False)


COLUMNS = (
    "session_id", "candidate", "discipline", "area", "mode", "seed", "number", "scenario", "question_id", "stem",
    "verdict", "points", "max_points", "covered", "contradicted", "missing", "answer", "skipped", "typed", "probed",
    "time_used_s", "judge", "confidence",
)  # fmt: skip


def to_csv(report: Report) -> str:
    """The report as a table, one row a question, columns as `COLUMNS`; key points are ids joined by spaces.

    Text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection).
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    session = report.session
    for scenario in report.scenarios:
        for q in scenario.questions:
            ids = {
                status: " ".join(p.id for p in q.key_points if p.status == status)
                for status in ("covered", "contradicted", "missing")
            }
            row = (
                session.session_id, session.candidate, report.discipline, session.area, session.mode, session.seed,
                q.number, scenario.title, q.question_id, q.stem, q.verdict or "", q.points, MAX_POINTS, ids["covered"],
                ids["contradicted"], ids["missing"], q.answer.text, q.answer.skipped, q.answer.typed, q.answer.probed,
                q.answer.time_used_s, q.judge, q.confidence,
            )  # fmt: skip
            writer.writerow([csv_cell(value) for value in row])
    return out.getvalue()


def csv_cell(value: object) -> object:
    """A value for a CSV file; text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r", "|"):
        return "'" + value
    return value
