"""What the store's errors are over HTTP."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from workbench.exam.bank_file import BankError
from workbench.store.errors import InvitationRefused, NotFound, SessionNotFound, StoreError


def add_error_handlers(app: FastAPI) -> None:
    """404 for what is not there, 409 for a link that is closed, 422 for what does not fit, 503 for a failing read."""

    @app.exception_handler(SessionNotFound)
    def no_session(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "no session of that id"}, 404)

    @app.exception_handler(NotFound)
    def not_found(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 404)

    @app.exception_handler(InvitationRefused)
    def refused(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 409)

    @app.exception_handler(BankError)
    def no_bank(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: Exception) -> Response:
        # what was given is left out: it may be a password, or what somebody said
        assert isinstance(error, RequestValidationError)
        found = [{name: item[name] for name in ("type", "loc", "msg")} for item in error.errors()]
        return JSONResponse({"detail": found}, 422)

    @app.exception_handler(StoreError)
    def store_failed(request: Request, error: Exception) -> Response:
        # a read that fails is the store's fault, a change that is refused is the request's
        return JSONResponse({"detail": str(error)}, 503 if request.method in ("GET", "HEAD") else 422)
