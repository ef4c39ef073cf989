"""WebVTT captions: one file a viva, a cue a turn with its speaker, for players and caption editors.

Syntax: W3C Candidate Recommendation "WebVTT: The Web Video Text Tracks Format", sections 4.1 to 4.3.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import pandas as pd

from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.frames import Transcripts
from workbench.transcripts.spans import file_name, one_line

SUFFIX = ".vtt"
_CUE = re.compile(
    r"(?:(?P<index>\d+)\n)?(?P<start>[\d:.]+) --> (?P<end>[\d:.]+)[^\n]*\n"
    r"<v (?P<who>[^>]+)>(?P<text>[^\n]*?)(?:</v>)?(?:\n|$)"
)


def to_webvtt(transcripts: Transcripts, folder: Path | str) -> Path:
    """Writes a WebVTT file for every viva that has turns; returns the folder.

    Kept: who said what when, to the millisecond; the cue's id is the turn's index. Text is put on one line, a turn
    without length (typed) is shown for a millisecond, and cues stand by their start.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    turns = transcripts.turns
    for session_id, said in turns.groupby("session_id", sort=False):
        lines = ["WEBVTT", ""]
        for turn in said.sort_values("start_s", kind="stable").itertuples():
            start_ms = round(turn.start_s * 1000)
            end_ms = max(round(turn.end_s * 1000), start_ms + 1)
            text = html.escape(one_line(turn.text), quote=False)
            lines += [str(turn.turn_index), f"{_stamp(start_ms)} --> {_stamp(end_ms)}"]
            lines += [f"<v {str(turn.speaker).capitalize()}>{text}</v>", ""]
        path = target / file_name(str(session_id), SUFFIX)
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    return target


def read_webvtt(path: Path | str) -> pd.DataFrame:
    """The turns of a WebVTT file that `to_webvtt` wrote.

    Returns:
        `session_id` (the file's name), `turn_index`, `speaker`, `start_s`, `end_s`, `text`.

    Raises:
        TranscriptError: The file is no such WebVTT.
    """
    file = Path(path)
    content = file.read_text(encoding="utf-8").replace("\r\n", "\n")
    if not content.startswith("WEBVTT"):
        raise TranscriptError(f"{file.name} does not begin with WEBVTT")
    rows = [
        (
            file.stem,
            int(cue["index"] or place),
            cue["who"].lower(),
            _seconds(cue["start"]),
            _seconds(cue["end"]),
            html.unescape(cue["text"]),
        )
        for place, cue in enumerate(_CUE.finditer(content))
    ]
    if len(rows) != content.count(" --> "):
        raise TranscriptError(f"{file.name}: a cue without a speaker; only captions written here can be read back")
    frame = pd.DataFrame(rows, columns=["session_id", "turn_index", "speaker", "start_s", "end_s", "text"])
    return frame.astype({name: "string[pyarrow]" for name in ("session_id", "speaker", "text")})


def _stamp(milliseconds: int) -> str:
    """A WebVTT time.

    >>> _stamp(3_723_004)
    '01:02:03.004'
    """
    seconds, ms = divmod(milliseconds, 1000)
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    return f"{hours:02d}:{m:02d}:{s:02d}.{ms:03d}"


def _seconds(stamp: str) -> float:
    *hours, minutes, seconds = stamp.split(":")
    return round(int(hours[0] if hours else 0) * 3600 + int(minutes) * 60 + float(seconds), 3)
