"""Servers for tests that come in over the socket: one with stand-in engines in this process, one real in its own."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.scripted_engines import Vocabulary, scripted_engines
from workbench.exam.bank import load_banks
from workbench.judging.registry import judge_by_key_points, judge_call, make_judge
from workbench.ports import free_port
from workbench.realtime.server import RealtimeServer
from workbench.realtime.services import Services
from workbench.realtime.speaker import PhraseCache
from workbench.realtime.tickets import Tickets
from workbench.settings import Settings, get_settings
from workbench.simulate.local_server import LocalServer
from workbench.store.repository import Store


def scripted_app(config: Settings, vocabulary: Vocabulary | None = None) -> tuple[Starlette, RealtimeServer]:
    """The real socket, exam, store and banks over stand-in engines; judged by key points unless settings say how."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    engines = scripted_engines(vocabulary or Vocabulary())
    named = "judge" in config.model_fields_set
    services = Services(
        settings=config,
        engines=engines,
        banks=load_banks(),
        store=Store(config),
        tickets=Tickets("a key for tests"),
        phrases=PhraseCache(engines.synthesizer.sample_rate_hz),
        judge=judge_call(make_judge(config.judge, config)) if named else judge_by_key_points,
    )
    realtime = RealtimeServer(services)
    health = Route("/health", lambda request: PlainTextResponse("ok"))
    return Starlette(routes=[*realtime.routes(), health]), realtime


def _uvicorn(app: Starlette, port: int) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))


@contextmanager
def scripted_socket(data_dir: Path, vocabulary: Vocabulary | None = None, **settings: object) -> Iterator[str]:
    """`scripted_app` on a thread of this process; yields the socket's address."""
    config = Settings(_env_file=None, data_dir=data_dir, **settings)  # type: ignore[call-arg,arg-type]
    app, realtime = scripted_app(config, vocabulary)
    port = free_port()
    server = _uvicorn(app, port)

    async def serve() -> None:
        await server.serve()
        await realtime.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="scripted-socket", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the socket did not come up")
        threading.Event().wait(0.01)
    try:
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    finally:
        server.should_exit = True
        thread.join(20)


class ScriptedProcess(LocalServer):
    """`scripted_app` in a process of its own, so that it can be killed."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.live_server"]


@pytest.fixture(scope="session")
def scripted_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One scripted socket for all tests of a run."""
    with scripted_socket(tmp_path_factory.mktemp("scripted"), max_sessions=8) as url:
        yield url


def need_weights() -> None:
    """Skips when the embedded engines' weights are not on this machine."""
    directory = get_settings().models_dir
    if not directory.is_dir() or not any(directory.rglob("*.onnx")) or not any(directory.rglob("model.bin")):
        pytest.skip(f"no weights below {directory}; run `viva models pull`")


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """`viva serve` with the real engines in a process of its own, one for all tests of a run."""
    need_weights()
    with LocalServer(tmp_path_factory.mktemp("live"), max_sessions=8) as server:
        yield server


if __name__ == "__main__":
    from_environment = Settings(_env_file=None)  # type: ignore[call-arg]
    asyncio.run(_uvicorn(scripted_app(from_environment)[0], from_environment.port).serve())
