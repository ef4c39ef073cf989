"""The sessions page: every viva that is kept, and one of them opened."""

from __future__ import annotations

import gradio as gr

from workbench.web.educators.context import Context


def build(context: Context) -> None:
    """Builds the page inside its tab."""
    gr.Markdown("Sessions")
