"""`viva educators`: the accounts of those who examine."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

import typer

from workbench.commands.sessions import as_json, open_store

app = typer.Typer(help="Accounts of educators and administrators.", no_args_is_help=True)

ACTOR = "command line"
PASSWORD_VARIABLE = "VIVA_NEW_PASSWORD"

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Login: letters, digits and . _ @ + -")]


@app.command()
def add(
    login: Login,
    role: Annotated[
        Literal["educator", "administrator"],
        typer.Option(help="Administrators also manage accounts and purge."),
    ] = "educator",
    name: Annotated[str, typer.Option(help="Name for people to read.")] = "",
) -> None:
    """Make an account; asks for the password, or takes it from VIVA_NEW_PASSWORD or a pipe."""
    password = _new_password()
    with open_store() as store:
        made = store.create_educator(login, password, role=role, name=name, actor=ACTOR)
    print(f"{made.login} can log in as {made.role}")


@app.command("list")
def list_educators(
    json_rows: Annotated[bool, typer.Option("--json", help="A JSON list, for programs.")] = False,
) -> None:
    """List the accounts, by login."""
    with open_store() as store:
        found = store.list_educators()
    if json_rows:
        print(as_json([row.__dict__ for row in found]))
        return
    for row in found:
        print(f"{row.login}  {row.role}  {'disabled' if row.disabled else 'active'}  {row.name}".rstrip())
    print(f"{len(found)} accounts beside VIVA_USERNAME", file=sys.stderr)


@app.command()
def disable(login: Login) -> None:
    """Shut an account out at once; what it did stays."""
    with open_store() as store:
        print(f"{store.set_disabled(login, True, actor=ACTOR).login} is shut out")


@app.command()
def enable(login: Login) -> None:
    """Let a disabled account in again."""
    with open_store() as store:
        print(f"{store.set_disabled(login, False, actor=ACTOR).login} can log in again")


@app.command()
def password(login: Login) -> None:
    """Give an account a new password; asks as `add` does."""
    new = _new_password()
    with open_store() as store:
        print(f"{store.set_password(login, new, actor=ACTOR).login} has a new password")


def _new_password() -> str:
    """From the variable, from a pipe, or typed twice unseen; never an argument, which other users of a machine see."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("Password (10 characters or more)", hide_input=True, confirmation_prompt=True)
    return typed
