"""The files of a cohort: its PDF, its marks as tables, and the gradebooks of learning platforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from workbench.reports.cohort_pdf import cohort_file
from workbench.reports.errors import ReportFailed
from workbench.reports.formats import MEDIA_TYPES, ReportFile, sessions_file
from workbench.reports.gradebook import to_gradebook
from workbench.reports.selection import cohort_grades, cohort_vivas, grades_of, sessions_with_results, whole_sessions
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.web.educators import browser
from workbench.web.educators.context import QUIET, Context

KINDS = (
    ("PDF report", "pdf"),
    ("Every mark (XLSX)", "xlsx"),
    ("Every question (CSV)", "csv"),
    ("Moodle gradebook", "moodle"),
    ("Canvas gradebook", "canvas"),
)
"""Label and kind of each file."""


def build(context: Context, cohort: gr.Dropdown) -> list[gr.Button]:
    """Builds the buttons where it is called; `usable` fills what is returned.

    Args:
        context: What the pages share.
        cohort: The chosen cohort, 0 for all vivas.
    """
    file = browser.carrier()
    gr.HTML(
        '<section class="edu-part"><h3>Download</h3><p>With names. Gradebooks hold the best exam of each candidate,'
        " published or not. Moodle finds people by address or id number, Canvas by SIS id, login or name.</p>"
        "</section>",
        apply_default_css=False,
        js_on_load=None,
    )
    with gr.Row(elem_classes="e-actions", equal_height=False):
        buttons = [gr.Button(label, size="md", elem_id=f"cohort-{kind}") for label, kind in KINDS]
    item = gr.Textbox("Viva", label="Name of the grade item in the gradebook", max_length=200, elem_id="cohort-item")

    def made(kind: str) -> Callable[..., str]:
        def make(who: Identity, cohort_id: int, name: str) -> str:
            try:
                found = cohort_download(context, kind, cohort_id or None, name)
            except ReportFailed as error:
                raise StoreError(str(error)) from None
            context.store.note(who.login, "cohort.exported", f"cohort:{cohort_id or 'all'}", kind=kind)
            return browser.file_for_browser(found.name, found.content, found.media_type)

        return make

    for button, (_, kind) in zip(buttons, KINDS, strict=True):
        button.click(context.handler(made(kind)), [cohort, item], file, **QUIET).success(
            None, file, None, js=browser.DOWNLOAD
        ).then(lambda: "", None, file, **QUIET)
    return buttons


def usable(cohort_id: int | None, *, any_ended: bool) -> list[Any]:
    """Updates for the buttons: nothing to save before a viva has ended, and a PDF is of one cohort."""
    return [gr.update(interactive=any_ended and (kind != "pdf" or cohort_id is not None)) for _, kind in KINDS]


def cohort_download(context: Context, kind: str, cohort_id: int | None, item: str) -> ReportFile:
    """One of the files.

    Args:
        context: What the pages share.
        kind: One of `KINDS`.
        cohort_id: The cohort; None for every viva.
        item: Name of the grade item.

    Raises:
        StoreError: There is no such cohort.
        ReportFailed: The file cannot be made; the message says what to do.
    """
    store, banks = context.store, context.banks
    scope = "all" if cohort_id is None else f"cohort-{cohort_id}"
    if kind == "pdf":
        if cohort_id is None:
            raise ReportFailed("a PDF is of one cohort; choose one")
        return cohort_file(store, banks, cohort_id)
    if kind in ("moodle", "canvas"):
        grades = grades_of(sessions_with_results(store)) if cohort_id is None else cohort_grades(store, cohort_id)
        if not grades:
            raise ReportFailed("no exam has ended here yet; practice is nobody's grade")
        content = to_gradebook(grades, kind, item=item or "").encode()  # type: ignore[arg-type]
        return ReportFile(f"grades-{scope}-{kind}.csv", MEDIA_TYPES["csv"], content)
    sessions = whole_sessions(store) if cohort_id is None else cohort_vivas(store, cohort_id)
    found = sessions_file(sessions, banks, kind, names=True)  # type: ignore[arg-type]
    return ReportFile(f"vivas-{scope}.{kind}", found.media_type, found.content)
