"""Slower and faster speech at the same pitch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.model_servers import tone
from workbench.engines.time_stretch import TimeStretcher

RATE_HZ = 24_000


def stretched(sound: np.ndarray, rate: float, chunk: int) -> np.ndarray:
    stretcher = TimeStretcher(RATE_HZ, rate)
    parts = [stretcher.push(sound[i : i + chunk]) for i in range(0, len(sound), chunk)]
    return np.concatenate([*parts, stretcher.push(sound[:0], last=True)])


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 2.0])
def test_the_length_changes_by_the_rate_and_the_pitch_and_the_loudness_do_not(rate: float) -> None:
    sound = tone(2.0)
    out = stretched(sound, rate, 1000)
    assert len(out) / len(sound) == pytest.approx(1 / rate, rel=0.04)
    middle = out[len(out) // 4 : -len(out) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * RATE_HZ / len(middle) == pytest.approx(220, rel=0.02)
    assert middle.std() == pytest.approx(sound.std(), rel=0.05)
    assert np.abs(np.diff(middle)).max() < 1.3 * np.abs(np.diff(sound)).max(), "no clicks where windows join"


def test_how_the_stream_is_cut_makes_no_difference() -> None:
    sound = tone(1.0) * np.linspace(0.2, 1.0, RATE_HZ, dtype=np.float32)
    whole = stretched(sound, 0.8, len(sound))
    for chunk in (7, 480, 5000):
        np.testing.assert_allclose(stretched(sound, 0.8, chunk), whole, atol=1e-6)


def test_the_voices_own_rate_passes_through() -> None:
    sound = tone(0.3)
    np.testing.assert_array_equal(stretched(sound, 1.0, 777), sound)


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_a_sound_shorter_than_a_window_is_no_trouble(n_samples: int) -> None:
    assert len(stretched(np.ones(n_samples, np.float32), 0.8, 50)) <= n_samples + 1000


def test_a_rate_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0.5 and 2, got 3"):
        TimeStretcher(RATE_HZ, 3)
