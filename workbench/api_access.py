"""Who may read stored sessions over HTTP: the educator with a password, this machine without one, nobody else."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from time import time
from urllib.parse import urlsplit

from fastapi import HTTPException
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from workbench.settings import Settings

VerifyReportToken = Callable[[str], str | None]
"""Returns the id of the session whose report a token opens, None for a token that opens nothing."""

# what a proxy or a share tunnel adds; a request that has one was not made on this machine
_FORWARDING_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")

WRONG_LOGINS = RateLimitItemPerMinute(10)
"""Wrong logins a minute from one address, after which even the right one is not looked at."""

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Viva Workbench", charset="UTF-8"'}


@dataclass(frozen=True)
class Access:
    """Decides about one request at a time.

    Attributes:
        settings: Login name, password and allowed origins.
        verify_report_token: What a candidate's token opens.
        guesses: Counts wrong logins by address.
    """

    settings: Settings
    verify_report_token: VerifyReportToken
    guesses: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))

    def educator(self, request: Request) -> str:
        """The login name of who asks.

        Raises:
            HTTPException: 401 without the right password; 403 from elsewhere when no password is set, or when
                another web site's page made the request; 429 after too many wrong passwords.
        """
        self._refuse_other_sites(request)
        password = self.settings.password.get_secret_value() if self.settings.password else ""
        if not password:
            if is_this_machine(request):
                return self.settings.username
            raise HTTPException(
                403, "stored sessions are open to this machine only; set VIVA_PASSWORD to read them from elsewhere"
            )
        given = _basic_credentials(request.headers.get("authorization", ""))
        if given is None:
            raise HTTPException(401, "log in with VIVA_USERNAME and VIVA_PASSWORD", _CHALLENGE)
        address = _address(request)
        if not self.guesses.test(WRONG_LOGINS, address):
            wait_s = ceil(self.guesses.get_window_stats(WRONG_LOGINS, address).reset_time - time())
            message = f"too many wrong logins from this address; try again in {max(1, wait_s)} s"
            raise HTTPException(429, message, {"Retry-After": str(max(1, wait_s))})
        # both are compared, and in constant time: the answer's delay tells nothing
        same_name = secrets.compare_digest(given[0].encode(), self.settings.username.encode())
        same_password = secrets.compare_digest(given[1].encode(), password.encode())
        if not (same_name and same_password):
            self.guesses.hit(WRONG_LOGINS, address)
            raise HTTPException(401, "wrong user name or password", _CHALLENGE)
        return self.settings.username

    def reader(self, request: Request, session_id: str) -> str:
        """Who reads one session's report: the candidate whose token opens it, else the educator.

        Raises:
            HTTPException: 403 for a token that does not open this session, or what `educator` raises.
        """
        token = request.query_params.get("token")
        if token is None:
            return self.educator(request)
        opened = self.verify_report_token(token)
        if opened is None or not secrets.compare_digest(opened.encode(), session_id.encode()):
            raise HTTPException(403, "this link does not open this report, or has expired; ask for a new one")
        return "candidate"

    def _refuse_other_sites(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is None:
            if request.headers.get("sec-fetch-site") == "cross-site" and request.method not in ("GET", "HEAD"):
                raise HTTPException(403, "another site may not do this")
            return
        allowed = {item.strip().rstrip("/") for item in self.settings.allowed_origins.split(",") if item.strip()}
        if urlsplit(origin).netloc != request.headers.get("host") and origin not in allowed:
            raise HTTPException(403, f"origin {origin[:80]!r} is not allowed; add it to VIVA_ALLOWED_ORIGINS")


def is_this_machine(request: Request) -> bool:
    """Whether a request came from this machine and straight to it: no proxy, no tunnel, no foreign host name.

    The host name matters because a page anywhere may have its own name resolve to 127.0.0.1.
    """
    if any(name in request.headers for name in _FORWARDING_HEADERS):
        return False
    if request.client is None or not _is_loopback(request.client.host):
        return False
    host = request.headers.get("host", "")
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name == "localhost" or _is_loopback(name.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _address(request: Request) -> str:
    """Where a request came from: what the nearest proxy or tunnel says, else the other end of the connection."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded[:64] or (request.client.host if request.client else "unknown")


def _basic_credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None
