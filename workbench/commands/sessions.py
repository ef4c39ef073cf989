"""`viva sessions`: list, show, export and delete what is kept of vivas."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from workbench.reports.formats import ReportFile
    from workbench.store.repository import Store
    from workbench.store.rows import ResultRow, SessionRow

app = typer.Typer(help="What is kept of vivas: list, show, export, delete.", no_args_is_help=True)

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="File to write; the screen when not given.")]


@contextmanager
def open_store() -> Iterator[Store]:
    """The store of the settings, closed afterwards."""
    from workbench.settings import Settings
    from workbench.store.repository import Store

    store = Store(Settings())
    try:
        yield store
    finally:
        store.close()


def write_out(text: str, out: Path | None) -> None:
    """Writes to a file that only its owner may read, or to the screen."""
    if out is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    _save(text.encode(), out)


def write_bytes(file: ReportFile, out: Path | None) -> None:
    """Writes to a file that only its owner may read, named after what it is when no name is given."""
    _save(file.content, out or Path(file.name))


def _save(content: bytes, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.touch(mode=0o600)
    out.write_bytes(content)
    print(f"wrote {out}", file=sys.stderr)


def as_json(value: Any) -> str:
    """JSON of what the store hands out: moments in ISO 8601, paths as text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@app.command("list")
def list_sessions(
    status: Annotated[
        Literal["running", "finished", "stopped", "abandoned"] | None, typer.Option(help="Only these.")
    ] = None,
    discipline: Annotated[str | None, typer.Option(help="Only this discipline.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Rows at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to leave out.")] = 0,
    json_rows: Annotated[bool, typer.Option("--json", help="A JSON object, for programs.")] = False,
) -> None:
    """List sessions, newest first."""
    with open_store() as store:
        page = store.list_sessions(status=status, discipline=discipline, limit=limit, offset=offset)
    if json_rows:
        rows = [flat_row(session, result) for session, result in page.sessions]
        print(as_json({"sessions": rows, "total": page.total, "offset": page.offset}))
        return
    for session, result in page.sessions:
        score = "" if result is None else f"{result.score:g}/{result.max_score:g}"
        area = f"{session.discipline}/{session.area or '-'}"
        started = session.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
        print(
            f"{session.id}  {started}  {session.pseudonym}  {area}  {session.mode}  {session.status}  {score}".rstrip()
        )
    print(f"{len(page.sessions)} of {page.total} sessions", file=sys.stderr)


def flat_row(session: SessionRow, result: ResultRow | None) -> dict[str, Any]:
    """One session as one row; a candidate's name stays where it is, the pseudonym stands for it."""
    row = {key: value for key, value in asdict(session).items() if key not in ("candidate_name", "setup", "wording")}
    for name in ("completed", "score", "max_score", "n_correct", "n_partial", "n_incorrect"):
        row[name] = None if result is None else getattr(result, name)
    return row


@app.command()
def show(session_id: SessionId) -> None:
    """Print everything kept of a session as JSON."""
    with open_store() as store:
        data = store.load_session(session_id)
        events = store.events(session_id)
    everything = {item.name: getattr(data, item.name) for item in fields(data) if item.name not in ("bank", "state")}
    everything = {name: _values(value) for name, value in everything.items()}
    print(as_json({**everything, "events": _values(events)}))


def _values(value: Any) -> Any:
    if isinstance(value, tuple):
        return [asdict(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


@app.command()
def export(
    format: Annotated[
        Literal["json", "csv", "xlsx", "jsonl", "parquet", "tables", "webvtt", "textgrid", "eaf", "convokit"],
        typer.Option(
            "--format",
            "-f",
            help="json with every turn, csv with a row a session, xlsx with sessions, items and marks; for research"
            " jsonl, parquet, tables (six CSV files), webvtt, textgrid (Praat), eaf (ELAN), convokit.",
        ),
    ] = "json",
    status: Annotated[
        Literal["running", "finished", "stopped", "abandoned"] | None,
        typer.Option(help="Only these; json, csv and xlsx only, the others hold what has ended."),
    ] = None,
    cohort: Annotated[int | None, typer.Option(help="Only this cohort; research formats only.")] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="File with a secret: sessions, candidates and raters get new ids made with it."),
    ] = None,
    out: Out = None,
) -> None:
    """Export all sessions by pseudonym; names of candidates are left out, also where they were said."""
    if format not in ("json", "csv", "xlsx"):
        if status is not None:
            raise typer.BadParameter(f"--status chooses among json, csv and xlsx, not for {format}")
        _export_research(format, cohort, key_file, out)
        return
    if cohort is not None or key_file is not None:
        raise typer.BadParameter(
            "--cohort and --key-file are for jsonl, parquet, tables, webvtt, textgrid, eaf, convokit"
        )
    with open_store() as store:
        rows = list(_every_session(store, status))
        if format == "xlsx":
            from workbench.exam.bank import load_banks
            from workbench.reports.formats import sessions_file

            banks = load_banks(store.settings.banks_dir)
            file = sessions_file([store.load_session(session.id) for session, _ in rows], banks, "xlsx", names=False)
        elif format == "csv":
            text = _as_csv([flat_row(session, result) for session, result in rows])
        else:
            text = as_json([_exported(store, session, result) for session, result in rows])
        store.note("command line", "sessions.exported", format, n_sessions=len(rows))
    if format == "xlsx":
        write_bytes(file, out)
    else:
        write_out(text, out)


def _export_research(format: str, cohort: int | None, key_file: Path | None, out: Path | None) -> None:
    """The formats for research: what has ended, without names."""
    with open_store() as store:
        if cohort is not None:
            store.load_cohort(cohort)
        if format == "jsonl":
            if key_file is not None:
                raise typer.BadParameter("--key-file is for the formats made of tables, not for jsonl")
            rows = store.research_export(actor="command line", cohort_id=cohort)
            write_out("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), out)
            return
        from workbench.transcripts import load, with_new_pseudonyms, write

        found = load(store, cohort_id=cohort)
        if key_file is not None:
            found = with_new_pseudonyms(found, key_file.read_bytes().strip())
        target = write(found, format, out or Path(f"vivas-{format}"))
        n_sessions = len(found.sessions)
        subject = "all" if cohort is None else f"cohort:{cohort}"
        store.note("command line", "research.exported", subject, n_sessions=n_sessions, format=format)
    print(f"wrote {n_sessions} sessions to {target}", file=sys.stderr)


def _every_session(store: Store, status: Any) -> Iterator[tuple[SessionRow, ResultRow | None]]:
    offset = 0
    while sessions := store.list_sessions(status=status, limit=500, offset=offset).sessions:
        yield from sessions
        offset += len(sessions)


def _exported(store: Store, session: SessionRow, result: ResultRow | None) -> dict[str, Any]:
    from workbench.store.research_export import anonymous

    data, cohort_id = store.load_session(session.id), store.sitting_cohort(session.id)
    whole = anonymous(data, store.events(session.id), store.research_key(), cohort_id=cohort_id)
    return {
        **flat_row(session, result),
        **{name: whole["session"][name] for name in ("options", "cohort_id", "bank_version")},
        **{name: whole[name] for name in ("questions", "turns", "answers", "marks", "events")},
    }


def _as_csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    if rows:
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: _plain(value) if isinstance(value, datetime) else value for key, value in row.items()}
            )
    return buffer.getvalue()


@app.command()
def grades(
    format: Annotated[Literal["moodle", "canvas"], typer.Option("--format", "-f", help="Whose gradebook.")],
    item: Annotated[str, typer.Option(help="Name of the grade item or assignment.")] = "Viva",
    discipline: Annotated[str | None, typer.Option(help="Only this discipline.")] = None,
    area: Annotated[str | None, typer.Option(help="Only this area.")] = None,
    cohort: Annotated[
        int | None, typer.Option(help="Only this cohort, with the addresses and ids of its candidates.")
    ] = None,
    keep: Annotated[
        Literal["best", "last"], typer.Option(help="Which of several exams of one person counts.")
    ] = "best",
    out: Out = None,
) -> None:
    """Scores of the exams, one row a person, as CSV for the gradebook of Moodle or Canvas."""
    from workbench.reports.gradebook import to_gradebook
    from workbench.reports.selection import cohort_grades, grades_of, sessions_with_results

    if cohort is not None and (discipline or area):
        raise typer.BadParameter("--cohort stands alone: give either a cohort or a discipline and an area")
    with open_store() as store:
        if cohort is not None:
            found = cohort_grades(store, cohort, keep=keep)
        else:
            found = grades_of(sessions_with_results(store, discipline=discipline, area=area), keep=keep)
        store.note("command line", "grades.exported", format, n_grades=len(found))
    write_out(to_gradebook(found, format, item=item), out)
    print(f"{len(found)} grades", file=sys.stderr)


@app.command()
def delete(
    session_ids: Annotated[list[str], typer.Argument(metavar="SESSION...", help="Ids of the sessions.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete sessions with everything said in them and their recordings. Cannot be undone."""
    with open_store() as store:
        for session_id in session_ids:
            session = store.load_session(session_id).session
            what = f"{session.id} ({session.pseudonym}, {session.started_at:%Y-%m-%d}, {session.status})"
            if not yes and not typer.confirm(f"Delete {what} for good?"):
                print(f"kept {session.id}")
                continue
            n_files = store.delete_session(session_id, actor="command line")
            print(f"deleted {session.id} and {n_files} recording file{'' if n_files == 1 else 's'}")


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run/--for-good", help="Only say which, or delete them.")] = True,
) -> None:
    """Delete the sessions whose retention date has passed; without --for-good only list them."""
    with open_store() as store:
        purged = store.purge_expired(dry_run=dry_run, actor="command line")
    for session_id in purged.session_ids:
        print(f"{'would delete' if dry_run else 'deleted'} {session_id}")
    print(f"{len(purged.session_ids)} sessions past their retention date", file=sys.stderr)
