"""What a candidate's microphone picks up besides words: rooms, background, coughs; and where in a clip the voice is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from workbench.engines.base import SAMPLE_RATE_HZ, Samples

WINDOW_S = 0.005
"""Grain at which sound is called audible or voiced."""

AUDIBLE_DBFS = -45.0
"""A window at or above this level is heard: about 25 dB below speech at its usual level."""

SPEECH_DBFS = -20.0
"""Level the loud parts (95th percentile of the windows) of every clip are brought to."""


def window_levels(samples: Samples, rate_hz: int) -> np.ndarray:
    """Level of each whole `WINDOW_S` window, (n_windows,) float64, dBFS of the root mean square."""
    size = int(WINDOW_S * rate_hz)
    whole = len(samples) // size
    square = np.square(samples[: whole * size].reshape(whole, size).astype(np.float64)).mean(axis=1)
    return 10.0 * np.log10(square + 1e-12)


def voiced_bounds(samples: Samples, rate_hz: int = SAMPLE_RATE_HZ) -> tuple[int, int]:
    """First voiced sample and the one after the last, judged on the clean clip; (0, 0) when nothing is audible."""
    loud = np.flatnonzero(window_levels(samples, rate_hz) >= AUDIBLE_DBFS)
    size = int(WINDOW_S * rate_hz)
    return (int(loud[0]) * size, int(loud[-1] + 1) * size) if loud.size else (0, 0)


def at_speech_level(samples: Samples, rate_hz: int = SAMPLE_RATE_HZ) -> Samples:
    """The clip with its loud windows at `SPEECH_DBFS`, never clipped."""
    levels = window_levels(samples, rate_hz)
    if not levels.size:
        return samples
    gain = 10.0 ** ((SPEECH_DBFS - float(np.percentile(levels, 95))) / 20.0)
    peak = float(np.abs(samples).max())
    return (samples * min(gain, 0.99 / max(peak, 1e-9))).astype(np.float32)


@dataclass(frozen=True)
class Clip:
    """Something a candidate says or does aloud.

    Attributes:
        samples: (n_samples,) float32 in [-1, 1], 16 kHz.
        text: The words, empty for a noise.
        first_voiced: First sample of the voice.
        last_voiced: One after the last sample of the voice; a room's echo behind it is not the voice.
    """

    samples: Samples
    text: str
    first_voiced: int
    last_voiced: int
    _at: dict[int, Samples] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of(samples: Samples, text: str, *, level: bool = True) -> Clip:
        """A clip of clean sound, brought to the level of speech, silence at its ends cut to 50 ms."""
        if level:
            samples = at_speech_level(samples)
        first, last = voiced_bounds(samples)
        margin = int(0.05 * SAMPLE_RATE_HZ)
        start, end = max(0, first - margin), min(len(samples), last + margin)
        return Clip(samples[start:end], text, first - start, last - start)

    @property
    def voiced_s(self) -> float:
        """Seconds from the first to the last voiced sample."""
        return (self.last_voiced - self.first_voiced) / SAMPLE_RATE_HZ

    def at(self, rate_hz: int) -> Samples:
        """The samples at another rate; made once."""
        if rate_hz == SAMPLE_RATE_HZ:
            return self.samples
        if rate_hz not in self._at:
            self._at[rate_hz] = soxr.resample(self.samples, SAMPLE_RATE_HZ, rate_hz).astype(np.float32)
        return self._at[rate_hz]

    def in_room(self, response: Samples) -> Clip:
        """The clip as heard in a room; the voice ends where it ended, its echo goes on."""
        if not len(response):
            return self
        wet = _convolve(self.samples, response)[: len(self.samples) + int(0.4 * SAMPLE_RATE_HZ)]
        direct = int(np.argmax(np.abs(response)))
        wet = at_speech_level(wet[direct:].astype(np.float32))
        return Clip(wet, self.text, self.first_voiced, self.last_voiced)


def joined(parts: list[Clip | float], text: str | None = None) -> Clip:
    """Clips and pauses (seconds) in a row as one clip."""
    pieces: list[Samples] = []
    position = 0
    first: int | None = None
    last = 0
    for part in parts:
        if isinstance(part, Clip):
            if part.last_voiced:
                first = position + part.first_voiced if first is None else first
                last = position + part.last_voiced
            pieces.append(part.samples)
        else:
            pieces.append(np.zeros(int(part * SAMPLE_RATE_HZ), np.float32))
        position += len(pieces[-1])
    words = " ".join(part.text for part in parts if isinstance(part, Clip) and part.text)
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return Clip(samples, words if text is None else text, first or 0, last)


def _convolve(samples: Samples, response: Samples) -> np.ndarray:
    n = len(samples) + len(response) - 1
    size = 1 << (n - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[:n]


def _shaped_noise(generator: np.random.Generator, n: int, bands: list[tuple[float, float, float]]) -> np.ndarray:
    """Noise with a bump of (centre Hz, width Hz, gain) for every band; (n,) with unit root mean square."""
    spectrum = np.fft.rfft(generator.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ)
    shape = sum(gain * np.exp(-(((frequency - centre) / width) ** 2)) for centre, width, gain in bands)
    sound = np.fft.irfft(spectrum * shape, n)
    return sound / (np.sqrt(np.mean(sound**2)) + 1e-12)


def cough(seed: int) -> Clip:
    """One or two coughs: a burst, a hoarse decay, sometimes a short voiced end (Morice et al. 2007)."""
    generator = np.random.default_rng(seed)
    parts: list[Clip | float] = []
    for _ in range(int(generator.integers(1, 3))):
        burst_n = int(generator.uniform(0.03, 0.05) * SAMPLE_RATE_HZ)
        decay_n = int(generator.uniform(0.12, 0.25) * SAMPLE_RATE_HZ)
        bands = [(450.0, 250.0, 1.0), (1400.0, 500.0, 0.7), (3000.0, 900.0, 0.35)]
        noise = _shaped_noise(generator, burst_n + decay_n, bands)
        attack = np.minimum(1.0, np.arange(burst_n) / (0.004 * SAMPLE_RATE_HZ))
        decay = 0.45 * np.exp(-np.arange(decay_n) / (0.06 * SAMPLE_RATE_HZ))
        sound = noise * np.concatenate([attack, decay])
        if generator.random() < 0.5:
            t = np.arange(decay_n) / SAMPLE_RATE_HZ
            sound[burst_n:] += decay * np.sin(2 * np.pi * generator.uniform(180, 320) * t)
        parts.append(Clip.of(sound.astype(np.float32), ""))
        parts.append(float(generator.uniform(0.08, 0.2)))
    return joined(parts[:-1], "")


def knock(seed: int) -> Clip:
    """A desk noise: a few short low thuds and a click, as of a cup or a keyboard."""
    generator = np.random.default_rng(seed)
    parts: list[Clip | float] = []
    for _ in range(int(generator.integers(1, 4))):
        n = int(0.09 * SAMPLE_RATE_HZ)
        sound = _shaped_noise(generator, n, [(160.0, 120.0, 1.0), (2500.0, 1500.0, 0.15)])
        parts.append(Clip.of((sound * np.exp(-np.arange(n) / (0.012 * SAMPLE_RATE_HZ))).astype(np.float32), ""))
        parts.append(float(generator.uniform(0.05, 0.25)))
    return joined(parts[:-1], "")


def hum(seed: int) -> Clip:
    """ "Mm-hm": two nasal syllables with a breath between, the second higher; the embedded voice would spell it out."""
    generator = np.random.default_rng(seed)
    pitch_hz = float(generator.uniform(100, 220))
    first_s, breath_s, second_s = generator.uniform((0.12, 0.03, 0.15), (0.18, 0.06, 0.25))
    parts = [_murmur(pitch_hz, pitch_hz * 0.92, first_s)]
    breath = _shaped_noise(generator, int(breath_s * SAMPLE_RATE_HZ), [(1500.0, 1200.0, 1.0)])
    parts.append(0.04 * breath)
    parts.append(_murmur(pitch_hz * 1.1, pitch_hz * float(generator.uniform(1.2, 1.35)), second_s))
    return Clip.of(np.concatenate(parts).astype(np.float32), "")


def _murmur(from_hz: float, to_hz: float, seconds: float) -> np.ndarray:
    """A voiced nasal [m] gliding in pitch: harmonics below the low nasal formant, little above it."""
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * np.cumsum(np.linspace(from_hz, to_hz, len(t))) / SAMPLE_RATE_HZ
    sound = np.zeros(len(t))
    for harmonic in range(1, 16):
        hz = harmonic * (from_hz + to_hz) / 2
        gain = 1.0 / (1.0 + (hz / 280.0) ** 2) + 0.05 * np.exp(-(((hz - 1100.0) / 250.0) ** 2))
        sound += gain * np.sin(harmonic * phase)
    edge = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.03)
    return sound * edge / (np.abs(sound).max() + 1e-9)


def room_tone(seed: int, seconds: float = 10.0, level_dbfs: float = -62.0) -> Samples:
    """The hush of a quiet room, (n_samples,) float32, 16 kHz: low-heavy noise at a steady level."""
    generator = np.random.default_rng(seed)
    n = int(seconds * SAMPLE_RATE_HZ)
    noise = _shaped_noise(generator, n, [(0.0, 500.0, 1.0), (1500.0, 3000.0, 0.2)])
    return (noise * 10.0 ** (level_dbfs / 20.0)).astype(np.float32)


@lru_cache(maxsize=32)
def read_wav(path: Path) -> Samples:
    """A sound file as mono (n_samples,) float32 at 16 kHz."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return mono if rate_hz == SAMPLE_RATE_HZ else soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ).astype(np.float32)


def background(path: Path, level_dbfs: float) -> Samples:
    """A recorded noise as an endless-loop background at a mean level, (n_samples,) float32, 16 kHz."""
    noise = read_wav(path)
    rms = float(np.sqrt(np.mean(np.square(noise)))) + 1e-9
    return (noise / rms * 10.0 ** (level_dbfs / 20.0)).clip(-1, 1).astype(np.float32)
