"""Question banks as text, so that a session's report is made with the questions it was held with."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar, get_args, get_origin

from workbench.exam.items import Bank
from workbench.store.errors import StoreError

T = TypeVar("T")


def to_text(bank: Bank) -> str:
    """A bank as JSON, the same for the same bank."""
    return json.dumps(dataclasses.asdict(bank), ensure_ascii=False, sort_keys=True)


def from_text(text: str) -> Bank:
    """The bank `to_text` wrote; fields that came since have their defaults, fields that are gone are left out.

    Raises:
        StoreError: The text is no bank this version can read.
    """
    try:
        return _build(Bank, json.loads(text))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise StoreError(f"the question bank kept with this session cannot be read ({error})") from None


def _build(kind: type[T], value: dict[str, Any]) -> T:
    hints = typing.get_type_hints(kind)
    known = [field for field in dataclasses.fields(kind) if field.init and field.name in value]  # type: ignore[arg-type]
    return kind(**{field.name: _restored(hints[field.name], value[field.name]) for field in known})


def _restored(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (item for item in arguments if item is not type(None))
        return _restored(inner, value)
    if origin is tuple:
        # a tuple of one kind, `tuple[X, ...]`, or one of fixed places
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        return tuple(_restored(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is frozenset:
        return frozenset(_restored(arguments[0], item) for item in value)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value)  # type: ignore[arg-type]
    return value
