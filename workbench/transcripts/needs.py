"""Says which extra to install where a library of the research bench is missing."""

from __future__ import annotations

import importlib.util


def require(*modules: str) -> None:
    """Does nothing when the modules can be imported.

    Raises:
        ModuleNotFoundError: One cannot; the message names the extra that brings it.
    """
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(
                f"the research bench needs {name}: `pip install 'viva-workbench[research]'`", name=name
            )
