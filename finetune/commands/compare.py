"""`viva-finetune compare`: two judges' predictions, answer by answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


def compare(
    a: Annotated[Path, typer.Argument(help="Predictions of one judge, JSON lines, as `evaluate` writes them.")],
    b: Annotated[Path, typer.Argument(help="Predictions of the other on the same answers.")],
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the differences into this file, such as d.png.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
) -> None:
    """Say whether B marks better than A: paired bootstrap by question and McNemar's test, whole and by slice."""
    from rich.console import Console

    from finetune import compare as comparing
    from finetune.predictions import PredictionsError, read_predictions
    from finetune.written import write_report

    try:
        result = comparing.compare(read_predictions(a), read_predictions(b), seed=seed)
    except PredictionsError as error:
        raise typer.BadParameter(str(error)) from None
    Console().print(table_of(result))
    if plot is not None:
        comparing.plot(result, plot)
        typer.echo(f"wrote {plot}")
    if out is not None:
        write_report(out, result)


def table_of(result: dict[str, Any]) -> Table:
    """The comparison, one line for the whole and one a slice.

    Args:
        result: What `finetune.compare.compare` returns.
    """
    from rich.table import Table

    from finetune.compare import rows_of

    table = Table(
        "", "n", "macro-F1 A", "B", "B - A [95 %]", "QWK B - A [95 %]", "only A / B right", "McNemar p",
        title=f"A: {result['a']['version']}   B: {result['b']['version']}",
    )  # fmt: skip
    for name, one in rows_of(result):
        test = one["mcnemar"]
        table.add_row(
            name, str(one["n"]), _shown(one["macro_f1_a"], ".3f"), _shown(one["macro_f1_b"], ".3f"),
            _interval(one["macro_f1"]), _interval(one["qwk"]), f"{test['only_a']} / {test['only_b']}",
            f"{test['p']:.3g}",
        )  # fmt: skip
    return table


def _interval(one: dict[str, float | None]) -> str:
    return f"{_shown(one['value'])} \\[{_shown(one['low'])}, {_shown(one['high'])}]"


def _shown(value: float | None, form: str = "+.3f") -> str:
    return "-" if value is None else format(value, form)
