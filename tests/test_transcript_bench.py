"""The bench of the researcher's tables: it loads what it made, and says how much that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.bench.transcripts import WORDS_PER_TURN, fill, measure
from workbench.settings import Settings
from workbench.transcripts import load


def test_copies_of_vivas_are_whole_vivas_under_ids_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workbench.bench.transcripts.AT_ONCE", 2)
    found = load(fill(tmp_path, 5, seed=1))
    assert list(found.sessions.session_id) == [f"sess_{place:06d}" for place in (0, 2, 4, 1, 3)]
    assert found.sessions.candidate_id.is_unique and len(found.marks) == len(found.items) == 5 * 12
    counted = found.words.groupby("session_id").size()
    assert len(counted) == 5 and (counted == 12 * WORDS_PER_TURN).all()
    joined = found.words.merge(found.turns, on=["session_id", "turn_index"], suffixes=("", "_turn"))
    assert (joined.start_s >= joined.start_s_turn).all() and len(joined) == len(found.words)


def test_a_store_is_filled_with_whole_vivas_whose_names_are_taken_out(tmp_path: Path):
    found = load(fill(tmp_path, 3, seed=1))
    assert list(found.sessions.n_items) == [12, 12, 12] and len(found.words) == 3 * 12 * WORDS_PER_TURN
    assert (found.sessions.score == found.marks[found.marks.counts].groupby("session_id").points.sum().to_numpy()).all()
    said = " ".join(found.turns.text)
    assert "My name is c-00000000." in said and not any(name in said for name in ("Byron", "Turing", "Hopper"))


def test_every_size_is_measured_from_the_store_and_from_parquet():
    (size,) = measure(Settings(), [2])["sizes"]
    assert size["sessions"] == 2
    assert size["store"]["rows"] == size["parquet"]["rows"] and size["store"]["rows"]["turns"] == 2 * 26
    assert size["store"]["mean_score"] == size["parquet"]["mean_score"]
    for part in ("store", "parquet"):
        assert set(size[part]["load_s"]) == {"sessions", "turns", "words", "items", "marks", "events"}
        assert 0 < size[part]["before_gib"] <= size[part]["peak_gib"]
