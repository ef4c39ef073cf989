"""The cohort page: how a group did, how its questions and the judge did, and what is done with all of it at once."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import Any

import gradio as gr

from workbench.reports.cohort_pdf import signed
from workbench.store.cohort_statistics import Agreement, ItemStatistics
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.web.educators import browser, cohort_files, plots
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.delivery import follows
from workbench.web.educators.files import RESEARCH_FORMATS, has_research_formats
from workbench.web.educators.tables import counted, note

ALL = 0
_FEW = 2
"""Vivas from which on a distribution is drawn."""


def build(context: Context) -> None:
    """Builds the page inside its tab."""
    cohort = gr.Dropdown([("All vivas", ALL)], value=ALL, label="Cohort", filterable=False, elem_id="cohort-choice")
    summary = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="cohort-summary")
    drawn = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="cohort-plots")
    with gr.Row(elem_classes="e-actions"):
        publish = gr.Button("Publish all results", variant="primary", elem_id="cohort-publish")
    downloads = cohort_files.build(context, cohort)
    exports = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="cohort-exports")
    with gr.Accordion("Delete this cohort", open=False, visible=False, elem_id="cohort-deletion") as deletion:
        goes = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="cohort-goes")
        vivas_too = gr.Checkbox(
            False, label="Its vivas and recordings too; otherwise they stay, as nobody's", elem_id="cohort-vivas-too"
        )
        name = gr.Textbox(label="Type the cohort's name to confirm", elem_id="cohort-delete-name")
        delete = gr.Button("Delete the cohort", variant="stop", elem_id="cohort-delete")
    with gr.Accordion("Retention: what is due for deletion", open=False):
        days = gr.Slider(0, 90, value=0, step=1, label="Look this many days ahead")
        look = gr.Button("Dry run: show what would go", elem_id="retention-look")
        due = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="retention-due")

    shown = [summary, drawn, exports, publish, deletion, goes, *downloads]

    def choices(wanted: int) -> Any:
        found = context.store.list_cohorts()
        known = wanted if any(one.id == wanted for one in found) else ALL
        labels = [(f"{one.name} ({one.n_sessions} vivas)", one.id) for one in found]
        return gr.update(choices=[("All vivas", ALL), *labels], value=known)

    def show(who: Identity, cohort_id: int) -> list[Any]:
        chosen = cohort_id or None
        waiting, total = _publication(context, chosen)
        return [
            _summary(context, chosen, waiting, total),
            _plots(context, chosen),
            _exports(chosen),
            gr.update(interactive=waiting > 0, value=f"Publish all results ({waiting})"),
            gr.update(visible=chosen is not None),
            "" if chosen is None else _goes(context, chosen),
            *cohort_files.usable(chosen, any_ended=_n_ended(context, chosen) > 0),
        ]

    def start(who: Identity, cohort_id: int) -> list[Any]:
        update = choices(cohort_id)
        return [update, *show(who, update["value"])]

    def publish_all(who: Identity, cohort_id: int) -> list[Any]:
        held = _held(context, cohort_id or None)
        if not held:
            raise StoreError("no ended viva is waiting to be published here")
        done = context.store.publish_results(held, actor=who.login)
        gr.Info(f"{len(done)} results were published.{follows(context.settings)}")
        return show(who, cohort_id)

    def remove(who: Identity, cohort_id: int, typed: str, with_vivas: bool) -> list[Any]:
        if not cohort_id:
            raise StoreError("choose a cohort first; all vivas at once cannot be deleted here")
        found = context.store.load_cohort(cohort_id)
        if typed.strip() != found.name:
            raise StoreError(f"to delete it, type its name exactly: {found.name}")
        n = context.store.delete_cohort(cohort_id, actor=who.login, with_sessions=with_vivas)
        gr.Info(f"The cohort was deleted, and {n} vivas with it.")
        return [choices(ALL), "", False, *show(who, ALL)]

    handler = context.handler
    gr.on(browser.shown(), handler(start), cohort, [cohort, *shown], **QUIET)
    cohort.input(handler(show), cohort, shown, **QUIET)
    publish.click(handler(publish_all), cohort, shown, **QUIET)
    delete.click(handler(remove), [cohort, name, vivas_too], [cohort, name, vivas_too, *shown], **QUIET)
    look.click(handler(lambda who, ahead: _due(context, int(ahead))), days, due, **QUIET)


def _held(context: Context, cohort_id: int | None) -> list[str]:
    """Ended vivas whose candidates wait for their results."""
    cohorts = [cohort_id] if cohort_id is not None else [one.id for one in context.store.list_cohorts()]
    return [
        row.session.id
        for one in cohorts
        for row in context.store.cohort_sessions(one)
        if row.sitting.results_published_at is None and row.session.status != "running"
    ]


def _publication(context: Context, cohort_id: int | None) -> tuple[int, int]:
    cohorts = [cohort_id] if cohort_id is not None else [one.id for one in context.store.list_cohorts()]
    return len(_held(context, cohort_id)), sum(len(context.store.cohort_sessions(one)) for one in cohorts)


def _n_ended(context: Context, cohort_id: int | None) -> int:
    if cohort_id is None:
        return context.store.session_overview(limit=1, status="finished")[1]
    return sum(row.session.status != "running" for row in context.store.cohort_sessions(cohort_id))


def _goes(context: Context, cohort_id: int) -> str:
    row = context.store.load_cohort(cohort_id)
    n_links = len(context.store.list_invitations(cohort_id=cohort_id))
    return note(
        f"Deletes {counted(row.n_candidates, 'candidate')} with names and addresses and {counted(n_links, 'link')} of"
        f" {row.name}, and with the box ticked {counted(row.n_sessions, 'viva')} with everything said, marks and"
        " recordings. This cannot be undone.",
        "bad",
    )


def _summary(context: Context, cohort_id: int | None, waiting: int, total: int) -> str:
    if cohort_id is None:
        people = "Every viva that is kept, from links and from the open page"
    else:
        row = context.store.load_cohort(cohort_id)
        people = f"{row.n_candidates} candidates, {row.n_sessions} vivas"
    return f'<p class="e-count" role="status">{people}; {waiting} of {total} vivas from links wait to be published</p>'


def _plots(context: Context, cohort_id: int | None) -> str:
    store = context.store
    if cohort_id is None:
        results = [line.score for line in _lines(context) if line.score is not None and line.mode != "talk"]
        most = max([120.0, *(line.max_score or 0.0 for line in _lines(context))])
    else:
        rows = [row.result for row in store.cohort_sessions(cohort_id) if row.result is not None]
        results = [row.score for row in rows]
        most = max([120.0, *(row.max_score for row in rows)])
    if not results:
        return (
            '<div class="e-empty"><p><b>No viva has ended here yet.</b></p><p>Send the candidates their links on the'
            " tab <b>People and links</b>, and follow them on the tab <b>Live</b>; the plots come when the"
            " first viva ends.</p></div>"
        )
    parts = [
        plots.distribution(results, most)
        if len(results) >= _FEW
        else _too_few("Scores", f"One viva has ended, with {results[0]:g} of {most:g}; a distribution takes two.")
    ]
    statistics = store.item_statistics(cohort_id)
    labels = {item.question_id: str(place) for place, item in enumerate(statistics, 1)}
    if any(item.discrimination is not None for item in statistics):
        parts.append(plots.items(statistics, labels))
    else:
        parts.append(
            _too_few("Questions", "Discrimination takes three vivas with the same question, and marks that vary.")
        )
    parts.append(_agreement(store.judge_against_human(cohort_id)))
    times = store.time_used(cohort_id)
    by_question: dict[int, list[float]] = defaultdict(list)
    for used in times:
        for number, seconds in used.question_s.items():
            if seconds > 0:  # nothing was heard meanwhile: typed at once, by a program
                by_question[number].append(seconds)
    if by_question:
        minutes = [used.duration_s / 60 for used in times if used.duration_s is not None]
        parts.append(plots.time_used(minutes, by_question))
    return f'<div class="e-figures">{"".join(parts)}</div>{_items_table(context, statistics, labels)}'


def _lines(context: Context) -> list[Any]:
    found: list[Any] = []
    while True:
        lines, total = context.store.session_overview(limit=200, offset=len(found))
        found += lines
        if not lines or len(found) >= total:
            return found


def _agreement(found: Agreement) -> str:
    if found.n == 0:
        return _too_few(
            "Judge against human",
            "Nobody has confirmed or changed a mark yet. Work through some on the tab Moderation; a random share of"
            " them, not only doubtful ones, tells how good the judge is.",
        )
    figure = plots.agreement(found)
    difference = (
        "" if found.mean_difference is None else f"People gave {signed(found.mean_difference)} points on average."
    )
    return figure.replace("</figcaption>", f" {difference}</figcaption>", 1)


def _too_few(title: str, text: str) -> str:
    return f'<div class="e-figure"><h3>{escape(title)}</h3><p class="e-empty">{escape(text)}</p></div>'


def _items_table(context: Context, statistics: tuple[ItemStatistics, ...], labels: dict[str, str]) -> str:
    stems = {
        question.id: question.stem
        for bank in context.banks.values()
        for area in bank.areas
        for question in area.questions
    }
    rows = "".join(
        f"<tr><td class=e-n>{labels[item.question_id]}</td><td>{escape(stems.get(item.question_id, ''))}<br><small>"
        f"{escape(item.question_id)}</small></td><td class=e-n>{item.n}</td><td class=e-n>{item.difficulty:.2f}</td>"
        f"<td class=e-n>{_two(item.discrimination)}</td>"
        f"<td class=e-n>{item.n_correct} / {item.n_partial} / {item.n_incorrect}</td></tr>"
        for item in statistics
    )
    return (
        "<details class=e-log><summary>Every question, the hardest first</summary><div class=e-scroll><table><thead>"
        "<tr>"
        '<th scope="col" class=e-n>No.</th><th scope="col">Question</th><th scope="col" class=e-n>Marks</th>'
        '<th scope="col" class=e-n>Difficulty</th><th scope="col" class=e-n>Discrimination</th>'
        '<th scope="col" class=e-n>Correct / partly / incorrect</th></tr></thead><tbody>'
        f"{rows}</tbody></table></div></details>"
    )


def _two(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.2f}"


def _exports(cohort_id: int | None) -> str:
    query = "" if cohort_id is None else f"?cohort={cohort_id}"
    links = [f'<a href="files/research.jsonl{query}" download>Download as JSON lines</a>']
    if has_research_formats():
        more = "" if cohort_id is None else f"&amp;cohort={cohort_id}"
        links += [
            f'<a href="files/research.zip?format={kind}{more}" download>{label}</a>'
            for kind, label in RESEARCH_FORMATS.items()
        ]
    return f'<p class="e-downloads"><span>For research, without names:</span>{" ".join(links)}</p>'


def _due(context: Context, ahead: int) -> str:
    found = context.store.retention_due(within_days=ahead)
    when = "now" if ahead == 0 else f"within {ahead} days"
    if not found.sessions and not found.candidate_ids:
        return f'<p class="e-empty" role="status">Nothing is due for deletion {when}.</p>'
    rows = "".join(
        f"<tr><td>{escape(one.pseudonym)}</td><td>{escape(one.session_id)}</td><td>{one.started_at[:10]}</td>"
        f"<td>{one.retention_until[:10]}</td></tr>"
        for one in found.sessions
    )
    return (
        f'<p role="status">{len(found.sessions)} vivas and {len(found.candidate_ids)} people are due {when}. Nothing'
        " was deleted; an administrator runs <code>viva sessions purge</code>.</p><div class=e-scroll><table>"
        '<thead><tr><th scope="col">Candidate</th><th scope="col">Session</th><th scope="col">Held</th>'
        f'<th scope="col">Due</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
