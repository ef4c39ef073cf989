"""Findings of the checks at the field of the form they are about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.exam.bank_file import Finding
from workbench.web.educators import draft_form
from workbench.web.educators.draft_form import MAX_POINTS_SHOWN

SCENARIO, STEM, ABOUT, POINTS, MODEL, EXEMPLARS = "scenario", "stem", "about", "points", "model", "exemplars"
POINT = tuple(f"point-{n}" for n in range(MAX_POINTS_SHOWN))
PARTS = (SCENARIO, STEM, ABOUT, POINTS, *POINT, MODEL, EXEMPLARS)
"""Parts of the form that have a line for findings, in their order."""

_BY_CODE = {
    "placeholder": STEM, "reading-time": SCENARIO, "weights": POINTS, "model-answer": MODEL, "exemplars": EXEMPLARS,
    "exemplar-judged": EXEMPLARS, "near-duplicate": STEM,
}  # fmt: skip
_BY_FIELD = {
    "stem": STEM, "difficulty": ABOUT, "cognitive_level": ABOUT, "sources": ABOUT, "key_terms": ABOUT,
    "model_answer": MODEL, "exemplars": EXEMPLARS, "key_points": POINTS,
}  # fmt: skip
_BY_WORDS = {"the scenario": SCENARIO, "the stem": STEM, "the model answer": MODEL}
_KEY_POINT = re.compile(r"key points? ([a-z0-9][a-z0-9_-]*)")
_PATH = re.compile(r"(?:areas\.(?P<a>\d+)\.)?scenarios\.(?P<s>\d+)\.(?:questions\.(?P<q>\d+)(?:\.(?P<rest>[\w.]+))?)?")


def at_fields(findings: Sequence[Finding], source: str, place: str) -> dict[str, list[str]]:
    """What is said of one question and its scenario, by part of the form.

    Args:
        findings: Of the whole draft.
        source: The draft.
        place: Where the question is.

    Raises:
        BankError: The text is no YAML of a bank.
        StoreError: There is no such question.
    """
    draft = draft_form.read(source)
    key = draft_form.question_id(draft.data, place)
    points = [point.id for point in draft_form.fields_of(draft.data, place).points]
    a, s, _ = place.split("/")
    scenario_line = draft.place("areas", int(a), "scenarios", int(s)).line
    found: dict[str, list[str]] = {}
    for finding in findings:
        about_scenario = not finding.question and finding.code == "speech" and finding.line == scenario_line
        part = SCENARIO if about_scenario else _part(finding, key, place, points)
        if part is not None:
            found.setdefault(part, []).append(_said(finding))
    return found


def _part(finding: Finding, key: str, place: str, points: Sequence[str]) -> str | None:
    path = _PATH.match(finding.message)
    if path is not None:
        return _of_path(path, place)
    if finding.question != key:
        return None
    named = _KEY_POINT.match(finding.message)
    if named is not None and named.group(1) in points[:MAX_POINTS_SHOWN]:
        return POINT[points.index(named.group(1))]
    if finding.code in _BY_CODE:
        return _BY_CODE[finding.code]
    return next((part for words, part in _BY_WORDS.items() if finding.message.startswith(words)), POINTS)


def _of_path(path: re.Match[str], place: str) -> str | None:
    a, s, q = place.split("/")
    if (path["a"] or "0", path["s"]) != (a, s):
        return None
    if path["q"] is None:
        return SCENARIO
    if path["q"] != q:
        return None
    field, _, rest = (path["rest"] or "").partition(".")
    n = rest.partition(".")[0]
    if field == "key_points" and n.isdigit() and int(n) < MAX_POINTS_SHOWN:
        return POINT[int(n)]
    return _BY_FIELD.get(field, POINTS)


def _said(finding: Finding) -> str:
    """The message without the path that leads to the field: it stands there."""
    path = _PATH.match(finding.message)
    if path is None:
        return finding.message
    where, _, message = finding.message.partition(": ")
    return f"{where.rpartition('.')[2].replace('_', ' ')}: {message}"
