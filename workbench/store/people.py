"""Accounts of educators: who may open the educators' pages and `/api`, and as what."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, insert, select, update

from workbench.store.core import Database
from workbench.store.errors import NotFound, StoreError
from workbench.store.rows_educators import EducatorRow, Role
from workbench.store.tables_educators import Educators

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
"""What a login may look like, in lower case; an e-mail address will do."""

MIN_PASSWORD = 10
MAX_PASSWORD = 200

RESERVED = frozenset({"judge", "system", "candidate", "command line"})
"""Names that mean something else as the author of a mark or in the audit log."""

_COLUMNS = (
    Educators.id, Educators.login, Educators.name, Educators.role, Educators.disabled, Educators.created_at,
    Educators.password_changed_at,
)  # fmt: skip


class People(Database):
    """Educators and administrators."""

    def create_educator(
        self, login: str, password: str, *, role: Role = "educator", name: str = "", actor: str = "system"
    ) -> EducatorRow:
        """Makes an account.

        Args:
            login: 1 to 64 letters, digits and `. _ @ + -`; upper and lower case are the same.
            password: 10 to 200 characters; only its Argon2id hash is kept.
            role: `educator`, or `administrator`, who also manages accounts and purges.
            name: For people to read; the login when empty.
            actor: Who makes it, for the audit log.

        Raises:
            StoreError: The login is taken or malformed, the role unknown, or the password too short or long.
        """
        key = _checked_login(login)
        if key == self.settings.username.casefold():
            raise StoreError(f"login {key!r} is VIVA_USERNAME, the built-in administrator; choose another")
        if role not in ("educator", "administrator"):
            raise StoreError(f"role {role!r}: allowed are educator and administrator")
        hashed = _hasher().hash(_checked_password(password))
        now = self._now()
        with self._writing() as connection:
            if connection.execute(select(Educators.id).where(Educators.login == key)).first() is not None:
                raise StoreError(f"login {key!r} is taken; choose another, or enable that account")
            connection.execute(
                insert(Educators).values(
                    login=key,
                    name=name.strip()[:120] or key,
                    password_hash=hashed,
                    role=role,
                    disabled=False,
                    created_at=now,
                    password_changed_at=now,
                )
            )
            self._audit(connection, actor, "educator.created", key, {"role": role})
            return _educator(connection, key)

    def check_login(self, login: str, password: str) -> EducatorRow | None:
        """The account these open; None for a wrong password, an unknown login or a disabled account.

        It takes as long for an unknown login as for a known one, so that nobody learns which there are.
        """
        key = login.strip().casefold()
        with self._reading() as connection:
            row = connection.execute(
                select(*_COLUMNS, Educators.password_hash).where(Educators.login == key)
            ).one_or_none()
        right = _verified(_unknown_hash() if row is None else row.password_hash, password)
        if row is None or not right or row.disabled:
            return None
        if _hasher().check_needs_rehash(row.password_hash):
            self._rehash(key, row.password_hash, password)
        return EducatorRow(**{name: value for name, value in row._mapping.items() if name != "password_hash"})

    def find_educator(self, login: str) -> EducatorRow | None:
        """The account of this login, disabled or not; None when there is none."""
        with self._reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(Educators.login == login.strip().casefold())).one_or_none()
        return None if row is None else EducatorRow(**row._mapping)

    def list_educators(self) -> tuple[EducatorRow, ...]:
        """Every account, by login."""
        with self._reading() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(Educators.login)).all()
        return tuple(EducatorRow(**row._mapping) for row in rows)

    def has_educators(self) -> bool:
        """Whether any account can log in."""
        with self._reading() as connection:
            query = select(func.count()).select_from(Educators).where(~Educators.disabled)
            return connection.execute(query).scalar_one() > 0

    def set_password(self, login: str, password: str, *, actor: str = "system") -> EducatorRow:
        """Gives an account a new password.

        Raises:
            NotFound: No such account.
            StoreError: The password is too short or too long.
        """
        hashed = _hasher().hash(_checked_password(password))
        return self._change(login, actor, "educator.password", password_hash=hashed, password_changed_at=self._now())

    def set_disabled(self, login: str, disabled: bool, *, actor: str = "system") -> EducatorRow:
        """Shuts an account out, or lets it in again; what it did stays in the audit log.

        Raises:
            NotFound: No such account.
        """
        action = "educator.disabled" if disabled else "educator.enabled"
        return self._change(login, actor, action, disabled=disabled)

    def set_role(self, login: str, role: Role, *, actor: str = "system") -> EducatorRow:
        """Makes an educator an administrator, or an administrator an educator.

        Raises:
            NotFound: No such account.
            StoreError: No such role.
        """
        if role not in ("educator", "administrator"):
            raise StoreError(f"role {role!r}: allowed are educator and administrator")
        return self._change(login, actor, "educator.role", role=role)

    def _change(self, login: str, actor: str, action: str, **values: object) -> EducatorRow:
        key = login.strip().casefold()
        with self._writing() as connection:
            changed = connection.execute(update(Educators).where(Educators.login == key).values(**values))
            if changed.rowcount != 1:
                raise NotFound("educator", login)
            self._audit(connection, actor, action, key, {})
            return _educator(connection, key)

    def _rehash(self, login: str, old: str, password: str) -> None:
        hashed = _hasher().hash(password)
        with self._writing() as connection:
            connection.execute(
                update(Educators)
                .where(Educators.login == login, Educators.password_hash == old)
                .values(password_hash=hashed)
            )


def _educator(connection: Connection, login: str) -> EducatorRow:
    row = connection.execute(select(*_COLUMNS).where(Educators.login == login)).one()
    return EducatorRow(**row._mapping)


def _checked_login(login: str) -> str:
    key = login.strip().casefold()
    if not LOGIN.fullmatch(key):
        raise StoreError(f"login {login[:80]!r}: allowed are 1 to 64 letters, digits and . _ @ + -")
    if key in RESERVED:
        raise StoreError(f"login {key!r} has a meaning of its own here; choose another")
    return key


def _checked_password(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise StoreError(f"the password has {len(password)} characters; allowed are {MIN_PASSWORD} to {MAX_PASSWORD}")
    return password


def _verified(hashed: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(hashed, password[: MAX_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    # RFC 9106, section 4, second recommended option: 64 MiB, three passes. One thread: the others serve vivas
    profile = RFC_9106_LOW_MEMORY
    return PasswordHasher(time_cost=profile.time_cost, memory_cost=profile.memory_cost, parallelism=1)


@lru_cache(maxsize=1)
def _unknown_hash() -> str:
    return _hasher().hash("no account has this password")
