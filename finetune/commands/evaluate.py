"""What `viva-finetune evaluate` does on the banks' own answers, typed and heard, and how it keeps every mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from workbench.engines.base import EngineError

if TYPE_CHECKING:
    from finetune.predictions import Prediction

Half = Literal["tuning", "held-out", "all"]


def evaluate_banks(
    judges: Sequence[str],
    of_exemplars: bool,
    half: Half,
    limit: int | None,
    predictions: Path | None,
    plot: Path | None,
    trained_on: Path | None,
) -> list[dict[str, Any]]:
    """Marks exemplars or ticked answers with every judge, shows a table, and returns the figures.

    Args:
        judges: Names.
        of_exemplars: Exemplars, else ticked answers.
        half: Which exemplars.
        limit: Only so many answers, chosen by hash.
        predictions: File the marks of the one judge go to.
        plot: Picture of how sure and how right it is.
        trained_on: Training data, to tell questions seen from unseen ones; None takes what an adapter says it met.
    """
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from finetune.answers import exemplars, ticked
    from finetune.choosing import chosen_by_hash
    from finetune.evaluate import figures
    from finetune.predictions import PredictionsError, predict, stems_of
    from finetune.registry import questions_learnt
    from workbench.judging.registry import make_judge
    from workbench.settings import get_settings

    settings = get_settings()
    rows = exemplars(half, settings.banks_dir) if of_exemplars else ticked(banks_dir=settings.banks_dir)
    rows = chosen_by_hash(rows, limit, lambda row: f"{row.question.id} {row.text}")
    try:
        stems = stems_of(trained_on) if trained_on else None
        made = {name: make_judge(name, settings) for name in judges}
        learnt = {name: stems if trained_on else questions_learnt(name, settings) for name in judges}
    except (PredictionsError, ValueError, EngineError) as error:
        raise typer.BadParameter(str(error)) from None
    results: list[dict[str, Any]] = []
    table = Table(
        "judge", "macro-F1", "QWK", "accuracy", "ECE", "ms p50 / p95", "doubtful", title=f"{len(rows)} answers"
    )
    for name, judge in made.items():
        asked = track(rows, description=name, transient=True)
        marks = given(predict(judge, asked, asked_as=name, trained_on=learnt[name]), predictions)
        keep(marks, predictions, plot)
        result = {"judge": judge.name, **figures(marks)}
        results.append(result)
        cells = [
            f"{result[m]['value']:.3f} \\[{result[m]['low']:.3f}, {result[m]['high']:.3f}]"
            for m in ("macro_f1", "qwk", "accuracy", "ece")
        ]
        table.add_row(name, *cells, f"{result['ms']['p50']} / {result['ms']['p95']}", f"{result['doubtful_rate']:.2f}")
    Console().print(table)
    return results


def evaluate_heard(
    judges: Sequence[str],
    half: Half,
    hearings: Path | None,
    limit: int | None,
    predictions: Path | None,
    plot: Path | None,
    trained_on: Path | None,
) -> dict[str, Any]:
    """Marks answers typed and heard, shows what hearing costs each judge, and returns the report.

    Args:
        judges: Names.
        half: Which exemplars.
        hearings: What was heard of them; None is what comes with the repository, of the held-out half.
        limit: Only so many answers, chosen by hash.
        predictions: File the marks of the one judge go to, cut by the slice `medium`.
        plot: Picture of how sure and how right it is.
        trained_on: Training data, to tell questions seen from unseen ones; None takes what an adapter says it met.
    """
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from finetune.heard import HEARD, compare, marked, pairs
    from finetune.predictions import stems_of
    from finetune.registry import questions_learnt
    from workbench.judging.registry import make_judge
    from workbench.settings import get_settings

    settings = get_settings()
    path = hearings or HEARD
    if not path.is_file():
        raise typer.BadParameter(f"there is no {path}; `viva-finetune hear` makes one")
    try:
        rows = pairs(path, half, settings.banks_dir, limit)
        stems = stems_of(trained_on) if trained_on else None
        made = {name: make_judge(name, settings) for name in judges}
        learnt = {name: stems if trained_on else questions_learnt(name, settings) for name in judges}
    except (ValueError, EngineError) as error:
        raise typer.BadParameter(str(error)) from None
    results = []
    table = Table(
        "judge", "macro-F1 typed", "heard", "difference", "QWK typed", "heard", "raised / lowered", "doubtful heard",
        title=f"{len(rows)} answers, typed beside heard",
    )  # fmt: skip
    for name, judge in made.items():
        asked = marked(judge, rows, asked_as=name, trained_on=learnt[name])
        both = track(asked, description=name, total=len(rows), transient=True)
        marks = given((mark for one in both for mark in one), predictions)
        typed, heard = marks[::2], marks[1::2]
        keep([*typed, *heard], predictions, plot)
        result = {"judge": judge.name, **compare(rows, list(zip(typed, heard, strict=True)))}
        results.append(result)
        difference = result["difference"]["macro_f1"]
        table.add_row(
            name,
            f"{result['typed']['macro_f1']['value']:.3f}",
            f"{result['heard']['macro_f1']['value']:.3f}",
            f"{difference['value']:+.3f} \\[{difference['low']:+.3f}, {difference['high']:+.3f}]",
            f"{result['typed']['qwk']['value']:.3f}",
            f"{result['heard']['qwk']['value']:.3f}",
            f"{result['verdicts_raised_by_hearing']} / {result['verdicts_lowered_by_hearing']}",
            f"{result['moderation']['heard']['doubtful_rate']:.2f}",
        )
    Console().print(table)
    return {"on": "heard", "half": half, "limit": limit, "judges": results}


def given(marks: Iterable[Prediction], predictions: Path | None) -> list[Prediction]:
    """The marks of one judge; of one that fails on the way, those it gave are kept beside the file they were to go to.

    Args:
        marks: As the judge gives them.
        predictions: The file; None keeps nothing.

    Raises:
        typer.BadParameter: An engine or a server failed.
    """
    from finetune.predictions import write_predictions

    found: list[Prediction] = []
    try:
        for mark in marks:
            found.append(mark)
    except BaseException as error:  # Ctrl-C too
        if predictions is not None and found:
            unfinished = predictions.with_name(f"{predictions.name}.unfinished")
            write_predictions(found, unfinished)
            typer.echo(f"wrote the {len(found)} predictions so far to {unfinished}", err=True)
        if isinstance(error, EngineError):
            raise typer.BadParameter(f"after {len(found)} answers: {error}") from error
        raise
    return found


def keep(marks: Sequence[Prediction], predictions: Path | None, plot: Path | None) -> None:
    """Writes marks to the file, and the picture of their reliability, where either is wanted.

    Args:
        marks: Of one judge.
        predictions: File they go to.
        plot: Picture.
    """
    import numpy as np

    from finetune.predictions import write_predictions
    from finetune.reliability import expected_calibration_error, plot_reliability, reliability_bins

    if predictions is not None:
        write_predictions(marks, predictions)
        typer.echo(f"wrote {len(marks)} predictions to {predictions}")
    if plot is not None:
        sure = np.array([p.confidence for p in marks])
        hit = np.array([p.given_verdict == p.true_verdict for p in marks])
        plot.parent.mkdir(parents=True, exist_ok=True)
        title = f"{marks[0].version}: ECE {expected_calibration_error(sure, hit):.3f}, {len(marks)} answers"
        plot_reliability(reliability_bins(sure, hit), plot, title)
        typer.echo(f"wrote {plot}")
