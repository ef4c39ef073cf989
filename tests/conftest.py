"""Shared fixtures: settings in a temporary directory, the corpora beside the checkout, the weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.live_server import live_server, scripted_url  # noqa: F401  (one server for all tests of a run)
from workbench.settings import Settings

REPOSITORY = Path(__file__).parent.parent


LONGEST = ("test_page_viva.py", "test_openai_sdk.py")
"""Files that sit whole vivas at the pace of speech; they begin first, so that the others run beside them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Directory of the optional corpora; skips where they are absent."""
    path = Path(os.environ.get("VIVA_SHARED_DIR") or REPOSITORY.parent / "shared")
    if not (path / "speech").is_dir():
        pytest.skip(f"no recorded speech at {path}; point VIVA_SHARED_DIR at the corpora to run this test")
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that write below a temporary directory and read no .env file."""
    return Settings(_env_file=None, data_dir=tmp_path / "var")  # type: ignore[call-arg]
