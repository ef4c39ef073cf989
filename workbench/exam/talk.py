"""Free conversation: every word of the reply comes from the model, nothing is asked or marked."""

from __future__ import annotations

import json
from dataclasses import replace

from workbench.exam import lines
from workbench.exam.asking import say
from workbench.exam.model import Command, Event, Finish, Heard, Line, SetPaused, Silence, Spoken, Wording
from workbench.exam.requests import understand
from workbench.exam.state import ExamState, Step

KEPT_TURNS = 12
"""Turns of the history at which the oldest are dropped."""

DROPPED_TURNS = 6
"""Turns dropped at once: the rest stays as it was for a while, so that the model's cache of it stays good."""

TURN_CHARS = 400
"""Longest turn that is remembered, characters."""

QUIET_S = 40.0
"""Silence after which the examiner says it is still there, once, seconds."""


def begin(state: ExamState) -> Step:
    """The greeting; worded by the model like everything else."""
    state = replace(state, phase="question", consented=True)
    return say(state, _line(state, "talk_hello"))


def returned(state: ExamState) -> Step:
    """The candidate is back."""
    return say(state, lines.fixed(state, "returned", "resume"))


def step(state: ExamState, event: Event) -> Step:
    """One event of a conversation."""
    match event:
        case Command(name="pause") if state.phase != "paused":
            state = replace(state, phase="paused")
            return say(state, lines.fixed(state, "paused", "moment"), before=(SetPaused(True),))
        case Command(name="resume") if state.phase == "paused":
            return _resume(state)
        case Heard(text=text) if state.phase == "paused":
            asked = understand(text, state.phase)
            return _resume(state) if asked is not None and asked.kind == "resume" else Step(state)
        case Command(name="stop" | "confirm"):
            state = replace(state, phase="done", completed=True)
            ended = say(state, Line("Goodbye.", "closing"))
            return Step(ended.state, (*ended.effects, Finish(completed=True)))
        case Spoken(text=text, kind="talk") if text.strip():
            return Step(_remember(state, "assistant", text))
        case Heard(text=text):
            if not text.strip():
                return say(state, lines.fixed(state, "not_caught", "reprompt"))
            state = replace(_remember(state, "user", text), silence_level=0)
            return say(state, _line(state, "talk"))
        case Silence(silent_s=silent_s) if silent_s >= QUIET_S and state.silence_level == 0 and state.phase != "paused":
            return say(replace(state, silence_level=1), lines.fixed(state, "talk_quiet", "reprompt"))
    return Step(state)


def _resume(state: ExamState) -> Step:
    state = replace(state, phase="question")
    return say(state, lines.fixed(state, "resumed", "resume"), before=(SetPaused(False),))


def _line(state: ExamState, key: str) -> Line:
    facts = {"history": json.dumps(state.history, ensure_ascii=False)}
    if state.candidate:
        facts["candidate"] = state.candidate
    fallback = lines.fixed(state, key, "talk").text
    return Line(fallback, "talk", Wording("talk", facts, max_words=60, may_ask=True))


def _remember(state: ExamState, role: str, text: str) -> ExamState:
    """Adds a turn; two of the same role in a row are one turn."""
    text = " ".join(text.split())[:TURN_CHARS]
    history = list(state.history)
    if history and history[-1][0] == role:
        history[-1] = (role, f"{history[-1][1]} {text}"[-2 * TURN_CHARS :])
    else:
        history.append((role, text))
    if len(history) > KEPT_TURNS:
        history = history[DROPPED_TURNS:]
    return replace(state, history=tuple(history))
