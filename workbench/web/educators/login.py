"""The gate before the educators' pages: a login form, a signed cookie, and nothing behind it without one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import parse_qs

from fastapi import HTTPException
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.api_access import Access, client_address, is_this_machine, refuse_other_sites
from workbench.store.logins import Identity, Logins, TooManyGuesses
from workbench.web.routes import static_url

COOKIE = "viva_educator"
LIFE_S = 12 * 3600
MOUNT = "/educators"

_PRIVATE = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_MAX_FORM_BYTES = 4096


Serve = Callable[[Request, Identity], Response]
"""Answers a request of somebody who is logged in."""


class Gate:
    """Lets educators through to an application, and shows everybody else the login form.

    Args:
        app: The application behind the gate.
        access: Accounts and settings.
        key: Key that signs the cookie.
        files: What is answered by a function, not by the application, by path below `/educators`.
        strip_prefix: Whether the application behind was told its whole address, and counts paths from its own root.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        key: str,
        *,
        files: Mapping[str, Serve] | None = None,
        strip_prefix: bool = False,
    ) -> None:
        self._app = app
        self._access = access
        self._logins: Logins = access.logins
        self._serializer = URLSafeTimedSerializer(key, salt="viva.educator")
        self._key = key.encode()
        self._files = dict(files or {})
        self._strip_prefix = strip_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request below `/educators`."""
        request = Request(scope, receive)
        rest = str(scope.get("path_params", {}).get("rest", ""))
        try:
            refuse_other_sites(request, self._access.settings)
            if rest == "login" and request.method == "POST":
                form = await _form(request)
                # a password takes a while to check, and the loop has vivas to hold
                answer: Response | None = await run_in_threadpool(self._log_in, request, form)
            elif rest in ("login", "logout"):
                answer = self._form_page(request) if rest == "login" else self._log_out(request)
            else:
                who = await run_in_threadpool(self.identity, request)
                answer = self._refused(request, rest) if who is None else None
                if who is not None and rest in self._files:
                    answer = await run_in_threadpool(self._files[rest], request, who)
        except HTTPException as error:
            answer = JSONResponse({"detail": error.detail}, error.status_code, _PRIVATE)
        if answer is None:
            await self._app(self._inner(scope, rest), receive, send)
        else:
            await answer(scope, receive, send)

    def identity(self, request: Request) -> Identity | None:
        """Who sends a request: the login of its cookie, or on this machine without any password the administrator."""
        cookie = request.cookies.get(COOKIE)
        if cookie:
            found = self._of_cookie(cookie)
            if found is not None:
                return found
        if not self._access.settings.password and is_this_machine(request):
            return self._logins.built_in
        return None

    def cookie_of(self, identity: Identity) -> str:
        """The value of the cookie of somebody whose password was right just now."""
        return str(self._serializer.dumps([identity.login, self._stamp(identity.login)]))

    def _of_cookie(self, cookie: str) -> Identity | None:
        try:
            login, stamp = self._serializer.loads(cookie, max_age=LIFE_S)
        except (BadSignature, ValueError):
            return None
        # a new password, on the account or in the settings, ends every login made with the old one
        if not hmac.compare_digest(str(stamp), self._stamp(str(login))):
            return None
        return self._logins.identity(str(login))

    def _stamp(self, login: str) -> str:
        return hmac.new(self._key, self._logins.password_mark(login).encode(), hashlib.sha256).hexdigest()[:16]

    def _log_in(self, request: Request, form: dict[str, str]) -> Response:
        if not self._logins.required:
            return self._form_page(request, status=403)
        login = form.get("login", "")
        try:
            found = self._logins.check(login, form.get("password", ""), client_address(request))
        except TooManyGuesses as error:
            return self._form_page(request, str(error).capitalize() + ".", 429, login)
        if found is None:
            return self._form_page(request, "Wrong user name or password.", 401, login)
        answer = RedirectResponse("./", 303, _PRIVATE)
        answer.set_cookie(
            COOKIE,
            self.cookie_of(found),
            max_age=LIFE_S,
            path=None,
            httponly=True,
            samesite="lax",
            secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").partition(",")[0]),
        )
        return answer

    def _log_out(self, request: Request) -> Response:
        if request.method != "POST":
            return RedirectResponse("./", 303, _PRIVATE)
        answer = RedirectResponse("login", 303, _PRIVATE)
        answer.set_cookie(COOKIE, "", max_age=0, path=None, httponly=True, samesite="lax")
        return answer

    def _refused(self, request: Request, rest: str) -> Response:
        if rest == "" and request.method in ("GET", "HEAD"):
            return RedirectResponse("login", 303, _PRIVATE)
        return JSONResponse({"detail": "log in at /educators first; a login lasts 12 hours"}, 401, _PRIVATE)

    def _form_page(self, request: Request, problem: str = "", status: int = 200, login: str = "") -> Response:
        if not self._logins.required:
            body, status = _NOBODY, 403
            if is_this_machine(request):
                body, status = _OPEN_HERE, 200
        else:
            shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
            body = _FORM.format(problem=shown, login=escape(login[:80], quote=True))
        page = _PAGE.format(style=f"../{static_url('educators-login.css')}", body=body)
        return HTMLResponse(page, status, {**_PRIVATE, "Content-Security-Policy": _POLICY})

    def _inner(self, scope: Scope, rest: str) -> Scope:
        """What the application behind is asked: it counts addresses from where it is mounted."""
        inner = {**scope, "path_params": {}}
        if self._strip_prefix:
            inner.update(path=f"/{rest}", root_path="")
        else:
            inner.update(root_path=scope.get("root_path", "") + MOUNT)
        return inner


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise HTTPException(413, f"the form is larger than {_MAX_FORM_BYTES} bytes")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Educators - Viva Workbench</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<main>
<h1>Viva Workbench</h1>
{body}
</main>
</body>
</html>
"""

_FORM = """<p class="lede">Educators' pages</p>
{problem}
<form method="post" action="login">
<label for="login">User name</label>
<input id="login" name="login" autocomplete="username" autocapitalize="none" spellcheck="false" required value="{login}"
 autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Log in</button>
</form>
<p class="note">No account? An administrator makes one with <code>viva educators add</code>.</p>
"""

_NOBODY = """<p class="lede">Educators' pages</p>
<p role="alert">Nobody has a password yet, so these pages open on the server's own machine only. To open them from
elsewhere, set <code>VIVA_PASSWORD</code> or run <code>viva educators add</code> there.</p>
"""

_OPEN_HERE = """<p class="lede">Educators' pages</p>
<p>Nobody has a password yet: on this machine the pages are open. <a href="./">Go on to the pages</a>.</p>
"""
