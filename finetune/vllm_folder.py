"""What vLLM takes of an adapter: its folder checked, and copied so that nothing in it points to this machine.

vLLM reads some fields of `adapter_config.json` (`vllm.lora.peft_helper.PEFTHelper`) and passes over the others, so that
an adapter can load and be another one than was trained. What it would refuse or pass over is refused here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from finetune import adapter_folder
from finetune.adapter_judge import AdapterError, read_adapter
from finetune.bases import Base
from finetune.config import OWN_BASES, TIED

CONFIG = "adapter_config.json"

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` may be (vLLM 0.32, `vllm.config.lora.MaxLoRARanks`)."""

_COPIED = (
    adapter_folder.WEIGHTS, adapter_folder.RECIPE, adapter_folder.METRICS, adapter_folder.CARD, adapter_folder.DATA,
)  # fmt: skip
_REFUSED = (
    "rank_pattern", "alpha_pattern", "target_parameters", "trainable_token_indices", "layer_replication",
    "fan_in_fan_out", "lora_bias", "alora_invocation_tokens",
)  # fmt: skip
"""Fields of PEFT's that change what an adapter computes; vLLM, or some version of it, refuses or passes over them."""


def max_lora_rank(ranks: Iterable[int]) -> int:
    """The least `--max-lora-rank` that takes adapters of these ranks.

    >>> max_lora_rank([4, 16]), max_lora_rank([17])
    (16, 32)

    Raises:
        AdapterError: One is higher than vLLM takes.
    """
    highest = max(ranks)
    fitting = [rank for rank in RANKS if rank >= highest]
    if not fitting:
        raise AdapterError(f"rank {highest} is more than the {RANKS[-1]} that vLLM serves; train with a lower one")
    return fitting[0]


def base_id(base: Base) -> str:
    """How a base is called towards others: its hub id, or the last part of its path."""
    if base.name in OWN_BASES and not base.source:
        return base.name
    return Path(base.source).name if Path(base.source).exists() else base.source


def rank_of(folder: Path) -> int:
    """Rank of the adapter in a folder."""
    return int(_config(folder)["r"])


def check_for_vllm(folder: Path) -> Mapping[str, Any]:
    """Makes sure that vLLM loads an adapter, and serves what was trained.

    Args:
        folder: That `train` wrote.

    Returns:
        Its `adapter_config.json`.

    Raises:
        AdapterError: It would not; every reason in a line, with what to do.
    """
    recipe, _ = read_adapter(folder)
    if recipe.kind == "encoder":
        raise AdapterError(f"{folder} adapts an encoder; vLLM serves causal models: judge with adapter:{folder} here")
    if recipe.method == "full":
        raise AdapterError(f"{folder} is a whole model and no adapter; write it with --to merged and serve that")
    config = _config(folder)
    wrong = []
    if config.get("peft_type") != "LORA":
        wrong.append(f"peft_type is {config.get('peft_type')!r}; vLLM takes LORA")
    if config.get("use_dora"):
        wrong.append("it is a DoRA adapter, which vLLM refuses; merge it: --to merged")
    if config.get("bias") not in (None, "none"):
        wrong.append(f"bias is {config['bias']!r}; vLLM takes adapters without biases")
    if config.get("modules_to_save"):
        wrong.append(f"modules_to_save={','.join(config['modules_to_save'])}: vLLM takes no whole modules; merge it")
    wrong += [f"{key} is set, which not every vLLM reads; merge it: --to merged" for key in _REFUSED if config.get(key)]
    if int(config["r"]) > RANKS[-1]:
        wrong.append(f"its rank is {config['r']}; vLLM serves at most {RANKS[-1]}")
    wrong += _wrong_tensors(folder, int(config["r"]))
    if wrong:
        raise AdapterError(f"vLLM cannot serve {folder}:\n" + "\n".join(f"- {line}" for line in wrong))
    return config


def write_vllm_folder(folder: Path, out: Path, base: Base) -> None:
    """Copies what vLLM needs, and the card, with the base's path replaced by its id.

    Args:
        folder: That `train` wrote.
        out: A new folder.
        base: The adapter's base as it was found here.

    Raises:
        AdapterError: vLLM would not serve it, or `out` is there already.
    """
    config = dict(check_for_vllm(folder))
    named = base_id(base)
    here = sorted({text for text in (base.source, base.name, str(config.get("base_model_name_or_path") or ""))
                   if "/" in text and text != named}, key=len, reverse=True)  # fmt: skip
    config["base_model_name_or_path"] = named
    check_new(out)
    out.mkdir(parents=True, exist_ok=True)
    for name in _COPIED:
        source = folder / name
        if not source.is_file():
            continue
        if source.suffix == ".safetensors":
            shutil.copyfile(source, out / name)
            continue
        text = source.read_text(encoding="utf-8")
        for path in here:
            text = text.replace(path, named)
        (out / name).write_text(text, encoding="utf-8")
    (out / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_new(out: Path) -> None:
    """Makes sure that nothing is written over.

    Raises:
        AdapterError: There is something at `out`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AdapterError(f"{out} is there already; give another --out, or remove it")


def _config(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise AdapterError(f"{folder / CONFIG} cannot be read: {error}") from error


def _wrong_tensors(folder: Path, rank: int) -> list[str]:
    """What vLLM would stumble over in the weights themselves."""
    from safetensors import safe_open

    wrong = []
    with safe_open(folder / adapter_folder.WEIGHTS, "np") as file:
        for name in sorted(file.keys()):
            module, _, kind = name.removesuffix(".weight").rpartition(".")
            if module.rsplit(".", 1)[-1] in TIED:
                wrong.append(
                    f"it adapts {module.rsplit('.', 1)[-1]}, whose weights are tied; vLLM takes no such adapter"
                )
            elif kind not in ("lora_A", "lora_B"):
                wrong.append(f"it holds {name}, which is no part of a LoRA")
            elif file.get_slice(name).get_shape()[kind == "lora_B"] != rank:
                wrong.append(f"{name} has another rank than the {rank} of {CONFIG}")
    return list(dict.fromkeys(wrong))
