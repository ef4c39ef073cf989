"""Accounts of educators: passwords, roles, being shut out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.store_helpers import store_at
from workbench.settings import Settings
from workbench.store.errors import NotFound, StoreError
from workbench.store.logins import Identity, Logins, TooManyGuesses
from workbench.store.repository import Store
from workbench.store.tables_educators import Educators

PASSWORD = "correct horse battery"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    store.create_educator("Ada@Example.org", PASSWORD, name="Ada", actor="test")
    yield store
    store.close()


def test_the_right_password_opens_an_account_whatever_the_case_of_its_login(store: Store):
    found = store.check_login(" ada@example.ORG ", PASSWORD)
    assert found is not None and (found.login, found.name, found.role) == ("ada@example.org", "Ada", "educator")


@pytest.mark.parametrize("login, password", [("ada@example.org", PASSWORD + " "), ("ada", PASSWORD), ("", "")])
def test_a_wrong_password_and_an_unknown_login_open_nothing(store: Store, login: str, password: str):
    assert store.check_login(login, password) is None


def test_only_an_argon2id_hash_of_the_password_is_kept(store: Store):
    with store._reading() as connection:
        kept = connection.execute(select(Educators.password_hash)).scalar_one()
    assert kept.startswith("$argon2id$") and PASSWORD not in kept
    assert PASSWORD not in str(store.audit_log())


def test_a_disabled_account_is_shut_out_and_an_enabled_one_is_not(store: Store):
    store.set_disabled("ada@example.org", True)
    assert store.check_login("ada@example.org", PASSWORD) is None
    store.set_disabled("ada@example.org", False)
    assert store.check_login("ada@example.org", PASSWORD) is not None


@pytest.mark.parametrize(
    "login, password, role, said",
    [
        ("ada@example.org", PASSWORD, "educator", "taken"),
        ("a b", PASSWORD, "educator", "letters, digits"),
        ("judge", PASSWORD, "educator", "meaning of its own"),
        ("educator", PASSWORD, "educator", "VIVA_USERNAME"),
        ("eve", "short", "educator", "10 to 200"),
        ("eve", "x" * 201, "educator", "10 to 200"),
        ("eve", PASSWORD, "owner", "educator and administrator"),
    ],
)
def test_an_account_that_does_not_fit_is_refused_with_what_is_allowed(
    store: Store, login: str, password: str, role: str, said: str
):
    with pytest.raises(StoreError, match=said):
        store.create_educator(login, password, role=role)  # type: ignore[arg-type]
    assert len(store.list_educators()) == 1


def test_changing_an_account_that_is_not_there_says_so(store: Store):
    with pytest.raises(NotFound, match="eve"):
        store.set_disabled("eve", True)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def logins(store: Store, clock: Clock | None = None, **settings: object) -> Logins:
    config = Settings(_env_file=None, data_dir=store.settings.data_dir, **settings)  # type: ignore[call-arg,arg-type]
    return Logins(config, store, clock or Clock())


def test_the_built_in_administrator_and_the_accounts_log_in_side_by_side(store: Store):
    both = logins(store, username="root", password="of the settings")
    assert both.check("root", "of the settings", "a") == Identity("root", "administrator")
    assert both.check("ada@example.org", PASSWORD, "a") == Identity("ada@example.org", "educator")
    assert both.check("root", PASSWORD, "a") is None


def test_without_a_password_the_built_in_name_is_nobodys(store: Store):
    assert logins(store).check("educator", "", "a") is None


def test_a_remembered_password_is_forgotten_when_it_changes_or_the_account_is_shut_out(store: Store):
    checking = logins(store)
    assert checking.check("ada@example.org", PASSWORD, "a") and checking.check("ada@example.org", PASSWORD, "a")
    store.set_password("ada@example.org", "another long password")
    assert checking.check("ada@example.org", PASSWORD, "a") is None
    assert checking.check("ada@example.org", "another long password", "a")
    store.set_disabled("ada@example.org", True)
    assert checking.check("ada@example.org", "another long password", "a") is None
    assert checking.identity("ada@example.org") is None


def test_guessing_is_slowed_down_by_address(store: Store):
    checking = logins(store, password="of the settings")
    for number in range(10):
        assert checking.check("educator", f"guess {number}", "here") is None
    with pytest.raises(TooManyGuesses, match="try again in"):
        checking.check("educator", "of the settings", "here")
    assert checking.check("educator", "of the settings", "there")


def test_roles_decide_who_is_an_administrator(store: Store):
    assert store.set_role("ada@example.org", "administrator").role == "administrator"
    found = logins(store).identity("ada@example.org")
    assert found is not None and found.administrator
