"""What this machine has and lacks for a viva, one finding a line, each with what to do about it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from workbench.settings import Settings

Level = Literal["ok", "warn", "fail"]

PACKAGES = (
    ("gradio", None), ("fastapi", None), ("websockets", None), ("numpy", None), ("soundfile", None),
    ("sqlalchemy", None), ("alembic", None), ("onnxruntime", None), ("silero-vad", None), ("ctranslate2", None),
    ("faster-whisper", None), ("piper-tts", "piper"), ("openai-whisper", "whisper"), ("torch", "whisper"),
    ("psycopg", "postgres"), ("pandas", "research"), ("pandera", "research"),
)  # fmt: skip
"""Packages a viva may need, each with the extra that brings it; None for those that always come."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

MEMORY_WANTED_GIB = 2.0
DISK_WANTED_GIB = 1.0
PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        name: What was looked at.
        level: `ok`, `warn` (a viva can be held all the same) or `fail` (it cannot).
        detail: What was found.
        advice: What to do about it, empty when nothing needs doing.
    """

    name: str
    level: Level
    detail: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every finding about this machine and these settings; a check that breaks is itself a finding."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(settings)
        except Exception as error:
            name = check.__name__.removeprefix("check_")
            findings.append(Finding(name, "fail", f"the check failed: {type(error).__name__}: {error}"))
    return findings


def check_python(settings: Settings) -> Iterator[Finding]:
    """The interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("python", "ok" if fits else "fail", found, "" if fits else "use Python 3.11 or 3.12")


def check_packages(settings: Settings) -> Iterator[Finding]:
    """What is installed."""
    present, absent = [], []
    for name, extra in PACKAGES:
        try:
            present.append(f"{name} {installed_version(name)}")
        except PackageNotFoundError:
            absent.append((name, extra))
    yield Finding("packages", "ok", ", ".join(present))
    for name, extra in absent:
        if extra is None:
            yield Finding(f"package {name}", "fail", "not installed", "run `make install`")
        else:
            advice = f"only if you need it: pip install 'viva-workbench[{extra}]'"
            yield Finding(f"package {name}", "warn", f"not installed (optional, extra {extra!r})", advice)


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Processors, memory and accelerators."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    advice = "" if settings.threads <= n_cores else f"set VIVA_THREADS={n_cores}"
    detail = f"{n_cores} cores for this process, {settings.threads} threads an engine"
    yield Finding("cpu", "warn" if advice else "ok", detail, advice)
    memory_gib = _memory_bytes() / 2**30
    enough = memory_gib >= MEMORY_WANTED_GIB
    yield Finding(
        "memory",
        "ok" if enough else "warn",
        f"{memory_gib:.1f} GiB",
        "" if enough else f"the embedded engines want about {MEMORY_WANTED_GIB:.0f} GiB; use engines on a server",
    )
    gpus = _gpus()
    if gpus:
        yield Finding("gpu", "ok", "; ".join(gpus))
    elif settings.profile == "gpu":
        yield Finding("gpu", "warn", "none found", "VIVA_PROFILE=gpu wants one, or servers that have one")
    else:
        yield Finding("gpu", "ok", "none found; none is needed")


def check_weights(settings: Settings) -> Iterator[Finding]:
    """The model weights of the manifest."""
    from workbench import models

    for status in models.list_models(settings.models_dir):
        name = f"weights {status.weights.name}"
        if status.state == "ready":
            yield Finding(name, "ok", str(status.path))
        elif status.weights.when == "always" or status.state == "damaged":
            yield Finding(
                name, "fail", f"{status.state}: {status.path}", f"run `viva models pull {status.weights.name}`"
            )
        else:
            yield Finding(name, "ok", "not fetched; only fetched when asked for")


def check_engines(settings: Settings) -> Iterator[Finding]:
    """What each stage of the loop would use."""
    from workbench.engines import registry
    from workbench.engines.base import EngineError

    chosen = registry.effective(settings)
    for stage in registry.STAGES:
        name = "smart-turn" if stage == "end_of_turn" else getattr(chosen, stage)
        try:
            entry = registry.find_entry(stage, name)
            registry.create(stage, name, chosen)
        except EngineError as error:
            yield Finding(f"engine {stage}", "fail", str(error), _engine_advice(str(error)))
            continue
        address = getattr(chosen, entry.url_setting) if entry.url_setting else None
        if address is None:
            model = getattr(chosen, f"{stage}_model", "")
            yield Finding(f"engine {stage}", "ok", " ".join(filter(None, (name, model, f"({entry.description})"))))
        elif _answers(address):
            yield Finding(f"engine {stage}", "ok", f"{name} at {address}")
        else:
            advice = f"start the server, or set VIVA_{stage.upper()}_URL"
            yield Finding(f"engine {stage}", "fail", f"{name}: nothing answers at {address}", advice)


def check_banks(settings: Settings) -> Iterator[Finding]:
    """The question banks."""
    from workbench.exam.bank import load_banks

    banks = load_banks(settings.banks_dir)
    areas = ", ".join(f"{bank.discipline} ({len(bank.areas)} areas)" for bank in banks.values())
    advice = "" if banks else "set VIVA_BANKS_DIR to a directory with banks"
    yield Finding("question banks", "ok" if banks else "fail", areas or "none", advice)


def check_database(settings: Settings) -> Iterator[Finding]:
    """Whether the store can be reached and is of this version."""
    from workbench.store import migrate
    from workbench.store.database import database_url, open_engine, public_url
    from workbench.store.errors import StoreError

    file = settings.data_dir / "viva.sqlite3"
    if settings.database_url is None and not file.exists():
        yield _directory("database", settings.data_dir, f"will be made: {file}")
        return
    try:
        engine = open_engine(database_url(settings))
        place = public_url(str(engine.url))
        revision, wanted = migrate.current(engine), migrate.head()
        engine.dispose()
    except StoreError as error:
        yield Finding("database", "fail", str(error))
        return
    if revision == wanted:
        yield Finding("database", "ok", f"{place}, revision {revision}")
    elif revision is None or migrate.is_known(revision):
        yield Finding("database", "ok", f"{place}, revision {revision}; `viva serve` will bring it to {wanted}")
    else:
        advice = "update the program, or point VIVA_DATABASE_URL or VIVA_DATA_DIR elsewhere"
        yield Finding("database", "fail", f"{place} was written by a newer version (revision {revision})", advice)


def check_recordings(settings: Settings) -> Iterator[Finding]:
    """Whether sound can be kept, and for how long."""
    from workbench.store import recordings

    if not settings.record_audio:
        yield Finding("recordings", "ok", "switched off (VIVA_RECORD_AUDIO)")
        return
    folder = recordings.directory(settings)
    free_gib = shutil.disk_usage(_existing(folder)).free / 2**30
    if free_gib < DISK_WANTED_GIB:
        advice = "free space there, or set VIVA_RECORDINGS_URL to another directory"
        yield Finding("recordings", "warn", f"{folder}: {free_gib:.1f} GiB free", advice)
    else:
        yield _directory("recordings", folder, f"{folder}: {free_gib:.1f} GiB free")


def check_port(settings: Settings) -> Iterator[Finding]:
    """Whether the server could listen where the settings say."""
    address = f"{settings.host}:{settings.port}"
    try:
        infos = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(infos[0][0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(infos[0][4])
    except OSError as error:
        if _is_ours(settings):
            yield Finding("port", "ok", f"{address}: a Viva Workbench is serving there")
        else:
            advice = "stop what uses it, or choose another with --port (0 picks a free one)"
            yield Finding("port", "fail", f"{address}: {error.strerror}", advice)
    else:
        yield Finding("port", "ok", f"{address} is free")


def check_login(settings: Settings) -> Iterator[Finding]:
    """Who can read what was kept."""
    if settings.password and settings.password.get_secret_value():
        yield Finding("login", "ok", f"password set, user name {settings.username}")
    elif settings.share or settings.host not in ("127.0.0.1", "localhost", "::1"):
        advice = "set VIVA_PASSWORD to read stored sessions from other machines"
        yield Finding("login", "warn", "no password: stored sessions can be read on this machine only", advice)
    else:
        yield Finding("login", "ok", "no password; stored sessions can be read on this machine only")


def check_tools(settings: Settings) -> Iterator[Finding]:
    """Programs beside Python."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found:
        yield Finding("browser", "ok", found)
    else:
        advice = "only the tests of the page want one here: `playwright install chromium`"
        yield Finding("browser", "warn", "no Chromium on PATH", advice)
    yield Finding("ffmpeg", "ok", "not needed")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_python, check_packages, check_machine, check_weights, check_engines, check_banks, check_database,
    check_recordings, check_port, check_login, check_tools,
)  # fmt: skip


def _memory_bytes() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    # a container may have less than the machine
    given = limit.read_text().strip() if limit.is_file() else ""
    return min(total, int(given)) if given.isdigit() else total


def _gpus() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def _engine_advice(message: str) -> str:
    return "" if "`" in message or "pip install" in message or "VIVA_" in message else "see `viva models list`"


def _is_ours(settings: Settings) -> bool:
    import httpx

    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    try:
        answer = httpx.get(f"http://{host}:{settings.port}{settings.root_path}/health", timeout=PROBE_TIMEOUT_S)
        return "database" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _directory(name: str, folder: Path, detail: str) -> Finding:
    place = _existing(folder)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding(name, "ok", detail)
    return Finding(name, "fail", f"{place} cannot be written", "set VIVA_DATA_DIR to a directory you may write to")
