"""`viva-finetune train`: an adapter by a recipe, every field of which is an option."""

from __future__ import annotations

import inspect
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer

from finetune.config import Recipe, RecipeError, field_help, load_recipe, recipe_names

if TYPE_CHECKING:
    from finetune.watching import Watcher

DRY_STEPS = 2
USUAL = "smoke"
"""The recipe where none is named and no run is resumed."""


def _train(
    recipe: str | None, data: Path, out: Path, resume: bool, dry_run: bool, quiet: bool, track: bool, **changed: Any
) -> None:
    if dry_run and resume:
        raise typer.BadParameter("--dry-run trains nothing to go on with; leave --resume out")
    chosen = _recipe(recipe, out, resume, changed)
    if dry_run:
        chosen = as_dry_run(chosen)
    from transformers.utils import logging as transformers_logging

    from finetune.checkpoints import CheckpointError
    from finetune.tracking import Tracker, TrackingError
    from finetune.train import Interrupted, TrainingError, train
    from finetune.watching import Bar, Lines, TooLong
    from workbench.settings import get_settings

    transformers_logging.set_verbosity_error()  # a head that is drawn anew is meant
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)  # asked by PEFT
    transformers_logging.disable_progress_bar()
    watchers: list[Watcher] = [TooLong(typer.echo)]
    if not quiet:
        watchers.append(Bar() if sys.stdout.isatty() else Lines(typer.echo))
    if track and not dry_run:
        try:
            watchers.append(Tracker(get_settings()))
        except TrackingError as error:
            raise typer.BadParameter(f"{error}; or train with --no-track") from None
    try:
        with tempfile.TemporaryDirectory() if dry_run else nullcontext() as aside:
            place = Path(aside) / out.name if aside else out
            metrics = train(chosen, data, place, get_settings().models_dir, resume=resume, watchers=watchers)
    except (RecipeError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from None
    except TrainingError as error:
        typer.echo(f"viva-finetune: {error}", err=True)
        raise typer.Exit(1) from None
    except Interrupted as error:
        typer.echo(f"viva-finetune: {error}", err=True)
        raise typer.Exit(130) from None
    before, after = metrics["base_validation"], metrics["validation"]
    figure, name = ("macro_f1", "macro-F1") if chosen.marks_by else ("loss", "loss")
    typer.echo(
        f"{name} on validation: {before[figure]:.3f} without adapter, {after[figure]:.3f} with that of step "
        f"{metrics['best_step']}; {metrics['steps']} steps in {metrics['seconds']:.0f} s"
    )
    typer.echo(f"tried, and {out} left alone" if dry_run else f"wrote {out}")


def as_dry_run(recipe: Recipe) -> Recipe:
    """The recipe on a tiny random model of the same kind, for two steps on a CPU: all code, no use."""
    tiny = "tiny-llama" if recipe.kind == "causal" else "tiny-encoder"
    return recipe.changed(
        base=tiny, device="cpu", quantization="none", max_steps=DRY_STEPS, max_rows=16, eval_rows=8, targets=(),
        eval_every=1, save_every=1,
    )  # fmt: skip


def _recipe(name: str | None, out: Path, resume: bool, changed: dict[str, Any]) -> Recipe:
    """The recipe named, or that of the run which is resumed; `train` holds the one against the other."""
    given = {key: value for key, value in changed.items() if value is not None}
    try:
        if name is None and resume and (out / "recipe.yaml").is_file():
            return load_recipe(out / "recipe.yaml").changed(**given)
        return load_recipe(name or USUAL).changed(**given)
    except RecipeError as error:
        raise typer.BadParameter(str(error)) from None


def _options() -> list[inspect.Parameter]:
    """Options of `train` itself, and one for each field of a recipe."""
    named: list[tuple[str, Any, Any, Any]] = [
        (
            "recipe",
            str | None,
            typer.Option(
                "--recipe", help=f"{', '.join(recipe_names())}, or a .yaml file; {USUAL}, or the run's, if left out."
            ),
            None,
        ),
        ("data", Path, typer.Option("--data", help="Folder that `prepare` wrote."), inspect.Parameter.empty),
        ("out", Path, typer.Option("--out", help="Folder the adapter goes to."), inspect.Parameter.empty),
        ("resume", bool, typer.Option("--resume", help="Go on from the last checkpoint in --out."), False),
        (
            "dry_run",
            bool,
            typer.Option("--dry-run", help="Two steps of a tiny random model on a CPU; --out is left alone."),
            False,
        ),
        ("quiet", bool, typer.Option("--quiet", help="No progress bar, nor its lines in a log."), False),
        ("track", bool, typer.Option("--track/--no-track", help="Keep the run in MLflow."), True),
    ]
    hints, helps = get_type_hints(Recipe), field_help()
    for field in fields(Recipe):
        hint, flag = hints[field.name], f"--{field.name.replace('_', '-')}"
        kind = str if get_origin(hint) is tuple else hint
        names = f"{flag}/--no-{flag[2:]}" if hint is bool else flag
        option = typer.Option(names, help=helps[field.name], show_default=False, rich_help_panel="Fields of the recipe")
        named.append((field.name, kind | None, option, None))
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
        for name, kind, option, default in named
    ]


def _command() -> Callable[..., None]:
    def train(**given: Any) -> None:
        """Train an adapter by a recipe; options after it change its fields."""
        _train(**given)

    options = _options()
    train.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    train.__annotations__ = {option.name: option.annotation for option in options}
    return train


train = _command()
"""The command, with an option for each field of `Recipe`."""
