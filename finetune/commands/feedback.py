"""`viva-finetune feedback`: what an adapter that was trained for it tells candidates, beside the examiner's words."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer


def feedback(
    adapter: Annotated[Path, typer.Argument(help="Folder of an adapter trained with `--tasks feedback`.")],
    data: Annotated[
        Path, typer.Option("--data", help="Folder that `prepare` wrote; its validation rows with feedback are taken.")
    ],
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many at most, chosen by hash.")] = 100,
    texts: Annotated[
        Path | None, typer.Option("--texts", help="Write question, answer and both feedbacks here, JSON lines.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
) -> None:
    """Let adapter and base write feedback on answers of unseen questions; compare both with the examiner's."""
    from rich.progress import Progress

    from finetune.adapter_judge import AdapterError, load_adapter, load_base, read_adapter
    from finetune.choosing import chosen_by_hash
    from finetune.config import RecipeError
    from finetune.examples import asked_of
    from finetune.feedback import feedback_figures, written_feedback
    from finetune.prepare import read_prepared
    from finetune.written import write_report
    from workbench.settings import get_settings

    path = data / "validation.jsonl"
    if not path.is_file():
        raise typer.BadParameter(f"no {path}; make it: viva-finetune prepare --out {data}")
    try:
        prepared = read_prepared(path)
    except RecipeError as error:
        raise typer.BadParameter(str(error)) from None
    asked = chosen_by_hash(asked_of(prepared, ("feedback",)), rows, lambda one: f"{one.row} {one.answer}")
    if not asked:
        raise typer.BadParameter(f"{path} has no row with feedback; `saf` has, and rows of one's own may have")
    try:
        recipe = read_adapter(adapter)[0]
        if "feedback" not in recipe.tasks:
            raise AdapterError(f"{adapter} was trained for {', '.join(recipe.tasks)}; train with --tasks feedback")
        models_dir = get_settings().models_dir
        loaded = load_adapter(adapter, models_dir)
        whole = recipe.method == "full"
        untrained = load_base(loaded, models_dir) if whole else loaded
    except (AdapterError, RecipeError) as error:
        raise typer.BadParameter(str(error)) from None
    with Progress(transient=True) as progress:
        bar = progress.add_task("with the adapter", total=len(asked))
        own = written_feedback(loaded, asked, lambda done: progress.update(bar, completed=done))
        bar = progress.add_task("without", total=len(asked))
        with nullcontext() if whole else loaded.model.disable_adapter():
            base = written_feedback(untrained, asked, lambda done: progress.update(bar, completed=done))
    examiners = [one.outcome for one in asked]
    report = {"adapter": feedback_figures(own, examiners), "base": feedback_figures(base, examiners)}
    for name, figures in report.items():
        typer.echo(f"{name}: BLEU {figures['bleu']}, chrF {figures['chrf']}, {figures['words']['written']} words")
    if texts is not None:
        texts.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            {
                "row": one.row,
                "question": one.question,
                "answer": one.answer,
                "examiner": one.outcome,
                "adapter": a,
                "base": b,
            }
            for one, a, b in zip(asked, own, base, strict=True)
        ]
        texts.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        typer.echo(f"wrote {texts}")
    if out is not None:
        write_report(out, {"rows": len(asked), **report})
