"""Drafts: written as text or question by question, checked when saved, published as versions that never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from workbench.bank_exchange import Preview, export_bank, template
from workbench.bank_exchange.yaml_format import write_yaml
from workbench.exam.bank_file import BankError
from workbench.exam.items import Bank
from workbench.store.banks_kept import SEVERE, LiveBanks, findings_of, read_source
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.repository import Store
from workbench.store.rows_educators import DraftRow
from workbench.web.educators import draft_form
from workbench.web.educators.bank_view import findings_list, releases_table
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.tables import note, when


def build(context: Context, triggers: Sequence[Any]) -> None:
    """The tab inside the banks' one.

    Args:
        context: What the pages share.
        triggers: When the lists are to be read anew.
    """
    store = context.store
    with gr.Row(equal_height=False, elem_classes="edu-row"):
        chosen = gr.Dropdown(label="Draft", choices=[], elem_id="edu-draft", scale=3, min_width=260)
        fresh = gr.Button("New from the template", scale=1, min_width=160)
        remove = gr.Button("Delete this draft", variant="stop", scale=1, min_width=160)
    told = _html("edu-draft-told")
    with gr.Accordion("One question as a form", open=False, elem_id="edu-form"):
        place = gr.Dropdown(label="Question of the draft", choices=[], elem_id="edu-form-question")
        stem = gr.Textbox(label="Stem, as it is spoken", lines=2, elem_id="edu-form-stem")
        points = gr.Dataframe(
            headers=list(draft_form.POINT_COLUMNS),
            datatype=["str", "str", "number", "str", "str", "str"],
            label="Key points; several wordings are separated by |, the weights sum to 1",
            type="array",
            interactive=True,
            wrap=True,
            column_widths=[90, 240, 80, 240, 200, 220],
            elem_id="edu-form-points",
        )
        model = gr.Textbox(label="Model answer", lines=3, elem_id="edu-form-model")
        put = gr.Button("Put into the text below", elem_id="edu-form-put")
        gr.HTML(
            '<p class="edu-lede">The text is written anew then; comments in it are lost.</p>',
            apply_default_css=False,
            js_on_load=None,
        )
    source = gr.Code(language="yaml", label="The draft as YAML", lines=18, max_lines=34, elem_id="edu-source")
    with gr.Row():
        save = gr.Button("Save and check", variant="primary", elem_id="edu-draft-save")
    findings = _html("edu-findings")
    with gr.Row(equal_height=False, elem_classes="edu-row"):
        remark = gr.Textbox(label="Note on this version", max_length=300, scale=2, elem_id="edu-release-note")
        anyway = gr.Checkbox(False, label="Publish although there are findings", scale=1)
        publish = gr.Button("Publish this version", scale=1, min_width=160, elem_id="edu-publish")
    published = _html("edu-published")
    releases = _html("edu-releases")
    with gr.Row(equal_height=False, elem_classes="edu-row"):
        release = gr.Dropdown(label="Published version", choices=[], scale=3, elem_id="edu-release")
        withdraw = gr.Button("Withdraw", variant="stop", scale=1, min_width=120)
    revision = gr.State(0)

    def drafts_now(value: int | None) -> Any:
        rows = store.list_drafts()
        known = [row.id for row in rows]
        value = value if value in known else (known[0] if known else None)
        named = [(f"{row.title} (no. {row.id}, {row.updated_by}, {when(row.updated_at)})", row.id) for row in rows]
        return gr.update(choices=named, value=value)

    def releases_now() -> list[Any]:
        rows = store.list_releases()
        named = [(f"{row.discipline} {row.version}", row.id) for row in rows if row.withdrawn_at is None]
        return [releases_table(rows), gr.update(choices=named, value=None)]

    def opened(draft_id: int | None) -> list[Any]:
        if draft_id is None:
            nothing = gr.update(choices=[], value=None)
            return [
                "",
                0,
                nothing,
                "",
                [],
                "",
                note("No draft yet: import a file, edit a copy, or take the template."),
                "",
            ]
        row = store.load_draft(draft_id)
        return [row.source, row.revision, *_form(row.source, None), "", ""]

    shown = [source, revision, place, stem, points, model, told, findings]

    def look(who: Identity, draft_id: int | None, text: str | None) -> list[Any]:
        update = drafts_now(draft_id)
        # what is being written is never replaced behind the writer's back
        if update["value"] == draft_id and text:
            return [update, *[gr.skip()] * len(shown), *releases_now()]
        return [update, *opened(update["value"]), *releases_now()]

    def new(who: Identity) -> list[Any]:
        row = store.create_draft("first-aid", "New bank", template("yaml").decode(), actor=who.login)
        return [drafts_now(row.id), *opened(row.id)]

    def delete(who: Identity, draft_id: int | None) -> list[Any]:
        if draft_id is None:  # thought better of it
            return [gr.skip()] * (1 + len(shown))
        store.delete_draft(_draft(draft_id), actor=who.login)
        update = drafts_now(None)
        return [update, *opened(update["value"])]

    def write(who: Identity, draft_id: int | None, text: str, at: int, where: str | None) -> list[Any]:
        row = save_draft(store, _draft(draft_id), text, at, who.login)
        fields = _form(row.source, where)
        good = note(f"Saved, revision {row.revision}.", "good")
        return [drafts_now(row.id), row.revision, *fields, good, findings_list(findings_of(row.source))]

    def show_fields(who: Identity, text: str, where: str | None) -> list[Any]:
        return _form(text, where)[1:]

    def put_fields(who: Identity, text: str, where: str | None, *values: Any) -> list[Any]:
        if where is None:
            raise StoreError("choose a question first")
        try:
            return [draft_form.with_fields(text, where, *values), note("Put into the text. Save to keep it.", "mid")]
        except BankError as error:
            raise StoreError(f"the text cannot be read: {error.findings[0].message}") from None

    def make_public(who: Identity, draft_id: int | None, text: str, at: int, remark: str, although: bool) -> list[Any]:
        row = save_draft(store, _draft(draft_id), text, at, who.login)
        found = findings_of(row.source)
        if any(finding.code in SEVERE for finding in found) or (found and not although):
            ask = (
                "Mend them first"
                if any(f.code in SEVERE for f in found)
                else "Mend them, or tick the box beside the button"
            )
            told = note(f"Not published: {len(found)} findings. {ask}.", "bad")
            return [row.revision, told, findings_list(found), *releases_now()]
        release = store.publish_draft(row.id, actor=who.login, note=(remark or "").strip())
        if isinstance(context.banks, LiveBanks):
            context.banks.refresh()
        told = (
            f"{release.discipline} {release.version} is published: vivas and links made from now on ask its questions."
        )
        return [row.revision, note(told, "good"), findings_list(found), *releases_now()]

    def take_back(who: Identity, release_id: int | None) -> list[Any]:
        if release_id is None:
            raise StoreError("choose a version first")
        row = store.withdraw_release(release_id, actor=who.login)
        if isinstance(context.banks, LiveBanks):
            context.banks.refresh()
        return [note(f"{row.discipline} {row.version} is withdrawn.", "good"), *releases_now()]

    on = context.handler
    gr.on(list(triggers), on(look), [chosen, source], [chosen, *shown, releases, release], **QUIET)
    chosen.input(on(lambda who, draft_id: opened(draft_id)), chosen, shown, **QUIET)
    fresh.click(on(new), None, [chosen, *shown], **QUIET)
    remove.click(
        on(delete),
        chosen,
        [chosen, *shown],
        js="(id) => confirm('Delete this draft? Versions published from it stay.') ? [id] : [null]",
        **QUIET,
    )
    fields = [place, stem, points, model]
    save.click(on(write), [chosen, source, revision, place], [chosen, revision, *fields, told, findings], **QUIET)
    place.input(on(show_fields), [source, place], fields[1:], **QUIET)
    put.click(on(put_fields), [source, *[place, stem, model, points]], [source, told], **QUIET)
    publish.click(
        on(make_public),
        [chosen, source, revision, remark, anyway],
        [revision, published, findings, releases, release],
        **QUIET,
    )
    withdraw.click(on(take_back), release, [published, releases, release], **QUIET)


def copy_bank(store: Store, bank: Bank, actor: str) -> DraftRow:
    """A draft of a bank that is offered, under the version after its own."""
    copy = replace(bank, version=draft_form.next_version(bank.version))
    return store.create_draft(bank.discipline, bank.title, export_bank(copy, "yaml").data.decode(), actor=actor)


def save_import(store: Store, given: tuple[str, bytes], seen: Preview, actor: str) -> DraftRow:
    """A draft of what a file holds: a YAML bank as it was written, anything else in the shape of a bank file.

    Raises:
        StoreError: Nothing could be read from the file.
    """
    if seen.bank is not None:
        text = _as_written(given[1], seen.bank) or export_bank(seen.bank, "yaml").data.decode()
        return store.create_draft(seen.bank.discipline, seen.bank.title, text, actor=actor)
    if seen.read is None:
        raise StoreError(f"{given[0]} could not be read; nothing to keep")
    read = dict(seen.read)
    title = str(read.get("title") or given[0])[:120]
    return store.create_draft(str(read.get("discipline") or "draft"), title, write_yaml(read).decode(), actor=actor)


def _as_written(data: bytes, bank: Bank) -> str | None:
    """The text of a file that holds this very bank, comments and all; None where it was something else."""
    try:
        text = data.decode("utf-8-sig")
        return text if read_source(text) == bank else None
    except (UnicodeDecodeError, BankError):
        return None


def save_draft(store: Store, draft_id: int, text: str, revision: int, actor: str) -> DraftRow:
    """Saves a draft; its title and discipline follow the text as far as it can be read.

    Raises:
        StoreError: Somebody saved it meanwhile.
    """
    try:
        data = draft_form.data_of(text)
    except BankError:
        data = {}
    title, discipline = data.get("title"), data.get("discipline")
    return store.save_draft(
        draft_id,
        text,
        actor=actor,
        revision=revision,
        discipline=str(discipline)[:60] if discipline else None,
        title=str(title)[:120] if title else None,
    )


def _form(source: str, place: str | None) -> list[Any]:
    """The form's list of questions and the fields of one; empty where the text cannot be read."""
    try:
        data = draft_form.data_of(source)
    except BankError:
        return [gr.update(choices=[], value=None), "", [], ""]
    questions = draft_form.questions_of(data)
    known = [key for _, key in questions]
    if not known:
        return [gr.update(choices=[], value=None), "", [], ""]
    place = place if place in known else known[0]
    stem, model, points = draft_form.fields_of(data, place)
    return [gr.update(choices=questions, value=place), stem, points, model]


def _draft(draft_id: int | None) -> int:
    if draft_id is None:
        raise StoreError("no draft is chosen")
    return draft_id


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(apply_default_css=False, js_on_load=None, elem_id=elem_id)
