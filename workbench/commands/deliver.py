"""`viva deliver`: mail reports, publish scores, archive sessions, and try whether each way out works."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from workbench.commands.errors import EXIT_USER_ERROR, explain
from workbench.commands.sessions import SessionId, as_json, open_store
from workbench.delivery.errors import NotConfigured

if TYPE_CHECKING:
    from workbench.delivery.outbox import Outbox
    from workbench.store.repository import Store

BY = "command line"
"""Who delivers here, for the audit log."""

app = typer.Typer(help="Reports by mail, scores to a learning platform, copies to an archive.", no_args_is_help=True)


@contextmanager
def _ready() -> Iterator[tuple[Store, dict[str, Any], Outbox]]:
    from workbench.delivery.worker import outbox_of
    from workbench.exam.bank import load_banks

    with open_store() as store:
        yield store, load_banks(store.settings.banks_dir), outbox_of(store.settings)


def _each(session_ids: Sequence[str], deliver: Callable[[str], str]) -> None:
    """Delivers every session, whatever becomes of the others; exit code 2 where one was refused."""
    n_refused = 0
    for session_id in dict.fromkeys(session_ids):
        try:
            print(f"{session_id}: {deliver(session_id)}")
        except Exception as error:
            message = explain(error)
            if message is None or isinstance(error, NotConfigured):  # a defect, or none of them can be delivered
                raise
            n_refused += 1
            print(f"{session_id}: not delivered: {message}", file=sys.stderr)
    if n_refused:
        raise typer.Exit(EXIT_USER_ERROR)


@app.command()
def test(
    way: Annotated[Literal["mail", "lti", "archive"], typer.Argument(help="Which way out.")],
    to: Annotated[str | None, typer.Option(help="Where a test mail goes.")] = None,
) -> None:
    """Try a way out as it is set up, and say what came of it."""
    from workbench.delivery import archive, lti, mail
    from workbench.settings import Settings

    settings = Settings()
    if way == "mail":
        if to is None:
            raise typer.BadParameter("a test mail needs --to ADDRESS")
        print(mail.send_test(settings, to))
    elif way == "lti":
        print(lti.send_test(settings))
    else:
        print(archive.send_test(settings))


@app.command()
def mail(
    session_ids: Annotated[list[str], typer.Argument(metavar="SESSION...", help="Ids of the sessions.")],
    to: Annotated[str | None, typer.Option(help="Another address than the candidate's.")] = None,
) -> None:
    """Mail the reports of sessions whose results are published; none is sent twice."""
    from workbench.delivery.mail import mail_report

    with _ready() as (store, banks, outbox):
        _each(session_ids, lambda one: mail_report(store, banks, store.settings, outbox, one, to=to, actor=BY))


@app.command()
def score(
    session_ids: Annotated[list[str], typer.Argument(metavar="SESSION...", help="Ids of the sessions.")],
    user: Annotated[str | None, typer.Option(help="The platform's id of the user, if not the candidate's.")] = None,
) -> None:
    """Publish the scores of sessions in the gradebook of the learning platform."""
    from workbench.delivery.lti import Platform, publish_session

    with _ready() as (store, _, outbox), Platform(store.settings) as platform:
        _each(session_ids, lambda one: publish_session(store, platform, outbox, one, user_id=user, actor=BY))


@app.command()
def archive(session_id: SessionId) -> None:
    """Copy the recording and report of a session to the archive."""
    from workbench.delivery.archive import archive_session

    with _ready() as (store, banks, outbox):
        names = archive_session(store, banks, store.settings, outbox, session_id, actor=BY)
    print(f"{session_id}: {', '.join(names)}")


@app.command(name="list")
def list_deliveries() -> None:
    """List what was sent, what failed, and what nobody knows the end of (`sending`)."""
    with _ready() as (_, _, outbox):
        rows = outbox.rows()
    for row in rows:
        print(f"{row.key}  {row.changed_at}  {row.kind}  {row.session_id}  {row.state}  {row.problem}".rstrip())
    print(f"{len(rows)} deliveries", file=sys.stderr)


@app.command()
def release(key: Annotated[str, typer.Argument(help="Key of the delivery, from `viva deliver list`.")]) -> None:
    """Let a mail whose end is not known be sent again: ask first whether it arrived."""
    with _ready() as (_, _, outbox):
        found = outbox.release(key)
    if not found:
        print(f"viva: no delivery {key} is under way; see `viva deliver list`", file=sys.stderr)
        raise typer.Exit(2)
    print(f"{key} may be sent again")


@app.command()
def keys(
    new: Annotated[Path | None, typer.Option(help="File for a new key; one that exists is kept.")] = None,
) -> None:
    """Print the public key set for the platform's registration page; with --new, make a key first."""
    from workbench.delivery import lti
    from workbench.settings import Settings

    settings = Settings()
    if new is not None:
        with new.open("xb") as file:
            new.chmod(0o600)
            file.write(lti.new_key())
        print(f"wrote {new}; set VIVA_LTI_KEY_FILE={new}", file=sys.stderr)
        settings = settings.model_copy(update={"lti_key_file": new})
    print(as_json(lti.public_keys(settings)))
