"""Ports of this machine."""

from __future__ import annotations

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((host if host != "0.0.0.0" else "127.0.0.1", 0))
        return int(probe.getsockname()[1])
