"""`viva bank`: what the question banks hold, and what is wrong with them."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Annotated

import typer

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
    """Check banks: schema, weights, reading time, speech, leaks, exemplars. Exit code 1 when there is a finding."""
    from dataclasses import asdict

    from workbench.exam.bank import BankError, load_banks, read_bank
    from workbench.exam.bank import check as check_bank
    from workbench.settings import get_settings

    try:
        banks = [read_bank(path)] if path else list(load_banks(get_settings().banks_dir).values())
        findings = [finding for bank in banks for finding in check_bank(bank)]
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
