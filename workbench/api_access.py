"""Who may read and change what is stored, over HTTP: educators by password, this machine without one, nobody else."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.requests import Request

from workbench.settings import Settings
from workbench.store.logins import Identity, Logins, TooManyGuesses

VerifyReportToken = Callable[[str], str | None]
"""Returns the id of the session whose report a token opens, None for a token that opens nothing."""

VerifyReaderToken = Callable[[str], tuple[str, str] | None]
"""Returns session and login of an educator's token for one session, None for a token that opens nothing."""

CANDIDATE = "candidate"
"""Who reads with a candidate's token; no account may have this name."""

# what a proxy or a share tunnel adds; a request that has one was not made on this machine
_FORWARDING_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Viva Workbench", charset="UTF-8"'}


@dataclass(frozen=True)
class Access:
    """Decides about one request at a time.

    Attributes:
        settings: Allowed origins.
        verify_report_token: What a candidate's token opens.
        logins: The built-in administrator and the accounts of the store.
        verify_reader_token: Session and login an educator's token for one session stands for.
    """

    settings: Settings
    verify_report_token: VerifyReportToken
    logins: Logins
    verify_reader_token: VerifyReaderToken = lambda token: None

    def identity(self, request: Request) -> Identity:
        """Who asks: an educator or an administrator.

        Raises:
            HTTPException: 401 without the right password; 403 from elsewhere when nobody has a password, or when
                another web site's page made the request; 429 after too many wrong passwords.
        """
        refuse_other_sites(request, self.settings)
        if not self.settings.password:
            # an account was made: its password opens /api from elsewhere, this machine stays the administrator's
            given = _basic_credentials(request.headers.get("authorization", ""))
            if is_this_machine(request) and (given is None or not self.logins.required):
                return self.logins.built_in
            if not self.logins.required:
                raise HTTPException(
                    403,
                    "stored sessions are open to this machine only; set VIVA_PASSWORD or make an account with"
                    " `viva educators add` to read them from elsewhere",
                )
        given = _basic_credentials(request.headers.get("authorization", ""))
        if given is None:
            raise HTTPException(401, "log in as VIVA_USERNAME or with an educator's account", _CHALLENGE)
        try:
            found = self.logins.check(*given, client_address(request))
        except TooManyGuesses as error:
            raise HTTPException(429, str(error), {"Retry-After": str(error.wait_s)}) from None
        if found is None:
            raise HTTPException(401, "wrong user name or password", _CHALLENGE)
        return found

    def educator(self, request: Request) -> str:
        """The login of the educator or administrator who asks; raises what `identity` raises."""
        return self.identity(request).login

    def administrator(self, request: Request) -> str:
        """The login of the administrator who asks.

        Raises:
            HTTPException: 403 for an educator, or what `identity` raises.
        """
        found = self.identity(request)
        if not found.administrator:
            raise HTTPException(403, "only an administrator may do this; ask one, or log in as VIVA_USERNAME")
        return found.login

    def reader(self, request: Request, session_id: str) -> str:
        """Who reads one session's report: `candidate` whose token opens it, else an educator's login.

        Raises:
            HTTPException: 403 for a token that does not open this session, or what `educator` raises.
        """
        token = request.query_params.get("token")
        if token is None:
            return self.educator(request)
        opened = self.verify_report_token(token)
        if opened is not None and secrets.compare_digest(opened.encode(), session_id.encode()):
            return CANDIDATE
        read = self.verify_reader_token(token)
        if read is not None and secrets.compare_digest(read[0].encode(), session_id.encode()):
            found = self.logins.identity(read[1])
            if found is not None:
                return found.login
        raise HTTPException(403, "this link does not open this report, or has expired; ask for a new one")


def refuse_other_sites(request: Request, settings: Settings) -> None:
    """Refuses what another web site's page asks for.

    Raises:
        HTTPException: 403.
    """
    origin = request.headers.get("origin")
    if origin is None:
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method not in ("GET", "HEAD"):
            raise HTTPException(403, "another site may not do this")
        return
    allowed = {item.strip().rstrip("/") for item in settings.allowed_origins.split(",") if item.strip()}
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


def client_address(request: Request) -> str:
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
