"""Slower or faster speech at the same pitch, for voices that have no speaking rate of their own."""

from __future__ import annotations

import numpy as np

from workbench.engines.base import Samples

HOP_S = 0.012
"""Half a window: long enough to hold a period of a low voice, short enough to leave syllables alone."""

SEARCH_S = 0.006
"""How far a window may move to where the waveforms fit; half a period of an 80 Hz voice."""


class TimeStretcher:
    """Stretches one stream by overlapping windows that are moved to where they fit the sound before.

    Waveform similarity overlap-add: W. Verhelst and M. Roelands, "An overlap-add technique based on waveform
    similarity (WSOLA) for high quality time-scale modification of speech", ICASSP 1993.

    Args:
        sample_rate_hz: Rate of the stream.
        rate: Speaking rate, 0.5 to 2; below 1 is slower.
    """

    def __init__(self, sample_rate_hz: int, rate: float) -> None:
        if not 0.5 <= rate <= 2.0:
            raise ValueError(f"rate must be between 0.5 and 2, got {rate}")
        self._rate = rate
        self._hop = round(HOP_S * sample_rate_hz)
        self._search = round(SEARCH_S * sample_rate_hz)
        self._window = np.hanning(2 * self._hop + 1)[:-1].astype(np.float32)
        self._input: Samples = np.zeros(0, np.float32)
        self._input_start = 0
        self._n_frames = 0
        self._continues_at = 0
        self._tail: Samples | None = None

    def push(self, chunk: Samples, *, last: bool = False) -> Samples:
        """The samples that became ready; `last` ends the stream with what is left of it."""
        if self._rate == 1.0:
            return chunk
        self._input = np.concatenate([self._input, chunk])
        end = self._input_start + len(self._input)
        if last:
            padding = 2 * self._hop + 2 * self._search
            self._input = np.concatenate([self._input, np.zeros(padding, np.float32)])
        ready: list[Samples] = []
        while True:
            wanted = round(self._n_frames * self._hop * self._rate)
            needed = max(wanted + self._search, self._continues_at) + 2 * self._hop
            if needed > self._input_start + len(self._input) or (last and wanted >= end):
                break
            ready.append(self._frame(wanted))
        if last and self._tail is not None:
            ready.append(self._tail)
            self._tail = None
        return np.concatenate(ready) if ready else np.zeros(0, np.float32)

    def _frame(self, wanted: int) -> Samples:
        """Half a window of output; the other half waits for its neighbour."""
        at = wanted if self._tail is None else self._best_fit(wanted)
        begin = at - self._input_start
        piece = self._input[begin : begin + 2 * self._hop]
        if self._tail is None:
            ready = piece[: self._hop].copy()
        else:
            ready = self._tail + piece[: self._hop] * self._window[: self._hop]
        self._tail = piece[self._hop :] * self._window[self._hop :]
        self._continues_at = at + self._hop
        self._n_frames += 1
        keep_from = min(self._continues_at, round(self._n_frames * self._hop * self._rate) - self._search)
        drop = max(0, keep_from - self._input_start)
        self._input, self._input_start = self._input[drop:], self._input_start + drop
        return ready

    def _best_fit(self, wanted: int) -> int:
        """Position near `wanted` whose sound is most like what followed the window before."""
        natural = self._input[self._continues_at - self._input_start :][: self._hop]
        first = max(self._input_start, wanted - self._search)
        area = self._input[first - self._input_start : wanted + self._search + self._hop - self._input_start]
        likeness = np.correlate(area, natural, mode="valid")
        energy = np.convolve(area**2, np.ones(self._hop, np.float32), mode="valid")
        return first + int(np.argmax(likeness / np.sqrt(energy + 1e-6)))
