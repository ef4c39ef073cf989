"""The Gradio page and its static worklets. The loop itself runs behind the socket, in `workbench.realtime`."""

from workbench.web.page import build_page, launch_options
from workbench.web.routes import static_routes

__all__ = ["build_page", "launch_options", "static_routes"]
