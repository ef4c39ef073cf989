"""What every educators' page is given: store, banks, settings, and who is asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context as GradioContext

from workbench.engines.base import EngineError
from workbench.exam.items import Bank
from workbench.judging.menu import JudgeMenu
from workbench.realtime.watching import Watched
from workbench.settings import Settings
from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.repository import Store
from workbench.web.educators.voice import Speak

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
        watch: The vivas this process holds at the moment, by session.
        speak: The examiner's voice: a text as a WAV file; None where no voice is loaded.
        judges: Mark an answer, one of them as it would be marked in a viva; None where no judge is loaded.
    """

    store: Store
    banks: Mapping[str, Bank]
    settings: Settings
    identify: Callable[[Any], Identity | None]
    mint_reader: Callable[[str, str], str]
    watch: Callable[[], Mapping[str, Watched]] = dict
    speak: Speak | None = None
    judges: JudgeMenu | None = None

    def identity(self, request: gr.Request) -> Identity:
        """Who is asking.

        Raises:
            gr.Error: Nobody who is logged in.
        """
        found = self.identify(request.request) if request.request is not None else None
        if found is None:
            raise gr.Error("Your login has ended. Reload the page and log in again.", print_exception=False)
        return found

    def on_load(self, function: Callable[..., Any], inputs: Any, outputs: Any) -> Any:
        """Calls a function that `handler` (or one of its kin) made when the page that is being built opens."""
        root = GradioContext.root_block
        if root is None:
            raise RuntimeError("on_load is called while a page is built, inside gr.Blocks")
        return root.load(function, inputs, outputs, **QUIET)

    def handler(self, function: Callable[..., Any], *, administrator: bool = False) -> Callable[..., Any]:
        """Makes an event handler of a function of who asks and the inputs' values.

        Without a login nothing is called; what the store refuses is shown as a message.

        Args:
            function: Takes an `Identity`, then one value an input.
            administrator: Whether only an administrator may.
        """

        def handle(request: gr.Request, *values: Any) -> Any:
            return self._called(function, request, values, administrator)

        return handle

    def event_handler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As `handler`, for a function that takes an `Identity`, the event's data, then one value an input."""

        def handle(request: gr.Request, event: gr.EventData, *values: Any) -> Any:
            return self._called(function, request, (event, *values), False)

        return handle

    def request_handler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As `handler`, for a function that takes an `Identity`, the request, then one value an input."""

        def handle(request: gr.Request, *values: Any) -> Any:
            return self._called(function, request, (request, *values), False)

        return handle

    def awaiting(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """As `handler`, for a coroutine function: one that speaks or judges."""

        async def handle(request: gr.Request, *values: Any) -> Any:
            who = await asyncio.to_thread(self.identity, request)
            try:
                return await function(who, *values)
            except (StoreError, EngineError) as error:
                raise gr.Error(_sentence(str(error)), print_exception=False) from None

        return handle

    def _called(
        self, function: Callable[..., Any], request: gr.Request, values: tuple[Any, ...], administrator: bool
    ) -> Any:
        who = self.identity(request)
        if administrator and not who.administrator:
            raise gr.Error("Only an administrator may do this; ask one.", print_exception=False)
        try:
            return function(who, *values)
        except StoreError as error:
            raise gr.Error(_sentence(str(error)), print_exception=False) from None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
