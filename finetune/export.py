"""An adapter made ready for other programs: merged weights, or a CTranslate2 model for the embedded engine.

Weights are written beside their place, read back, and asked the same rows as the adapter was; only if no more labels
flip than are allowed does the folder appear. (For vLLM the adapter stays an adapter: `finetune.vllm_folder`.)
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from finetune import adapter_folder
from finetune.adapter_judge import AdapterError, Loaded, load_adapter, read_adapter
from finetune.asked_rows import rows_to_ask
from finetune.asked_scores import asked_scores, compared, no_scores
from finetune.examples import Asked, prompt_ids, prompt_of
from finetune.vllm_folder import base_id, check_new, write_vllm_folder
from workbench.engines.bridge import wait_for

Target = Literal["vllm", "merged", "ctranslate2"]
Numbers = Literal["float32", "bfloat16", "int8"]

REPORT = "export.json"

MOST_APART = 0.01
"""Most by which a probability may differ where both sides compute in float32; rounding makes a thousandth of it."""

NO_GGUF = (
    "no GGUF is written: turning a Hugging Face model into one (rows of rotary projections in llama.cpp's order, the "
    "tokenizer's tables) is done by llama.cpp's script convert_hf_to_gguf.py, which no package carries; export --to "
    "merged and run that script on the folder, or take --to ctranslate2 for the embedded engine"
)

_NUMBERS: dict[Target, tuple[Numbers, ...]] = {
    "vllm": ("float32",),
    "merged": ("float32", "bfloat16"),
    "ctranslate2": ("float32", "int8"),
}


class ExportError(RuntimeError):
    """An export would not be the adapter that was measured; the message says by how much, and what to do."""


@dataclass(frozen=True)
class Check:
    """What an export is held against.

    Attributes:
        n_rows: Rows asked.
        data: A folder that `viva-finetune prepare` wrote; None takes the banks' answers.
        most_flips: Part of the rows whose label may change, in [0, 1].
    """

    n_rows: int = 100
    data: Path | None = None
    most_flips: float = 0.0


def export(
    folder: Path,
    to: Target,
    out: Path,
    models_dir: Path,
    *,
    numbers: Numbers | None = None,
    check: Check | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Writes an adapter for another program, and `export.json` beside it.

    Args:
        folder: That `train` wrote.
        to: `vllm`: the adapter itself; `merged`: a Hugging Face directory; `ctranslate2`: for `VIVA_JUDGE_LLM=smollm2`.
        out: A new folder.
        models_dir: The cache of weights.
        numbers: What weights are written as; None takes float32.
        check: What merged weights are held against.
        device: auto, cpu or cuda.

    Returns:
        What stands in `export.json`.

    Raises:
        AdapterError: It is no adapter, or one that the other program does not take.
        RecipeError: Its base, or the rows to ask, are not there.
        ExportError: Too many labels flip.
    """
    from finetune import bases

    if numbers is not None and numbers not in _NUMBERS[to]:
        raise AdapterError(f"--dtype {numbers} is not for --to {to}; allowed: {', '.join(_NUMBERS[to])}")
    recipe, metrics = read_adapter(folder)
    if recipe.pooling == "sides":
        raise AdapterError(
            f"{folder} has a head that compares sides, which no other program has; judge with adapter:{folder} here"
        )
    base = bases.find_base(recipe.base, recipe.kind, models_dir)
    about: dict[str, Any] = {
        "to": to,
        "base": base_id(base),
        "adapter_sha256": metrics.get("adapter_sha256"),
        "prompts_version": metrics.get("prompts_version"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if to == "vllm":
        write_vllm_folder(folder, out, base)
        return _report(out, about)
    if to == "ctranslate2" and recipe.kind != "causal":
        raise AdapterError(f"{folder} adapts an encoder; the embedded engine speaks by causal models: --to merged")
    check_new(out)
    check = check or Check()
    asked = rows_to_ask(recipe, check.n_rows, check.data)
    loaded = load_adapter(folder, models_dir, device)
    loaded.model.float()  # what is written is computed in float32 too
    before = asked_scores(loaded.model, loaded.tokenizer, recipe, asked, loaded.device)
    about |= {"dtype": numbers or "float32", "rows": len(asked), "rows_from": _source(check)}
    with _draft(out) as draft:
        if to == "merged":
            _write_merged(loaded, draft, numbers or "float32")
            about["check"] = _kept(compared(before, _read_back(draft, loaded, asked, numbers or "float32")))
            exact = about["check"] if about["dtype"] == "float32" else None
            _refuse(about["check"], check.most_flips, f"merged in {about['dtype']}", numbers, exact)
        else:
            about["check"] = _write_ctranslate2(loaded, draft, numbers or "float32", asked, before)
            best = max(about["check"].values(), key=lambda found: float(found["same_label"]))
            exact = about["check"].get("float32")
            _refuse(best, check.most_flips, f"by CTranslate2 in {about['dtype']}", numbers, exact)
        (draft / adapter_folder.CARD).write_text(_card(folder, about), encoding="utf-8")
        return _report(draft, about)


def _write_merged(loaded: Loaded, out: Path, numbers: str) -> None:
    """The adapter added to its base, in float32 whatever it is written as; `loaded` is used up."""
    import torch

    model = loaded.model
    merged = model if loaded.recipe.method == "full" else model.merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, numbers)).save_pretrained(str(out))
    loaded.tokenizer.save_pretrained(str(out))


def _read_back(directory: Path, loaded: Loaded, asked: Sequence[Asked], numbers: str) -> NDArray[np.float64]:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    kind = AutoModelForCausalLM if loaded.recipe.kind == "causal" else AutoModelForSequenceClassification
    model: Any = kind.from_pretrained(str(directory), dtype=getattr(torch, numbers))
    tokenizer = AutoTokenizer.from_pretrained(str(directory))
    return asked_scores(model.to(loaded.device).eval(), tokenizer, loaded.recipe, asked, loaded.device)


def _write_ctranslate2(
    loaded: Loaded, out: Path, numbers: str, asked: Sequence[Asked], before: NDArray[np.float64]
) -> dict[str, Any]:
    """The merged model as CTranslate2 has it, with the agreement of the embedded engine for each of its precisions."""
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".merged.") as merged:
        _write_merged(loaded, Path(merged), "float32")
        try:
            TransformersConverter(merged, copy_files=["tokenizer.json"]).convert(
                str(out), quantization=None if numbers == "float32" else numbers, force=True
            )
        except (ValueError, NotImplementedError) as error:
            raise AdapterError(f"CTranslate2 cannot convert this base: {error}; take --to merged") from error
    _check_tokens(out, loaded, asked)
    precisions = ("int8",) if numbers == "int8" else ("float32", "int8")
    return {one: _kept(compared(before, _embedded_scores(out, one, asked))) for one in precisions}


def _check_tokens(directory: Path, loaded: Loaded, asked: Sequence[Asked]) -> None:
    """Makes sure that the embedded engine reads each prompt as the adapter did.

    Raises:
        AdapterError: It does not: it writes ChatML, and the base has another template.
    """
    from tokenizers import Tokenizer

    from workbench.engines.smollm2 import render

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    for one in asked:
        messages = prompt_of(one).messages
        prefix, rest = render(messages, tokenizer)
        if [tokenizer.token_to_id(token) for token in (*prefix, *rest)] != prompt_ids(messages, loaded.tokenizer):
            raise AdapterError(
                "the embedded engine writes chats in ChatML, and this base has another template: it would be asked "
                "otherwise than trained; serve it with `viva-finetune serve`"
            )


def _embedded_scores(directory: Path, precision: Any, asked: Sequence[Asked]) -> NDArray[np.float64]:
    from workbench.engines.smollm2_scorer import SmolLM2Scorer

    scorer = SmolLM2Scorer(directory, precision=precision)
    scores = no_scores(asked)
    try:
        for place, one in enumerate(asked):
            prompt = prompt_of(one)
            said = wait_for(scorer.score_many([prompt.messages], prompt.labels))[0]
            scores[place, : len(said)] = said
    finally:
        wait_for(scorer.close())
    return scores


def _refuse(
    found: dict[str, Any], most: float, how: str, numbers: str | None, exact: dict[str, Any] | None = None
) -> None:
    apart = exact["probability_difference"]["largest"] if exact else 0.0
    if apart > MOST_APART:
        raise ExportError(
            f"probabilities {how} differ by up to {apart:.2g} though nothing was rounded (allowed: {MOST_APART}): the "
            "written model computes something else, such as another rotary scaling; nothing was written. Serve the "
            "adapter with `viva-finetune serve`"
        )
    if 1 - found["same_label"] <= most + 1e-9:
        return
    other = "" if numbers in (None, "float32") else "take --dtype float32, or "
    raise ExportError(
        f"{len(found['flips'])} of {found['n']} labels flip {how} (allowed: {most:.0%}), so nothing was written; "
        f"{other}allow more with --flips"
    )


def _kept(found: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {k: float(f"{v:.3g}") for k, v in value.items()} if isinstance(value, dict) else value
        for key, value in found.items()
    }


def _source(check: Check) -> str:
    return "the banks' answers" if check.data is None else f"validation rows of {check.data.name}"


@contextlib.contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when all went well."""
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield draft
        draft.chmod(0o755)
        os.replace(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _report(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    (folder / REPORT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return about


def _card(folder: Path, about: dict[str, Any]) -> str:
    return "\n".join(
        (
            f"# {folder.name}: an examiner adapter merged into {about['base']}",
            "",
            f"Written by `viva-finetune export --to {about['to']}` in {about['dtype']} from an adapter whose weights "
            f"have the SHA-256 `{about['adapter_sha256']}`; prompts of version {about['prompts_version']}.",
            f"Held against that adapter on {about['rows']} rows ({about['rows_from']}): `{REPORT}` says what differed.",
            "",
            "The licences of the base and of the adapter's data (its card lists them) hold for these weights too.",
            "",
            "**For** marking answers beside their references, with a person over the doubtful ones; **not for** "
            "clinical decisions, **nor** as the sole basis of a grade.",
            "",
        )
    )
