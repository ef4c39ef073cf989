"""The question banks: where they are found, and how a further directory adds to them or overrides them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from workbench.exam.bank_check import check
from workbench.exam.bank_file import BankError, Finding, read_area, read_bank
from workbench.exam.items import Area, Bank, Exemplar, KeyPoint, Question, Scenario

__all__ = [
    "Area", "Bank", "BankError", "Exemplar", "Finding", "KeyPoint", "Question", "Scenario",
    "bank_paths", "built_in_dir", "check", "load_banks", "read_area", "read_bank",
]  # fmt: skip


def built_in_dir() -> Path:
    """Directory of the banks that come with the workbench, in a checkout or in an installed wheel.

    Raises:
        FileNotFoundError: Neither is there; the installation is broken.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "_data" / "banks", package.parent / "data" / "banks")
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no question banks at {' or '.join(map(str, places))}; install the workbench again")


def bank_paths(directory: Path) -> Iterator[Path]:
    """Every bank below a directory: `NAME.yaml`, or `NAME/` with a `bank.yaml`; sorted by name."""
    for path in sorted(directory.iterdir()):
        if (path.is_file() and path.suffix in (".yaml", ".yml")) or (path / "bank.yaml").is_file():
            yield path


def load_banks(banks_dir: Path | None = None) -> dict[str, Bank]:
    """Every bank by the key of its discipline, the built-in ones first.

    Args:
        banks_dir: A further directory. A discipline it alone has is added; of one that is built in, areas of
            the same key are replaced and others added, and its card (title, version, licence) holds.

    Raises:
        BankError: A file does not hold a bank; every problem of every file is named.
        FileNotFoundError: `banks_dir` is no directory.
    """
    if banks_dir is not None and not banks_dir.is_dir():
        raise FileNotFoundError(f"VIVA_BANKS_DIR {banks_dir} is no directory; create it or unset the setting")
    banks: dict[str, Bank] = {}
    findings: list[Finding] = []
    for directory in (built_in_dir(), banks_dir):
        for path in bank_paths(directory) if directory else ():
            try:
                bank = _read_once(path, _stamps(path))
            except BankError as error:
                findings.extend(error.findings)
                continue
            banks[bank.discipline] = _merged(banks.get(bank.discipline), bank)
    if findings:
        raise BankError(findings)
    return banks


Stamps = tuple[tuple[str, int, int], ...]
"""Name, time of the last change and size of every file of a bank."""


def _stamps(path: Path) -> Stamps:
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


@lru_cache(maxsize=64)
def _read_once(path: Path, stamps: Stamps) -> Bank:
    """A bank as it stands on disk; read again only after a file changed. It cannot be altered, so all share it."""
    return read_bank(path)


def _merged(old: Bank | None, new: Bank) -> Bank:
    """`new` with the areas of `old` that it does not replace, in the old order first."""
    if old is None:
        return new
    fresh = {area.key: area for area in new.areas}
    areas = [fresh.pop(area.key, area) for area in old.areas]
    return replace(new, areas=(*areas, *fresh.values()))
