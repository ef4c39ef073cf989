"""The list of sessions as an HTML table of links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from workbench.exam.items import Bank
from workbench.store.overview import OverviewLine
from workbench.web.educators.session_view import PUBLICATION, badge, moment

DOUBTFUL = 0.3
"""From this doubt on a session is marked as one to look at."""

STATUS_SIGNS = {
    "running": ("Running", "\u25cf", "partial"),
    "finished": ("Finished", "\u2713", "correct"),
    "stopped": ("Stopped early", "\u25a0", "unmarked"),
    "abandoned": ("Abandoned", "\u25a1", "unmarked"),
}


def as_table(lines: Sequence[OverviewLine], banks: Mapping[str, Bank], *, searched: bool) -> str:
    """The lines; where there are none, what to do.

    Args:
        lines: One page of sessions.
        banks: Titles of disciplines and areas.
        searched: Whether any filter is set.
    """
    if not lines:
        if searched:
            return '<p class="e-empty">No session fits. Empty the search field or widen the filters.</p>'
        return (
            '<div class="e-empty"><p>No viva has been held yet.</p><p>Make links on the tab <b>People and links</b> and'
            ' send them to your candidates, or try one yourself on the <a href="../">candidates\' page</a>.</p></div>'
        )
    rows = "".join(_row(line, banks) for line in lines)
    return (
        '<div class="e-scroll"><table class="e-sessions"><caption class="e-hidden">Sessions</caption><thead><tr>'
        '<th scope="col">Candidate</th><th scope="col">Viva</th><th scope="col">Held (UTC)</th><th scope="col">Status'
        '</th><th scope="col" class="e-n">Score</th><th scope="col" class="e-n">Doubt</th><th scope="col">Results</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def titles(discipline: str, area: str | None, banks: Mapping[str, Bank]) -> tuple[str, str]:
    """Titles of a discipline and an area; their keys where the bank is gone."""
    bank = banks.get(discipline)
    if bank is None:
        return discipline, area or ""
    return bank.title, next((found.title for found in bank.areas if found.key == area), area or "")


def _row(line: OverviewLine, banks: Mapping[str, Bank]) -> str:
    discipline, area = titles(line.discipline, line.area, banks)
    name = line.candidate_name or line.pseudonym
    score = "\u2013" if line.score is None else f"{line.score:g} <small>of {line.max_score:g}</small>"
    corrected = f"<br><small>{line.n_corrected} by people</small>" if line.n_corrected else ""
    label, sign, kind = PUBLICATION[line.published]
    status, status_sign, status_kind = STATUS_SIGNS[line.status]
    return (
        f'<tr><th scope="row"><a href="?session={escape(line.id, quote=True)}" data-session="'
        f'{escape(line.id, quote=True)}">{escape(name)}</a><br><small>{escape(line.pseudonym)}</small></th>'
        f'<td data-label="Viva">{escape(area or discipline)}<br><small>{escape(discipline)},'
        f' {escape(line.mode)}</small></td><td data-label="Held">{moment(line.started_at)}</td>'
        f'<td data-label="Status">{badge(status_kind, status, status_sign)}</td>'
        f'<td class="e-n" data-label="Score">{score}{corrected}</td><td class="e-n" data-label="Doubt">'
        f'{_doubt(line.doubt)}</td><td data-label="Results">{badge(kind, label, sign)}</td></tr>'
    )


def _doubt(doubt: float | None) -> str:
    if doubt is None:
        return '<span title="No mark is the judge\'s alone">\u2013</span>'
    text = f"{100 * doubt:.0f} %"
    return f'<b class="e-doubt" title="A mark to look at">! {text}</b>' if doubt >= DOUBTFUL else text
