"""QTI 3.0 text items: extended text and text entry, single or in a package with stimuli (cases) and a test (the order).

Names of QTI 2 are read too. The scorer's rubric holds model answer and key points.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from workbench.bank_exchange.draft import Draft, Place
from workbench.bank_exchange.gathering import Gathering
from workbench.bank_exchange.html_blocks import html_blocks, joined
from workbench.bank_exchange.marking_notes import read_notes, slug
from workbench.bank_exchange.source import Source, refused
from workbench.bank_exchange.xml_reading import line_of, markup_of, read_xml, text_of
from workbench.exam.bank_file import BankError, Finding

_TEXT = ("extended-text-interaction", "text-entry-interaction")


@dataclass
class _Package:
    """The parsed files of a package, by path, and what the test says of their order."""

    source: Source
    roots: dict[str, Any]
    cases: dict[str, tuple[str, str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Spot:
    """Where the test puts an item: area (key, title) and scenario (id, title), as far as it says."""

    area: tuple[str, str] | None = None
    scenario: tuple[str, str] | None = None


def read_qti(source: Source) -> Draft:
    """Reads an item by itself or a package.

    Raises:
        BankError: A file is no QTI, or XML that is not read, or the manifest is missing a file.
    """
    findings: list[Finding] = []
    roots: dict[str, Any] = {}
    for path, data in sorted(source.files.items()):
        if path and not path.lower().endswith(".xml"):
            continue
        try:
            roots[path] = _normal(read_xml(source.label(path), data))
        except BankError as error:
            findings.extend(error.findings)
    if findings:
        raise BankError(findings)
    package = _Package(source, roots)
    listed = _listed(package)
    into = Gathering(source.name)
    items = [path for path in listed if roots[path].tag == "assessment-item"]
    if not items:
        given = ", ".join(sorted({root.tag for root in roots.values()})) or "no XML file"
        raise refused(source.name, f"holds no qti-assessment-item (given: {given})", "format")
    for path, root in roots.items():
        if root.tag == "assessment-stimulus":
            body = html_blocks(markup_of(root.find("stimulus-body")))[0]
            package.cases[path] = (_id(root), root.get("title", ""), joined(body))
    order: list[tuple[str, _Spot]] = []
    for path in listed:
        if roots[path].tag == "assessment-test":
            into.draft.data.update(discipline=_id(roots[path]), title=roots[path].get("title", ""))
            order.extend(_spots(package, path, into))
    placed = {path for path, _ in order}
    order.extend((path, _Spot()) for path in items if path not in placed)
    for path, spot in order:
        _item(package, path, spot, into)
    return into.draft


def _normal(root: Any) -> Any:
    """Gives every element the kebab-case name without prefix that QTI 3 and QTI 2 have in common."""
    for element in root.iter():
        element.tag = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", element.tag).lower().removeprefix("qti-")
    return root


def _id(element: Any) -> str:
    """Its identifier as an id of a bank; exported ids that begin with a figure have a line before them."""
    identifier = re.sub(r"^_(?=\d)", "", element.get("identifier", ""))
    return identifier if re.fullmatch(r"[a-z0-9][a-z0-9_-]*", identifier) else slug(identifier or "item")


def _listed(package: _Package) -> list[str]:
    """The files of the manifest in its order, or all of them where there is none."""
    manifest = next((path for path in package.roots if posixpath.basename(path) == "imsmanifest.xml"), None)
    if manifest is None:
        return list(package.roots)
    paths = []
    for resource in package.roots[manifest].iter("resource"):
        href = resource.get("href")
        if href and href.lower().endswith(".xml"):
            paths.append(_resolved(package, manifest, href, resource))
    return list(dict.fromkeys(paths))


def _resolved(package: _Package, base: str, href: str, element: Any) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(href)))
    if path not in package.roots:
        message = f"names {href!r}, which is not in the package"
        raise refused(package.source.label(base), message, "package", line_of(element))
    return path


def _spots(package: _Package, path: str, into: Gathering) -> Iterator[tuple[str, _Spot]]:
    """Items of a test in order; a section inside a section is a scenario of an area."""

    def below(element: Any, sections: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, _Spot]]:
        for child in element:
            if child.tag == "assessment-section":
                yield from below(child, (*sections, (_id(child), child.get("title", ""))))
            elif child.tag == "assessment-item-ref":
                item = _resolved(package, path, child.get("href", ""), child)
                area = sections[0] if sections else None
                yield item, _Spot(area, sections[1] if len(sections) > 1 else None)
            elif child.tag == "test-part":
                yield from below(child, sections)

    yield from below(package.roots[path], ())


def _item(package: _Package, path: str, spot: _Spot, into: Gathering) -> None:
    root = package.roots[path]
    place = Place(package.source.label(path), line_of(root))
    name = f"item {root.get('identifier') or root.get('title') or path!r}"
    body = root.find("item-body")
    interactions = [e.tag for e in root.iter() if e.tag.endswith("-interaction")]
    if body is None or not interactions or any(kind not in _TEXT for kind in interactions):
        kinds = ", ".join(sorted(set(interactions))) or "no interaction"
        into.leave_out(place, name, f"it has {kinds}; only extended text and text entry can be asked aloud")
        return
    fields: dict[str, Any] = {"id": _id(root)}
    rubrics = [e for e in root.iter("rubric-block") if "scorer" in e.get("view", "").split()]
    blocks = [block for rubric in rubrics for block in html_blocks(markup_of(_content(rubric)))[0]]
    told, remarks = read_notes(blocks)
    fields.update({key: value for key, value in told.items() if key != "id"})
    if "key_points" not in fields:
        right = [text_of(v) for d in root.iter("response-declaration") for v in d.iterfind("correct-response/value")]
        if any(right):
            first = next(text for text in right if text)
            accepted = [text for text in right if text]
            fields["key_points"] = [{"id": slug(first, 3), "text": first, "weight": 1.0, "accepted": accepted}]
    for remark in remarks:
        into.leave_out(place, name, remark)
    reference = root.find("assessment-stimulus-ref")
    case = ("", "", "")
    if reference is not None:
        case = package.cases.get(_resolved(package, path, reference.get("href", ""), reference), case)
    stem, dropped = _stem(body)
    fields["stem"] = stem
    for what in dropped:
        into.leave_out(place, name, f"{what}: pictures and sound cannot be asked aloud; left out")
    key, title = spot.area or ("imported", "Imported questions")
    area = into.area(key, title or key, place)
    id_, scenario_title = spot.scenario or (case[0] or into.new_id(f"{key} no case"), case[1])
    scenario = into.scenario(area, id_, scenario_title or case[1] or id_, case[2], place)
    into.question(scenario, fields, place)


def _content(rubric: Any) -> Any:
    inner = rubric.find("content-body")
    return rubric if inner is None else inner


def _stem(body: Any) -> tuple[str, list[str]]:
    for parent in list(body.iter()):
        for child in list(parent):
            if child.tag in ("rubric-block", "template-block"):
                parent.remove(child)
    return _blocks_text(body)


def _blocks_text(body: Any) -> tuple[str, list[str]]:
    blocks, dropped = html_blocks(markup_of(body))
    return joined(blocks), dropped
