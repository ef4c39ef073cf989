"""ELAN's annotation files (EAF), written and read by pympi: one file a viva with the tiers of `spans.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.frames import Transcripts
from workbench.transcripts.needs import require
from workbench.transcripts.spans import Annotated, annotated, file_name

SUFFIX = ".eaf"
MIME = {".wav": "audio/x-wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg"}


def to_eaf(transcripts: Transcripts, folder: Path | str) -> Path:
    """Writes an EAF for every viva, linked to its recording where there is one; returns the folder.

    Kept: who said what when (to the millisecond, which is all the format has), the words, the questions.
    """
    require("pympi")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for viva in annotated(transcripts):
        path = target / file_name(viva.session_id, SUFFIX)
        path.unlink(missing_ok=True)  # pympi would keep the old one beside it
        _document(viva, target).to_file(str(path))
    return target


def read_eaf(path: Path | str) -> pd.DataFrame:
    """The annotations of an EAF (this program's or anybody's).

    Returns:
        `session_id` (the file's name), `tier`, `start_s`, `end_s`, `text`, by tier and time.

    Raises:
        TranscriptError: The file is no EAF.
    """
    require("pympi")
    from xml.etree.ElementTree import ParseError

    from pympi import Eaf

    file = Path(path)
    try:
        document = Eaf(str(file))
    except (ParseError, KeyError, AttributeError, ValueError) as error:
        raise TranscriptError(f"{file.name} is no EAF pympi can read ({type(error).__name__})") from None
    rows = [
        (file.stem, tier, start / 1000, end / 1000, text)
        for tier in document.get_tier_names()
        for start, end, text, *_ in sorted(document.get_annotation_data_for_tier(tier))
    ]
    frame = pd.DataFrame(rows, columns=["session_id", "tier", "start_s", "end_s", "text"])
    return frame.astype({name: "string[pyarrow]" for name in ("session_id", "tier", "text")})


def _document(viva: Annotated, folder: Path) -> Any:
    from pympi import Eaf

    document = Eaf(author="viva-workbench")
    document.remove_tier("default")
    if viva.recording is not None:
        nearby = os.path.relpath(viva.recording.resolve(), folder.resolve())
        # without the absolute path, which says whose disk it was written on
        document.add_linked_file(nearby, relpath=nearby, mimetype=MIME.get(viva.recording.suffix, "audio/*"))
    for name, spans in viva.tiers.items():
        document.add_tier(name)
        free_ms = 0
        for span in spans:
            start_ms = max(round(span.start_s * 1000), free_ms)
            free_ms = max(round(span.end_s * 1000), start_ms + 1)
            document.add_annotation(name, start_ms, free_ms, span.label)
    return document
