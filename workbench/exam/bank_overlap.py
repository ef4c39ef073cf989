"""Key points of one question that cannot be told apart, and questions that ask the same thing twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from rapidfuzz import fuzz

from workbench.exam.bank_file import Finding
from workbench.exam.items import Area, Bank, KeyPoint, Question
from workbench.exam.leaks import STOP_WORDS, stems
from workbench.exam.matching import find, read_answer
from workbench.exam.spoken_terms import read_terms

SHARED_WORDINGS = 0.5
"""Share of a key point's wordings that cover another one, from which the two are not told apart."""

SAME_POINTS = 75.0
SAME_QUESTION = 72.0
"""Likeness (0 to 100, token sort ratio of word stems) of the key points alone, and of key points and stem on average,
from which two questions are the same. The most alike pair of the built-in banks, naloxone for a pharmacist and for a
nurse, has 63 and 66."""

PLACEHOLDER = "REPLACE"
"""Word that marks what is still to be written in a template."""

# a denial may use any of these, and words that only point
_INTERCHANGEABLE = frozenset("never neither nor none nothing nobody without cannot avoid all them while".split())


def overlaps(area: Area, question: Question) -> Iterator[Finding]:
    """Wordings of a key point that also earn another one.

    Two kinds count. A wording is taken for one of the other point although words of that are missing, because the
    judge does not count them: "critical activities" for "both are critical". And half of the wordings of a point or
    more cover another one that weighs more, or cover each other both ways. A point that implies a lesser one ("his
    employees" and that he has employees) is meant to.
    """
    shared = {
        (one.id, other.id): _covering(question, one, other)
        for one in question.key_points
        for other in question.key_points
        if one is not other
    }

    def finding(point: KeyPoint, message: str) -> Finding:
        line = point.line or question.line
        return Finding(area.file, line, question.id, "overlap", f"key point {point.id}: {message}")

    for one in question.key_points:
        for other in question.key_points:
            pairs = shared.get((one.id, other.id), [])
            thin = [(said, taken) for said, taken in pairs if not _words(taken) <= _words(said)]
            if thin:
                said, taken = thin[0]
                more = f" and {len(thin) - 1} more like it" if len(thin) > 1 else ""
                yield finding(
                    other,
                    f"its accepted wording {taken!r} is also heard in {said!r}{more} of key point {one.id}, which does "
                    f"not say {_list(_words(taken) - _words(said))}; give it a word of its own",
                )
            elif len(pairs) >= SHARED_WORDINGS * len(one.accepted):
                back = len(shared[other.id, one.id]) >= SHARED_WORDINGS * len(other.accepted)
                if other.weight > one.weight or (back and one.id < other.id):
                    said, taken = pairs[0]
                    yield finding(
                        other,
                        f"{len(pairs)} of {len(one.accepted)} wordings of key point {one.id} (weight {one.weight:g}) "
                        f"cover this one too (weight {other.weight:g}), as {said!r} does; join the two or part them",
                    )


def _covering(question: Question, one: KeyPoint, other: KeyPoint) -> list[tuple[str, str]]:
    """Accepted wordings of `one` that are heard as `other`, each with the wording it is best taken for."""
    pairs = []
    for wording in one.accepted:
        heard = read_answer(question, wording, "", of_question=True)
        taken = [m.wording.text for m in find(other.accepted, heard, whole=True) if m.stance == "claimed"]
        if taken:
            pairs.append((wording, min(taken, key=lambda text: len(_words(text) - _words(wording)))))
    return pairs


@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    """Stems of the words that say something, those the judge skips among them."""
    return frozenset(t.stem for t in read_terms(text) if t.word not in STOP_WORDS and t.word not in _INTERCHANGEABLE)


def _list(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in sorted(words))


def near_duplicates(bank: Bank, others: Sequence[Bank] = ()) -> Iterator[Finding]:
    """Questions of a bank that ask what an earlier one of it, or one of another bank, asks.

    Args:
        bank: The bank that is checked.
        others: Banks it must not repeat; areas that it replaces (same discipline and key) are left out.
    """
    replaced = {(bank.discipline, area.key) for area in bank.areas}
    earlier = [
        (f"{other.discipline}/{area.key}", question)
        for other in others
        for area in other.areas
        if (other.discipline, area.key) not in replaced
        for question in area.questions
    ]
    for area, _, question in bank.questions():
        if PLACEHOLDER in question.stem:
            continue
        for place, known in earlier:
            points = _likeness(_points(question), _points(known), SAME_POINTS - 25)
            if not points:
                continue
            stem = _likeness(question.stem, known.stem)
            if points >= SAME_POINTS or (points + stem) / 2 >= SAME_QUESTION:
                message = (
                    f"asks what {known.id} ({place}) asks: their key points are {points:.0f} % and "
                    f"their stems {stem:.0f} % alike; drop or change one of them"
                )
                yield Finding(area.file, question.line, question.id, "near-duplicate", message)
                break
        earlier.append((f"{bank.discipline}/{area.key}", question))


def _likeness(one: str, other: str, at_least: float = 0.0) -> float:
    return fuzz.ratio(_sorted_stems(one), _sorted_stems(other), score_cutoff=at_least)


@lru_cache(maxsize=8192)
def _sorted_stems(text: str) -> str:
    return " ".join(sorted(stems(text)))


def _points(question: Question) -> str:
    return " ".join(point.text for point in question.key_points)
