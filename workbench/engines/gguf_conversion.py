"""A Llama-architecture GGUF file turned into a CTranslate2 int8 model and a tokenizer, without PyTorch.

The weights are dequantised to float32 and quantised again, row by row, to int8. The vocabulary, its merges
and the special tokens come from the GGUF file itself, so that ids can never disagree with the weights.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

CONVERTER_VERSION = 1
"""Raised when the output of `convert` changes; an older directory is then made again."""

_MARK = "conversion.json"
_CONTROL, _USER_DEFINED = 3, 4
"""Token types of a GGUF vocabulary that are matched as wholes, never split."""


def convert(gguf_path: Path, out_dir: Path) -> Path:
    """Writes `model.bin`, `config.json`, `vocabulary.json` and `tokenizer.json` to `out_dir`, once.

    The directory appears complete or not at all: it is written beside its place and renamed. A directory made
    from the same file by this version of the converter is left as it is.

    Args:
        gguf_path: A GGUF file of the llama architecture with a byte-level BPE vocabulary.
        out_dir: Directory to make; an older conversion there is replaced.

    Returns:
        `out_dir`.

    Raises:
        ValueError: The file holds another architecture or another kind of vocabulary.
    """
    mark = {"source": gguf_path.name, "bytes": gguf_path.stat().st_size, "version": CONVERTER_VERSION}
    if _is_done(out_dir, mark):
        return out_dir

    import gguf

    reader = gguf.GGUFReader(gguf_path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    if fields.get("general.architecture") != "llama" or fields.get("tokenizer.ggml.model") != "gpt2":
        raise ValueError(
            f"{gguf_path} is a {fields.get('general.architecture')!r} model with a "
            f"{fields.get('tokenizer.ggml.model')!r} vocabulary; only llama with gpt2 (byte-level BPE) is "
            "converted"
        )
    tensors = {
        # a copy: unquantised tensors are the file's own read-only pages, and the quantiser works in place
        tensor.name: np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        for tensor in reader.tensors
    }
    spec = _model_spec(fields, tensors)
    spec.validate()
    spec.optimize(quantization="int8")

    out_dir.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
    try:
        spec.save(str(draft))
        build_tokenizer(fields).save(str(draft / "tokenizer.json"))
        (draft / _MARK).write_text(json.dumps(mark), encoding="utf-8")
        draft.chmod(0o755)
        _put_in_place(draft, out_dir, mark)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    log.info("converted %s to %s", gguf_path.name, out_dir)
    return out_dir


def build_tokenizer(fields: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `tokenizer.ggml.*` fields describe: byte-level BPE, each digit a token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    unknown = tokens[fields.get("tokenizer.ggml.unknown_token_id", 0)]
    tokenizer = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges, unk_token=unknown)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"], strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    return tokenizer


def sliced_rotary(weight: NDArray[np.float32], n_heads: int) -> NDArray[np.float32]:
    """Undoes the row order llama.cpp gives the query and key projections.

    llama.cpp rotates neighbouring dimensions (0, 1), (2, 3), ...; CTranslate2 rotates the two halves of a
    head against each other, as the model was trained. The inverse is `permute` in llama.cpp's
    `convert_hf_to_gguf.py`.

    Args:
        weight: (n_heads * head_dim, n_inputs).
        n_heads: Heads of this projection.

    Returns:
        The same shape, rows in the order of the two halves.
    """
    rows, n_inputs = weight.shape
    return weight.reshape(n_heads, rows // n_heads // 2, 2, n_inputs).swapaxes(1, 2).reshape(rows, n_inputs)


def _model_spec(fields: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> Any:
    from ctranslate2.specs import common_spec, transformer_spec

    n_layers: int = fields["llama.block_count"]
    n_heads: int = fields["llama.attention.head_count"]
    n_kv_heads: int = fields["llama.attention.head_count_kv"]
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        n_layers,
        n_heads,
        activation=common_spec.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=fields["llama.rope.freq_base"],
        num_heads_kv=n_kv_heads if n_kv_heads != n_heads else None,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = tensors["token_embd.weight"]
    decoder.projection.weight = tensors.get("output.weight", tensors["token_embd.weight"])
    decoder.layer_norm.gamma = tensors["output_norm.weight"]
    for i, layer in enumerate(decoder.layer):

        def weight(name: str, i: int = i) -> NDArray[np.float32]:
            return tensors[f"blk.{i}.{name}.weight"]

        layer.self_attention.layer_norm.gamma = weight("attn_norm")
        layer.self_attention.linear[0].weight = np.concatenate(
            [
                sliced_rotary(weight("attn_q"), n_heads),
                sliced_rotary(weight("attn_k"), n_kv_heads),
                weight("attn_v"),
            ]
        )
        layer.self_attention.linear[1].weight = weight("attn_output")
        layer.ffn.layer_norm.gamma = weight("ffn_norm")
        layer.ffn.linear_0.weight = weight("ffn_gate")
        layer.ffn.linear_0_noact.weight = weight("ffn_up")
        layer.ffn.linear_1.weight = weight("ffn_down")
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    spec.register_vocabulary(tokens)
    spec.config.bos_token = tokens[fields["tokenizer.ggml.bos_token_id"]]
    spec.config.eos_token = tokens[fields["tokenizer.ggml.eos_token_id"]]
    spec.config.unk_token = tokens[fields.get("tokenizer.ggml.unknown_token_id", 0)]
    spec.config.layer_norm_epsilon = fields["llama.attention.layer_norm_rms_epsilon"]
    return spec


def _is_done(out_dir: Path, mark: dict[str, Any]) -> bool:
    try:
        return bool(json.loads((out_dir / _MARK).read_text(encoding="utf-8")) == mark)
    except (OSError, ValueError):
        return False


def _put_in_place(draft: Path, out_dir: Path, mark: dict[str, Any]) -> None:
    """Renames the finished draft; two processes that convert at once may both win."""
    if out_dir.exists() and not _is_done(out_dir, mark):
        shutil.rmtree(out_dir)
    try:
        os.rename(draft, out_dir)
    except OSError:
        if not _is_done(out_dir, mark):
            raise
