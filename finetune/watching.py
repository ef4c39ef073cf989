"""What a training run tells whoever watches it: the tracker, the progress bar, a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from finetune.config import Recipe

Status = Literal["running", "finished", "interrupted", "failed"]

LINE_EVERY_S = 60
"""Between two lines of a log."""


@dataclass(frozen=True)
class Run:
    """A run as it begins.

    Attributes:
        recipe: What is trained, and how.
        out: Its folder.
        data: Fingerprints and counts of its data.
        n_steps: Steps it will have unless it ends early.
        first_step: Steps done before, when it is resumed.
        base: What is said of the base's weights.
    """

    recipe: Recipe
    out: Path
    data: Mapping[str, Any]
    n_steps: int
    first_step: int
    base: str


class Watcher(Protocol):
    """Is told what happens; what it raises ends the run."""

    def on_start(self, run: Run) -> None:
        """The model is loaded and the first step comes."""

    def on_step(self, step: int, figures: Mapping[str, float]) -> None:
        """A step was made: `loss`, `learning_rate`, `gradient_norm`, `tokens`."""

    def on_eval(self, step: int, figures: Mapping[str, float]) -> None:
        """A validation was made: `loss`, `macro_f1` and `accuracy` (these two not where all is written), and each as
        `TASK_...` where there are two tasks."""

    def on_end(self, status: Status, out: Path) -> None:
        """The run is over, and its folder written as far as it goes."""


class Bar:
    """A progress bar with the time left, the loss and the best macro-F1, or the lowest loss where all is written."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Left

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), Left(), TextColumn("{task.fields[said]}"),
        )  # fmt: skip
        self._loss: float | None = None
        self._best = ""
        self._reached: float | None = None

    def on_start(self, run: Run) -> None:
        """Shows the bar."""
        self._task = self._bar.add_task("train", total=run.n_steps, completed=run.first_step, said="")
        self._bar.start()

    def on_step(self, step: int, figures: Mapping[str, float]) -> None:
        """Moves it; the loss is a running mean."""
        loss = figures["loss"]
        self._loss = loss if self._loss is None else 0.9 * self._loss + 0.1 * loss
        self._bar.update(self._task, completed=step, said=self._said())

    def on_eval(self, step: int, figures: Mapping[str, float]) -> None:
        """Shows the best validation so far."""
        graded = "macro_f1" in figures
        reached = figures["macro_f1"] if graded else -figures["loss"]
        self._reached = reached if self._reached is None else max(self._reached, reached)
        self._best = f" best macro-F1 {self._reached:.3f}" if graded else f" lowest on validation {-self._reached:.3f}"
        self._bar.update(self._task, said=self._said())

    def on_end(self, status: Status, out: Path) -> None:
        """Leaves the bar as it is."""
        self._bar.stop()

    def _said(self) -> str:
        loss = "" if self._loss is None else f"loss {self._loss:.3f}"
        return f"{loss}{self._best}"


class Lines:
    """The same where nobody sees a bar, such as a log: a line a minute, and one for each validation.

    Args:
        write: Takes a line.
        clock: Seconds, for the tests.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock

    def on_start(self, run: Run) -> None:
        """Says how long the run is."""
        self._n_steps, self._first, self._began = run.n_steps, run.first_step, self._clock()
        self._written = self._began
        self._write(f"step {run.first_step} of {run.n_steps}")

    def on_step(self, step: int, figures: Mapping[str, float]) -> None:
        """A line, if the last is a minute old."""
        now = self._clock()
        if now - self._written >= LINE_EVERY_S:
            self._written = now
            left = (now - self._began) / (step - self._first) * (self._n_steps - step)
            self._write(
                f"step {step} of {self._n_steps}, {_minutes(now - self._began)} gone, {_minutes(left)} left, loss "
                f"{figures['loss']:.3f}"
            )

    def on_eval(self, step: int, figures: Mapping[str, float]) -> None:
        """A line."""
        score = f"macro-F1 {figures['macro_f1']:.3f}, " if "macro_f1" in figures else ""
        self._write(f"step {step} of {self._n_steps}, validation: {score}loss {figures['loss']:.3f}")

    def on_end(self, status: Status, out: Path) -> None:
        """Says how it ended."""
        self._write(f"{status} after {_minutes(self._clock() - self._began)}")


class TooLong:
    """Says at the start how many examples are left out for their length, if any are.

    Args:
        write: Takes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def on_start(self, run: Run) -> None:
        """The line."""
        left, kept = run.data["too_long"], run.data["examples"]
        if any(left.values()):
            train, validation = (f"{left[side]} of {left[side] + kept[side]}" for side in ("train", "validation"))
            self._write(
                f"left out, for they are longer than --max-tokens {run.recipe.max_tokens}: {train} examples to train "
                f"on, {validation} to validate with"
            )

    def on_step(self, step: int, figures: Mapping[str, float]) -> None:
        """Nothing."""

    def on_eval(self, step: int, figures: Mapping[str, float]) -> None:
        """Nothing."""

    def on_end(self, status: Status, out: Path) -> None:
        """Nothing."""


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
