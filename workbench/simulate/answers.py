"""What a simulated candidate knows: answers to every question of the banks, each with the verdict it should get."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from workbench.exam.bank import load_banks
from workbench.exam.items import Question
from workbench.exam.model import Verdict
from workbench.settings import Settings

NOTHING_KNOWN = "I am sorry, I really could not say."


@dataclass(frozen=True)
class Answer:
    """A spoken answer and the verdict an examiner should give it."""

    text: str
    expected: Verdict


class AnswerBook:
    """Answers by question id, drawn from the banks' exemplars.

    Args:
        settings: Says where further banks are.
    """

    def __init__(self, settings: Settings) -> None:
        banks = load_banks(settings.banks_dir)
        self._questions: dict[str, Question] = {
            question.id: question for bank in banks.values() for _, _, question in bank.questions()
        }
        self.areas = {bank.discipline: {area.key: area.title for area in bank.areas} for bank in banks.values()}
        self._of_area = {
            (bank.discipline, area.key): [question.id for question in area.questions]
            for bank in banks.values()
            for area in bank.areas
        }

    def question_ids(self, discipline: str, area: str | None) -> list[str]:
        """Ids of an area's questions, of all areas of the discipline when none is given."""
        return [
            question_id
            for (of_discipline, key), ids in self._of_area.items()
            if of_discipline == discipline and area in (None, key)
            for question_id in ids
        ]

    def answer(self, question_id: str, wanted: Verdict, random: Random) -> Answer:
        """An answer to a question that deserves the wanted verdict; one of the bank's exemplars where it has any.

        A question no bank here holds (the server may know more banks) is answered as somebody who does not know.
        """
        question = self._questions.get(question_id)
        if question is None:
            return Answer(NOTHING_KNOWN, "incorrect")
        fitting = [e for e in question.exemplars if e.verdict == wanted and 3 <= len(e.text.split()) <= 90]
        if fitting:
            return Answer(random.choice(fitting).text, wanted)
        if wanted == "correct":
            return Answer(question.model_answer, "correct")
        if wanted == "partial":
            heaviest = max(question.key_points, key=lambda point: point.weight)
            return Answer(f"I would say {random.choice(heaviest.accepted)}.", "partial")
        return Answer(NOTHING_KNOWN, "incorrect")

    def model_answer(self, question_id: str) -> str:
        """The bank's own answer, empty for an unknown question."""
        question = self._questions.get(question_id)
        return question.model_answer if question else ""

    def probe_answer(self, question_id: str, wanted: Verdict) -> str:
        """What is said to a probe: all of it by those who know, nothing by the others."""
        if wanted == "correct" and question_id in self._questions:
            return self._questions[question_id].model_answer
        return "I have nothing to add to that."
