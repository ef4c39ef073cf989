"""Static files of the page, served beside Gradio's own routes.

The address carries a hash of all files: a browser may keep them for good, and a new version of the workbench is never
mixed with an old file. Modules find each other relative to their own address, so that any prefix works.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

STATIC_DIR = Path(__file__).parent / "static"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


@lru_cache(maxsize=1)
def static_version() -> str:
    """Hash of every static file, twelve hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(STATIC_DIR.iterdir()):
        if path.suffix in MEDIA_TYPES:
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """Address of a static file, relative to the root the page is served under."""
    return f"viva/static/{static_version()}/{name}"


async def _static_file(request: Request) -> Response:
    name = request.path_params["name"]
    path = STATIC_DIR / name
    # the parameter holds no slash, so that the name alone decides; only known kinds of file are served
    if path.suffix not in MEDIA_TYPES or not path.is_file() or path.parent != STATIC_DIR:
        raise HTTPException(404, f"no static file {name!r}")
    current = request.path_params["version"] == static_version()
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[path.suffix],
        headers={"Cache-Control": FOREVER if current else ASK_AGAIN, "X-Content-Type-Options": "nosniff"},
    )


def static_routes() -> list[BaseRoute]:
    """Routes for `launch(app_kwargs={"routes": [...]})`."""
    return [Route("/viva/static/{version}/{name}", _static_file, methods=["GET"], name="viva_static")]
