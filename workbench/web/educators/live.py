"""The vivas that run now: who, where, whose turn it is and how fast; nothing of the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import gradio as gr

from workbench.exam.items import Bank
from workbench.realtime.watching import Watched
from workbench.store.logins import Identity
from workbench.store.rows import SessionRow
from workbench.web.educators import browser
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.tables import Markup, badge, table

EVERY_S = 2.0
SLOW_MS = 1500.0
"""A reply that takes longer than this is pointed out."""

MAX_SHOWN = 500

FLOORS = {
    "examiner": ("speaking", "plain"),
    "candidate": ("listening", "good"),
    "thinking": ("thinking", "plain"),
    "paused": ("paused", "mid"),
    "closed": ("over", "plain"),
}
HEADINGS = ("Candidate", "Area", "Mode", "Question", "Examiner is", "Last reply after", "Started")


def build(context: Context) -> None:
    """The tab."""
    gr.HTML(
        '<h2 class="edu-title">Running vivas</h2><p class="edu-lede">Renewed every two seconds.</p>',
        apply_default_css=False,
        js_on_load=None,
    )
    shown = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="edu-live")

    def look(who: Identity) -> str:
        sessions = [row for row, _ in context.store.list_sessions(status="running", limit=MAX_SHOWN).sessions]
        return live_table(sessions, context.watch(), context.banks, datetime.now(UTC))

    timer = gr.Timer(EVERY_S, active=False)
    gr.on(browser.shown(), context.handler(look), None, shown, **QUIET)
    browser.when_shown(lambda: gr.Timer(active=True), timer)
    timer.tick(context.handler(look), None, shown, queue=False, **QUIET)


def live_table(
    sessions: Sequence[SessionRow], watched: Mapping[str, Watched], banks: Mapping[str, Bank], now: datetime
) -> str:
    """The running vivas as markup.

    Args:
        sessions: Those the store says are running.
        watched: What this process knows of those it holds.
        banks: Question banks, for titles.
        now: The time.
    """
    rows = [_row(session, watched.get(session.id), banks, now) for session in sessions]
    n_there = sum(1 for session in sessions if session.id in watched and watched[session.id].connected)
    # no live region: it would be read out every two seconds
    counted = f'<p class="edu-lede">{len(sessions)} running, {n_there} connected.</p>' if sessions else ""
    return counted + table(HEADINGS, rows, caption="Running vivas", empty="No viva is running now.")


def _row(session: SessionRow, seen: Watched | None, banks: Mapping[str, Bank], now: datetime) -> tuple[object, ...]:
    bank = banks.get(session.discipline)
    areas = {} if bank is None else {area.key: area.title for area in bank.areas}
    area = "not chosen yet" if session.area is None else areas.get(session.area, session.area)
    where = f"{session.discipline if bank is None else bank.title}: {area}"
    who = session.candidate_name or f"not named ({session.pseudonym})"
    if seen is None:
        return who, where, session.mode, "", badge("not held by this process", "mid"), "", _ago(session, now)
    question = f"{seen.number} of {seen.total}" if seen.number else "before the first"
    word, kind = FLOORS[seen.floor]
    state = badge(word, kind) if seen.connected else badge("connection lost", "bad")
    latency: object = ""
    if seen.latency_ms is not None:
        told = f"{seen.latency_ms / 1000:.2f} s"
        latency = badge(f"{told}, slow", "mid") if seen.latency_ms > SLOW_MS else told
    return who, where, session.mode, question, Markup(state), latency, _ago(session, now)


def _ago(session: SessionRow, now: datetime) -> str:
    minutes = max(0, int((now - session.started_at).total_seconds() // 60))
    passed = "just now" if minutes == 0 else f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"
    return f"{session.started_at:%H:%M} UTC ({passed})"
