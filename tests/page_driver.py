"""The page in a browser beside a scripted server, with the handful of moves the tests share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.scripted_server import ScriptedServer
from tests.small_bank import BANK
from workbench.ports import free_port
from workbench.settings import Settings
from workbench.web import build_page, static_routes

# leaves the test tone as it is: no echo cancellation, no noise suppression, no gain control
PLAIN_MICROPHONE = """
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (open) navigator.mediaDevices.getUserMedia = (wanted) => {
  window.askedOfMicrophone = structuredClone(wanted.audio);
  return open({ audio: { ...wanted.audio, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
};
"""


@contextmanager
def serving(server: ScriptedServer, root_path: str | None = None) -> Iterator[str]:
    """The page with the scripted socket on one port; yields its address."""
    settings = Settings(_env_file=None)
    page = build_page(settings, {BANK.discipline: BANK}, server.mint_ticket)
    port = free_port()
    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        root_path=root_path,
        ssr_mode=False,
        app_kwargs={"routes": [*server.routes(), *static_routes()]},
        **page.launch_options,
    )
    try:
        yield f"http://localhost:{port}/"
    finally:
        page.close(verbose=False)


class Candidate:
    """Somebody at the page."""

    def __init__(self, browser: Any, url: str, *, microphone: bool = True, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(**context)
        if microphone:
            self.context.grant_permissions(["microphone"], origin=url.rstrip("/"))
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, address: str | None = None) -> Candidate:
        """Opens the page and waits until it is alive."""
        self.page.goto(address or self.url)
        self.page.wait_for_function("window.viva")
        self.page.wait_for_selector("#viva-start")
        return self

    def agree(self) -> None:
        """Ticks the consent box."""
        self.page.check("#viva-consent-given input")

    def start(self, *, typed: bool = False) -> None:
        """Agrees and starts."""
        if typed:
            self.page.click("#viva-accommodations button")
            self.page.check("#viva-typed-only input")
        self.agree()
        self.page.click("#viva-start")

    def answer(self, text: str) -> None:
        """Types an answer once it is the candidate's turn."""
        self.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
        self.page.fill("#viva-typed-text", text)
        self.page.press("#viva-typed-text", "Enter")

    def text(self, selector: str) -> str:
        """Visible text of an element."""
        return str(self.page.inner_text(selector))

    def wait_text(self, selector: str, part: str) -> None:
        """Waits until an element shows `part`."""
        self.page.wait_for_function(
            "([selector, part]) => document.querySelector(selector)?.innerText.includes(part)", arg=[selector, part]
        )

    def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Waits for something outside the page, letting the browser go on meanwhile."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            self.page.wait_for_timeout(30)
        return answer

    def overflow(self) -> list[str]:
        """Visible elements that reach beyond the right edge of the window."""
        beyond: list[str] = self.page.evaluate("""() =>
          [...document.querySelectorAll("#viva-page *")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().width > 1)
            .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
            .map((one) => one.outerHTML.slice(0, 80))""")
        return beyond

    def close(self) -> None:
        """Leaves; a script error on the way fails the test."""
        self.context.close()
        assert not self.errors, self.errors
