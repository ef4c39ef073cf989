"""The model an adapter is put on: found by its name, loaded with its tokenizer, and wrapped for training or use."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model

from finetune.config import OWN_BASES, Recipe, RecipeError
from finetune.dequantised import dequantise, is_dequantised, wrapped_tokenizer
from finetune.sides import SidesClassifier
from workbench.models import ModelError, find

N_OUTCOMES = 3
"""Outcomes of every task."""

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""SmolLM2's chat template, as its GGUF has it."""

_RANDOM_SEED = 20
"""Of the weights of random bases, which are made anew whenever they are loaded."""

_WEIGHTS = {"minilm": "all-minilm-l6-v2", "mpnet": "all-mpnet-base-v2"}


@dataclass(frozen=True)
class Base:
    """A base model that was found.

    Attributes:
        name: As the recipe has it.
        kind: causal or encoder.
        source: A directory or a hub id; empty for a random one.
        about: What its card has to say of it.
    """

    name: str
    kind: str
    source: str
    about: str


def find_base(name: str, kind: str, models_dir: Path) -> Base:
    """Where a base's weights are; SmolLM2's are dequantised the first time.

    Raises:
        RecipeError: The weights are not there; the message says how to get them.
    """
    try:
        if name == "smollm2":
            find("smollm2", models_dir)
            gguf = next((models_dir / "smollm2").glob("*.gguf"), None)
            if gguf is None:
                raise ModelError(f"no GGUF file in {models_dir / 'smollm2'}; run `viva models pull`")
            directory = dequantise(gguf, models_dir / "SmolLM2-135M-Instruct-dequantised")
            return Base(name, kind, str(directory), _about(directory))
        if name in _WEIGHTS:
            return Base(name, kind, str(_published(_WEIGHTS[name], models_dir)), f"`{_WEIGHTS[name]}`, the publisher's")
    except ModelError as error:
        raise RecipeError(f"base={name}: {error}") from error
    if name in OWN_BASES:
        return Base(name, kind, "", "random weights of a tiny model, made on the spot: for tests, of no other use")
    directory = Path(name).expanduser()
    if name.startswith(("/", ".", "~")) and not (directory / "config.json").is_file():
        raise RecipeError(f"base={name}: no directory {directory} with a config.json; {_allowed()}")
    return Base(name, kind, str(directory) if directory.exists() else name, _about(directory))


def load_tokenizer(base: Base, models_dir: Path) -> Any:
    """Its tokenizer.

    Raises:
        RecipeError: There is none, or a causal one has no chat template.
    """
    from transformers import AutoTokenizer

    if not base.source:
        return _random_tokenizer(base, models_dir)
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.source)
    except (OSError, ValueError) as error:
        raise RecipeError(_unreadable(base, error)) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if base.kind == "causal" and not tokenizer.chat_template:
        raise RecipeError(
            f"base={base.name} has no chat template; take its instruct version: served, it would be asked otherwise "
            "than trained"
        )
    return tokenizer


def load_model(base: Base, tokenizer: Any, recipe: Recipe, device: torch.device) -> Any:
    """The base on its device, in evaluation mode.

    Raises:
        RecipeError: Its weights cannot be read, or what `quantization` needs is missing.
    """
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    dtype = torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32
    if not base.source:
        random: torch.nn.Module = _random_model(base, len(tokenizer))
        if recipe.pooling == "sides":
            torch.manual_seed(recipe.seed)
            random = SidesClassifier(random.bert, tokenizer.sep_token_id, N_OUTCOMES)
        return random.to(device=device, dtype=dtype).eval()
    more: dict[str, Any] = {}
    model: Any
    if recipe.quantization == "qlora":
        more = {"quantization_config": _four_bits(device), "device_map": {"": 0}}
    try:
        if base.kind == "causal":
            if device.type == "cpu":  # there the backward pass of the fused attention is slow
                more["attn_implementation"] = "eager"
            model = AutoModelForCausalLM.from_pretrained(base.source, dtype=dtype, **more)
        else:
            # the head is drawn here; with a fixed seed it is the same when training is resumed
            torch.manual_seed(recipe.seed)
            if recipe.pooling == "sides":
                encoder = AutoModel.from_pretrained(base.source, dtype=dtype)
                model = SidesClassifier(encoder, tokenizer.sep_token_id, N_OUTCOMES)
            else:
                model = AutoModelForSequenceClassification.from_pretrained(
                    base.source, dtype=dtype, num_labels=N_OUTCOMES, **more
                )
    except (OSError, ValueError) as error:
        raise RecipeError(_unreadable(base, error)) from error
    model.config.pad_token_id = tokenizer.pad_token_id
    return (model if more else model.to(device)).eval()


def with_adapter(model: Any, recipe: Recipe) -> Any:
    """The base with a fresh adapter, whose first weights are drawn by the recipe's seed; itself where all is trained.

    Raises:
        RecipeError: `targets` names no module of the base.
    """
    if recipe.method == "full":
        torch.manual_seed(recipe.seed)
        if recipe.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        return model.requires_grad_(True)
    causal = recipe.kind == "causal"
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM if causal else TaskType.SEQ_CLS,
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.targets) or target_modules(model),
        use_dora=recipe.method == "dora",
        use_rslora=recipe.method == "rslora",
        bias="none",
    )
    if recipe.quantization == "qlora":
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=recipe.gradient_checkpointing)
    torch.manual_seed(recipe.seed)
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise RecipeError(
            f"targets={','.join(recipe.targets)} does not fit base={recipe.base}: {error}; its linear modules are "
            f"{', '.join(target_modules(model))}"
        ) from error
    if recipe.gradient_checkpointing:
        adapted.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        adapted.enable_input_require_grads()
    return adapted


def load_adapted(base: Base, tokenizer: Any, recipe: Recipe, folder: Path, device: torch.device) -> Any:
    """The base with the adapter that lies in a folder, or the model whose every weight was trained, to be used."""
    if recipe.method == "full" and recipe.pooling == "sides":
        compared = load_model(base, tokenizer, recipe, device)
        compared.load_trained(folder)
        return compared
    if recipe.method == "full":
        return load_model(Base(base.name, base.kind, str(folder), base.about), tokenizer, recipe, device)
    model = load_model(base, tokenizer, recipe, device)
    return PeftModel.from_pretrained(model, str(folder)).to(device).eval()


def device_of(recipe: Recipe) -> torch.device:
    """Where to compute.

    Raises:
        RecipeError: CUDA is asked for and not there.
    """
    has_cuda = torch.cuda.is_available()
    if recipe.device == "cuda" and not has_cuda:
        raise RecipeError("device=cuda, but PyTorch sees no CUDA device; set device: cpu, or try `--dry-run`")
    if recipe.quantization == "qlora" and not has_cuda:
        raise RecipeError("quantization=qlora needs a CUDA device and PyTorch sees none; set quantization: none")
    return torch.device("cuda" if has_cuda and recipe.device != "cpu" else "cpu")


def target_modules(model: Any) -> list[str]:
    """Last names of all linear layers but those of the head."""
    heads = ("lm_head", "score", "classifier")
    return sorted(
        {
            name.split(".")[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and not any(part in heads for part in name.split("."))
            and "pooler" not in name
        }
    )  # fmt: skip


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """SHA-256 of vocabulary, merges and chat template: an adapter used under another tokenizer is another one."""
    kept = json.loads(tokenizer.backend_tokenizer.to_str())
    kept.pop("padding", None)
    kept.pop("truncation", None)
    text = json.dumps(kept, sort_keys=True) + str(tokenizer.chat_template or "")
    return hashlib.sha256(text.encode()).hexdigest()


def _published(name: str, models_dir: Path) -> Path:
    """Weights as they were fetched, not as an engine has them converted.

    Raises:
        ModelError: They are not there.
    """
    find(name, models_dir)
    directory = models_dir / name
    if not (directory / "model.safetensors").is_file():
        raise ModelError(f"no model.safetensors in {directory}; run `viva models pull {name}`")
    return directory


def _about(directory: Path) -> str:
    if is_dequantised(directory):
        return (
            "**weights dequantised from a GGUF** (four bits each), not the publisher's: what the quantisation rounded "
            "away is lost, and figures are not those of the original model"
        )
    return "weights as found"


def _four_bits(device: torch.device) -> Any:
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise RecipeError("quantization=qlora needs bitsandbytes; run `pip install bitsandbytes`")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _unreadable(base: Base, error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"cannot load base={base.name}: {reason}; {_allowed()}"


def _allowed() -> str:
    return (
        f"give {', '.join(OWN_BASES)}, the path of a directory with config.json and safetensors, or a hub id you may "
        "read"
    )


def _random_tokenizer(base: Base, models_dir: Path) -> Any:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    try:
        if base.kind == "encoder":
            return AutoTokenizer.from_pretrained(str(_published(_WEIGHTS["minilm"], models_dir)))
        return wrapped_tokenizer(Tokenizer.from_file(str(find("smollm2", models_dir) / "tokenizer.json")), CHATML)
    except ModelError as error:
        raise RecipeError(f"base={base.name} borrows a tokenizer: {error}") from error


def _random_model(base: Base, n_tokens: int) -> Any:
    """A Llama as Llama 3 is built (grouped queries, rotary scaling, head of its own), or a BERT, both tiny."""
    from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_RANDOM_SEED)
        if base.kind == "encoder":
            return BertForSequenceClassification(
                BertConfig(
                    vocab_size=n_tokens, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                    intermediate_size=64, num_labels=N_OUTCOMES,  # type: ignore[call-arg]
                )
            )  # fmt: skip
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=n_tokens, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=8192,
                tie_word_embeddings=False, initializer_range=0.3,  # wide, so that a few steps change something
                rope_parameters={
                    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0, "original_max_position_embeddings": 2048,
                },
            )
        )  # fmt: skip
