"""How simulated candidates behave: pure plans, drawn by seed, of what to say, when to pause and when to talk over.

A plan is made once a turn from the question, the number of times the floor was had on it, and a seeded generator; the
candidate (`workbench.simulate.candidate`) carries it out with a voice or a keyboard.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from workbench.exam.model import CommandName, Verdict
from workbench.simulate.answers import AnswerBook


@dataclass(frozen=True)
class Say:
    """Words and pauses (seconds) spoken as one turn."""

    parts: tuple[str | float, ...]

    @property
    def text(self) -> str:
        """The words alone."""
        return " ".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True)
class Wait:
    """Silence."""

    seconds: float


@dataclass(frozen=True)
class Press:
    """A button of the page."""

    command: CommandName


@dataclass(frozen=True)
class MakeNoise:
    """A cough, a knock, a hum."""

    kind: str
    seed: int


Step = Say | Wait | Press | MakeNoise


@dataclass(frozen=True)
class Aside:
    """Something done while the examiner speaks.

    Attributes:
        after_s: Seconds into the examiner's reply.
        step: What is done.
        takes_floor: Whether it is meant as a turn (a barge-in) or must be talked over (a cough, "mm-hm").
    """

    after_s: float
    step: Say | MakeNoise
    takes_floor: bool


@dataclass(frozen=True)
class Turn:
    """What the candidate does with the floor.

    Attributes:
        steps: In this order.
        answers: Whether this is meant to be marked (not a request to repeat).
        expected: The verdict it should get; None when it is no answer.
    """

    steps: tuple[Step, ...]
    answers: bool
    expected: Verdict | None = None


@dataclass
class Situation:
    """What a behaviour may look at.

    Attributes:
        book: What there is to know.
        random: This candidate's generator.
        question_id: The question being asked.
        attempt: 0 the first time the floor is had on this question, then 1, 2, ...
        probe: Whether a probe is being answered.
        answered: Whether an answer has been given already.
    """

    book: AnswerBook
    random: Random
    question_id: str
    attempt: int
    probe: bool
    answered: bool = False


@dataclass(frozen=True)
class Behaviour:
    """A way of sitting an exam."""

    name: str
    about: str
    turn: Callable[[Situation], Turn]
    aside: Callable[[Random], Aside | None] = field(default=lambda random: None)


def hesitating(text: str, random: Random, low_s: float = 0.3, high_s: float = 2.0) -> tuple[str | float, ...]:
    """The text with pauses inside sentences, where a thinking speaker makes them: after a comma or a joining word."""
    pieces = [piece for piece in re.split(r"(?<=,)\s+|\s+(?=(?:and|because|which|with|so|but|or)\b)", text) if piece]
    parts: list[str | float] = []
    for index, piece in enumerate(pieces):
        short = len(piece.split()) < 3 and index + 1 < len(pieces)
        if short:
            pieces[index + 1] = f"{piece} {pieces[index + 1]}"
            continue
        if parts:
            if random.random() < 0.3:
                parts += [round(random.uniform(low_s, 0.6), 2), random.choice(("um,", "er,", "well,"))]
            parts.append(round(random.uniform(low_s, high_s), 2))
        parts.append(piece)
    return tuple(parts)


def _answer(situation: Situation, wanted: Verdict) -> Turn:
    if situation.probe or situation.answered:
        text = situation.book.probe_answer(situation.question_id, wanted)
        return Turn((Say((text,)),), answers=True)
    answer = situation.book.answer(situation.question_id, wanted, situation.random)
    return Turn((Say((answer.text,)),), answers=True, expected=answer.expected)


def _knowledgeable(situation: Situation) -> Turn:
    return _answer(situation, "correct")


def _partial(situation: Situation) -> Turn:
    return _answer(situation, "partial")


def _wrong(situation: Situation) -> Turn:
    return _answer(situation, "incorrect")


def _hesitant(situation: Situation) -> Turn:
    turn = _answer(situation, "correct")
    says = turn.steps[0]
    assert isinstance(says, Say)
    return Turn((Say(hesitating(says.text, situation.random)),), turn.answers, turn.expected)


def _silent(situation: Situation) -> Turn:
    if situation.attempt == 0 and situation.random.random() < 0.5:
        return Turn((Wait(14.0),), answers=False)
    return Turn((Say(("I do not know.",)),), answers=True, expected="incorrect")


def _rambling(situation: Situation) -> Turn:
    turn = _answer(situation, "correct")
    says = turn.steps[0]
    assert isinstance(says, Say)
    opening = situation.random.choice(
        (
            "Right, so this is something I remember seeing on the ward, and the consultant talked about it at length.",
            "Well, there are many ways to look at this, and I suppose it depends on what you want to hear about first.",
            "Okay, so let me go through it in order, because it is easy to forget one of the steps under pressure.",
        )
    )
    closing = (
        "And I would of course talk to my senior, write it down in the notes, and explain it to the family as well."
    )
    return Turn((Say((opening, 0.4, says.text, 0.4, closing)),), turn.answers, turn.expected)


def _asking(situation: Situation) -> Turn:
    """Asks once a question for one of the things one may ask for, then answers."""
    if situation.attempt == 0 and not situation.probe:
        roll = situation.random.random()
        if roll < 0.4:
            return Turn((Say(("Could you repeat the question, please?",)),), answers=False)
        if roll < 0.6:
            return Turn((Say(("Let me think for a moment.",)), Wait(3.0)), answers=False)
        if roll < 0.7:
            return Turn((Say(("I would like to skip this question.",)),), answers=True, expected="incorrect")
    return _answer(situation, "correct")


INTERRUPTIONS = (
    "Sorry, could you repeat the question?",
    "Excuse me, could you say that again please?",
    "Sorry, I did not catch that, can you repeat it?",
)
BACKCHANNELS = ("Okay.", "Right.", "Yeah.", "I see.", "Yes.")
"""Encouragement in words; "mm-hm" is a noise (`hum`), the embedded voice cannot say it."""


def _interrupts(random: Random) -> Aside | None:
    if random.random() < 0.35:
        return Aside(round(random.uniform(1.0, 4.0), 2), Say((random.choice(INTERRUPTIONS),)), takes_floor=True)
    return None


def _backchannels(random: Random) -> Aside | None:
    if random.random() < 0.7:
        after_s = round(random.uniform(1.0, 4.0), 2)
        hums = random.random() < 0.4
        step = MakeNoise("hum", random.randrange(10**6)) if hums else Say((random.choice(BACKCHANNELS),))
        return Aside(after_s, step, takes_floor=False)
    return None


def _coughs(random: Random) -> Aside | None:
    if random.random() < 0.7:
        kind = random.choice(("cough", "knock"))
        return Aside(round(random.uniform(1.0, 4.0), 2), MakeNoise(kind, random.randrange(10**6)), takes_floor=False)
    return None


def _mixed(situation: Situation) -> Turn:
    wanted: Verdict = situation.random.choice(("correct", "correct", "partial", "incorrect"))
    return _answer(situation, wanted)


BEHAVIOURS: dict[str, Behaviour] = {
    behaviour.name: behaviour
    for behaviour in (
        Behaviour("knowledgeable", "answers every question correctly", _knowledgeable),
        Behaviour("partial", "knows half of it", _partial),
        Behaviour("wrong", "answers every question wrongly", _wrong),
        Behaviour("mixed", "knows some questions and not others", _mixed),
        Behaviour("hesitant", "knows it, with pauses of 0.3 to 2 s inside the sentences", _hesitant),
        Behaviour("interrupting", "talks over the examiner to have things repeated", _mixed, _interrupts),
        Behaviour("silent", "says nothing, or that it does not know", _silent),
        Behaviour("rambling", "long answers with much around the point", _rambling),
        Behaviour("asking", "asks to repeat, for a moment, to skip", _asking),
        Behaviour("backchannel", 'says "mm-hm" while the examiner speaks', _mixed, _backchannels),
        Behaviour("coughing", "coughs and knocks while the examiner speaks", _mixed, _coughs),
    )
}


def behaviour(name: str) -> Behaviour:
    """The behaviour of this name.

    Raises:
        ValueError: No such behaviour; the message lists those there are.
    """
    if name not in BEHAVIOURS:
        raise ValueError(f"unknown behaviour {name!r}; known: {', '.join(BEHAVIOURS)}")
    return BEHAVIOURS[name]
