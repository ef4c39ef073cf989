"""Documentation of the realtime protocol, generated from `workbench.realtime.protocol`'s own types."""

from __future__ import annotations

import inspect
import json
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workbench.realtime import protocol


def as_json_schema() -> str:
    """One JSON Schema (2020-12): `$defs` of every event, `client` and `server` as unions over them."""
    from pydantic.json_schema import models_json_schema

    client = [(model, "validation") for model in protocol.CLIENT_EVENT_MODELS]
    server = [(model, "serialization") for model in protocol.VIVA_EVENT_MODELS]
    models: list[Any] = [*client, *server]
    references, schema = models_json_schema(models, ref_template="#/$defs/{model}")
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of /v1/realtime",
        "description": inspect.cleandoc(protocol.__doc__ or ""),
        "x-max-event-bytes": protocol.MAX_EVENT_BYTES,
        "x-stock-server-events": list(protocol.STOCK_SERVER_EVENT_TYPES),
        "client": {"oneOf": [references[key] for key in client]},  # type: ignore[index]
        "server": {"oneOf": [references[key] for key in server]},  # type: ignore[index]
        **schema,
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_markdown() -> str:
    """A page with a section an event and a table of its fields, nested objects after their events."""
    parts = [
        "# Events of /v1/realtime",
        inspect.cleandoc(protocol.__doc__ or ""),
        f"An event of the client has at most {protocol.MAX_EVENT_BYTES:,} bytes; one that cannot be acted"
        " on is answered by an `error` event whose `param` names the field, and the session goes on.",
        "## What the client sends",
        *(_section(model) for model in protocol.CLIENT_EVENT_MODELS),
        "## Objects inside them",
        *(_section(model) for model in _nested(protocol.CLIENT_EVENT_MODELS)),
        "## What the server sends: the stock events",
        "\n".join(f"- `{name}`" for name in protocol.STOCK_SERVER_EVENT_TYPES),
        "## What the server sends: the viva's own events",
        *(_section(model) for model in protocol.VIVA_EVENT_MODELS),
        *(_section(model) for model in _nested(protocol.VIVA_EVENT_MODELS)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(model: type[BaseModel]) -> str:
    kind = model.model_fields.get("type")
    # an event is known by its type, an object by the class that describes it
    names = get_args(kind.annotation) if kind is not None else ()
    title = f"`{names[0]}`" if names and "." in str(names[0]) else model.__name__
    rows = [
        f"| `{field.alias or name}` | {_type_name(field.annotation)} | {_default(field)} | {_limits(field)} |"
        for name, field in model.model_fields.items()
    ]
    table = "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])
    return f"### {title}\n\n{inspect.cleandoc(model.__doc__ or '')}\n\n{table}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "made by the sender"
    value = field.default
    if isinstance(value, BaseModel):
        return "the object's defaults"
    return f"`{json.dumps(value)}`"


def _limits(field: FieldInfo) -> str:
    limits = []
    for constraint in field.metadata:
        for name, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
            if (bound := getattr(constraint, name, None)) is not None:
                limits.append(f"{sign} {bound}")
        if (bound := getattr(constraint, "max_length", None)) is not None:
            limits.append(f"at most {bound} long")
        if (bound := getattr(constraint, "min_length", None)) is not None:
            limits.append(f"at least {bound} long")
    text = "; ".join(part for part in (field.description or "", ", ".join(limits)) if part)
    return text.replace("|", "\\|")


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(part) for part in arguments)
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    if origin in (list, tuple):
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"object of {_type_name(arguments[0])} to {_type_name(arguments[1])}"
    if annotation is type(None):
        return "`null`"
    known = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return known.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _nested(models: tuple[type[BaseModel], ...]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {}

    def visit(annotation: Any) -> None:
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            if annotation not in found:
                found[annotation] = None
                for field in annotation.model_fields.values():
                    visit(field.annotation)
        for part in get_args(annotation):
            visit(part)

    for model in models:
        for field in model.model_fields.values():
            visit(field.annotation)
    return list(found)
