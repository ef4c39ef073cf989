"""One session as HTML: its head, a player with transcript, and a question with its evidence and history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlencode

from workbench.exam.report_data import QuestionReport, Report
from workbench.exam.report_evidence import letter
from workbench.exam.report_page import STATUSES, VERDICTS, answer
from workbench.store.marking import without_repeats
from workbench.store.rows import MarkRow, SessionData, TurnRow, counting_marks
from workbench.store.rows_educators import SittingRow

PUBLICATION = {
    "published": ("Published", "\u2713", "correct"),
    "held": ("Not published", "\u25f7", "partial"),
    "open": ("Shown at once", "\u2022", "unmarked"),
}
DOWNLOADS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Report", "report.html", {}),
    ("PDF", "report.pdf", {}),
    ("PDF with transcript", "report.pdf", {"full": "true"}),
    ("CSV", "report.csv", {}),
    ("XLSX", "report.xlsx", {}),
    ("JSON", "report.json", {}),
)
"""Label, file and options of each download."""


def badge(kind: str, label: str, sign: str) -> str:
    """A coloured word with a sign, so that colour never carries the meaning alone."""
    return f'<span class="e-badge {kind}"><span aria-hidden="true">{sign}</span> {escape(label)}</span>'


def verdict_badge(verdict: str | None) -> str:
    """The badge of a verdict; None is "not marked"."""
    kind = verdict or "unmarked"
    return badge(kind, *VERDICTS[kind])


def moment(when: datetime) -> str:
    """A moment as people write it, in UTC."""
    return f"{when.day} {when:%b %Y, %H:%M}"


def clock(seconds: float) -> str:
    """A place in a recording, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def published_state(sitting: SittingRow | None) -> str:
    """`open`, `held` or `published`."""
    if sitting is None:
        return "open"
    return "held" if sitting.results_published_at is None else "published"


# ---- head ----


def head(data: SessionData, report: Report, sitting: SittingRow | None, token: str) -> str:
    """Who, what, when, the score, and the downloads.

    Args:
        data: The session.
        report: Its report.
        sitting: Where it came from.
        token: Opens its report and recording for an hour.
    """
    session, result = data.session, data.result
    score = "\u2013" if result is None else f"{result.score:g}<small> of {result.max_score:g}</small>"
    links = "".join(
        f'<a href="{_file(session.id, name, token, **options)}" '
        f"{'target=_blank' if name.endswith('html') else 'download'}>{label}</a>"
        for label, name, options in DOWNLOADS
    )
    facts = [
        ("Candidate", f"{session.candidate_name or 'unnamed'} ({session.pseudonym})"),
        ("Held", moment(session.started_at) + " UTC"),
        ("Mode", session.mode),
        ("Status", session.status),
        ("Judge", ", ".join(report.judges) or "none"),
        ("Session", session.id),
    ]
    shown = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    state = published_state(sitting)
    label, sign, kind = PUBLICATION[state]
    publisher = (
        f" by {escape(sitting.published_by or '')}" if sitting is not None and sitting.results_published_at else ""
    )
    return (
        f'<section class="e-head"><div class="e-head-top"><div><h2 tabindex="-1" id="e-session-title">'
        f"{escape(report.discipline_title)}{': ' + escape(report.area_title) if report.area_title else ''}</h2>"
        f"<p>{badge(kind, label, sign)}{publisher}</p></div>"
        f'<div class="e-score"><b>{score}</b></div></div><dl class="e-facts">{shown}</dl>'
        f'<p class="e-downloads"><span>Download:</span> {links}</p></section>'
    )


def _file(session_id: str, name: str, token: str, **options: str) -> str:
    return escape(f"../api/sessions/{session_id}/{name}?{urlencode({'token': token, **options})}", quote=True)


# ---- player ----


def player(data: SessionData, peaks: Sequence[Sequence[float]] | None, duration_s: float, token: str) -> str:
    """Waveform, recording and transcript; a script of the page makes words play when they are chosen.

    Args:
        data: The session.
        peaks: Magnitudes of candidate and examiner, each in [0, 1]; None without a recording.
        duration_s: Length of the recording.
        token: Opens the recording.
    """
    turns = "".join(_turn(turn, playable=peaks is not None) for turn in data.turns)
    if not turns:
        return '<p class="e-empty">Nothing was said in this session.</p>'
    sound = '<p class="e-empty">No recording was kept: typed answers, no consent to it, or deleted.</p>'
    if peaks is not None:
        drawn = json.dumps([[round(float(value), 3) for value in channel] for channel in peaks])
        sound = (
            f'<figure class="e-wave" data-duration="{duration_s:.3f}" data-peaks="{escape(drawn, quote=True)}">'
            '<div class="e-wave-names" aria-hidden="true"><span>Candidate</span><span>Examiner</span></div>'
            '<canvas height="120" role="img" aria-label="Loudness of the candidate, above, and the examiner, below,'
            ' over time"></canvas></figure>'
            f'<audio class="e-audio" controls preload="metadata" src="{_file(data.session.id, "audio", token)}"'
            ' aria-label="Recording of the session"></audio>'
        )
    hint = (
        '<p class="e-hint">Click a word to hear it. In the transcript the arrow keys go from word to word, Enter'
        " plays. A dotted line marks words the recogniser was unsure of.</p>"
        if peaks is not None and any(turn.words for turn in data.turns)
        else ""
    )
    return (
        f'<section class="e-player" aria-label="Recording and transcript">{sound}{hint}'
        f'<ol class="e-transcript" aria-label="Transcript">{turns}</ol></section>'
    )


def _turn(turn: TurnRow, *, playable: bool) -> str:
    who = "Candidate" if turn.role == "candidate" else "Examiner"
    heard = turn.heard_text if turn.interrupted and turn.heard_text is not None else turn.text
    words = escape(turn.corrected_text or heard)
    # what was changed by hand no longer fits the words with their times
    if playable and turn.words and turn.corrected_text is None:
        words = " ".join(
            f'<span class="e-word{" e-unsure" if word.probability < 0.5 else ""}" data-from="{word.start_s:.2f}"'
            f' data-to="{word.end_s:.2f}">{escape(word.text.strip())}</span>'
            for word in turn.words
        )
    notes = [note for note, on in (("typed", turn.typed), ("interrupted", turn.interrupted)) if on]
    aside = f' <em class="e-note">{", ".join(notes)}</em>' if notes else ""
    when = clock(turn.start_s)
    place = (
        f'<button type="button" class="e-at" data-from="{turn.start_s:.2f}" aria-label="Play from {when}">{when}'
        "</button>"
        if playable
        else f'<span class="e-at">{when}</span>'
    )
    return (
        f'<li class="{turn.role}" data-from="{turn.start_s:.2f}" data-to="{turn.end_s:.2f}"'
        f' data-number="{turn.number or ""}">{place}<b>{who}</b><p>{words}{aside}</p></li>'
    )


# ---- a question ----


def question_card(
    question: QuestionReport, history: Sequence[MarkRow], *, session_id: str, token: str | None, title: str = ""
) -> str:
    """One question: what was said with its evidence, the mark that counts, and every mark before it.

    Args:
        question: The question as the report has it.
        history: Its marks in the order they were given.
        session_id: The session.
        token: Opens the recording; None without one.
        title: What stands above, such as whose answer it is.
    """
    points = "\u2013" if question.points is None else f"{question.points:g}"
    counts = next(iter(counting_marks(history).values()), None)
    by = "" if counts is None else ("the judge" if counts.rater == "judge" else counts.rater)
    sure = ""
    if counts is not None and counts.rater == "judge":
        percent = round(100 * counts.evaluation.confidence)
        sure = (
            f'<span class="e-sure"><meter min="0" max="100" low="50" high="75" optimum="100" value="{percent}"'
            ' aria-label="Confidence of the judge">'
            f"</meter> {percent} % sure</span>"
        )
    top = f'<p class="e-over">{escape(title)}</p>' if title else ""
    said = answer(question, empty="e-empty", signs=True)
    return (
        f'<article class="e-question">{top}<div class="e-question-top"><div><p class="e-over">Question '
        f"{question.number} \u00b7 {escape(question.question_id)}</p><h3>{escape(question.stem)}</h3></div>"
        f'<div class="e-score"><b>{points}<small> of 10</small></b>{verdict_badge(question.verdict)}</div></div>'
        f'<p class="e-by">{f"Mark by {escape(by)}. " if by else ""}{sure}</p>'
        f"<h4>What was said</h4>{said}{_sound(question, session_id, token)}"
        f'<h4>Key points</h4><ul class="e-points">{_points(question)}</ul>'
        f"<details><summary>Model answer</summary><p>{escape(question.model_answer)}</p></details>"
        f"{history_of(history)}</article>"
    )


def _sound(question: QuestionReport, session_id: str, token: str | None) -> str:
    said = question.answer
    if token is None or said.start_s is None or said.end_s is None or said.typed:
        return ""
    place = f"{_file(session_id, 'audio', token)}#t={max(0.0, said.start_s):.2f},{said.end_s:.2f}"
    return (
        f'<audio controls preload="none" src="{place}" aria-label="Recording of the answer to question'
        f' {question.number}"></audio>'
    )


def _points(question: QuestionReport) -> str:
    rows = []
    for n, point in enumerate(question.key_points):
        kind = point.status if question.verdict else "unmarked"
        label, sign = STATUSES[kind] if question.verdict else VERDICTS["unmarked"]
        quote = f"<q>{escape(point.quote)}</q>" if point.quote else ""
        rows.append(
            f'<li><span class="e-letter">{letter(n)}</span>{badge(kind, label, sign)}<span>{escape(point.text)} {quote}'
            f'</span><span class="e-weight">{100 * point.weight:.0f} %</span></li>'
        )
    return "".join(rows)


def history_of(history: Sequence[MarkRow]) -> str:
    """Every mark of a question, the last one first."""
    if not history:
        return '<p class="e-empty">No mark yet.</p>'
    rows = []
    history = without_repeats(history)
    for place, mark in enumerate(reversed(history)):
        if mark.is_none:
            rows.append(
                f"<tr><td>{moment(mark.created_at)}</td><td></td><td>{verdict_badge(None)}</td>"
                "<td class=e-n>\u2013</td><td>undo: back to no mark</td></tr>"
            )
            continue
        what = "undo: back to this mark" if mark.restores_id is not None else (mark.reason or "")
        who = "the judge" if mark.rater == "judge" else mark.rater
        rows.append(
            f"<tr{' class=e-counts' if place == 0 else ''}><td>{moment(mark.created_at)}</td><td>{escape(who)}</td>"
            f"<td>{verdict_badge(mark.evaluation.verdict)}</td><td class=e-n>{mark.evaluation.points:g}</td>"
            f"<td>{escape(what)}</td></tr>"
        )
    n = sum(not mark.is_none for mark in history)
    which = "none counts now" if history[-1].is_none else "the first line counts"
    return (
        f"<details{' open' if len(history) > 1 else ''}><summary>History: {n} mark{'s' if n > 1 else ''}, {which}"
        '</summary><div class="e-scroll"><table><thead><tr><th scope="col">When (UTC)</th><th scope="col">Who</th>'
        '<th scope="col">Verdict</th><th scope="col" class=e-n>Points</th><th scope="col">Reason</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )
