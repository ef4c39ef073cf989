"""Smart Turn: its input, and what it says of real sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench.engines import smart_turn
from workbench.engines.base import EngineError, Samples
from workbench.settings import Settings


def test_the_mel_filters_are_slaneys() -> None:
    filters = smart_turn.mel_filters()
    assert filters.shape == (80, 201)
    # below 1 kHz the bands are equally wide: every filter peaks at the same height, 2 / (width of its triangle)
    peaks_hz = np.argmax(filters, axis=1) * 40.0
    top_mel = 15.0 + np.log(8.0) * 27.0 / np.log(6.4)
    assert peaks_hz[0] == pytest.approx(top_mel / 81 * 200 / 3, abs=20.0)
    assert np.all(np.diff(peaks_hz) >= 0)
    assert filters.sum(axis=1) * 40.0 == pytest.approx(np.ones(80), abs=0.5)


@pytest.mark.parametrize("seconds", [0.5, 8.0, 11.0])
def test_the_model_always_sees_eight_seconds(seconds: float) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(int(16_000 * seconds)) / 16_000).astype(np.float32)
    seen = smart_turn.features(tone)
    assert seen.shape == (80, 800)
    assert seen.dtype == np.float32


def test_a_short_clip_is_padded_in_front() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    energy = smart_turn.features(noise).mean(axis=0)
    assert energy[-90:].min() > energy[:690].max()


def test_loudness_does_not_matter() -> None:
    noise = np.random.default_rng(0).standard_normal(8 * 16_000).astype(np.float32)
    assert smart_turn.features(noise * 0.01) == pytest.approx(smart_turn.features(noise * 0.5), abs=1e-3)


def test_missing_weights_are_named_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, models_dir=tmp_path)  # type: ignore[call-arg]
    with pytest.raises(EngineError, match="viva models pull"):
        smart_turn.create(settings)


@pytest.mark.weights
async def test_whole_sentences_sound_more_finished_than_their_beginnings(shared_dir: Path, settings: Settings) -> None:
    model = smart_turn.create(settings)
    await model.warm_up()
    clips: list[Samples] = [
        soundfile.read(path, dtype="float32")[0] for path in sorted((shared_dir / "speech" / "answers").glob("spk2*"))
    ]
    whole = [await model.probability(clip) for clip in clips]
    cut = [await model.probability(clip[: int(len(clip) * 0.6)]) for clip in clips]
    await model.close()
    assert all(0.0 <= value <= 1.0 for value in whole + cut)
    assert np.mean(whole) > 0.8
    assert np.mean(cut) < 0.4
