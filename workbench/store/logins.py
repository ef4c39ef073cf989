"""Who logs in: the built-in administrator of the settings, or an account of the store. Shared by pages and `/api`."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from workbench.settings import Settings
from workbench.store.people import People
from workbench.store.rows_educators import Role

WRONG_LOGINS = RateLimitItemPerMinute(10)
"""Wrong logins a minute from one address, after which even the right one is not looked at."""

REMEMBERED_S = 300.0
"""For this long a password that was right is not hashed again: pages and players ask many times a minute."""


@dataclass(frozen=True)
class Identity:
    """Who is asking; `login` is the author of what they do."""

    login: str
    role: Role

    @property
    def administrator(self) -> bool:
        """Whether they may manage accounts and purge."""
        return self.role == "administrator"


class TooManyGuesses(PermissionError):
    """Too many wrong logins came from one address; `wait_s` says when to try again."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many wrong logins from this address; try again in {wait_s} s")
        self.wait_s = wait_s


class Logins:
    """Checks names and passwords, and counts the wrong ones by address.

    Args:
        settings: `VIVA_USERNAME` and `VIVA_PASSWORD`, the built-in administrator.
        store: The accounts.
        clock: Seconds, for forgetting passwords that were right.
    """

    def __init__(self, settings: Settings, store: People, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._guesses = MovingWindowRateLimiter(MemoryStorage())
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, float] = {}

    @property
    def built_in(self) -> Identity:
        """The administrator of the settings."""
        return Identity(self._settings.username, "administrator")

    @property
    def required(self) -> bool:
        """Whether anybody has a password: without one, only this machine is let in."""
        return bool(self._password) or self._store.has_educators()

    def check(self, login: str, password: str, address: str) -> Identity | None:
        """Who these belong to, None when they are wrong or the account is disabled.

        Args:
            login: As it was typed.
            password: As it was typed.
            address: Where the request comes from.

        Raises:
            TooManyGuesses: Too many wrong ones came from there.
        """
        if not self._guesses.test(WRONG_LOGINS, address):
            wait_s = ceil(self._guesses.get_window_stats(WRONG_LOGINS, address).reset_time - time.time())
            raise TooManyGuesses(max(1, wait_s))
        found = self._built_in(login, password) or self._stored(login, password)
        if found is None:
            self._guesses.hit(WRONG_LOGINS, address)
        return found

    def identity(self, login: str) -> Identity | None:
        """Who a login is that was checked before (a page's cookie); None once the account is disabled or gone."""
        if login == self._settings.username:
            return self.built_in
        row = self._store.find_educator(login)
        return None if row is None or row.disabled else Identity(row.login, row.role)

    def password_mark(self, login: str) -> str:
        """Something that changes when the password of a login does; never the password, but no less secret."""
        if login == self._settings.username:
            return f"{login}\0{hashlib.sha256(self._password.encode()).hexdigest()}"
        row = self._store.find_educator(login)
        return f"{login}\0{'' if row is None else row.password_changed_at.isoformat()}"

    @property
    def _password(self) -> str:
        return self._settings.password.get_secret_value() if self._settings.password else ""

    def _built_in(self, login: str, password: str) -> Identity | None:
        # both are compared, and in constant time: the answer's delay tells nothing
        same_name = secrets.compare_digest(login.encode(), self._settings.username.encode())
        same_password = secrets.compare_digest(password.encode(), self._password.encode())
        return self.built_in if same_name and same_password and self._password else None

    def _stored(self, login: str, password: str) -> Identity | None:
        row = self._store.find_educator(login)
        if row is not None:
            # a new password makes another key, so that the old one is forgotten at once
            text = f"{row.login}\0{row.password_changed_at.isoformat()}\0{password}"
            key = hmac.new(self._key, text.encode("utf-8", "replace"), hashlib.sha256).digest()
            now = self._clock()
            self._right = {known: until for known, until in self._right.items() if until > now}
            if key in self._right and not row.disabled:
                return Identity(row.login, row.role)
        checked = self._store.check_login(login, password)
        if checked is None:
            return None
        if row is not None:
            self._right[key] = now + REMEMBERED_S
        return Identity(checked.login, checked.role)
