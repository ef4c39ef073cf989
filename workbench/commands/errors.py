"""Turns the failures a person can do something about into one clear message, without a traceback."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import ValidationError
from typer.core import TyperGroup

USER_ERRORS = {
    "workbench.delivery.errors": ("DeliveryError",),
    "workbench.engines.base": ("EngineError",),
    "workbench.exam.bank": ("BankError",),
    "workbench.exam.report": ("ReportError",),
    "workbench.lab": ("LabError",),
    "workbench.models": ("ModelError",),
    "workbench.packages": ("PackageError",),
    "workbench.realtime.tickets": ("TicketError",),
    "workbench.realtime.protocol": ("ProtocolError",),
    "workbench.reports.errors": ("ReportFailed",),
    "workbench.simulate.local_server": ("ServerFailed",),
    "workbench.store.errors": ("StoreError",),
    "workbench.transcripts.errors": ("TranscriptError",),
}
"""Errors by module whose message is written for the person at the keyboard."""

SECRET_FIELDS = frozenset({"password", "secret_key", "api_key", "database_url", "mail_password", "archive_options"})
"""Settings whose value is never repeated in a message."""

EXIT_USER_ERROR = 2


def explain(error: BaseException) -> str | None:
    """The message for the person at the keyboard, or None when the error is a defect of the program."""
    if isinstance(error, ValidationError):
        return _explain_validation(error)
    for module_name, names in USER_ERRORS.items():
        # an error can only have been raised by a module that is loaded
        module = sys.modules.get(module_name)
        kinds = [getattr(module, name, None) for name in names]
        if any(isinstance(kind, type) and isinstance(error, kind) for kind in kinds):
            return str(error)
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("workbench"):
        return f"{error}; install the package or the extra it belongs to, `viva doctor` lists what is missing"
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename is not None else ""
        return f"{error.strerror}{place}" if error.strerror else str(error)
    return None


def _explain_validation(error: ValidationError) -> str:
    lines = [f"{error.error_count()} invalid {'setting' if error.title == 'Settings' else error.title}:"]
    for item in error.errors(include_url=False):
        field = ".".join(str(part) for part in item["loc"]) or "(whole)"
        name = f"VIVA_{field.upper()}" if error.title == "Settings" else field
        given = "" if field in SECRET_FIELDS else f" (given {str(item['input'])[:80]!r})"
        lines.append(f"  {name}: {item['msg']}{given}")
    return "\n".join(lines)


class ExplainingGroup(TyperGroup):
    """The top of `viva`: what `explain` knows is printed as one message, exit code 2, unless `--debug`."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = None if ctx.params.get("debug") else explain(error)
            if message is None:
                raise
            print(f"viva: {message}", file=sys.stderr)
            sys.exit(EXIT_USER_ERROR)
