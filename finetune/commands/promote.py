"""`viva-finetune promote`, `rollback`, `champions` and `shadow`: which adapter marks, which did, and which might."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GATE = Path(__file__).parents[1] / "gate.yaml"


def promote(
    adapter: Annotated[str, typer.Argument(help="Folder of an adapter, or the id of the run that made it.")],
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Marks of the judge to be better than; else those the champion came with."),
    ] = None,
    gate: Annotated[Path, typer.Option("--gate", help="File of bounds.", show_default="finetune/gate.yaml")] = GATE,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Only register it as challenger, which marks nobody; no gate.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the gate says.")] = False,
) -> None:
    """Make an adapter `models:/viva-examiner@champion` if it passes the gate."""
    from rich.console import Console
    from rich.table import Table

    from finetune import promotion
    from finetune.config import RecipeError
    from finetune.gate import GateError, load_gate
    from finetune.predictions import PredictionsError
    from finetune.registry import CHALLENGER, CHAMPION, MODEL, RegistryError, folder_of
    from finetune.tracking import TrackingError
    from workbench.settings import get_settings

    settings = get_settings()
    try:
        folder = folder_of(adapter, settings)
        if challenger:
            made = promotion.challenge(folder, settings)
            typer.echo(f"{made.name} is models:/{MODEL}@{CHALLENGER}")
            return
        outcome = promotion.weigh(folder, load_gate(gate), settings, against)
        table = Table("bound", "", "found", title=f"{folder} against {outcome.against}")
        for line in outcome.lines:
            table.add_row(line.name, "kept" if line.passed else "[bold]FAILED[/bold]", line.said)
        Console().print(table)
        if dry_run and outcome.passed:
            return
        made = promotion.promote(folder, outcome, settings)
    except promotion.PromotionError as error:
        typer.echo(f"viva-finetune: {error}", err=True)
        raise typer.Exit(1) from None
    except (GateError, PredictionsError, RecipeError, RegistryError, TrackingError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"{made.name} is models:/{MODEL}@{CHAMPION}; set VIVA_JUDGE to that and restart `viva serve`")


def rollback() -> None:
    """Make the champion before this one champion again."""
    from finetune import promotion
    from finetune.registry import RegistryError
    from finetune.tracking import TrackingError
    from workbench.settings import get_settings

    try:
        going, coming = promotion.rollback(get_settings())
    except (promotion.PromotionError, RegistryError, TrackingError) as error:
        typer.echo(f"viva-finetune: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{coming.name} is champion again, {going.name} is not; restart `viva serve`")


def champions() -> None:
    """List the registered adapters: what each was promoted over, and when."""
    from rich.console import Console
    from rich.table import Table

    from finetune import promotion
    from finetune.tracking import TrackingError
    from workbench.settings import get_settings

    try:
        rows = promotion.history(get_settings())
    except TrackingError as error:
        raise typer.BadParameter(str(error)) from None
    table = Table("version", "alias", "promoted", "over", "rolled back", "weights")
    for row in rows:
        table.add_row(
            row["version"], row["aliases"], row["promoted_at"], row["promoted_over"], row["rolled_back_at"],
            row["adapter_sha256"][:12],
        )  # fmt: skip
    Console().print(table)


def shadow(
    file: Annotated[
        Path | None, typer.Option("--file", help="What the workbench wrote; else shadow.jsonl in VIVA_DATA_DIR.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
) -> None:
    """Say how far the judge of VIVA_JUDGE_SHADOW agrees with the one in service."""
    from rich.console import Console
    from rich.table import Table

    from finetune.shadow_report import ShadowError, agreement
    from finetune.written import write_report
    from workbench.judging.shadow import FILE
    from workbench.settings import get_settings

    try:
        rows = agreement(file or get_settings().data_dir / FILE)
    except ShadowError as error:
        raise typer.BadParameter(str(error)) from None
    table = Table("in service", "in the background", "n", "same verdict", "QWK", "harder", "softer")
    for row in rows:
        agree, qwk = (f"{row[m]['value']:.3f} \\[{row[m]['low']:.3f}, {row[m]['high']:.3f}]" for m in ("agree", "qwk"))
        table.add_row(
            row["in_service"], row["shadow"], str(row["n"]), agree, qwk, f"{row['harder']:.1%}", f"{row['softer']:.1%}"
        )
    Console().print(table)
    if out is not None:
        write_report(out, {"pairs": rows})
