"""Praat's TextGrid: one file a viva with a tier for each speaker's turns, for the words, and for the questions.

Layout: "TextGrid file formats", Praat manual (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.frames import Transcripts
from workbench.transcripts.needs import require
from workbench.transcripts.spans import Annotated, Span, annotated, file_name

SUFFIX = ".TextGrid"


def to_textgrid(transcripts: Transcripts, folder: Path | str) -> Path:
    """Writes a TextGrid for every viva; returns the folder.

    Kept: who said what when (to the last digit), the words, the questions. Not kept: everything else. Text is put on
    one line; on a tier a span that overlaps the one before begins where that one ends, and a typed turn gets a
    millisecond.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for viva in annotated(transcripts):
        (target / file_name(viva.session_id, SUFFIX)).write_text(_text(viva), encoding="utf-8", newline="\n")
    return target


def read_textgrid(path: Path | str) -> pd.DataFrame:
    """The spans of a TextGrid (this program's or anybody's), read by praatio.

    Returns:
        `session_id` (the file's name), `tier`, `start_s`, `end_s`, `text`, in the order of the tiers; empty spans
        are left out.

    Raises:
        TranscriptError: The file is no TextGrid.
    """
    require("praatio")
    from praatio import textgrid
    from praatio.utilities.errors import PraatioException

    file = Path(path)
    try:
        grid = textgrid.openTextgrid(str(file), includeEmptyIntervals=False, reportingMode="silence")
    except (PraatioException, ValueError, IndexError, KeyError, UnicodeError) as error:
        raise TranscriptError(f"{file.name} is no TextGrid praatio can read ({type(error).__name__})") from None
    rows = [
        (file.stem, tier.name, float(entry[0]), float(entry[-2] if len(entry) > 2 else entry[0]), entry[-1])
        for tier in grid.tiers
        for entry in tier.entries
    ]
    frame = pd.DataFrame(rows, columns=["session_id", "tier", "start_s", "end_s", "text"])
    return frame.astype({name: "string[pyarrow]" for name in ("session_id", "tier", "text")})


def _text(viva: Annotated) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {viva.duration_s!r}"]
    lines += ["tiers? <exists>", f"size = {len(viva.tiers)}", "item []:"]
    for place, (name, spans) in enumerate(viva.tiers.items(), start=1):
        filled = list(_without_gaps(spans, viva.duration_s))
        lines += [f"    item [{place}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {viva.duration_s!r}", f"        intervals: size = {len(filled)}"]
        for number, span in enumerate(filled, start=1):
            lines += [
                f"        intervals [{number}]:",
                f"            xmin = {span.start_s!r}",
                f"            xmax = {span.end_s!r}",
                f"            text = {_quoted(span.label)}",
            ]
    return "\n".join(lines) + "\n"


def _without_gaps(spans: list[Span], duration_s: float) -> Iterator[Span]:
    """The spans with empty ones between them: an interval tier covers all of its time."""
    at_s = 0.0
    for span in spans:
        if span.start_s > at_s:
            yield Span(at_s, span.start_s, "")
        yield span
        at_s = span.end_s
    if duration_s > at_s:
        yield Span(at_s, duration_s, "")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
