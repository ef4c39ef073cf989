"""The documentation of the settings, made from the settings themselves."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from workbench.settings import Settings

# where a group of settings begins, by its first field
_GROUPS = {
    "host": "Serving",
    "data_dir": "Where things are",
    "vad": "Engines",
    "patience": "The exam",
    "public_url": "Delivery",
}


def env_example() -> str:
    """The text of `.env.example`: every setting with its meaning and default, each one commented out."""
    lines = [
        "# Settings of the Viva Workbench. Copy to .env and take the # off what you change;",
        "# a variable of the environment wins over this file. Made by `python -m tests.test_settings`.",
    ]
    for name, field in Settings.model_fields.items():
        if name in _GROUPS:
            lines += ["", f"# ---- {_GROUPS[name]} ----"]
        lines.append("")
        lines += textwrap.wrap(
            (field.description or "") + _choices(field), 100, initial_indent="# ", subsequent_indent="# "
        )
        lines.append(f"# VIVA_{name.upper()}={_default(field)}".rstrip())
    return "\n".join(lines) + "\n"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f" One of: {', '.join(str(value) for value in get_args(field.annotation))}."


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path) and value.is_absolute():
        # where this machine's user keeps caches is no default of anyone else's
        return ""
    return str(value)
