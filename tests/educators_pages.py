"""The educators' pages served beside the API and the candidates' page, for the tests that open them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from workbench.api import build_api
from workbench.api_access import Access
from workbench.exam.bank import load_banks
from workbench.realtime.tickets import Tickets
from workbench.serve import free_port
from workbench.settings import Settings
from workbench.store.logins import Logins
from workbench.store.repository import Store
from workbench.web import build_page, static_routes
from workbench.web.educators import EducatorsPages, build_educators

KEY = "a key for tests"


@dataclass
class Served:
    """What is up: `url` is the root, with a slash."""

    url: str
    store: Store
    tickets: Tickets
    pages: EducatorsPages


@contextmanager
def serving_educators(settings: Settings, store: Store | None = None) -> Iterator[Served]:
    """Everything but the socket and the engines, on one port."""
    store = store or Store(settings)
    banks = load_banks()
    tickets = Tickets(KEY)
    access = Access(settings, tickets.open_report, Logins(settings, store), tickets.open_reader)
    pages = build_educators(store, banks, settings, access, key=KEY, mint_reader=tickets.mint_reader)
    api = build_api(
        store, banks, settings, tickets.open_report, logins=access.logins, verify_reader_token=tickets.open_reader
    )
    page = build_page(settings, banks, lambda request, grants: tickets.mint_ticket(grants))
    port = free_port("127.0.0.1")

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with pages.lifespan():
            yield

    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        root_path=settings.root_path or None,
        ssr_mode=False,
        app_kwargs={"routes": [*api, *static_routes(), *pages.routes], "lifespan": lifespan},
        **page.launch_options,
    )
    try:
        yield Served(f"http://127.0.0.1:{port}/", store, tickets, pages)
    finally:
        page.close(verbose=False)
