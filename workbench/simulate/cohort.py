"""Many candidates at once, and whether their marks are what they deserved."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.settings import Settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import BEHAVIOURS, behaviour
from workbench.simulate.candidate import Candidate, CandidateRecord
from workbench.simulate.voices import QUIET, SURROUNDINGS, VOICES, Studio

NAMES = (
    "Alex Morgan",
    "Sam Rivera",
    "Robin Patel",
    "Jamie Chen",
    "Toni Weber",
    "Kim Okafor",
    "Chris Novak",
    "Dana Levi",
)

TYPED_SPEED = 16.0
"""How much faster than a listener a typing candidate reads; the examiner's sound is paced by what was heard."""


@dataclass(frozen=True)
class CohortPlan:
    """What a cohort is made of.

    Attributes:
        n: Candidates.
        behaviours: Names, dealt out in turn; empty deals all.
        mode: `practice`, `exam` or `talk`.
        typed: Whether they type instead of speaking.
        questions: Questions each sits; None is the whole viva.
        seed: Candidate i gets seed + i.
        at_once: Candidates in the room at the same time.
        surroundings: Whether they sit in different places, or all in a quiet dry room.
        options: Further fields of the `viva` object.
    """

    n: int = 4
    behaviours: tuple[str, ...] = ()
    mode: str = "practice"
    typed: bool = False
    questions: int | None = None
    seed: int = 0
    at_once: int = 4
    surroundings: bool = True
    options: dict[str, Any] = field(default_factory=dict)


def make_candidates(plan: CohortPlan, settings: Settings) -> list[Candidate]:
    """The candidates of a plan, not yet prepared.

    Raises:
        ValueError: An unknown behaviour; the message lists the known ones.
    """
    if plan.n < 1 or plan.at_once < 1:
        raise ValueError(f"a cohort needs at least one candidate at a time, got {plan.n=} {plan.at_once=}")
    names = plan.behaviours or tuple(BEHAVIOURS)
    kinds = [behaviour(name) for name in names]
    book = AnswerBook(settings)
    studio = None if plan.typed else Studio(settings)
    return [
        Candidate(
            NAMES[i % len(NAMES)],
            kinds[i % len(kinds)],
            book,
            studio,
            mode=plan.mode,
            seed=plan.seed + i,
            voice=VOICES[i % len(VOICES)],
            surroundings=SURROUNDINGS[i % len(SURROUNDINGS)] if plan.surroundings else QUIET,
            options=plan.options,
            max_questions=plan.questions,
            speed=TYPED_SPEED if plan.typed else 1.0,
        )
        for i in range(plan.n)
    ]


async def sit_all(
    candidates: Sequence[Candidate],
    url: str,
    *,
    at_once: int,
    timeout_s: float = 3600.0,
    on_done: Callable[[CandidateRecord], None] = lambda record: None,
) -> list[CandidateRecord]:
    """Lets prepared candidates sit their vivas, a few at a time; the records in the candidates' order."""
    seats = asyncio.Semaphore(at_once)

    async def one(candidate: Candidate) -> CandidateRecord:
        async with seats:
            record = await candidate.sit(url, timeout_s)
            on_done(record)
            return record

    return list(await asyncio.gather(*(one(candidate) for candidate in candidates)))


def agreement(records: Sequence[CandidateRecord]) -> dict[str, Any]:
    """How the marks given compare with those deserved: share equal, and counts by (expected, given)."""
    pairs = [
        (record.expected[number], record.verdicts[number])
        for record in records
        for number in record.expected
        if number in record.verdicts
    ]
    counts = Counter(f"{expected} -> {given}" for expected, given in pairs)
    equal = sum(expected == given for expected, given in pairs)
    return {"n": len(pairs), "share": equal / len(pairs) if pairs else None, "counts": dict(sorted(counts.items()))}
