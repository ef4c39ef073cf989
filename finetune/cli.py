"""`viva-finetune`: judges and examiner adapters, fitted and measured."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from finetune.commands.compare import compare
from finetune.commands.feedback import feedback
from finetune.commands.hear import confusions, hear
from finetune.commands.prepare import prepare
from finetune.commands.promote import champions, promote, rollback, shadow
from finetune.commands.serve import adapters, export, prove, serve
from finetune.commands.train import train
from finetune.written import write_report

app = typer.Typer(
    name="viva-finetune", help="Fit and measure judges.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback()
def _main() -> None:
    """Fit and measure judges."""


app.command()(hear)
app.command()(confusions)
app.command()(prepare)
app.command()(train)
app.command()(feedback)
app.command()(compare)
app.command()(promote)
app.command()(rollback)
app.command()(champions)
app.command()(shadow)
app.command()(export)
app.command()(serve)
app.command()(adapters)
app.command()(prove)


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option("--out", help="Where the calibration goes, JSON; of a corpus, .joblib.")],
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="Ticked answers, JSON lines; else those that come with the repository."),
    ] = None,
    on: Annotated[
        Literal["ticked", "scientsbank", "beetle", "saf"],
        typer.Option("--on", help="Ticked answers, or the train split of a corpus."),
    ] = "ticked",
    encoders: Annotated[
        str, typer.Option("--encoders", help="Of a corpus: vectors it sees, of minilm and mpnet, comma-separated.")
    ] = "minilm",
    adapters: Annotated[
        str,
        typer.Option(
            "--adapters",
            help="Of a corpus: folders of adapters whose verdicts it weighs, comma-separated. It learns to weigh them "
            "on questions that one of them was held from: with one adapter those of its validation, with one on each "
            "part of a split all.",
        ),
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="Directory of the corpora; else `datasets` in VIVA_SHARED_DIR.")
    ] = None,
) -> None:
    """Fit the hybrid judge on answers ticked by key point or on a corpus, and cross-validate it by question."""
    if on != "ticked":
        from finetune.commands.corpora import calibrate_on

        if answers is not None:
            raise typer.BadParameter(f"--answers are ticked ones; {on} is fitted on its train split: leave one out")
        folders = [Path(name.strip()) for name in adapters.split(",") if name.strip()]
        calibrate_on(on, out, data, [name.strip() for name in encoders.split(",")], folders)
        return
    if given := [
        name
        for name, value in (("--adapters", adapters), ("--encoders", encoders != "minilm"), ("--data", data))
        if value
    ]:
        raise typer.BadParameter(f"{', '.join(given)}: only of a corpus; name it with --on, or leave the option out")
    from finetune import calibrate as fitting
    from finetune.answers import CALIBRATION, all_questions, ticked
    from finetune.negatives import KINDS, negatives
    from workbench.engines import sentence_encoder
    from workbench.settings import get_settings

    settings = get_settings()
    path = answers or CALIBRATION
    rows = ticked(path, settings.banks_dir)
    made = list(negatives(all_questions(settings.banks_dir)))
    embed = sentence_encoder.create(settings)
    people = fitting.Fitted(rows, fitting.measure_all(rows, embed))
    worthless = fitting.Fitted(made, fitting.measure_all(made, embed), fitting.NEGATIVE_WEIGHT)
    validated = fitting.cross_validate(people, worthless)
    card = {
        "fitted_on": path.name,
        "sha256": fitting.fingerprint(path),
        "answers": len(rows),
        "answers_that_earn_nothing": len(made),
        "their_kinds": list(KINDS),
        "date": datetime.now(UTC).date().isoformat(),
        "cross_validation": validated,
    }
    fitting.fit([people, worthless], card).save(out)
    for name in ("macro_f1", "qwk"):
        figure = validated[name]
        typer.echo(f"{name} by cross-validation: {figure['value']} [{figure['low']}, {figure['high']}]")
    typer.echo(f"wrote {out}")


@app.command()
def attack(
    judges: Annotated[str, typer.Option("--judges", help="Judges, comma-separated.")] = "keyword,hybrid",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many, chosen by hash, for judges that are slow.")
    ] = None,
    search: Annotated[
        int | None, typer.Option("--search", min=1, help="Grow attacks instead: so many tries for each question.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the search.")] = 0,
    frames: Annotated[
        Literal["tuning", "held-out"], typer.Option("--frames", help="Wordings the search builds with.")
    ] = "tuning",
    questions: Annotated[
        int | None, typer.Option("--questions", min=1, help="Search so many questions, drawn by the seed.")
    ] = None,
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many attacks the search keeps at most.")] = 300,
    found: Annotated[
        Path | None,
        typer.Option("--found", help="Attacks a search found, JSON lines: written by `--search`, else put to judges."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
) -> None:
    """Put answers that ask for marks they have not earned to judges, on every question of every bank."""
    from rich.progress import track

    from finetune.attacks import attacks
    from finetune.choosing import chosen_by_hash
    from finetune.commands.attack_search import grow, made_judges, replay
    from finetune.evaluate import resist
    from workbench.exam.bank import load_banks
    from workbench.settings import get_settings

    settings = get_settings()
    names = [name.strip() for name in judges.split(",")]
    more: dict[str, Any] = {"limit": limit}
    if search is None and (
        given := [
            name
            for name, value in (
                ("--seed", seed), ("--frames", frames != "tuning"), ("--questions", questions), ("--keep", keep != 300)
            )
            if value
        ]
    ):  # fmt: skip
        raise typer.BadParameter(f"{', '.join(given)}: only of a search; add --search, or leave the option out")
    if search is not None:
        if found is None:
            raise typer.BadParameter("--search needs --found, the file its attacks go to")
        if found.is_dir():
            raise typer.BadParameter(f"--found {found} is a folder; name a file in it, the one its attacks go to")
        more = grow(
            names, settings, tries=search, seed=seed, frames=frames, n_questions=questions, keep=keep, found=found
        )
    if found is not None:
        results = replay(names, settings, found, limit)
    else:
        made = made_judges(names, settings)
        asked = [(s, q) for bank in load_banks(settings.banks_dir).values() for _, s, q in bank.questions()]
        tried = chosen_by_hash(list(attacks(asked)), limit, lambda row: f"{row[0]} {row[2].id} {row[3]}")
        results = [
            resist(judge, track(tried, description=name, transient=True))
            for name, judge in zip(names, made, strict=True)
        ]
    for result in results:
        typer.echo(
            f"{result['judge']}: of {result['n']} attacks {result['correct_rate']:.2%} reach correct, "
            f"{result['over_three_rate']:.2%} more than 3 points"
        )
    if out is not None:
        write_report(out, {**more, "judges": results})


@app.command()
def evaluate(
    ctx: typer.Context,
    judges: Annotated[
        str,
        typer.Option(
            "--judges", help="Judges, comma-separated; of a corpus also base:NAME#SHOTS, tfidf, or a .joblib."
        ),
    ] = "keyword,embedding,hybrid,panel",
    on: Annotated[
        Literal["exemplars", "calibration", "heard", "scientsbank", "beetle", "saf"],
        typer.Option("--on", help="What is marked; `heard`: exemplars typed beside the same spoken and recognised."),
    ] = "exemplars",
    split: Annotated[
        Literal["train", "test-ua", "test-uq"],
        typer.Option("--split", help="Of a corpus: answers seen, unseen answers, unseen questions."),
    ] = "test-uq",
    data: Annotated[
        Path | None, typer.Option("--data", help="Directory of the corpora; else `datasets` in VIVA_SHARED_DIR.")
    ] = None,
    half: Annotated[Literal["tuning", "held-out", "all"], typer.Option("--half", help="Which exemplars.")] = "held-out",
    hearings: Annotated[
        Path | None, typer.Option("--hearings", help="For `--on heard`: what was heard, as `hear` writes it.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many, chosen by hash, for judges that are slow.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions", help="Write every mark of the one judge to this file, JSON lines, for `compare`."
        ),
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            "--trained-on",
            help="Training data of `prepare`, to tell questions seen from unseen ones; else what an adapter met.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw how sure and how right the one judge is into this picture.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
) -> None:
    """Measure judges against an examiner's marks, with 95 % intervals."""
    corpus = on in ("scientsbank", "beetle", "saf")

    def said(option: str) -> bool:
        return getattr(ctx.get_parameter_source(option), "name", "") == "COMMANDLINE"

    unheeded = {
        "--split": said("split") and not corpus,
        "--data": data is not None and not corpus,
        "--half": said("half") and on not in ("exemplars", "heard"),
        "--hearings": hearings is not None and on != "heard",
    }
    if told := [name for name, idle in unheeded.items() if idle]:
        raise typer.BadParameter(
            f"{', '.join(told)}: not of --on {on}; --split and --data are of a corpus, --half of exemplars and heard, "
            "--hearings of heard"
        )
    if (predictions or plot) and "," in judges:
        raise typer.BadParameter(f"--predictions and --plot are of one judge; got --judges {judges}")
    if on == "heard":
        from finetune.commands.evaluate import evaluate_heard

        if trained_on and not (predictions or plot):
            raise typer.BadParameter(
                "--trained-on cuts what is kept by question seen or not: with --on heard add --predictions or --plot"
            )
        report = evaluate_heard(
            [name.strip() for name in judges.split(",")], half, hearings, limit, predictions, plot, trained_on
        )
        if out is not None:
            write_report(out, report)
        return
    if corpus:
        from finetune.commands.corpora import evaluate_on

        report = evaluate_on(
            [name.strip() for name in judges.split(",")], on, split, data, limit, predictions, plot, trained_on
        )
        if out is not None:
            write_report(out, report)
        return
    from finetune.commands.evaluate import evaluate_banks

    results = evaluate_banks(
        [name.strip() for name in judges.split(",")], on == "exemplars", half, limit, predictions, plot, trained_on
    )
    if out is not None:
        write_report(out, {"on": on, "half": half if on == "exemplars" else None, "limit": limit, "judges": results})


if __name__ == "__main__":
    app()
