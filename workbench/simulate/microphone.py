"""A virtual microphone: an endless stream of the room's sound, with what the candidate says laid into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr

from workbench.engines.base import SAMPLE_RATE_HZ, Samples
from workbench.simulate.sound import Clip


@dataclass(frozen=True)
class Spoken:
    """Where a clip lies in the microphone's stream; seconds on the caller's clock.

    Attributes:
        clip: What was said.
        start_s: When its first sample was captured.
        first_voiced_s: When the voice began.
        last_voiced_s: When the voice ended.
        end_s: When its last sample was captured.
    """

    clip: Clip
    start_s: float
    first_voiced_s: float
    last_voiced_s: float
    end_s: float


class Microphone:
    """Mixes clips into a looping background, frame by frame.

    Args:
        rate_hz: Input sample rate of the session.
        frame_ms: Length of one frame, as the page sends them.
        background: (n_samples,) float32, 16 kHz, looped without end; empty for digital silence.
    """

    def __init__(self, rate_hz: int, *, frame_ms: int = 20, background: Samples | None = None) -> None:
        if frame_ms <= 0 or rate_hz * frame_ms % 1000:
            raise ValueError(f"frame_ms must be a positive number of whole samples, got {frame_ms=} at {rate_hz=}")
        self.rate_hz = rate_hz
        self.frame_samples = rate_hz * frame_ms // 1000
        self.n_samples = 0
        loop = np.zeros(0, np.float32) if background is None else background
        if len(loop) and rate_hz != SAMPLE_RATE_HZ:
            loop = soxr.resample(loop, SAMPLE_RATE_HZ, rate_hz).astype(np.float32)
        self._loop = loop
        self._laid: list[tuple[int, Samples]] = []

    def lay(self, clip: Clip, at_sample: int | None = None) -> int:
        """Lays a clip into the stream at a sample not yet captured (default: the next one); returns that sample."""
        start = self.n_samples if at_sample is None else max(at_sample, self.n_samples)
        self._laid.append((start, clip.at(self.rate_hz)))
        return start

    def placed(self, clip: Clip, start: int, origin_s: float) -> Spoken:
        """The times of a clip that starts at sample `start`, when sample 0 was captured at `origin_s`."""
        start_s = origin_s + start / self.rate_hz
        return Spoken(
            clip,
            start_s,
            start_s + clip.first_voiced / SAMPLE_RATE_HZ,
            start_s + clip.last_voiced / SAMPLE_RATE_HZ,
            start_s + len(clip.samples) / SAMPLE_RATE_HZ,
        )

    def hush(self) -> None:
        """Stops speaking in the middle of whatever is being said."""
        self._laid = [(start, sound[: self.n_samples - start]) for start, sound in self._laid if start < self.n_samples]

    def frame(self, echo: Samples | None = None) -> Samples:
        """The next frame, (frame_samples,) float32; `echo` is what the loudspeaker leaks into it."""
        low, high = self.n_samples, self.n_samples + self.frame_samples
        if len(self._loop):
            out = self._loop[np.arange(low, high) % len(self._loop)].copy()
        else:
            out = np.zeros(self.frame_samples, np.float32)
        for start, sound in self._laid:
            a, b = max(low, start), min(high, start + len(sound))
            if a < b:
                out[a - low : b - low] += sound[a - start : b - start]
        if echo is not None:
            n = min(len(echo), len(out))
            out[:n] += echo[:n]
        self._laid = [item for item in self._laid if item[0] + len(item[1]) > high]
        self.n_samples = high
        return np.clip(out, -1.0, 1.0)
