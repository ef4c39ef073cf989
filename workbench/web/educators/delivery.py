"""The ways out: which are on, whether each works, and what was sent by itself or waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import gradio as gr

from workbench.delivery import archive, lti, mail
from workbench.delivery.errors import DeliveryError
from workbench.delivery.outbox import DeliveryRow
from workbench.delivery.published import MAX_TRIES
from workbench.delivery.worker import outbox_of
from workbench.settings import Settings
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.web.educators import browser
from workbench.web.educators.context import QUIET, Context
from workbench.web.educators.tables import Markup, badge, note, table, when

MAX_SHOWN = 100


@dataclass(frozen=True)
class Way:
    """One way out: what it is called, what it does, and which settings turn it on."""

    kind: str
    title: str
    does: str
    needs: str
    is_on: Callable[[Settings], bool]


WAYS = (
    Way(
        "mail",
        "Mail",
        "When results are published, each candidate with an address gets the report once, as a PDF and, where"
        " VIVA_PUBLIC_URL is set, as a link.",
        "VIVA_MAIL_HOST and VIVA_MAIL_FROM",
        mail.is_configured,
    ),
    Way(
        "lti",
        "Learning platform",
        "When the results of an exam are published, the score goes by LTI 1.3 into the course's gradebook; a corrected"
        " mark replaces it. Candidates need the platform's id in the list.",
        "VIVA_LTI_TOKEN_URL, VIVA_LTI_CLIENT_ID, VIVA_LTI_KEY_FILE and VIVA_LTI_LINE_ITEMS_URL",
        lti.is_configured,
    ),
    Way(
        "archive",
        "Archive",
        "Every ended viva is copied, recording and report, and once more when its results are published. What is"
        " deleted here is deleted there.",
        "VIVA_ARCHIVE_URL",
        archive.is_configured,
    ),
)
NAMES = {way.kind: way.title for way in WAYS}
STATES = {"sent": ("sent", "good"), "sending": ("end not known", "bad"), "failed": ("failed", "mid")}


def build(context: Context) -> None:
    """The tab."""
    outbox = outbox_of(context.settings)
    # the person at the button waits for the answer: one try says enough
    once = context.settings.model_copy(update={"delivery_tries": 1})
    gr.HTML(
        '<h2 class="edu-title">What goes out by itself</h2><p class="edu-lede">Only results that are published are'
        " sent, each once, within a minute. The settings are the server's: its administrator sets them.</p>",
        apply_default_css=False,
        js_on_load=None,
    )
    with gr.Row(equal_height=True, elem_classes="edu-ways"):
        parts = {}
        for way in WAYS:
            with gr.Column(min_width=260, elem_classes="edu-way", elem_id=f"edu-way-{way.kind}"):
                gr.HTML(way_card(way, context.settings), apply_default_css=False, js_on_load=None)
                to = gr.Textbox(
                    label="Send the test to",
                    placeholder="you@example.org",
                    max_length=254,
                    visible=way.kind == "mail" and way.is_on(context.settings),
                    elem_id=f"edu-test-to-{way.kind}",
                )
                button = gr.Button("Send test", interactive=way.is_on(context.settings), elem_id=f"edu-test-{way.kind}")
                told = gr.HTML(apply_default_css=False, js_on_load=None, elem_id=f"edu-told-{way.kind}")
                parts[way.kind] = (to, button, told)
    gr.HTML(
        '<section class="edu-part"><h3>Sent, failed, waiting for a person</h3><p>What fails is tried again, after a'
        f" longer pause each time, {MAX_TRIES} times in all. A mail whose end is not known is never sent again by"
        " itself: ask first whether it arrived.</p></section>",
        apply_default_css=False,
        js_on_load=None,
    )
    listed = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="edu-deliveries")
    with gr.Row(equal_height=False, elem_classes="edu-row", visible=False) as again:
        picked = gr.Dropdown(label="Delivery", choices=[], scale=3, min_width=260, elem_id="edu-delivery")
        release = gr.Button("Let it be sent again", scale=1, min_width=180, elem_id="edu-delivery-again")

    shown = [listed, again, picked]

    def look(who: Identity) -> list[object]:
        rows = outbox.rows()[:MAX_SHOWN]
        stuck = [row for row in rows if row.state != "sent"]
        choices = [(f"{NAMES[row.kind]}, {row.session_id}: {STATES[row.state][0]}", row.key) for row in stuck]
        return [
            deliveries_table(rows),
            gr.update(visible=bool(stuck)),
            gr.update(choices=choices, value=choices[0][1] if choices else None),
        ]

    def send_again(who: Identity, key: str | None) -> list[object]:
        if key is None:
            raise StoreError("no delivery is chosen")
        outbox.release(key)
        context.store.note(who.login, "delivery.released", key)
        return look(who)

    def trying(kind: str) -> Callable[..., str]:
        def test(who: Identity, to: str) -> str:
            try:
                if kind == "mail":
                    said = mail.send_test(once, (to or "").strip())
                else:
                    said = (lti if kind == "lti" else archive).send_test(once)
            except DeliveryError as error:
                return note(_sentence(str(error)), "bad")
            context.store.note(who.login, "delivery.tested", kind)
            at = when(datetime.now(UTC))
            return note(_sentence(f"it works: {said} ({at})"), "good")

        return test

    gr.on(browser.shown(), context.handler(look), None, shown, **QUIET)
    for kind, (to, button, told) in parts.items():
        button.click(lambda: note("Trying ..."), None, told, **QUIET).then(
            context.handler(trying(kind)), to, told, **QUIET
        )
    release.click(context.handler(send_again), picked, shown, **QUIET)


def way_card(way: Way, settings: Settings) -> str:
    """What a way does and whether it is on; when it is off, which settings turn it on."""
    on = way.is_on(settings)
    state = badge("on", "good") if on else badge("off", "plain")
    how = "" if on else note(f"Off. To turn it on, set {way.needs} and start the server anew.")
    return f"<h3>{escape(way.title)} {state}</h3><p>{escape(way.does)}</p>{how}"


def deliveries_table(rows: list[DeliveryRow]) -> str:
    """What was sent and what was not, newest first."""
    lines = []
    for row in rows:
        word, kind = STATES[row.state]
        if row.state == "failed" and row.tries >= MAX_TRIES:
            word, kind = "given up", "bad"
        session = escape(row.session_id, quote=True)
        lines.append(
            (
                Markup(f'<span class="edu-nowrap">{when(datetime.fromisoformat(row.changed_at))}</span>'),
                NAMES[row.kind],
                Markup(f'<a class="edu-nowrap" href="?session={session}">{session}</a>'),
                badge(word, kind),
                row.problem,
            )
        )
    empty = "Nothing was sent yet. Publish results, and what is turned on above goes out."
    return table(("When", "Way", "Session", "State", "Why"), lines, caption="Deliveries", empty=empty)


def follows(settings: Settings) -> str:
    """What goes out after results were published, as a sentence; empty where nothing is turned on."""
    words = {"mail": "reports by mail", "lti": "scores to the learning platform", "archive": "copies to the archive"}
    on = [words[way.kind] for way in WAYS if way.is_on(settings)]
    return f" Within a minute go out: {', '.join(on)}." if on else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
