"""A Piper voice in two parts: what the phrase will sound like, and the sound itself, which can be had piece by piece.

A Piper file is one ONNX graph (VITS; Kim et al. 2021, arXiv:2106.06103): text encoder, durations and flow, then a
HiFi-GAN decoder that turns every frame of the result into 256 samples. The decoder does two thirds of the work and
sees only a few frames to either side, so that the beginning of a phrase need not wait for the end of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import EngineError, Samples

log = logging.getLogger(__name__)

NAME = "piper"

MARGIN_FRAMES = 14
"""Frames the decoder is given beyond a piece on either side. The widest of HiFi-GAN's published decoders sees 13 (Kong
et al. 2020, arXiv:2010.05646, table 5), Piper's medium one 11: the pieces equal the whole."""

PIECE_FRAMES = (24, 48, 96, 144)
"""Lengths of the first pieces of a phrase, frames of 11.6 ms; the last length repeats."""

BUSY_PIECE_FRAMES = PIECE_FRAMES[1:]
"""The same while others are waited for. A second of speech takes the decoder 31 ms, yet ten times as long beside three
other replies: after 24 frames the second piece came too late then."""

_DECODER = "/dec/"


@dataclass(frozen=True)
class SplitVoice:
    """Two inference sessions that together are one voice.

    Attributes:
        encoder: From phonemes to frames.
        decoder: From frames to sound.
        frames: Name of the tensor that passes between them.
        hop: Samples a frame becomes.
        shared: Names of further tensors the decoder takes from the encoder (a speaker's vector).
    """

    encoder: Any
    decoder: Any
    frames: str
    hop: int
    shared: tuple[str, ...] = ()

    def sound(
        self, phoneme_ids: list[int], scales: tuple[float, float, float], *, pieces: tuple[int, ...] = ()
    ) -> Iterator[Samples]:
        """Speaks a phrase.

        Args:
            phoneme_ids: Of one sentence, with its start and end marks.
            scales: Noise, length and noise of the durations.
            pieces: Lengths of the pieces the sound is made in, frames, the last one repeated; empty for the whole at
                once.

        Yields:
            (n_samples,) float32 in [-1, 1]; together the whole phrase.
        """
        given: dict[str, NDArray[Any]] = {
            "input": np.array([phoneme_ids], np.int64),
            "input_lengths": np.array([len(phoneme_ids)], np.int64),
            "scales": np.array(scales, np.float32),
        }
        if any(i.name == "sid" for i in self.encoder.get_inputs()):
            given["sid"] = np.zeros(1, np.int64)  # a file of several speakers speaks with its first
        frames, *others = self.encoder.run([self.frames, *self.shared], given)
        passed = dict(zip(self.shared, others, strict=True))
        n_frames = frames.shape[-1]
        for start, end in _cuts(n_frames, pieces) if pieces else [(0, n_frames)]:
            first, last = max(0, start - MARGIN_FRAMES), min(n_frames, end + MARGIN_FRAMES)
            [sound] = self.decoder.run(None, {self.frames: frames[..., first:last], **passed})
            yield sound.reshape(-1)[(start - first) * self.hop : (end - first) * self.hop]


def _cuts(n_frames: int, pieces: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Where a phrase is cut; what would be shorter than the margin stays with the piece before it.

    >>> list(_cuts(150, (48, 96)))
    [(0, 48), (48, 150)]
    """
    start = 0
    for n_piece in chain(pieces, repeat(pieces[-1])):
        end = start + n_piece
        if end + 2 * MARGIN_FRAMES >= n_frames:
            yield start, n_frames
            return
        yield start, end
        start = end


def load(model_path: Path, threads: int) -> SplitVoice:
    """Reads a Piper `.onnx` file and cuts it where its decoder begins; takes a second.

    Raises:
        EngineError: The file cannot be read, or holds another architecture.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between calls take the processor from the recogniser and the language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Every phrase has another length: what is kept for one fits no other, and grows. Without it the same phrases take
    # as long, and 80 MB less.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False

    def session(part: Any) -> Any:
        return onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])

    try:
        model = onnx.load(str(model_path))
        frames, shared, hop = _seam(model.graph)
        extractor = onnx.utils.Extractor(model)
        encoder = extractor.extract_model([i.name for i in model.graph.input], [frames, *shared])
        decoder = extractor.extract_model([frames, *shared], [model.graph.output[0].name])
        voice = SplitVoice(session(encoder), session(decoder), frames, hop, shared)
    except Exception as error:  # onnx and onnxruntime share no class of errors
        raise EngineError(NAME, f"cannot load {model_path}: {error}; run `viva models pull`") from error
    log.info("loaded the voice %s", model_path.stem)
    return voice


def _seam(graph: Any) -> tuple[str, tuple[str, ...], int]:
    """The tensor the decoder reads frame by frame, the others it takes from outside, and the samples a frame makes."""
    decoder = [node for node in graph.node if node.name.startswith(_DECODER)]
    first = next((node for node in decoder if node.name.startswith(f"{_DECODER}conv_pre/")), None)
    if first is None:
        raise ValueError("the graph has no HiFi-GAN decoder; a voice exported by Piper is needed")
    constant = {tensor.name for tensor in graph.initializer}
    constant |= {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    inside = {name for node in decoder for name in node.output}
    outside = {name for node in decoder for name in node.input if name} - inside - constant
    strides = [
        attribute.ints[0]
        for node in decoder
        if node.op_type == "ConvTranspose"
        for attribute in node.attribute
        if attribute.name == "strides"
    ]
    return first.input[0], tuple(sorted(outside - {first.input[0]})), prod(strides)
