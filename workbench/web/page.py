"""The Gradio page: components to choose with, around one `gr.HTML` that is never re-rendered and holds the viva."""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from workbench.exam.bank import Bank
from workbench.realtime.protocol import VivaOptions
from workbench.settings import Settings
from workbench.web import invited
from workbench.web.routes import STATIC_DIR, static_url

logger = logging.getLogger(__name__)

TITLE = "Viva Workbench"
OFFERED_FIRST = "medical"
"""The discipline that lists open with, where there is one of that key."""

ASK_ME = ""
"""Value of the area list that lets the candidate choose with the examiner."""

MODES = [
    ("Practice: feedback after each answer", "practice"),
    ("Exam: feedback at the end", "exam"),
    ("Talk: free conversation, no marks", "talk"),
]
PATIENCE = [("Brisk", "brisk"), ("Normal", "default"), ("Patient", "patient")]
STYLES = ("frame.css", "parts.css", "viva.css")
CONSENT_NEEDED = "Please read the terms above and tick the box to agree."
VOICES = [("Normal", 1.0), ("Slower", 0.85), ("Slowest", 0.7)]

# Gradio's own script addresses everything from `root`; so do we, whatever prefix or tunnel the page came through
_MOUNT = """
const root = (window.gradio_config?.root || location.origin + location.pathname).replace(/\\/?$/, "/");
const base = new URL(root, location.href);
if (base.hostname === location.hostname) { base.protocol = location.protocol; base.port = location.port; }
import(new URL(%s, base).href).then((module) => module.mount());
"""
_START = "(choice) => { window.viva.begin(JSON.parse(choice)); }"
# until the server has said what a link opens, the form that it fills in stays out of sight
_ASKED = f"""<script>
if (new URLSearchParams(location.search).has("{invited.PARAMETER}")) document.documentElement.dataset.invite = "asked";
</script>"""
_ANSWERED = """(state) => {
  document.documentElement.dataset.invite = state || "none";
  for (const time of document.querySelectorAll("#viva-invited time"))
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "long", timeStyle: "short" });
}"""
_FAILED = "() => { window.viva.begin({ refused: 'server', message: 'The server did not answer. Try again.' }); }"


class VivaPage(gr.Blocks):
    """The page with what its `launch` needs."""

    launch_options: dict[str, Any]


def build_page(
    settings: Settings,
    banks: Mapping[str, Bank],
    mint_ticket: Callable[[gr.Request, dict[str, Any]], str],
    read_link: invited.ReadLink | None = None,
) -> VivaPage:
    """The page of the workbench.

    Args:
        settings: Settings of the server.
        banks: Question banks by the key of their discipline, in the order they are offered.
        mint_ticket: Makes the one-time ticket that opens the socket, from the request and the chosen `VivaOptions` as
            a dictionary; what it raises is shown to the candidate as a refusal.
        read_link: What the token of a one-time link leads to; without it, links are not known here.

    Raises:
        ValueError: There is no question bank.
    """
    if not banks:
        raise ValueError("no question bank was found; the page needs at least one (see VIVA_BANKS_DIR)")
    first = offered_first(banks)
    with VivaPage(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        _static(_HEADER)
        with gr.Row(elem_id="viva-page", equal_height=False):
            with gr.Column(elem_id="viva-choose", min_width=280):
                heading = _static(_STEP_1.format("Choose your viva"))
                invitation = gr.HTML("", visible=False, apply_default_css=False, js_on_load=None)
                discipline = gr.Dropdown(
                    [(bank.title, key) for key, bank in banks.items()],
                    value=first,
                    label="Discipline",
                    filterable=False,
                )
                area = gr.Dropdown(
                    _areas(banks[first]), value=_first_area(banks[first]), label="Area", filterable=False
                )
                mode = gr.Radio(MODES, value="practice", label="Mode", elem_id="viva-mode")
                name = gr.Textbox(
                    label="Your name",
                    max_length=80,
                    placeholder="Leave empty, and the examiner will ask",
                )
                with gr.Accordion("Accommodations", open=False, elem_id="viva-accommodations") as accommodations:
                    extra_time = gr.Slider(
                        1, 2, value=1, step=0.25, label="Extra time", info="1.5 is half as much again."
                    )
                    patience = gr.Radio(
                        PATIENCE,
                        value=settings.patience,
                        label="Patience",
                        info="How long a silence the examiner waits for before replying.",
                    )
                    voice = gr.Radio(VOICES, value=1.0, label="Examiner's voice")
                    captions = gr.Checkbox(True, label="Show captions")
                    typed = gr.Checkbox(
                        False,
                        label="I will type my answers; use no microphone",
                        elem_id="viva-typed-only",
                    )
            panel = (STATIC_DIR / "panel.html").read_text(encoding="utf-8") + _titles(banks)
            gr.HTML(
                panel,
                elem_id="viva-panel-holder",
                apply_default_css=False,
                js_on_load=_MOUNT % json.dumps(static_url("viva.js")),
            )
            with gr.Column(elem_id="viva-begin", min_width=280):
                _static(_consent_text(settings))
                consent = gr.Checkbox(
                    False, label="I agree to be examined under these terms", elem_id="viva-consent-given"
                )
                record = gr.Checkbox(
                    settings.record_audio,
                    label="Keep the recording of my voice",
                    visible=settings.record_audio,
                )
                _static('<p id="viva-start-problem" class="viva-start-problem" role="alert" hidden></p>')
                start = gr.Button("Start the viva", variant="primary", elem_id="viva-start", size="lg")
        choice = gr.Textbox(visible=False)
        link_state = gr.Textbox(visible=False)

        def begin(request: gr.Request, *values: Any) -> str:
            options, shown = _options(*values)
            link = _link(request, read_link)
            if link is not None and link.refused is not None:
                return json.dumps({"refused": "invitation", "message": str(link.refused)})
            grants: dict[str, Any] = {}
            if link is not None and link.opened is not None:
                fixed, page_fixed = invited.fixed_options(link.opened)
                options, shown, grants = options | fixed, shown | page_fixed, link.opened.grants
            if not options["consent"]:
                return json.dumps({"refused": "consent", "message": CONSENT_NEEDED})
            checked = VivaOptions(**options).model_dump(exclude_none=True)
            try:
                checked["ticket"] = mint_ticket(request, checked | grants)
            except (PermissionError, ValueError) as error:
                return json.dumps({"refused": "ticket", "message": str(error)})
            return json.dumps({"viva": checked, "page": shown})

        chosen = [
            discipline,
            area,
            mode,
            name,
            extra_time,
            patience,
            voice,
            captions,
            typed,
            consent,
            record,
        ]

        def follow_link(request: gr.Request) -> list[Any]:
            link = _link(request, read_link)
            if link is None:
                return ["none", *[gr.skip()] * len(told)]
            if link.refused is not None or link.opened is None:
                updates = [gr.update(value=invited.refusal(link), visible=True), *[gr.update(visible=False)] * 9]
                return ["refused", gr.update(value=""), *updates]
            return ["open", gr.update(value=_STEP_1.format("Your viva")), *_link_updates(link)]

        told = [heading, invitation, discipline, area, mode, name, accommodations, extra_time, voice, captions, typed]
        quiet: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
        discipline.change(lambda key: _area_update(banks[key]), discipline, area, **quiet)
        begun = start.click(begin, chosen, choice, **quiet)
        begun.success(None, choice, None, js=_START)
        begun.failure(None, None, None, js=_FAILED)
        followed = page.load(follow_link, None, [link_state, *told], **quiet)
        followed.then(None, link_state, None, js=_ANSWERED)
    page.launch_options = launch_options()
    return page


def offered_first(banks: Mapping[str, Bank]) -> str:
    """The discipline that lists open with."""
    return OFFERED_FIRST if OFFERED_FIRST in banks else next(iter(banks))


def launch_options() -> dict[str, Any]:
    """What `launch` needs for this page; routes and address are the server's. Also the page's `launch_options`."""
    return {
        "theme": _theme(),
        # a link rather than `css`: Gradio rewrites the rules of the latter
        "head": _ASKED + "".join(f'<link rel="stylesheet" href="{static_url(name)}" />' for name in STYLES),
        "footer_links": [],
        "run_history": False,
        "pwa": False,
        "mcp_server": False,
        "allowed_paths": [],
    }


def _theme() -> gr.Theme:
    """System fonts and quiet colours; nothing is fetched from elsewhere."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
        font=sans,
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    )


def _static(markup: str) -> gr.HTML:
    return gr.HTML(markup, apply_default_css=False, js_on_load=None)


def _areas(bank: Bank) -> list[tuple[str, str]]:
    return [*((area.title, area.key) for area in bank.areas), ("Let the examiner offer the areas", ASK_ME)]


def _first_area(bank: Bank) -> str:
    return bank.areas[0].key if bank.areas else ASK_ME


def _area_update(bank: Bank) -> Any:
    return gr.update(choices=_areas(bank), value=_first_area(bank))


def _options(
    discipline: str,
    area: str,
    mode: str,
    name: str | None,
    extra_time: float,
    patience: str,
    voice: float,
    captions: bool,
    typed: bool,
    consent: bool,
    record: bool,
) -> tuple[dict[str, Any], dict[str, bool]]:
    """The components' values as `VivaOptions` and as what only the page needs."""
    options = {
        "discipline": discipline,
        "area": area or None,
        "candidate": (name or "").strip() or None,
        "consent": bool(consent),
        "record": bool(record),
        "mode": mode,
        "patience": patience,
        "extra_time": float(extra_time),
        "speaking_rate": float(voice),
    }
    return options, {"captions": bool(captions), "typed": bool(typed)}


def _link(request: gr.Request, read_link: invited.ReadLink | None) -> invited.Link | None:
    """What the link that led here opens; None where the page was opened without one."""
    token = dict(request.query_params or {}).get(invited.PARAMETER)
    return None if token is None or read_link is None else read_link(str(token)[:200])


def _link_updates(link: invited.Link) -> list[Any]:
    """What the form shows where a link fills it in: the area and the name only where the link leaves them open."""
    opened = link.opened
    assert opened is not None
    gone = gr.update(visible=False)
    areas = gone
    if opened.invitation.area is None and link.bank is not None:
        areas = gr.update(choices=_areas(link.bank), value=_first_area(link.bank))
    return [
        gr.update(value=invited.card(link), visible=True),
        gone,
        areas,
        gone,
        gr.update() if opened.candidate is None else gone,
        gr.update(label="Pace of the examiner"),
        *[gone] * 4,
    ]


def _titles(banks: Mapping[str, Bank]) -> str:
    """Titles of disciplines and areas, for headings the page draws from keys."""
    pairs = [(key, bank.title) for key, bank in banks.items()]
    pairs += [(area.key, area.title) for bank in banks.values() for area in bank.areas]
    spans = "".join(f'<span data-key="{html.escape(key)}">{html.escape(title)}</span>' for key, title in pairs)
    return f'<div id="viva-titles" hidden>{spans}</div>'


_STEP_1 = '<h2><span class="viva-step" aria-hidden="true">1</span>{}</h2>'
_HEADER = """
<header class="viva-masthead">
  <h1>Viva Workbench</h1>
  <p>A spoken examination with an examiner that listens, asks, and tells you where you stand.</p>
</header>
"""


def _consent_text(settings: Settings) -> str:
    keeps = "the recording, if you allow it, " if settings.record_audio else ""
    return f"""
<h2><span class="viva-step" aria-hidden="true">3</span>Agree and start</h2>
<p class="viva-terms">You will talk with a computer. It writes down what you say and marks it, and it can be wrong. Your
answers, {keeps}and the marks are kept for {settings.retention_days} days for your educators, and for research under a
code instead of your name; then they are deleted, or earlier if you ask. You may stop at any time.</p>
"""
