"""Drafts: written as text or question by question, checked when saved, published as versions that never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import gradio as gr

from workbench.bank_exchange import Preview, export_bank, template
from workbench.bank_exchange.yaml_format import write_yaml
from workbench.exam.bank_file import BankError, Finding
from workbench.exam.items import Bank
from workbench.store.banks_kept import SEVERE, LiveBanks, findings_of, read_source
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.repository import Store
from workbench.store.rows_educators import DraftRow
from workbench.web.educators import draft_fields, draft_findings, draft_form
from workbench.web.educators.bank_view import findings_list, releases_table
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.draft_form import Fields
from workbench.web.educators.tables import note, when
from workbench.web.educators.voice import audio

MAX_HEARD_CHARS = 4000


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
    with gr.Accordion("The question as a form", open=True, elem_id="edu-form"):
        with gr.Row(equal_height=False, elem_classes="edu-row"):
            place = gr.Dropdown(label="Question of the draft", choices=[], elem_id="edu-form-question", scale=4)
            another = gr.Button("New question after these", scale=1, min_width=180, elem_id="edu-form-new")
        form = draft_fields.build_form(can_speak=context.speak is not None)
    with gr.Accordion("The whole draft as text (YAML)", open=False, elem_id="edu-text"):
        gr.HTML(
            '<p class="edu-lede">Card of the bank, areas, order and ids are changed here. When the form changes a'
            " question, the text is written anew; comments in it are lost then.</p>",
            apply_default_css=False,
            js_on_load=None,
        )
        source = gr.Code(language="yaml", label="The draft as YAML", lines=14, max_lines=28, elem_id="edu-source")
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
    at = gr.State(None)
    before = gr.State(None)
    n_points = gr.State(draft_fields.MIN_POINTS)

    shown_form = [place, at, before, n_points, *form.values, *form.groups, *form.notes]
    shown = [source, revision, told, findings, *shown_form]
    # what a handler needs to put the form into the text, always last
    written = [source, at, before, *form.values]

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
            empty = note("No draft yet: import a file, edit a copy, or take the template.")
            return ["", 0, empty, "", *_form("", None)]
        row = store.load_draft(draft_id)
        return [row.source, row.revision, "", "", *_form(row.source, None)]

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

    def write(who: Identity, draft_id: int | None, rev: int, *held: Any) -> list[Any]:
        row = save_draft(store, _draft(draft_id), _whole(*held), rev, who.login)
        good = note(f"Saved, revision {row.revision}.", "good")
        listed = findings_list(_findings(row.source))
        return [drafts_now(row.id), row.source, row.revision, good, listed, *_form(row.source, held[1])]

    def choose(who: Identity, wanted: str | None, *held: Any) -> list[Any]:
        whole = _whole(*held)
        unsaved = note("The form was put into the text. Save to keep it.", "mid") if whole != held[0] else gr.skip()
        return [whole, unsaved, *_form(whole, wanted)]

    def add(who: Identity, *held: Any) -> list[Any]:
        if held[1] is None:
            raise StoreError("choose a question of the scenario first")
        whole, where = draft_form.with_new_question(_whole(*held), held[1])
        return [whole, note("A question was added. Write it, and save to keep it.", "mid"), *_form(whole, where)]

    def more(who: Identity, n: int) -> list[Any]:
        n = min(n + 1, draft_form.MAX_POINTS_SHOWN)
        return [n, *draft_fields.visible(n)]

    async def hear(who: Identity, scenario: str, stem: str) -> str:
        assert context.speak is not None
        text = f"{scenario or ''} {stem or ''}".strip()
        if not text:
            raise StoreError("there is nothing to be heard yet")
        return audio(await context.speak(text[:MAX_HEARD_CHARS]))

    def make_public(
        who: Identity, draft_id: int | None, rev: int, remark: str, although: bool, *held: Any
    ) -> list[Any]:
        row = save_draft(store, _draft(draft_id), _whole(*held), rev, who.login)
        found = _findings(row.source)
        severe = any(finding.code in SEVERE for finding in found)
        if severe or (found and not although):
            ask = "Mend them first" if severe else "Mend them, or tick the box beside the button"
            said = note(f"Not published: {len(found)} findings. {ask}.", "bad")
        else:
            done = store.publish_draft(row.id, actor=who.login, note=(remark or "").strip())
            _refresh(context)
            what = f"{done.discipline} {done.version}"
            said = note(f"{what} is published: vivas and links made from now on ask its questions.", "good")
        listed = findings_list(found)
        return [row.source, row.revision, said, listed, *releases_now(), *_form(row.source, held[1])]

    def take_back(who: Identity, release_id: int | None) -> list[Any]:
        if release_id is None:
            raise StoreError("choose a version first")
        row = store.withdraw_release(release_id, actor=who.login)
        _refresh(context)
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
    save.click(on(write), [chosen, revision, *written], [chosen, *shown], **QUIET)
    place.input(on(choose), [place, *written], [source, told, *shown_form], **QUIET)
    another.click(on(add), written, [source, told, *shown_form], **QUIET)
    form.more.click(on(more), n_points, [n_points, *form.groups], **QUIET)
    form.hear.click(context.awaiting(hear), form.values[1:3], form.heard, api_visibility="private")
    publish.click(
        on(make_public),
        [chosen, revision, remark, anyway, *written],
        [source, revision, published, findings, releases, release, *shown_form],
        **QUIET,
    )
    withdraw.click(on(take_back), release, [published, releases, release], **QUIET)


@lru_cache(maxsize=4)
def _findings(source: str) -> tuple[Finding, ...]:
    """As `findings_of`; a form that turns from question to question asks for the same text again and again."""
    return findings_of(source)


def _refresh(context: Context) -> None:
    if isinstance(context.banks, LiveBanks):
        context.banks.refresh()


def _whole(text: str, where: str | None, before: Fields | None, *values: Any) -> str:
    """The text with what was changed in the form."""
    if where is None or before is None:
        return text
    try:
        return draft_form.merged(text, where, draft_fields.fields_of_values(values), before)
    except BankError as error:
        problem = error.findings[0].message
        raise StoreError(f"the text cannot be read, so that the form cannot be put into it: {problem}") from None


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


def _form(source: str, wanted: str | None) -> list[Any]:
    """The form's list of questions, what it is filled with, and the findings at its fields.

    Where the text cannot be read, the form is empty and nothing is put into the text.
    """
    try:
        questions = draft_form.questions_of(draft_form.data_of(source)) if source else []
    except BankError:
        questions = []
    known = [key for _, key in questions]
    if not known:
        nothing = gr.update(choices=[], value=None)
        return [nothing, None, None, draft_fields.MIN_POINTS, *draft_fields.filled(None), *draft_fields.note_lines({})]
    where = wanted if wanted in known else known[0]
    fields = draft_form.fields_of(draft_form.data_of(source), where)
    found = draft_findings.at_fields(_findings(source), source, where)
    return [
        gr.update(choices=questions, value=where),
        where,
        fields,
        max(draft_fields.MIN_POINTS, min(len(fields.points), draft_form.MAX_POINTS_SHOWN)),
        *draft_fields.filled(fields),
        *draft_fields.note_lines(found),
    ]


def _draft(draft_id: int | None) -> int:
    if draft_id is None:
        raise StoreError("no draft is chosen")
    return draft_id


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(apply_default_css=False, js_on_load=None, elem_id=elem_id)
