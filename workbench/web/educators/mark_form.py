"""The form with which an educator changes a mark, confirms it, or takes a change back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.marking import MAX_REASON
from workbench.store.repository import Store

VERDICT_CHOICES = [
    ("\u2713 Correct", "correct"),
    ("\u25d0 Partly correct", "partial"),
    ("\u2717 Incorrect", "incorrect"),
]
POINT_STEP = 0.5


@dataclass(frozen=True)
class MarkForm:
    """The components of one form."""

    verdict: gr.Radio
    points: gr.Slider
    reason: gr.Textbox
    change: gr.Button
    confirm: gr.Button
    undo: gr.Button

    @property
    def fields(self) -> list[Any]:
        """What `shown` fills."""
        return [self.verdict, self.points, self.reason]


def build_form(name: str, *, keys: bool = False) -> MarkForm:
    """Builds the form where it is called.

    Args:
        name: Start of the elements' ids.
        keys: Whether the buttons name their keys.
    """

    def labelled(text: str, key: str) -> str:
        return f"{text} ({key})" if keys else text

    verdict = gr.Radio(VERDICT_CHOICES, label="Verdict", elem_id=f"{name}-verdict")
    points = gr.Slider(0, 10, step=POINT_STEP, label="Points", elem_id=f"{name}-points")
    reason = gr.Textbox(
        label="Reason for the change",
        info="Required. It is kept with the mark and read by whoever looks at its history.",
        lines=2,
        max_length=MAX_REASON,
        elem_id=f"{name}-reason",
    )
    with gr.Row(elem_classes="e-actions"):
        change = gr.Button(labelled("Change the mark", "E"), variant="primary", elem_id=f"{name}-change")
        confirm = gr.Button(labelled("Confirm it", "C"), elem_id=f"{name}-confirm")
        undo = gr.Button(labelled("Undo", "U"), elem_id=f"{name}-undo")
    return MarkForm(verdict, points, reason, change, confirm, undo)


def filled(verdict: str | None, points: float | None) -> list[Any]:
    """Values for the fields of a form: those of the mark that counts, and no reason."""
    return [gr.update(value=verdict), gr.update(value=points or 0.0), gr.update(value="")]


def override(
    store: Store, who: Identity, session_id: str, number: int, verdict: str | None, points: float, reason: str
) -> str:
    """Changes a mark and says what it is now.

    Raises:
        StoreError: No reason was given, or the store refuses.
    """
    if not reason.strip():
        raise StoreError("write a reason for the change: whoever reads the mark's history needs it")
    if verdict not in ("correct", "partial", "incorrect"):
        raise StoreError("choose a verdict: correct, partly correct or incorrect")
    mark = store.override_mark(
        session_id,
        number,
        actor=who.login,
        reason=reason,
        verdict=verdict,  # type: ignore[arg-type]
        points=points,
    )
    return f"Question {number}: {mark.evaluation.verdict}, {mark.evaluation.points:g} points."
