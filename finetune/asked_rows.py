"""Rows that an adapter is asked so that two ways of serving it can be compared: drawn by hash, the same every time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from finetune.answers import exemplars, ticked
from finetune.choosing import chosen_by_hash
from finetune.config import Recipe, RecipeError
from finetune.examples import Asked, asked_of
from finetune.prepare import read_prepared


def rows_to_ask(recipe: Recipe, n_rows: int, data: Path | None = None, banks_dir: Path | None = None) -> list[Asked]:
    """So many rows, as many of each of the adapter's tasks as there are, or nearly.

    Args:
        recipe: What the adapter was trained by.
        n_rows: How many at most.
        data: A folder that `viva-finetune prepare` wrote, whose validation rows are taken; None takes the banks'
            held-out exemplars, and for `key_point` the answers ticked by key point.
        banks_dir: Of further question banks.

    Raises:
        RecipeError: The adapter only writes feedback, or the folder has no row for any of its tasks.
    """
    if recipe.marks_by is None:
        raise RecipeError(
            "this adapter only writes feedback and has no labels to be compared by; `viva-finetune feedback` measures "
            "it, and `viva-finetune export --to vllm` needs no comparison"
        )
    graded = [task for task in recipe.tasks if task != "feedback"]
    found = _of_banks(graded, banks_dir) if data is None else _of_folder(graded, data)
    tasks = [task for task in graded if any(one.task == task for one in found)]
    if not tasks:
        raise RecipeError(f"{data} has no row for {', '.join(recipe.tasks)}; prepare more, or leave --data out")
    chosen: list[Asked] = []
    for place, task in enumerate(tasks, 1):
        most = (n_rows - len(chosen)) // (len(tasks) - place + 1)
        chosen += chosen_by_hash([one for one in found if one.task == task], most, _text_of)
    return chosen


def _of_folder(tasks: Sequence[str], data: Path) -> list[Asked]:
    path = data / "validation.jsonl"
    if not path.is_file():
        raise RecipeError(f"no {path}; make it: viva-finetune prepare --out {data}")
    return asked_of(read_prepared(path), tasks)


def _of_banks(tasks: Sequence[str], banks_dir: Path | None) -> list[Asked]:
    asked: list[Asked] = []
    if {"verdict", "marks"} & set(tasks):
        for row in exemplars("held-out", banks_dir):
            q = row.question
            stem = f"{row.scenario} {q.stem}".strip()
            if "verdict" in tasks:
                asked.append(Asked(q.id, f"banks:{q.id}", "verdict", stem, (q.model_answer,), row.text, row.verdict))
            if "marks" in tasks:
                mark = str(math.floor(row.points + 0.5))
                asked.append(Asked(q.id, f"banks:{q.id}", "marks", stem, (q.model_answer,), row.text, mark))
    if "key_point" in tasks:
        for row in ticked(banks_dir=banks_dir):
            q = row.question
            stem = f"{row.scenario} {q.stem}".strip()
            asked += [
                Asked(q.id, f"banks:{q.id}", "key_point", stem, (point.text,), row.text, status)
                for point, status in zip(q.key_points, row.statuses, strict=True)
            ]
    return asked


def _text_of(asked: Asked) -> str:
    return f"{asked.row} {asked.beside[0]} {asked.answer}"
