"""Empty MLflow stores: the tables are made once a run of the tests, which takes seconds, and copied."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from finetune.tracking import client_of, tracking_uri
from workbench.settings import Settings


def settings_with_store(directory: Path) -> Settings:
    """Settings whose tracking store is a new SQLite file below `directory`."""
    settings = Settings(_env_file=None, data_dir=directory / "var")  # type: ignore[call-arg]
    path = _file(settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(_tables())
    return settings


@lru_cache(maxsize=1)
def _tables() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(_env_file=None, data_dir=Path(directory))  # type: ignore[call-arg]
        client_of(settings)
        return _file(settings).read_bytes()


def _file(settings: Settings) -> Path:
    return Path(tracking_uri(settings).removeprefix("sqlite:///"))
