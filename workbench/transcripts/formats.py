"""Every format by name, and the one door to write them: a folder, or one zip of it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from workbench.transcripts.convokit_format import to_convokit
from workbench.transcripts.eaf import to_eaf
from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.folder import to_csv, to_parquet
from workbench.transcripts.frames import Transcripts
from workbench.transcripts.textgrid import to_textgrid
from workbench.transcripts.webvtt_format import to_webvtt

FORMATS: dict[str, tuple[str, Callable[[Transcripts, Path], Path]]] = {
    "parquet": ("six tables for pandas, R, DuckDB; nothing is lost", to_parquet),
    "tables": ("six tables as CSV; nothing is lost", to_csv),
    "webvtt": ("captions, a file a viva", to_webvtt),
    "textgrid": ("Praat, a file a viva", to_textgrid),
    "eaf": ("ELAN, a file a viva", to_eaf),
    "convokit": ("one ConvoKit corpus; nothing is lost", to_convokit),
}
"""What each format is for, and its writer."""


def write(transcripts: Transcripts, kind: str, target: Path | str) -> Path:
    """Writes a format to a new or empty folder, or to a file whose name ends in `.zip`; returns it.

    Raises:
        TranscriptError: No such format, or something is there already.
    """
    if kind not in FORMATS:
        raise TranscriptError(f"no format {kind!r}; there are {', '.join(FORMATS)}")
    place = Path(target)
    if place.suffix == ".zip":
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_bytes(zipped(transcripts, kind, place.stem))
        return place
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise TranscriptError(f"{place} is there already and not empty; name a new folder, or a file NAME.zip")
    FORMATS[kind][1](transcripts, place)
    return place


def zipped(transcripts: Transcripts, kind: str, name: str) -> bytes:
    """A format as a zip with one folder of this name in it; nothing of it stays on disk."""
    if kind not in FORMATS:
        raise TranscriptError(f"no format {kind!r}; there are {', '.join(FORMATS)}")
    folder = Path(tempfile.mkdtemp(prefix="viva-export-"))
    try:
        FORMATS[kind][1](transcripts, folder)
        with tempfile.TemporaryFile() as made:
            with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    archive.write(path, f"{name}/{path.relative_to(folder)}")
            made.seek(0)
            return made.read()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
