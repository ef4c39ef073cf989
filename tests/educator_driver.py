"""An educator at a browser, and a candidate who comes in by the educator's link over the socket."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.small_bank import BANK
from tests.workbench_site import Site
from workbench.bank_exchange import export_bank
from workbench.settings import Settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import behaviour
from workbench.simulate.candidate import Candidate
from workbench.simulate.local_server import realtime_url

FIRST_AID = replace(BANK, discipline="first-aid", title="First Aid")
CSV = (
    "name,email,extra_time,typed_answers,slower_voice,house\n"
    "Ada Byron,ada@example.org,1.5,yes,yes,north\n"
    "No Address,nowhere,1,no,no,south\n"
)


def yaml_of(bank: Any = FIRST_AID) -> str:
    return export_bank(bank, "yaml").data.decode()


class Educator:
    """Somebody at the educators' pages of this machine."""

    def __init__(self, running: Any, site: Site) -> None:
        self.page = running.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{site.url}educators/")
        self.page.wait_for_function("window.educators")

    def tab(self, name: str) -> None:
        """Turns to a tab."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def choose(self, elem_id: str, option: str) -> None:
        """Chooses from a dropdown."""
        self.page.click(f"#{elem_id} input")
        self.page.get_by_role("option", name=option).first.click()

    def wait(self, elem_id: str, text: str) -> None:
        """Waits until a part of the page says something."""
        self.page.wait_for_function(
            "([id, text]) => document.getElementById(id)?.innerText.includes(text)", arg=[elem_id, text]
        )

    def download(self, elem_id: str, link: str) -> tuple[str, bytes]:
        """Clicks a link below an element; name and bytes of the file it saves."""
        with self.page.expect_download() as started:
            self.page.locator(f"#{elem_id}").get_by_role("link", name=link, exact=True).click()
        return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def sit(site: Site, token: str, banks: Path) -> Any:
    """A simulated candidate types its way through the viva of a link, coming in as the page does."""
    services = site.services
    ticket = services.tickets.mint_ticket(services.store.open_invitation(token).grants)
    book = AnswerBook(Settings(_env_file=None, banks_dir=banks))
    one = Candidate(
        "Somebody Else", behaviour("knowledgeable"), book, None, mode="practice", speed=40.0, options={"ticket": ticket}
    )
    with ThreadPoolExecutor(1) as pool:  # the browser's driver keeps a loop running on this thread
        return pool.submit(lambda: asyncio.run(one.sit(realtime_url(site.url), timeout_s=240))).result()
