"""The exam itself: `step(bank, state, event)` says what an event changes and what is to be done about it.

Pure: no clock, no sound, no socket, no randomness but the setup's seed. The same events give the same effects, so a
session can be replayed, and a step on words that may not be the last ones can be thrown away.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.exam import asking, floor, lines, opening, talk
from workbench.exam.asking import say
from workbench.exam.items import Bank
from workbench.exam.model import (
    AreaChosen,
    Begin,
    Command,
    ConsentGiven,
    Event,
    ExamSetup,
    Finish,
    Heard,
    Judge,
    Judged,
    Line,
    Returned,
    SetPaused,
    Silence,
    Spoken,
    Tick,
)
from workbench.exam.replies import parse_yes_no
from workbench.exam.requests import Request, understand
from workbench.exam.state import Card, ExamState, Expects, Step

__all__ = ["Card", "ExamState", "Expects", "Step", "new_exam", "step"]


def new_exam(bank: Bank, setup: ExamSetup) -> ExamState:
    """The state before the first word.

    Raises:
        KeyError: The setup names an area the bank does not have; the message lists those there are.
        ValueError: The bank is of another discipline.
    """
    if setup.mode != "talk" and setup.discipline != bank.discipline:
        raise ValueError(f"the bank is of {bank.discipline!r}, the exam was set up for {setup.discipline!r}")
    if setup.area is not None and setup.mode != "talk":
        bank.area(setup.area)
    return ExamState(
        setup=setup,
        candidate=(setup.candidate or "").strip() or None,
        consented=True if setup.consented else None,
        area=setup.area,
    )


def step(bank: Bank, state: ExamState, event: Event) -> Step:
    """What one event changes and asks for. Never raises: an event that does not fit the phase changes nothing."""
    if isinstance(event, Returned | Begin) and state.phase != "new":
        return _returned(bank, state, event.now_s)
    state = replace(state, now_s=max(state.now_s, event.now_s))
    if state.phase == "new":
        if not isinstance(event, Begin | Returned):
            return Step(state)
        return talk.begin(state) if state.setup.mode == "talk" else opening.begin(bank, state)
    if isinstance(event, Judged):
        return asking.take_mark(bank, state, event.evaluation)
    if state.phase == "done":
        return Step(state)
    if state.setup.mode == "talk":
        return talk.step(state, event)
    match event:
        case Heard():
            return _heard(bank, floor.heard_something(state), event)
        case Command():
            return act(bank, floor.heard_something(state), Request(event.name))
        case AreaChosen(area=key):
            return opening.choose_area(bank, state, key)
        case ConsentGiven(given=given):
            return opening.take_consent(bank, state, given)
        case Tick(text=text):
            return floor.tick(bank, state, text)
        case Silence(silent_s=silent_s):
            return floor.silence(bank, state, silent_s)
        case Spoken(text=text, kind="probe") if state.phase == "probe" and text.strip():
            return Step(replace(state, probe_text=text.strip()))
    return Step(state)


def _heard(bank: Bank, state: ExamState, event: Heard) -> Step:
    """A turn of the candidate's."""
    text = event.text.strip()
    if state.phase == "paused":
        return _heard_in_pause(bank, state, text)
    if state.phase == "closing":
        return Step(state)
    if not text:
        if state.phase == "judging":
            return Step(state)
        return floor.ask_again(bank, state, lines.fixed(state, "not_caught", "reprompt"))
    request = understand(text, state.phase)
    if state.phase == "confirm_stop":
        answer = parse_yes_no(text)
        if request is not None and request.kind in ("stop", "confirm"):
            answer = True
        return _stop_confirmed(bank, state) if answer else _stop_withdrawn(bank, state)
    if request is not None:
        if request.before and state.is_question_open:
            state = replace(state, draft=" ".join(part for part in (state.draft, request.before) if part))
        return act(bank, state, request, event)
    if state.phase == "name":
        return opening.hear_name(bank, state, text)
    if state.phase == "consent":
        return opening.hear_consent(bank, state, text)
    if state.phase == "area":
        return opening.hear_area(bank, state, text)
    return asking.take_answer(bank, state, text, typed=event.typed, confidence=event.confidence)


def act(bank: Bank, state: ExamState, request: Request, heard: Heard | None = None) -> Step:
    """Does what was asked for, by voice or by a button; what makes no sense now changes nothing."""
    kind, phase = request.kind, state.phase
    if phase == "paused":
        return _resume(bank, state) if kind == "resume" else _stop_asked(state) if kind == "stop" else Step(state)
    if phase == "confirm_stop":
        if kind in ("confirm", "stop"):
            return _stop_confirmed(bank, state)
        return _stop_withdrawn(bank, state) if kind in ("cancel", "resume") else Step(state)
    if phase == "closing":
        return Step(state)
    if kind == "stop":
        return _stop_asked(state)
    if kind == "pause":
        state = replace(state, phase="paused", return_to=phase)
        return say(state, lines.fixed(state, "paused", "moment"), before=(SetPaused(True),))
    if phase == "judging":
        # the candidate asks while the mark of the last answer is awaited: the reply is on its way
        return Step(state)
    return floor.request(bank, state, request, heard)


def _heard_in_pause(bank: Bank, state: ExamState, text: str) -> Step:
    request = understand(text, "paused") if text else None
    if request is not None and request.kind in ("resume", "stop"):
        return act(bank, state, request)
    if not text or state.attempts:
        return Step(state)
    # once a pause: talk in the room must not be answered again and again
    return say(replace(state, attempts=1), lines.fixed(state, "still_paused", "reprompt"))


def _resume(bank: Bank, state: ExamState) -> Step:
    state = replace(state, phase=state.return_to or "question", return_to=None, attempts=0, judging_since_s=state.now_s)
    lead = lines.fixed(state, "resumed", "resume")
    back = _back_to_work(bank, state, lead)
    return Step(back.state, (SetPaused(False), *back.effects))


def _back_to_work(bank: Bank, state: ExamState, lead: Line) -> Step:
    """Goes on where it was, after a pause or a withdrawn wish to stop."""
    if state.phase == "paused":
        return say(state, lead, lines.fixed(state, "still_paused", "reprompt"))
    if state.phase != "judging":
        return floor.ask_again(bank, state, lead)
    record = state.current
    if record is not None and not record.pending and record.evaluation is not None:
        return asking.after_mark(bank, state)
    return say(state, lead)


def _stop_asked(state: ExamState) -> Step:
    paused = state.phase == "paused"
    state = replace(state, phase="confirm_stop", return_to=state.return_to if paused else state.phase, attempts=0)
    unpause = (SetPaused(False),) if paused else ()
    return say(state, lines.fixed(state, "confirm_stop", "confirm", essential=True), before=unpause)


def _stop_withdrawn(bank: Bank, state: ExamState) -> Step:
    state = replace(state, phase=state.return_to or "question", return_to=None, judging_since_s=state.now_s)
    return _back_to_work(bank, state, lines.fixed(state, "not_stopped", "resume"))


def _stop_confirmed(bank: Bank, state: ExamState) -> Step:
    """Ends early; an answer begun or given to the open question still counts."""
    if state.return_to in ("question", "probe") and state.draft:
        answered = asking.take_answer(bank, state, "")
        return asking.close(bank, answered.state, completed=False, effects=answered.effects)
    marked = asking.give_out(state, state.current)
    return asking.close(bank, marked.state, completed=False, effects=marked.effects)


def _returned(bank: Bank, state: ExamState, now_s: float) -> Step:
    """The candidate is back; the time away is nobody's, and marks that were out are asked for again."""
    if state.deadline_s is not None:
        state = replace(state, deadline_s=state.deadline_s + now_s - state.now_s)
    state = replace(
        state,
        now_s=now_s,
        judging_since_s=now_s,
        granted_until_s=0.0,
        quiet_since_s=None,
        silence_level=0,
    )
    judges = tuple(Judge(r.question_id, r.text, r.confidence) for r in state.pending)
    if state.phase == "done":
        return Step(state, (*judges, Finish(completed=bool(state.completed))))
    if state.setup.mode == "talk":
        return talk.returned(state)
    shown = (asking.show(bank, state),) if state.number and state.phase != "closing" else ()
    lead = lines.fixed(state, "returned", "resume")
    if state.phase == "closing":
        back = asking.close(bank, state, completed=bool(state.completed), spoken=(lead,))
    elif state.phase == "paused":
        back = say(state, lead, lines.fixed(state, "still_paused", "reprompt"), before=(SetPaused(True),))
    elif state.phase == "confirm_stop":
        back = _stop_withdrawn(bank, state)
    else:
        back = _back_to_work(bank, state, lead)
    return Step(back.state, (*judges, *shown, *back.effects))
