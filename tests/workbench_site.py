"""The whole workbench on one port in this process: page, socket, API and store as `viva serve` has them, over stand-in
engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.live_server import scripted_app
from workbench.api_access import Access
from workbench.judging.menu import JudgeMenu
from workbench.ports import free_port
from workbench.realtime.watching import watched
from workbench.serve import served_routes
from workbench.settings import Settings
from workbench.store.banks_kept import LiveBanks
from workbench.store.logins import Logins
from workbench.store.repository import Store
from workbench.web import build_page
from workbench.web.educators import build_educators
from workbench.web.educators.voice import speak_with
from workbench.web.invited import read_link


@dataclass(frozen=True)
class Site:
    """A running workbench and what is behind it."""

    url: str
    store: Store
    services: Any
    realtime: Any


@contextmanager
def workbench_site(data_dir: Path, **settings: Any) -> Iterator[Site]:
    """Serves it; `settings` are fields of `Settings`."""
    config = Settings(_env_file=None, data_dir=data_dir, **settings)
    _, realtime = scripted_app(config)
    services = realtime.services
    assert isinstance(services.banks, dict)
    banks = LiveBanks(services.banks, services.store, every_s=0.0)
    object.__setattr__(services, "banks", banks)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with pages.lifespan():
            yield
        await realtime.close()

    logins = Logins(config, services.store)
    access = Access(config, services.tickets.open_report, logins, services.tickets.open_reader)
    pages = build_educators(
        services.store,
        banks,
        config,
        access,
        key="a key for tests",
        mint_reader=services.tickets.mint_reader,
        watch=partial(watched, realtime),
        speak=speak_with(services.engines.synthesizer),
        judges=JudgeMenu(services.judge, config),
    )
    page = build_page(
        config,
        banks,
        lambda request, grants: services.tickets.mint_ticket(grants),
        partial(read_link, services.store, banks, services.tickets.mint_report),
    )
    port = free_port()
    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        ssr_mode=False,
        app_kwargs={"routes": [*served_routes(services, realtime, logins), *pages.routes], "lifespan": lifespan},
        **page.launch_options,
    )
    try:
        yield Site(f"http://127.0.0.1:{port}/", services.store, services, realtime)
    finally:
        page.close(verbose=False)
