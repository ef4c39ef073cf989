"""The tables of many vivas, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from workbench.transcripts.columns import TABLES
from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.schema import check, coerced, table_named

if TYPE_CHECKING:
    from collections.abc import Mapping


class Transcripts:
    """The tables `sessions, turns, words, items, marks, events` of one source.

    A table is read the first time it is asked for and kept; `release` lets go of it. What a table holds is a frame of
    your own: changing it changes it here, not at the source. `viva transcripts --dictionary` explains every column.

    Args:
        read: Reads a table by its name.
        about: What they were read from, for people.
        recording: Finds the recording of a viva; None where there are none.
    """

    def __init__(
        self,
        read: Callable[[str], pd.DataFrame],
        *,
        about: str,
        recording: Callable[[str], Path | None] = lambda session_id: None,
    ) -> None:
        self.about = about
        self._read = read
        self._recording = recording
        self._kept: dict[str, pd.DataFrame] = {}

    @classmethod
    def of(cls, frames: Mapping[str, pd.DataFrame], *, about: str = "frames") -> Transcripts:
        """Tables made elsewhere, brought to their types and checked; those left out are empty.

        Raises:
            TranscriptError: A frame is not what its table promises.
        """
        if unknown := set(frames) - set(TABLES):
            raise TranscriptError(f"no table {', '.join(map(repr, sorted(unknown)))}; there are {', '.join(TABLES)}")

        def read(name: str) -> pd.DataFrame:
            given = frames.get(name)
            if given is None:
                given = pd.DataFrame(columns=list(table_named(name).names))
            return check(coerced(given, name), name)

        return cls(read, about=about)

    def table(self, name: str) -> pd.DataFrame:
        """A table by its name.

        Raises:
            TranscriptError: There is no such table, or the source does not hold what it promises.
        """
        if name not in self._kept:
            table_named(name)
            self._kept[name] = self._read(name)
        return self._kept[name]

    @property
    def sessions(self) -> pd.DataFrame:
        """One row a viva."""
        return self.table("sessions")

    @property
    def turns(self) -> pd.DataFrame:
        """One row a turn."""
        return self.table("turns")

    @property
    def words(self) -> pd.DataFrame:
        """One row a recognised word."""
        return self.table("words")

    @property
    def items(self) -> pd.DataFrame:
        """One row a question of a viva."""
        return self.table("items")

    @property
    def marks(self) -> pd.DataFrame:
        """One row a mark."""
        return self.table("marks")

    @property
    def events(self) -> pd.DataFrame:
        """One row an event."""
        return self.table("events")

    def recording(self, session_id: str) -> Path | None:
        """The recording of a viva (two channels: candidate, examiner as heard), None when there is none."""
        return self._recording(session_id)

    def release(self, *names: str) -> None:
        """Lets go of tables, of all when none is named; they are read again when asked for."""
        for name in names or tuple(TABLES):
            self._kept.pop(table_named(name).name, None)

    def only(self, session_ids: Iterable[str]) -> Transcripts:
        """The same tables with the rows of some vivas.

        >>> few = transcripts.only(transcripts.sessions.query("area == 'cardiology'").session_id)  # doctest: +SKIP
        """
        wanted = frozenset(map(str, session_ids))

        def read(name: str) -> pd.DataFrame:
            frame = self.table(name)
            return frame[frame["session_id"].isin(wanted)].reset_index(drop=True)

        return Transcripts(read, about=self.about, recording=self._recording)

    def changed(self, change: Callable[[str, pd.DataFrame], pd.DataFrame], *, about: str = "") -> Transcripts:
        """The same tables after a change, made when one is asked for: `change(name, frame)` gives the new frame."""

        def read(name: str) -> pd.DataFrame:
            return check(coerced(change(name, self.table(name).copy()), name), name)

        return Transcripts(read, about=about or self.about, recording=self._recording)

    def __repr__(self) -> str:
        read = [f"{name} {len(frame):,}" for name, frame in self._kept.items()]
        return f"Transcripts of {self.about} (read: {', '.join(read) or 'nothing yet'})"
