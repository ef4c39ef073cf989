"""The sessions page: every viva that is kept, and one of them opened to be heard, corrected and published."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context as GradioContext

from workbench.exam.items import Bank
from workbench.exam.report_data import QuestionReport, Report
from workbench.store import recordings, reporting
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.rows import SessionData
from workbench.web.educators import mark_form, session_list, session_view
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.delivery import follows

PAGE = 25
N_PEAKS = 900

STATUSES = [("Any status", ""), ("Finished", "finished"), ("Stopped early", "stopped"), ("Abandoned", "abandoned"),
            ("Running", "running")]  # fmt: skip
RESULTS = [("Any", ""), ("Not published", "held"), ("Published", "published"), ("Shown at once", "open")]
ORDERS = [("Newest first", "newest"), ("Most doubtful first", "doubt"), ("Highest score first", "score")]

# the list's links work without this: they open the page anew
_OPEN_JS = """
element.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-session]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  trigger('click', { session: link.dataset.session });
});
"""


def build(context: Context) -> None:
    """Builds the page inside its tab."""
    banks, tab = context.banks, GradioContext.block
    chosen = gr.State("")
    place = gr.State(0)
    with gr.Column(elem_id="sessions-list") as listing:
        with gr.Row(elem_classes="e-filters"):
            text = gr.Textbox(label="Search", placeholder="Name or id", lines=1, max_lines=1, elem_id="sessions-search")
            discipline = gr.Dropdown(_disciplines(banks), value="", label="Discipline", filterable=False)
            area = gr.Dropdown([("Any area", "")], value="", label="Area", filterable=False)
            status = gr.Dropdown(STATUSES, value="", label="Status", filterable=False)
            results = gr.Dropdown(RESULTS, value="", label="Results", filterable=False)
            order = gr.Dropdown(ORDERS, value="newest", label="Order", filterable=False)
        table = gr.HTML(apply_default_css=False, js_on_load=_OPEN_JS, elem_id="sessions-table")
        with gr.Row(elem_classes="e-pager"):
            before = gr.Button("Earlier page", size="sm", visible=False)
            count = gr.HTML(apply_default_css=False, js_on_load=None)
            after = gr.Button("Next page", size="sm", visible=False)
    with gr.Column(visible=False, elem_id="session-detail") as detail:
        with gr.Row(elem_classes="e-actions"):
            back = gr.Button("\u2190 All sessions", size="sm", elem_id="session-back")
        head = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="session-head")
        with gr.Row(elem_classes="e-actions"):
            publish = gr.Button("Publish the results", variant="primary", elem_id="session-publish")
            hide = gr.Button("Hide the results again", elem_id="session-hide")
        player = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="session-player")
        number = gr.Radio([], label="Question", elem_id="session-number")
        with gr.Row(equal_height=False, elem_classes="e-two"):
            with gr.Column(scale=3, min_width=300):
                card = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="session-question")
            with gr.Column(scale=2, min_width=280, elem_classes="e-form"):
                gr.HTML("<h3>Correct this mark</h3>", apply_default_css=False, js_on_load=None)
                form = mark_form.build_form("session-mark")
        log = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="session-log")
        with gr.Accordion("Delete this session", open=False):
            sure = gr.Checkbox(
                False, label="Delete everything said in it, its marks and its recording. This cannot be undone."
            )
            delete = gr.Button("Delete the session", variant="stop", elem_id="session-delete")

    filters = [text, discipline, area, status, results, order]
    listed = [table, count, before, after, place]

    def find(who: Identity, offset: int, *values: str) -> list[Any]:
        wanted = dict(zip(("text", "discipline", "area", "status", "published", "order"), values, strict=True))
        given: dict[str, Any] = {key: value for key, value in wanted.items() if value}
        lines, total = context.store.session_overview(limit=PAGE, offset=offset, **given)
        searched = any(value for key, value in wanted.items() if key != "order")
        shown = f"{offset + 1} to {offset + len(lines)} of {total}" if lines else ""
        return [
            session_list.as_table(lines, banks, searched=searched),
            f'<p class="e-count" role="status">{shown}</p>',
            gr.update(visible=offset > 0),
            gr.update(visible=offset + len(lines) < total),
            offset,
        ]

    def first(who: Identity, *values: str) -> list[Any]:
        return find(who, 0, *values)

    def move(step: int) -> Any:
        def moved(who: Identity, offset: int, *values: str) -> list[Any]:
            return find(who, max(0, offset + step), *values)

        return context.handler(moved)

    def areas(who: Identity, key: str) -> Any:
        found = [(one.title, one.key) for one in banks[key].areas] if key in banks else []
        return gr.update(choices=[("Any area", ""), *found], value="")

    opened = [listing, detail, chosen, head, player, number, card, *form.fields, form.undo, form.confirm]
    opened += [publish, hide, log]

    def show(who: Identity, session_id: str, wanted: int | None = None, *, whole: bool = True) -> list[Any]:
        data = context.store.load_session(session_id)
        report = reporting.build(data, banks)
        if whole:
            context.store.note_access(who.login, session_id, "detail")
        token = context.mint_reader(session_id, who.login)
        asked = [question.number for question in report.questions]
        selected = wanted if wanted in asked else (_most_doubtful(report) if asked else None)
        sitting = context.store.sitting(session_id)
        state = session_view.published_state(sitting)
        ended = data.session.status != "running"
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            session_id,
            session_view.head(data, report, sitting, token),
            _player(data, token) if whole else gr.skip(),
            gr.update(
                choices=[_choice(question) for question in report.questions], value=selected, visible=bool(asked)
            ),
            *_question(data, report, selected, token),
            gr.update(visible=state == "held" and ended),
            gr.update(visible=state == "published"),
            _log(context, session_id),
        ]

    def from_list(who: Identity, event: gr.EventData) -> list[Any]:
        return show(who, str(event.session))

    def from_address(who: Identity, request: gr.Request) -> list[Any]:
        session_id = dict(request.query_params).get("session", "")
        return show(who, session_id) if session_id else [gr.skip() for _ in opened]

    def choose(who: Identity, session_id: str, wanted: int | None) -> list[Any]:
        data = context.store.load_session(session_id)
        token = context.mint_reader(session_id, who.login)
        return _question(data, reporting.build(data, banks), wanted, token)

    def change(
        who: Identity, session_id: str, wanted: int | None, verdict: str | None, points: float, reason: str
    ) -> list[Any]:
        said = mark_form.override(context.store, who, session_id, _needed(wanted), verdict, points, reason)
        gr.Info(f"{said} The result was summed up again.")
        return show(who, session_id, wanted, whole=False)

    def confirm(who: Identity, session_id: str, wanted: int | None) -> list[Any]:
        context.store.confirm_mark(session_id, _needed(wanted), actor=who.login)
        gr.Info(f"Question {wanted}: confirmed.")
        return show(who, session_id, wanted, whole=False)

    def undo(who: Identity, session_id: str, wanted: int | None) -> list[Any]:
        mark = context.store.undo_override(session_id, _needed(wanted), actor=who.login)
        back = "not marked" if mark is None else f"{mark.evaluation.verdict}, {mark.evaluation.points:g} points"
        gr.Info(f"Question {wanted}: back to {back}.")
        return show(who, session_id, wanted, whole=False)

    def make_public(who: Identity, session_id: str, wanted: int | None) -> list[Any]:
        context.store.publish_results([session_id], actor=who.login)
        gr.Info(f"Published: the candidate's link now shows the results.{follows(context.settings)}")
        return show(who, session_id, wanted, whole=False)

    def make_private(who: Identity, session_id: str, wanted: int | None) -> list[Any]:
        context.store.hide_results([session_id], actor=who.login)
        gr.Info("Hidden again. What the candidate saved they keep.")
        return show(who, session_id, wanted, whole=False)

    def remove(who: Identity, session_id: str, agreed: bool, *values: str) -> list[Any]:
        if not agreed:
            raise StoreError("tick the box first: a deleted session cannot be brought back")
        if context.store.load_session(session_id).session.status == "running":
            raise StoreError("this viva is still running; delete it when it has ended")
        context.store.delete_session(session_id, actor=who.login)
        gr.Info("The session and its recording were deleted.")
        return [gr.update(visible=True), gr.update(visible=False), "", False, *find(who, 0, *values)]

    def close(who: Identity, offset: int, *values: str) -> list[Any]:
        return [gr.update(visible=True), gr.update(visible=False), "", *find(who, offset, *values)]

    handler = context.handler
    narrowed = discipline.change(handler(areas), discipline, area, **QUIET)
    narrowed.then(handler(first), filters, listed, **QUIET)
    for one in (area, status, results, order):
        one.input(handler(first), filters, listed, **QUIET)
    text.change(handler(first), filters, listed, trigger_mode="always_last", **QUIET)
    before.click(move(-PAGE), [place, *filters], listed, **QUIET)
    after.click(move(PAGE), [place, *filters], listed, **QUIET)
    context.on_load(handler(first), filters, listed).then(context.request_handler(from_address), None, opened, **QUIET)
    # vivas end while the page is open: whoever turns back to the tab sees them
    if isinstance(tab, gr.Tab):
        tab.select(handler(find), [place, *filters], listed, **QUIET)
    table.click(context.event_handler(from_list), None, opened, js=None, **QUIET).then(
        None, None, None, js="() => window.scrollTo({ top: 0 })"
    )
    number.input(handler(choose), [chosen, number], [card, *form.fields, form.undo, form.confirm], **QUIET)
    form.change.click(handler(change), [chosen, number, *form.fields], opened, **QUIET)
    form.confirm.click(handler(confirm), [chosen, number], opened, **QUIET)
    form.undo.click(handler(undo), [chosen, number], opened, **QUIET)
    publish.click(handler(make_public), [chosen, number], opened, **QUIET)
    hide.click(handler(make_private), [chosen, number], opened, **QUIET)
    delete.click(handler(remove), [chosen, sure, *filters], [listing, detail, chosen, sure, *listed], **QUIET)
    back.click(handler(close), [place, *filters], [listing, detail, chosen, *listed], **QUIET)


def _disciplines(banks: Mapping[str, Bank]) -> list[tuple[str, str]]:
    return [("Any discipline", ""), *((bank.title, key) for key, bank in banks.items())]


def _needed(number: int | None) -> int:
    if number is None:
        raise StoreError("choose a question first")
    return int(number)


def _choice(question: QuestionReport) -> tuple[str, int]:
    sign = session_view.VERDICTS[question.verdict or "unmarked"][1]
    points = "" if question.points is None else f" {question.points:g}"
    return f"{question.number} {sign}{points}", question.number


def _most_doubtful(report: Report) -> int:
    return min(report.questions, key=lambda one: (one.confidence is None, one.confidence or 0.0, one.number)).number


def _question(data: SessionData, report: Report, number: int | None, token: str) -> list[Any]:
    """The card of a question and what the form shows of it."""
    question = next((one for one in report.questions if one.number == number), None)
    if question is None:
        empty = '<p class="e-empty">No question was asked in this session.</p>'
        return [empty, *mark_form.filled(None, None), gr.update(interactive=False), gr.update(interactive=False)]
    history = [mark for mark in data.marks if mark.number == number]
    counts = data.marks_that_count.get(question.number)
    changed = counts is not None and counts.rater != "judge"
    card = session_view.question_card(
        question, history, session_id=data.session.id, token=token if data.recording is not None else None
    )
    return [
        card,
        *mark_form.filled(question.verdict, question.points),
        gr.update(interactive=changed),
        gr.update(interactive=counts is not None and not changed),
    ]


def _player(data: SessionData, token: str) -> str:
    if data.recording is None:
        return session_view.player(data, None, 0.0, token)
    try:
        found = recordings.open_recording(data.recording)
        peaks = recordings.peaks(data.recording, N_PEAKS)
    except StoreError as error:
        return f'<p class="e-empty" role="alert">{escape(str(error))}</p>' + session_view.player(data, None, 0.0, token)
    return session_view.player(data, peaks.tolist(), found.duration_s, token)


def _log(context: Context, session_id: str) -> str:
    rows = "".join(
        f"<tr><td>{session_view.moment(row.at)}</td><td>{escape(row.actor)}</td><td>{escape(row.action)}</td>"
        f"<td>{escape(', '.join(f'{key} {value}' for key, value in row.detail.items() if value is not None))}</td></tr>"
        for row in context.store.audit_log(session_id)
    )
    return (
        "<details class=e-log><summary>Audit log: who did what to this session</summary><div class=e-scroll><table>"
        '<thead><tr><th scope="col">When (UTC)</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">'
        f"Detail</th></tr></thead><tbody>{rows}</tbody></table></div></details>"
    )
