"""The speed of the engines is measured, with the number of runs beside every figure."""

from __future__ import annotations

import pytest

from workbench.bench import engine_speed
from workbench.settings import Settings


@pytest.mark.weights
@pytest.mark.slow
async def test_every_figure_has_its_runs_and_a_kept_beginning_is_quicker_to_answer() -> None:
    found = await engine_speed.measure(Settings(_env_file=None), repeats=3)  # type: ignore[call-arg]
    first = found["llm"]["first_token_ms"]
    assert first["beginning_kept"]["n"] == first["beginning_new"]["n"] == 3
    assert min(first["beginning_kept"]["values"]) < min(first["beginning_new"]["values"])
    assert found["llm"]["tokens_per_s"]["p50"] > 0
    texts = found["tts"]["texts"]
    assert set(texts) == set(engine_speed.TEXTS)
    for text in texts.values():
        assert 0 < text["first_audio_ms"]["p50"]
        assert text["real_time_factor"]["n"] == 3
    assert texts["question"]["audio_s"] > texts["ten_words"]["audio_s"] > texts["short"]["audio_s"] > 0.3
