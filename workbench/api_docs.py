"""The page `/api/docs`: the OpenAPI document as plain HTML, without a script and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
code, pre { font-family: ui-monospace, monospace } h2 { border-top: 1px solid #8886; padding-top: 1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; border-bottom: 1px solid #8884; padding: .3rem .6rem .3rem 0 }
"""  # noqa: E501


def as_html(document: dict[str, Any]) -> str:
    """A page with a section an operation and a table a schema of an OpenAPI 3.1 document."""
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        "<p>As a document for programs: <a href='openapi.json'>openapi.json</a>;"
        " the events of the realtime socket: <a href='events.json'>events.json</a>.</p>",
    ]
    for path, operations in document["paths"].items():
        parts += [_operation(method, path, operation) for method, operation in operations.items()]
    parts.append("<h2>Objects</h2>")
    schemas = document.get("components", {}).get("schemas", {})
    parts += [_schema(name, schema) for name, schema in schemas.items() if "properties" in schema]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        (item["name"], _type(item.get("schema", {})), item["in"], item.get("description", ""))
        for item in operation.get("parameters", [])
    ]
    answers = [
        (status, answer.get("description", ""), ", ".join(_content(answer)))
        for status, answer in operation.get("responses", {}).items()
    ]
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"
        + (_table(("parameter", "type", "in", "meaning"), rows) if rows else "")
        + _table(("status", "meaning", "body"), answers)
    )


def _content(answer: dict[str, Any]) -> list[str]:
    return [f"{media} {_type(body.get('schema', {}))}".strip() for media, body in answer.get("content", {}).items()]


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", []))
    rows = [
        (field, _type(part), "required" if field in required else "", part.get("description", ""))
        for field, part in schema["properties"].items()
    ]
    about = f"<p>{escape(schema.get('description', ''))}</p>"
    return f"<h3 id='{escape(name)}'>{escape(name)}</h3>{about}" + _table(("field", "type", "", "meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", ""))


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
