"""The file a bench leaves behind: what was run, where, with which settings, and every value behind every figure."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ENGINE_SETTINGS = (
    "vad",
    "asr",
    "asr_model",
    "asr_device",
    "llm",
    "llm_model",
    "tts",
    "tts_model",
    "threads",
    "patience",
)
LIBRARIES = ("onnxruntime", "ctranslate2", "faster-whisper", "piper-tts", "silero-vad", "torch", "numpy")


def summary(values: Sequence[float | None], digits: int = 1) -> dict[str, Any]:
    """`{p50, p95, n, values}` of the values that are there (None is left out); p50 and p95 are None for no value.

    Percentiles interpolate linearly between order statistics (numpy's default; Hyndman and Fan 1996, type 7).
    """
    found = [float(value) for value in values if value is not None]
    if not found:
        return {"p50": None, "p95": None, "n": 0, "values": []}
    p50, p95 = np.percentile(found, [50, 95])
    return {
        "p50": round(float(p50), digits),
        "p95": round(float(p95), digits),
        "n": len(found),
        "values": [round(value, digits) for value in found],
    }


def rate(n_hit: int, n: int) -> float | None:
    """A fraction, None where there was nothing to count."""
    return round(n_hit / n, 4) if n else None


def machine() -> dict[str, Any]:
    """What it was measured on; nothing that names the machine or its user."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def envelope(
    command: str, results: dict[str, Any], *, settings: Any = None, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The results with everything needed to run them again.

    Args:
        command: The command line, e.g. `viva bench latency --turns 40`.
        results: What was measured; its keys become keys of the whole.
        settings: The workbench's settings; only names of engines are kept.
        options: Options and seeds of the bench.
    """
    libraries: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = None
    kept = {name: getattr(settings, name) for name in ENGINE_SETTINGS} if settings is not None else {}
    return {
        "command": command,
        "version": version("viva-workbench"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": kept,
        "options": options or {},
        "libraries": libraries,
        **results,
    }


def write(path: Path, report: dict[str, Any]) -> None:
    """Writes a report, making its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
