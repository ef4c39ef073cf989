"""Files of the educators' pages that are written while they are read, so that they lie on no disk of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from workbench.store.errors import StoreError
from workbench.store.logins import Identity
from workbench.store.repository import Store
from workbench.web.educators.login import Serve

_HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


def files(store: Store) -> dict[str, Serve]:
    """What is served, by path below `/educators`."""

    def research(request: Request, who: Identity) -> Response:
        given = request.query_params.get("cohort")
        if given is not None and not (given.isascii() and given.isdigit() and len(given) < 16):
            return JSONResponse(
                {"detail": f"cohort {given[:40]!r}: a number is needed, or nothing for all"}, 422, _HEADERS
            )
        cohort_id = None if given is None else int(given)
        try:
            if cohort_id is not None:
                store.load_cohort(cohort_id)
            found = store.research_export(actor=who.login, cohort_id=cohort_id)
        except StoreError as error:
            return JSONResponse({"detail": str(error)}, 404, _HEADERS)

        def lines() -> Iterator[str]:
            for one in found:
                yield json.dumps(one, ensure_ascii=False) + "\n"

        name = "vivas.jsonl" if cohort_id is None else f"vivas-cohort-{cohort_id}.jsonl"
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)

    return {"files/research.jsonl": research}
