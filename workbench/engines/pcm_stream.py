"""Sound that arrives from a server in pieces of any length: bytes to samples, headers read, silence in front
cut."""

from __future__ import annotations

import struct

import numpy as np

from workbench.engines.base import Samples

LEAD_S = 0.01
"""Silence kept before the first sound."""

SILENCE_PEAK = 0.004
"""Peak below which a server's sound counts as silence."""


class PcmDecoder:
    """PCM16 bytes, bare or in a WAV file, to mono samples; a sample cut in two by a chunk's border is put together.

    Args:
        sample_rate_hz: Rate of bare PCM; a WAV header overrules it.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._rest = b""
        self._started = False
        self._channels = 1
        self._width = 2
        self._floats = False
        self._left: int | None = None

    def push(self, data: bytes) -> Samples:
        """The samples that became complete, (n_samples,) float32 in [-1, 1].

        Raises:
            ValueError: A WAV header of a kind that is not read here.
        """
        self._rest += data
        if not self._started and not self._start():
            return np.zeros(0, np.float32)
        frame = self._width * self._channels
        whole = len(self._rest) - len(self._rest) % frame
        if self._left is not None:
            whole = min(whole, self._left - self._left % frame)
            self._left -= whole
        body, self._rest = self._rest[:whole], self._rest[whole:]
        if self._floats:
            samples = np.frombuffer(body, "<f4").astype(np.float32)
        else:
            samples = np.frombuffer(body, "<i2").astype(np.float32) / 32768.0
        return samples.reshape(-1, self._channels).mean(axis=1) if self._channels > 1 else samples

    @property
    def is_cut(self) -> bool:
        """Whether the sound so far ends inside a sample, a header, or before the length its header promised."""
        promised = self._left is not None and self._left >= self._width * self._channels
        return promised or (not self._started and bool(self._rest))

    def _start(self) -> bool:
        """Reads the header, if there is one; False while it is incomplete."""
        if len(self._rest) < 4:
            return False
        if self._rest[:4] != b"RIFF":
            self._started = True
            return True
        at = 12
        while len(self._rest) >= at + 8:
            kind, size = struct.unpack("<4sI", self._rest[at : at + 8])
            if kind == b"data":
                # A server that streams does not know the length and writes 0 or the largest number.
                self._left = size if 0 < size < 0x7FFFFF00 else None
                self._rest = self._rest[at + 8 :]
                self._started = True
                return True
            if kind == b"fmt " and len(self._rest) >= at + 24:
                self._read_format(self._rest[at + 8 : at + 24])
            at += 8 + size + size % 2
        return False

    def _read_format(self, header: bytes) -> None:
        code, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", header)
        if (code, bits) not in ((1, 16), (3, 32), (0xFFFE, 16), (0xFFFE, 32)) or not 1 <= channels <= 2:
            raise ValueError(f"a WAV of format {code}, {bits} bits, {channels} channels; PCM16 or float32 is read")
        self.sample_rate_hz, self._channels, self._width = rate_hz, channels, bits // 8
        self._floats = bits == 32


class LeadTrimmer:
    """Cuts the silence in front of a stream down to `LEAD_S`."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._keep = round(LEAD_S * sample_rate_hz)
        self._held: Samples = np.zeros(0, np.float32)
        self._open = False

    def push(self, chunk: Samples) -> Samples:
        """The samples to be heard; empty while only silence came."""
        if self._open:
            return chunk
        joined = np.concatenate([self._held, chunk])
        loud = np.flatnonzero(np.abs(joined) > SILENCE_PEAK)
        if loud.size == 0:
            self._held = joined[max(0, len(joined) - self._keep) :]
            return np.zeros(0, np.float32)
        self._open = True
        return joined[max(0, int(loud[0]) - self._keep) :]
