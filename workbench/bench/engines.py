"""`viva bench engines`: every engine alone, its speed and what it gets right, without turn-taking around it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from typing import Any

from workbench.settings import Settings

PARTS = {"asr": "workbench.bench.asr", "speed": "workbench.bench.engine_speed"}
"""Part of the report and the module whose `measure(settings)` makes it."""


async def measure(settings: Settings) -> dict[str, Any]:
    """Runs every part; one whose weights or packages are missing is reported with the reason, the others still run."""
    from workbench.engines.base import EngineError

    found: dict[str, Any] = {}
    for part, module_name in PARTS.items():
        if importlib.util.find_spec(module_name) is None:
            continue
        module = importlib.import_module(module_name)
        try:
            result = module.measure(settings)
            found[part] = await result if inspect.isawaitable(result) else result
        except (EngineError, ImportError, FileNotFoundError) as error:
            found[part] = {"not_measured": str(error)}
    return found
