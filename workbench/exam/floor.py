"""While the candidate has the floor: requests, silence, the clock of the question."""

from __future__ import annotations

from dataclasses import replace

from workbench.exam import asking, lines, opening
from workbench.exam.asking import say, where
from workbench.exam.items import Bank
from workbench.exam.model import GrantTime, Heard, Line, SetPaused
from workbench.exam.phrases import duration, number_word
from workbench.exam.requests import Request
from workbench.exam.state import ExamState, Step

REPROMPT_S = (10.0, 25.0, 60.0)
"""Silence after which the examiner reprompts gently, offers help, and moves on, seconds before accommodations."""

MOMENT_S = 30.0
"""Time granted to "let me think", seconds before accommodations."""

ABSENT_AFTER = 2
"""Questions in a row that pass in silence before the examiner pauses instead of going on."""


def heard_something(state: ExamState) -> ExamState:
    """The candidate said or pressed something: the floor was theirs, and the silence is over."""
    return replace(_open_floor(state, 0.0), quiet_since_s=None, silence_level=0, granted_until_s=0.0)


def _open_floor(state: ExamState, silent_s: float) -> ExamState:
    """Starts the clock of a question when the candidate first has the floor."""
    if state.floor_open or not state.is_question_open:
        return state
    opened_s = max(0.0, state.now_s - silent_s)
    return replace(state, floor_open=True, deadline_s=opened_s + asking.limit_s(state))


def ask_again(bank: Bank, state: ExamState, *spoken: Line) -> Step:
    """Asks what is being asked once more, in the same words."""
    if state.phase in ("name", "consent", "area"):
        return opening.ask_again(bank, state, *spoken)
    if state.phase == "confirm_stop":
        return say(state, *spoken, lines.fixed(state, "confirm_stop", "confirm", essential=True))
    _, _, question = where(bank, state)
    text = state.probe_text if state.phase == "probe" else question.stem
    return say(state, *spoken, Line(text, "repeat", essential=True))


def request(bank: Bank, state: ExamState, asked: Request, heard: Heard | None) -> Step:
    """A spoken request or a button, while something is being asked."""
    kind = asked.kind
    extra = max(1.0, state.setup.extra_time)
    if kind == "moment":
        seconds = MOMENT_S * extra
        state = replace(state, granted_until_s=state.now_s + seconds)
        return say(state, lines.fixed(state, "moment", "moment"), before=(GrantTime(seconds),))
    if not state.is_question_open:
        return _request_in_opening(bank, state, kind, heard)
    _, scenario, question = where(bank, state)
    if kind == "repeat":
        return ask_again(bank, state, lines.fixed(state, "repeat", "acknowledge"))
    if kind == "repeat_case":
        return ask_again(bank, state, Line(scenario.text, "scenario", essential=True))
    if kind == "rephrase":
        if state.phase == "probe":
            return ask_again(bank, state, lines.fixed(state, "repeat", "acknowledge"))
        lead = lines.fixed(state, "to_rephrase", "acknowledge")
        return say(state, lead, lines.rephrase_line(state, question, scenario))
    if kind in ("dont_know", "skip"):
        return asking.leave_open(bank, state, kind, heard.text if heard else "", typed=bool(heard and heard.typed))
    if kind == "back":
        return ask_again(bank, state, lines.fixed(state, "back", "refuse"))
    if kind in ("resume", "confirm", "cancel"):
        # nothing to resume: a button changes nothing, a spoken "I am ready" gets the question
        return Step(state) if heard is None else ask_again(bank, state)
    if kind == "nothing":
        return say(state, lines.fixed(state, "gentle", "reprompt"))
    if kind == "time_left":
        left = max(0.0, (state.deadline_s or state.now_s) - state.now_s)
        return say(state, Line(f"You have about {duration(left)} for this question.", "off_script"))
    if kind == "progress":
        place = f"This is question {number_word(state.number)} of {number_word(state.total)}."
        return say(state, Line(place, "off_script"))
    if kind == "hear":
        return say(state, lines.fixed(state, "hear", "off_script"))
    remark = heard.text if heard else ""
    if kind == "case_facts":
        # it may have been an answer after all ("what is his potassium?"): keep it for the mark
        state = replace(state, draft=" ".join(part for part in (state.draft, remark) if part))
    key = kind if kind in ("ask_answer", "ask_mark", "identity", "case_facts", "greeting") else "off_script"
    return say(state, lines.off_script_line(state, key, remark, question, scenario))


def _request_in_opening(bank: Bank, state: ExamState, kind: str, heard: Heard | None) -> Step:
    """A request while name, consent or area are asked for: what was said may still be the reply."""
    if kind in ("repeat", "repeat_case", "rephrase", "back"):
        return ask_again(bank, state)
    if heard is not None:
        if state.phase == "name":
            return opening.hear_name(bank, state, heard.text)
        if state.phase == "consent":
            return opening.hear_consent(bank, state, heard.text)
        return opening.hear_area(bank, state, heard.text)
    if kind in ("confirm", "cancel") and state.phase == "consent":
        return opening.take_consent(bank, state, kind == "confirm")
    return Step(state)


# ---- time --------------------------------------------------------------------------------------------------------


def tick(bank: Bank, state: ExamState, text: str) -> Step:
    """Time passed: a warning, the end of a question, or the end of a wait for marks."""
    if state.phase == "judging":
        waited = state.now_s - state.judging_since_s
        record = state.current
        if waited >= asking.JUDGE_PATIENCE_S[state.setup.mode] and record is not None and record.pending:
            return asking.go_on_unmarked(bank, state)
        return Step(state)
    if state.phase == "closing":
        if state.now_s - state.judging_since_s >= asking.CLOSING_PATIENCE_S:
            return asking.finish(bank, state)
        return Step(state)
    if not state.is_question_open:
        return Step(state)
    state = _open_floor(state, 0.0)
    assert state.deadline_s is not None
    left = state.deadline_s - state.now_s
    if left <= 0:
        return asking.time_up(bank, state, text)
    # a short limit is warned of at its half at the earliest
    warning_s = min(state.setup.warning_before_s * max(1.0, state.setup.extra_time), asking.limit_s(state) / 2)
    if not state.warned and warning_s > 0 and left <= warning_s:
        return say(replace(state, warned=True), Line(f"You have about {duration(left)} left.", "warning"))
    return Step(state)


def silence(bank: Bank, state: ExamState, silent_s: float) -> Step:
    """Nothing was said for a while: reprompt, offer help, move on.

    The silence is counted from when the candidate first fell silent, the reprompts in between included, whichever way
    the caller counts; time the candidate asked for is left out.
    """
    if state.phase not in ("name", "consent", "area", "question", "probe", "confirm_stop"):
        return tick(bank, state, "")
    state = _open_floor(state, silent_s)
    if state.now_s < state.granted_until_s:
        return tick(bank, state, "")
    since = state.quiet_since_s if state.quiet_since_s is not None else state.now_s - silent_s
    since = max(since, state.granted_until_s)
    state = replace(state, quiet_since_s=since)
    level = state.silence_level
    if level >= len(REPROMPT_S) or state.now_s - since < REPROMPT_S[level] * max(1.0, state.setup.extra_time):
        return tick(bank, state, "")
    state = replace(state, silence_level=level + 1)
    if state.phase == "confirm_stop":
        return ask_again(bank, state) if level == 0 else Step(state)
    if level + 1 == len(REPROMPT_S):
        return _unanswered(bank, state)
    if not state.is_question_open:
        return ask_again(bank, state)
    key = "gentle" if level == 0 else "offer"
    return say(state, lines.fixed(state, key, "reprompt"))


def _unanswered(bank: Bank, state: ExamState) -> Step:
    """A long silence: the next question, or a pause when nobody seems to be there."""
    if not state.is_question_open or (state.unanswered_in_row >= ABSENT_AFTER and not state.draft):
        state = replace(state, phase="paused", return_to=state.phase, unanswered_in_row=0, silence_level=0)
        return say(state, lines.fixed(state, "absent", "reprompt"), before=(SetPaused(True),))
    missed = state.unanswered_in_row + 1
    step = asking.leave_open(bank, state, "no_answer")
    return Step(replace(step.state, unanswered_in_row=missed), step.effects)
