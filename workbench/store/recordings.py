"""Recordings as files: where they lie, how they are read, mended after a crash, made smaller and deleted.

While a viva runs its recording is a 16-bit WAV of two channels, candidate and examiner as heard, that only
grows; at the end it becomes a FLAC of the same samples. A file that a killed process left is complete to its
last whole frame: the header's length is not trusted, the file's is.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from workbench.settings import Settings
from workbench.store.errors import StoreError

N_CHANNELS = 2
FRAME_BYTES = 2 * N_CHANNELS
HEADER_BYTES = 44
MAX_FRAMES = (2**32 - 1 - HEADER_BYTES) // FRAME_BYTES
"""A WAV counts its bytes in 32 bits: 18 hours at 16 kHz."""

_BLOCK_FRAMES = 1 << 18


def directory(settings: Settings) -> Path:
    """Directory of the recordings.

    Raises:
        StoreError: The setting is a URL of a kind that is not supported.
    """
    given = settings.recordings_url
    if given is None:
        return settings.data_dir / "recordings"
    if given.startswith("file://"):
        return Path(given.removeprefix("file://"))
    if "://" in given:
        raise StoreError(f"VIVA_RECORDINGS_URL is {given!r}; allowed: a directory or a file:// URL")
    return Path(given)


def path_of(folder: Path, session_id: str) -> Path:
    """Where the recording of a session is written while it runs."""
    return folder / f"{session_id}.wav"


def find(folder: Path, session_id: str) -> Path | None:
    """The recording of a session, finished or not; None when there is none."""
    for suffix in (".flac", ".wav"):
        path = folder / f"{session_id}{suffix}"
        if path.is_file():
            return path
    return None


def remove(folder: Path, session_id: str) -> int:
    """Deletes every file of a session's recording, half-converted ones too; returns how many there were."""
    paths = [folder / f"{session_id}{suffix}" for suffix in (".wav", ".flac", ".wav.part", ".flac.part")]
    existing = [path for path in paths if path.is_file()]
    for path in existing:
        path.unlink()
    return len(existing)


# ---- the growing WAV ----


def wav_header(n_frames: int, rate_hz: int) -> bytes:
    """The 44 bytes in front of `n_frames` frames of two 16-bit channels (RIFF/WAVE, PCM)."""
    n_bytes = n_frames * FRAME_BYTES
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", HEADER_BYTES - 8 + n_bytes, b"WAVE", b"fmt ", 16, 1, N_CHANNELS, rate_hz, rate_hz *
        FRAME_BYTES, FRAME_BYTES, 16, b"data", n_bytes,
    )  # fmt: skip


def parse_header(path: Path) -> tuple[int, int]:
    """Rate and number of whole frames of a WAV this module wrote, whatever length its header claims.

    Raises:
        StoreError: The file is no such WAV.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise StoreError(f"cannot read the recording {path.name}: {error.strerror}") from None
    if len(header) < HEADER_BYTES or header[:4] != b"RIFF" or header[8:16] != b"WAVEfmt ":
        raise StoreError(f"{path.name} is no recording of this program: its header is missing or foreign")
    _, n_channels, rate_hz = struct.unpack("<HHI", header[20:28])
    if n_channels != N_CHANNELS or header[36:40] != b"data":
        raise StoreError(f"{path.name} has {n_channels} channels; recordings have {N_CHANNELS}")
    return rate_hz, (size - HEADER_BYTES) // FRAME_BYTES


def repair(path: Path) -> int:
    """Writes the true length into the header of a WAV that a killed process left; returns its frames."""
    rate_hz, n_frames = parse_header(path)
    with path.open("r+b") as file:
        file.truncate(HEADER_BYTES + n_frames * FRAME_BYTES)
        file.write(wav_header(n_frames, rate_hz))
    return n_frames


def to_flac(path: Path) -> Path:
    """Replaces a recording's WAV by a FLAC of the same samples and returns its path.

    The FLAC takes the place of the WAV only when it is complete: at every moment one whole recording is on
    disk.

    Raises:
        StoreError: The FLAC came out short (a full disk); the WAV is still there.
    """
    n_frames = repair(path)
    rate_hz, _ = parse_header(path)
    target, part = path.with_suffix(".flac"), path.with_suffix(".flac.part")
    try:
        _make_private(part)
        with (
            soundfile.SoundFile(path) as source,
            soundfile.SoundFile(part, "w", rate_hz, N_CHANNELS, format="FLAC", subtype="PCM_16") as converted,
        ):
            while len(block := source.read(_BLOCK_FRAMES, dtype="int16", always_2d=True)):
                converted.write(block)
        if soundfile.info(part).frames != n_frames:
            raise OSError("the file is shorter than the recording")
        with part.open("r+b") as file:
            os.fsync(file.fileno())
    except (OSError, soundfile.LibsndfileError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"could not convert {path.name} to FLAC ({error}); the WAV is kept") from None
    if not path.exists():
        # the session was deleted meanwhile: what was deleted must not come back
        part.unlink(missing_ok=True)
        return path
    os.replace(part, target)
    path.unlink(missing_ok=True)
    return target


def to_wav(path: Path) -> Path:
    """Replaces a finished FLAC by a WAV that can grow again, for a viva that is taken up again."""
    target, part = path.with_suffix(".wav"), path.with_suffix(".wav.part")
    _make_private(part)
    with soundfile.SoundFile(path) as source, part.open("wb") as file:
        file.write(wav_header(source.frames, source.samplerate))
        while len(block := source.read(_BLOCK_FRAMES, dtype="int16", always_2d=True)):
            file.write(block.astype("<i2").tobytes())
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)
    path.unlink()
    return target


def _make_private(path: Path) -> None:
    """An empty file only its owner may read: voices are personal data."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)


# ---- reading ----


@dataclass(frozen=True)
class Recording:
    """A recording on disk, finished or left by a killed process.

    Attributes:
        path: Its file.
        rate_hz: Samples a second.
        n_samples: Length of both channels.
    """

    path: Path
    rate_hz: int
    n_samples: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.rate_hz

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples [start, stop), shape (n_samples, 2), float32 in [-1, 1]: candidate, examiner as heard."""
        stop = self.n_samples if stop is None else min(stop, self.n_samples)
        n_frames = max(0, stop - start)
        if self.path.suffix == ".wav":
            # past libsndfile, which would trust the header
            with self.path.open("rb") as file:
                file.seek(HEADER_BYTES + start * FRAME_BYTES)
                data = np.frombuffer(file.read(n_frames * FRAME_BYTES), "<i2").reshape(-1, N_CHANNELS)
            return data.astype(np.float32) / 32768.0
        with soundfile.SoundFile(self.path) as file:
            file.seek(min(start, self.n_samples))
            return file.read(n_frames, dtype="float32", always_2d=True)


def open_recording(path: Path) -> Recording:
    """A recording, whatever state a crash left it in.

    Raises:
        StoreError: The file is absent or no recording.
    """
    if path.suffix == ".wav":
        rate_hz, n_samples = parse_header(path)
        return Recording(path, rate_hz, n_samples)
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise StoreError(f"cannot read the recording {path.name}: {error}") from None
    return Recording(path, info.samplerate, info.frames)


def peaks(path: Path, n: int) -> NDArray[np.float32]:
    """Largest magnitude of each of `n` equal stretches, shape (2, n) in [0, 1], for drawing a waveform.

    A recording shorter than `n` samples leaves the stretches without a sample at 0.
    """
    if n < 1:
        raise ValueError(f"n must be positive, got {n}")
    recording = open_recording(path)
    found = np.zeros((N_CHANNELS, n), np.float32)
    for start in range(0, recording.n_samples, _BLOCK_FRAMES):
        block = np.abs(recording.read(start, start + _BLOCK_FRAMES))
        places = (np.arange(start, start + len(block), dtype=np.int64) * n) // recording.n_samples
        for channel in range(N_CHANNELS):
            np.maximum.at(found[channel], places, block[:, channel])
    return found
