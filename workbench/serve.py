"""Starts everything: weights into memory, store, socket, HTTP API and the Gradio page on one port."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from workbench.ports import free_port
from workbench.settings import Settings, get_settings

log = logging.getLogger(__name__)

EMBEDDED_JUDGES = ("embedding", "hybrid", "panel")
"""Judges with weights of their own in this process."""


@dataclass
class Running:
    """A server that is up.

    Attributes:
        url: Where a browser on this machine finds the page.
        share_url: The public link, if one was asked for.
    """

    url: str
    share_url: str | None
    demo: Any

    def close(self) -> None:
        """Ends the vivas (each is saved) and frees the port."""
        self.demo.close(verbose=False)


def build_services(settings: Settings) -> Any:
    """Loads engines, banks and store, and returns what every conversation shares.

    Raises:
        EngineError: Weights or an optional dependency are missing; the message says what to run.
    """
    from workbench import metrics
    from workbench.engines.registry import build_engines
    from workbench.exam.bank import load_banks
    from workbench.judging.registry import judge_call, make_judge
    from workbench.judging.shadow import shadowed
    from workbench.realtime.services import Services
    from workbench.realtime.speaker import PhraseCache
    from workbench.realtime.tickets import Tickets, signing_key
    from workbench.store.banks_kept import LiveBanks
    from workbench.store.repository import Store

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(settings)
    for _ in range(store.abandon_running()):
        metrics.session_ended("abandoned")
    engines = build_engines(settings)
    banks = load_banks(settings.banks_dir)
    judge = make_judge(settings.judge, settings, scorer=engines.judge_chat, with_spare=True)
    if settings.judge in EMBEDDED_JUDGES:
        question = next(question for bank in banks.values() for area in bank.areas for question in area.questions)
        judge.judge(question, question.model_answer)  # reads its weights now, not while a candidate waits
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    return Services(
        settings=settings,
        engines=engines,
        banks=LiveBanks(banks, store),
        store=store,
        tickets=Tickets(signing_key(settings.data_dir, key)),
        phrases=PhraseCache(engines.synthesizer.sample_rate_hz),
        judge=shadowed(judge_call(judge), settings),
    )


def served_routes(services: Any, server: Any, logins: Any) -> list[Any]:
    """Everything that is served beside Gradio's own routes: the socket, the API and the page's files.

    Args:
        services: What `build_services` made.
        server: The `RealtimeServer` that holds the vivas.
        logins: Who may log in.
    """
    from workbench.api import build_api
    from workbench.web.routes import static_routes

    api = build_api(
        services.store,
        services.banks,
        services.settings,
        services.tickets.open_report,
        logins=logins,
        verify_reader_token=services.tickets.open_reader,
    )
    return [*server.routes(), *api, *static_routes()]


def educators_pages(services: Any, server: Any, logins: Any) -> Any:
    """The educators' pages over what the vivas use.

    Args:
        services: What `build_services` made.
        server: The `RealtimeServer` that holds the vivas.
        logins: Who may log in.
    """
    from workbench.api_access import Access
    from workbench.judging.menu import JudgeMenu
    from workbench.realtime.tickets import signing_key
    from workbench.realtime.watching import watched
    from workbench.web.educators import build_educators
    from workbench.web.educators.voice import speak_with

    settings, tickets = services.settings, services.tickets
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    return build_educators(
        services.store,
        services.banks,
        settings,
        Access(settings, tickets.open_report, logins, tickets.open_reader),
        key=signing_key(settings.data_dir, key),
        mint_reader=tickets.mint_reader,
        watch=partial(watched, server),
        speak=speak_with(services.engines.synthesizer),
        judges=JudgeMenu(services.judge, settings),
    )


def start_delivery(services: Any) -> Any:
    """Begins to send what is published, and to copy ended vivas to the archive, as far as that is set up."""
    from workbench.delivery.worker import DeliveryWorker

    def report_url(session_id: str) -> str | None:
        base = services.settings.public_url
        if not base:
            return None
        return f"{base.rstrip('/')}/api/sessions/{session_id}/report?token={services.tickets.mint_report(session_id)}"

    worker = DeliveryWorker(services.store, services.banks, services.settings, report_url=report_url)
    worker.start()
    return worker


def launch(settings: Settings | None = None, *, inline: bool = False, quiet: bool = True) -> Running:
    """Serves the workbench from a background thread; what `viva serve` does, and what a notebook cell calls.

    Args:
        settings: Settings; those of the environment when left out.
        inline: Show the page below the notebook cell.
        quiet: Keep Gradio from printing addresses of its own.
    """
    from workbench.engines.registry import close as close_engines
    from workbench.engines.registry import warm_up
    from workbench.exam.prompts import PREFIXES
    from workbench.realtime.server import RealtimeServer
    from workbench.store.logins import Logins
    from workbench.web.invited import read_link
    from workbench.web.page import build_page, launch_options

    settings = settings or get_settings()
    services = build_services(settings)
    _run_apart(warm_up(services.engines, prefixes=tuple(PREFIXES.values())))
    server = RealtimeServer(services)
    logins = Logins(settings, services.store)

    pages = educators_pages(services, server, logins)
    delivery = start_delivery(services)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with pages.lifespan():
            yield
        await asyncio.to_thread(delivery.stop)
        await server.close()
        await close_engines(services.engines)

    demo = build_page(
        settings,
        services.banks,
        lambda request, grants: services.tickets.mint_ticket(grants),
        partial(read_link, services.store, services.banks, services.tickets.mint_report),
    )
    port = settings.port or free_port(settings.host)
    _, local_url, share_url = demo.launch(
        server_name=settings.host,
        server_port=port,
        share=settings.share,
        root_path=settings.root_path or None,
        prevent_thread_lock=True,
        quiet=quiet,
        inline=inline,
        inbrowser=False,
        ssr_mode=False,
        show_error=True,
        app_kwargs={"routes": [*served_routes(services, server, logins), *pages.routes], "lifespan": lifespan},
        **launch_options(),
    )
    return Running(url=local_url, share_url=share_url, demo=demo)


def serve(settings: Settings) -> None:
    """Serves until interrupted, and prints the address."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    started = time.monotonic()
    print("Loading the models ...", flush=True)
    running = launch(settings)
    print(f"Viva Workbench is ready after {time.monotonic() - started:.0f} s: {running.url}", flush=True)
    if running.share_url:
        print(f"Share link: {running.share_url}", flush=True)
    print("Press Ctrl+C to stop; vivas under way are saved.", flush=True)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    stop.wait()
    print("Stopping ...", flush=True)
    running.close()


def _run_apart(work: Any) -> None:
    """Runs a coroutine to its end, also where a loop is already running (a notebook)."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="warm-up")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
