"""Copies of recordings and reports at any place fsspec knows: S3, Azure, SFTP, a mounted directory.

Each file is written, its size is read back, and only then counts as kept. The copy on this machine stays unless
VIVA_ARCHIVE_DELETE_LOCAL says otherwise, and is deleted only after its copy was checked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.delivery.errors import DeliveryError, NotConfigured, Transient
from workbench.delivery.outbox import Outbox, key_of
from workbench.delivery.over import require_over
from workbench.delivery.retrying import Sleep, tried
from workbench.exam.items import Bank
from workbench.reports.formats import session_file
from workbench.settings import Settings
from workbench.store import recordings
from workbench.store.repository import Store

SETTLED_S = 60.0
"""A WAV nothing was written to for this long is what a killed process left: it is archived as it is."""

_FORMATS = ("json", "pdf")

_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci"})
"""Have no directories; asking them for one would make a bucket nobody meant."""


def is_configured(settings: Settings) -> bool:
    """Whether there is an archive."""
    return bool(settings.archive_url)


def archive_session(
    store: Store,
    banks: Mapping[str, Bank],
    settings: Settings,
    outbox: Outbox,
    session_id: str,
    *,
    actor: str = "system",
    now: datetime | None = None,
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Copies a session's recording and report; a second call writes the same files again, with today's marks.

    Returns:
        Names of the files, below the session's own folder.

    Raises:
        NotConfigured: There is no archive.
        DeliveryError: The session still runs or may be taken up again, or the archive did not take a file whole.
    """
    _require(settings)
    data = store.load_session(session_id)
    if data.session.status == "running" or is_growing(data.recording):
        raise DeliveryError(f"session {session_id} is still being recorded; archive it once it is over")
    require_over(data.session, now, "archive it")
    sitting = store.sitting(session_id)
    key = archive_key(settings, session_id, sitting.results_published_at if sitting else None)
    outbox.begin(key, "archive", session_id, may_repeat=True)
    names: list[str] = []
    try:
        for kind in _FORMATS:
            content = session_file(data, banks, kind).content  # type: ignore[arg-type]
            names.append(f"report.{kind}")
            _put(settings, f"{session_id}/report.{kind}", content, sleep)
        if data.recording is not None:
            names.append(f"recording{data.recording.suffix}")
            _put(settings, f"{session_id}/{names[-1]}", data.recording, sleep)
    except DeliveryError as error:
        outbox.failed(key, str(error))
        raise
    except Exception as error:
        outbox.failed(key, type(error).__name__)
        raise
    outbox.sent(key)
    store.note(actor, "session.archived", session_id, n_files=len(names))
    if settings.archive_delete_local and data.recording is not None:
        recordings.remove(store.recordings_dir, session_id)
        store.note(actor, "recording.moved", session_id)
    return names


def is_growing(recording: Path | None) -> bool:
    """Whether a recording may still be written to: a WAV that was changed a moment ago."""
    return recording is not None and recording.suffix == ".wav" and time.time() - recording.stat().st_mtime < SETTLED_S


def remove_archived(settings: Settings, session_id: str) -> int:
    """Deletes a session's folder in the archive; returns how many files it had. Deletion deletes there too.

    Raises:
        NotConfigured: There is no archive.
        DeliveryError: It could not be deleted.
    """
    _require(settings)
    files, root = _files(settings)
    folder = f"{root}/{session_id}"

    def remove() -> int:
        try:
            files.invalidate_cache()
            if not files.exists(folder):
                return 0
            n_files = len(files.find(folder))
            files.rm(folder, recursive=True)
            return n_files
        except Exception as error:
            raise _explained(error, settings) from None

    return tried(remove, tries=settings.delivery_tries)


def send_test(settings: Settings, *, sleep: Sleep = time.sleep) -> str:
    """Writes a small file, reads it back and deletes it; returns a sentence that says where.

    Raises:
        NotConfigured: There is no archive.
        DeliveryError: One of the three does not work.
    """
    _require(settings)
    name = f"viva-test-{time.time_ns()}.txt"
    _put(settings, name, b"a test of the Viva Workbench's archive\n", sleep)
    files, root = _files(settings)
    try:
        files.rm(f"{root}/{name}")
    except Exception as error:
        raise _explained(error, settings) from None
    return f"{_shown(settings)} took a test file, gave its size back and deleted it"


def archive_key(settings: Settings, session_id: str, published_at: datetime | None = None) -> str:
    """The key under which the outbox knows a session's copy: once published it is copied anew, with those marks."""
    return key_of(
        "archive", str(settings.archive_url), session_id, *([published_at.isoformat()] if published_at else [])
    )


def _require(settings: Settings) -> None:
    if not is_configured(settings):
        raise NotConfigured("the archive is off; set VIVA_ARCHIVE_URL to turn it on, such as s3://bucket/vivas")


def _shown(settings: Settings) -> str:
    """The archive's address without what may be secret in it."""
    scheme, _, rest = str(settings.archive_url).rpartition("://")
    return f"{scheme or 'file'}://{rest.rpartition('@')[2]}"


def _options(settings: Settings) -> dict[str, Any]:
    if settings.archive_options is None:
        return {}
    try:
        options = json.loads(settings.archive_options.get_secret_value())
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise DeliveryError('VIVA_ARCHIVE_OPTIONS is no JSON object such as {"key": "...", "secret": "..."}')
    return options


def _files(settings: Settings) -> tuple[Any, str]:
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(str(settings.archive_url), **_options(settings))
    except ImportError as error:
        raise DeliveryError(
            f"{_shown(settings)} needs a package that is not here ({error}); for S3: pip install 'viva-workbench[s3]'"
        ) from None
    except DeliveryError:
        raise
    except Exception as error:
        raise DeliveryError(
            f"VIVA_ARCHIVE_URL {_shown(settings)} cannot be opened ({type(error).__name__}); give a URL that fsspec"
            " knows, such as s3://bucket/vivas or file:///srv/vivas"
        ) from None
    return files, root.rstrip("/")


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _put(settings: Settings, name: str, content: bytes | Path, sleep: Sleep) -> None:
    files, root = _files(settings)
    path = f"{root}/{name}"
    size = content.stat().st_size if isinstance(content, Path) else len(content)

    def put() -> None:
        try:
            if not _OBJECT_STORES.intersection(_protocols(files)):
                files.makedirs(path.rpartition("/")[0], exist_ok=True)
            if isinstance(content, Path):
                files.put_file(str(content), path)
            else:
                files.pipe_file(path, content)
            files.invalidate_cache()
            there = files.info(path)["size"]
        except Exception as error:
            raise _explained(error, settings) from None
        if there != size:
            raise Transient(f"{_shown(settings)} has {there} of the {size} bytes of {name.rpartition('/')[2]}")

    tried(put, tries=settings.delivery_tries, sleep=sleep)


def _explained(error: Exception, settings: Settings) -> DeliveryError:
    """What an archive's library raised: its class, and whether another try makes sense; never its text."""
    where, kind = _shown(settings), type(error).__name__
    if isinstance(error, DeliveryError):
        return error
    if isinstance(error, PermissionError):
        return DeliveryError(f"{where} refuses this login; see VIVA_ARCHIVE_OPTIONS")
    if isinstance(error, FileNotFoundError):
        return DeliveryError(f"{where} does not exist; make the bucket or directory first")
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return DeliveryError(f"{where} needs a login; set it in VIVA_ARCHIVE_OPTIONS or in the environment")
    return Transient(f"{where} cannot be written ({kind})")
