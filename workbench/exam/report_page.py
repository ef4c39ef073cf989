"""The report as one HTML page: no script, nothing fetched but the recording; for screen, phone, dark and paper.

Everything that came from a person or a file is escaped. Colour never carries a meaning alone: verdicts have words and
signs, evidence has letters that lead to its key points.
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache
from html import escape
from importlib.resources import files
from urllib.parse import urlsplit

from workbench.exam.model import MAX_POINTS
from workbench.exam.report_data import KeyPointReport, QuestionReport, Report, ScenarioReport
from workbench.exam.report_evidence import letter, pieces

VERDICTS = {
    "correct": ("Correct", "\u2713"),
    "partial": ("Partly correct", "\u25d0"),
    "incorrect": ("Incorrect", "\u2717"),
    "unmarked": ("Not marked", "\u2013"),
}
STATUSES = {
    "covered": ("Covered", "\u2713"),
    "contradicted": ("Contradicted", "\u2717"),
    "missing": ("Missing", "\u2013"),
}
_POINTS_PER_BAR = 100


def to_html(report: Report) -> str:
    """The report as a complete HTML document.

    The recording is played by media fragments (`#t=start,end`, W3C Media Fragments 1.0, section 4.2.1), so that each
    answer has a player that begins and ends with it.
    """
    title = f"{report.discipline_title}: {report.area_title}"
    who = report.session.candidate or "Candidate"
    sections = "".join(_scenario(scenario, report.session.recording_url) for scenario in report.scenarios)
    if not report.scenarios:
        sections = '<p class="empty">No question was asked in this session.</p>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(who)} \u2013 {escape(title)}</title><style>{_style()}</style></head><body>"
        f'<header><h1>{escape(title)}</h1><p class="lede">Oral examination of {escape(who)}{_when(report)}</p></header>'
        f"<main>{_summary(report)}{_chart(report)}{sections}</main>{_footer(report)}</body></html>\n"
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return files("workbench.exam").joinpath("report_page.css").read_text(encoding="utf-8")


def _when(report: Report) -> str:
    try:
        when = datetime.fromisoformat(report.session.started_at)
    except ValueError:
        return ""
    return f', <time datetime="{escape(when.isoformat())}">{when.day} {when:%B %Y, %H:%M}</time>'


def _verdict(question: QuestionReport) -> str:
    return question.verdict or "unmarked"


def _badge(kind: str, label: str, sign: str) -> str:
    return f'<span class="badge {kind}"><span aria-hidden="true">{sign}</span>{escape(label)}</span>'


def _number(value: float) -> str:
    return f"{value:g}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


# ---- summary ----


def _summary(report: Report) -> str:
    counts = "".join(
        f"<li>{_badge(kind, f'{n} {label.lower()}', sign)}</li>"
        for kind, (label, sign) in VERDICTS.items()
        if (n := report.count(None if kind == "unmarked" else kind)) or kind != "unmarked"  # type: ignore[arg-type]
    )
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in _facts(report))
    return (
        f'<section class="summary" aria-label="Result">{_gauge(report.score, report.max_score)}'
        f'<div><ul class="counts">{counts}</ul><dl class="facts">{facts}</dl></div></section>'
    )


def _facts(report: Report) -> list[tuple[str, str]]:
    session = report.session
    facts = [("Mode", session.mode.capitalize())]
    if session.duration_s is not None:
        facts.append(("Time used", _time(session.duration_s)))
    facts.append(("Completed", "Yes" if session.completed else f"No, {len(report.questions)} questions asked"))
    facts.append(("Marked by", ", ".join(report.judges) or "Nobody yet"))
    if session.wording_fallback_rate is not None:
        facts.append(("Fixed wording used", f"{100 * session.wording_fallback_rate:.0f} %"))
    facts += [("Bank version", report.bank_version), ("Seed", str(session.seed)), ("Session", session.session_id)]
    return facts


def _gauge(score: float, most: float) -> str:
    """A ring filled by the share of the points."""
    share = min(1.0, max(0.0, score / most)) if most else 0.0
    radius, width = 52, 12
    round_way = 2 * math.pi * radius
    arc = f"{share * round_way:.2f} {round_way:.2f}"
    filled = (
        f'<circle cx="64" cy="64" r="{radius}" fill="none" stroke="var(--accent)" stroke-width="{width}" '
        f'stroke-dasharray="{arc}" transform="rotate(-90 64 64)"/>'
        if share > 0
        else ""
    )
    return (
        f'<svg viewBox="0 0 128 128" role="img" aria-label="Score {_number(score)} of {_number(most)}">'
        f'<circle cx="64" cy="64" r="{radius}" fill="none" stroke="var(--track)" stroke-width="{width}"/>{filled}'
        f'<text x="64" y="67" text-anchor="middle" font-size="30" font-weight="700" fill="var(--ink)">{_number(score)}'
        f'</text><text x="64" y="84" text-anchor="middle" font-size="12" fill="var(--soft)">of {_number(most)}'
        "</text></svg>"
    )


def _chart(report: Report) -> str:
    """One bar a question; each row is a link to its question."""
    if not report.scenarios:
        return ""
    rows = []
    for scenario in report.scenarios:
        bars = "".join(_bar(question) for question in scenario.questions)
        rows.append(
            f'<li><div class="case"><span>{escape(scenario.title)}</span>'
            f"<span>{_number(scenario.points)} of {scenario.max_points}</span></div>{bars}</li>"
        )
    return (
        '<h2 id="overview">Points by question</h2>'
        f'<div class="chart"><ol aria-labelledby="overview">{"".join(rows)}</ol></div>'
    )


def _bar(question: QuestionReport) -> str:
    kind = _verdict(question)
    label, sign = VERDICTS[kind]
    width = _POINTS_PER_BAR * (question.points or 0.0) / MAX_POINTS
    value = f"{_number(question.points)} of {MAX_POINTS}" if question.points is not None else "\u2013"
    return (
        f'<a class="row" href="#question-{question.number}"><span class="n"><span class="hidden">Question </span>'
        f"{question.number}</span>"
        f'<svg viewBox="0 0 {_POINTS_PER_BAR} 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="{_POINTS_PER_BAR}" height="12"/>'
        f'<rect class="bar-{kind}" width="{width:.1f}" height="12"/></svg><span class="value">{value}</span>'
        f'<span class="mark-{kind}"><span aria-hidden="true">{sign}</span><span class="hidden">{label}</span></span>'
        "</a>"
    )


# ---- questions ----


def _scenario(scenario: ScenarioReport, recording_url: str | None) -> str:
    questions = "".join(_question(question, recording_url) for question in scenario.questions)
    heading = f'<h2>{escape(scenario.title)}</h2><p class="scenario">{escape(scenario.text)}</p>'
    return f"<section>{heading}{questions}</section>"


def _question(question: QuestionReport, recording_url: str | None) -> str:
    kind = _verdict(question)
    label, sign = VERDICTS[kind]
    points = _number(question.points) if question.points is not None else "\u2013"
    asides = [
        "typed answer" if question.answer.typed else "",
        "with a follow-up question" if question.answer.probed else "",
        _time(question.answer.time_used_s) if question.answer.time_used_s is not None else "",
    ]
    aside = "".join(f" \u00b7 {text}" for text in asides if text)
    return (
        f'<article id="question-{question.number}"><div class="top"><div>'
        f'<span class="number">Question {question.number}{aside}</span><h3>{escape(question.stem)}</h3></div>'
        f'<div class="score"><b>{points}<small> of {MAX_POINTS}</small></b>{_badge(kind, label, sign)}</div></div>'
        f"<h4>Answer</h4>{answer(question)}{_player(question, recording_url)}"
        f'<h4>Key points</h4><ul class="points">{_points(question)}</ul>'
        f"{_feedback(question)}"
        f'<h4>Model answer</h4><p class="model">{escape(question.model_answer)}</p></article>'
    )


def answer(question: QuestionReport, *, empty: str = "empty", signs: bool = False) -> str:
    """What was said to a question as HTML, its evidence marked; where nothing was, why.

    Args:
        question: The question.
        empty: Class of the line that says that there is no answer.
        signs: Whether the letters of the evidence carry the sign of its status.
    """
    text = question.answer.text
    if not text.strip():
        reason = "The question was skipped." if question.answer.skipped else "No answer was given."
        return f'<p class="{empty}">{reason}</p>'
    return f"<blockquote>{highlighted(text, question.key_points, signs=signs)}</blockquote>"


def highlighted(text: str, key_points: tuple[KeyPointReport, ...], *, signs: bool = False) -> str:
    """An answer as HTML, with the quoted evidence marked and lettered by key point; escaped piece by piece."""
    out: list[str] = []
    for piece in pieces(text, key_points):
        words = escape(piece.text)
        if piece.status:
            sign = STATUSES[piece.status][1] if signs else ""
            sup = f"<sup>{sign}{piece.letters}</sup>" if piece.letters else ""
            words = f'<mark class="{piece.status}" title="{escape(piece.label)}">{words}</mark>{sup}'
        out.append(words)
    return "".join(out)


def _player(question: QuestionReport, recording_url: str | None) -> str:
    said = question.answer
    if recording_url is None or said.start_s is None or said.end_s is None or not _is_safe(recording_url):
        return ""
    source = f"{recording_url}#t={max(0.0, said.start_s):.2f},{said.end_s:.2f}"
    label = f"Recording of answer {question.number}"
    return f'<audio controls preload="none" src="{escape(source)}" aria-label="{label}"></audio>'


def _is_safe(url: str) -> bool:
    """Whether a browser may be handed this address: the web, or a path beside the page."""
    try:
        return urlsplit(url.strip()).scheme in ("", "http", "https", "data") and not url.strip().startswith("data:text")
    except ValueError:
        return False


def _points(question: QuestionReport) -> str:
    rows = []
    for n, point in enumerate(question.key_points):
        label, sign = STATUSES[point.status] if question.verdict else VERDICTS["unmarked"]
        kind = point.status if question.verdict else "unmarked"
        rows.append(
            f'<li><span class="letter">{letter(n)}</span>{_badge(kind, label, sign)}'
            f'<span class="what">{escape(point.text)}</span><span class="weight">{100 * point.weight:.0f} %</span></li>'
        )
    return "".join(rows)


def _feedback(question: QuestionReport) -> str:
    if question.feedback is None:
        return ""
    said = " ".join(
        s for s in (question.feedback.verdict_line, question.feedback.right, question.feedback.missing) if s
    )
    return f"<h4>Feedback</h4><p>{escape(said)}</p>"


def _footer(report: Report) -> str:
    return (
        "<footer><p>Each key point counts the share of the ten points that is given beside it. Letters in an answer "
        "show which words were taken as evidence. Marks made by a program can be wrong and may be corrected by an "
        f"examiner.</p><p>Report of session {escape(report.session.session_id)}.</p></footer>"
    )
