"""A voice detector that says what a test wrote down, and frames to feed it with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.engines.base import VAD_FRAME_SAMPLES, Samples

FRAME: Samples = np.zeros(VAD_FRAME_SAMPLES, np.float32)


class ScriptedVoice:
    """Plays probabilities back, one a frame, then silence."""

    def __init__(self, probabilities: Iterable[float]) -> None:
        self._left = iter(probabilities)

    def probability(self, frame: Samples) -> float:
        assert frame.shape == (VAD_FRAME_SAMPLES,)
        return next(self._left, 0.0)

    def reset(self) -> None:
        self._left = iter(())


def script(text: str) -> list[float]:
    """Probabilities by letter: `#` speech, `.` silence, `-` a quiet end of speech, `~` what an echo sounds like."""
    return [{"#": 0.95, ".": 0.02, "-": 0.42, "~": 0.6}[letter] for letter in text]
