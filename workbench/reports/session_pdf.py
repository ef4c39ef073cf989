"""One session's report as a PDF: what its template shows, worded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from workbench.exam.model import MAX_POINTS
from workbench.exam.report_data import QuestionReport, Report, ScenarioReport
from workbench.exam.report_evidence import letter, pieces
from workbench.reports.pdf import Paper, make_pdf
from workbench.store.marking import marks_by_number, without_repeats
from workbench.store.rows import MarkRow, SessionData, TurnRow

SIGNS = {
    "correct": ("\u2713", "Correct"),
    "partial": ("\u25d0", "Partly correct"),
    "incorrect": ("\u2717", "Incorrect"),
    "unmarked": ("\u2013", "Not marked"),
    "covered": ("\u2713", "Covered"),
    "contradicted": ("\u2717", "Contradicted"),
    "missing": ("\u2013", "Missing"),
}


def session_pdf(
    report: Report, *, made_at: datetime | None = None, paper: Paper = "a4", whole: SessionData | None = None
) -> bytes:
    """The report as a tagged PDF.

    Args:
        report: What it says.
        made_at: The date the file bears, now when left out.
        paper: Its format.
        whole: The session it is of, for the educators' copy: with transcript and history of the marks.

    Raises:
        ReportFailed: The document could not be set.
    """
    data = session_data(report)
    if whole is not None:
        data |= educators_part(whole)
    return make_pdf("session", data, made_at=made_at or datetime.now(UTC), paper=paper)


def educators_part(data: SessionData) -> dict[str, Any]:
    """What the educators' copy shows beside the report."""
    history = []
    for number_, marks in sorted(marks_by_number(data.marks).items()):
        told = without_repeats(marks)
        if len(told) > 1:
            history.append({"number": str(number_), "marks": [_mark(mark) for mark in reversed(told)]})
    return {"for_educators": True, "history": history, "transcript": [_turn(turn) for turn in data.turns]}


def _mark(mark: MarkRow) -> dict[str, str]:
    at = f"{mark.created_at:%Y-%m-%d %H:%M}"
    if mark.is_none:
        sign, word = SIGNS["unmarked"]
        return {
            "at": at,
            "who": "",
            "verdict": "unmarked",
            "sign": sign,
            "word": word,
            "points": "",
            "reason": "undo: back to no mark",
        }
    sign, word = SIGNS[mark.evaluation.verdict]
    judge = mark.rater == "judge"
    return {
        "at": at,
        "who": f"the judge, sure to {100 * mark.evaluation.confidence:.0f} %" if judge else mark.rater,
        "verdict": mark.evaluation.verdict,
        "sign": sign,
        "word": word,
        "points": number(mark.evaluation.points),
        "reason": "undo: back to this mark" if mark.restores_id is not None else mark.reason or "",
    }


def _turn(turn: TurnRow) -> dict[str, str]:
    heard = turn.heard_text if turn.interrupted and turn.heard_text is not None else turn.text
    notes = [note for note, on in (("typed", turn.typed), ("interrupted", turn.interrupted)) if on]
    return {
        "at": clock(turn.start_s),
        "who": "Candidate" if turn.role == "candidate" else "Examiner",
        "text": turn.corrected_text or heard,
        "note": ", ".join(notes),
    }


def session_data(report: Report) -> dict[str, Any]:
    """What the template `session.typ` shows."""
    session = report.session
    who = session.candidate or "Candidate"
    title = f"{report.discipline_title}: {report.area_title}" if report.area_title else report.discipline_title
    share = min(1.0, max(0.0, report.score / report.max_score)) if report.max_score else 0.0
    return {
        "document": {
            "title": f"{title} \u2013 {who}",
            "author": "Viva Workbench",
            "description": f"Report of an oral examination, session {session.session_id}",
        },
        "lede": f"Report of an oral examination{on_day(session.started_at)}",
        "footer": f"{who} \u00b7 {title} \u00b7 {session.session_id}",
        "score": number(report.score),
        "max_score": number(report.max_score),
        "share": share,
        "percent": f"{100 * share:.0f} % of the points",
        "counts": _counts(report),
        "facts": _facts(report),
        "notes": _notes(report),
        "scenarios": [_scenario(scenario) for scenario in report.scenarios],
        "for_educators": False,
        "history": [],
        "transcript": [],
    }


def number(value: float | None) -> str:
    """A number without needless zeros, a dash for none."""
    return "\u2013" if value is None else f"{value:g}"


def minutes(seconds: float) -> str:
    """A length of time in minutes and seconds."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole} min {rest:02d} s" if whole else f"{rest} s"


def on_day(started_at: str) -> str:
    """ ", 23 November 2026, 10:05" for a moment in ISO 8601, nothing for what is none."""
    try:
        when = datetime.fromisoformat(started_at)
    except ValueError:
        return ""
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f", {when.day} {when:%B %Y, %H:%M}{zone}"


def _counts(report: Report) -> list[list[str]]:
    rows = []
    for kind in ("correct", "partial", "incorrect", "unmarked"):
        n = report.count(None if kind == "unmarked" else kind)  # type: ignore[arg-type]
        if n or kind != "unmarked":
            sign, word = SIGNS[kind]
            rows.append([kind, sign, f"{n} {word.lower()}"])
    return rows


def _facts(report: Report) -> list[list[str]]:
    session = report.session
    rows = [["Mode", session.mode.capitalize()]]
    if session.duration_s is not None:
        rows.append(["Time used", minutes(session.duration_s)])
    rows += [
        ["Questions asked", f"{len(report.questions)} of {report.max_score // MAX_POINTS}"],
        ["Marked by", ", ".join(report.judges) or "nobody yet"],
        ["Bank version", report.bank_version],
        ["Seed", str(session.seed)],
    ]
    if session.wording_fallback_rate is not None:
        rows.append(["Fixed wording used", f"{100 * session.wording_fallback_rate:.0f} %"])
    return rows


def _notes(report: Report) -> list[str]:
    notes = []
    if not report.session.completed:
        notes.append(
            f"This examination ended early: {len(report.questions)} questions were asked; those that were not count"
            " nothing."
        )
    if n := report.count(None):
        notes.append(f"{n} {'question has' if n == 1 else 'questions have'} no mark yet; the score may rise.")
    return notes


def _scenario(scenario: ScenarioReport) -> dict[str, Any]:
    return {
        "title": scenario.title,
        "text": scenario.text,
        "points": f"{number(scenario.points)} of {scenario.max_points}",
        "questions": [_question(question) for question in scenario.questions],
    }


def _question(question: QuestionReport) -> dict[str, Any]:
    answer = question.answer
    kind = question.verdict or "unmarked"
    sign, word = SIGNS[kind]
    asides = (
        f"time used {minutes(answer.time_used_s)}" if answer.time_used_s is not None else "",
        f"at {clock(answer.start_s)} in the recording" if answer.start_s is not None else "",
        "with a follow-up question" if answer.probed else "",
        "typed answer" if answer.typed else "",
    )
    said = question.feedback
    marked = f"Marked by {question.judge}" if question.judge else ""
    if marked and question.confidence is not None and question.confidence < 1:  # nobody says how sure a person was
        marked += f", sure to {100 * question.confidence:.0f} %"
    return {
        "number": str(question.number),
        "stem": question.stem,
        "asides": "".join(f" \u00b7 {text}" for text in asides if text),
        "points": number(question.points),
        "max_points": str(MAX_POINTS),
        "share": min(1.0, max(0.0, (question.points or 0.0) / MAX_POINTS)),
        "verdict": kind,
        "sign": sign,
        "word": word,
        "pieces": [
            {"text": piece.text, "status": piece.status, "letters": piece.letters}
            for piece in (pieces(answer.text, question.key_points) if answer.text.strip() else ())
        ],
        "no_answer": "The question was skipped." if answer.skipped else "No answer was given.",
        "key_points": [_key_point(n, question) for n in range(len(question.key_points))],
        "feedback": " ".join(s for s in (said.verdict_line, said.right, said.missing) if s) if said else "",
        "model_answer": question.model_answer,
        "marked": f"{marked}." if marked else "",
    }


def _key_point(n: int, question: QuestionReport) -> dict[str, str]:
    point = question.key_points[n]
    kind = point.status if question.verdict else "unmarked"
    sign, word = SIGNS[kind]
    return {
        "letter": letter(n),
        "text": point.text,
        "status": kind,
        "sign": sign,
        "word": word,
        "quote": point.quote if question.verdict and kind != "missing" else "",
        "share": f"{100 * point.weight:.0f} %",
    }


def clock(seconds: float) -> str:
    """A place in a recording, minutes and seconds."""
    whole, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{whole}:{rest:02d}"
