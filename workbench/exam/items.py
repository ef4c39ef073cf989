"""What a question bank is made of: frozen values that know no more than how to look a part up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from workbench.exam.model import Verdict

CognitiveLevel = Literal["remember", "understand", "apply", "analyse", "evaluate", "create"]
"""The cognitive processes of the revised Bloom taxonomy (Anderson and Krathwohl 2001, table 5.1)."""


@dataclass(frozen=True)
class KeyPoint:
    """One thing a full answer says.

    Attributes:
        id: Unique within its question.
        text: The point as a full sentence that can be spoken.
        weight: Share of the marks, in (0, 1]; the weights of a question sum to 1.
        accepted: Spoken wordings that cover the point.
        misconceptions: Spoken wordings that contradict it.
        probe: A question that invites the point without giving it away.
        essential: Whether contradicting it bars the verdict "correct".
        said: The point as a short noun phrase that reads after "You did not mention"; empty falls back to `text`.
        line: Line of its file, 1-based; 0 when it came from no file.
    """

    id: str
    text: str
    weight: float
    accepted: tuple[str, ...]
    misconceptions: tuple[str, ...] = ()
    probe: str = ""
    essential: bool = False
    said: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Exemplar:
    """A spoken answer with the mark an examiner gave it."""

    text: str
    verdict: Verdict
    points: float
    note: str = ""
    line: int = field(default=0, compare=False)

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the half that no judge may be tuned on, by the hash of its words."""
        return hashlib.sha256(" ".join(self.text.split()).encode()).digest()[0] < 128


@dataclass(frozen=True)
class Question:
    """One marked question.

    Attributes:
        id: Unique within its bank.
        stem: The question as spoken.
        key_points: Three to six, weights summing to 1.
        model_answer: Two to four spoken sentences.
        difficulty: 1 (easy) to 5 (hard).
        cognitive_level: What the question asks of the candidate.
        sources: Where its facts come from, by name and year.
        key_terms: Rare words likely in an answer; they bias the recogniser.
        exemplars: Answers with their marks.
        line: Line of its file, 1-based.
    """

    id: str
    stem: str
    key_points: tuple[KeyPoint, ...]
    model_answer: str
    difficulty: int
    cognitive_level: CognitiveLevel
    sources: tuple[str, ...]
    key_terms: tuple[str, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()
    line: int = field(default=0, compare=False)

    def key_point(self, key_point_id: str) -> KeyPoint:
        """The key point of this id.

        Raises:
            KeyError: No such key point; the message lists those there are.
        """
        for point in self.key_points:
            if point.id == key_point_id:
                return point
        raise KeyError(
            f"question {self.id} has no key point {key_point_id!r}; it has {[p.id for p in self.key_points]}"
        )


@dataclass(frozen=True)
class Scenario:
    """A situation, told in two or three spoken sentences, and the questions about it."""

    id: str
    title: str
    text: str
    questions: tuple[Question, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Area:
    """One examinable area; `jurisdiction` says which law or rule system holds where that matters."""

    key: str
    title: str
    scenarios: tuple[Scenario, ...]
    jurisdiction: str | None = None
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question, in the order of the file."""
        return tuple(question for scenario in self.scenarios for question in scenario.questions)

    def question(self, question_id: str) -> Question:
        """The question of this id.

        Raises:
            KeyError: No such question; the message lists those there are.
        """
        for question in self.questions:
            if question.id == question_id:
                return question
        raise KeyError(f"area {self.key} has no question {question_id!r}; it has {[q.id for q in self.questions]}")

    def scenario_of(self, question_id: str) -> Scenario:
        """The scenario a question belongs to.

        Raises:
            KeyError: No such question.
        """
        for scenario in self.scenarios:
            if any(question.id == question_id for question in scenario.questions):
                return scenario
        raise KeyError(f"area {self.key} has no question {question_id!r}; it has {[q.id for q in self.questions]}")


@dataclass(frozen=True)
class Bank:
    """The questions of one discipline, with the card that says what they are for.

    Attributes:
        discipline: Key, e.g. `medical`.
        title: For people, e.g. `Medicine`.
        version: Version of the questions, e.g. `1.0.0`.
        licence: SPDX name, e.g. `CC-BY-4.0`.
        authors: Who wrote it.
        description: What it examines and at which level.
        not_for: What it must not be used for.
        areas: In the order of the files.
    """

    discipline: str
    title: str
    version: str
    licence: str
    areas: tuple[Area, ...]
    authors: tuple[str, ...] = ()
    description: str = ""
    not_for: str = ""
    file: str = field(default="", compare=False)

    def area(self, key: str) -> Area:
        """The area of this key.

        Raises:
            KeyError: No such area; the message lists those there are.
        """
        for area in self.areas:
            if area.key == key:
                return area
        raise KeyError(f"{self.discipline} has no area {key!r}; it has {[a.key for a in self.areas]}")

    def questions(self) -> Iterator[tuple[Area, Scenario, Question]]:
        """Every question with where it belongs."""
        for area in self.areas:
            for scenario in area.scenarios:
                for question in scenario.questions:
                    yield area, scenario, question
