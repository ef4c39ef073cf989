"""`load`: finds out what a source is and hands back its tables."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from workbench.settings import Settings
from workbench.store.database import database_url
from workbench.store.repository import Store
from workbench.transcripts.errors import TranscriptError
from workbench.transcripts.folder import has_tables, read_folder
from workbench.transcripts.frames import Transcripts
from workbench.transcripts.from_export import ExportSource, is_export
from workbench.transcripts.from_store import StoreSource
from workbench.transcripts.tidy import Source, tidy

ALLOWED = (
    "the store (nothing, a Store, a database URL, an .sqlite3 file or the folder that holds one), an export"
    " (.jsonl or .json), or a folder (or .zip) of tables or exports"
)
SQLITE_SUFFIXES = (".sqlite3", ".sqlite", ".db")


def load(
    source: Store | Path | str | None = None, *, running: bool = False, cohort_id: int | None = None
) -> Transcripts:
    """The tables of many vivas; each is read when it is first asked for.

    Args:
        source: The store of the settings (`VIVA_DATABASE_URL`) when None; else a `Store`, a database URL, an SQLite
            file, an export of `viva sessions export` or of the educators' page, or a folder: of tables that
            `to_parquet` or `to_csv` wrote, of exports, or the data directory of a server; or a zip of a folder.
        running: Whether vivas of the store that have not ended are read too.
        cohort_id: Only the vivas of this cohort of the store.

    Raises:
        TranscriptError: There is nothing of the kind at the source.
        StoreError: The database does not answer.

    >>> transcripts = load("data/sample")  # doctest: +SKIP
    >>> transcripts.sessions.groupby("area").score.mean()  # doctest: +SKIP
    """
    store = _store_of(source)
    if store is not None:
        return of_source(StoreSource(store, running=running, cohort_id=cohort_id))
    if running or cohort_id is not None:
        raise TranscriptError("running and cohort_id choose among the vivas of a store; filter an export with `only`")
    path = Path(os.path.expanduser(str(source)))
    if path.is_dir():
        if has_tables(path):
            return read_folder(path)
        exports = sorted(file for file in path.iterdir() if is_export(file))
        if exports:
            return of_source(ExportSource(*exports))
        raise TranscriptError(f"the folder {path} holds no tables, exports or store; allowed: {ALLOWED}")
    if not path.is_file():
        raise TranscriptError(f"there is nothing at {path}; allowed: {ALLOWED}")
    if is_export(path):
        return of_source(ExportSource(path))
    if zipfile.is_zipfile(path):
        return _unpacked(path)
    raise TranscriptError(f"{path.name} is neither a store nor an export; allowed: {ALLOWED}")


def _unpacked(path: Path) -> Transcripts:
    """The tables or exports in a zip, unpacked beside nothing: the copy goes when the tables do."""
    unpacked = tempfile.TemporaryDirectory(prefix="viva-tables-")
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            # by the last part of its name: no member can leave the folder
            if not member.is_dir():
                (Path(unpacked.name) / Path(member.filename).name).write_bytes(archive.read(member))
    inside = load(unpacked.name)

    def read(name: str) -> Any:
        assert unpacked.name  # keeps the folder as long as it may be read
        return inside.table(name)

    return Transcripts(read, about=f"the archive {path.name}")


def of_source(source: Source) -> Transcripts:
    """The tables of anything that hands out raw ones."""
    recording: Any = getattr(source, "recording", lambda session_id: None)
    return Transcripts(lambda name: tidy(source, name), about=source.about, recording=recording)


def _store_of(source: Store | Path | str | None) -> Store | None:
    """The store a source means, None when it means files."""
    if isinstance(source, Store):
        return source
    if source is None:
        settings = Settings()
        if settings.database_url is None and not (settings.data_dir / "viva.sqlite3").is_file():
            raise TranscriptError(
                f"there is no store in {settings.data_dir}: set VIVA_DATABASE_URL or VIVA_DATA_DIR, or name a source;"
                f" allowed: {ALLOWED}"
            )
        return _opened(settings, database_url(settings))
    given = str(source)
    if "://" in given:
        return _opened(Settings(), given)
    path = Path(os.path.expanduser(given))
    if path.is_dir() and not has_tables(path) and (path / "viva.sqlite3").is_file():
        return _opened(
            Settings(data_dir=path, database_url=None), database_url(Settings(data_dir=path, database_url=None))
        )
    if path.is_file() and path.suffix in SQLITE_SUFFIXES:
        return _opened(Settings(data_dir=path.parent), f"sqlite:///{path.resolve()}")
    return None


def _opened(settings: Settings, url: str) -> Store:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None  # the store says what is wrong with it
    if parsed is not None and parsed.get_backend_name() == "sqlite":
        file = parsed.database
        if file and file != ":memory:" and not Path(file).is_file():
            raise TranscriptError(f"there is no database at {file}; allowed: {ALLOWED}")
    # the URL travels in the settings, so that `about` names the source that was opened
    return Store(settings.model_copy(update={"database_url": url}))
