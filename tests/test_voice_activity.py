"""Silero VAD, run from the weights inside its package without the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench.engines import silero
from workbench.engines.base import VAD_FRAME_SAMPLES, Samples
from workbench.settings import Settings


def frames(clip: Samples) -> list[Samples]:
    whole = len(clip) - len(clip) % VAD_FRAME_SAMPLES
    return list(clip[:whole].reshape(-1, VAD_FRAME_SAMPLES))


@pytest.fixture
def clip(shared_dir: Path) -> Samples:
    return soundfile.read(shared_dir / "speech" / "answers" / "spk1_snt1.wav", dtype="float32")[0]


def test_every_frame_scores_as_the_packages_own_model_scores_it(clip: Samples, settings: Settings) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("silero_vad").load_silero_vad(onnx=True)
    mine = silero.create(settings).new_stream()
    expected = [float(theirs(torch.from_numpy(frame), 16_000)) for frame in frames(clip)]
    assert [mine.probability(frame) for frame in frames(clip)] == pytest.approx(expected, abs=1e-5)
    assert max(expected) > 0.9 and min(expected) < 0.1


def test_streams_keep_their_states_apart(clip: Samples, settings: Settings) -> None:
    detector = silero.create(settings)
    alone = [detector.new_stream().probability(frame) for frame in frames(clip)[:1]]
    first, second = detector.new_stream(), detector.new_stream()
    woven = []
    for frame in frames(clip)[:12]:
        woven.append(first.probability(frame))
        second.probability(np.zeros(VAD_FRAME_SAMPLES, np.float32))
    straight_stream = detector.new_stream()
    straight = [straight_stream.probability(frame) for frame in frames(clip)[:12]]
    assert woven == straight
    assert woven[:1] == alone


def test_a_reset_stream_is_as_good_as_new(clip: Samples, settings: Settings) -> None:
    stream = silero.create(settings).new_stream()
    before = [stream.probability(frame) for frame in frames(clip)[:10]]
    stream.reset()
    assert [stream.probability(frame) for frame in frames(clip)[:10]] == before


def test_a_frame_of_another_length_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"\(512,\), got \(480,\)"):
        silero.create(settings).new_stream().probability(np.zeros(480, np.float32))


def test_pytorch_is_not_loaded() -> None:
    code = (
        "import sys, numpy as np; from workbench.engines import silero;"
        "silero.SileroDetector(silero.weights_path()).new_stream().probability(np.zeros(512, np.float32));"
        "sys.exit('torch' in sys.modules or 'silero_vad' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
