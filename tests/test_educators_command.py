"""`viva educators`: accounts from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.store_helpers import store_at
from workbench.cli import app


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VIVA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))


def viva(*arguments: str, expect: int = 0, typed: str = "") -> str:
    result = CliRunner().invoke(app, ["educators", *arguments], input=typed)
    assert result.exit_code == expect, f"{result.output}\n{result.exception!r}"
    return result.output


def test_an_account_is_made_listed_shut_out_and_let_in_again(tmp_path: Path):
    assert "ada can log in as administrator" in viva(
        "add", "Ada", "--role", "administrator", "--name", "Ada Byron", typed="a long password\n"
    )
    assert "ada  administrator  active  Ada Byron" in viva("list")
    assert "shut out" in viva("disable", "ada")
    (row,) = json.loads(viva("list", "--json"))
    assert (row["login"], row["disabled"]) == ("ada", True) and "password_hash" not in row
    viva("enable", "ada")
    viva("password", "ada", typed="another password\n")
    store = store_at(tmp_path)
    assert store.check_login("ada", "another password") and not store.check_login("ada", "a long password")
    store.close()


def test_the_password_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIVA_NEW_PASSWORD", "from a variable")
    viva("add", "ada")
    store = store_at(tmp_path)
    assert store.check_login("ada", "from a variable")
    store.close()


@pytest.mark.parametrize(
    "arguments, typed, said",
    [
        (("add", "ada"), "short\n", "10 to 200"),
        (("add", "a b"), "a long password\n", "letters, digits"),
        (("disable", "nobody"), "", "no educator 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_one_message(arguments: tuple[str, ...], typed: str, said: str):
    assert said in viva(*arguments, typed=typed, expect=2)
