"""`viva-finetune prepare`: graded answers of several sources, split by question and written with a card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def prepare(
    out: Annotated[Path, typer.Option("--out", help="Directory the rows and their card go to.")],
    sources: Annotated[
        str,
        typer.Option(
            "--from", help="Sources, comma-separated: scientsbank, beetle, saf, banks (tuning half), calibration."
        ),
    ] = "scientsbank,beetle,saf,banks,calibration",
    own: Annotated[
        list[Path] | None, typer.Option("--own", help="A .csv or .jsonl of one's own; may be given several times.")
    ] = None,
    columns: Annotated[
        str,
        typer.Option("--columns", help="Its columns by name, such as question=Frage,answer=Antwort,points=Punkte."),
    ] = "",
    validation: Annotated[
        float, typer.Option("--validation", help="Part of each source's questions held out, in (0, 1).")
    ] = 0.15,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw of those questions.")] = 0,
    part: Annotated[
        int,
        typer.Option(
            "--part",
            help="Which part of that size is held out, from 0: with .2, parts 0 to 4 hold out each question once.",
        ),
    ] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", help="Directory of the corpora; else `datasets` in VIVA_SHARED_DIR.")
    ] = None,
) -> None:
    """Gather graded answers, hold out whole questions, and write rows, rejections and a data card."""
    from finetune import prepare as preparing
    from finetune.corpora import CORPORA, LABELS, data_directory
    from workbench.settings import get_settings

    settings = get_settings()
    names = [name.strip() for name in sources.split(",") if name.strip()]
    try:
        directory = data_directory(settings, data) if set(names) & set(CORPORA) else None
        found = preparing.gather(names, directory, settings.banks_dir, own or (), _columns(columns))
        split = preparing.prepare(found, validation, seed, part)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    made = preparing.write(out, found, split, validation, seed, part)
    for name, counts in made["splits"].items():
        labels = ", ".join(f"{counts['labels'][label]} {label}" for label in LABELS)
        typer.echo(f"{name}: {counts['rows']} rows of {counts['questions']} questions ({labels})")
    typer.echo(f"rejected: {sum(made['rejected'].values())}, with reasons in {out / 'rejected.jsonl'}")
    typer.echo(f"wrote {out}")


def _columns(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (field and equals and column) for field, equals, column in pairs):
        raise ValueError(f"cannot read --columns {text!r}; write field=column, comma-separated")
    return {field.strip(): column.strip() for field, _, column in pairs}
