"""`viva doctor`: what is installed, which weights are found, what each engine would use."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

_COLOURS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list, for programs.")] = False,
) -> None:
    """Examine this machine and these settings; exits with 1 when no viva could be held."""
    from workbench.doctor import examine
    from workbench.settings import Settings

    findings = examine(Settings())
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            level = typer.style(f"{finding.level:4}", fg=_COLOURS[finding.level])
            typer.echo(f"{level}  {finding.name:{width}}  {finding.detail}")
            if finding.advice:
                typer.echo(f"      {'':{width}}  -> {finding.advice}")
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(1)
