"""A reverse proxy that serves another server below a path prefix, as nginx with `location /prefix/` does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from workbench.ports import free_port

_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "content-encoding"}


def _app(prefix: str, upstream: str) -> Starlette:
    client = httpx.AsyncClient(base_url=upstream, timeout=None)

    async def forward(request: Request) -> Response:
        headers = {key: value for key, value in request.headers.items() if key not in (_HOP | {"accept-encoding"})}
        headers["x-forwarded-host"] = request.headers["host"]
        sent = client.build_request(
            request.method,
            "/" + request.path_params["path"],
            params=request.query_params,
            headers=headers,
            content=await request.body(),
        )
        answer = await client.send(sent, stream=True)
        kept = {key: value for key, value in answer.headers.items() if key not in _HOP}
        return StreamingResponse(answer.aiter_bytes(), answer.status_code, kept)

    async def relay(socket: WebSocket) -> None:
        await socket.accept()
        address = upstream.replace("http", "ws") + "/" + socket.path_params["path"]
        async with websockets.connect(address) as inner:

            async def down() -> None:
                async for message in inner:
                    await socket.send_text(str(message))

            task = asyncio.create_task(down())
            try:
                while True:
                    await inner.send(await socket.receive_text())
            except WebSocketDisconnect:
                pass
            finally:
                task.cancel()

    return Starlette(
        routes=[
            WebSocketRoute(f"{prefix}/{{path:path}}", relay),
            Route(f"{prefix}/{{path:path}}", forward, methods=["GET", "POST", "HEAD", "DELETE", "OPTIONS"]),
        ]
    )


@contextmanager
def behind_prefix(prefix: str, upstream: str) -> Iterator[str]:
    """Runs the proxy; yields the address the upstream server is found at through it."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(_app(prefix, upstream), host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the proxy did not come up"
        threading.Event().wait(0.01)
    try:
        yield f"http://localhost:{port}{prefix}/"
    finally:
        server.should_exit = True
        thread.join(10)
