"""One sample viva: the real exam asks, a planned candidate answers, the real judge marks what was recognised."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from workbench.exam import flow
from workbench.exam.items import Bank, Question
from workbench.exam.model import (
    Begin,
    Evaluation,
    Event,
    ExamSetup,
    Finish,
    Heard,
    Judge,
    Judged,
    SaveAnswer,
    SaveMark,
    Say,
    SetCandidate,
)  # fmt: skip
from workbench.exam.state import ExamState
from workbench.simulate.sample.plan import ItemTruth, Person, known, wording
from workbench.simulate.sample.speaking import Speech
from workbench.store.research_export import EXPORT_VERSION, without_name

REPLY_S = 0.65
"""Median silence before the examiner speaks, seconds."""

REPLY_SPREAD = 0.3
REPEAT_SHARE = 0.04
BARGE_IN_SHARE = 0.05
OVERLAP_S = 0.25
"""How long the examiner goes on after the candidate has cut in."""

NOTHING_TO_ADD = "I have nothing to add to that."
MarkAnswer = Callable[[Question, str, str, float], Evaluation]
"""Question, case, answer as recognised, confidence -> mark."""


@dataclass
class Sat:
    """A viva that was sat.

    Attributes:
        viva: In the shape of the researchers' export.
        truth: One row an answer: what was deserved and what happened.
        sounds: Start in seconds, channel (0 candidate, 1 examiner) and sound, where any was made.
    """

    viva: dict[str, Any]
    truth: list[dict[str, Any]]
    sounds: list[tuple[float, int, Any]] = field(default_factory=list)


class Sitting:
    """Sits one viva.

    Args:
        seed: Seed of the sample.
        person: The candidate.
        bank: The questions.
        items: Their truth by id.
        speech: Speaks both sides.
        mark: The judge.
        pseudonym: Stands for the candidate.
        started_at: When the viva begins.
    """

    def __init__(
        self,
        seed: int,
        person: Person,
        bank: Bank,
        items: dict[str, ItemTruth],
        speech: Speech,
        mark: MarkAnswer,
        pseudonym: str,
        started_at: datetime,
    ) -> None:
        self.seed, self.person, self.bank, self.items = seed, person, bank, items
        self.speech, self.mark, self.pseudonym, self.started_at = speech, mark, pseudonym, started_at
        self.area = bank.area(person.area)
        self.random = Random(f"{seed}:sitting:{person.session_id}")
        self.at_s = 0.0
        self.turns: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.marks: list[dict[str, Any]] = []
        self.truth: dict[str, dict[str, Any]] = {}
        self.sounds: list[tuple[float, int, Any]] = []
        self.completed: bool | None = None
        self.lines: list[Any] = []

    def sit(self) -> Sat:
        """Sits it to its end."""
        person = self.person
        setup = ExamSetup(person.discipline, person.area, mode="exam", seed=person.seed, extra_time=person.extra_time)
        state = self._happen(flow.new_exam(self.bank, setup), [Begin(0.0)])
        while self.completed is None:
            state = self._reply(state)
        return Sat(self._viva(), list(self.truth.values()), self.sounds)

    # ---- the examiner ----

    def _happen(self, state: ExamState, events: Iterable[Event]) -> ExamState:
        """What follows from events, marks included; what is to be said is said as one turn."""
        waiting = list(events)
        while waiting:
            step = flow.step(self.bank, state, waiting.pop(0))
            state = step.state
            for effect in step.effects:
                match effect:
                    case Say(lines=said):
                        self.lines += said
                    case Judge(question_id=question_id, answer=answer, confidence=confidence):
                        question, case = self.area.question(question_id), self.area.scenario_of(question_id)
                        evaluation = self.mark(question, case.text, answer, confidence)
                        waiting.append(Judged(evaluation, self.at_s))
                    case SaveAnswer():
                        self._keep_answer(effect)
                    case SaveMark(number=number, evaluation=evaluation):
                        self._keep_mark(number, evaluation)
                    case Finish(completed=completed):
                        self.completed = completed
                    case SetCandidate():
                        pass
        if self.lines:
            text = " ".join(line.text for line in self.lines)
            start_s = self.at_s + (REPLY_S * math.exp(self.random.gauss(0.0, REPLY_SPREAD)) if self.turns else 0.4)
            length_s, sound = self.speech.examiner(text)
            self._keep_turn("examiner", text, start_s, start_s + length_s, state.number, kind=self.lines[-1].kind)
            if sound is not None:
                self.sounds.append((start_s, 1, sound))
            self.at_s = start_s + length_s
            self.lines = []
        return state

    # ---- the candidate ----

    def _reply(self, state: ExamState) -> ExamState:
        match state.phase:
            case "name":
                return self._say(state, f"My name is {self.person.name}.", self._wait_s(0.0))
            case "consent":
                return self._say(state, "Yes, I do.", self._wait_s(0.0))
            case "question":
                return self._answer(state)
            case "probe":
                return self._answer_probe(state)
            case _:
                raise RuntimeError(f"a sample candidate has no words for phase {state.phase!r}")

    def _answer(self, state: ExamState) -> ExamState:
        question = self.area.question(state.plan[state.number - 1][1])
        item = self.items[question.id]
        knows = known(self.seed, self.person, item, question)
        harder = max(0.0, item.difficulty - self.person.ability)
        if question.id not in self.truth:
            repeats = self.random.random() < REPEAT_SHARE
            barges = not repeats and not self.person.typed and self.random.random() < BARGE_IN_SHARE
            wait_s = -self.random.uniform(0.4, 1.5) if barges else self._wait_s(harder)
            self.truth[question.id] = {
                "session_id": self.person.session_id,
                "item_index": state.number,
                "question_id": question.id,
                "deserved_points": knows.points,
                "deserved_verdict": knows.verdict,
                **{
                    f"n_{kind}": list(knows.status.values()).count(kind)
                    for kind in ("covered", "contradicted", "missing")
                },
                "asked_to_repeat": repeats,
                "barged_in": barges,
            }
            if repeats:
                return self._say(state, "Could you repeat the question, please?", wait_s)
        else:
            wait_s = self._wait_s(harder)
        return self._say(state, wording(self.seed, self.person, question, knows), wait_s, question.key_terms)

    def _answer_probe(self, state: ExamState) -> ExamState:
        record = state.current
        assert record is not None
        question = self.area.question(record.question_id)
        knows = known(self.seed, self.person, self.items[question.id], question)
        said = NOTHING_TO_ADD
        if record.probe_id is not None and knows.status[record.probe_id] == "covered":
            said = question.key_point(record.probe_id).text
        return self._say(state, said, self._wait_s(0.0), question.key_terms)

    def _wait_s(self, harder: float) -> float:
        """Silence before the candidate speaks: longer the harder the question is for them, longer with extra time."""
        return (0.7 + 0.35 * harder) * math.exp(self.random.gauss(0.0, 0.4)) * self.person.extra_time

    def _say(self, state: ExamState, said: str, wait_s: float, key_terms: tuple[str, ...] = ()) -> ExamState:
        if self.person.typed and state.number:
            self.at_s += wait_s + len(said) / 4.5
            self._keep_turn("candidate", said, self.at_s, self.at_s, state.number, typed=True)
            return self._happen(state, [Heard(said, self.at_s, typed=True)])
        start_s = self.at_s + wait_s
        if wait_s < 0:
            self._cut_short(start_s)
        spoken = self.speech.candidate(said, self.person, key_terms, str(len(self.turns)))
        # an opening that is misheard would be another viva, not another answer
        text = spoken.text if state.number else said
        self.at_s = start_s + spoken.duration_s
        self._keep_turn(
            "candidate",
            text,
            start_s,
            self.at_s,
            state.number,
            corrected=said,
            confidence=spoken.confidence,
            words=[
                {
                    "text": word.text,
                    "start_s": round(start_s + word.start_s, 3),
                    "end_s": round(start_s + word.end_s, 3),
                    "probability": round(word.probability, 3),
                }
                for word in spoken.words
            ]
            if state.number
            else [],
        )
        if spoken.clip is not None:
            self.sounds.append((start_s, 0, spoken.clip))
        return self._happen(state, [Heard(text, self.at_s, confidence=spoken.confidence)])

    def _cut_short(self, start_s: float) -> None:
        """The candidate cuts in: of the examiner's turn only its beginning was heard."""
        turn = self.turns[-1]
        words = turn["text"].split()
        end_s = start_s + OVERLAP_S
        share = (end_s - turn["start_s"]) / (turn["end_s"] - turn["start_s"])
        turn["heard_text"] = " ".join(words[: max(1, int(share * len(words)))])
        turn["interrupted"], turn["end_s"] = True, round(end_s, 3)
        if self.sounds and self.sounds[-1][1] == 1:
            begin_s, channel, sound = self.sounds[-1]
            self.sounds[-1] = (begin_s, channel, sound[: int((end_s - begin_s) * 16_000)])

    # ---- what is kept ----

    def _keep_turn(
        self,
        role: str,
        text: str,
        start_s: float,
        end_s: float,
        number: int,
        *,
        kind: str | None = None,
        corrected: str | None = None,
        typed: bool = False,
        confidence: float | None = None,
        words: list[dict[str, Any]] | None = None,
    ) -> None:
        def unnamed(given: str) -> str:
            return without_name(given, self.person.name, self.pseudonym, anywhere=number == 0)

        self.turns.append(
            {
                "position": len(self.turns),
                "number": number or None,
                "role": role,
                "kind": kind,
                "text": unnamed(text),
                "heard_text": unnamed(text),
                "corrected_text": None if corrected is None else unnamed(corrected),
                "interrupted": False,
                "typed": typed,
                "confidence": None if confidence is None else round(confidence, 3),
                "start_s": round(start_s, 3),
                "end_s": round(end_s, 3),
                "words": words or [],
            }
        )

    def _keep_answer(self, saved: SaveAnswer) -> None:
        self.answers.append(
            {name: getattr(saved, name) for name in ("number", "question_id", "text", "typed", "probe", "skipped")}
            | {"at_s": round(self.at_s, 3)}
        )

    def _keep_mark(self, number: int, evaluation: Evaluation) -> None:
        moment = (self.started_at + timedelta(seconds=self.at_s)).isoformat()
        self.marks.append(
            {
                "number": number,
                "evaluation": asdict(evaluation),
                "rater": "judge",
                "created_at": moment,
                "public": False,
            }
        )

    def _viva(self) -> dict[str, Any]:
        person = self.person
        points = sum({mark["number"]: mark["evaluation"]["points"] for mark in self.marks}.values())
        asked = {answer["question_id"] for answer in self.answers}
        return {
            "export_version": EXPORT_VERSION,
            "session": {
                "id": person.session_id,
                "pseudonym": self.pseudonym,
                "discipline": person.discipline,
                "area": person.area,
                "mode": "exam",
                "seed": person.seed,
                "options": {"extra_time": person.extra_time, "patience": "default"},
                "started_at": self.started_at.isoformat(),
                "ended_at": (self.started_at + timedelta(seconds=self.at_s)).isoformat(),
                "status": "finished",
                "record": True,
                "judge": self.marks[-1]["evaluation"]["judge"] if self.marks else None,
                "adapter": None,
                "bank_version": self.bank.version,
            },
            "questions": {
                question.id: {
                    "scenario_id": scenario.id,
                    "difficulty": question.difficulty,
                    "cognitive_level": question.cognitive_level,
                }
                for scenario in self.area.scenarios
                for question in scenario.questions
                if question.id in asked
            },
            "turns": self.turns,
            "answers": self.answers,
            "marks": self.marks,
            "events": [],
            "result": {"completed": bool(self.completed), "score": points, "max_score": 120.0},
        }
