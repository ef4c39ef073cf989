"""A bank small enough to read, with the same shape as a real one; two areas, so that the choice is asked for."""

from __future__ import annotations

from workbench.exam.items import Area, Bank, KeyPoint, Question, Scenario
from workbench.exam.model import Evaluation, KeyPointEvidence, Verdict

_TOPICS = ("chest pain", "breathlessness", "palpitations", "collapse", "leg swelling")


_SAID = {"drug": "aspirin straight away", "trace": "an electrocardiogram", "call": "calling the senior"}


def _point(key: str, text: str, weight: float, accepted: tuple[str, ...], probe: str) -> KeyPoint:
    return KeyPoint(key, text, weight, accepted, (), probe, said=_SAID[key])


def _question(area: str, scenario: int, number: int) -> Question:
    key = f"{area}-{scenario}-{number}"
    return Question(
        id=key,
        stem=f"What is step {number} for the patient with {_TOPICS[scenario]}?",
        key_points=(
            _point("drug", "Give aspirin at once", 0.5, ("aspirin", "antiplatelet"), "Which medicine comes first?"),
            _point("trace", "Record an electrocardiogram", 0.3, ("electrocardiogram", "ecg"), "What would you record?"),
            _point("call", "Call the senior", 0.2, ("senior",), "Whom would you call?"),
        ),
        model_answer="Give aspirin at once. Record an electrocardiogram. Then call the senior.",
        difficulty=2,
        cognitive_level="apply",
        sources=("made for tests",),
        key_terms=("aspirin", "electrocardiogram"),
    )


def _area(key: str, title: str) -> Area:
    scenarios = tuple(
        Scenario(
            f"{key}-{s}",
            topic.capitalize(),
            f"A patient comes in with {topic}.",
            tuple(_question(key, s, n) for n in range(1, 4)),
        )
        for s, topic in enumerate(_TOPICS)
    )
    return Area(key, title, scenarios)


BANK = Bank(
    discipline="medical",
    title="Medicine",
    version="1.0.0",
    licence="CC-BY-4.0",
    areas=(_area("cardiology", "Cardiology"), _area("respiratory", "Respiratory Medicine")),
)


def evaluation(question_id: str, verdict: Verdict = "correct", points: float | None = None) -> Evaluation:
    """A mark as a judge would give it: correct covers all points, partial only the trace, incorrect none."""
    covered = {"correct": {"drug", "trace", "call"}, "partial": {"trace"}, "incorrect": set()}[verdict]
    default = {"correct": 10.0, "partial": 4.0, "incorrect": 0.0}[verdict]
    evidence = tuple(
        KeyPointEvidence(k, "covered" if k in covered else "missing", k if k in covered else "", w)
        for k, w in (("drug", 0.5), ("trace", 0.3), ("call", 0.2))
    )
    return Evaluation(question_id, verdict, default if points is None else points, evidence, 0.9, "scripted 1")
