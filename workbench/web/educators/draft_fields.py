"""The form of one question: its components, what fills them, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, get_args

import gradio as gr

from workbench.exam.items import CognitiveLevel
from workbench.web.educators import draft_findings
from workbench.web.educators.draft_form import (
    EXEMPLAR_COLUMNS,
    MAX_POINTS_SHOWN,
    Fields,
    PointFields,
    exemplar_rows,
    lines,
)

LEVELS: tuple[str, ...] = get_args(CognitiveLevel)
MIN_POINTS = 3
N_POINT_FIELDS = 8
_BEFORE_POINTS = ("scenario_title", "scenario_text", "stem", "difficulty", "cognitive_level", "sources", "key_terms")


@dataclass(frozen=True)
class QuestionForm:
    """The components of the form.

    Attributes:
        values: Everything that is edited, in the order `fields_of_values` takes.
        notes: A line for findings for each of `draft_findings.PARTS`.
        groups: What holds each key point.
        more: Shows the next key point.
        hear: Speaks scenario and stem.
        heard: Where the sound appears.
    """

    values: list[Any]
    notes: list[gr.HTML]
    groups: list[gr.Column]
    more: gr.Button
    hear: gr.Button
    heard: gr.HTML


def build_form(*, can_speak: bool) -> QuestionForm:
    """Builds the form where it is called."""
    notes: dict[str, gr.HTML] = {}

    def note_line(part: str) -> None:
        notes[part] = gr.HTML(apply_default_css=False, js_on_load=None, elem_id=f"edu-note-{part}")

    values: list[Any] = []
    with gr.Row(equal_height=False):
        values.append(gr.Textbox(label="Scenario, title", max_length=200, scale=2, elem_id="edu-form-case"))
        values.append(
            gr.Textbox(
                label="Scenario, as it is read out",
                info="Shared by the questions of this scenario; with a stem at most 25 seconds.",
                lines=3,
                scale=5,
                elem_id="edu-form-scenario",
            )
        )
    note_line(draft_findings.SCENARIO)
    values.append(gr.Textbox(label="Stem, as it is spoken", lines=2, elem_id="edu-form-stem"))
    note_line(draft_findings.STEM)
    with gr.Row():
        hear = gr.Button("Hear this question", size="md", elem_id="edu-form-hear", interactive=can_speak)
        heard = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="edu-form-heard")
    with gr.Row(equal_height=False):
        values.append(
            gr.Dropdown(list(range(1, 6)), label="Difficulty, 1 easy to 5 hard", elem_id="edu-form-difficulty")
        )
        values.append(gr.Dropdown(list(LEVELS), label="Cognitive level", elem_id="edu-form-level"))
    with gr.Row(equal_height=False):
        values.append(
            gr.Textbox(label="Sources, one a line", info="By name and year.", lines=2, elem_id="edu-form-sources")
        )
        values.append(
            gr.Textbox(
                label="Rare words, one a line",
                info="Of likely answers; they help the recogniser.",
                lines=2,
                elem_id="edu-form-terms",
            )
        )
    note_line(draft_findings.ABOUT)
    gr.HTML(
        "<h3>Key points</h3><p>Three to six; their weights sum to 1. One without id and text is left out.</p>",
        apply_default_css=False,
        js_on_load=None,
    )
    note_line(draft_findings.POINTS)
    groups = []
    for n in range(MAX_POINTS_SHOWN):
        with gr.Column(visible=n < MIN_POINTS, elem_classes="edu-point-form", elem_id=f"edu-point-{n}") as group:
            values += _point(n)
            note_line(draft_findings.POINT[n])
        groups.append(group)
    more = gr.Button("Add a key point", size="md", elem_id="edu-form-more")
    values.append(gr.Textbox(label="Model answer, two to four spoken sentences", lines=3, elem_id="edu-form-model"))
    note_line(draft_findings.MODEL)
    values.append(
        gr.Dataframe(
            headers=list(EXEMPLAR_COLUMNS),
            datatype=["str", "number", "str", "str"],
            label="Exemplar answers: verdict (correct, partial, incorrect), points 0 to 10, text in spoken style, note",
            type="array",
            interactive=True,
            wrap=True,
            column_widths=[100, 80, 640, 200],
            max_height=420,
            elem_id="edu-form-exemplars",
        )
    )
    note_line(draft_findings.EXEMPLARS)
    return QuestionForm(values, [notes[part] for part in draft_findings.PARTS], groups, more, hear, heard)


def _point(n: int) -> list[Any]:
    def name(field: str) -> str:
        return f"edu-point-{n}-{field}"

    with gr.Row(equal_height=False):
        key = gr.Textbox(label=f"Key point {n + 1}, id", max_length=60, scale=2, min_width=120, elem_id=name("id"))
        text = gr.Textbox(label="What a good answer says", lines=2, scale=5, elem_id=name("text"))
        weight = gr.Number(
            label="Weight", minimum=0, maximum=1, step=0.05, scale=1, min_width=90, elem_id=name("weight")
        )
    with gr.Row(equal_height=False):
        accepted = gr.Textbox(label="Accepted wordings, one a line", lines=3, max_lines=8, elem_id=name("accepted"))
        wrong = gr.Textbox(label="Misconceptions, one a line", lines=3, max_lines=8, elem_id=name("misconceptions"))
    with gr.Row(equal_height=False):
        said = gr.Textbox(label='In the feedback, after "You did not mention"', elem_id=name("said"))
        probe = gr.Textbox(label="Probe, gives nothing away", elem_id=name("probe"))
    essential = gr.Checkbox(
        False, label='Essential: contradicting it bars the verdict "correct"', elem_id=name("essential")
    )
    return [key, text, said, weight, essential, accepted, wrong, probe]


def filled(fields: Fields | None) -> list[Any]:
    """Values of the form and visibility of its groups; without a question the form is empty."""
    if fields is None:
        fields = Fields("", "", "", None, "", (), (), (), "", ())
    shown = [*fields.points[:MAX_POINTS_SHOWN]]
    shown += [PointFields()] * (MAX_POINTS_SHOWN - len(shown))
    values: list[Any] = [
        fields.scenario_title,
        fields.scenario_text,
        fields.stem,
        fields.difficulty if fields.difficulty in range(1, 6) else None,
        fields.cognitive_level if fields.cognitive_level in LEVELS else None,
        "\n".join(fields.sources),
        "\n".join(fields.key_terms),
    ]
    for point in shown:
        values += [
            point.id,
            point.text,
            point.said,
            point.weight,
            point.essential,
            "\n".join(point.accepted),
            "\n".join(point.misconceptions),
            point.probe,
        ]
    values += [fields.model_answer, [list(row) for row in fields.exemplars] or [["", None, "", ""]]]
    return [*values, *visible(max(MIN_POINTS, len(fields.points)))]


def visible(n_points: int) -> list[Any]:
    """Visibility of the groups of key points."""
    return [gr.update(visible=n < n_points) for n in range(MAX_POINTS_SHOWN)]


def fields_of_values(values: Sequence[Any]) -> Fields:
    """What the components hold.

    Raises:
        StoreError: Something that must be a number is none.
    """
    n_before = len(_BEFORE_POINTS)
    title, text, stem, difficulty, level, sources, terms = values[:n_before]
    model, exemplars = values[-2:]
    points = []
    for n in range(MAX_POINTS_SHOWN):
        start = n_before + N_POINT_FIELDS * n
        key, says, said, weight, essential, accepted, wrong, probe = values[start : start + N_POINT_FIELDS]
        if not _clean(key) and not _clean(says):
            continue
        points.append(
            PointFields(
                _clean(key),
                _clean(says),
                _clean(said),
                None if weight is None else float(weight),
                bool(essential),
                lines(accepted),
                lines(wrong),
                _clean(probe),
            )  # fmt: skip
        )
    return Fields(
        _clean(title),
        _clean(text),
        _clean(stem),
        None if difficulty is None else int(difficulty),
        _clean(level),
        lines(sources),
        lines(terms),
        tuple(points),
        _clean(model),
        exemplar_rows(exemplars),
    )


def note_lines(found: Mapping[str, Sequence[str]]) -> list[str]:
    """The line below each part of the form."""
    return [_note(found.get(part, ())) for part in draft_findings.PARTS]


def _note(messages: Sequence[str]) -> str:
    if not messages:
        return ""
    items = "".join(f"<li>{escape(message)}</li>" for message in messages)
    return f'<div role="status"><ul class="edu-field-findings">{items}</ul></div>'


def _clean(text: Any) -> str:
    return "" if text is None else str(text).strip()
