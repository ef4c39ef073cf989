"""An answer cut into the passages a sentence encoder compares: clauses, neighbouring clauses and sentences.

What was taken back, what the speaker says not to know, echoes of the question and talk of marks are in none. A sentence
encoder hardly hears a "not", so that every passage carries whether it claims or denies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.exam.assertion import read_stances
from workbench.exam.matching import Answer
from workbench.exam.spoken_terms import read_terms

LONGEST_TERMS = 40
"""A longer sentence is compared by its clauses alone."""

MOST_PASSAGES = 60
"""Passages of a rambling answer that are looked at: a minute of speech has some thirty."""


@dataclass(frozen=True)
class Passage:
    """A piece of an answer.

    Attributes:
        text: The words as they stand.
        denied: Whether it denies what it speaks of.
        hedged: Whether it only considers it.
        start: Offset of its first word in the answer.
        end: Offset behind its last word.
    """

    text: str
    denied: bool
    hedged: bool
    start: int
    end: int


def passages(answer: Answer) -> list[Passage]:
    """The passages of an answer, in order, without repetitions.

    Args:
        answer: As `read_answer` gives it.
    """
    stances = read_stances(list(answer.terms)).stances
    found: dict[tuple[int, int], Passage] = {}
    for run in _runs(answer):
        own = [i for i in run if i not in answer.left_out and stances[i] != "operator" and not answer.terms[i].is_small]
        kept = [i for i in own if stances[i] not in ("retracted", "unknown")]
        if 2 * len(kept) < len(own) or not kept:
            continue
        first, last = answer.terms[kept[0]], answer.terms[kept[-1]]
        # from the first small word of the run on, so that the text reads as it was said
        start = min(answer.terms[i].start for i in run if kept[0] - 4 <= i <= kept[0] and i not in answer.left_out)
        n_denied = sum(stances[i] in ("denied", "disowned") for i in kept)
        n_hedged = sum(stances[i] == "considered" for i in kept)
        found.setdefault(
            (first.start, last.end),
            Passage(answer.text[start : last.end], 2 * n_denied > len(kept), 2 * n_hedged > len(kept), start, last.end),
        )
        if len(found) >= MOST_PASSAGES:
            break
    return list(found.values())


def denies(wording: str) -> bool:
    """Whether a wording of the bank is itself a denial: "no nitrates", "avoid a beta blocker"."""
    reading = read_stances(read_terms(wording))
    kept = [s for t, s in zip(reading.terms, reading.stances, strict=True) if not t.is_small and s != "operator"]
    return bool(kept) and 2 * sum(s in ("denied", "disowned") for s in kept) > len(kept)


def _runs(answer: Answer) -> Iterator[Sequence[int]]:
    """Indices of the terms of every clause, of clauses that follow each other in a sentence, of every sentence."""
    clauses: list[list[int]] = []
    for i in range(len(answer.terms)):
        if clauses and answer.clauses[clauses[-1][0]] == answer.clauses[i]:
            clauses[-1].append(i)
        else:
            clauses.append([i])
    yield from clauses
    sentences: dict[int, list[int]] = {}
    for one, two in zip(clauses, clauses[1:], strict=False):
        if answer.terms[one[0]].sentence == answer.terms[two[0]].sentence:
            yield [*one, *two]
    for i, term in enumerate(answer.terms):
        sentences.setdefault(term.sentence, []).append(i)
    for sentence in sentences.values():
        if len(sentence) <= LONGEST_TERMS:
            yield sentence
