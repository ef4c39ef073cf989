"""End of turn from the sound alone: Smart Turn v3.2, a Whisper-tiny encoder with a classifier, on ONNX.

The model hears the last eight seconds as a log-mel spectrogram, 80 bands of 100 frames a second. Its input is
prepared as its training prepared it (the feature extractor of Whisper with `do_normalize`): eight seconds padded with
silence *in front*, scaled to zero mean and unit variance over the padded clip, then the spectrogram.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench import models
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Priority, Samples
from workbench.engines.worker import CancelFlag, Worker

if TYPE_CHECKING:
    from workbench.settings import Settings

NAME = "smart-turn"
FILE_NAME = "smart-turn-v3.2-cpu.onnx"

WINDOW_SAMPLES = 8 * SAMPLE_RATE_HZ
FFT_SAMPLES = 400
HOP_SAMPLES = 160
N_MELS = 80


def mel_filters() -> NDArray[np.float64]:
    """Triangular filters on Slaney's mel scale with unit area, (80, 201) float64.

    Source: Slaney, Auditory Toolbox, Interval Technical Report 1998-010: linear (200/3 Hz a mel) below 1 kHz,
    logarithmic (ln 6.4 / 27 a mel) above.
    """
    step_hz, corner_hz, log_step = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
    corner = corner_hz / step_hz
    top = corner + np.log(SAMPLE_RATE_HZ / 2 / corner_hz) / log_step
    mels = np.linspace(0.0, top, N_MELS + 2)
    edges_hz = np.where(mels < corner, mels * step_hz, corner_hz * np.exp((mels - corner) * log_step))
    bins_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return mel_filters(), np.hanning(FFT_SAMPLES + 1)[:-1]


def features(audio: Samples) -> NDArray[np.float32]:
    """The model's view of the last eight seconds of a clip.

    Args:
        audio: (n_samples,) float32 in [-1, 1], 16 kHz, any length.

    Returns:
        (80, 800) float32 log-mel spectrogram.
    """
    filters, window = _tables()
    clip = np.asarray(audio[-WINDOW_SAMPLES:], np.float32)
    clip = np.concatenate([np.zeros(WINDOW_SAMPLES - len(clip), np.float32), clip])
    clip = (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)
    padded = np.pad(clip.astype(np.float64), FFT_SAMPLES // 2, mode="reflect")
    # the frame centred on the very end is not part of Whisper's spectrogram
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES][:-1]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    log_mel = np.log10(np.maximum(filters @ power.T, 1e-10))
    log_mel = np.maximum(log_mel, log_mel.max() - 8.0)
    return ((log_mel + 4.0) / 4.0).astype(np.float32)


class SmartTurn:
    """The model behind a worker thread of its own; see `EndOfTurnModel`."""

    name = NAME

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._path = path
        self._threads = threads
        self._session: Any = None
        self._worker = Worker(NAME, nice=5)

    async def warm_up(self) -> None:
        """Loads the weights and hears two clips of silence."""
        for seconds in (1, 8):
            await self.probability(np.zeros(seconds * SAMPLE_RATE_HZ, np.float32))

    async def probability(self, audio: Samples, *, priority: Priority = "now") -> float:
        """Probability in [0, 1] that the turn is complete.

        Args:
            audio: (n_samples,) float32 in [-1, 1], 16 kHz; the last 8 s count. It expects the clip to end a little
                after the last word, as the pause begins.
            priority: Place in the queue.

        Raises:
            EngineError: The weights are not there or cannot be run.
        """

        def job(flag: CancelFlag) -> float:
            return self.score(audio)

        return await self._worker.run(job, priority=priority)

    def score(self, audio: Samples) -> float:
        """`probability`, computed on the calling thread."""
        if self._session is None:
            self._session = _load(self._path, self._threads)
        try:
            (output,) = self._session.run(None, {"input_features": features(audio)[None]})
        except Exception as error:
            raise EngineError(NAME, f"could not judge a clip of {len(audio)} samples: {error}") from error
        return float(output[0, 0])

    async def close(self) -> None:
        """Frees the model."""
        self._worker.close()
        self._session = None


def _load(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(NAME, f"cannot load {path}: {error}") from error


def create(settings: Settings) -> SmartTurn:
    """The end-of-turn model, from the weights that `viva models pull` fetched.

    Raises:
        EngineError: They are not there.
    """
    try:
        path = models.find(NAME, settings.models_dir) / FILE_NAME
    except models.ModelError as error:
        raise EngineError(NAME, str(error)) from error
    return SmartTurn(path)
