"""`viva-finetune prepare`: graded answers of several sources, split by question and written with a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from finetune.prepare import Gathered
    from workbench.settings import Settings


def prepare(
    out: Annotated[Path, typer.Option("--out", help="Directory the rows and their card go to.")],
    sources: Annotated[
        str,
        typer.Option(
            "--from",
            help="Sources, comma-separated: scientsbank, beetle, saf, banks (tuning half), calibration, sessions (vivas"
            " in the workbench's database, where educators marked or confirmed).",
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
    heard: Annotated[
        float,
        typer.Option(
            "--heard", min=0, max=1, help="Training rows copied with a recogniser's slips, as a part of them."
        ),
    ] = 0.0,
    worthless: Annotated[
        int,
        typer.Option("--worthless", min=0, help="Made answers to each training question that earn nothing, 0 to 13."),
    ] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", help="Directory of the corpora; else `datasets` in VIVA_SHARED_DIR.")
    ] = None,
) -> None:
    """Gather graded answers, hold out whole questions, and write rows, rejections and a data card."""
    from finetune import prepare as preparing
    from finetune.corpora import CORPORA, LABELS
    from finetune.marked_sessions import SOURCE
    from workbench.settings import get_settings
    from workbench.store.errors import StoreError
    from workbench.store.repository import Store

    settings = get_settings()
    names = [name.strip() for name in sources.split(",") if name.strip()]
    try:
        directory = _directory(settings, data) if set(names) & set(CORPORA) else None
        store = Store(settings) if SOURCE in names else None
        found = preparing.gather(names, directory, settings.banks_dir, own or (), _columns(columns), store)
        for path in own or ():
            typer.echo(_used(path, found))
        split = preparing.prepare(found, validation, seed, part, heard=heard, worthless=worthless)
    except (ValueError, StoreError) as error:
        raise typer.BadParameter(str(error)) from None
    made = preparing.write(out, found, split, validation, seed, part)
    for name, counts in made["splits"].items():
        labels = ", ".join(f"{counts['labels'][label]} {label}" for label in LABELS)
        typer.echo(f"{name}: {counts['rows']} rows of {counts['questions']} questions ({labels})")
    sides = [made["splits"][side]["by_source"] for side in ("train", "validation")]
    for source in sorted({*sides[0], *sides[1]}):
        n_train, n_validation = (sum(by_source.get(source, {}).values()) for by_source in sides)
        typer.echo(f"{source}: {n_train} rows to train on, {n_validation} to validate with")
    if made["made"]:
        typer.echo(f"of these made: {', '.join(f'{n} {kind}' for kind, n in made['made'].items())}")
    rejected = made["rejected"]
    if rejected:
        reason = max(rejected, key=rejected.__getitem__)
        often = f'{rejected[reason]} of them "{reason}"'
        typer.echo(f"rejected: {sum(rejected.values())}, {often}; each with its reason in {out / 'rejected.jsonl'}")
    typer.echo(f"wrote {out}")


def _directory(settings: Settings, data: Path | None) -> Path:
    from finetune.corpora import CorpusError, data_directory

    try:
        return data_directory(settings, data)
    except CorpusError as error:
        raise CorpusError(f"{error}; or do without the corpora: --from banks,calibration") from None


def _used(path: Path, found: Gathered) -> str:
    left = [unfit for unfit in found.unfit if unfit.where.rpartition(":")[0] == path.name]
    first = f" (first reason: {left[0].where} {left[0].reason})" if left else ""
    return f"{path.name}: {found.sources[path.name]['rows']} rows used, {len(left)} left out{first}"


def _columns(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (field and equals and column) for field, equals, column in pairs):
        raise ValueError(f"cannot read --columns {text!r}; write field=column, comma-separated")
    return {field.strip(): column.strip() for field, _, column in pairs}
