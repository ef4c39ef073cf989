"""What an adapter must show before it marks anybody: a file of bounds, and whether figures keep them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetune.compare import compare, rows_of
from finetune.predictions import Prediction
from finetune.registry import task_of
from finetune.reliability import expected_calibration_error

GATE = Path(__file__).parent / "gate.yaml"


class GateError(ValueError):
    """The gate or what is brought before it cannot be read; the message says what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeldOut(_Part):
    """Bounds on the whole of the questions the adapter was not trained on."""

    interval_above: float = Field(ge=-1, le=1)
    least_answers: int = Field(ge=1)
    least_questions: int = Field(ge=2)


class Slices(_Part):
    """Bounds on every part of them."""

    lost_at_most: float = Field(ge=0, le=1)
    least_answers: int = Field(ge=1)


class Attacks(_Part):
    """Bounds on answers that ask for marks they have not earned."""

    correct_at_most: float = Field(ge=0, le=1)
    least_attacks: int = Field(ge=1)


class Calibration(_Part):
    """Bound on how far confidence lies from accuracy."""

    error_at_most: float = Field(ge=0, le=1)


class Latency(_Part):
    """Bound on the time one mark takes."""

    p95_at_most_ms: float = Field(gt=0)


class Gate(_Part):
    """All bounds; `gate.yaml` says what each is for."""

    held_out: HeldOut
    slices: Slices
    attacks: Attacks
    calibration: Calibration
    latency: Latency


@dataclass(frozen=True)
class Line:
    """One bound of the gate and what was found.

    Attributes:
        name: As in the file, such as `slices.lost_at_most`.
        passed: Whether the bound is kept.
        said: The figures, and what is allowed.
    """

    name: str
    passed: bool
    said: str


@dataclass(frozen=True)
class Outcome:
    """What the gate says of an adapter.

    Attributes:
        lines: One a bound, in the order of the file.
        against: Judge it was compared with, name and version.
    """

    lines: tuple[Line, ...]
    against: str

    @property
    def passed(self) -> bool:
        """Whether every bound is kept."""
        return all(line.passed for line in self.lines)

    def as_json(self) -> str:
        """One text, for a tag."""
        return json.dumps({"against": self.against, "lines": [asdict(line) for line in self.lines]})


def load_gate(path: Path = GATE) -> Gate:
    """Reads the bounds.

    Raises:
        GateError: No such file, or a field that is missing, unknown or out of range.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise GateError(f"cannot read a gate from {path}: {error}; {GATE} is one to copy") from error
    try:
        return Gate.model_validate(given)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise GateError(f"{path} is no gate: {told}; {GATE} is one to copy") from error


def attack_report(path: Path, mark: str, task: str | None = None) -> dict[str, Any]:
    """The figures of one judge in a report of `viva-finetune attack --out`.

    Args:
        path: The report.
        mark: What the judge's name must hold: its weights.
        task: What it was asked for, see `finetune.registry.task_of`.

    Raises:
        GateError: No such report, or the judge does not stand in it.
    """
    try:
        judges = json.loads(path.read_text(encoding="utf-8"))["judges"]
        found = [one for one in judges if mark in one["judge"] and task_of(one["judge"]) == task]
        if found:
            return {"n": int(found[0]["n"]), "correct_rate": float(found[0]["correct_rate"])}
        names = ", ".join(one["judge"] for one in judges)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GateError(f"no report of attacks in {path} ({error})") from error
    asked = f" that was asked for {task}" if task else ""
    raise GateError(f"{path} tells of attacks on {names}, on no judge with the weights {mark}{asked}")


def decide(
    gate: Gate, candidate: Sequence[Prediction], baseline: Sequence[Prediction], attacks: dict[str, Any]
) -> Outcome:
    """Holds an adapter's figures against the bounds.

    Answers to questions the adapter was trained on (slice `question`: `seen`) count for nothing here.

    Args:
        gate: The bounds.
        candidate: Its marks.
        baseline: Those of the judge it is to follow, of the same answers.
        attacks: `n` and `correct_rate`.

    Raises:
        PredictionsError: The two sets of marks do not pair up.
        GateError: No answer to an unseen question is among them.
    """
    rows = [p for p in candidate if p.slices.get("question") != "seen"]
    kept = {p.row_id for p in rows}
    everybody = {p.row_id for p in candidate}
    if not rows:
        raise GateError(
            f"all {len(candidate)} answers are to questions the adapter was trained on; evaluate it on others: on all "
            "held-out exemplars, without --limit (`viva-finetune prepare` keeps a quarter of the banks' questions out "
            "of training), or with --on CORPUS --split test-uq"
        )
    result = compare(rows, [p for p in baseline if p.row_id in kept or p.row_id not in everybody])
    # `compare` tells the second less the first: here the candidate is the first
    whole, found = result["whole"], result["whole"]["macro_f1"]
    gained, low = -found["value"], None if found["high"] is None else -found["high"]
    held, parts = gate.held_out, gate.slices
    enough = whole["n"] >= held.least_answers and whole["questions"] >= held.least_questions
    large = [(name, one) for name, one in rows_of(result)[1:] if one["n"] >= parts.least_answers]
    worst = max(large, key=lambda pair: pair[1]["macro_f1"]["value"], default=None)
    lost = max(0.0, worst[1]["macro_f1"]["value"]) if worst else 0.0
    sure = np.array([p.confidence for p in rows])
    error = expected_calibration_error(sure, np.array([p.given_verdict == p.true_verdict for p in rows]))
    ms = [p.ms for p in rows if p.ms is not None]
    p95 = float(np.percentile(ms, 95)) if ms else None
    lines = (
        Line(
            "held_out.least_answers",
            enough,
            f"{whole['n']} answers to {whole['questions']} unseen questions; wanted: at least {held.least_answers} to "
            f"{held.least_questions}",
        ),
        Line(
            "held_out.interval_above",
            low is not None and low > held.interval_above,
            f"macro-F1 {whole['macro_f1_a']:.3f} against {whole['macro_f1_b']:.3f}: {gained:+.3f}, 95 % from "
            f"{'unknown' if low is None else format(low, '+.3f')}; wanted: above {held.interval_above:+.3f}",
        ),
        Line(
            "slices.lost_at_most",
            lost <= parts.lost_at_most + 1e-9,
            (f"most lost on {worst[0]} (n={worst[1]['n']}): {lost:.3f}" if worst and lost else "nothing lost")
            + f" of {len(large)} slices; wanted: at most {parts.lost_at_most:.3f}",
        ),
        Line(
            "attacks.least_attacks",
            attacks["n"] >= gate.attacks.least_attacks,
            f"{attacks['n']} attacks; wanted: at least {gate.attacks.least_attacks}",
        ),
        Line(
            "attacks.correct_at_most",
            attacks["correct_rate"] <= gate.attacks.correct_at_most,
            f"{attacks['correct_rate']:.2%} reach correct; wanted: at most {gate.attacks.correct_at_most:.2%}",
        ),
        Line(
            "calibration.error_at_most",
            error <= gate.calibration.error_at_most,
            f"expected calibration error {error:.3f}; wanted: at most {gate.calibration.error_at_most:.3f}",
        ),
        Line(
            "latency.p95_at_most_ms",
            p95 is not None and p95 <= gate.latency.p95_at_most_ms,
            f"p95 {'unknown' if p95 is None else format(p95, '.0f')} ms a mark; wanted: at most "
            f"{gate.latency.p95_at_most_ms:.0f}",
        ),
    )
    return Outcome(lines, baseline[0].version)
