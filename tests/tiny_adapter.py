"""An adapter of a few weights, trained in three steps on a tiny Llama that lies in a directory, as other bases do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finetune import bases
from finetune.config import load_recipe
from finetune.prepare import Gathered, prepare, write
from finetune.train import train
from tests.small_corpus import many
from workbench.settings import Settings


@dataclass(frozen=True)
class Tiny:
    """Where everything is.

    Attributes:
        base: The base's directory.
        data: Prepared rows.
        folder: The adapter.
        models_dir: The cache of weights.
    """

    base: Path
    data: Path
    folder: Path
    models_dir: Path


def tiny_adapter(at: Path, **changed: object) -> Tiny:
    """Makes base, rows and adapter below a directory.

    Args:
        at: The directory.
        changed: Fields of the recipe.
    """
    models_dir = Settings(_env_file=None).models_dir  # type: ignore[call-arg]
    recipe = load_recipe("smoke").changed(max_steps=4, eval_every=4)
    base = bases.find_base("tiny-llama", "causal", models_dir)
    tokenizer = bases.load_tokenizer(base, models_dir)
    bases.load_model(base, tokenizer, recipe, bases.device_of(recipe)).save_pretrained(at / "tiny-base")
    tokenizer.save_pretrained(at / "tiny-base")
    found = Gathered(many(), sources={"made-up": {"licence": "CC BY-SA 3.0", "source": "these tests"}})
    write(at / "data", found, prepare(found, 0.3, 0), 0.3, 0)
    train(recipe.changed(base=str(at / "tiny-base"), **changed), at / "data", at / "mine", models_dir)
    return Tiny(at / "tiny-base", at / "data", at / "mine", models_dir)
