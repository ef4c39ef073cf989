"""Reads banks from YAML and tells everything wrong at once: file, line, question, field, what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from workbench.exam.items import Area, Bank, CognitiveLevel, Exemplar, KeyPoint, Question, Scenario
from workbench.exam.model import MAX_POINTS, Verdict

Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
WEIGHT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Finding:
    """Something to mend in a bank. `question` is empty where none is meant."""

    file: str
    line: int
    question: str
    code: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.question + ': ' if self.question else ''}{self.message} [{self.code}]"


class BankError(ValueError):
    """A bank could not be read; `findings` holds every reason."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


ModelT = TypeVar("ModelT", bound=_Model)


class KeyPointModel(_Model):
    """A key point as a file has it."""

    id: Key
    text: Text
    weight: float = Field(gt=0, le=1)
    accepted: list[Text] = Field(min_length=1)
    misconceptions: list[Text] = []
    probe: Text
    essential: bool = False
    said: str = ""


class ExemplarModel(_Model):
    """An exemplar answer as a file has it."""

    text: Text
    verdict: Verdict
    points: float = Field(ge=0, le=MAX_POINTS, multiple_of=0.5)
    note: str = ""


class QuestionModel(_Model):
    """A question as a file has it."""

    id: Key
    stem: Text
    key_points: list[KeyPointModel] = Field(min_length=3, max_length=6)
    model_answer: Text
    difficulty: int = Field(ge=1, le=5)
    cognitive_level: CognitiveLevel
    sources: list[Text] = Field(min_length=1)
    key_terms: list[Text] = []
    exemplars: list[ExemplarModel] = []

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> QuestionModel:
        total = sum(point.weight for point in self.key_points)
        if abs(total - 1) > WEIGHT_TOLERANCE:
            raise ValueError(f"the weights of the key points sum to {total:.3g}; they must sum to 1")
        ids = [point.id for point in self.key_points]
        if len(set(ids)) < len(ids):
            raise ValueError(f"key point ids must differ within a question; given {ids}")
        return self


class ScenarioModel(_Model):
    """A scenario as a file has it."""

    id: Key
    title: Text
    text: Text
    questions: list[QuestionModel] = Field(min_length=3)


class AreaModel(_Model):
    """An area as a file has it."""

    key: Key
    title: Text
    jurisdiction: Text | None = None
    scenarios: list[ScenarioModel] = Field(min_length=4)


class BankModel(_Model):
    """A bank's card, with its areas unless they have files of their own."""

    discipline: Key
    title: Text
    version: Text
    licence: Text
    authors: list[Text] = []
    description: str = ""
    not_for: str = ""
    areas: list[AreaModel] = []


def read_bank(path: Path) -> Bank:
    """Reads a bank: a YAML file with the whole of it, or a directory with `bank.yaml` and a file an area.

    Raises:
        BankError: The files do not hold a bank; every problem of every file is named.
    """
    card_path = path / "bank.yaml" if path.is_dir() else path
    findings: list[Finding] = []
    areas: list[Area] = []
    bank: Bank | None = None
    try:
        card, nodes = _read(card_path, BankModel)
        bank = build_bank(card, nodes, card_path)
        areas.extend(bank.areas)
    except BankError as error:
        findings.extend(error.findings)
    for area_path in sorted(path.glob("*.yaml")) if path.is_dir() else ():
        if area_path == card_path:
            continue
        try:
            areas.append(read_area(area_path))
        except BankError as error:
            findings.extend(error.findings)
    if bank is not None and not areas and not findings:
        findings.append(Finding(str(card_path), 1, "", "schema", "areas: a bank holds at least one area"))
    findings.extend(duplicate_ids(areas))
    if findings or bank is None:
        raise BankError(findings)
    return Bank(**{**bank.__dict__, "areas": tuple(areas)})


def read_area(path: Path) -> Area:
    """Reads a file that holds one area.

    Raises:
        BankError: The file does not hold an area; every problem is named.
    """
    model, nodes = _read(path, AreaModel)
    return _area(model, nodes, path)


def duplicate_ids(areas: Sequence[Area]) -> list[Finding]:
    """Areas, scenarios and questions that share an id with an earlier one."""
    findings: list[Finding] = []
    seen: dict[tuple[str, str], str] = {}

    def meet(kind: str, key: str, area: Area, line: int) -> None:
        if (kind, key) in seen:
            message = f"{kind} id {key!r} is taken already at {seen[kind, key]}; ids must be unique in a bank"
            findings.append(Finding(area.file, line, key if kind == "question" else "", "duplicate-id", message))
        else:
            seen[kind, key] = f"{area.file}:{line}"

    for area in areas:
        meet("area", area.key, area, area.line)
        for scenario in area.scenarios:
            meet("scenario", scenario.id, area, scenario.line)
            for question in scenario.questions:
                meet("question", question.id, area, question.line)
    return findings


class Places(Protocol):
    """Where the parts of a document stand, by their path of keys and indices."""

    def at(self, *path: str | int) -> int:
        """1-based line of the deepest part of `path` that exists."""
        ...


# ---- YAML with line numbers ----


class _Lines:
    """The line every part of a parsed YAML document stands on, by its path of keys and indices."""

    def __init__(self, node: yaml.Node) -> None:
        self._node = node

    def at(self, *path: str | int) -> int:
        """1-based line of the deepest part of `path` that exists."""
        node = self._node
        line = node.start_mark.line
        for step in path:
            found: yaml.Node | None = None
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                found = node.value[step]
                line = found.start_mark.line
            elif isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == step:
                        found, line = value, key.start_mark.line
            if found is None:
                break
            node = found
        return line + 1


def _read(path: Path, model: type[ModelT]) -> tuple[ModelT, _Lines]:
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BankError([Finding(name, 1, "", "unreadable", f"cannot be read: {error}")]) from error
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise BankError([Finding(name, 1, "", "yaml", "the file is empty")])
        repeated = repeated_keys(node)
        if repeated:
            raise BankError([Finding(name, line, "", "yaml", f"key {key!r} is given twice") for key, line in repeated])
        data = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise BankError(
            [Finding(name, mark.line + 1 if mark else 1, "", "yaml", f"not valid YAML: {problem}")]
        ) from error
    finally:
        loader.dispose()
    lines = _Lines(node)
    try:
        return model.model_validate(data), lines
    except ValidationError as error:
        raise BankError([_schema_finding(name, lines, data, problem) for problem in error.errors()]) from error


def repeated_keys(node: yaml.Node) -> list[tuple[str, int]]:
    """Keys given twice in one mapping, which YAML readers drop silently."""
    found: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                found.append((str(key.value), key.start_mark.line + 1))
            seen.add(key.value)
            found.extend(repeated_keys(value))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            found.extend(repeated_keys(value))
    return found


def _schema_finding(name: str, lines: Places, data: Any, problem: Any) -> Finding:
    question, message = explain_problem(data, problem)
    return Finding(name, lines.at(*problem["loc"]), question, "schema", message)


def explain_problem(data: Any, problem: Any) -> tuple[str, str]:
    """One pydantic error in the words of someone who edits the file: the question it is about, and what is wrong."""
    location = tuple(problem["loc"])
    question, part = "", data
    for step in location:
        try:
            part = part[step]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(part, dict) and "stem" in part:
            question = str(part.get("id", "?"))
    field_path = ".".join(str(step) for step in location) or "file"
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) else f"; given {given!r}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message, shown = "unknown field; remove it or check its spelling", ""
    elif problem["type"] == "string_type":
        message = "must be text; put it in quotes"
    elif problem["type"] == "missing":
        message, shown = "is missing", ""
    return question, f"{field_path}: {message}{shown}"


# ---- models to values ----


def build_bank(model: BankModel, lines: Places, path: Path | str) -> Bank:
    """The values of a validated bank; each keeps the line it came from."""
    areas = tuple(_area(area, lines, path, "areas", i) for i, area in enumerate(model.areas))
    return Bank(
        discipline=model.discipline,
        title=model.title,
        version=model.version,
        licence=model.licence,
        areas=areas,
        authors=tuple(model.authors),
        description=model.description.strip(),
        not_for=model.not_for.strip(),
        file=str(path),
    )


def _area(model: AreaModel, lines: Places, path: Path | str, *at: str | int) -> Area:
    scenarios = tuple(
        Scenario(
            scenario.id,
            scenario.title,
            scenario.text,
            tuple(
                _question(question, lines, *at, "scenarios", i, "questions", j)
                for j, question in enumerate(scenario.questions)
            ),
            line=lines.at(*at, "scenarios", i),
        )
        for i, scenario in enumerate(model.scenarios)
    )
    return Area(model.key, model.title, scenarios, model.jurisdiction, file=str(path), line=lines.at(*at))


def _question(model: QuestionModel, lines: Places, *at: str | int) -> Question:
    points = tuple(
        KeyPoint(
            id=point.id,
            text=point.text,
            weight=point.weight,
            accepted=tuple(point.accepted),
            misconceptions=tuple(point.misconceptions),
            probe=point.probe,
            essential=point.essential,
            said=point.said.strip(),
            line=lines.at(*at, "key_points", i),
        )
        for i, point in enumerate(model.key_points)
    )
    exemplars = tuple(
        Exemplar(item.text, item.verdict, item.points, item.note, line=lines.at(*at, "exemplars", i))
        for i, item in enumerate(model.exemplars)
    )
    return Question(
        id=model.id,
        stem=model.stem,
        key_points=points,
        model_answer=model.model_answer,
        difficulty=model.difficulty,
        cognitive_level=model.cognitive_level,
        sources=tuple(model.sources),
        key_terms=tuple(model.key_terms),
        exemplars=exemplars,
        line=lines.at(*at),
    )
