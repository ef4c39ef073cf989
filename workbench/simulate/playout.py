"""A virtual loudspeaker: what a listener would have heard and when, computed from what arrived and when.

The sound is not played, it is accounted for: samples leave the buffer at the output rate from the first block border
after they arrived, as a page's audio thread takes them. Every sample of every response so has a time on the caller's
clock, whatever the client's own process was doing meanwhile.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from workbench.engines.base import Samples
from workbench.simulate.sound import AUDIBLE_DBFS, WINDOW_S, window_levels

BLOCK_S = 0.010
"""Audio devices take sound in blocks; what arrives inside one is heard in the next."""


@dataclass(frozen=True)
class Run:
    """Samples `[start, start + n_samples)` of one response, played without a gap from `at_s` on."""

    start: int
    n_samples: int
    at_s: float


@dataclass
class Heard:
    """One response at the listener: what arrived, what was played when, and what of it is audible.

    Attributes:
        response_id: The response.
        received: Samples that arrived.
        played: Samples played so far.
        runs: Unbroken stretches of playing.
        underruns: (sample, gap in seconds) for each time the buffer ran dry inside the response.
        finished: Whether all its sound has arrived.
        cleared_s: When the rest was thrown away, None if it was not.
    """

    response_id: str
    received: int = 0
    played: int = 0
    runs: list[Run] = field(default_factory=list)
    underruns: list[tuple[int, float]] = field(default_factory=list)
    finished: bool = False
    cleared_s: float | None = None
    paused_s: list[float] = field(default_factory=list)
    sound: list[Samples] = field(default_factory=list)
    _levels: list[np.ndarray] = field(default_factory=list)
    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    def take(self, samples: Samples, rate_hz: int, keep: bool) -> None:
        """Accounts for sound that arrived."""
        self.received += len(samples)
        if keep:
            self.sound.append(samples)
        window = int(WINDOW_S * rate_hz)
        data = np.concatenate([self._rest, samples])
        whole = len(data) - len(data) % window
        if whole:
            self._levels.append(window_levels(data[:whole], rate_hz))
        self._rest = data[whole:]

    def audible(self) -> np.ndarray:
        """Whether each `WINDOW_S` window can be heard, (n_windows,) bool."""
        levels = np.concatenate(self._levels) if self._levels else np.zeros(0)
        return levels >= AUDIBLE_DBFS


class PlayoutClock:
    """Plays responses one after another on a clock that is handed in.

    Args:
        rate_hz: Output sample rate of the session.
        speed: How many seconds of sound pass in one second; 1 for a listener, more for a reader in a hurry.
        keep_sound: Keep the samples (for echo and for tests), else only their levels.
    """

    def __init__(self, rate_hz: int, *, speed: float = 1.0, keep_sound: bool = False) -> None:
        if rate_hz <= 0 or speed <= 0:
            raise ValueError(f"rate_hz and speed must be positive, got {rate_hz=} {speed=}")
        self.rate_hz = rate_hz
        self.speed = speed
        self.keep_sound = keep_sound
        self.responses: dict[str, Heard] = {}
        self.paused = False
        self._queue: deque[list] = deque()  # [response_id, first sample, n_samples]
        self._cursor_s = 0.0
        self._dry_since_s: float | None = None
        self._last_played: str | None = None

    # ---- what happens to it ----

    def push(self, now_s: float, response_id: str, samples: Samples) -> None:
        """Sound arrived."""
        self.advance(now_s)
        heard = self.responses.setdefault(response_id, Heard(response_id))
        first = heard.received
        heard.take(samples, self.rate_hz, self.keep_sound)
        if heard.cleared_s is not None or not len(samples):
            return
        if not self._queue and not self.paused:
            self._cursor_s = max(self._cursor_s, self._border(now_s))
            if self._last_played == response_id and self._dry_since_s is not None:
                gap_s = self._cursor_s - self._dry_since_s
                if gap_s > 1e-6:
                    heard.underruns.append((first, gap_s))
        self._dry_since_s = None
        self._queue.append([response_id, first, len(samples)])

    def finish(self, now_s: float, response_id: str) -> None:
        """All sound of a response has arrived."""
        self.advance(now_s)
        self.responses.setdefault(response_id, Heard(response_id)).finished = True

    def pause(self, now_s: float) -> None:
        """Stops at the next block border; nothing is lost."""
        if self.paused:
            return
        self.advance(self._border(now_s))
        self.paused = True
        if self._queue:
            self.responses[self._queue[0][0]].paused_s.append(now_s)

    def resume(self, now_s: float) -> None:
        """Goes on where it stopped."""
        if not self.paused:
            return
        self.paused = False
        self._cursor_s = self._border(now_s)

    def clear(self, now_s: float, response_id: str | None = None) -> None:
        """Throws away what has not been played, of one response or of all."""
        if not self.paused:
            self.advance(self._border(now_s))
        for key in [response_id] if response_id else list(self.responses):
            heard = self.responses.setdefault(key, Heard(key))
            if heard.cleared_s is None and not (heard.finished and heard.played >= heard.received):
                heard.cleared_s = now_s
        self._queue = deque(item for item in self._queue if response_id and item[0] != response_id)
        self._dry_since_s = None
        if not self._queue:
            self.paused = False

    def advance(self, now_s: float) -> None:
        """Plays on to `now_s`."""
        rate = self.rate_hz * self.speed
        while self._queue and not self.paused:
            n_due = int((now_s - self._cursor_s) * rate + 1e-6)
            if n_due <= 0:
                return
            item = self._queue[0]
            n = min(n_due, item[2])
            self._play(item[0], item[1], n)
            self._cursor_s += n / rate
            item[1] += n
            item[2] -= n
            if item[2] == 0:
                self._queue.popleft()
                if not self._queue:
                    self._dry_since_s = self._cursor_s
        if self.paused or not self._queue:
            self._cursor_s = max(self._cursor_s, now_s)

    def _play(self, response_id: str, start: int, n: int) -> None:
        heard = self.responses[response_id]
        heard.played = start + n
        self._last_played = response_id
        last = heard.runs[-1] if heard.runs else None
        joins = last is not None and last.start + last.n_samples == start
        if joins and last is not None:
            end_s = last.at_s + last.n_samples / (self.rate_hz * self.speed)
            if abs(end_s - self._cursor_s) < 1e-3:
                heard.runs[-1] = Run(last.start, last.n_samples + n, last.at_s)
                return
        heard.runs.append(Run(start, n, self._cursor_s))

    def _border(self, now_s: float) -> float:
        return math.ceil(now_s / BLOCK_S - 1e-9) * BLOCK_S

    # ---- what it knows ----

    @property
    def current(self) -> str | None:
        """The response being played (or held), None when the buffer is empty."""
        return self._queue[0][0] if self._queue else None

    def left_s(self) -> float:
        """Seconds until the buffer is empty, if nothing more arrives and nothing is paused."""
        return sum(item[2] for item in self._queue) / (self.rate_hz * self.speed)

    def time_of(self, response_id: str, sample: int) -> float | None:
        """When a sample was heard, None when it was not."""
        heard = self.responses.get(response_id)
        for run in heard.runs if heard else ():
            if run.start <= sample < run.start + run.n_samples:
                return run.at_s + (sample - run.start) / (self.rate_hz * self.speed)
        return None

    def first_audible(self, response_id: str, from_sample: int = 0) -> tuple[int, float] | None:
        """First audible sample at or after `from_sample` that was played, and when; None when there was none."""
        heard = self.responses.get(response_id)
        if heard is None:
            return None
        window = int(WINDOW_S * self.rate_hz)
        loud = np.flatnonzero(heard.audible()) * window
        for sample in loud[loud + window > from_sample]:
            at_s = self.time_of(response_id, max(int(sample), from_sample))
            if at_s is not None:
                return max(int(sample), from_sample), at_s
        return None

    def last_audible(self, response_id: str) -> tuple[int, float] | None:
        """The end of the last audible window that was played of a response, and when; None when there was none."""
        heard = self.responses.get(response_id)
        if heard is None:
            return None
        window = int(WINDOW_S * self.rate_hz)
        loud = np.flatnonzero(heard.audible()) * window
        for sample in loud[::-1]:
            end = min(int(sample) + window, heard.played) - 1
            at_s = self.time_of(response_id, end) if end >= sample else None
            if at_s is not None:
                return end, at_s
        return None

    def audible_between(self, response_id: str, start_s: float, end_s: float) -> bool:
        """Whether anything of a response could be heard in a stretch of time."""
        heard = self.responses.get(response_id)
        if heard is None:
            return False
        audible = heard.audible()
        window = int(WINDOW_S * self.rate_hz)
        for run in heard.runs:
            low = run.start + int(max(0.0, start_s - run.at_s) * self.rate_hz * self.speed)
            high = min(run.start + run.n_samples, run.start + int((end_s - run.at_s) * self.rate_hz * self.speed))
            if high > low and audible[low // window : high // window + 1].any():
                return True
        return False

    def played_between(self, start_s: float, end_s: float) -> Samples:
        """What came out of the loudspeaker in a stretch of time (needs `keep_sound`), silence where nothing did."""
        out = np.zeros(int((end_s - start_s) * self.rate_hz), np.float32)
        for heard in self.responses.values():
            for run in heard.runs[-4:]:
                run_end_s = run.at_s + run.n_samples / self.rate_hz
                if run_end_s <= start_s or run.at_s >= end_s:
                    continue
                sound = np.concatenate(heard.sound)
                heard.sound[:] = [sound]
                low = max(0, round((start_s - run.at_s) * self.rate_hz))
                at = max(0, round((run.at_s - start_s) * self.rate_hz))
                piece = sound[run.start + low : run.start + run.n_samples][: len(out) - at]
                out[at : at + len(piece)] += piece
        return out

    def underruns(self) -> list[tuple[str, int, float]]:
        """(response, sample, gap in seconds) for every time the sound broke off and came back."""
        return [(key, sample, gap) for key, heard in self.responses.items() for sample, gap in heard.underruns]
