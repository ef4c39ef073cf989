"""What every educators' page is given: store, banks, settings, and who is asking."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.exam.items import Bank
from workbench.settings import Settings
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.repository import Store

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""What every event of these pages is given: no entry in an API page, no spinner over what is read."""


@dataclass(frozen=True)
class Context:
    """Shared by the pages.

    Attributes:
        store: Where everything is kept.
        banks: Today's question banks by discipline.
        settings: Settings of the server.
        identify: Who sends a request, None without a login; an event is asked again, however it came in.
        mint_reader: Makes the token with which a browser reads report and recording of one session, from session and
            login.
    """

    store: Store
    banks: Mapping[str, Bank]
    settings: Settings
    identify: Callable[[Any], Identity | None]
    mint_reader: Callable[[str, str], str]

    def identity(self, request: gr.Request) -> Identity:
        """Who is asking.

        Raises:
            gr.Error: Nobody who is logged in.
        """
        found = self.identify(request.request) if request.request is not None else None
        if found is None:
            raise gr.Error("Your login has ended. Reload the page and log in again.", print_exception=False)
        return found

    def handler(self, function: Callable[..., Any], *, administrator: bool = False) -> Callable[..., Any]:
        """Makes an event handler of a function of who asks and the inputs' values.

        Without a login nothing is called; what the store refuses is shown as a message.

        Args:
            function: Takes an `Identity`, then one value an input.
            administrator: Whether only an administrator may.
        """

        @functools.wraps(function, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
        def handle(request: gr.Request, *values: Any) -> Any:
            who = self.identity(request)
            if administrator and not who.administrator:
                raise gr.Error("Only an administrator may do this; ask one.", print_exception=False)
            try:
                return function(who, *values)
            except StoreError as error:
                raise gr.Error(_sentence(str(error)), print_exception=False) from None

        del handle.__wrapped__  # Gradio would read the parameters of what is wrapped
        return handle


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
