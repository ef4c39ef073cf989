"""Stores, sessions and marks for the tests of what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.settings import Settings
from workbench.store.repository import Store


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


def store_at(folder: Path, **options: Any) -> Store:
    return Store(Settings(_env_file=None, data_dir=folder), **options)  # type: ignore[call-arg]


def new_session(store: Store, **options: Any) -> str:
    given: dict[str, Any] = {"discipline": "medical", "mode": "practice", "seed": 7, "area": "cardiology", **options}
    return store.create_session(**given).id


def mark(points: float = 5.0, question_id: str = "q1", quote: str = "troponin") -> Evaluation:
    verdict: Any = "correct" if points >= 8 else "partial" if points >= 3 else "incorrect"
    evidence = (KeyPointEvidence("k1", "covered", quote, 0.6), KeyPointEvidence("k2", "missing", "", 0.4))
    return Evaluation(question_id, verdict, points, evidence, 0.9, "keyword-1")


def answer(store: Store, session_id: str, number: int = 1, text: str = "aspirin", **options: Any) -> int:
    given: dict[str, Any] = {"typed": False, "probe": False, "skipped": False, "at_s": 12.5, **options}
    return store.save_answer(session_id, number, f"q{number}", text, **given)
