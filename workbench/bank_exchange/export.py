"""Writes a bank in another format, and says what that format cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.bank_exchange.csv_format import write_csv
from workbench.bank_exchange.moodle import write_moodle
from workbench.bank_exchange.qti_writing import write_qti
from workbench.bank_exchange.source import Format
from workbench.bank_exchange.xlsx_format import write_xlsx
from workbench.bank_exchange.yaml_format import write_yaml
from workbench.exam.items import Area, Bank, Exemplar, KeyPoint, Question, Scenario

SUFFIXES: dict[Format, str] = {"yaml": ".yaml", "csv": ".csv", "xlsx": ".xlsx", "moodle": ".xml", "qti": ".zip"}

_WRITERS: dict[Format, Callable[[Mapping[str, Any]], bytes]] = {
    "yaml": lambda data: write_yaml(dict(data)),
    "csv": write_csv,
    "xlsx": write_xlsx,
    "moodle": write_moodle,
    "qti": write_qti,
}


@dataclass(frozen=True)
class Export:
    """A written bank; `losses` says in words what the format could not hold, empty where reading gives the same."""

    data: bytes
    losses: tuple[str, ...]


def export_bank(bank: Bank, format: Format, area: str | None = None) -> Export:
    """Writes a bank, or one of its areas.

    Args:
        bank: What to write.
        format: One of `FORMATS`.
        area: Key of the only area to write; without it, all.

    Raises:
        KeyError: No such area; the message lists those there are.
    """
    if area is not None:
        bank = replace(bank, areas=(bank.area(area),))
    return Export(_WRITERS[format](bank_data(bank)), _losses(bank, format))


def _losses(bank: Bank, format: Format) -> tuple[str, ...]:
    if format not in ("moodle", "qti"):
        return ()
    name = "Moodle XML" if format == "moodle" else "QTI"
    losses = []
    n_exemplars = sum(len(question.exemplars) for _, _, question in bank.questions())
    if n_exemplars:
        losses.append(f"{n_exemplars} exemplars: {name} has no place for answers with marks")
    if format == "qti":
        card = [name for name in ("version", "licence", "authors", "description", "not_for") if getattr(bank, name)]
        losses.append(f"{', '.join(card)}: the package carries no card of the bank; give them again on import")
        laws = [area.key for area in bank.areas if area.jurisdiction]
        if laws:
            losses.append(f"the jurisdiction of {', '.join(laws)}")
    return tuple(losses)


def bank_data(bank: Bank) -> dict[str, Any]:
    """A bank in the shape of its file; fields that hold their default are left out."""
    return {
        "discipline": bank.discipline,
        "title": bank.title,
        "version": bank.version,
        "licence": bank.licence,
        **_filled(authors=list(bank.authors), description=bank.description, not_for=bank.not_for),
        "areas": [_area(area) for area in bank.areas],
    }


def _filled(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None, [], False)}


def _area(area: Area) -> dict[str, Any]:
    return {
        "key": area.key,
        "title": area.title,
        **_filled(jurisdiction=area.jurisdiction),
        "scenarios": [_scenario(scenario) for scenario in area.scenarios],
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    questions = [_question(question) for question in scenario.questions]
    return {"id": scenario.id, "title": scenario.title, "text": scenario.text, "questions": questions}


def _question(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "stem": question.stem,
        "difficulty": question.difficulty,
        "cognitive_level": question.cognitive_level,
        "sources": list(question.sources),
        **_filled(key_terms=list(question.key_terms)),
        "key_points": [_key_point(point) for point in question.key_points],
        "model_answer": question.model_answer,
        **_filled(exemplars=[_exemplar(exemplar) for exemplar in question.exemplars]),
    }


def _key_point(point: KeyPoint) -> dict[str, Any]:
    return {
        "id": point.id,
        "text": point.text,
        **_filled(said=point.said),
        "weight": point.weight,
        **_filled(essential=point.essential),
        "accepted": list(point.accepted),
        **_filled(misconceptions=list(point.misconceptions)),
        "probe": point.probe,
    }


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    fields = {"text": exemplar.text, "verdict": exemplar.verdict, "points": exemplar.points}
    return {**fields, **_filled(note=exemplar.note)}
