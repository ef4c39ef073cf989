"""Which words of an answer are the evidence for which key point: the answer, cut where that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.exam.report_data import KeyPointReport

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""Names of the key points of a question, in the bank's order."""

STATUS_WORDS = {"covered": "Covered", "contradicted": "Contradicted", "missing": "Missing"}


@dataclass(frozen=True)
class Piece:
    """A run of an answer that is evidence for the same key points throughout.

    Attributes:
        text: The words; the pieces of an answer, joined, are the answer.
        status: What the words do: cover key points, contradict at least one, or neither (empty).
        letters: Letters of the key points whose evidence ends here.
        label: Which key points, in words; empty where there are none.
    """

    text: str
    status: Literal["covered", "contradicted", ""]
    letters: str
    label: str


def letter(n: int) -> str:
    """The letter of the key point at place `n`, from 0."""
    return LETTERS[n % len(LETTERS)]


def pieces(text: str, key_points: Sequence[KeyPointReport]) -> list[Piece]:
    """Cuts an answer at the ends of its evidence; a quote that is not in it marks nothing."""
    marks: list[set[int]] = [set() for _ in text]
    for n, point in enumerate(key_points):
        at = text.find(point.quote) if point.quote and point.status != "missing" else -1
        for k in range(at, at + len(point.quote) if at >= 0 else at):
            marks[k].add(n)
    out: list[Piece] = []
    start = 0
    while start < len(text):
        end = start
        while end < len(text) and marks[end] == marks[start]:
            end += 1
        out.append(_piece(text[start:end], marks[start], marks[end] if end < len(text) else set(), key_points))
        start = end
    return out


def _piece(text: str, here: set[int], after: set[int], key_points: Sequence[KeyPointReport]) -> Piece:
    if not here:
        return Piece(text, "", "", "")
    on = sorted(here)
    wrong = any(key_points[n].status == "contradicted" for n in on)
    label = "; ".join(f"{STATUS_WORDS[key_points[n].status]}: {key_points[n].said}" for n in on)
    # a letter where its evidence ends
    letters = "".join(letter(n) for n in on if n not in after)
    return Piece(text, "contradicted" if wrong else "covered", letters, label)
