"""Answers with an examiner's marks, to fit and measure judges on: the banks' exemplars, and answers ticked by point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.exam.bank import load_banks
from workbench.exam.items import Question, Scenario
from workbench.exam.model import Verdict
from workbench.judging.calibration import STATUSES, marked

Half = Literal["tuning", "held-out", "all"]

CALIBRATION = Path(__file__).resolve().parents[1] / "data" / "judging" / "calibration.jsonl"
"""864 answers to the built-in questions, four each, whose writers saw no accepted wording and no exemplar."""

_TICKS = dict(zip("cxm", STATUSES, strict=True))

FIRST_AREAS = frozenset(
    (
        "cardiology acute_care clinical_pharmacy oral_surgery contract mechanical flight_operations diagnostics "
        "operations"
    ).split()
)
"""Areas whose wordings were once mended on all of their exemplars, the held-out half too."""


@dataclass(frozen=True)
class Marked:
    """One answer with its mark.

    Attributes:
        question: What was asked.
        scenario: The scenario's text, as the candidate heard it.
        discipline: Key of the discipline.
        area: Key of the area.
        text: The answer.
        verdict: The examiner's verdict.
        points: The examiner's points.
        statuses: Ticks by key point, empty where only the whole was marked.
    """

    question: Question
    scenario: str
    discipline: str
    area: str
    text: str
    verdict: Verdict
    points: float
    statuses: tuple[str, ...] = ()


def exemplars(half: Half, banks_dir: Path | None = None) -> list[Marked]:
    """The banks' exemplars; the held-out half is the one no judge is tuned on."""
    return [
        Marked(question, scenario.text, discipline, area, e.text, e.verdict, e.points)
        for discipline, area, scenario, question in _questions(banks_dir)
        for e in question.exemplars
        if half == "all" or e.held_out == (half == "held-out")
    ]


def ticked(path: Path = CALIBRATION, banks_dir: Path | None = None) -> list[Marked]:
    """Answers ticked by key point, from JSON lines of `question_id`, `text` and `points` (c, x or m by key point).

    Raises:
        ValueError: A line does not fit its question; the message names the line.
    """
    known = {question.id: (d, a, s, question) for d, a, s, question in _questions(banks_dir)}
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        if row["question_id"] not in known:
            raise ValueError(f"{path}:{number}: no bank has a question {row['question_id']!r}")
        discipline, area, scenario, question = known[row["question_id"]]
        ids = [point.id for point in question.key_points]
        if sorted(row["points"]) != sorted(ids) or not set(row["points"].values()) <= set(_TICKS):
            raise ValueError(
                f"{path}:{number}: points must tick {ids}, each with c (covered), x (contradicted) or m (missing); "
                f"got {row['points']}"
            )
        statuses = [_TICKS[row["points"][key]] for key in ids]
        verdict, points = marked(question, statuses)
        rows.append(Marked(question, scenario.text, discipline, area, row["text"], verdict, points, tuple(statuses)))
    return rows


def all_questions(banks_dir: Path | None = None) -> list[tuple[str, str, str, Question]]:
    """(discipline, area, scenario text, question) of every question."""
    return [(d, a, scenario.text, question) for d, a, scenario, question in _questions(banks_dir)]


def _questions(banks_dir: Path | None) -> Iterator[tuple[str, str, Scenario, Question]]:
    for bank in load_banks(banks_dir).values():
        for area, scenario, question in bank.questions():
            yield bank.discipline, area.key, scenario, question
