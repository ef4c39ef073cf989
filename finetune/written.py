"""Reports as files: figures beside the command, the date and the machine that made them."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer


def write_report(out: Path, results: dict[str, Any]) -> None:
    """Writes figures to a JSON file, with what they were made by, and says so.

    Args:
        out: The file.
        results: The figures.
    """
    from workbench.bench.report import machine

    report = {
        "command": shlex.join(["viva-finetune", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        **results,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"wrote {out}")
