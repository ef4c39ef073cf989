"""Saves a previewed bank: checked first, written whole or not at all, never over another without being told to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from workbench.bank_exchange.export import bank_data
from workbench.bank_exchange.preview import Preview
from workbench.bank_exchange.yaml_format import write_yaml
from workbench.exam.bank import bank_paths
from workbench.exam.bank_file import BankError, read_bank
from workbench.exam.items import Bank

BACKUPS = ".backups"
"""Folder inside the banks' one that keeps what was replaced; it is no bank, so that none of it is loaded."""


class SaveError(ValueError):
    """A bank was not saved; the message says why and what to do."""


def save(
    preview: Preview,
    directory: Path,
    *,
    replace_existing: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Path:
    """Writes the bank of a preview as `DISCIPLINE.yaml`.

    A bank of the same discipline in the directory is kept unless it may be replaced. Then its areas of other keys stay,
    those of the same key are replaced, the card is the new one, and what was there goes to `.backups`.

    Args:
        preview: What to save.
        directory: Where banks are kept (`VIVA_BANKS_DIR`); made when it is not there.
        replace_existing: Whether a bank of the same discipline may be replaced.
        now: The clock that names backups.

    Returns:
        The file that was written.

    Raises:
        SaveError: The preview has schema errors, or something is in the way.
    """
    bank = preview.bank
    if bank is None:
        raise SaveError(f"{preview.name} holds no bank: {len(preview.findings)} findings are to be mended first")
    directory.mkdir(parents=True, exist_ok=True)
    existing = _existing(directory, bank.discipline)
    target = directory / f"{bank.discipline}.yaml"
    if existing is not None:
        path, old = existing
        if not replace_existing:
            areas = ", ".join(area.key for area in old.areas)
            raise SaveError(
                f"{path} holds {bank.discipline} already (areas {areas}); replace it (--replace), which keeps its "
                f"other areas and a copy in {directory / BACKUPS}, or save to another directory (--to)"
            )
        bank = _merged(old, bank)
        target = path if path.is_file() else target
    if target.exists() and (existing is None or existing[0] != target):
        raise SaveError(f"{target} is in the way and holds no readable bank of {bank.discipline}; mend or move it")
    new = _written(bank, directory)
    try:
        if existing is not None:
            _replace(existing[0], new, target, directory / BACKUPS, now())
        else:
            _place(new, target)
    except FileExistsError as error:
        raise SaveError(f"{target} has appeared meanwhile; look at it, then import again") from error
    finally:
        new.unlink(missing_ok=True)
    return target


def _place(new: Path, target: Path) -> None:
    """Gives a file its name; a link fails where one has appeared meanwhile, which a rename would overwrite."""
    try:
        os.link(new, target)
    except FileExistsError:
        raise
    except OSError:
        # a file system without links
        os.replace(new, target)


def _existing(directory: Path, discipline: str) -> tuple[Path, Bank] | None:
    for path in bank_paths(directory):
        try:
            bank = read_bank(path)
        except BankError:
            continue
        if bank.discipline == discipline:
            return path, bank
    return None


def _merged(old: Bank, new: Bank) -> Bank:
    fresh = {area.key: area for area in new.areas}
    areas = [fresh.pop(area.key, area) for area in old.areas]
    return replace(new, areas=(*areas, *fresh.values()))


def _written(bank: Bank, directory: Path) -> Path:
    """The bank in a file that no one reads yet, read back and compared.

    Raises:
        SaveError: It does not read back as it was, as when ids of two areas clash.
    """
    # the name begins with a dot and does not end in .yaml: it is no bank until it is renamed
    handle, name = tempfile.mkstemp(prefix=f".{bank.discipline}-", suffix=".new", dir=directory)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(write_yaml(bank_data(bank)))
            file.flush()
            os.fsync(file.fileno())
        # mkstemp keeps others out, but the server may run as another user
        path.chmod(0o644)
        if replace(read_bank(path), file="") != replace(bank, file=""):
            raise SaveError(f"{bank.discipline} does not read back as it was written; please report this file")
    except BankError as error:
        path.unlink(missing_ok=True)
        raise SaveError(f"with the areas already there, the bank would not hold: {error}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _replace(old: Path, new: Path, target: Path, backups: Path, now: datetime) -> None:
    backups.mkdir(exist_ok=True)
    kept = backups / f"{old.stem}-{now.strftime('%Y%m%dT%H%M%S%f')}{old.suffix}"
    if old.is_file():
        shutil.copy2(old, kept)
        os.replace(new, target)
        return
    os.rename(old, kept)
    try:
        os.replace(new, target)
    except OSError:
        os.rename(kept, old)
        raise
