"""The shell of the educators' pages: one Gradio application with a tab a page, behind its own gate."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from workbench.api_access import Access
from workbench.exam.items import Bank
from workbench.judging.menu import JudgeMenu
from workbench.realtime.watching import Watched
from workbench.settings import Settings
from workbench.store.logins import Identity
from workbench.store.repository import Store
from workbench.web.educators.context import Context
from workbench.web.educators.files import files
from workbench.web.educators.login import MOUNT, Gate
from workbench.web.educators.voice import Speak
from workbench.web.page import launch_options
from workbench.web.routes import static_url

TABS = (
    ("Sessions", "sessions"),
    ("Moderation", "moderation"),
    ("Cohorts", "cohorts"),
    ("Live", "live"),
    ("People and links", "people"),
    ("Banks", "banks"),
    ("Delivery", "delivery"),
)
"""Title and module of each page; a module has `build(context)`, called inside its tab."""

SCRIPTS = ("educators-session.js", "educators.js")
STYLES = ("frame.css", "educators.css", "educators-parts.css")


@dataclass(frozen=True)
class EducatorsPages:
    """The pages, ready to be served.

    Attributes:
        routes: Routes for the application that serves everything.
        lifespan: To be entered while that application runs.
        gate: Decides who gets in.
        blocks: The Gradio application.
        application: What serves it, behind the gate.
    """

    routes: list[BaseRoute]
    lifespan: Callable[[], AbstractAsyncContextManager[None]]
    gate: Gate
    blocks: gr.Blocks
    application: Any


def build_educators(
    store: Store,
    banks: Mapping[str, Bank],
    settings: Settings,
    access: Access,
    *,
    key: str,
    mint_reader: Callable[[str, str], str],
    watch: Callable[[], Mapping[str, Watched]] = dict,
    speak: Speak | None = None,
    judges: JudgeMenu | None = None,
) -> EducatorsPages:
    """The educators' pages.

    Args:
        store: Where sessions, accounts and marks are kept.
        banks: Today's question banks.
        settings: Settings of the server.
        access: Who may log in.
        key: Key that signs the cookie of a login.
        mint_reader: Makes an educator's token for one session, from session and login.
        watch: The vivas this process holds at the moment.
        speak: The examiner's voice, for those who write questions.
        judges: Mark an answer, for those who write questions.
    """
    gates: list[Gate] = []

    def identify(request: Any) -> Identity | None:
        return gates[0].identity(request)

    def login_of(request: Any) -> str | None:
        found = identify(request)
        return None if found is None else found.login

    blocks = build_blocks(Context(store, banks, settings, identify, mint_reader, watch, speak, judges))
    options = launch_options()
    holder = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    whole = settings.root_path.rstrip("/")
    gr.mount_gradio_app(
        holder,
        blocks,
        MOUNT,
        auth_dependency=login_of,
        root_path=f"{whole}{MOUNT}" if whole else None,
        allowed_paths=[],
        footer_links=[],
        run_history=False,
        pwa=False,
        mcp_server=False,
        ssr_mode=False,
        show_error=True,
        theme=options["theme"],
        head="".join(f'<link rel="stylesheet" href="../{static_url(name)}" />' for name in STYLES)
        + "".join(f'<script type="module" src="../{static_url(name)}"></script>' for name in SCRIPTS),
    )
    mounted = next(route for route in holder.routes if isinstance(route, Mount) and route.path == MOUNT)
    gate = Gate(mounted.app, access, key, files=files(store), strip_prefix=bool(whole))
    gates.append(gate)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with holder.router.lifespan_context(holder):
            yield

    def to_pages(request: Request) -> Response:
        return RedirectResponse(f".{MOUNT}/", 307)

    routes: list[BaseRoute] = [Route(MOUNT, to_pages), Route(f"{MOUNT}/{{rest:path}}", gate)]
    return EducatorsPages(routes, lifespan, gate, blocks, mounted.app)


def build_blocks(context: Context) -> gr.Blocks:
    """The Gradio application with every page there is."""
    with gr.Blocks(title="Educators - Viva Workbench", analytics_enabled=False, fill_width=True) as blocks:
        header = gr.HTML(apply_default_css=False, js_on_load=None)
        with gr.Tabs(elem_id="educators-tabs", overflow_behavior="wrap"):
            for title, name in TABS:
                module = f"workbench.web.educators.{name}"
                if importlib.util.find_spec(module) is None:
                    continue
                with gr.Tab(title, id=name, render_children=True):
                    # the headings of the pages are of the third level
                    gr.HTML(f"<h2>{title}</h2>", apply_default_css=False, js_on_load=None, elem_classes="e-tab-title")
                    importlib.import_module(module).build(context)
        blocks.load(context.handler(_header), None, header, api_visibility="private", show_progress="hidden")
    return blocks


def _header(who: Identity) -> str:
    from html import escape

    return _HEADER.format(login=escape(who.login), role=escape(who.role))


_HEADER = """
<header class="educators-masthead">
  <h1>Viva Workbench <span>for educators</span></h1>
  <div class="educators-who"><span><b>{login}</b> ({role})</span>
    <a href="../">Candidates' page</a>
    <form method="post" action="logout"><button type="submit">Log out</button></form>
  </div>
</header>
"""
