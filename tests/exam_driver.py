"""Drives an exam in tests: plays the server, answers every `Judge` with the verdict the test asks for."""

from __future__ import annotations

from typing import Any

from tests.small_bank import BANK, evaluation
from workbench.exam.bank import Bank
from workbench.exam.flow import new_exam, step
from workbench.exam.model import (
    Begin,
    Command,
    CommandName,
    Event,
    ExamSetup,
    Heard,
    Judge,
    Judged,
    Line,
    Mode,
    Say,
    Silence,
    Tick,
    Verdict,
)


class Exam:
    """An exam that has begun, with everything it said and asked for so far."""

    def __init__(self, mode: Mode = "practice", *, bank: Bank = BANK, known: bool = True, **setup: Any) -> None:
        if known:
            setup = {"area": "cardiology", "candidate": "Ada", "consented": True, **setup}
        self.bank = bank
        self.state: Any = new_exam(bank, ExamSetup(mode=mode, **setup))
        self.now_s = 0.0
        self.effects: list[Any] = []
        self.waiting: list[Judge] = []
        self.happen(Begin(0.0))

    def happen(self, event: Event) -> list[Any]:
        """One event; returns its effects."""
        result = step(self.bank, self.state, event)
        self.state = result.state
        self.last = list(result.effects)
        self.effects += self.last
        self.waiting += [effect for effect in self.last if isinstance(effect, Judge)]
        return self.last

    def hear(self, text: str, verdict: Verdict | None = None, *, after_s: float = 5.0) -> list[Any]:
        """A turn; with a verdict, its judgement comes back at once and the effects of both are returned."""
        self.now_s += after_s
        effects = self.happen(Heard(text, self.now_s))
        if verdict is not None:
            effects = effects + self.mark(verdict)
            self.last = effects
        return effects

    def mark(self, verdict: Verdict) -> list[Any]:
        """The oldest judgement that is out comes back."""
        return self.happen(Judged(evaluation(self.waiting.pop(0).question_id, verdict), self.now_s))

    def press(self, name: CommandName) -> list[Any]:
        self.now_s += 1.0
        return self.happen(Command(name, self.now_s))

    def tick(self, after_s: float, text: str = "") -> list[Any]:
        self.now_s += after_s
        return self.happen(Tick(self.now_s, text))

    def silent(self, silent_s: float, after_s: float | None = None) -> list[Any]:
        self.now_s += silent_s if after_s is None else after_s
        return self.happen(Silence(silent_s, self.now_s))

    def lines(self) -> list[Line]:
        """What the latest event made the examiner say."""
        return [line for effect in self.last if isinstance(effect, Say) for line in effect.lines]

    def kinds(self) -> list[str]:
        return [line.kind for line in self.lines()]

    def text(self) -> str:
        return " ".join(line.text for line in self.lines())

    def of(self, kind: type) -> list:
        """The latest event's effects of one kind."""
        return [effect for effect in self.last if isinstance(effect, kind)]
