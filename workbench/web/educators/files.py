"""Files of the educators' pages that are made when they are asked for and stay on no disk of the server."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.repository import Store
from workbench.web.educators.login import Serve

_HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


RESEARCH_FORMATS = {
    "parquet": "Parquet",
    "tables": "CSV tables",
    "textgrid": "Praat",
    "eaf": "ELAN",
    "webvtt": "captions",
    "convokit": "ConvoKit",
}
"""What the tables for research may be downloaded as, beside JSON lines."""


def has_research_formats() -> bool:
    """Whether the libraries they are made with are installed."""
    return all(importlib.util.find_spec(name) for name in ("pandas", "pyarrow", "pandera", "pympi"))


def files(store: Store) -> dict[str, Serve]:
    """What is served, by path below `/educators`."""

    def cohort_of(request: Request) -> int | None | Response:
        given = request.query_params.get("cohort")
        if given is not None and not (given.isascii() and given.isdigit() and len(given) < 16):
            return JSONResponse(
                {"detail": f"cohort {given[:40]!r}: a number is needed, or nothing for all"}, 422, _HEADERS
            )
        cohort_id = None if given is None else int(given)
        try:
            if cohort_id is not None:
                store.load_cohort(cohort_id)
        except StoreError as error:
            return JSONResponse({"detail": str(error)}, 404, _HEADERS)
        return cohort_id

    def research(request: Request, who: Identity) -> Response:
        cohort_id = cohort_of(request)
        if isinstance(cohort_id, Response):
            return cohort_id
        found = store.research_export(actor=who.login, cohort_id=cohort_id)

        def lines() -> Iterator[str]:
            for one in found:
                yield json.dumps(one, ensure_ascii=False) + "\n"

        name = "vivas.jsonl" if cohort_id is None else f"vivas-cohort-{cohort_id}.jsonl"
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)

    def tables(request: Request, who: Identity) -> Response:
        cohort_id = cohort_of(request)
        if isinstance(cohort_id, Response):
            return cohort_id
        kind = request.query_params.get("format", "parquet")
        if kind not in RESEARCH_FORMATS:
            detail = f"format {kind[:40]!r}: allowed are {', '.join(RESEARCH_FORMATS)}"
            return JSONResponse({"detail": detail}, 422, _HEADERS)
        if not has_research_formats():
            detail = "these files need the research extra on the server: `pip install 'viva-workbench[research]'`"
            return JSONResponse({"detail": detail}, 501, _HEADERS)
        from workbench.transcripts import load
        from workbench.transcripts.formats import zipped

        name = f"vivas-{kind}" if cohort_id is None else f"vivas-cohort-{cohort_id}-{kind}"
        found = load(store, cohort_id=cohort_id)
        content = zipped(found, kind, name)
        subject = "all" if cohort_id is None else f"cohort:{cohort_id}"
        store.note(who.login, "research.exported", subject, n_sessions=len(found.sessions), format=kind)
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    return {"files/research.jsonl": research, "files/research.zip": tables}
