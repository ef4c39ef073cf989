"""Checkpoints of a run: everything that the next step depends on, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

_PREFIX = "step-"


class CheckpointError(ValueError):
    """There is nothing to go on from, or it does not fit; the message says what to do."""


def save_checkpoint(
    folder: Path, model: Any, optimizer: torch.optim.Optimizer, state: dict[str, Any], keep: int
) -> Path:
    """Writes `step-N`: trained weights, optimizer, random generators, and where in the data the run is.

    The learning rate and the order of rows follow from the step; nothing of the base is written.

    Args:
        folder: Of all checkpoints of the run.
        model: Its trainable parameters are kept.
        optimizer: Its moments are kept.
        state: Plain values with `step`.
        keep: Latest checkpoints kept; older ones are removed once this one is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{_PREFIX}{state['step']:07}"
    draft = Path(tempfile.mkdtemp(prefix=".draft.", dir=folder))
    try:
        save_file(trained(model), draft / "trained.safetensors")
        generators: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            generators["cuda"] = torch.cuda.get_rng_state_all()
        torch.save({"optimizer": optimizer.state_dict(), "generators": generators}, draft / "optimizer.pt")
        (draft / "state.json").write_text(json.dumps(state), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.rename(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(path: Path, model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Puts a checkpoint back in place and returns its state.

    Raises:
        CheckpointError: It is damaged, or of another adapter.
    """
    try:
        kept = load_file(path / "trained.safetensors")
        rest = torch.load(path / "optimizer.pt", weights_only=True)
        state = dict(json.loads((path / "state.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); remove it, and `--resume` goes on from the one before"
        ) from error
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if {name: p.shape for name, p in own.items()} != {name: p.shape for name, p in kept.items()}:
        raise CheckpointError(f"{path} holds weights of another adapter than the recipe makes; give another --out")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(kept[name])
    optimizer.load_state_dict(rest["optimizer"])
    torch.set_rng_state(rest["generators"]["cpu"])
    if torch.cuda.is_available() and "cuda" in rest["generators"]:
        torch.cuda.set_rng_state_all(rest["generators"]["cuda"])
    return state


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, the earliest first."""
    return sorted(folder.glob(f"{_PREFIX}*")) if folder.is_dir() else []


def trained(model: Any) -> dict[str, torch.Tensor]:
    """A copy of the weights that are trained, on the CPU."""
    return {n: p.detach().cpu().contiguous().clone() for n, p in model.named_parameters() if p.requires_grad}
