"""The files of an import as bytes, read within limits: a file, a folder, an upload, or an archive."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from workbench.exam.bank_file import BankError, Finding

Format = Literal["yaml", "csv", "xlsx", "moodle", "qti"]
FORMATS: tuple[Format, ...] = get_args(Format)

MAX_FILE_BYTES = 20_000_000
"""Largest file that is read; the largest built-in discipline has 0.4 MB."""

MAX_UNPACKED_BYTES = 50_000_000
"""Most that an archive may unpack to, all files together."""

MAX_FILES = 2_000

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"


@dataclass(frozen=True)
class Source:
    """What is imported: a name for messages, and its files by their path inside it ("" for a single file)."""

    name: str
    files: Mapping[str, bytes]

    @property
    def only(self) -> bytes:
        """The bytes of a source of one file.

        Raises:
            BankError: It has several.
        """
        if len(self.files) != 1:
            raise refused(self.name, f"holds {len(self.files)} files where one is read")
        return next(iter(self.files.values()))

    def label(self, file: str) -> str:
        """How a file of it is named in findings."""
        return f"{self.name}/{file}" if file else self.name


def refused(name: str, message: str, code: str = "unreadable", line: int = 1) -> BankError:
    """An error of one finding that is about a file as a whole."""
    return BankError([Finding(name, line, "", code, message)])


def from_path(path: Path) -> Source:
    """Reads a file, or a folder's YAML files.

    Raises:
        BankError: It cannot be read, or is larger than the limits.
    """
    name = str(path)
    try:
        if not path.is_dir():
            with path.open("rb") as file:
                return from_bytes(name, file.read(MAX_FILE_BYTES + 1))
        found = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
        if not found:
            raise refused(name, "holds no YAML file; give a file, or a folder with bank.yaml and a file an area")
        if len(found) > MAX_FILES or sum(p.stat().st_size for p in found) > MAX_UNPACKED_BYTES:
            raise refused(name, f"holds more than {MAX_FILES} files or {MAX_UNPACKED_BYTES:,} bytes", "too-large")
        return Source(name, {p.name: p.read_bytes() for p in found})
    except OSError as error:
        raise refused(name, f"cannot be read: {error.strerror or error}") from error


def from_bytes(name: str, data: bytes) -> Source:
    """Takes uploaded bytes; an archive other than a workbook is unpacked in memory, never onto the disk.

    Raises:
        BankError: It is empty, larger than the limits, or an archive that is damaged or hostile.
    """
    if len(data) > MAX_FILE_BYTES:
        raise refused(name, f"is larger than the {MAX_FILE_BYTES:,} bytes that are read", "too-large")
    if not data.strip():
        raise refused(name, "the file is empty", "empty")
    if not data.startswith((_ZIP, _EMPTY_ZIP)):
        return Source(name, {"": data})
    with open_archive(name, data) as archive:
        if is_workbook(archive):
            return Source(name, {"": data})
        files = {info.filename: _unpack(name, archive, info) for info in archive.infolist() if not info.is_dir()}
    if not files:
        raise refused(name, "the archive is empty", "empty")
    return Source(name, files)


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is an Office file."""
    return "[Content_Types].xml" in archive.namelist()


def open_archive(name: str, data: bytes) -> zipfile.ZipFile:
    """Opens an archive whose listing is within the limits.

    `zipfile` never reads more of a file than the listing says, so that a listing that lies is found at its checksum.

    Raises:
        BankError: It is damaged, encrypted, would unpack to too much, or names a place outside itself.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise refused(name, f"is a damaged archive: {error}") from error
    listing = archive.infolist()
    unpacked = sum(info.file_size for info in listing)
    seen: set[str] = set()
    problem = ""
    if len(listing) > MAX_FILES:
        problem = f"holds {len(listing)} files; at most {MAX_FILES} are read"
    elif unpacked > MAX_UNPACKED_BYTES:
        problem = f"would unpack to {unpacked:,} bytes; at most {MAX_UNPACKED_BYTES:,} are read"
    for info in listing if not problem else ():
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename.split("/")[0]:
            problem = f"names a place outside itself: {info.filename!r}; pack it again with plain relative names"
        elif info.flag_bits & 1:
            problem = f"holds an encrypted file, {info.filename!r}; pack it again without a password"
        elif stat.S_ISLNK(info.external_attr >> 16):
            problem = f"holds a link, {info.filename!r}; pack the file itself"
        elif info.filename in seen:
            problem = f"holds {info.filename!r} twice"
        seen.add(info.filename)
    if problem:
        archive.close()
        raise refused(name, f"the archive {problem}", "archive")
    return archive


def _unpack(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise refused(name, f"the archive is damaged at {info.filename!r}: {error}", "archive") from error


def format_of(source: Source) -> Format:
    """The format of a source, by what it holds before what it is called.

    Raises:
        BankError: It is none of those that are read.
    """
    if "" not in source.files:
        names = {PurePosixPath(file).name for file in source.files}
        if "imsmanifest.xml" in names:
            return "qti"
        if names and all(file.endswith((".yaml", ".yml")) for file in names):
            return "yaml"
        if any(file.endswith(".xml") for file in names):
            return "qti"
        raise refused(source.name, "holds neither imsmanifest.xml nor YAML files", "format")
    data = source.only
    suffix = Path(source.name).suffix.lower()
    head = data[:4000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if data.startswith(_ZIP):
        return "xlsx"
    if head.startswith(b"<"):
        return "moodle" if b"<quiz" in head else "qti"
    known: dict[str, Format] = {".yaml": "yaml", ".yml": "yaml", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}
    if suffix in known:
        return known[suffix]
    raise refused(
        source.name,
        f"is of no known format (ending {suffix or 'none'!r}); allowed are YAML, CSV, XLSX, Moodle XML and QTI 3 "
        f"(XML or zip); name it with --format {'|'.join(FORMATS)}",
        "format",
    )
