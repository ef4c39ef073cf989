"""Voice activity by Silero VAD, run on ONNX from the weights inside the `silero-vad` package.

The package itself is never imported: it would load PyTorch, half a gigabyte, for a model of two megabytes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, EngineError, Samples

if TYPE_CHECKING:
    from workbench.settings import Settings

NAME = "silero"

CONTEXT_SAMPLES = 64
"""Samples of the frame before that the model sees in front of each frame (versions 5 and 6, at 16 kHz)."""

STATE_SHAPE = (2, 1, 128)


def weights_path() -> Path:
    """Where the installed `silero-vad` package keeps its ONNX file.

    Raises:
        EngineError: The package, or the file in it, is not there.
    """
    spec = importlib.util.find_spec("silero_vad")  # of a top-level name: nothing is executed
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(NAME, "the package silero-vad is not installed; install it: pip install 'silero-vad>=6.2,<7'")
    path = Path(next(iter(spec.submodule_search_locations))) / "data" / "silero_vad.onnx"
    if not path.is_file():
        raise EngineError(NAME, f"no weights at {path}; silero-vad 6.2 brings them: pip install 'silero-vad>=6.2,<7'")
    return path


class SileroStream:
    """One audio stream through the shared model; see `VoiceStream`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE_HZ, dtype=np.int64)
        self._state: NDArray[np.float32] = np.zeros(STATE_SHAPE, np.float32)
        self._input: NDArray[np.float32] = np.zeros((1, CONTEXT_SAMPLES + VAD_FRAME_SAMPLES), np.float32)

    def probability(self, frame: Samples) -> float:
        """Probability in [0, 1] that the frame, (512,) float32 at 16 kHz, holds speech.

        Raises:
            ValueError: The frame has another length.
        """
        if frame.shape != (VAD_FRAME_SAMPLES,):
            raise ValueError(f"a frame has shape ({VAD_FRAME_SAMPLES},), got {frame.shape}")
        self._input[0, :CONTEXT_SAMPLES] = self._input[0, -CONTEXT_SAMPLES:]
        self._input[0, CONTEXT_SAMPLES:] = frame
        output, self._state = self._session.run(None, {"input": self._input, "state": self._state, "sr": self._rate})
        return float(output[0, 0])

    def reset(self) -> None:
        """Forgets what was heard."""
        self._state = np.zeros(STATE_SHAPE, np.float32)
        self._input[:] = 0.0


class SileroDetector:
    """The model, loaded once; `onnxruntime` lets many streams run it. See `VoiceDetector`."""

    name = NAME

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session: Any = None

    async def warm_up(self) -> None:
        """Loads the weights and hears one frame of silence."""
        self.new_stream().probability(np.zeros(VAD_FRAME_SAMPLES, np.float32))

    def new_stream(self) -> SileroStream:
        """A fresh stream with a state of its own."""
        if self._session is None:
            self._session = _load(self._path)
        return SileroStream(self._session)


def _load(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a frame takes a tenth of a millisecond: handing it to a second thread costs more
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(NAME, f"cannot load {path}: {error}") from error


def create(settings: Settings) -> SileroDetector:
    """The detector that `VIVA_VAD=silero` names."""
    return SileroDetector(weights_path())
