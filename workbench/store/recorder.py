"""Records a viva while it runs, both sides on the candidate's clock, so that a kill loses less than a second."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import SAMPLE_RATE_HZ, Samples
from workbench.store import recordings
from workbench.store.errors import StoreError

log = logging.getLogger(__name__)

FLUSH_S = 0.5
"""How long sound stays in memory; what a killed process loses of the recording."""

MAX_AHEAD_S = 60.0
"""How far ahead of the candidate's clock the examiner's sound may be placed."""


class Recorder:
    """Two channels, candidate and examiner as heard, on one clock: the candidate's sample index.

    The methods that take sound only copy it into memory and may be called on the event loop; a thread of the
    recorder's own writes it out every `flush_s`. `close` waits for that thread and converts to FLAC, seconds
    for a long viva: call it through `asyncio.to_thread`. All methods may be called from any thread.

    The examiner's sound has a place of its own because it is sent ahead of time and may be cut back: what is
    already on disk is then patched there. A recording that exists is gone on with, and sample indices count
    from its start.

    Args:
        path: The WAV to write, `Store.recording_path(session_id)`; `close` turns it into a FLAC beside it.
        rate_hz: Samples a second of both channels.
        flush_s: Seconds between writes.
        on_problem: Called once, on the recorder's thread, with a message when recording had to stop (a full
        disk); the viva goes on without.

    Raises:
        StoreError: The file cannot be made or is no recording.
    """

    def __init__(
        self,
        path: Path,
        rate_hz: int = SAMPLE_RATE_HZ,
        *,
        flush_s: float = FLUSH_S,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.rate_hz = rate_hz
        self.problem: str | None = None
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._file, self._on_disk = _open_wav(path, rate_hz)
        self._start = self._on_disk
        # sound not yet on disk: frame 0 of the buffer is sample `_start`; the examiner's may reach past the
        # clock
        self._buffer = np.zeros((rate_hz, recordings.N_CHANNELS), np.int16)
        self._clock = self._start
        self._examiner_end = self._start
        self._patches: list[tuple[int, NDArray[np.int16]]] = []
        self._wake = threading.Event()
        self._closing = False
        self._flush_s = flush_s
        self._thread = threading.Thread(target=self._serve, name=f"recorder {path.stem[-8:]}", daemon=True)
        self._thread.start()

    @property
    def n_samples(self) -> int:
        """The clock: candidate samples so far, those of an earlier connection included."""
        return self._clock

    def write_candidate(self, samples: Samples) -> None:
        """Appends the candidate's sound, (n_samples,) float32 in [-1, 1]; the clock moves on by its length."""
        with self._lock:
            if self.problem is not None or self._closing:
                return
            end = self._clock + len(samples)
            self._reserve(end)
            self._buffer[self._clock - self._start : end - self._start, 0] = _as_int16(samples)
            self._clock = end

    def pad_candidate(self, to_sample: int) -> None:
        """Appends silence up to a sample index: a microphone that is off does not stop the clock."""
        missing = to_sample - self._clock
        if missing > 0:
            self.write_candidate(np.zeros(missing, np.float32))

    def write_examiner(self, samples: Samples, at_sample: int) -> None:
        """Places the examiner's sound, (n_samples,) float32, at the sample at which it is (or will be) heard.

        Raises:
            ValueError: The place is before the recording or more than a minute ahead of its clock.
        """
        end = at_sample + len(samples)
        if at_sample < 0 or end > self._clock + MAX_AHEAD_S * self.rate_hz:
            raise ValueError(
                f"examiner sound at samples {at_sample} to {end} is outside 0 to clock + {MAX_AHEAD_S:.0f} s"
                f" ({self._clock} + {int(MAX_AHEAD_S * self.rate_hz)})"
            )
        with self._lock:
            if self.problem is not None or self._closing:
                return
            self._place(_as_int16(samples), at_sample)
            self._examiner_end = max(self._examiner_end, end)

    def truncate_examiner(self, at_sample: int) -> None:
        """Takes back the examiner's sound from this sample on: it was cut before it was heard."""
        with self._lock:
            if self.problem is not None or self._closing or at_sample >= self._examiner_end:
                return
            at_sample = max(0, at_sample)
            self._place(np.zeros(self._examiner_end - at_sample, np.int16), at_sample)
            self._examiner_end = at_sample

    def close(self) -> Path | None:
        """Writes what is left and converts to FLAC; returns the file, None when it was deleted meanwhile.

        What the examiner said past the candidate's last sample is kept. A conversion that fails leaves the
        WAV."""
        with self._lock:
            if not self._closing and self.problem is None and self._examiner_end > self._clock:
                self._reserve(self._examiner_end)
                self._clock = self._examiner_end
            self._closing = True
        self._wake.set()
        self._thread.join()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if not self.path.exists():
            return recordings.find(self.path.parent, self.path.stem)
        try:
            return recordings.to_flac(self.path)
        except StoreError as error:
            log.warning("%s", error)
            return self.path

    def _reserve(self, end: int) -> None:
        missing = end - self._start - len(self._buffer)
        if missing > 0:
            grown = np.zeros((max(missing, len(self._buffer)), recordings.N_CHANNELS), np.int16)
            self._buffer = np.concatenate([self._buffer, grown])

    def _place(self, samples: NDArray[np.int16], at_sample: int) -> None:
        n_late = min(max(0, self._start - at_sample), len(samples))
        if n_late:
            self._patches.append((at_sample, samples[:n_late]))
        if n_late < len(samples):
            begin, end = at_sample + n_late, at_sample + len(samples)
            self._reserve(end)
            self._buffer[begin - self._start : end - self._start, 1] = samples[n_late:]

    def _serve(self) -> None:
        while True:
            self._wake.wait(self._flush_s)
            with self._lock:
                last = self._closing
                n_ready = self._clock - self._start
                frames = self._buffer[:n_ready].copy()
                # the examiner's sound ahead of the clock moves to the front
                rest = self._buffer[n_ready : max(self._examiner_end - self._start, n_ready)]
                self._buffer = np.zeros((max(self.rate_hz, len(rest)), recordings.N_CHANNELS), np.int16)
                self._buffer[: len(rest)] = rest
                self._start = self._clock
                patches, self._patches = self._patches, []
            if self.problem is None:
                try:
                    self._append(frames)
                    for at_sample, samples in patches:
                        self._patch(at_sample, samples)
                except OSError as error:
                    self._stop(f"recording stopped, the viva goes on: {error.strerror or error}")
            if last:
                return

    def _append(self, frames: NDArray[np.int16]) -> None:
        if not len(frames):
            return
        if self._on_disk + len(frames) > recordings.MAX_FRAMES:
            raise OSError("the recording has reached the longest a WAV can be")
        place = recordings.HEADER_BYTES + self._on_disk * recordings.FRAME_BYTES
        _write_all(self._file, frames.astype("<i2").tobytes(), place)
        self._on_disk += len(frames)
        # sound first, length second: a kill in between leaves a header that is short, never one that is wrong
        _write_all(self._file, recordings.wav_header(self._on_disk, self.rate_hz), 0)

    def _patch(self, at_sample: int, samples: NDArray[np.int16]) -> None:
        place = recordings.HEADER_BYTES + at_sample * recordings.FRAME_BYTES
        raw = os.pread(self._file, len(samples) * recordings.FRAME_BYTES, place)
        frames = np.frombuffer(raw, "<i2").reshape(-1, recordings.N_CHANNELS).copy()
        frames[:, 1] = samples[: len(frames)]
        _write_all(self._file, frames.tobytes(), place)

    def _stop(self, message: str) -> None:
        self.problem = message
        log.warning("%s", message)
        if self._on_problem is not None:
            self._on_problem(message)


def _as_int16(samples: Samples) -> NDArray[np.int16]:
    # a NaN from a broken client must not become full scale
    clean = np.nan_to_num(np.asarray(samples, np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(np.rint(clean * 32768.0), -32768, 32767).astype(np.int16)


def _open_wav(path: Path, rate_hz: int) -> tuple[int, int]:
    """An open file and the frames it holds, gone on with when a recording is there already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flac = path.with_suffix(".flac")
        if not path.exists() and flac.exists():
            recordings.to_wav(flac)
        n_frames = 0
        if path.exists() and path.stat().st_size >= recordings.HEADER_BYTES:
            found_hz, _ = recordings.parse_header(path)
            if found_hz != rate_hz:
                raise StoreError(f"{path.name} was recorded at {found_hz} Hz, cannot go on at {rate_hz} Hz")
            n_frames = recordings.repair(path)
            flac.unlink(missing_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if n_frames == 0:
            _write_all(file, recordings.wav_header(0, rate_hz), 0)
        return file, n_frames
    except OSError as error:
        raise StoreError(f"cannot record to {path}: {error.strerror or error}") from None


def _write_all(file: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        n_written = os.pwrite(file, view, place)
        view, place = view[n_written:], place + n_written
