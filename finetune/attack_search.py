"""Grows attacks on judges: drafts that earn nothing are mutated and crossed, and those that get most marks live on.

What keeps a draft worthless is its kind (`finetune.attack_kinds`), not the judge: every draft is checked after every
mutation. The search is seeded and knows the judges only by the marks they give.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from finetune.attack_kinds import (
    EXTRAS,
    HEAP_SHARE,
    KINDS,
    SUBJECTS,
    Draft,
    Frames,
    Kind,
    Material,
    material,
    words,
    worthless,
)
from workbench.exam.grading import CONTRADICTION_COST
from workbench.exam.items import Bank, Question, Scenario
from workbench.exam.model import MAX_POINTS
from workbench.judging.base import Judge
from workbench.judging.calibration import STATUSES, marked
from workbench.judging.similarity import HybridJudge

FOUND = Path(__file__).resolve().parents[1] / "data" / "judging" / "attacks.jsonl"
"""The attacks the tests put to the judges."""

MOST_PARTS = 7
POOL = 8
"""Drafts of a question that may have offspring."""

SAME_RATIO = 80.0
"""Likeness (rapidfuzz token set ratio) from which two attacks on one question are one."""

MOST_OF_A_QUESTION = 3
MOST_OF_A_KIND = 0.2
"""Share of the attacks kept that one kind may have."""


class OpenHybrid(HybridJudge):
    """The hybrid judge, with the probabilities its marks are made of."""

    def chances(self, question: Question, answer: str, question_text: str) -> NDArray[np.float64]:
        """(n_key_points, 3): probabilities of covered, contradicted and missing; all missing where nothing counts."""
        measured = self._measurer.measure(question, answer, question_text)
        if measured.salad or measured.empty:
            return np.tile([0.0, 0.0, 1.0], (len(question.key_points), 1))
        return self._calibration.probabilities(measured.features)


Strength = Callable[[Question, Scenario, str], float]


@dataclass(frozen=True)
class Found:
    """An attack that was kept.

    Attributes:
        question_id: The question it is an answer to.
        kind: Its kind.
        why: Why it deserves nothing.
        answer: The answer.
        seed: Seed of the search that found it.
        frames: Which half of the frames it was built of.
        points: What each judge gave it at the time, by name.
    """

    question_id: str
    kind: str
    why: str
    answer: str
    seed: int
    frames: str
    points: dict[str, float]


def strength(judges: Sequence[Judge]) -> Strength:
    """How far an answer gets: the greatest points of any judge, then their sum and how much each would give more.

    Args:
        judges: An `OpenHybrid` guides the search by its probabilities as well, others by their marks alone.
    """

    def measure(question: Question, scenario: Scenario, text: str) -> float:
        points, slope = [], 0.0
        for judge in judges:
            if isinstance(judge, OpenHybrid):
                chances = judge.chances(question, text, scenario.text)
                weights = np.array([point.weight for point in question.key_points])
                slope += MAX_POINTS * float(weights @ (chances[:, 0] - CONTRADICTION_COST * chances[:, 1]))
                points.append(marked(question, [STATUSES[int(k)] for k in chances.argmax(axis=1)])[1])
            else:
                points.append(judge.judge(question, text, question_text=scenario.text).points)
        return max(points) + 0.1 * sum(points) + 0.3 * slope

    return measure


def search(
    banks: Iterable[Bank],
    judges: Sequence[Judge],
    *,
    tries: int,
    seed: int,
    frames: Frames,
    n_questions: int | None = None,
    keep: int = 300,
    progress: Callable[[Sequence[tuple[Bank, Scenario, Question]]], Iterable[tuple[Bank, Scenario, Question]]] = iter,
) -> list[Found]:
    """Searches every question, or some, and keeps the strongest distinct attacks.

    Args:
        banks: The banks.
        judges: What is attacked.
        tries: Drafts put to the judges for each question.
        seed: The same seed finds the same attacks.
        frames: Which half of the frames is built with.
        n_questions: How many questions, drawn by the seed; None for all.
        keep: How many attacks are kept at most.
        progress: Wraps the questions to show how far the search is.
    """
    asked = [(bank, scenario, question) for bank in banks for _, scenario, question in bank.questions()]
    subjects = [(_subject(bank), question) for bank, _, question in asked]
    chosen = asked if n_questions is None else Random(seed).sample(asked, min(n_questions, len(asked)))
    measure = strength(judges)
    grown: list[tuple[float, Scenario, Question, Draft]] = []
    for bank, scenario, question in progress(chosen):
        made_of = material(scenario, question, subjects, _subject(bank))
        random = Random(f"{seed}:{question.id}")
        grown += [(score, scenario, question, draft) for score, draft in _grow(made_of, measure, tries, frames, random)]
    kept = strongest([(score, question.id, draft.kind, draft.text) for score, _, question, draft in grown], keep)
    found = []
    for k in kept:
        _, scenario, question, draft = grown[k]
        why = next(kind.why for kind in KINDS if kind.name == draft.kind)
        points = {judge.name: judge.judge(question, draft.text, question_text=scenario.text).points for judge in judges}
        found.append(Found(question.id, draft.kind, why, draft.text, seed, frames, points))
    return found


def strongest(rows: Sequence[tuple[float, str, str, str]], keep: int) -> list[int]:
    """Indices of the strongest attacks, likenesses left out, so that no question and no kind has more than its share.

    Args:
        rows: (strength, question id, kind, text).
        keep: How many at most.
    """
    kept: list[int] = []
    by_question: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    for k in sorted(range(len(rows)), key=lambda k: (-rows[k][0], rows[k][1], rows[k][3])):
        _, question_id, kind, text = rows[k]
        if by_question[question_id] >= MOST_OF_A_QUESTION or by_kind[kind] >= max(1, int(MOST_OF_A_KIND * keep)):
            continue
        alike = (rows[i][3] for i in kept if rows[i][1] == question_id)
        if any(fuzz.token_set_ratio(text, other) >= SAME_RATIO for other in alike):
            continue
        kept.append(k)
        by_question[question_id] += 1
        by_kind[kind] += 1
        if len(kept) == keep:
            break
    return kept


def save(found: Iterable[Found], path: Path) -> None:
    """Writes attacks as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found), encoding="utf-8")


def load(path: Path = FOUND) -> list[Found]:
    """Reads attacks from JSON lines.

    Raises:
        ValueError: A line is no attack; the message names the line.
    """
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = Found(**json.loads(line))
            if not all(isinstance(text, str) for text in (row.question_id, row.kind, row.answer)):
                raise TypeError("question_id, kind and answer must be texts")
            rows.append(row)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}:{number} is no attack as `viva-finetune attack --search` writes them: {error}"
            ) from error
    return rows


def _subject(bank: Bank) -> str:
    return SUBJECTS.get(bank.discipline, bank.discipline)


def _grow(
    made_of: Material, measure: Strength, tries: int, frames: Frames, random: Random
) -> list[tuple[float, Draft]]:
    """Every draft that was tried on one question, with its strength; the first half is drawn, the second half bred."""
    kinds = [kind for kind in KINDS if _can_be_made(kind, made_of)]
    tried: dict[str, tuple[float, Draft]] = {}
    for n in range(4 * tries):
        if len(tried) >= tries:
            break
        if n < max(len(kinds), tries // 2):
            draft = _drawn(kinds[n % len(kinds)], made_of, frames, random)
        else:
            pool = sorted(tried.values(), key=lambda pair: -pair[0])[:POOL]
            one, other = random.choice(pool)[1], random.choice(pool)[1]
            draft = _crossed(one, other, random) if random.random() < 0.25 and one.kind == other.kind else one
            draft = _mutated(draft, made_of, frames, random)
        if draft.text in tried or not worthless(draft, made_of):
            continue
        tried[draft.text] = (measure(made_of.question, made_of.scenario, draft.text), draft)
    return list(tried.values())


def _can_be_made(kind: Kind, made_of: Material) -> bool:
    if kind.name == "every option":
        return bool(made_of.options)
    return kind.name == "heap" or bool(kind.fragments(made_of))


def _drawn(kind: Kind, made_of: Material, frames: Frames, random: Random) -> Draft:
    n_parts = random.randint(1, MOST_PARTS - 1) if kind.name != "heap" else random.randint(2, MOST_PARTS)
    parts = tuple(_part(kind, made_of, frames, random) for _ in range(n_parts))
    return Draft(
        kind.name,
        parts,
        random.choice(kind.openings[frames] or ("",)),
        random.choice(kind.closings[frames] or ("",)),
        tuple((random.randrange(n_parts + 1), random.choice(EXTRAS)) for _ in range(random.choice((0, 0, 1)))),
        random.choice(kind.glues),
    )


def _part(kind: Kind, made_of: Material, frames: Frames, random: Random) -> tuple[str, str]:
    frame = random.choice(kind.frames[frames])
    if kind.name == "every option":
        return frame, _open_list(made_of, random)
    if kind.name == "heap":
        return frame, _heap(made_of, random)
    return frame, random.choice(kind.fragments(made_of))


def _open_list(made_of: Material, random: Random) -> str:
    """A right wording among at least two misconceptions of the same key point."""
    options = random.choice(made_of.options)
    cut = options.index("")
    rivals = options[cut + 1 :]
    listed = [random.choice(options[:cut]), *random.sample(rivals, random.randint(2, min(4, len(rivals))))]
    random.shuffle(listed)
    last = random.choice((" or ", " or ", " and "))
    return last.join([", ".join(listed[:-1]), listed[-1]]) if random.random() < 0.5 else last.join(listed)


def _heap(made_of: Material, random: Random) -> str:
    """Terms of the area with single words of right wordings between them."""
    right = [word for wording in made_of.right for word in words(wording) if len(word) > 3]
    n = random.randint(4, 9)
    listed = random.sample(made_of.foreign_terms, min(n, len(made_of.foreign_terms)))
    listed += random.sample(right, min(int(n * HEAP_SHARE), len(right)))
    random.shuffle(listed)
    return " ".join(listed)


def _mutated(draft: Draft, made_of: Material, frames: Frames, random: Random) -> Draft:
    """One to three small changes: a part more, fewer, other, moved, reframed; another opening, closing, glue."""
    kind = next(kind for kind in KINDS if kind.name == draft.kind)
    for _ in range(random.choice((1, 1, 2, 3))):
        parts = list(draft.parts)
        place = random.randrange(len(parts))
        change = random.choice(("add", "drop", "other", "move", "frame", "frame", "ends", "extra", "glue", "again"))
        if change == "add" and len(parts) < MOST_PARTS:
            parts.insert(place, _part(kind, made_of, frames, random))
        elif change == "drop" and len(parts) > 1:
            parts.pop(place)
        elif change == "other":
            parts[place] = _part(kind, made_of, frames, random)
        elif change == "move":
            parts.insert(random.randrange(len(parts)), parts.pop(place))
        elif change == "frame":
            parts[place] = (random.choice(kind.frames[frames]), parts[place][1])
        elif change == "again" and len(parts) < MOST_PARTS:
            parts.append((random.choice(kind.frames[frames]), parts[place][1]))
        elif change == "ends":
            draft = replace(
                draft,
                opening=random.choice(kind.openings[frames] or ("",)),
                closing=random.choice(kind.closings[frames] or ("",)),
            )
        elif change == "extra":
            kept = draft.extras[1:] if len(draft.extras) > 1 else draft.extras
            draft = replace(draft, extras=(*kept, (random.randrange(len(parts) + 1), random.choice(EXTRAS))))
        elif change == "glue":
            draft = replace(draft, glue=random.choice(kind.glues))
        draft = replace(draft, parts=tuple(parts))
    return draft


def _crossed(one: Draft, other: Draft, random: Random) -> Draft:
    """The beginning of one draft with the end of another of its kind."""
    parts = (*one.parts[: random.randint(1, len(one.parts))], *other.parts[random.randrange(len(other.parts)) :])
    return replace(one, parts=parts[:MOST_PARTS], closing=other.closing)
