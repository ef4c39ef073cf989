"""Prepared rows as the examples of a run, with the fingerprint of what they were made of."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune.choosing import chosen_by_hash
from finetune.config import Recipe, RecipeError
from finetune.corpora import Record, question_hash
from finetune.examples import OUTCOMES, Asked, Example, asked_of, borrowed, causal_example, encoder_example, swapped
from finetune.prepare import read_prepared

_WHERE = {
    "key_point": "; only the source `calibration` is ticked by key point",
    "feedback": "; `saf` and rows of one's own with `feedback` have feedback",
    "marks": "; `saf`, `banks`, `calibration` and rows of one's own with `points` have marks",
}
"""Which sources have rows for a task that not all have."""


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is stopped by.

    Attributes:
        train: Examples.
        weights: Of each of them.
        validation: Examples of questions that are not in `train`.
        card: Hashes, sources, counts.
    """

    train: list[Example]
    weights: list[float]
    validation: list[Example]
    card: dict[str, Any]


def load_data(folder: Path, recipe: Recipe, tokenizer: Any) -> TrainingData:
    """Reads what `viva-finetune prepare` wrote.

    Raises:
        RecipeError: The folder is not one, a line is no prepared row, or there is no row for a task.
    """
    files = {side: folder / f"{side}.jsonl" for side in ("train", "validation")}
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        raise RecipeError(f"no {' and no '.join(missing)}; make them: viva-finetune prepare --out {folder}")
    rows = {side: read_prepared(path) for side, path in files.items()}
    if recipe.max_rows:
        rows["train"] = _drawn(rows["train"], recipe.max_rows, recipe)
    if recipe.eval_rows:
        rows["validation"] = _drawn(rows["validation"], recipe.eval_rows, recipe)
    more = borrowed(rows["train"], recipe.negatives, recipe.seed)
    beside_others = swapped(rows["train"], recipe.swapped, recipe.seed)
    asked = {
        "train": asked_of([*rows["train"], *more, *beside_others], recipe.tasks),
        "validation": asked_of(rows["validation"], recipe.tasks),
    }
    for side, found in asked.items():
        for task in recipe.tasks:
            if not any(one.task == task for one in found):
                hint = _WHERE.get(task, "")
                raise RecipeError(
                    f"{files[side]} has no row for tasks={task}{hint}; prepare more, or leave the task out"
                )
    made = {side: [_example(one, recipe, tokenizer) for one in found] for side, found in asked.items()}
    fits = {
        side: [i for i, example in enumerate(found) if len(example.input_ids) <= recipe.max_tokens]
        for side, found in made.items()
    }
    kept = {side: [asked[side][i] for i in places] for side, places in fits.items()}
    for side, examples in made.items():
        for task in recipe.tasks:
            shortest = min(len(example.input_ids) for example in examples if example.task == task)
            if shortest > recipe.max_tokens:
                raise RecipeError(
                    f"max_tokens={recipe.max_tokens} leaves no row of {files[side]} for tasks={task}: the shortest has "
                    f"{shortest} tokens; raise it"
                )
    prepared = folder / "card.json"
    card = {
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()},
        "sources": json.loads(prepared.read_text(encoding="utf-8"))["sources"] if prepared.is_file() else {},
        "rows": {side: len(found) for side, found in rows.items()},
        "questions": {side: sorted({question_hash(record) for record in found}) for side, found in rows.items()},
        "borrowed": len(more),
        "swapped": len(beside_others),
        "examples": {side: len(places) for side, places in fits.items()},
        "too_long": {side: len(made[side]) - len(places) for side, places in fits.items()},
        "outcomes": {side: _counts(found) for side, found in kept.items()},
        "tokens": {
            side: {"longest": max(lengths), "mean": round(sum(lengths) / len(lengths), 1)}
            for side, places in fits.items()
            for lengths in [[len(made[side][i].input_ids) for i in places]]
        },
    }
    return TrainingData(
        [made["train"][i] for i in fits["train"]],
        weights_of(kept["train"], balanced=recipe.balanced, even_sources=recipe.even_sources),
        [made["validation"][i] for i in fits["validation"]],
        card,
    )


def weights_of(asked: Sequence[Asked], *, balanced: bool, even_sources: float = 0.0) -> list[float]:
    """Weights with mean 1.

    Args:
        asked: The examples.
        balanced: Those of each outcome of a task add up to the same; but for `marks`, which are a
            scale, and `feedback`.
        even_sources: Weights of a source of n rows are divided by n to this power.
    """
    weights = [1.0] * len(asked)
    if balanced:
        counts = Counter((one.task, one.outcome) for one in asked)
        tasks = Counter(one.task for one in asked)
        kinds = Counter(task for task, _ in counts)
        weights = [
            1.0
            if one.task in ("marks", "feedback")
            else tasks[one.task] / (kinds[one.task] * counts[one.task, one.outcome])
            for one in asked
        ]
    if even_sources:
        rows = Counter(one.source for one in asked)
        weights = [weight / rows[one.source] ** even_sources for weight, one in zip(weights, asked, strict=True)]
        mean = sum(weights) / len(weights)
        weights = [weight / mean for weight in weights]
    return weights


def _example(asked: Asked, recipe: Recipe, tokenizer: Any) -> Example:
    if recipe.kind == "causal":
        example = causal_example(asked, tokenizer)
        # what is shared must be kept for the second part, and checkpointing keeps nothing
        return replace(example, shared=0) if recipe.gradient_checkpointing else example
    return encoder_example(asked, tokenizer, recipe.max_tokens, with_question=recipe.with_question)


def _drawn(rows: list[Record], most: int, recipe: Recipe) -> list[Record]:
    """Rows by hash, of which each task that only some rows have takes an even share; where key points are learnt, only
    that share is ticked, for each tick is an example."""
    drawn: dict[str, Record] = {}
    for task in ("key_point", "feedback", "marks"):
        if task in recipe.tasks:
            able = [row for row in rows if row.id not in drawn and asked_of([row], [task])]
            if task != "key_point" and "key_point" in recipe.tasks:
                able = [row for row in able if not row.ticks] or able
            share = chosen_by_hash(able, most // len(recipe.tasks), lambda row: row.id)
            drawn |= {row.id: row for row in share}
    rest = [row for row in rows if row.id not in drawn and not (row.ticks and "key_point" in recipe.tasks)]
    rest = chosen_by_hash(rest, max(0, most - len(drawn)), lambda row: row.id)
    return [*drawn.values(), *rest]


def _counts(asked: Sequence[Asked]) -> Mapping[str, Mapping[str, int]]:
    counts: Counter[tuple[str, str]] = Counter((one.task, one.outcome) for one in asked)
    return {
        task: {outcome: counts[task, outcome] for outcome in outcomes}
        or {"written": sum(n for (of, _), n in counts.items() if of == task)}
        for task, outcomes in OUTCOMES.items()
        if any(one.task == task for one in asked)
    }
