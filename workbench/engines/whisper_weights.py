"""Where Whisper's weights are, and CTranslate2's file of them read for PyTorch.

The tensors of a CTranslate2 model are OpenAI's own under other names, so that one download serves both runtimes.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import EngineError

if TYPE_CHECKING:
    from workbench.settings import Settings

BINARY_VERSION = 6
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""CTranslate2's numbers for types (its `DataType`); bfloat16 is not among numpy's."""


def find_ctranslate2(settings: Settings, engine: str) -> Path | None:
    """Directory of CTranslate2 weights `VIVA_ASR_MODEL` names: a path, or a name of the manifest; else None.

    Raises:
        EngineError: The manifest has them, the cache has not.
    """
    from workbench import models

    given = Path(settings.asr_model).expanduser()
    if (given / "model.bin").is_file():
        return given
    name = f"whisper-{settings.asr_model}"
    if name not in models.MANIFEST:
        return None
    try:
        return models.find(name, settings.models_dir)
    except models.ModelError as error:
        raise EngineError(engine, str(error)) from error


def read_ctranslate2(path: Path) -> dict[str, NDArray[Any]]:
    """All variables of a `model.bin`, floats as float32.

    Raises:
        ValueError: Not a Whisper model of a version this reads, or quantised to integers.
    """
    data = memoryview(path.read_bytes())
    at = 0

    def number(code: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{code}", data, at)
        at += struct.calcsize(code)
        return int(value)

    def string() -> str:
        nonlocal at
        size = number("H")
        at += size
        return bytes(data[at - size : at]).rstrip(b"\0").decode()

    version, spec, _ = number("I"), string(), number("I")
    if version != BINARY_VERSION or spec != "WhisperSpec":
        raise ValueError(f"{path} is {spec} of format {version}; only WhisperSpec of format {BINARY_VERSION} is read")
    tensors: dict[str, NDArray[Any]] = {}
    for _ in range(number("I")):
        name = string()
        shape = [number("I") for _ in range(number("B"))]
        dtype, n_bytes = number("B"), number("I")
        if dtype not in _DTYPES:
            raise ValueError(f"{path}: {name} has the type {dtype}, known are {sorted(_DTYPES)}")
        array = np.frombuffer(data[at : at + n_bytes], _DTYPES[dtype]).reshape(shape)
        at += n_bytes
        tensors[name] = array.astype(np.float32) if array.dtype == np.float16 else array
    if any(name.endswith("weight_scale") for name in tensors):
        raise ValueError(f"{path} is quantised to integers; PyTorch needs the float16 or float32 weights")
    return tensors


def to_openai(model_dir: Path) -> tuple[dict[str, int], dict[str, NDArray[Any]], list[list[int]]]:
    """A CTranslate2 directory as OpenAI's model: its dimensions, its state, its alignment heads (layer, head).

    The encoder's position table is not among the state: OpenAI's module computes it.
    """
    tensors = read_ctranslate2(model_dir / "model.bin")
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    n_state = tensors["encoder/conv1/weight"].shape[0]
    n_layer = {part: _count_layers(tensors, part) for part in ("encoder", "decoder")}
    dimensions = {
        "n_mels": tensors["encoder/conv1/weight"].shape[1],
        "n_audio_ctx": tensors["encoder/position_encodings/encodings"].shape[0],
        "n_audio_state": n_state,
        "n_audio_head": int(tensors["encoder/num_heads"]),
        "n_audio_layer": n_layer["encoder"],
        "n_vocab": tensors["decoder/embeddings/weight"].shape[0],
        "n_text_ctx": tensors["decoder/position_encodings/encodings"].shape[0],
        "n_text_state": n_state,
        "n_text_head": int(tensors["decoder/num_heads"]),
        "n_text_layer": n_layer["decoder"],
    }
    state: dict[str, NDArray[Any]] = {
        "decoder.token_embedding.weight": tensors["decoder/embeddings/weight"],
        "decoder.positional_embedding": tensors["decoder/position_encodings/encodings"],
    }
    for name in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            state[f"encoder.{name}.{kind}"] = tensors[f"encoder/{name}/{kind}"]
    _norm(state, "encoder.ln_post", tensors, "encoder/layer_norm")
    _norm(state, "decoder.ln", tensors, "decoder/layer_norm")
    for part, count in n_layer.items():
        for i in range(count):
            _block(state, f"{part}.blocks.{i}", tensors, f"{part}/layer_{i}")
    return dimensions, state, config["alignment_heads"]


def _count_layers(tensors: dict[str, NDArray[Any]], part: str) -> int:
    return len({name.split("/")[1] for name in tensors if name.startswith(f"{part}/layer_") and "ffn" in name})


def _block(state: dict[str, NDArray[Any]], to: str, tensors: dict[str, NDArray[Any]], source: str) -> None:
    _norm(state, f"{to}.attn_ln", tensors, f"{source}/self_attention/layer_norm")
    _split(state, to, ("attn.query", "attn.key", "attn.value"), tensors, f"{source}/self_attention/linear_0")
    _split(state, to, ("attn.out",), tensors, f"{source}/self_attention/linear_1")
    if f"{source}/attention/linear_0/weight" in tensors:
        _norm(state, f"{to}.cross_attn_ln", tensors, f"{source}/attention/layer_norm")
        _split(state, to, ("cross_attn.query",), tensors, f"{source}/attention/linear_0")
        _split(state, to, ("cross_attn.key", "cross_attn.value"), tensors, f"{source}/attention/linear_1")
        _split(state, to, ("cross_attn.out",), tensors, f"{source}/attention/linear_2")
    _norm(state, f"{to}.mlp_ln", tensors, f"{source}/ffn/layer_norm")
    _split(state, to, ("mlp.0",), tensors, f"{source}/ffn/linear_0")
    _split(state, to, ("mlp.2",), tensors, f"{source}/ffn/linear_1")


def _norm(state: dict[str, NDArray[Any]], to: str, tensors: dict[str, NDArray[Any]], source: str) -> None:
    state[f"{to}.weight"], state[f"{to}.bias"] = tensors[f"{source}/gamma"], tensors[f"{source}/beta"]


def _split(
    state: dict[str, NDArray[Any]], to: str, names: tuple[str, ...], tensors: dict[str, NDArray[Any]], source: str
) -> None:
    """A fused linear layer as its parts; OpenAI's keys have no bias, CTranslate2 stores zeros for them."""
    for kind in ("weight", "bias"):
        for name, piece in zip(names, np.split(tensors[f"{source}/{kind}"], len(names)), strict=True):
            if not (kind == "bias" and name.endswith(".key")):
                state[f"{to}.{name}.{kind}"] = piece
