"""The Gradio page and its static worklets. The loop itself runs behind the socket, in `workbench.realtime`."""
