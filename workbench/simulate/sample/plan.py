"""The truth behind the sample: abilities, difficulties, planted faults, and what each candidate knows of each question.

A key point is covered with the probability of a Rasch model (Rasch 1960), ability minus difficulty on the logit scale.
Everything is drawn from generators named by the seed and what they are for, so that one part can change without
another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import Literal

from workbench.exam.grading import points_of, verdict_of
from workbench.exam.items import Area, KeyPoint, Question
from workbench.exam.model import Verdict

AREAS = (("medical", "cardiology"), ("law", "tort"))
"""The two areas whose questions are asked."""

ABILITY_SD = 1.9
DIFFICULTY_STEP = 0.45
"""Logits between two grades of the author's difficulty (1 to 5)."""

POINT_SD = 0.4
"""Spread of the key points of one question around its difficulty, logits."""

BIAS = 2.0
"""How much harder the biased question is for the group it is biased against, logits."""

MISCONCEPTION_SHARE = 0.2
"""Of the points that are not known, how many are not left out but got wrong, where the bank lists a misconception."""

Fault = Literal["", "random", "reversed", "biased"]
PLANTED: tuple[tuple[int, Fault], ...] = ((3, "random"), (7, "reversed"), (9, "biased"))
"""Which question of an area (from 0, in the order of the bank) has which fault."""

GROUPS = ("steady", "hurried")
"""Voices: hurried candidates speak faster and are misheard more often; they are as able as the others."""

BIASED_AGAINST = "hurried"
PACE = {"steady": 1.0, "hurried": 1.3}
WORD_ERROR_RATE = {"steady": 0.04, "hurried": 0.12}
"""Word error rates the simulated recogniser is set to."""

KNOWS_NOTHING = "I would have to guess here, perhaps it depends on the situation."
FIRST = "Alex Sam Robin Jamie Toni Kim Chris Dana Noor Maya Ivan Leah Omar Priya Hugo Nina".split()
LAST = "Morgan Rivera Patel Chen Weber Okafor Novak Levi Haddad Silva Berg Rossi Kaya Dubois Lund Tanaka".split()


@dataclass(frozen=True)
class Person:
    """One candidate.

    Attributes:
        session_id: The viva.
        name: The name given to the examiner.
        discipline: The discipline sat.
        area: Its area.
        ability: Logits.
        group: One of `GROUPS`.
        extra_time: Accommodation; slows the answers, changes nothing of what is known.
        typed: Whether answers are typed.
        filler_rate: Fillers a key point.
        seed: Seed of the exam.
    """

    session_id: str
    name: str
    discipline: str
    area: str
    ability: float
    group: str
    extra_time: float
    typed: bool
    filler_rate: float
    seed: int


@dataclass(frozen=True)
class ItemTruth:
    """One question: its difficulty in logits, its planted fault, and how much harder each key point is than it."""

    question_id: str
    difficulty: float
    fault: Fault
    points: Mapping[str, float]


@dataclass(frozen=True)
class Known:
    """What one candidate says of one question.

    Attributes:
        status: Covered, contradicted or missing, by key point.
        points: The points that deserves by the rules of the exam.
        verdict: The verdict it deserves.
    """

    status: Mapping[str, str]
    points: float
    verdict: Verdict


def people(seed: int, n_each: int) -> list[Person]:
    """The candidates: in each area the same spread of abilities, and groups that are equally able."""
    found = []
    for discipline, area in AREAS:
        random = Random(f"{seed}:people:{area}")
        abilities = [ABILITY_SD * NormalDist().inv_cdf((place + 0.5) / n_each) for place in range(n_each)]
        groups = []
        for _ in range(0, n_each, 2):
            groups += random.sample(GROUPS, 2)  # of two neighbours in ability one in each group
        order = list(range(n_each))
        random.shuffle(order)
        helped = set(random.sample(range(n_each), n_each // 10))
        typing = set(random.sample(range(n_each), n_each // 20))
        for number, place in enumerate(order):
            found.append(
                Person(
                    session_id=f"sample_{area}_{number + 1:03d}",
                    name=f"{random.choice(FIRST)} {random.choice(LAST)}",
                    discipline=discipline,
                    area=area,
                    ability=round(abilities[place], 3),
                    group=groups[place],
                    extra_time=1.25 if number in helped else 1.0,
                    typed=number in typing,
                    filler_rate=round(random.uniform(0.05, 0.45), 2),
                    seed=seed * 1000 + number,
                )
            )
    return found


def item_truths(seed: int, area: Area) -> dict[str, ItemTruth]:
    """The questions of an area, by id."""
    faults = dict(PLANTED)
    found = {}
    for place, question in enumerate(area.questions):
        random = Random(f"{seed}:item:{question.id}")
        difficulty = DIFFICULTY_STEP * (question.difficulty - 3) + random.gauss(0.0, 0.25)
        points = {point.id: round(random.gauss(0.0, POINT_SD), 3) for point in question.key_points}
        found[question.id] = ItemTruth(question.id, round(difficulty, 3), faults.get(place, ""), points)
    return found


def probability(person: Person, item: ItemTruth, key_point_id: str) -> float:
    """How likely a candidate is to cover a key point."""
    if item.fault == "random":
        return 0.5
    logit = person.ability - item.difficulty - item.points[key_point_id]
    if item.fault == "reversed":
        logit = -0.6 * person.ability - item.difficulty
    if item.fault == "biased" and person.group == BIASED_AGAINST:
        logit -= BIAS
    return 1.0 / (1.0 + math.exp(-logit))


def known(seed: int, person: Person, item: ItemTruth, question: Question) -> Known:
    """What a candidate says of a question, and what that deserves."""
    random = Random(f"{seed}:known:{person.session_id}:{question.id}")
    status: dict[str, str] = {}
    for point in question.key_points:
        covered, wrong = random.random(), random.random()
        if covered < probability(person, item, point.id):
            status[point.id] = "covered"
        else:
            status[point.id] = "contradicted" if point.misconceptions and wrong < MISCONCEPTION_SHARE else "missing"
    share = sum(point.weight for point in question.key_points if status[point.id] == "covered")
    lost = sum(point.weight for point in question.key_points if status[point.id] == "contradicted")
    essential_wrong = any(point.essential and status[point.id] == "contradicted" for point in question.key_points)
    verdict = verdict_of(share, essential_wrong=essential_wrong)
    return Known(status, points_of(share, lost, verdict), verdict)


def wording(seed: int, person: Person, question: Question, knows: Known) -> str:
    """What the candidate says: the bank's wordings of what is known or got wrong, with fillers and repairs."""
    random = Random(f"{seed}:wording:{person.session_id}:{question.id}")
    parts = []
    for point in question.key_points:
        status = knows.status[point.id]
        if status == "missing":
            continue
        said = _covering(point, random) if status == "covered" else f"I think {random.choice(point.misconceptions)}."
        if not person.typed and random.random() < person.filler_rate:
            said = f"{random.choice(('Um,', 'Er,', 'Well,'))} {said}"
        if not person.typed and random.random() < 0.08:
            first = said.split()[:2]
            said = f"{' '.join(first)} {said}"
        parts.append(said)
    return " ".join(parts) or KNOWS_NOTHING


def _covering(point: KeyPoint, random: Random) -> str:
    if random.random() < 0.7:
        return point.text
    return f"{random.choice(('I would say', 'The point is', 'I would mention'))} {random.choice(point.accepted)}."
