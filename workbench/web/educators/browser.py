"""What the educators' pages have the browser do: save a file, draw links. The script is `static/educators.js`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context as GradioContext

from workbench.store.errors import StoreError

DOWNLOAD = "(file) => { window.educators.download(file); }"
SHOW_LINKS = "(links) => { window.educators.showLinks(links); }"


def shown() -> list[Any]:
    """When the tab being built is to be read anew: the page was loaded, or the tab was turned to."""
    root, tab = GradioContext.root_block, GradioContext.block
    triggers: list[Any] = [] if root is None else [root.load]
    return [*triggers, tab.select] if isinstance(tab, gr.Tab) else triggers


def when_shown(function: Callable[[], Any], outputs: Any) -> None:
    """Calls a function that needs no login when the tab being built is turned to."""
    tab = GradioContext.block
    if isinstance(tab, gr.Tab):
        tab.select(function, None, outputs, queue=False, api_visibility="private", show_progress="hidden")


def carrier() -> gr.Textbox:
    """An unseen component that carries text from an event to the script."""
    return gr.Textbox(visible=False)


def file_for_browser(name: str, data: bytes, media_type: str) -> str:
    """A file as text for `DOWNLOAD`; it is written to no disk of the server."""
    return json.dumps({"name": name, "type": media_type, "base64": base64.b64encode(data).decode()})


def take_upload(path: str | None, most_bytes: int) -> tuple[str, bytes]:
    """Name and bytes of an uploaded file, which is deleted: names of people stay in no temporary folder.

    Raises:
        StoreError: There is none, or it is too large.
    """
    if not path:
        raise StoreError("no file was chosen")
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > most_bytes:
            raise StoreError(f"{file.name} has {size:,} bytes; at most {most_bytes:,} are taken")
        return file.name, file.read_bytes()
    finally:
        file.unlink(missing_ok=True)
