"""Signed tokens: the one-time ticket that opens the socket, the token that resumes a viva, those that read a report.

`itsdangerous` signs them with a key kept beside the data, so that they survive a restart and cannot be made by anyone
else. A ticket is used up by its first use; the used ones are remembered until they would have expired anyway.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from workbench.store.rows import RESUME_LIFE_S

TICKET_LIFE_S = 15 * 60
REPORT_LIFE_S = 180 * 24 * 3600
READER_LIFE_S = 3600


class TicketError(ValueError):
    """A token that does not open what it was shown to; the message says why and what to do."""


def signing_key(data_dir: Path, given: str | None) -> str:
    """The key given in the settings, else one made once and kept in `data_dir` (readable by the owner alone)."""
    if given:
        return given
    path = data_dir / "secret.key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()


class Tickets:
    """Mints and checks the four kinds of token.

    Args:
        key: Signing key.
        clock: Wall-clock seconds, for forgetting used tickets.
    """

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        self._serializers = {
            kind: URLSafeTimedSerializer(key, salt=f"viva.{kind}") for kind in ("ticket", "resume", "report", "reader")
        }
        self._used: dict[str, float] = {}
        self._clock = clock

    def mint_ticket(self, grants: dict[str, Any] | None = None) -> str:
        """A ticket for one viva.

        Args:
            grants: Values of `VivaOptions` the holder may not change; with `invitation`, the id of a link, the viva
                counts as one of its attempts. `OpenedInvitation.grants` has them ready.
        """
        return str(self._serializers["ticket"].dumps({"id": secrets.token_hex(8), "grants": grants or {}}))

    def use_ticket(self, ticket: str) -> dict[str, Any]:
        """Uses a ticket up and returns what it grants.

        Raises:
            TicketError: Forged, expired or already used.
        """
        content = self._open("ticket", ticket, TICKET_LIFE_S)
        now = self._clock()
        self._used = {key: until for key, until in self._used.items() if until > now}
        if content["id"] in self._used:
            raise TicketError("this ticket was already used; reload the page for a new one")
        self._used[content["id"]] = now + TICKET_LIFE_S
        return dict(content["grants"])

    def is_invitation(self, ticket: str) -> bool:
        """Whether a ticket of this server, used or not, came from a link."""
        try:
            return "invitation" in self._serializers["ticket"].loads(ticket)["grants"]
        except BadSignature:
            return False

    def mint_resume(self, session_id: str) -> str:
        """A token with which the candidate comes back to this session."""
        return str(self._serializers["resume"].dumps(session_id))

    def open_resume(self, token: str) -> str:
        """Id of the session a resume token belongs to."""
        return str(self._open("resume", token, RESUME_LIFE_S))

    def mint_report(self, session_id: str) -> str:
        """A token with which the candidate reads the report of this session."""
        return str(self._serializers["report"].dumps(session_id))

    def open_report(self, token: str) -> str | None:
        """Id of the session whose report the token opens, None for a bad token."""
        try:
            return str(self._open("report", token, REPORT_LIFE_S))
        except TicketError:
            return None

    def mint_reader(self, session_id: str, login: str) -> str:
        """A token with which an educator's browser reads report and recording of one session, for an hour."""
        return str(self._serializers["reader"].dumps([session_id, login]))

    def open_reader(self, token: str) -> tuple[str, str] | None:
        """Session and login an educator's token stands for, None for a bad or expired one."""
        try:
            session_id, login = self._open("reader", token, READER_LIFE_S)
        except TicketError:
            return None
        return str(session_id), str(login)

    def _open(self, kind: str, token: str, life_s: float) -> Any:
        try:
            return self._serializers[kind].loads(token, max_age=int(life_s))
        except SignatureExpired:
            raise TicketError(
                f"this {kind} token has expired ({int(life_s / 60)} minutes); reload the page for a new one"
            ) from None
        except BadSignature:
            raise TicketError(f"this {kind} token was not made by this server; reload the page for a new one") from None
