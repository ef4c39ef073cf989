"""The opening of an exam: welcome, name, consent, area; steps already known from the setup are left out."""

from __future__ import annotations

import random
from dataclasses import replace

from workbench.exam import lines
from workbench.exam.asking import ask_next, say
from workbench.exam.items import Area, Bank
from workbench.exam.model import (
    N_QUESTIONS_PER_SCENARIO,
    N_SCENARIOS,
    Effect,
    Finish,
    Line,
    OfferAreas,
    SetArea,
    SetCandidate,
    SetConsent,
)
from workbench.exam.replies import match_area, parse_name, parse_yes_no
from workbench.exam.state import ExamState, Step

NAME_ATTEMPTS = 3
"""Turns in which no name is found before the exam goes on without one."""

AREA_ATTEMPTS = 3
"""Turns in which no area is found before the examiner chooses."""

UNNAMED = "Candidate"


def draw_plan(area: Area, seed: int) -> tuple[tuple[str, str], ...]:
    """Four scenarios in a random order and three questions of each in the bank's order, as (scenario id, question id).

    The questions of one scenario keep their order because later ones may build on earlier ones.
    """
    rng = random.Random(f"{seed}:{area.key}")
    plan = []
    for scenario in rng.sample(area.scenarios, min(N_SCENARIOS, len(area.scenarios))):
        count = min(N_QUESTIONS_PER_SCENARIO, len(scenario.questions))
        chosen = sorted(rng.sample(range(len(scenario.questions)), count))
        plan += [(scenario.id, scenario.questions[i].id) for i in chosen]
    return tuple(plan)


def begin(bank: Bank, state: ExamState) -> Step:
    """The welcome and whatever is asked first."""
    known: list[Effect] = []
    if state.candidate is not None:
        known.append(SetCandidate(state.candidate))
    return _go_on(bank, state, (lines.welcome(bank, state),), tuple(known))


def _go_on(bank: Bank, state: ExamState, spoken: tuple[Line, ...], effects: tuple[Effect, ...] = ()) -> Step:
    """Asks for the next thing that is not known yet, or the first question."""
    state = replace(state, attempts=0)
    if state.candidate is None:
        ask = lines.fixed(state, "ask_name", "ask_name", essential=True)
        return say(replace(state, phase="name"), *spoken, ask, before=effects)
    if not state.consented:
        return say(replace(state, phase="consent"), *spoken, *lines.consent_request(state), before=effects)
    if state.area is None and len(bank.areas) > 1:
        offer = OfferAreas(tuple((area.key, area.title) for area in bank.areas))
        return say(replace(state, phase="area"), *spoken, lines.area_request(bank), before=(*effects, offer))
    return start(bank, state, state.area or bank.areas[0].key, spoken, effects)


def start(
    bank: Bank, state: ExamState, key: str, spoken: tuple[Line, ...] = (), effects: tuple[Effect, ...] = ()
) -> Step:
    """Fixes the area and its questions and asks the first."""
    area = bank.area(key)
    state = replace(state, area=key, plan=draw_plan(area, state.setup.seed), attempts=0)
    announce = Line(f"The area is {area.title.lower()}.", "ask_area")
    return ask_next(bank, state, (*spoken, announce), (*effects, SetArea(key)))


def hear_name(bank: Bank, state: ExamState, text: str) -> Step:
    """A turn while the name is asked for."""
    name = parse_name(text)
    if name is None:
        if state.attempts + 1 < NAME_ATTEMPTS:
            state = replace(state, attempts=state.attempts + 1)
            return say(state, lines.fixed(state, "ask_name_again", "ask_name", essential=True))
        name = UNNAMED
        spoken = Line("Let us go on without it.", "reprompt")
    else:
        spoken = Line(f"Thank you, {name}.", "acknowledge")
    return _go_on(bank, replace(state, candidate=name), (spoken,), (SetCandidate(name),))


def hear_consent(bank: Bank, state: ExamState, text: str) -> Step:
    """A turn while consent is asked for."""
    given = parse_yes_no(text)
    if given is None:
        state = replace(state, attempts=state.attempts + 1)
        return say(state, lines.fixed(state, "ask_consent_again", "consent", essential=True))
    return take_consent(bank, state, given)


def take_consent(bank: Bank, state: ExamState, given: bool) -> Step:
    """Consent was given or refused, by voice or by click."""
    state = replace(state, consented=given)
    if given:
        if state.phase != "consent":
            return Step(state, (SetConsent(True),))
        return _go_on(bank, state, (lines.fixed(state, "thanks", "acknowledge"),), (SetConsent(True),))
    state = replace(state, phase="done", completed=False, return_to=None)
    step = say(state, lines.fixed(state, "no_consent", "closing"), before=(SetConsent(False),))
    return Step(step.state, (*step.effects, Finish(completed=False)))


def hear_area(bank: Bank, state: ExamState, text: str) -> Step:
    """A turn while the area is asked for."""
    key = match_area(text, [(area.key, area.title) for area in bank.areas])
    if key is None and state.attempts + 1 < AREA_ATTEMPTS:
        state = replace(state, attempts=state.attempts + 1)
        return say(state, lines.fixed(state, "area_again", "reprompt"), lines.area_request(bank))
    if key is None or key == "any":
        key = random.Random(f"{state.setup.seed}:area").choice(bank.areas).key
    return start(bank, state, key)


def choose_area(bank: Bank, state: ExamState, key: str) -> Step:
    """An area was clicked; before its turn it is kept, afterwards it is too late."""
    if all(area.key != key for area in bank.areas) or state.plan:
        return Step(state)
    if state.phase == "area":
        return start(bank, state, key)
    return Step(replace(state, area=key))


def ask_again(bank: Bank, state: ExamState, *spoken: Line) -> Step:
    """Says the current request of the opening once more."""
    if state.phase == "name":
        return say(state, *spoken, lines.fixed(state, "ask_name", "ask_name", essential=True))
    if state.phase == "consent":
        return say(state, *spoken, *lines.consent_request(state))
    return say(state, *spoken, lines.area_request(bank))
