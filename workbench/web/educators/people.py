"""Candidates, cohorts and one-time links: a list comes in, links go out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from workbench.exam.items import Bank
from workbench.store import bank_snapshot
from workbench.store.candidate_csv import MAX_CHARS, TEMPLATE
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.rows_educators import CohortSession
from workbench.web.educators import browser
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.people_view import (
    candidates_table,
    import_preview,
    link_entry,
    link_name,
    links_table,
)
from workbench.web.educators.tables import counted, note, when
from workbench.web.page import offered_first

ANY_AREA = ""
MODES = [("Exam: feedback at the end", "exam"), ("Practice: feedback after each answer", "practice")]


@dataclass(frozen=True)
class LinkForm:
    """The form of the links, as it was filled in; moments are seconds since 1970."""

    discipline: str
    area: str
    mode: str
    opens: float | None
    closes: float | None
    attempts: float
    chosen: Sequence[int]
    show_results: bool


def build(context: Context) -> None:
    """The tab."""
    store = context.store
    with gr.Row(equal_height=False, elem_classes="edu-row"):
        cohort = gr.Dropdown(label="Cohort", choices=[], value=None, elem_id="edu-cohort", scale=2)
        new_name = gr.Textbox(
            label="New cohort", max_length=120, placeholder="Year 4, spring", elem_id="edu-new-cohort", scale=2
        )
        make_cohort = gr.Button("Make cohort", elem_id="edu-make-cohort", scale=1, min_width=120)
    candidates = _html("edu-candidates")
    with gr.Accordion("Delete a candidate", open=False, visible=False, elem_id="edu-candidate-deletion") as deletion:
        gone = gr.Dropdown(label="Candidate", choices=[], value=None, elem_id="edu-candidate-gone")
        goes = _html("edu-candidate-goes")
        sure = gr.Checkbox(False, label="I have read what will be deleted", elem_id="edu-candidate-sure")
        delete = gr.Button("Delete the candidate", variant="stop", elem_id="edu-candidate-delete")

    _part("Add candidates", "Upload a list or paste it; rows of people already there are brought up to date.")
    with gr.Row(equal_height=False):
        pasted = gr.Textbox(
            label="List as CSV, the heading line first",
            lines=6,
            max_lines=14,
            placeholder=TEMPLATE,
            elem_id="edu-csv",
            scale=3,
        )
        with gr.Column(scale=1, min_width=240):
            upload = gr.File(
                label="Or upload a file",
                file_types=[".csv", ".tsv", ".txt"],
                type="filepath",
                height=170,
                elem_id="edu-csv-file",
            )
            template = gr.Button("Download a template", size="md")
    with gr.Row():
        preview = gr.Button("Preview", elem_id="edu-preview")
        save = gr.Button("Save the list", variant="primary", interactive=False, elem_id="edu-save")
    previewed = _html("edu-preview-result")

    _part("Make links", "One link for each candidate; each is shown once. What is set here cannot be changed by them.")
    with gr.Row(equal_height=False):
        discipline = gr.Dropdown(label="Discipline", choices=[], elem_id="edu-link-discipline", min_width=240)
        area = gr.Dropdown(label="Area", choices=[], elem_id="edu-link-area", min_width=240)
        mode = gr.Dropdown(MODES, value="exam", label="Mode", filterable=False, elem_id="edu-link-mode")
    with gr.Row(equal_height=False):
        opens = gr.DateTime(label="Opens (UTC), empty for at once", timezone="UTC", elem_id="edu-opens", min_width=260)
        closes = gr.DateTime(label="Closes (UTC), empty for never", timezone="UTC", elem_id="edu-closes", min_width=260)
        attempts = gr.Number(1, label="Attempts", precision=0, minimum=1, maximum=1000, elem_id="edu-attempts")
    chosen = gr.Dropdown(label="For these candidates only; empty for all", choices=[], multiselect=True, value=[])
    show_results = gr.Checkbox(False, label="Show results at once, without publishing them")
    make_links = gr.Button("Make links", variant="primary", elem_id="edu-make-links")
    gr.HTML('<div id="edu-new-links" class="edu-links"></div>', apply_default_css=False, js_on_load=None)

    _part("Links of this cohort", "A revoked link opens nothing any more; a new address replaces one that was lost.")
    links = _html("edu-links")
    with gr.Row(equal_height=False, elem_classes="edu-row"):
        picked = gr.Dropdown(label="Links", choices=[], multiselect=True, value=[], scale=3, elem_id="edu-picked")
        revoke = gr.Button("Revoke", variant="stop", scale=1, min_width=120, elem_id="edu-revoke")
        renew = gr.Button("New address", scale=1, min_width=120, elem_id="edu-renew")
    made, file = browser.carrier(), browser.carrier()

    def cohorts_now(value: int | None) -> Any:
        rows = store.list_cohorts()
        known = [row.id for row in rows]
        value = value if value in known else (known[0] if known else None)
        return gr.update(choices=[(f"{row.name} ({row.n_candidates})", row.id) for row in rows], value=value)

    def shown_of(cohort_id: int | None) -> list[Any]:
        people = store.list_candidates(cohort_id) if cohort_id else ()
        made_links = store.list_invitations(cohort_id=cohort_id) if cohort_id else ()
        now = datetime.now(UTC)
        return [
            candidates_table(people) if cohort_id else note("Make a cohort to begin with."),
            gr.update(visible=bool(people)),
            gr.update(choices=[(person.name, person.id) for person in people], value=None),
            "",
            False,
            gr.update(choices=[(person.name, person.id) for person in people], value=[]),
            links_table(made_links, context.banks, now),
            gr.update(choices=[(link_name(row), row.id) for row in made_links if row.revoked_at is None], value=[]),
        ]

    shown = [candidates, deletion, gone, goes, sure, chosen, links, picked]

    def look(who: Identity, cohort_id: int | None, key: str | None) -> list[Any]:
        banks = context.banks
        key = key if key in banks else offered_first(banks) if banks else None
        disciplines = gr.update(choices=[(bank.title, name) for name, bank in banks.items()], value=key)
        update = cohorts_now(cohort_id)
        return [update, disciplines, _areas(banks.get(key or "")), *shown_of(update["value"])]

    def add_cohort(who: Identity, name: str) -> list[Any]:
        row = store.create_cohort(name or "", actor=who.login)
        return [cohorts_now(row.id), "", *shown_of(row.id)]

    def read_upload(who: Identity, path: str | None) -> tuple[str, None]:
        _, data = browser.take_upload(path, MAX_CHARS * 4)
        return _decoded(data), None

    def preview_list(who: Identity, cohort_id: int | None, text: str) -> list[Any]:
        found = store.import_candidates(_cohort(cohort_id), text or "", actor=who.login, dry_run=True)
        return [import_preview(found), gr.update(interactive=bool(found.added or found.updated))]

    def save_list(who: Identity, cohort_id: int | None, text: str) -> list[Any]:
        done = store.import_candidates(_cohort(cohort_id), text or "", actor=who.login, dry_run=False)
        told = import_preview(done)
        return [told, gr.update(interactive=False), "", cohorts_now(cohort_id), *shown_of(cohort_id)]

    def invite(who: Identity, cohort_id: int | None, *values: Any) -> list[Any]:
        row = store.load_cohort(_cohort(cohort_id))
        new = make_invitations(context, row.id, LinkForm(*values), who.login)
        listed = [link_entry(one.invitation, one.token) for one in new]
        return [json.dumps({"cohort": row.id, "links": listed}), *shown_of(row.id)]

    def withdraw(who: Identity, cohort_id: int | None, ids: list[int]) -> list[Any]:
        for invitation_id in _picked(ids):
            store.revoke_invitation(invitation_id, actor=who.login)
        gr.Info(f"{len(ids)} revoked.")
        return shown_of(cohort_id)

    def replace_token(who: Identity, cohort_id: int | None, ids: list[int]) -> list[Any]:
        new = [store.renew_invitation(invitation_id, actor=who.login) for invitation_id in _picked(ids)]
        listed = [link_entry(one.invitation, one.token) for one in new]
        return [json.dumps({"cohort": _cohort(cohort_id), "links": listed}), *shown_of(cohort_id)]

    def what_goes(who: Identity, candidate_id: int | None) -> list[Any]:
        return ["" if candidate_id is None else goes_with(context, candidate_id), False]

    def delete_one(who: Identity, cohort_id: int | None, candidate_id: int | None, agreed: bool) -> list[Any]:
        if candidate_id is None:
            raise StoreError("no candidate is chosen")
        if not agreed:
            raise StoreError("tick the box first: a deleted candidate cannot be brought back")
        running = [row for row in _vivas_of(context, candidate_id) if row.session.status == "running"]
        if running:
            raise StoreError("this candidate's viva is still running; delete them when it has ended")
        n = store.delete_candidate(candidate_id, actor=who.login)
        gr.Info(f"Deleted, and {n} vivas with their recordings.")
        return [cohorts_now(cohort_id), *shown_of(cohort_id)]

    def template_file(who: Identity) -> str:
        return browser.file_for_browser("candidates.csv", TEMPLATE.encode(), "text/csv")

    on = context.handler
    form = [discipline, area, mode, opens, closes, attempts, chosen, show_results]
    gr.on(browser.shown(), on(look), [cohort, discipline], [cohort, discipline, area, *shown], **QUIET)
    cohort.input(on(lambda who, cohort_id: shown_of(cohort_id)), cohort, shown, **QUIET)
    discipline.input(on(lambda who, key: _areas(context.banks.get(key))), discipline, area, **QUIET)
    gr.on(
        [make_cohort.click, new_name.submit],
        on(add_cohort),
        new_name,
        [cohort, new_name, *shown],
        **QUIET,
    )
    upload.upload(on(read_upload), upload, [pasted, upload], **QUIET).success(
        on(preview_list), [cohort, pasted], [previewed, save], **QUIET
    )
    preview.click(on(preview_list), [cohort, pasted], [previewed, save], **QUIET)
    pasted.input(lambda: gr.update(interactive=False), None, save, **QUIET)
    save.click(on(save_list), [cohort, pasted], [previewed, save, pasted, cohort, *shown], **QUIET)
    template.click(on(template_file), None, file, **QUIET).success(None, file, None, js=browser.DOWNLOAD)
    for button, work in ((make_links, invite), (renew, replace_token)):
        inputs = [cohort, *form] if button is make_links else [cohort, picked]
        done = button.click(on(work), inputs, [made, *shown], **QUIET)
        # the tokens leave the page's state as soon as they are drawn
        done.success(None, made, None, js=browser.SHOW_LINKS).then(lambda: "", None, made, **QUIET)
    revoke.click(on(withdraw), [cohort, picked], shown, **QUIET)
    gone.input(on(what_goes), gone, [goes, sure], **QUIET)
    delete.click(on(delete_one), [cohort, gone, sure], [cohort, *shown], **QUIET)


def make_invitations(context: Context, cohort_id: int, form: LinkForm, actor: str) -> Any:
    """Makes links that ask today's questions, also when newer ones are published meanwhile.

    Raises:
        StoreError: A value does not fit.
    """
    bank = context.banks.get(form.discipline)
    if bank is None:
        raise StoreError(f"no discipline {form.discipline!r}; choose one of {', '.join(sorted(context.banks))}")
    keys = [area.key for area in bank.areas]
    if form.area and form.area not in keys:
        raise StoreError(f"{bank.title} has no area {form.area!r}; choose one of {', '.join(keys)}")
    if form.attempts is None or form.attempts != int(form.attempts):
        raise StoreError(f"attempts {form.attempts}: give a whole number from 1")
    bank_id = context.store.publish_bank(bank.discipline, bank.version, bank_snapshot.to_text(bank))
    return context.store.create_invitations(
        discipline=bank.discipline,
        area=form.area or None,
        mode=form.mode,  # type: ignore[arg-type]
        cohort_id=cohort_id,
        candidate_ids=list(form.chosen) or None,
        opens_at=_moment(form.opens),
        closes_at=_moment(form.closes),
        attempts=int(form.attempts),
        show_results=bool(form.show_results),
        bank_id=bank_id,
        actor=actor,
    )


def goes_with(context: Context, candidate_id: int) -> str:
    """What is deleted with a candidate, counted."""
    person = context.store.load_candidate(candidate_id)
    n_links = len(context.store.list_invitations(candidate_id=candidate_id))
    vivas = _vivas_of(context, candidate_id)
    held = "" if not vivas else f" The last one was held on {when(max(row.session.started_at for row in vivas))}."
    return note(
        f"Deletes {person.name} with address, id and what was arranged, {counted(n_links, 'link')}, and"
        f" {counted(len(vivas), 'viva')} with everything said, marks and recordings.{held} This cannot be undone.",
        "bad",
    )


def _vivas_of(context: Context, candidate_id: int) -> list[CohortSession]:
    cohort_id = context.store.load_candidate(candidate_id).cohort_id
    return [row for row in context.store.cohort_sessions(cohort_id) if row.sitting.candidate_id == candidate_id]


def _areas(bank: Bank | None) -> Any:
    areas = [] if bank is None else [(area.title, area.key) for area in bank.areas]
    return gr.update(choices=[*areas, ("The candidate chooses", ANY_AREA)], value=areas[0][1] if areas else ANY_AREA)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _cohort(cohort_id: int | None) -> int:
    if cohort_id is None:
        raise StoreError("no cohort is chosen; make one first")
    return cohort_id


def _picked(ids: list[int] | None) -> list[int]:
    if not ids:
        raise StoreError("no link is chosen; choose some from the list")
    return ids


def _part(title: str, text: str) -> None:
    gr.HTML(
        f'<section class="edu-part"><h3>{title}</h3><p>{text}</p></section>', apply_default_css=False, js_on_load=None
    )


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(apply_default_css=False, js_on_load=None, elem_id=elem_id)
