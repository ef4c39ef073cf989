"""A workbench server in a process of its own, for benches, simulations and tests that were given none."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from workbench.ports import free_port

START_TIMEOUT_S = 180.0


class ServerFailed(RuntimeError):
    """The server did not come up, or died; the message holds the end of its log."""


def realtime_url(url: str) -> str:
    """The address of the socket, from the address of the page or of the socket itself.

    Raises:
        ValueError: Neither http(s) nor ws(s).
    """
    scheme, separator, rest = url.partition("://")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if not separator or scheme not in schemes:
        raise ValueError(f"the address of a server starts with http://, https://, ws:// or wss://, got {url!r}")
    rest = rest.rstrip("/")
    return f"{schemes[scheme]}://{rest if rest.endswith('/v1/realtime') else rest + '/v1/realtime'}"


class LocalServer:
    """`viva serve` as a child process.

    Args:
        data_dir: Where database and recordings go; a temporary directory, deleted at the end, when omitted.
        port: Port to listen on; a free one when 0.
        **settings: Further settings by field name, e.g. `max_sessions=8`.
    """

    def __init__(self, data_dir: Path | None = None, *, port: int = 0, **settings: Any) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="viva-") if data_dir is None else None
        self.data_dir = data_dir or Path(str(self._temporary.name if self._temporary else ""))
        self.port = port or free_port()
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = self.data_dir / "server.log"

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def realtime(self) -> str:
        """Address of the socket."""
        return realtime_url(self.url)

    @property
    def pid(self) -> int:
        """Process id of the server.

        Raises:
            ServerFailed: It is not running.
        """
        if self.process is None:
            raise ServerFailed("the server was not started")
        return self.process.pid

    def command(self) -> list[str]:
        """The command line of the child; host, port and data directory reach it by its environment."""
        return [sys.executable, "-m", "workbench.cli", "serve"]

    def start(self) -> LocalServer:
        """Starts the server and waits until it answers.

        Raises:
            ServerFailed: It ended or did not answer in time.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "VIVA_HOST": "127.0.0.1",
            "VIVA_PORT": str(self.port),
            "VIVA_DATA_DIR": str(self.data_dir.resolve()),
            "VIVA_SHARE": "false",
            "GRADIO_ANALYTICS_ENABLED": "False",
            **{f"VIVA_{name.upper()}": str(value) for name, value in self.settings.items()},
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerFailed(f"the server ended with code {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return self
            time.sleep(0.2)
        self.stop()
        raise ServerFailed(f"the server did not answer within {START_TIMEOUT_S:.0f} s:\n{self.log_tail()}")

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Ends the process at once (SIGKILL); its data stay."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self) -> None:
        """Asks the process to end (SIGTERM), insists after a while, and removes temporary data."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def log_tail(self, n_lines: int = 30) -> str:
        """The last lines of the server's log."""
        try:
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join(lines[-n_lines:])

    def __enter__(self) -> LocalServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def server_at(url: str | None, **settings: Any) -> Iterator[tuple[str, LocalServer | None]]:
    """The socket's address of the given server, or of one started for the purpose and stopped afterwards."""
    if url is not None:
        yield realtime_url(url), None
        return
    with LocalServer(**settings) as server:
        yield server.realtime, server
