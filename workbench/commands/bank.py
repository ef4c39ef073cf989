"""`viva bank`: what the question banks hold, what is wrong with them, and their way from and to other programs."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from workbench.bank_exchange import Preview

MAX_SHOWN = 60
"""Findings that a preview prints; `--json` has them all."""

app = typer.Typer(help="Question banks.", no_args_is_help=True)


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="One JSON object an area.")] = False) -> None:
    """List every area with its questions and exemplars."""
    from workbench.exam.bank import load_banks
    from workbench.settings import get_settings

    rows = [
        {
            "discipline": bank.discipline,
            "area": area.key,
            "questions": len(area.questions),
            "exemplars": sum(len(question.exemplars) for question in area.questions),
            "title": f"{bank.title}: {area.title}",
            "version": bank.version,
            "licence": bank.licence,
        }
        for bank in load_banks(get_settings().banks_dir).values()
        for area in bank.areas
    ]
    if json:
        typer.echo(json_.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("discipline", "area", "questions", "exemplars", "version", "licence")
    for row in rows:
        keys = ("discipline", "area", "questions", "exemplars", "version", "licence")
        table.add_row(*(str(row[key]) for key in keys))
    Console().print(table)


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(help="A bank file or folder; without one, every bank that is found.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a finding.")] = False,
) -> None:
    """Check banks: schema, time, speech, leaks, overlaps, duplicates, exemplars. Exit code 1 when one is found."""
    from dataclasses import asdict

    from workbench.exam.bank import BankError, load_banks, read_bank
    from workbench.exam.bank import check as check_bank
    from workbench.settings import get_settings

    try:
        banks = [read_bank(path)] if path else list(load_banks(get_settings().banks_dir).values())
        findings = [finding for i, bank in enumerate(banks) for finding in check_bank(bank, banks[:i])]
    except BankError as error:
        banks, findings = [], list(error.findings)
    if json:
        typer.echo(json_.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(str(finding))
        n_questions = sum(1 for bank in banks for _ in bank.questions())
        counted = f" in {n_questions} questions" if banks else ""
        typer.echo(f"{len(findings)} finding{'s' * (len(findings) != 1)}{counted}")
    if findings:
        raise typer.Exit(1)


FormatName = Literal["yaml", "csv", "xlsx", "moodle", "qti"]


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="YAML (file or folder), CSV, XLSX, Moodle XML, or QTI 3 (XML or zip).")],
    to: Annotated[Path | None, typer.Option("--to", help="Directory of banks; default: VIVA_BANKS_DIR.")] = None,
    format: Annotated[FormatName | None, typer.Option("--format", help="Format; default: told from the file.")] = None,
    discipline: Annotated[str | None, typer.Option(help="Key of the discipline, over that of the file.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the bank, over that of the file.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the questions, over that of the file.")] = None,
    bank_version: Annotated[str | None, typer.Option(help="Version of the questions, over that of the file.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace areas that are there; keeps a copy.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Save without asking.")] = False,
    draft: Annotated[
        Path | None, typer.Option(help="Save nothing; write all that was read to this .xlsx or .csv, to fill the gaps.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The preview as JSON.")] = False,
) -> None:
    """Import a bank: shows what would be made and every finding, then asks. Exit code 1 when it holds no bank."""
    from workbench.bank_exchange import SaveError, preview, save
    from workbench.exam.bank import load_banks
    from workbench.settings import get_settings

    target = to or get_settings().banks_dir
    others = list(load_banks(get_settings().banks_dir).values())
    card = {"discipline": discipline, "title": title, "licence": licence, "version": bank_version}
    given = {name: value for name, value in card.items() if value is not None}
    seen = preview(path, format=format, card=given, others=others)
    _show(seen, json)
    if draft is not None:
        _write_draft(seen, draft)
        return
    if seen.bank is None:
        raise typer.Exit(1)
    if target is None:
        _fail("nowhere to save it; name a directory with --to, or set VIVA_BANKS_DIR")
    if not yes and not typer.confirm(f"Save to {target}?", err=True):
        typer.echo("Nothing was saved.", err=True)
        return
    try:
        saved = save(seen, target, replace_existing=replace)
    except SaveError as error:
        _fail(str(error))
    typer.echo(f"Saved {saved}", err=json)


def _show(seen: Preview, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        shown = {
            "file": seen.name,
            "format": seen.format,
            "areas": seen.summary,
            "findings": [asdict(finding) for finding in seen.findings],
            "unmapped": [asdict(item) for item in seen.unmapped],
            "can_be_saved": seen.bank is not None,
        }
        typer.echo(json_.dumps(shown, indent=2, ensure_ascii=False))
        return
    if seen.summary:
        from rich.console import Console
        from rich.table import Table

        table = Table(*(name.replace("_", " ") for name in seen.summary[0]))
        for row in seen.summary:
            table.add_row(*map(str, row.values()))
        Console().print(table)
    for title, items in (("finding", seen.findings), ("thing left out", seen.unmapped)):
        for item in items[:MAX_SHOWN]:
            typer.echo(str(item))
        more = f", the first {MAX_SHOWN} shown" if len(items) > MAX_SHOWN else ""
        plural = "things left out" if title == "thing left out" and len(items) != 1 else title + "s" * (len(items) != 1)
        typer.echo(f"{len(items)} {plural}{more}")
    if seen.bank is None:
        typer.echo("Nothing can be saved before these are mended.")


def _write_draft(seen: Preview, draft: Path) -> None:
    from workbench.bank_exchange.csv_format import write_csv
    from workbench.bank_exchange.records import is_tabular
    from workbench.bank_exchange.xlsx_format import write_xlsx

    if seen.read is None or not is_tabular(seen.read):
        _fail(f"{seen.name} could not be read far enough to write a draft of it")
    if draft.suffix not in (".xlsx", ".csv"):
        _fail(f"--draft writes .xlsx or .csv, not {draft.suffix or 'a file without ending'!r}")
    _write_new(draft, write_csv(seen.read) if draft.suffix == ".csv" else write_xlsx(seen.read), False)
    typer.echo(f"Wrote {draft}: fill the gaps, then import it", err=True)


@app.command()
def export(
    discipline: Annotated[str, typer.Argument(help="Key of the discipline, e.g. medical.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    area: Annotated[str | None, typer.Option(help="Only this area.")] = None,
    format: Annotated[FormatName, typer.Option("--format", help="Format of the file.")] = "yaml",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Export a bank; says what the format could not hold."""
    from workbench.bank_exchange import export_bank
    from workbench.exam.bank import load_banks
    from workbench.settings import get_settings

    banks = load_banks(get_settings().banks_dir)
    if discipline not in banks:
        _fail(f"there is no discipline {discipline!r}; there are {', '.join(banks)}")
    try:
        exported = export_bank(banks[discipline], format, area)
    except KeyError as error:
        _fail(str(error.args[0]))
    _write_new(out, exported.data, replace)
    typer.echo(f"Wrote {out}")
    for loss in exported.losses:
        typer.echo(f"Not in it: {loss}", err=True)


@app.command()
def new(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    template: Annotated[
        Literal["yaml", "csv", "xlsx"] | None, typer.Option("--template", help="Format; default: the file's ending.")
    ] = None,
    discipline: Annotated[str, typer.Option(help="Key of the discipline.")] = "first-aid",
    area: Annotated[str, typer.Option(help="Key of the area.")] = "basics",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a commented file to start a bank from: one worked question, and places for the others."""
    import re

    from workbench.bank_exchange import template as make_template

    endings: dict[str, Literal["yaml", "csv", "xlsx"]] = {
        ".yaml": "yaml",
        ".yml": "yaml",
        ".csv": "csv",
        ".xlsx": "xlsx",
    }
    wanted = template or endings.get(out.suffix.lower())
    if wanted is None:
        _fail(f"{out} ends in none of {', '.join(endings)}; say --template yaml, csv or xlsx")
    for name, key in (("discipline", discipline), ("area", area)):
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}", key):
            _fail(f"--{name} {key!r} is no key; allowed are small letters, figures, hyphens and underscores")
    _write_new(out, make_template(wanted, discipline, area), replace)
    typer.echo(f"Wrote {out}: write what it marks as REPLACE, then: viva bank import {out}")


def _write_new(path: Path, data: bytes, replace: bool) -> None:
    """Writes a file whole or not at all, and over another one only when told to."""
    import os
    import tempfile

    if path.exists() and not replace:
        _fail(f"{path} is there already; name another file, or overwrite it with --replace")
    if not path.parent.is_dir():
        _fail(f"{path.parent} is no directory; create it first")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def _fail(message: str) -> NoReturn:
    typer.echo(f"viva: {message}", err=True)
    raise typer.Exit(2)
