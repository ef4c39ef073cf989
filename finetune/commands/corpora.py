"""What `calibrate` and `evaluate` do on graded answers of others: fit a judge on a train split, measure judges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from workbench.engines.base import EngineError

if TYPE_CHECKING:
    from finetune.corpora import Loaded
    from finetune.graded_judge import GradedJudge, Grader
    from finetune.predictions import Seen
    from workbench.judging.base import Judge
    from workbench.settings import Settings

FITTED = ".joblib"
"""How the names of files end that hold a fitted judge; any other name is a judge's."""


def calibrate_on(
    corpus: str, out: Path, data: Path | None, encoders: Sequence[str], adapters: Sequence[Path] = ()
) -> None:
    """Fits the hybrid of words and nearness on the train split of a corpus and says how good it is there.

    Args:
        corpus: Name of the corpus.
        out: Where the judge goes, `.joblib`.
        data: Directory of the corpora; None takes that of the settings.
        encoders: Sentence encoders whose vectors the judge sees; what they encode is kept beside the weights.
        adapters: Folders of adapters whose word the judge weighs; what they say is kept there too.
    """
    from finetune.adapter_folder import metrics_of
    from finetune.adapter_scores import AdapterScores, kept_in
    from finetune.corpora import data_directory, load
    from finetune.graded_judge import GradedJudge
    from finetune.hybrid_grader import HybridGrader
    from finetune.vectors import Vectors, encoder
    from workbench.settings import get_settings

    settings = get_settings()
    if out.suffix != FITTED:
        raise typer.BadParameter(f"a judge fitted on {corpus} is written as {FITTED}; got --out {out}")
    try:
        train = load(corpus, "train", data_directory(settings, data))
        vectors = {
            name: Vectors(encoder(name, settings), settings.models_dir.parent / "vectors" / f"{name}.npz")
            for name in encoders
        }
        told = AdapterScores(adapters, settings, kept_in(settings)) if adapters else None
    except (ValueError, EngineError) as error:
        raise typer.BadParameter(str(error)) from None
    hybrid = HybridGrader(f"hybrid-{corpus}-1", encoders, vectors, [path.resolve() for path in adapters], told)
    try:
        judge = fitted(hybrid, corpus, train)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    card = judge.card | {"cross_validation": hybrid.validated, "encoders": list(encoders)}
    if adapters:
        card["adapters"] = {path.name: metrics_of(path).get("adapter_sha256") for path in adapters}
    GradedJudge(hybrid, card).save(out)
    for name, value in hybrid.validated["members"].items():
        typer.echo(f"{name} alone: macro_f1 {value}")
    figure = hybrid.validated["macro_f1"]
    typer.echo(f"macro_f1 by cross-validation: {figure['value']} [{figure['low']}, {figure['high']}]")
    typer.echo(f"wrote {out}")


def evaluate_on(
    judges: Sequence[str],
    corpus: str,
    split: str,
    data: Path | None,
    limit: int | None,
    predictions: Path | None = None,
    plot: Path | None = None,
    trained_on: Path | None = None,
) -> dict[str, Any]:
    """Marks a split with every judge and returns the report.

    Args:
        judges: Names; `tfidf` is the floor, fitted on the train split; a name that ends in `.joblib` a fitted judge.
        corpus: Name of the corpus.
        split: Which part.
        data: Directory of the corpora; None takes that of the settings.
        limit: Only so many answers, chosen by hash.
        predictions: File the marks of the one judge go to.
        plot: Picture of how sure and how right it is.
        trained_on: Training data, to tell questions seen from unseen ones; None takes what an adapter says it met, and
            goes by the split where a judge does not say.
    """
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from finetune.choosing import chosen_by_hash
    from finetune.commands.evaluate import given, keep
    from finetune.corpora import card, data_directory, load
    from finetune.evaluate import figures
    from finetune.predictions import predict, stems_of
    from finetune.references import as_marked
    from finetune.registry import questions_learnt
    from workbench.settings import get_settings

    settings = get_settings()
    try:
        stems = stems_of(trained_on) if trained_on else None
        directory = data_directory(settings, data)
        loaded = load(corpus, split, directory)
        made = {name: _judge(name, corpus, directory, settings) for name in judges}
        learnt = {name: stems if trained_on else questions_learnt(name, settings) for name in judges}
    except (ValueError, EngineError) as error:
        raise typer.BadParameter(str(error)) from None
    rows = chosen_by_hash([as_marked(r) for r in loaded.records], limit, lambda r: f"{r.question.id} {r.text}")
    table = Table(
        "judge", "macro-F1", "QWK", "accuracy", "ms p50 / p95", title=f"{corpus} {split}: {len(rows)} answers"
    )
    results = []
    for name, judge in made.items():
        met = learnt[name]
        by_split: Seen = "unseen" if split == "test-uq" else "seen"
        marks = given(
            predict(
                judge,
                track(rows, description=name, transient=True),
                asked_as=name,
                trained_on=met,
                seen=by_split if met is None else None,
            ),
            predictions,
        )
        keep(marks, predictions, plot)
        result = {"judge": judge.name, **figures(marks)}
        for part in ("by_area_age", "by_discipline"):  # a corpus is one area of one discipline
            result.pop(part, None)
        about = getattr(judge, "card", None)
        results.append(result | ({"card": about} if about else {}))
        cells = [
            f"{result[m]['value']:.3f} [{result[m]['low']:.3f}, {result[m]['high']:.3f}]"
            for m in ("macro_f1", "qwk", "accuracy")
        ]
        table.add_row(result["judge"], *cells, f"{result['ms']['p50']} / {result['ms']['p95']}")
    Console().print(table)
    about = card(corpus)
    return {
        "on": corpus,
        "split": split,
        "limit": limit,
        "data": {"licence": about["licence"], "sha256": loaded.sha256, "as_published": loaded.as_published},
        "judges": results,
    }


def fitted(grader: Grader, corpus: str, train: Loaded) -> GradedJudge:
    """A judge of a grader that is fitted on a train split."""
    from finetune.graded_judge import GradedJudge
    from finetune.pair_features import Pair

    pairs = [Pair(r.question, r.references, r.answer) for r in train.records]
    labels, groups = [r.label for r in train.records], [r.question_id for r in train.records]
    about = {
        "fitted_on": f"{corpus} train",
        "sha256": train.sha256,
        "answers": len(pairs),
        "left_out": len(train.left_out),
        "date": datetime.now(UTC).date().isoformat(),
    }
    grader.fit(pairs, labels, groups)
    return GradedJudge(grader, about)


def _judge(name: str, corpus: str, directory: Path, settings: Settings) -> Judge:
    from finetune import base_judge, registry, served
    from finetune.corpora import load
    from finetune.floor_grader import FloorGrader
    from finetune.graded_judge import GradedJudge
    from finetune.references import BestReference
    from workbench.judging.registry import make_judge

    if name == "tfidf":
        return fitted(FloorGrader(), corpus, load(corpus, "train", directory))
    if name.endswith(FITTED):
        return GradedJudge.load(Path(name))
    if name.startswith(base_judge.PREFIX):
        return base_judge.made_judge(name, settings, lambda: load(corpus, "train", directory).records)
    if name.startswith(("adapter:", "models:/", served.PREFIX)):
        made_judge = served.made_judge if name.startswith(served.PREFIX) else registry.made_judge
        return made_judge(name, settings, beside_references=True)
    return BestReference(make_judge(name, settings))
