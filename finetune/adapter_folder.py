"""The folder of one adapter: PEFT's two files, and beside them what it was made of and how good it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from finetune.config import Recipe
from workbench.exam import judge_prompts

if TYPE_CHECKING:
    from finetune.bases import Base

RECIPE, DATA, METRICS, CARD, CHECKPOINTS = "recipe.yaml", "data.json", "metrics.json", "README.md", "checkpoints"
WEIGHTS, ALL_WEIGHTS = "adapter_model.safetensors", "model.safetensors"
"""Of an adapter, and of a model whose every weight was trained."""

_PACKAGES = ("torch", "transformers", "peft")


def begin(out: Path, recipe: Recipe, data: Mapping[str, Any]) -> None:
    """Writes what is known before the first step: `recipe.yaml`, `data.json`, and that the run is under way."""
    out.mkdir(parents=True, exist_ok=True)
    _write(out / DATA, data)
    _write(out / METRICS, {"status": "running"})
    recipe.save(out / RECIPE)


def save_adapter(out: Path, model: Any) -> None:
    """Writes `adapter_config.json` and `adapter_model.safetensors`."""
    model.save_pretrained(str(out))
    (out / CARD).unlink(missing_ok=True)  # PEFT's own, an empty form


def finish(
    out: Path, report: Mapping[str, Any], base: Base, tokenizer: Any, recipe: Recipe, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes `metrics.json` and the card, however the run ended; returns the metrics."""
    from finetune.bases import tokenizer_fingerprint

    weights = weights_of(out)
    metrics = {
        **report,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "prompts_version": judge_prompts.VERSION,
        "tokenizer_sha256": tokenizer_fingerprint(tokenizer),
        "adapter_sha256": hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else None,
        "adapter_bytes": weights.stat().st_size if weights.is_file() else None,
        "packages": {name: version(name) for name in _PACKAGES},
    }
    _write(out / METRICS, metrics)
    (out / CARD).write_text(_card(metrics, base, recipe, data), encoding="utf-8")
    return metrics


def weights_of(out: Path) -> Path:
    """The file of what was trained: the adapter, or all weights."""
    return out / (ALL_WEIGHTS if (out / ALL_WEIGHTS).is_file() else WEIGHTS)


def status_of(out: Path) -> str:
    """How far a run came: running (also one that was killed), finished, interrupted, failed."""
    try:
        return str(metrics_of(out)["status"])
    except (OSError, ValueError, KeyError):
        return "running"


def metrics_of(out: Path) -> dict[str, Any]:
    """`metrics.json` of a folder."""
    return dict(json.loads((out / METRICS).read_text(encoding="utf-8")))


def questions_met(folder: Path) -> frozenset[str] | None:
    """`question_hash` of every question an adapter was trained on; None where its folder does not say.

    Raises:
        ValueError: `data.json` is no such file.
    """
    path = folder / DATA
    known = json.loads(path.read_text(encoding="utf-8")).get("questions") if path.is_file() else None
    return None if known is None else frozenset(known["train"])


def _card(metrics: Mapping[str, Any], base: Base, recipe: Recipe, data: Mapping[str, Any]) -> str:
    licences = {str(about.get("licence", "unknown")) for about in data["sources"].values()}
    front: dict[str, Any] = {"library_name": "peft", "tags": ["viva-examiner", recipe.method], "language": ["en"]}
    if base.source and not Path(base.source).exists():
        front["base_model"] = base.source
    lines = ["---", yaml.safe_dump(front, sort_keys=False).strip(), "---", f"# Examiner adapter on {base.name}", ""]
    lines += [
        f"Status of the run: **{metrics['status']}**, {metrics['steps']} of {metrics['of_steps']} steps"
        + (" (stopped early)" if metrics["stopped_early"] else "")
        + f", {metrics['seconds']:.0f} s on {metrics['device']}; the weights are those of step {metrics['best_step']}.",
        "",
        f"- Base: {base.name}, {base.about}.",
        f"- {recipe.method}, rank {recipe.rank}, alpha {recipe.alpha}; {metrics['trained_weights']} weights trained; "
        f"tasks: {', '.join(recipe.tasks)}; seed {recipe.seed}. All settings: `{RECIPE}`.",
        f"- Prompts: `workbench.exam.judge_prompts`, version {metrics['prompts_version']}.",
        f"- SHA-256 of `{ALL_WEIGHTS if recipe.method == 'full' else WEIGHTS}`: `{metrics['adapter_sha256']}`.",
        "",
        "## Data",
        "",
        f"{data['rows']['train']} rows, {data['borrowed']} with another question's reference as answer and "
        f"{data['swapped']} beside another candidate's right answer; validated "
        f"on {data['rows']['validation']} rows of other questions. Longer than {recipe.max_tokens} tokens and left "
        f"out: {data['too_long']['train']} examples to train on, {data['too_long']['validation']} to validate with.",
        "",
        "| split | examples | outcomes |",
        "|---|---|---|",
    ]
    for side in ("train", "validation"):
        counted = "; ".join(
            f"{task}: " + ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
            for task, counts in data["outcomes"][side].items()
        )
        lines.append(f"| {side} | {data['examples'][side]} | {counted} |")
    lines += ["", "| source | licence | where from |", "|---|---|---|"]
    lines += [f"| {name} | {a.get('licence', '')} | {a.get('source', '')} |" for name, a in data["sources"].items()]
    lines += ["", *(f"- SHA-256 of `{name}`: `{sha256}`" for name, sha256 in data["sha256"].items())]
    if any("SA" in licence for licence in licences):
        lines.append("- A source is share-alike; who publishes this adapter should read its licence first.")
    graded = {"macro_f1": "macro-F1", "accuracy": "accuracy"} if recipe.marks_by else {}
    shown = graded | {"loss": "loss"}
    lines += [
        "",
        "## Validation, on questions it was not trained on",
        "",
        f"| | {' | '.join(shown.values())} |",
        "|---" * (1 + len(shown)) + "|",
    ]
    for name, key in (("base without adapter", "base_validation"), ("this adapter", "validation")):
        if found := metrics[key]:
            lines.append(f"| {name} | {' | '.join(format(found[figure], '.3f') for figure in shown)} |")
    lines += [
        "",
        "The best of several validations is taken, so that its figure is a little too good; figures to compare with "
        "come from `viva-finetune evaluate`.",
        "",
        "**For** marking answers beside their references, with a person over the doubtful ones; **not for** clinical "
        "decisions, **nor** as the sole basis of a grade.",
        "",
    ]
    return "\n".join(lines)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
