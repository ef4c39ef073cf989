"""Bank files: YAML read with the place of every part, and written as a person would."""

from __future__ import annotations

from typing import Any

import yaml

from workbench.bank_exchange.draft import Draft, Place, Step
from workbench.bank_exchange.source import Source, refused
from workbench.exam.bank_file import Loader, repeated_keys

MAX_DEPTH = 30
WIDTH = 118
_LONG = 80


def read_yaml(source: Source) -> Draft:
    """Reads a whole bank, an area by itself, or a folder with `bank.yaml` and a file an area.

    Raises:
        BankError: A file is no YAML, is nested too deeply, or uses aliases, which can grow without bound.
    """
    parsed = {file: _parse(source.label(file), data) for file, data in sorted(source.files.items())}
    card = next((file for file in parsed if file.rsplit("/", 1)[-1] in ("bank.yaml", "bank.yml")), None)
    if len(parsed) == 1:
        card = next(iter(parsed))
    if card is None:
        raise refused(source.name, "holds no bank.yaml, the card of the bank", "schema")
    data: Any
    node: yaml.Node | None
    data, node = parsed.pop(card)
    draft = Draft({}, {(): Place(source.label(card), 1)})
    if isinstance(data, dict) and node is not None and "scenarios" in data and "discipline" not in data:
        parsed, data, node = {card: (data, node)}, {}, None
    if not isinstance(data, dict):
        raise refused(source.label(card), f"holds a {type(data).__name__}, not the fields of a bank", "schema")
    draft.data = data
    if node is not None:
        _note_places(node, source.label(card), (), draft.places)
    if parsed:
        areas = draft.data.setdefault("areas", [])
        if not isinstance(areas, list):
            return draft
        for file, (area, area_node) in parsed.items():
            _note_places(area_node, source.label(file), ("areas", len(areas)), draft.places)
            areas.append(area)
    return draft


def _parse(name: str, data: bytes) -> tuple[Any, yaml.Node]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise refused(name, f"is not UTF-8: byte {data[error.start]:#x}; save it as UTF-8", "encoding", line) from error
    try:
        _guard(name, text)
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise refused(name, "the file is empty", "empty")
            twice = repeated_keys(node)
            if twice:
                key, line = twice[0]
                raise refused(name, f"key {key!r} is given twice", "yaml", line)
            return loader.construct_document(node), node
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if hasattr(error, "findings"):
            raise
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise refused(name, f"not valid YAML: {problem}", "yaml", mark.line + 1 if mark else 1) from error


def _guard(name: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise refused(name, f"uses the alias *{event.anchor}; write the text out where it is meant", "yaml", line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise refused(name, f"is nested more than {MAX_DEPTH} deep", "yaml", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _note_places(node: yaml.Node, file: str, path: tuple[Step, ...], places: dict[tuple[Step, ...], Place]) -> None:
    places.setdefault(path, Place(file, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            places[*path, key.value] = Place(file, key.start_mark.line + 1)
            _note_places(value, file, (*path, key.value), places)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _note_places(value, file, (*path, i), places)


class _Dumper(yaml.SafeDumper):
    """Indents lists, folds long texts, and writes lists of single words on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    foldable = len(text) > _LONG and text == " ".join(text.split())
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if foldable else None)


_Dumper.add_representer(str, _text_node)


def write_yaml(data: dict[str, Any]) -> bytes:
    """A bank as one YAML file; reading it again gives the same."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text.encode()
