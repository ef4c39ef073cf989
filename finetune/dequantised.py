"""SmolLM2 for training: the GGUF's weights in float32 as a Hugging Face directory, made once, with a card.

They are **not** the publisher's weights: four bits each were kept, and what was rounded away stays away. An adapter
trained on them fits them, and the model that speaks here, better than the original.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.gguf_conversion import build_tokenizer, sliced_rotary

log = logging.getLogger(__name__)

MADE = "dequantised.json"
VERSION = 1
"""Raised when the output of `dequantise` changes; an older directory is then made again."""

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def dequantise(gguf_path: Path, out_dir: Path) -> Path:
    """Writes `model.safetensors` (float32), config, tokenizer with chat template and a card to `out_dir`, once.

    The directory appears complete or not at all.

    Args:
        gguf_path: A GGUF file of the llama architecture with a byte-level BPE vocabulary.
        out_dir: Directory to make.

    Returns:
        `out_dir`.

    Raises:
        ValueError: The file holds another architecture.
    """
    mark = {"source": gguf_path.name, "bytes": gguf_path.stat().st_size, "version": VERSION}
    if _mark_of(out_dir) == mark:
        return out_dir
    import gguf
    from safetensors.numpy import save_file

    reader = gguf.GGUFReader(gguf_path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    if fields.get("general.architecture") != "llama" or fields.get("tokenizer.ggml.model") != "gpt2":
        raise ValueError(
            f"{gguf_path} is a {fields.get('general.architecture')!r} model; only llama with byte-level BPE is read"
        )
    heads = {"attn_q": fields["llama.attention.head_count"], "attn_k": fields["llama.attention.head_count_kv"]}
    tensors: dict[str, NDArray[np.float32]] = {}
    for tensor in reader.tensors:
        values = np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        part = tensor.name.removesuffix(".weight").split(".")[-1]
        if part in heads:
            values = sliced_rotary(values, heads[part])
        tensors[_name(tensor.name)] = np.ascontiguousarray(values)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
    try:
        save_file(tensors, draft / "model.safetensors", metadata={"format": "pt"})
        _config(fields, tied="lm_head.weight" not in tensors).save_pretrained(draft)
        wrapped_tokenizer(build_tokenizer(fields), fields["tokenizer.chat_template"]).save_pretrained(draft)
        (draft / "README.md").write_text(_card(gguf_path), encoding="utf-8")
        (draft / MADE).write_text(json.dumps(mark), encoding="utf-8")
        draft.chmod(0o755)
        for path in draft.iterdir():
            path.chmod(0o644)  # the cache may be shared
        if out_dir.exists() and _mark_of(out_dir) != mark:
            shutil.rmtree(out_dir)
        try:
            os.rename(draft, out_dir)
        except OSError:  # another process was faster
            if _mark_of(out_dir) != mark:
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    log.info("dequantised %s to %s", gguf_path.name, out_dir)
    return out_dir


def wrapped_tokenizer(tokenizer: Any, chat_template: str) -> Any:
    """A `tokenizers.Tokenizer` of SmolLM2's vocabulary as transformers wants it: ChatML, padded with `<|im_end|>`."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        chat_template=chat_template,
        clean_up_tokenization_spaces=False,
    )


def is_dequantised(directory: Path) -> bool:
    """Whether a model's directory was made here from quantised weights."""
    return (directory / MADE).is_file()


def _name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.weight"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{_LAYER[part]}.weight"


def _config(fields: dict[str, Any], *, tied: bool) -> Any:
    from transformers import LlamaConfig

    config = LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=fields["llama.attention.head_count"],
        num_key_value_heads=fields["llama.attention.head_count_kv"],
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        pad_token_id=fields["tokenizer.ggml.eos_token_id"],
        tie_word_embeddings=tied,
    )
    config.architectures = ["LlamaForCausalLM"]
    return config


def _card(gguf_path: Path) -> str:
    sha256 = hashlib.sha256(gguf_path.read_bytes()).hexdigest()
    return "\n".join(
        (
            "---",
            "license: apache-2.0",
            "base_model: HuggingFaceTB/SmolLM2-135M-Instruct",
            "---",
            f"# {gguf_path.stem}, dequantised to float32",
            "",
            f"Made from `{gguf_path.name}` (SHA-256 `{sha256}`), a four-bit quantisation of SmolLM2-135M-Instruct.",
            "These are **not the publisher's weights**: what the quantisation rounded away is lost. Tokenizer and chat",
            "template are those of the GGUF file.",
            "",
            "**For** training adapters that are served on these same weights; **not for** figures said to be those of",
            "SmolLM2-135M-Instruct.",
            "",
        )
    )


def _mark_of(directory: Path) -> Any:
    try:
        return json.loads((directory / MADE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
