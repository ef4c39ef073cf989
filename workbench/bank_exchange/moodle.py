"""Moodle XML: categories are areas, descriptions are cases, essays are questions with notes for the grader.

Moodle has no place for answers with marks, so that exemplars are lost on export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from workbench.bank_exchange.draft import Draft, Place
from workbench.bank_exchange.gathering import Gathering
from workbench.bank_exchange.html_blocks import Block, html_blocks, joined, plain_blocks
from workbench.bank_exchange.marking_notes import read_notes, slug, write_notes
from workbench.bank_exchange.source import Source, refused
from workbench.bank_exchange.xml_reading import line_of, read_xml, text_of

_WITH_OPTIONS = ("multichoice", "truefalse", "matching", "gapselect", "ddwtos", "ddimageortext", "ordering")
_CARD = ("version", "licence", "authors", "description", "not_for")


def read_moodle(source: Source) -> Draft:
    """Reads an export of Moodle's question bank.

    Raises:
        BankError: It is no Moodle XML, or XML that is not read.
    """
    root = read_xml(source.name, source.only)
    if root.tag != "quiz":
        raise refused(source.name, f"its root is <{root.tag}>; Moodle XML has <quiz>", "format")
    return _Reading(source.name).read(root)


class _Reading:
    """Follows the file from top to bottom: the category and the case that hold at each question."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._into = Gathering(name)
        self._category: list[str] = []
        self._keys: dict[str, str] = {}
        self._notes: dict[str, dict[str, str]] = {}
        self._scenario: tuple[str | int, ...] | None = None

    def read(self, root: Any) -> Draft:
        for element in root.iter("question"):
            kind = element.get("type", "")
            if kind == "category":
                self._enter(element)
            elif kind == "description":
                self._case(element)
            elif kind in ("essay", "shortanswer"):
                self._question(element, kind)
            else:
                self._leave_out(element, kind)
        return self._into.draft

    def _place(self, element: Any) -> Place:
        return Place(self._name, line_of(element))

    def _leave_out(self, element: Any, kind: str) -> None:
        name = f"{kind or 'untyped'} question {_title(element)!r}"
        if kind in _WITH_OPTIONS:
            reason = "it offers options to choose from, which cannot be asked aloud"
        else:
            reason = "only essay, shortanswer and description questions are read"
        self._into.leave_out(self._place(element), name, reason)

    def _enter(self, element: Any) -> None:
        path = text_of(element.find("category/text"))
        parts = [part.replace("//", "/").strip() for part in re.split(r"(?<!/)/(?!/)", path)]
        self._category = [part for part in parts if part and part != "top" and not re.fullmatch(r"\$\w+\$", part)]
        self._scenario = None
        here = "/".join(self._category)
        self._keys[here] = text_of(element.find("idnumber"))
        notes = {}
        for block in _blocks(element.find("info"))[0]:
            label, colon, rest = block.text.partition(":")
            field = label.strip().lower().replace(" ", "_")
            if colon and field in (*_CARD, "jurisdiction"):
                notes[field] = rest.strip()
        self._notes[here] = notes

    def _area(self, place: Place) -> tuple[str | int, ...]:
        data = self._into.draft.data
        title = self._category[-1] if self._category else "Imported questions"
        here = "/".join(self._category)
        if len(self._category) > 1 and "discipline" not in data:
            above, name = "/".join(self._category[:-1]), self._category[-2]
            data["discipline"], data["title"] = self._keys.get(above) or slug(name), name
            for field, text in self._notes.get(above, {}).items():
                if field in _CARD:
                    data[field] = [e.strip() for e in text.split("|")] if field == "authors" else text
        jurisdiction = self._notes.get(here, {}).get("jurisdiction", "")
        return self._into.area(self._keys.get(here) or slug(title), title, place, jurisdiction)

    def _case(self, element: Any) -> None:
        place = self._place(element)
        text, dropped = _blocks(element.find("questiontext"))
        title = _title(element)
        id_ = text_of(element.find("idnumber")) or self._into.new_id(title)
        self._note_dropped(place, f"description {title!r}", dropped)
        self._scenario = self._into.scenario(self._area(place), id_, title, joined(text), place)

    def _question(self, element: Any, kind: str) -> None:
        place, title = self._place(element), _title(element)
        area = self._area(place)
        if self._scenario is None:
            self._scenario = self._into.scenario(area, self._into.new_id(f"{area[1]} no case"), "No case", "", place)
        stem, dropped = _blocks(element.find("questiontext"))
        fields: dict[str, Any] = {
            "id": text_of(element.find("idnumber")) or self._into.new_id(title or joined(stem)),
            "stem": joined(stem),
        }
        self._note_dropped(place, f"question {fields['id']}", dropped)
        notes = element.find("graderinfo") if kind == "essay" else element.find("generalfeedback")
        blocks, _ = _blocks(notes)
        told, remarks = read_notes(blocks)
        fields.update({key: value for key, value in told.items() if key != "id"})
        if kind == "shortanswer" and "key_points" not in fields:
            right = [text_of(a.find("text")) for a in element.findall("answer") if a.get("fraction") == "100"]
            right = [text for text in right if text]
            if right:
                fields["key_points"] = [{"id": slug(right[0], 3), "text": right[0], "weight": 1.0, "accepted": right}]
        for remark in remarks:
            self._into.leave_out(place, f"question {fields['id']}", remark)
        self._into.question(self._scenario, fields, place)

    def _note_dropped(self, place: Place, name: str, dropped: list[str]) -> None:
        for what in dropped:
            self._into.leave_out(place, name, f"{what}: pictures and sound cannot be asked aloud; left out")


def _title(element: Any) -> str:
    return text_of(element.find("name/text"))


def _blocks(element: Any) -> tuple[list[Block], list[str]]:
    text = text_of(element.find("text")) if element is not None else ""
    if element is not None and element.get("format") in ("plain_text", "markdown"):
        return plain_blocks(text), []
    return html_blocks(text)


def write_moodle(data: Mapping[str, Any]) -> bytes:
    """A bank as Moodle XML: a category for the discipline, one an area; a description a case, an essay a question."""
    top = f"$course$/top/{_part(data['title'])}"
    card = "".join(
        f"<p>{field.replace('_', ' ').capitalize()}: {escape(_joined(data[field]))}</p>"
        for field in _CARD
        if data.get(field)
    )
    parts = [_category(top, data["discipline"], card)]
    for area in data["areas"]:
        law = area.get("jurisdiction")
        note = f"<p>Jurisdiction: {escape(law)}</p>" if law else ""
        parts.append(_category(f"{top}/{_part(area['title'])}", area["key"], note))
        for scenario in area["scenarios"]:
            parts.append(_item("description", scenario["title"], scenario["id"], scenario["text"], ""))
            for question in scenario["questions"]:
                marking = (
                    "    <defaultgrade>10</defaultgrade>\n    <responseformat>editor</responseformat>\n"
                    "    <responserequired>1</responserequired>\n    <responsefieldlines>15</responsefieldlines>\n"
                    f'    <graderinfo format="html">\n      <text>{_cdata(write_notes(question))}</text>\n'
                    "    </graderinfo>\n"
                )
                parts.append(_item("essay", question["id"], question["id"], question["stem"], marking))
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n' + "".join(parts) + "</quiz>\n").encode()


def _joined(value: Any) -> str:
    return " | ".join(value) if isinstance(value, list | tuple) else " ".join(str(value).split())


def _part(title: str) -> str:
    return title.replace("/", "//")


def _category(path: str, key: str, info: str) -> str:
    return (
        f'  <question type="category">\n    <category><text>{escape(path)}</text></category>\n'
        f'    <info format="html"><text>{_cdata(info)}</text></info>\n    <idnumber>{escape(key)}</idnumber>\n'
        "  </question>\n"
    )


def _item(kind: str, name: str, id_: str, text: str, rest: str) -> str:
    return (
        f'  <question type="{kind}">\n    <name><text>{escape(name)}</text></name>\n'
        f'    <questiontext format="html"><text>{_cdata(f"<p>{escape(text)}</p>")}</text></questiontext>\n'
        f"    <idnumber>{escape(id_)}</idnumber>\n{rest}  </question>\n"
    )


def _cdata(html: str) -> str:
    return f"<![CDATA[{html.replace(']]>', ']]&gt;')}]]>" if html else ""
