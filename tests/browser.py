"""A Chromium for the tests of the page, and JavaScript modules run on their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from workbench.web.routes import STATIC_DIR

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=user-gesture-required",
    "--disable-dev-shm-usage",
]

RunJs = Callable[[str], Any]


def chromium_path(playwright: Any) -> str:
    """The Chromium to drive; skips where there is none, but fails in CI."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    own = playwright.chromium.executable_path
    if Path(own).exists():
        return str(own)
    message = "no Chromium: install one, or run `playwright install chromium`"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """A running headless Chromium with a fake microphone."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(playwright), args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()


def _in_node(directory: Path) -> RunJs:
    def run(code: str) -> Any:
        result = subprocess.run(
            ["node", "--input-type=module"],
            input=f"const answer = await (async () => {{ {code} }})();\nconsole.log(JSON.stringify(answer));",
            capture_output=True,
            text=True,
            cwd=directory,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


@contextmanager
def javascript(directory: Path) -> Iterator[RunJs]:
    """Runs code that may `import("./resampler.js")` the page's modules, in node or else in Chromium.

    Args:
        directory: Empty directory the modules are copied to.
    """
    for path in STATIC_DIR.glob("*.js"):
        shutil.copy(path, directory)
    (directory / "package.json").write_text('{"type": "module"}')
    (directory / "index.html").write_text("<!doctype html>")
    if shutil.which("node"):
        yield _in_node(directory)
        return

    class Handler(SimpleHTTPRequestHandler):
        extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(directory), **kwargs)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with chromium() as browser:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
            yield lambda code: page.evaluate(f"(async () => {{ {code} }})()")
    finally:
        server.shutdown()
