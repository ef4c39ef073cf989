"""Question banks: look at them, hear and try a question, take a file in, write a draft, publish a version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import gradio as gr

from workbench.bank_exchange import export_bank, preview_bytes, template
from workbench.bank_exchange.export import SUFFIXES
from workbench.bank_exchange.source import MAX_FILE_BYTES
from workbench.exam.bank_file import BankError
from workbench.exam.items import Area, Bank, Question, Scenario
from workbench.exam.model import Judge
from workbench.judging import menu
from workbench.store.banks_kept import read_source
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.web.educators import bank_drafts, browser
from workbench.web.educators.bank_view import bank_card, evidence, preview_card, question_card
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.tables import note
from workbench.web.educators.voice import audio
from workbench.web.page import offered_first

DRAFT = "draft:"
IN_SERVICE = ("in service", menu.IN_SERVICE)
FORMATS = [
    ("YAML", "yaml"),
    ("Workbook (XLSX)", "xlsx"),
    ("CSV", "csv"),
    ("Moodle XML", "moodle"),
    ("QTI 3 package", "qti"),
]
MEDIA_TYPES = {
    "yaml": "application/yaml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "moodle": "application/xml",
    "qti": "application/zip",
}
CARD = ("discipline", "title", "version", "licence")
UPLOADS = [".yaml", ".yml", ".csv", ".xlsx", ".xml", ".zip"]
MAX_ANSWER = 8000


def build(context: Context) -> None:
    """The tab."""
    triggers = browser.shown()
    with gr.Tabs(elem_id="edu-banks-tabs", overflow_behavior="wrap"):
        with gr.Tab("Browse", id="browse") as browsing:
            _browse(context, [*triggers, browsing.select])
        with gr.Tab("Import a file", id="import"):
            _import(context)
        with gr.Tab("Drafts and versions", id="drafts") as drafts:
            bank_drafts.build(context, [*triggers, drafts.select])


def _browse(context: Context, triggers: Sequence[Any]) -> None:
    with gr.Row(equal_height=False):
        chosen = gr.Dropdown(label="Discipline or draft", choices=[], elem_id="edu-bank")
        area = gr.Dropdown(label="Area", choices=[], elem_id="edu-area")
        scenario = gr.Dropdown(label="Scenario", choices=[], elem_id="edu-scenario")
    question = gr.Dropdown(label="Question", choices=[], elem_id="edu-question")
    shown = _html("edu-question-shown")
    with gr.Row():
        hear = gr.Button("Hear this question", elem_id="edu-hear", interactive=context.speak is not None)
        heard = _html("edu-heard")
    answer = gr.Textbox(
        label="Try an answer",
        lines=3,
        max_length=MAX_ANSWER,
        placeholder="Type what a candidate might say",
        elem_id="edu-answer",
    )
    marker = gr.Dropdown([IN_SERVICE], value=IN_SERVICE[1], label="Judge", elem_id="edu-marker", filterable=False)
    attempt = gr.Button("See what the judge finds", elem_id="edu-judge", interactive=context.judges is not None)
    judged = _html("edu-judged")
    card = _html("edu-bank-card")
    with gr.Row(equal_height=False, elem_classes="edu-row"):
        form = gr.Dropdown(FORMATS, value="yaml", label="Format", filterable=False)
        save = gr.Button("Download this bank", elem_id="edu-download")
        copy = gr.Button("Edit a copy", elem_id="edu-copy")
    told = _html("edu-bank-told")
    file = browser.carrier()

    def choices(value: str | None) -> Any:
        found = [(bank.title, key) for key, bank in context.banks.items()]
        found += [
            (f"Draft: {draft.title} (no. {draft.id})", f"{DRAFT}{draft.id}") for draft in context.store.list_drafts()
        ]
        known = [key for _, key in found]
        first = offered_first(context.banks) if context.banks else known[0] if known else None
        return gr.update(choices=found, value=value if value in known else first)

    def look(who: Identity, key: str | None, at: str | None, case: str | None, item: str | None) -> list[Any]:
        update = choices(key)
        return [update, *_shown(context, update["value"], at, case, item)]

    def turn(who: Identity, key: str | None, at: str | None, case: str | None, item: str | None) -> list[Any]:
        return _shown(context, key, at, case, item)

    async def speak(who: Identity, key: str, at: str, item: str) -> str:
        assert context.speak is not None
        _, case, asked = await asyncio.to_thread(lambda: _found(_bank(context, key), at, item))
        return audio(await context.speak(f"{case.text} {asked.stem}"))

    def markers(who: Identity, chosen_marker: str) -> Any:
        found = context.judges.offered() if context.judges is not None else [IN_SERVICE]
        known = [name for _, name in found]
        return gr.update(choices=found, value=chosen_marker if chosen_marker in known else IN_SERVICE[1])

    async def judge(who: Identity, key: str, at: str, item: str, text: str, by: str) -> str:
        assert context.judges is not None
        if not text.strip():
            raise StoreError("type an answer first")
        bank = await asyncio.to_thread(_bank, context, key)
        _, _, asked = _found(bank, at, item)
        return evidence(asked, await context.judges.judge(by, bank, Judge(asked.id, text.strip()[:MAX_ANSWER])))

    def download(who: Identity, key: str, kind: Any) -> tuple[str, str]:
        bank = _bank(context, key)
        made = export_bank(bank, kind)
        name = f"{bank.discipline}-{bank.version}{SUFFIXES[kind]}"
        losses = f"Not in it: {'; '.join(made.losses)}." if made.losses else ""
        return browser.file_for_browser(name, made.data, MEDIA_TYPES[kind]), note(losses, "mid")

    def copy_of(who: Identity, key: str) -> str:
        bank = _bank(context, key)
        row = bank_drafts.copy_bank(context.store, bank, who.login)
        return note(f"Draft no. {row.id} was made: edit it under Drafts and versions.", "good")

    places = [chosen, area, scenario, question]
    everything = [area, scenario, question, shown, card, heard, judged, told]
    on, waiting = context.handler, context.awaiting
    gr.on(list(triggers), on(look), places, [chosen, *everything], **QUIET)
    for place in places:
        place.input(on(turn), places, everything, **QUIET)
    hear.click(waiting(speak), [chosen, area, question], heard, api_visibility="private")
    # apart from what the tab shows: the registry may take seconds to answer
    gr.on(list(triggers), on(markers), marker, marker, **QUIET)
    gr.on([attempt.click], waiting(judge), [chosen, area, question, answer, marker], judged, api_visibility="private")
    save.click(on(download), [chosen, form], [file, told], **QUIET).success(None, file, None, js=browser.DOWNLOAD)
    copy.click(on(copy_of), chosen, told, **QUIET)


def _import(context: Context) -> None:
    _lede(
        "YAML, CSV or XLSX as in the templates, Moodle XML, or QTI 3 (XML or zip). The file is read and checked first;"
        " nothing is saved until you say so."
    )
    upload = gr.File(
        label="File with questions", file_types=UPLOADS, type="filepath", height=150, elem_id="edu-bank-file"
    )
    with gr.Accordion("Card of the bank, over that of the file", open=False):
        with gr.Row():
            fields = [gr.Textbox(label=name.capitalize(), max_length=120, elem_id=f"edu-card-{name}") for name in CARD]
        again = gr.Button("Preview again", size="md")
    seen = _html("edu-import-preview")
    save = gr.Button("Save as a draft", variant="primary", interactive=False, elem_id="edu-import-save")
    told = _html("edu-import-told")
    with gr.Row():
        templates = [gr.Button(f"Template {kind.upper()}", size="md") for kind in ("yaml", "csv", "xlsx")]
    held = gr.State(None)
    file = browser.carrier()

    def read(who: Identity, path: str | None, *card: str) -> list[Any]:
        return [*show(browser.take_upload(path, MAX_FILE_BYTES), *card), None]

    def show(given: tuple[str, bytes] | None, *card: str) -> list[Any]:
        if given is None:
            raise StoreError("choose a file first")
        found = preview_bytes(*given, card=dict(zip(CARD, card, strict=True)), others=list(context.banks.values()))
        can_save = found.bank is not None or found.read is not None
        return [(given, found), preview_card(found), gr.update(interactive=can_save), ""]

    def reread(who: Identity, before: Any, *card: str) -> list[Any]:
        return show(None if before is None else before[0], *card)

    def keep(who: Identity, before: Any) -> list[Any]:
        if before is None:
            raise StoreError("choose a file first")
        given, found = before
        row = bank_drafts.save_import(context.store, given, found, who.login)
        told = f"Saved as draft no. {row.id}, {row.title}. Mend and publish it under Drafts and versions."
        return [note(told, "good"), None, gr.update(interactive=False)]

    def template_file(kind: Any) -> Any:
        return lambda who: browser.file_for_browser(f"bank.{kind}", template(kind), MEDIA_TYPES[kind])

    on = context.handler
    upload.upload(on(read), [upload, *fields], [held, seen, save, told, upload], **QUIET)
    again.click(on(reread), [held, *fields], [held, seen, save, told], **QUIET)
    save.click(on(keep), held, [told, held, save], **QUIET)
    for kind, button in zip(("yaml", "csv", "xlsx"), templates, strict=True):
        button.click(on(template_file(kind)), None, file, **QUIET).success(None, file, None, js=browser.DOWNLOAD)


def _bank(context: Context, key: str | None) -> Bank:
    """A bank that is offered, or a draft as far as it can be read.

    Raises:
        StoreError: There is none of this key, or the draft holds no bank yet.
    """
    if key is not None and key.startswith(DRAFT):
        try:
            return read_source(context.store.load_draft(int(key.removeprefix(DRAFT))).source)
        except BankError as error:
            raise StoreError(f"this draft holds no bank yet ({len(error.findings)} findings); mend it first") from None
    bank = context.banks.get(key or "")
    if bank is None:
        raise StoreError(f"there is no bank {key!r} any more; choose another")
    return bank


def _found(bank: Bank, area: str | None, question: str | None) -> tuple[Area, Scenario, Question]:
    try:
        found = bank.area(area or "")
        return found, found.scenario_of(question or ""), found.question(question or "")
    except KeyError:
        raise StoreError("this question is not in the bank any more; choose another") from None


def _shown(context: Context, key: str | None, at: str | None, case: str | None, item: str | None) -> list[Any]:
    """The lists below a choice, and the question they lead to; what is no longer there gives way to the first."""
    nothing = gr.update(choices=[], value=None)
    try:
        bank = _bank(context, key)
    except StoreError as error:
        return [nothing, nothing, nothing, note(str(error), "mid"), "", "", "", ""]
    area = next((one for one in bank.areas if one.key == at), bank.areas[0])
    scenario = next((one for one in area.scenarios if one.id == case), area.scenarios[0])
    question = next((one for one in scenario.questions if one.id == item), scenario.questions[0])
    questions = [(f"{n}. {one.stem}", one.id) for n, one in enumerate(scenario.questions, 1)]
    return [
        gr.update(choices=[(one.title, one.key) for one in bank.areas], value=area.key),
        gr.update(choices=[(one.title, one.id) for one in area.scenarios], value=scenario.id),
        gr.update(choices=questions, value=question.id),
        question_card(area, scenario, question),
        bank_card(bank),
        "",
        "",
        "",
    ]


def _lede(text: str) -> None:
    gr.HTML(f'<p class="edu-lede">{text}</p>', apply_default_css=False, js_on_load=None)


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(apply_default_css=False, js_on_load=None, elem_id=elem_id)
