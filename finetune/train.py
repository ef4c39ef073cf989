"""Trains an adapter: one loop on one device, which can be broken off after any step and goes on to the same losses.

What a step sees follows from the recipe, the data and its number alone; what it depends on besides (weights, moments,
random generators) is in the checkpoint. So a resumed run is the unbroken one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finetune import adapter_folder, bases
from finetune.batches import epoch_batches, row_batches
from finetune.checkpoints import CheckpointError, checkpoints, load_checkpoint, save_checkpoint
from finetune.config import NOT_THE_LOSS, Recipe, RecipeError, load_recipe
from finetune.examples import OUTCOMES, Example, label_ids
from finetune.fast_dropout import with_fast_dropout
from finetune.marks_judge import expected_marks, verdict_places
from finetune.metrics import macro_f1
from finetune.outcome_scores import head_scores, label_scores, row_losses
from finetune.training_data import TrainingData, load_data
from finetune.watching import Run, Status, Watcher
from workbench.exam.judge_prompts import KEY_POINT_LABELS, MARK_LABELS, VERDICT_LABELS

log = logging.getLogger(__name__)

LOWEST_RATE = 0.1
"""Where the cosine ends, as a part of the highest learning rate."""

LEFT_OUT_IN_A_ROW = 5
"""Steps without a usable gradient, one after the other, after which training ends."""

WRITTEN_AT_ONCE = 8
"""Written texts whose likelihood is computed together."""

LABELS = {
    "verdict": tuple(VERDICT_LABELS.values()),
    "key_point": tuple(KEY_POINT_LABELS.values()),
    "marks": tuple(MARK_LABELS.values()),
}
"""What a causal model says for each of `OUTCOMES`."""


class TrainingError(RuntimeError):
    """Training could not go on; the message says what to change."""


class Interrupted(Exception):
    """The run was asked to stop, and did after a whole step; `--resume` goes on."""


@dataclass
class Progress:
    """Where a run is; the part of it that a checkpoint keeps as plain values.

    Attributes:
        step: Steps made.
        best: Highest macro-F1 of a validation, -1 before the first; of equal ones, that with the lower loss is better.
        best_loss: Its loss.
        best_step: After which step it was reached.
        worse: Validations since the highest macro-F1 was first reached.
        losses: Of every step.
        left_out: Steps whose gradient was no number, and which changed nothing.
        evals: Figures of every validation, with `step`.
        seconds: Spent in training, over all resumptions.
    """

    step: int = 0
    best: float = -1.0
    best_loss: float = 0.0
    best_step: int = 0
    worse: int = 0
    losses: list[float] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    evals: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    models_dir: Path,
    *,
    resume: bool = False,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Trains and writes the adapter of the best validation to `out`; see `finetune.adapter_folder`.

    Ctrl-C or a SIGTERM ends the run after the step being made, with a checkpoint.

    Args:
        recipe: How.
        data: A folder that `viva-finetune prepare` wrote.
        out: The adapter's folder; checkpoints lie in it while the run is not finished.
        models_dir: The cache of weights.
        resume: Go on from the last checkpoint in `out`.
        watchers: Are told what happens.

    Returns:
        What stands in `metrics.json`.

    Raises:
        RecipeError: Recipe, base and data do not fit, or `out` holds another run.
        CheckpointError: There is nothing to resume, or it is damaged.
        TrainingError: Memory ran out, or the loss is no number any more.
        Interrupted: It was asked to stop.
    """
    _check_folder(recipe, out, resume)
    device = bases.device_of(recipe)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    base = bases.find_base(recipe.base, recipe.kind, models_dir)
    tokenizer = bases.load_tokenizer(base, models_dir)
    found = load_data(data, recipe, tokenizer)
    if resume:
        _check_data(found, out)
    model = bases.with_adapter(bases.load_model(base, tokenizer, recipe, device), recipe)
    if device.type == "cpu":
        with_fast_dropout(model)
    learner = _Learner(recipe, found, model, tokenizer, device, out, watchers)
    if resume:
        learner.resume()
    else:
        adapter_folder.begin(out, recipe, found.card)
    run = Run(recipe, out, found.card, learner.n_steps, learner.progress.step, base.about)
    status: Status = "failed"
    try:
        with _stop_signals() as stop:
            for watcher in watchers:
                watcher.on_start(run)
            learner.run(stop)
        status = "finished"
        shutil.rmtree(out / adapter_folder.CHECKPOINTS, ignore_errors=True)
    except (Interrupted, KeyboardInterrupt):
        status = "interrupted"
        raise
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if _is_memory(error):
            raise TrainingError(
                f"memory ran out after {learner.progress.step} steps; {memory_advice(recipe)}"
            ) from error
        raise
    finally:
        metrics = adapter_folder.finish(out, learner.report(status), base, tokenizer, recipe, found.card)
        for watcher in watchers:
            watcher.on_end(status, out)
    return metrics


def learning_rate(recipe: Recipe, step: int, n_steps: int) -> float:
    """Of a step, counted from 0: a linear rise, then half a cosine down to `LOWEST_RATE`."""
    rising = round(recipe.warmup * n_steps)
    if step < rising:
        return recipe.learning_rate * (step + 1) / rising
    along = (step - rising) / max(1, n_steps - rising)
    return recipe.learning_rate * (LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * along)))


def memory_advice(recipe: Recipe) -> str:
    """What to change so that a run needs less memory and learns the same, or nearly; nothing that would be refused."""
    half = (recipe.batch_rows + 1) // 2
    ways: list[tuple[bool, dict[str, Any], str]] = [
        (
            recipe.batch_rows > 1,
            {"batch_rows": half, "accumulate": 2 * recipe.accumulate},
            f"--batch-rows {half} --accumulate {2 * recipe.accumulate} (the same steps, half the activations)",
        ),
        (
            not recipe.gradient_checkpointing,
            {"gradient_checkpointing": True},
            "--gradient-checkpointing (a third slower)",
        ),
        (
            recipe.max_tokens > 512,
            {"max_tokens": recipe.max_tokens // 2},
            f"--max-tokens {recipe.max_tokens // 2} (longer rows are left out)",
        ),
        (
            recipe.quantization == "none" and (recipe.device == "cuda" or torch.cuda.is_available()),
            {"quantization": "qlora"},
            "--quantization qlora (a quarter of the base's memory)",
        ),
        (recipe.dtype == "float32", {"dtype": "bfloat16"}, "--dtype bfloat16 (half of the base's memory)"),
    ]
    advice = [said for helps, changes, said in ways if helps and _fits(recipe, changes)]
    return "try " + "; or ".join(advice or ["a smaller base"]) + "; then go on in another --out"


def _fits(recipe: Recipe, changes: dict[str, Any]) -> bool:
    try:
        recipe.changed(**changes)
    except RecipeError:
        return False
    return True


class _Learner:
    """Model, optimizer and place in the data."""

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        model: Any,
        tokenizer: Any,
        device: torch.device,
        out: Path,
        watchers: Sequence[Watcher],
    ) -> None:
        self._recipe = recipe
        self._data = data
        self._model = model
        self._tokenizer = tokenizer
        self._device = device
        self._out = out
        self._watchers = watchers
        self._labels = {task: [label_ids(label, tokenizer) for label in labels] for task, labels in LABELS.items()}
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        self._shuffled = 0, self._epoch(0)
        self._steps_per_epoch = math.ceil(len(self._shuffled[1]) / recipe.accumulate)
        self.n_steps = min(recipe.max_steps or 10**9, self._steps_per_epoch * recipe.epochs)
        self.progress = Progress()
        torch.manual_seed(recipe.seed)

    def resume(self) -> None:
        """Goes back to the last checkpoint."""
        kept = checkpoints(self._out / adapter_folder.CHECKPOINTS)
        if not kept:
            raise CheckpointError(f"{self._out} holds no checkpoint; start anew in another --out")
        self.progress = Progress(**load_checkpoint(kept[-1], self._model, self._optimizer))

    def run(self, stop: threading.Event) -> None:
        """Makes all steps that are left."""
        started, before = time.monotonic(), self.progress.seconds

        def save() -> None:
            self.progress.seconds = before + time.monotonic() - started
            folder = self._out / adapter_folder.CHECKPOINTS
            save_checkpoint(folder, self._model, self._optimizer, vars(self.progress), self._recipe.keep_checkpoints)

        recipe, progress = self._recipe, self.progress
        if not progress.evals:
            self._evaluate()
        while progress.step < self.n_steps and not self._has_stalled():
            self._step()
            if recipe.eval_every and progress.step % recipe.eval_every == 0 and progress.step < self.n_steps:
                self._evaluate()
            if stop.is_set():
                save()
                raise Interrupted(f"stopped after step {progress.step} of {self.n_steps}; go on with --resume")
            if progress.step % recipe.save_every == 0:
                save()
        if progress.evals[-1]["step"] != progress.step:
            self._evaluate()
        self.progress.seconds = before + time.monotonic() - started

    def report(self, status: Status) -> dict[str, Any]:
        """What the run comes to."""
        progress = self.progress
        reached = [figures for figures in progress.evals if figures["step"] == progress.best_step]
        return {
            "status": status,
            "steps": progress.step,
            "of_steps": self.n_steps,
            "stopped_early": status == "finished" and progress.step < self.n_steps,
            "best_step": progress.best_step,
            "validation": reached[-1] if reached else {},
            "base_validation": progress.evals[0] if progress.evals else {},
            "evals": progress.evals,
            "losses": [loss if math.isfinite(loss) else None for loss in progress.losses],
            "steps_left_out": progress.left_out,
            "seconds": round(progress.seconds, 1),
            "trained_weights": sum(parameter.numel() for parameter in self._parameters),
            "device": torch.cuda.get_device_name() if self._device.type == "cuda" else "cpu",
            "peak_memory_mb": _peak_memory_mb(self._device),
        }

    def _has_stalled(self) -> bool:
        return 0 < self._recipe.patience <= self.progress.worse

    def _step(self) -> None:
        recipe, step = self._recipe, self.progress.step
        rate = learning_rate(recipe, step, self.n_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        batches = self._batches(step)
        n_rows = sum(map(len, batches))
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        total, n_tokens = 0.0, 0
        for rows in batches:
            examples = [self._data.train[i] for i in rows]
            weights = torch.tensor([self._data.weights[i] for i in rows], device=self._device)
            with self._numbers():
                losses = row_losses(self._model, examples, self._tokenizer.pad_token_id, self._device, recipe.kind)
            loss = (losses * weights).sum() / n_rows
            loss.backward()
            total += float(loss.detach())
            n_tokens += sum(len(example.input_ids) for example in examples)
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, recipe.clip))
        if math.isfinite(total) and math.isfinite(norm):
            self._optimizer.step()
        else:  # taken, it would turn every weight into no number
            self.progress.left_out.append(step + 1)
            log.warning("step %d left out: its loss is %g, its gradient's length %g", step + 1, total, norm)
            if self.progress.left_out[-LEFT_OUT_IN_A_ROW:] == list(range(step + 2 - LEFT_OUT_IN_A_ROW, step + 2)):
                raise TrainingError(
                    f"the loss of step {step + 1} is {total}, the length of its gradient {norm}, and the "
                    f"{LEFT_OUT_IN_A_ROW - 1} steps before were no better; lower learning_rate="
                    f"{recipe.learning_rate:g}, or set dtype: float32, and start anew"
                )
        self.progress.step = step + 1
        self.progress.losses.append(total)
        figures = {"loss": total, "learning_rate": rate, "gradient_norm": norm, "tokens": float(n_tokens)}
        for watcher in self._watchers:
            watcher.on_step(step + 1, figures)

    def _batches(self, step: int) -> list[list[int]]:
        epoch, place = divmod(step, self._steps_per_epoch)
        if self._shuffled[0] != epoch:
            self._shuffled = epoch, self._epoch(epoch)
        return self._shuffled[1][place * self._recipe.accumulate : (place + 1) * self._recipe.accumulate]

    def _epoch(self, epoch: int) -> list[list[int]]:
        recipe, rows = self._recipe, self._data.train
        lengths, starts = [len(example.input_ids) for example in rows], [example.start for example in rows]
        return epoch_batches(lengths, recipe.batch_rows, recipe.seed, epoch, starts, recipe.together)

    def _evaluate(self) -> None:
        figures = {"step": float(self.progress.step)} | self._measured()
        progress = self.progress
        progress.evals.append(figures)
        score = figures.get("macro_f1", 0.0)
        # what is only written is as good as it is likely
        better = score > progress.best if "macro_f1" in figures else figures["loss"] < (progress.best_loss or math.inf)
        progress.worse = 0 if better else progress.worse + 1
        if (score, -figures["loss"]) > (progress.best, -progress.best_loss):
            progress.best, progress.best_loss = score, figures["loss"]
            progress.best_step = progress.step
            adapter_folder.save_adapter(self._out, self._model)
        for watcher in self._watchers:
            watcher.on_eval(progress.step, figures)

    def _measured(self) -> dict[str, float]:
        """`macro_f1`, `accuracy` and `loss` (of the outcomes' likelihoods), the mean over tasks and of each; of `marks`
        those of the verdicts that follow from them, and `marks_rmse`; of `feedback` the loss of a token alone, and
        where nothing else is learnt the loss alone."""
        self._model.eval()
        by_task = {}
        off: dict[str, float] = {}
        for task in self._recipe.tasks:
            chosen = [example for example in self._data.validation if example.task == task]
            if not OUTCOMES[task]:
                by_task[task] = {"loss": self._written_loss(chosen)}
                continue
            with torch.inference_mode(), self._numbers():
                scores = self._scores(chosen, task).numpy()
            right = np.array([example.place for example in chosen], np.intp)
            loss = float(-scores[np.arange(len(right)), right].mean())
            given = scores.argmax(axis=1)
            if task == "marks":
                expected = expected_marks(np.exp(scores))
                off["marks_rmse"] = float(np.sqrt(np.mean((expected - right) ** 2)))
                right, given = verdict_places(right), verdict_places(expected)
            by_task[task] = {
                "macro_f1": macro_f1(right, given),
                "accuracy": float(np.mean(right == given)),
                "loss": loss,
            }
        means = {}
        for name in ("macro_f1", "accuracy", "loss"):
            if found := [figures[name] for figures in by_task.values() if name in figures]:
                means[name] = sum(found) / len(found)
        if len(by_task) > 1:
            means |= {f"{task}_{name}": value for task, its in by_task.items() for name, value in its.items()}
        return means | off

    def _written_loss(self, examples: Sequence[Example]) -> float:
        total = 0.0
        rows = row_batches([one.start for one in examples], [len(one.input_ids) for one in examples], WRITTEN_AT_ONCE)
        for places in rows:
            batch = [examples[i] for i in places]
            with torch.inference_mode(), self._numbers():
                losses = row_losses(self._model, batch, self._tokenizer.pad_token_id, self._device, self._recipe.kind)
            total += float(losses.sum())
        return total / len(examples)

    def _numbers(self) -> Any:
        """What the forward pass multiplies in."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._recipe.dtype == "mixed")

    def _scores(self, examples: Sequence[Example], task: str) -> torch.Tensor:
        pad_id = self._tokenizer.pad_token_id
        if self._recipe.kind == "encoder":
            return head_scores(self._model, examples, pad_id, self._device)
        prompts = [example.input_ids[: example.labels.count(-100)] for example in examples]
        shared = [example.shared for example in examples]
        return label_scores(self._model, prompts, self._labels[task], pad_id, self._device, shared=shared)


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second Ctrl-C ends the process at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.getsignal(number) for number in numbers}

    def ask(number: int, frame: Any) -> None:
        log.warning("stopping after this step; once more to stop at once")
        stop.set()
        for one, handler in former.items():
            signal.signal(one, handler)

    for number in numbers:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


def _check_folder(recipe: Recipe, out: Path, resume: bool) -> None:
    held = out / adapter_folder.RECIPE
    if held.is_file() and adapter_folder.status_of(out) == "finished":
        refused = CheckpointError if resume else RecipeError
        raise refused(f"the run in {out} is finished; train anew in another --out")
    if not resume:
        if held.exists():
            raise RecipeError(f"{out} holds a run already; give --resume to go on with it, or another --out")
        return
    if not held.is_file():
        raise CheckpointError(f"{out} holds no run to resume; start one without --resume")
    theirs, own = load_recipe(held).as_dict(), recipe.as_dict()
    differ = [key for key in own if key not in NOT_THE_LOSS and own[key] != theirs[key]]
    if differ:
        raise RecipeError(
            f"{out} was begun with another recipe: "
            + ", ".join(f"{key}={theirs[key]} there, {own[key]} now" for key in differ)
            + "; leave --recipe and these options out to resume with its own, or start anew in another --out"
        )


def _check_data(found: TrainingData, out: Path) -> None:
    theirs = json.loads((out / adapter_folder.DATA).read_text(encoding="utf-8"))["sha256"]
    differ = [name for name, sha256 in found.card["sha256"].items() if theirs.get(name) != sha256]
    if differ:
        raise RecipeError(f"{', '.join(differ)} changed since the run in {out} began; start anew in another --out")


def _is_memory(error: BaseException) -> bool:
    said = str(error).lower()
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        words in said for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _peak_memory_mb(device: torch.device) -> int:
    """Of the device, or of the process on a CPU."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 1e6)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
