"""What administrators do over HTTP: accounts, the audit log, retention; and the researcher's export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from workbench.api_access import Access
from workbench.store.people import MAX_PASSWORD, MIN_PASSWORD
from workbench.store.repository import Store
from workbench.store.retention import Due
from workbench.store.rows import AuditRow, Purged
from workbench.store.rows_educators import EducatorRow, Role

PATHS = ("/api/educators", "/api/educators/{rest:path}", "/api/audit", "/api/retention", "/api/retention/{rest:path}",
         "/api/research.jsonl")  # fmt: skip
"""What these routes add to the paths of the API."""

_Login = Annotated[str, InPath(max_length=64)]


class NewEducator(BaseModel):
    """An account to make."""

    model_config = ConfigDict(extra="forbid")

    login: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)
    role: Role = "educator"
    name: str = Field("", max_length=120)


class EducatorChanges(BaseModel):
    """What to change of an account; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    password: SecretStr | None = Field(None, min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)
    role: Role | None = None
    disabled: bool | None = None


def add_admin(app: FastAPI, store: Store, access: Access) -> None:
    """Adds the routes."""

    @app.get("/api/educators")
    def list_educators(request: Request) -> list[EducatorRow]:
        """Every account, by login; for administrators."""
        access.administrator(request)
        return list(store.list_educators())

    @app.post("/api/educators", status_code=201)
    def create_educator(request: Request, body: NewEducator) -> EducatorRow:
        """Makes an account; for administrators."""
        actor = access.administrator(request)
        password = body.password.get_secret_value()
        return store.create_educator(body.login, password, role=body.role, name=body.name, actor=actor)

    @app.patch("/api/educators/{login}")
    def change_educator(request: Request, login: _Login, body: EducatorChanges) -> EducatorRow:
        """Changes password, role or whether an account is shut out; for administrators."""
        actor = access.administrator(request)
        found = store.find_educator(login)
        if found is None:
            raise HTTPException(404, f"no educator {login!r}")
        if body.password is not None:
            found = store.set_password(login, body.password.get_secret_value(), actor=actor)
        if body.role is not None:
            found = store.set_role(login, body.role, actor=actor)
        if body.disabled is not None:
            found = store.set_disabled(login, body.disabled, actor=actor)
        return found

    @app.get("/api/audit")
    def audit(
        request: Request,
        subject: Annotated[str | None, Query(max_length=128, description="Only about this, e.g. a session.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[AuditRow]:
        """Who did and read what, newest first; for administrators."""
        access.administrator(request)
        return list(store.audit_log(subject, limit))

    @app.get("/api/retention")
    def retention(
        request: Request,
        within_days: Annotated[int, Query(ge=0, le=3650, description="Also what is due this soon.")] = 0,
    ) -> Due:
        """What the next purge would delete; for administrators."""
        access.administrator(request)
        return store.retention_due(within_days=within_days)

    @app.post("/api/retention/purge")
    def purge(request: Request) -> Purged:
        """Deletes what is past its retention date, and says what that was; for administrators."""
        return store.purge_expired(dry_run=False, actor=access.administrator(request))

    @app.get(
        "/api/research.jsonl",
        response_class=Response,
        responses={200: {"content": {"application/x-ndjson": {}}}},
    )
    def research(request: Request, cohort: Annotated[int | None, Query(ge=1, le=2**53)] = None) -> Response:
        """Ended vivas for research, a JSON object a line: pseudonyms only, names replaced in what was said."""
        actor = access.educator(request)
        rows = store.research_export(actor=actor, cohort_id=cohort)

        def lines() -> Iterator[str]:
            for row in rows:
                yield json.dumps(row, ensure_ascii=False) + "\n"

        headers = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="vivas.jsonl"'}
        return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)
