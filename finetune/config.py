"""How an adapter is trained: one frozen recipe, read from YAML, checked as a whole; its field docs are the `--help`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from workbench.exam.judge_prompts import Task

RECIPES = Path(__file__).parent / "recipes"

OWN_BASES: Mapping[str, Literal["causal", "encoder"]] = {
    "tiny-llama": "causal",
    "smollm2": "causal",
    "tiny-encoder": "encoder",
    "minilm": "encoder",
    "mpnet": "encoder",
}
"""Bases known by a short name, and what they are; any other name is a path or a hub id."""

VLLM_RANK = 64
"""Highest rank promised to a server that is started with `--max-lora-rank 64`; its default is 16."""

TIED = ("lm_head", "embed_tokens", "wte", "word_embeddings")
"""Modules vLLM takes no adapter for, or that share their weights with each other."""

NOT_THE_LOSS = ("device", "threads", "save_every", "keep_checkpoints")
"""Fields that may differ when a run is resumed: they change nothing that is learnt."""


class RecipeError(ValueError):
    """A recipe that cannot be trained; the message names the options that clash, and what they may be."""


@dataclass(frozen=True)
class Recipe:
    """What is trained on which base, and how.

    Attributes:
        base: tiny-llama, tiny-encoder (random, made on the spot), smollm2, minilm, mpnet, a path, or a hub id.
        kind: A causal model that says a label, or an encoder with a head that compares an answer with a reference.
        tasks: What is learnt, comma-separated: verdict, marks (rows with points), key_point (rows ticked by key point),
            feedback (rows with feedback).
        method: lora (Hu et al. 2021), dora (Liu et al. 2024), rslora (Kalajdzievski 2023), or full: no adapter, every
            weight of the base is trained and written.
        rank: Rank of the adapter.
        alpha: Scale of the adapter; its output is multiplied by alpha / rank, for rslora by alpha / sqrt(rank).
        dropout: Part of the adapter's inputs dropped in training, in [0, 1).
        targets: Names of the modules adapted, comma-separated; empty takes every linear layer but the last.
        for_vllm: Whether vLLM is to serve the adapter; refuses what it would not load.
        quantization: none, or qlora: the base in 4 bits (NF4, Dettmers et al. 2023) on a CUDA device.
        dtype: Numbers the base computes with; the adapter's own are always float32. mixed keeps the base in float32
            too and multiplies in bfloat16 (autocast).
        device: auto (CUDA where there is one), cpu or cuda.
        threads: Threads on the CPU; 0 leaves that to PyTorch.
        learning_rate: Highest learning rate; it rises linearly, then falls along half a cosine to a tenth.
        warmup: Part of the steps in which it rises, in [0, 1).
        weight_decay: Of AdamW.
        clip: Longest gradient; longer ones are shortened to it.
        epochs: Times every row is seen.
        max_steps: Steps after which training ends whatever `epochs` says; 0 sets no limit.
        batch_rows: Examples computed at once.
        together: For a causal model: most answers to one question that lie beside each other in a batch, which reads
            the question once for all of them; 1 mixes all rows.
        accumulate: Batches whose gradients are added up for one step.
        max_tokens: Longest example; longer ones are left out (causal) or shortened (encoder).
        gradient_checkpointing: Compute activations twice instead of keeping them: a third slower, far less memory.
        max_rows: Rows trained on, drawn by hash; 0 takes all.
        negatives: Further rows whose answer is the reference of another question, as a part of the rows, in [0, 1].
        swapped: Further rows whose reference is a right answer that another candidate gave to the question, as a part
            of the rows, in [0, 1].
        even_sources: From 0 (every row counts the same) to 1 (every source does, however few rows it has).
        balanced: Weigh rows so that each outcome counts the same; else the majority's word is learnt first.
        with_question: For an encoder: whether it reads the question before the reference; without it it cannot learn
            the training questions by heart.
        pooling: What an encoder's head sees: first (the state of the first token), or sides (the means of reference and
            answer, their difference and product), which sentence encoders compare by from the first step on.
        eval_every: Steps between two validations; 0 validates at the end only.
        eval_rows: Validation rows measured, drawn by hash; 0 takes all.
        patience: Validations without a better macro-F1 after which training ends; 0 never ends it early.
        save_every: Steps between two checkpoints.
        keep_checkpoints: Latest checkpoints kept.
        seed: Of the adapter's first weights, the order of rows, dropout and negatives.
    """

    base: str = "smollm2"
    kind: Literal["causal", "encoder"] = "causal"
    tasks: tuple[str, ...] = ("verdict",)
    method: Literal["lora", "dora", "rslora", "full"] = "lora"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = ()
    for_vllm: bool = True
    quantization: Literal["none", "qlora"] = "none"
    dtype: Literal["float32", "bfloat16", "mixed"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0
    learning_rate: float = 2e-4
    warmup: float = 0.05
    weight_decay: float = 0.0
    clip: float = 1.0
    epochs: int = 1
    max_steps: int = 0
    batch_rows: int = 8
    together: int = 1
    accumulate: int = 1
    max_tokens: int = 1024
    gradient_checkpointing: bool = False
    max_rows: int = 0
    negatives: float = 0.1
    swapped: float = 0.0
    even_sources: float = 0.0
    balanced: bool = True
    with_question: bool = True
    pooling: Literal["first", "sides"] = "first"
    eval_every: int = 50
    eval_rows: int = 0
    patience: int = 5
    save_every: int = 50
    keep_checkpoints: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks fields and pairs of fields.

        Raises:
            RecipeError: Everything that is wrong, one line each.
        """
        wrong = [*_out_of_range(self), *_clashes(self)]
        if wrong:
            raise RecipeError("this recipe cannot be trained:\n" + "\n".join(f"- {line}" for line in wrong))

    @property
    def marks_by(self) -> str | None:
        """The task it marks by where none is named: key points where it learnt them; None where it only writes."""
        graded = [task for task in self.tasks if task != "feedback"]
        return "key_point" if "key_point" in graded else next(iter(graded), None)

    def changed(self, **values: Any) -> Recipe:
        """The recipe with other values; see `recipe_of` for what may be given."""
        return recipe_of(self.as_dict() | values)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as YAML has them."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(self).items()
        }

    def save(self, path: Path) -> None:
        """Writes YAML that `load_recipe` reads."""
        path.write_text(yaml.safe_dump(self.as_dict(), sort_keys=False), encoding="utf-8")


def recipe_names() -> list[str]:
    """Recipes that come with the program."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by its name in `recipes/`, or from a YAML file.

    Raises:
        RecipeError: There is none, or its fields do not fit.
    """
    path = RECIPES / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise RecipeError(f"no recipe {str(name)!r}; known: {', '.join(recipe_names())}, or give a .yaml file")
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is no YAML: {error}") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path} must hold `field: value` lines; got a {type(given).__name__}")
    try:
        return recipe_of(given)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def recipe_of(given: Mapping[str, Any]) -> Recipe:
    """A recipe from plain values: lists or comma-separated texts for tuples, `1e-4` as a number.

    Raises:
        RecipeError: An unknown field, or a value of another kind than its field.
    """
    hints = get_type_hints(Recipe)
    known = [field.name for field in fields(Recipe)]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise RecipeError(f"unknown fields {', '.join(map(str, unknown))}; known: {', '.join(known)}")
    return Recipe(**{key: _value(key, value, hints[key]) for key, value in given.items()})


def field_help() -> dict[str, str]:
    """What each field means, read from the docstring of `Recipe`."""
    text = (Recipe.__doc__ or "").split("Attributes:")[1]
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", text, re.MULTILINE)
    return {name: " ".join(line.split()) for name, line in found}


def _value(key: str, value: Any, hint: Any) -> Any:
    def refuse(allowed: str) -> RecipeError:
        return RecipeError(f"{key}={value!r}; allowed: {allowed}")

    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise refuse(", ".join(map(str, get_args(hint))))
        return value
    if get_origin(hint) is tuple:
        parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
            raise refuse("names, comma-separated or as a list")
        return tuple(part.strip() for part in parts if part.strip())
    if hint is bool or hint is str:
        if not isinstance(value, hint):
            raise refuse("true or false" if hint is bool else "a text")
        return value
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if hint is int and number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise refuse("a whole number" if hint is int else "a number") from None
    return hint(number)


_RANGES: Mapping[str, tuple[float, float]] = {
    "rank": (1, 512),
    "alpha": (1, 4096),
    "dropout": (0, 0.99),
    "threads": (0, 512),
    "learning_rate": (1e-8, 1),
    "warmup": (0, 0.99),
    "weight_decay": (0, 1),
    "clip": (1e-4, 1e4),
    "epochs": (1, 1000),
    "max_steps": (0, 10**7),
    "batch_rows": (1, 4096),
    "together": (1, 4096),
    "accumulate": (1, 4096),
    "max_tokens": (16, 10**6),
    "max_rows": (0, 10**9),
    "negatives": (0, 1),
    "swapped": (0, 1),
    "even_sources": (0, 1),
    "eval_every": (0, 10**7),
    "eval_rows": (0, 10**9),
    "patience": (0, 10**4),
    "save_every": (1, 10**7),
    "keep_checkpoints": (1, 1000),
}


def _out_of_range(recipe: Recipe) -> list[str]:
    wrong = []
    for key, (low, high) in _RANGES.items():
        value = getattr(recipe, key)
        if not low <= value <= high:
            wrong.append(f"{key}={value}; allowed: {low} to {high}")
    allowed = get_args(Task)
    if not recipe.tasks or not set(recipe.tasks) <= set(allowed) or len(set(recipe.tasks)) < len(recipe.tasks):
        wrong.append(f"tasks={','.join(recipe.tasks) or '(none)'}; allowed: {', '.join(allowed)}, each once")
    return wrong


def _clashes(recipe: Recipe) -> list[str]:
    r = recipe
    tied = [name for name in r.targets if name.split(".")[-1] in TIED]
    own = OWN_BASES.get(r.base)
    checks = (
        (own not in (None, r.kind), f"base={r.base} clashes with kind={r.kind}: it is of kind {own}"),
        (
            r.kind == "encoder" and r.for_vllm,
            "kind=encoder clashes with for_vllm=true: vLLM serves adapters of causal models; set for_vllm: false",
        ),
        (
            r.kind == "encoder" and len(r.tasks) > 1,
            f"kind=encoder clashes with tasks={','.join(r.tasks)}: its head has one task; train one adapter for each",
        ),
        (
            r.kind == "encoder" and "feedback" in r.tasks,
            "kind=encoder clashes with tasks=feedback: it cannot write; set kind: causal",
        ),
        (
            r.kind == "encoder" and "marks" in r.tasks,
            "kind=encoder clashes with tasks=marks: its head has three outcomes; take tasks: verdict, or kind: causal",
        ),
        (
            r.kind == "encoder" and r.quantization == "qlora",
            "kind=encoder clashes with quantization=qlora: its head must stay unquantised; set quantization: none",
        ),
        (
            r.method == "dora" and r.for_vllm,
            "method=dora clashes with for_vllm=true: vLLM refuses DoRA; take lora or rslora, or set for_vllm: false "
            "and merge the weights",
        ),
        (
            r.method == "full" and r.for_vllm,
            "method=full clashes with for_vllm=true: there is no adapter to serve beside the base; set for_vllm: false",
        ),
        (
            r.method == "full" and r.quantization == "qlora",
            "method=full clashes with quantization=qlora: 4-bit weights cannot be trained; take lora",
        ),
        (
            r.method == "full" and r.dtype == "bfloat16",
            "method=full clashes with dtype=bfloat16: small steps are rounded away; set dtype: mixed or float32",
        ),
        (
            r.rank > VLLM_RANK and r.for_vllm,
            f"rank={r.rank} clashes with for_vllm=true: at most {VLLM_RANK} is served; lower it or set for_vllm: false",
        ),
        (
            bool(tied) and r.for_vllm,
            f"targets={','.join(tied)} clashes with for_vllm=true: vLLM takes no adapter on embeddings or the tied "
            "head; leave them out",
        ),
        (
            r.quantization == "qlora" and r.device == "cpu",
            "quantization=qlora clashes with device=cpu: 4 bits need CUDA; set device: cuda or quantization: none",
        ),
        (
            r.patience > 0 and r.eval_every == 0,
            f"patience={r.patience} clashes with eval_every=0: nothing is validated on the way; set eval_every or "
            "patience: 0",
        ),
        (
            r.kind == "causal" and r.pooling == "sides",
            "pooling=sides clashes with kind=causal: a causal model has no head",
        ),
        (
            r.pooling == "sides" and r.gradient_checkpointing,
            "pooling=sides clashes with gradient_checkpointing=true: the comparing head has none; lower batch_rows and "
            "raise accumulate to save memory",
        ),
        (
            r.together > r.batch_rows,
            f"together={r.together} clashes with batch_rows={r.batch_rows}: they lie in one batch; raise batch_rows",
        ),
        (
            r.together > 1 and r.kind == "encoder",
            f"together={r.together} clashes with kind=encoder: it reads both sides at once and shares nothing; set 1",
        ),
        (
            r.together > 1 and r.gradient_checkpointing,
            f"together={r.together} clashes with gradient_checkpointing=true: what is shared must be kept; set one",
        ),
        (
            r.kind == "causal" and not r.with_question,
            "with_question=false clashes with kind=causal: its prompt always holds the question",
        ),
    )
    return [message for clashes, message in checks if clashes]
