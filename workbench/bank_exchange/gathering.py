"""Builds a draft question by question and lists questions with holes, for formats that know no key points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from workbench.bank_exchange.draft import Draft, Place, Step, Unmapped, questions_of
from workbench.bank_exchange.marking_notes import slug, unused
from workbench.exam.bank_file import Finding, QuestionModel, explain_problem

MAX_REASONS = 4
MIN_POINTS = 3


class Gathering:
    """Areas, scenarios and questions in the order they are met."""

    def __init__(self, name: str) -> None:
        self.draft = Draft({"areas": []}, {(): Place(name, 1)})
        self._areas: dict[str, tuple[Step, ...]] = {}
        self._scenarios: dict[tuple[tuple[Step, ...], str], tuple[Step, ...]] = {}

    def area(self, key: str, title: str, place: Place, jurisdiction: str = "") -> tuple[Step, ...]:
        """Path of the area of this key, made when it is new."""
        if key not in self._areas:
            areas = self.draft.data["areas"]
            self._areas[key] = ("areas", len(areas))
            extra = {"jurisdiction": jurisdiction} if jurisdiction else {}
            areas.append({"key": key, "title": title, **extra, "scenarios": []})
            self.draft.places[self._areas[key]] = place
        return self._areas[key]

    def scenario(self, area: tuple[Step, ...], id_: str, title: str, text: str, place: Place) -> tuple[Step, ...]:
        """Path of the scenario of this id in an area, made when it is new."""
        if (area, id_) not in self._scenarios:
            scenarios = self.draft.data["areas"][area[1]]["scenarios"]
            path: tuple[Step, ...] = (*area, "scenarios", len(scenarios))
            scenario = {"id": id_, "title": title, "text": text, "questions": []}
            scenarios.append({key: value for key, value in scenario.items() if value != ""})
            self.draft.places[path] = place
            self._scenarios[area, id_] = path
        return self._scenarios[area, id_]

    def question(self, scenario: tuple[Step, ...], fields: dict[str, Any], place: Place) -> None:
        """Adds a question with what is known of it."""
        questions = self.draft.data["areas"][scenario[1]]["scenarios"][scenario[3]]["questions"]
        self.draft.places[*scenario, "questions", len(questions)] = place
        questions.append(fields)

    def new_id(self, name: str) -> str:
        """An id for a question or scenario that has none of its own."""
        taken = {question["id"] for _, question in questions_of(self.draft.data)}
        taken |= {id_ for _, id_ in self._scenarios}
        return unused(slug(name), taken)

    def leave_out(self, place: Place, name: str, reason: str) -> None:
        """Notes something that cannot be mapped."""
        self.draft.unmapped.append(Unmapped(place.file, place.line, name, reason))


def whole_questions(draft: Draft) -> Draft:
    """The draft without questions that have holes; each of them is listed with its reasons.

    A scenario or an area that keeps no question goes too. The draft that is given keeps everything.
    """
    kept = Draft({**draft.data, "areas": []}, {(): draft.place()}, list(draft.findings), list(draft.unmapped))
    for a, area in enumerate(draft.data["areas"]):
        new_area = {**area, "scenarios": []}
        area_path: tuple[Step, ...] = ("areas", len(kept.data["areas"]))
        for s, scenario in enumerate(area["scenarios"]):
            new_scenario = {**scenario, "questions": []}
            path: tuple[Step, ...] = (*area_path, "scenarios", len(new_area["scenarios"]))
            for q, question in enumerate(scenario["questions"]):
                old: tuple[Step, ...] = ("areas", a, "scenarios", s, "questions", q)
                reasons = _holes(scenario, question)
                if reasons:
                    place = draft.place(*old)
                    kept.unmapped.append(Unmapped(place.file, place.line, f"question {question['id']}", reasons))
                    continue
                kept.places[*path, "questions", len(new_scenario["questions"])] = draft.place(*old)
                new_scenario["questions"].append(question)
            if new_scenario["questions"]:
                new_area["scenarios"].append(new_scenario)
                kept.places[path] = draft.place("areas", a, "scenarios", s)
        if new_area["scenarios"]:
            kept.data["areas"].append(new_area)
            kept.places[area_path] = draft.place("areas", a)
    if not kept.data["areas"] and not kept.findings:
        place = draft.place()
        message = "no question has all that a bank needs; fill the gaps in a table (--draft FILE.xlsx) and import that"
        kept.findings.append(Finding(place.file, place.line, "", "incomplete", message))
    return kept


def _holes(scenario: dict[str, Any], question: dict[str, Any]) -> str:
    reasons = [] if scenario.get("text") else ["it belongs to no case (a description or stimulus before it)"]
    n_points = len(question.get("key_points", ()))
    if n_points < MIN_POINTS:
        reasons.append(f"it has {n_points or 'no'} key point{'s' * (n_points != 1)}; three to six are needed")
    try:
        QuestionModel.model_validate(question)
    except ValidationError as error:
        reasons += [explain_problem(question, problem)[1] for problem in error.errors()]
    return _shortened(reasons)


def _shortened(reasons: Sequence[str]) -> str:
    more = len(reasons) - MAX_REASONS
    return "; ".join(reasons[:MAX_REASONS]) + (f"; and {more} more" if more > 0 else "")
