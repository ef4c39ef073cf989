"""The moderation queue: the most doubtful mark with its evidence, to confirm, change or skip; by mouse or by key."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.store import reporting
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.rows_educators import DoubtfulMark
from workbench.web.educators import browser, mark_form, session_list, session_view
from workbench.web.educators.context import QUIET, Context

LOOKED_AT = 500
"""Marks read at once; a queue that is longer says so."""

DOUBTS = [("Every mark", 0.0), ("Doubt of 10 % or more", 0.1), ("30 % or more", 0.3), ("50 % or more", 0.5)]

_EMPTY = """<div class="e-empty"><p><b>Nothing is waiting here.</b></p>
<p>Marks come into this queue when a viva ends; a mark leaves it when somebody confirms or changes it. Choose
<i>Every mark</i> or <i>All vivas</i> above to see those you left out, or open a session on the tab <b>Sessions</b>.</p>
</div>
"""

Place = tuple[str, int]
"""Session and number of a question."""


def build(context: Context) -> None:
    """Builds the page inside its tab."""
    skipped = gr.State([])
    done = gr.State([])
    at = gr.State(None)
    with gr.Column(elem_id="moderation-queue"):
        with gr.Row(elem_classes="e-filters"):
            cohort = gr.Dropdown([("All vivas", 0)], value=0, label="Cohort", filterable=False)
            doubt = gr.Dropdown(DOUBTS, value=0.0, label="Doubt", filterable=False)
        left = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="moderation-left")
        with gr.Row(equal_height=False, elem_classes="e-two"):
            with gr.Column(scale=3, min_width=300):
                card = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="moderation-card")
            with gr.Column(scale=2, min_width=280, elem_classes="e-form") as panel:
                gr.HTML("<h3>Your mark</h3>", apply_default_css=False, js_on_load=None)
                form = mark_form.build_form("moderation-mark", keys=True)
                skip = gr.Button("Skip for now (S)", elem_id="moderation-skip")
                gr.HTML(
                    '<p class="e-hint e-keys">Keys: C confirms, E goes to the form, S skips, U takes the last decision'
                    " back. They work while no field is being typed in; Ctrl+Enter in the reason changes the mark.</p>",
                    apply_default_css=False,
                    js_on_load=None,
                )

    shown = [left, card, panel, at, *form.fields, form.undo]
    filters = [cohort, doubt, skipped, done]

    def next_one(who: Identity, cohort_id: int, least: float, passed: list[Any], decided: list[Any]) -> list[Any]:
        queue = context.store.moderation_queue(LOOKED_AT, min_doubt=least, cohort_id=cohort_id or None)
        over = {tuple(place) for place in passed}
        waiting = [mark for mark in queue if (mark.session_id, mark.number) not in over]
        counted = _left(len(queue), len(queue) - len(waiting))
        undo = gr.update(interactive=bool(decided))
        if not waiting:
            nothing = _skipped_all(len(queue)) if queue else _EMPTY
            return [counted, nothing, gr.update(visible=bool(decided)), None, *mark_form.filled(None, None), undo]
        mark = waiting[0]
        return [
            counted,
            _card(context, who, mark),
            gr.update(visible=True),
            (mark.session_id, mark.number),
            *mark_form.filled(mark.verdict, mark.points),
            undo,
        ]

    def start(who: Identity, cohort_id: int, least: float, passed: list[Any], decided: list[Any]) -> list[Any]:
        cohorts = [("All vivas", 0), *((one.name, one.id) for one in context.store.list_cohorts())]
        known = cohort_id if any(key == cohort_id for _, key in cohorts) else 0
        return [gr.update(choices=cohorts, value=known), *next_one(who, known, least, passed, decided)]

    def anew(who: Identity, cohort_id: int, least: float, decided: list[Any]) -> list[Any]:
        return [[], *next_one(who, cohort_id, least, [], decided)]

    def confirm(who: Identity, place: Place | None, *values: Any) -> list[Any]:
        session_id, number = _needed(place)
        context.store.confirm_mark(session_id, number, actor=who.login)
        return after(who, (session_id, number), *values)

    def change(who: Identity, place: Place | None, *values: Any) -> list[Any]:
        (session_id, number), (verdict, points, reason) = _needed(place), values[:3]
        mark_form.override(context.store, who, session_id, number, verdict, points, reason)
        return after(who, (session_id, number), *values[3:])

    def after(
        who: Identity, place: Place, cohort_id: int, least: float, passed: list[Any], decided: list[Any]
    ) -> list[Any]:
        known = [*decided, place]
        return [known, *next_one(who, cohort_id, least, passed, known)]

    def pass_over(
        who: Identity, place: Place | None, cohort_id: int, least: float, passed: list[Any], decided: list[Any]
    ) -> list[Any]:
        over = [*passed, _needed(place)]
        return [over, *next_one(who, cohort_id, least, over, decided)]

    def undo(who: Identity, cohort_id: int, least: float, passed: list[Any], decided: list[Any]) -> list[Any]:
        if not decided:
            raise StoreError("there is nothing to take back: nothing was decided since this page was opened")
        session_id, number = decided[-1]
        context.store.undo_override(session_id, number, actor=who.login)
        gr.Info("Taken back: that mark is the judge's again and waits in the queue.")
        known = decided[:-1]
        # what was taken back is shown at once, also when it had been passed over before
        passed = [one for one in passed if tuple(one) != (session_id, number)]
        values = next_one(who, cohort_id, least, passed, known)
        for mark in context.store.moderation_queue(LOOKED_AT, min_doubt=least, cohort_id=cohort_id or None):
            if (mark.session_id, mark.number) == (session_id, number):
                values[1:4] = [_card(context, who, mark), gr.update(visible=True), (session_id, number)]
                values[4:7] = mark_form.filled(mark.verdict, mark.points)
        return [known, passed, *values]

    handler = context.handler
    gr.on(browser.shown(), handler(start), filters, [cohort, *shown], **QUIET)
    for one in (cohort, doubt):
        one.input(handler(anew), [cohort, doubt, done], [skipped, *shown], **QUIET)
    once: dict[str, Any] = {**QUIET, "trigger_mode": "once"}
    form.confirm.click(handler(confirm), [at, *filters], [done, *shown], **once)
    form.change.click(handler(change), [at, *form.fields, *filters], [done, *shown], **once)
    skip.click(handler(pass_over), [at, *filters], [skipped, *shown], **once)
    form.undo.click(handler(undo), filters, [done, skipped, *shown], **once)


def _needed(place: Place | None) -> Place:
    if place is None:
        raise StoreError("no mark is shown; choose another cohort or doubt")
    return str(place[0]), int(place[1])


def _left(n: int, n_skipped: int) -> str:
    more = " or more" if n == LOOKED_AT else ""
    passed = f", {n_skipped} of them skipped" if n_skipped else ""
    return f'<p class="e-left" role="status"><b>{n}{more}</b> marks left to look at{passed}</p>'


def _skipped_all(n: int) -> str:
    return (
        f'<div class="e-empty"><p><b>You skipped the {n} that are left.</b></p><p>Choose a cohort or a doubt above to'
        " begin again with them.</p></div>"
    )


def _card(context: Context, who: Identity, mark: DoubtfulMark) -> str:
    data = context.store.load_session(mark.session_id)
    report = reporting.build(data, context.banks)
    context.store.note_access(who.login, mark.session_id, "moderation")
    question = next(one for one in report.questions if one.number == mark.number)
    discipline, area = session_list.titles(mark.discipline, mark.area, context.banks)
    token = context.mint_reader(mark.session_id, who.login) if data.recording is not None else None
    history = [one for one in data.marks if one.number == mark.number]
    title = f"{mark.pseudonym} \u00b7 {discipline}: {area} \u00b7 doubt {100 * mark.doubt:.0f} %"
    return session_view.question_card(question, history, session_id=mark.session_id, token=token, title=title)
