"""The candidate's side of a one-time link: what it opens in words, what it fixes, and why it opens nothing."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workbench.exam.items import Bank
from workbench.store import bank_snapshot
from workbench.store.errors import InvitationRefused
from workbench.store.invitations import SLOWER_RATE
from workbench.store.repository import Store
from workbench.store.rows_educators import OpenedInvitation, SittingRow

PARAMETER = "invite"
"""Name of the query parameter that carries a link's token."""

MODES = {
    "practice": "Practice: feedback after each answer",
    "exam": "Exam: feedback at the end",
    "talk": "Talk: free conversation, no marks",
}


@dataclass(frozen=True)
class Link:
    """What a token leads to.

    Attributes:
        opened: What it opens; None when it opens no viva now.
        bank: The questions it is held with, as far as titles and areas go.
        refused: Why it opens none, in words for the candidate.
        sittings: Vivas that were held with it, as far as its holder may know of them.
        reports: Address of the report of those whose results are published, by session.
    """

    opened: OpenedInvitation | None
    bank: Bank | None
    refused: InvitationRefused | None
    sittings: tuple[SittingRow, ...] = ()
    reports: Mapping[str, str] = field(default_factory=dict)


ReadLink = Callable[[str], Link]


def read_link(store: Store, banks: Mapping[str, Bank], mint_report: Callable[[str], str], token: str) -> Link:
    """Looks a token up; raises nothing for one that opens no viva.

    Args:
        store: Where links are.
        banks: Today's question banks.
        mint_report: Makes the token that reads the report of a session.
        token: As it stands in the link.
    """
    sittings = store.link_sittings(token)
    reports = {
        row.session_id: f"api/sessions/{row.session_id}/report?token={mint_report(row.session_id)}"
        for row in sittings
        if row.results_published_at is not None
    }
    try:
        opened = store.open_invitation(token)
    except InvitationRefused as error:
        return Link(None, None, error, sittings, reports)
    pinned = store.invitation_bank(opened.invitation.id)
    bank = bank_snapshot.from_text(pinned) if pinned is not None else banks.get(opened.invitation.discipline)
    return Link(opened, bank, None, sittings, reports)


def fixed_options(opened: OpenedInvitation) -> tuple[dict[str, Any], dict[str, bool]]:
    """Values of `VivaOptions` and of the page that the link fixes, whatever the form says."""
    options = {name: value for name, value in opened.grants.items() if name not in ("invitation", "seed")}
    candidate = opened.candidate
    if candidate is None:
        return options, {}
    # typing instead of speaking is always open to whoever has no working microphone
    return options, {"captions": candidate.captions, "typed": candidate.typed_answers}


def card(link: Link) -> str:
    """What the link opens: discipline, area, mode, who, when, how often, and what was arranged for the candidate."""
    opened = link.opened
    assert opened is not None
    row, candidate = opened.invitation, opened.candidate
    rows = [("Discipline", row.discipline if link.bank is None else link.bank.title)]
    if row.area is not None:
        titles = {} if link.bank is None else {area.key: area.title for area in link.bank.areas}
        rows.append(("Area", titles.get(row.area, row.area)))
    rows.append(("Mode", MODES[row.mode]))
    if candidate is not None:
        rows.append(("Name", candidate.name))
    if opened.cohort is not None:
        rows.append(("Group", opened.cohort))
    shown = [(label, html.escape(text)) for label, text in rows]
    if row.closes_at is not None:
        shown.append(("Start before", moment(row.closes_at)))
    shown.append(("Attempts left", str(opened.attempts_left)))
    if arranged := _arranged(opened):
        shown.append(("Arranged for you", html.escape(arranged)))
    results = "are shown at the end" if row.show_results else "can be read once your examiners have published them"
    keep = "" if candidate is None else "; this link shows them then. Keep it"
    facts = "".join(f"<div><dt>{label}</dt><dd>{text}</dd></div>" for label, text in shown)
    return (
        f'<div class="viva-invited" id="viva-invited"><dl>{facts}</dl>'
        f"<p>Your results {results}{keep}.</p>{_results(link)}</div>"
    )


def refusal(link: Link) -> str:
    """Why the link opens no viva, and what became of those that were held with it."""
    assert link.refused is not None
    heading = {
        "used": "This link has been used",
        "revoked": "This link was withdrawn",
        "not_yet": "It is not time yet",
        "expired": "The time for this link is over",
    }.get(link.refused.code, "This link is not known here")
    return (
        f'<div class="viva-invited viva-invited-refused" id="viva-invited" role="status"><h2>{heading}</h2>'
        # the heading says the first sentence already
        f"<p>{html.escape(str(link.refused).removeprefix(f'{heading}. '))}</p>{_results(link)}</div>"
    )


def _results(link: Link) -> str:
    lines = []
    for sitting in link.sittings:
        which = "Your viva" if len(link.sittings) == 1 else f"Attempt {sitting.attempt}"
        url = link.reports.get(sitting.session_id)
        if url is not None:
            address = html.escape(url, quote=True)
            lines.append(f'<li>{which}: <a href="{address}" target="_blank" rel="noopener">open your report</a></li>')
        else:
            lines.append(f"<li>{which}: the results have not been published yet.</li>")
    return f'<ul class="viva-invited-results">{"".join(lines)}</ul>' if lines else ""


def moment(at: datetime) -> str:
    """A point in time as markup; the page's script puts it into the reader's own time zone."""
    return f'<time datetime="{at.isoformat()}">{at.day} {at:%B %Y, %H:%M} UTC</time>'


def _arranged(opened: OpenedInvitation) -> str:
    candidate = opened.candidate
    if candidate is None:
        return ""
    parts = []
    if candidate.extra_time > 1:
        parts.append(f"{candidate.extra_time:g} times the usual time")
    if candidate.typed_answers:
        parts.append("answers may be typed")
    if candidate.slower_voice:
        parts.append(f"the examiner speaks more slowly ({SLOWER_RATE:.0%})")
    return ", ".join(parts)
