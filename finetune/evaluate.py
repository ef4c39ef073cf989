"""Measures judges on marked answers: agreement with intervals, by discipline, and what an answer costs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from finetune.answers import FIRST_AREAS, Marked
from finetune.metrics import scores
from workbench.exam.items import Question, Scenario
from workbench.judging.base import Judge


def evaluate(judge: Judge, given: Iterable[Marked]) -> dict[str, Any]:
    """Marks every answer.

    Args:
        judge: The judge.
        given: The answers; each is marked once, the first of a question unmeasured in time because it reads the
            question's wordings.

    Returns:
        The figures of `finetune.metrics.scores`, the same `by_area_age` and `by_discipline`, `ms` an answer, and the
        share sent to a person.
    """
    answers: list[Marked] = []
    marks = []
    ms: list[float] = []
    met: set[str] = set()
    for answer in given:
        answers.append(answer)
        started = time.perf_counter()
        marks.append(judge.judge(answer.question, answer.text, question_text=answer.scenario))
        if answer.question.id in met:
            ms.append(1000 * (time.perf_counter() - started))
        met.add(answer.question.id)

    def figures(chosen: Sequence[int]) -> dict[str, Any]:
        return scores(
            [answers[i].verdict for i in chosen],
            [marks[i].verdict for i in chosen],
            [answers[i].points for i in chosen],
            [marks[i].points for i in chosen],
            [answers[i].question.id for i in chosen],
        )

    every = range(len(answers))
    ages = {
        "areas whose held-out half was never seen": [i for i in every if answers[i].area not in FIRST_AREAS],
        "areas mended on all exemplars once": [i for i in every if answers[i].area in FIRST_AREAS],
    }
    disciplines = sorted({answer.discipline for answer in answers})
    return {
        "judge": judge.name,
        **figures(list(every)),
        "by_area_age": {age: figures(chosen) for age, chosen in ages.items() if chosen},
        "by_discipline": {
            d: figures([i for i in every if answers[i].discipline == d])["macro_f1"] for d in disciplines
        },
        "ms": {"p50": _percentile(ms, 50), "p95": _percentile(ms, 95), "n": len(ms)},
        "doubtful_rate": round(sum(mark.confidence < 0.6 for mark in marks) / max(1, len(marks)), 4),
    }


def resist(judge: Judge, tried: Iterable[tuple[str, Scenario, Question, str]]) -> dict[str, Any]:
    """Puts attacks to a judge.

    Args:
        judge: The judge.
        tried: (kind, scenario, question, answer), see `finetune.attacks`.

    Returns:
        `n`, the shares that reach `correct` and more than three points, and both counts by kind.
    """
    kinds: dict[str, list[int]] = {}
    for kind, scenario, question, answer in tried:
        mark = judge.judge(question, answer, question_text=scenario.text)
        counts = kinds.setdefault(kind, [0, 0, 0])
        for place, hit in enumerate((True, mark.verdict == "correct", mark.points > 3)):
            counts[place] += hit
    n = sum(counts[0] for counts in kinds.values())
    return {
        "judge": judge.name,
        "n": n,
        "correct_rate": round(sum(counts[1] for counts in kinds.values()) / n, 5),
        "over_three_rate": round(sum(counts[2] for counts in kinds.values()) / n, 5),
        "by_kind": {kind: dict(zip(("n", "correct", "over_three"), c, strict=True)) for kind, c in kinds.items()},
    }


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 2) if values else None
