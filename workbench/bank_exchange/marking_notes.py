"""Notes to the marker, as Moodle (information for graders) and QTI (rubric of the scorer) hold them, read and written.

A note is a model answer, a list with one key point an item, and labelled lines. A key point may begin or end with its
marks ("[0.4]", "(2 marks)", "30 %"); lines below it may be labelled accepted, misconceptions, probe, said and id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from workbench.bank_exchange.html_blocks import Block

_LABELS = {
    "model answer": "model_answer", "answer": "model_answer", "specimen answer": "model_answer",
    "sample answer": "model_answer", "difficulty": "difficulty", "cognitive level": "cognitive_level",
    "level": "cognitive_level", "source": "sources", "sources": "sources", "reference": "sources",
    "references": "sources", "key terms": "key_terms", "key points": "key_points", "marking": "key_points",
    "marks": "key_points", "marking scheme": "key_points", "rubric": "key_points",
}  # fmt: skip
_POINT_LABELS = {
    "id": "id", "said": "said", "accepted": "accepted", "accept": "accepted", "also accept": "accepted",
    "misconceptions": "misconceptions", "misconception": "misconceptions", "reject": "misconceptions",
    "do not accept": "misconceptions", "probe": "probe", "prompt": "probe", "essential": "essential",
}  # fmt: skip
_LISTS = ("sources", "key_terms", "accepted", "misconceptions")
_LABEL = re.compile(r"^\s*([A-Za-z][A-Za-z ]{1,20}?)\s*:\s*(.*)$", re.DOTALL)
_MARKS = re.compile(
    r"^\s*[\[(]\s*(?P<a>\d*\.?\d+)\s*(?P<ua>%|percent|marks?|points?|pts?)?\s*[\])]\s*[:.\-\u2013]?\s*"
    r"|^\s*(?P<b>\d*\.?\d+)\s*(?P<ub>%|percent|marks?|points?|pts?)\s*[:.\-\u2013]?\s+"
    r"|\s*[\[(]\s*(?P<c>\d*\.?\d+)\s*(?P<uc>%|percent|marks?|points?|pts?)\s*[\])]\s*\.?\s*$",
    re.IGNORECASE,
)
_ESSENTIAL = re.compile(r"^\s*\[essential\]\s*", re.IGNORECASE)


def read_notes(blocks: Sequence[Block]) -> tuple[dict[str, Any], list[str]]:
    """The fields of a question that a note tells.

    Returns:
        Fields as a bank file has them (`key_points` with what is known of each), and remarks on what was assumed.
    """
    fields: dict[str, Any] = {}
    points: list[dict[str, Any]] = []
    answer: list[str] = []
    for block in blocks:
        label, rest = _label(block.text, _POINT_LABELS if points and block.depth else _LABELS)
        if block.depth and points and (label or block.depth > 1 or not block.begins):
            _detail(points[-1], label, rest, block.text)
        elif block.depth and block.begins and label is None:
            points.append(_point(block.text))
        elif label == "model_answer":
            answer = [rest] if rest else []
        elif label in _LISTS:
            fields[label] = _entries(rest)
        elif label and label != "key_points":
            fields[label] = rest.lower() if label == "cognitive_level" else rest
        elif label is None and not points:
            answer.append(block.text)
    if answer:
        fields["model_answer"] = " ".join(answer)
    remarks = _weigh(points)
    _name(points)
    if points:
        fields["key_points"] = points
    return fields, remarks


def _label(text: str, labels: Mapping[str, str]) -> tuple[str | None, str]:
    match = _LABEL.match(text)
    if match and match[1].lower() in labels:
        return labels[match[1].lower()], match[2].strip()
    return None, text


def _point(text: str) -> dict[str, Any]:
    point: dict[str, Any] = {}
    marks = _MARKS.search(text)
    if marks:
        text = (text[: marks.start()] + text[marks.end() :]).strip()
        point["weight"] = float(marks["a"] or marks["b"] or marks["c"])
    if _ESSENTIAL.match(text):
        text, point["essential"] = _ESSENTIAL.sub("", text), True
    return {"text": text, **point}


def _detail(point: dict[str, Any], label: str | None, rest: str, text: str) -> None:
    if label is None:
        point["text"] = f"{point['text']} {text}".strip()
    elif label == "essential":
        point["essential"] = rest.lower() not in ("no", "false", "0")
    elif label in _LISTS:
        point.setdefault(label, []).extend(_entries(rest))
    else:
        point[label] = rest


def _weigh(points: Sequence[dict[str, Any]]) -> list[str]:
    """Makes the weights sum to 1, from marks or percentages, or evenly where there are none."""
    if not points:
        return []
    given = [float(point.get("weight", 0)) for point in points]
    if not any(given):
        for point in points:
            point["weight"] = 1 / len(points)
        return ["the key points have no marks; each was given the same weight"]
    if min(given) <= 0:
        return []
    total = sum(given)
    if abs(total - 1) > 1e-6:
        for point, marks in zip(points, given, strict=True):
            point["weight"] = marks / total
    return []


def _name(points: Sequence[dict[str, Any]]) -> None:
    taken = {point["id"] for point in points if "id" in point}
    for point in points:
        if "id" not in point:
            point["id"] = unused(slug(point["text"], 3), taken)
            taken.add(point["id"])


def slug(text: str, n_words: int = 8) -> str:
    """An id made of the first words of a text."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    telling = [word for word in words if word not in ("the", "a", "an", "is", "are", "it", "of", "to", "and", "in")]
    return "-".join((telling or words or ["x"])[:n_words])[:50].strip("-")


def unused(name: str, taken: Iterable[str]) -> str:
    """The name, or the name with the first number that is free."""
    known = set(taken)
    candidate, number = name, 2
    while candidate in known:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _entries(text: str) -> list[str]:
    parts = text.split("|") if "|" in text else text.split(";")
    return [entry for entry in (" ".join(part.split()) for part in parts) if entry]


def _list(entries: Sequence[str]) -> str:
    text = " | ".join(entry.replace("|", " ") for entry in entries)
    return f"{text} |" if len(entries) == 1 and ";" in text else text


def write_notes(question: Mapping[str, Any]) -> str:
    """The note of a question as HTML; `read_notes` reads it back."""
    parts = [_line("Model answer", question["model_answer"]), "<p>Key points:</p>", "<ul>"]
    for point in question["key_points"]:
        essential = "[essential] " if point.get("essential") else ""
        details = [("Id", point["id"]), ("Said", point.get("said", "")), ("Accepted", _list(point["accepted"])),
                   ("Misconceptions", _list(point.get("misconceptions", ()))), ("Probe", point["probe"])]  # fmt: skip
        items = "".join(f"<li>{name}: {escape(text)}</li>" for name, text in details if text)
        text = f"[{point['weight']!r}] {essential}{escape(point['text'])}"
        parts.append(f"<li>{text}<ul>{items}</ul></li>")
    parts.append("</ul>")
    parts += [
        _line("Difficulty", str(question["difficulty"])),
        _line("Cognitive level", question["cognitive_level"]),
        _line("Sources", _list(question["sources"])),
        _line("Key terms", _list(question.get("key_terms", ()))),
    ]
    return "\n".join(part for part in parts if part)


def _line(label: str, text: str) -> str:
    return f"<p><strong>{label}:</strong> {escape(text)}</p>" if text else ""
