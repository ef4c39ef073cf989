"""Sound on its way in and out: PCM16 bytes, sample rates, fixed-size frames, and the ear that hears a turn again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import soxr

from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, Samples


def from_pcm16(data: bytes) -> Samples:
    """Little-endian PCM16 bytes as (n_samples,) float32 in [-1, 1); an odd last byte is dropped."""
    return np.frombuffer(data, dtype="<i2", count=len(data) // 2).astype(np.float32) / 32768.0


def to_pcm16(samples: Samples) -> bytes:
    """(n_samples,) float32 in [-1, 1] as little-endian PCM16 bytes; louder samples are clipped."""
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


class StreamResampler:
    """Converts one stream of chunks between two sample rates without seams at the chunk borders.

    Args:
        from_hz: Rate of the chunks.
        to_hz: Rate wanted.
        quality: A soxr recipe. `LQ` holds about 20 ms back, `HQ` about 30 ms and keeps the highest band: `LQ` for the
            microphone, where every millisecond is waited for, `HQ` for the voice, which is made ahead of time.
    """

    def __init__(self, from_hz: int, to_hz: int, quality: str = "LQ") -> None:
        same = from_hz == to_hz
        self._stream = None if same else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=quality)

    def process(self, chunk: Samples, *, last: bool = False) -> Samples:
        """The next samples at the new rate; `last` flushes the filter's tail."""
        if self._stream is None:
            return chunk
        return self._stream.resample_chunk(chunk, last=last)


class Framer:
    """Cuts chunks of any length into frames of exactly `VAD_FRAME_SAMPLES` samples."""

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)

    def push(self, chunk: Samples) -> Iterator[Samples]:
        """Yields the frames that became complete with this chunk."""
        data = np.concatenate([self._rest, chunk]) if len(self._rest) else chunk
        whole = len(data) - len(data) % VAD_FRAME_SAMPLES
        for start in range(0, whole, VAD_FRAME_SAMPLES):
            yield data[start : start + VAD_FRAME_SAMPLES]
        self._rest = data[whole:]


class Ear:
    """The candidate's recent sound by absolute sample index, as far back as the turn that is still open.

    Args:
        keep_s: Seconds kept before the oldest sample anyone asked to hold.
    """

    def __init__(self, keep_s: float = 2.0) -> None:
        self._keep = int(keep_s * SAMPLE_RATE_HZ)
        self._chunks: deque[Samples] = deque()
        self._start = 0
        self.n_samples = 0

    def push(self, frame: Samples) -> None:
        """Takes the next frame."""
        self._chunks.append(frame)
        self.n_samples += len(frame)

    def forget_before(self, sample: int) -> None:
        """Lets go of everything more than `keep_s` before this absolute sample."""
        while self._chunks and self._start + len(self._chunks[0]) <= sample - self._keep:
            self._start += len(self._chunks.popleft())

    def clip(self, start: int, end: int) -> Samples:
        """The samples from absolute index `start` to `end`, as far as they are still held."""
        if not self._chunks:
            return np.zeros(0, np.float32)
        joined: list[Samples] = []
        position = self._start
        for chunk in self._chunks:
            if position + len(chunk) > start and position < end:
                joined.append(chunk[max(0, start - position) : end - position])
            position += len(chunk)
        return np.concatenate(joined) if joined else np.zeros(0, np.float32)
