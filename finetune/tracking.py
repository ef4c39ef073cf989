"""Training and evaluation runs in MLflow: what was done, with which data and code, how it went, and what came of it.

Everything is logged by hand through the client, and MLflow's autologging is never switched on: both together would
log everything twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from finetune.watching import Run, Status
    from workbench.settings import Settings

log = logging.getLogger(__name__)

EXPERIMENT = "viva-examiner"
RUN_FILE = "tracking.json"
"""File in an adapter's folder that names its run."""

ADAPTER = "adapter"
"""Where a run keeps the adapter's folder."""

KEPT_BACK = ("checkpoints",)
"""Parts of an adapter's folder that are of no use once it is trained."""

FLUSH_EVERY = 20
"""Steps whose metrics go to the store at once: each write to a file on disk takes as long as a small step."""

_STATUS: Mapping[Status, str] = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_PROCESS = ("viva.host", "viva.pid", "viva.pid_started")
_PACKAGES_THAT_MATTER = ("torch", "transformers", "peft", "tokenizers", "numpy", "scikit-learn", "mlflow")
_PARAMETER_CHARACTERS = 6000


class TrackingError(ValueError):
    """MLflow is missing or its store cannot be used; the message says what to do."""


def tracking_uri(settings: Settings) -> str:
    """`VIVA_MLFLOW_URI`, else an SQLite file below `VIVA_DATA_DIR`."""
    return settings.mlflow_uri or f"sqlite:///{(settings.data_dir / 'mlflow' / 'mlflow.db').resolve()}"


def shown_uri(uri: str) -> str:
    """An address without the password that may stand in it."""
    before, at, after = uri.rpartition("@")
    return f"{before.split('://')[0]}://***@{after}" if at else uri


def client_of(settings: Settings) -> MlflowClient:
    """A client of the tracking store and the registry in it; a store of one's own is made when absent.

    Raises:
        TrackingError: MLflow is not installed, or the store cannot be opened.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # a store is made without many words
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise TrackingError(
            f"MLflow is not installed ({error}); run `pip install 'viva-workbench[finetune]'`"
        ) from error
    uri = tracking_uri(settings)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.get_experiment_by_name(EXPERIMENT)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"the MLflow store {shown_uri(uri)} cannot be used: {str(error).splitlines()[0]}; set "
            "VIVA_MLFLOW_URI to a tracking server or an sqlite:///FILE, or unset it for a file in VIVA_DATA_DIR"
        ) from error
    return client


def experiment_id(client: MlflowClient, settings: Settings) -> str:
    """The experiment all runs belong to; made when absent, with its files beside the SQLite file."""
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    beside = (settings.data_dir / "mlflow" / "artifacts").resolve()
    return str(client.create_experiment(EXPERIMENT, None if settings.mlflow_uri else beside.as_uri()))


class Tracked:
    """One run in MLflow.

    Args:
        client: Of the store.
        run_id: The run.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id
        self._waiting: list[Any] = []

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Logs what the run was set up with; a value once logged cannot change."""
        from mlflow.entities import Param

        params = [Param(key, _text(value)[:_PARAMETER_CHARACTERS]) for key, value in values.items()]
        for k in range(0, len(params), 100):  # a server takes no more at once
            self.client.log_batch(self.run_id, params=params[k : k + 100])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Logs figures of a step; they are written a few steps at a time, see `flush`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting += [Metric(key, float(value), now, step) for key, value in values.items()]
        if len(self._waiting) >= FLUSH_EVERY * max(1, len(values)):
            self.flush()

    def flush(self) -> None:
        """Writes figures that wait."""
        for k in range(0, len(self._waiting), 1000):
            self.client.log_batch(self.run_id, metrics=self._waiting[k : k + 1000])
        self._waiting.clear()

    def tags(self, values: Mapping[str, Any]) -> None:
        """Sets tags of the run."""
        for key, value in values.items():
            self.client.set_tag(self.run_id, key, _text(value))

    def folder(self, folder: Path, at: str) -> None:
        """Uploads the files of a folder, those of `KEPT_BACK` left out."""
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and inside.parts[0] not in KEPT_BACK:
                parent = inside.parent.as_posix()
                self.client.log_artifact(self.run_id, str(path), at if parent == "." else f"{at}/{parent}")

    def end(self, status: str) -> None:
        """Ends the run: FINISHED, KILLED or FAILED."""
        self.flush()
        self.client.set_terminated(self.run_id, status)


def begin(settings: Settings, name: str, tags: Mapping[str, Any] | None = None) -> Tracked:
    """A new run with fingerprints of code and environment; runs of processes that are no more are ended first.

    Args:
        settings: Where the store is.
        name: Of the run.
        tags: Further ones.

    Raises:
        TrackingError: There is no MLflow, or no store.
    """
    client = client_of(settings)
    experiment = experiment_id(client, settings)
    end_orphans(client, experiment)
    own = psutil.Process()
    about = dict(zip(_PROCESS, (socket.gethostname(), own.pid, own.create_time()), strict=True))
    all_tags = {key: _text(value) for key, value in {**code_fingerprint(), **about, **(tags or {})}.items()}
    run = client.create_run(experiment, run_name=name, tags=all_tags)
    tracked = Tracked(client, run.info.run_id)
    client.log_dict(tracked.run_id, environment(), "environment.json")
    return tracked


@contextmanager
def tracked_run(settings: Settings, name: str, tags: Mapping[str, Any] | None = None) -> Iterator[Tracked]:
    """A run that ends as it went: FINISHED, KILLED on Ctrl-C, FAILED on anything else.

    Args:
        settings: Where the store is.
        name: Of the run.
        tags: Further ones.
    """
    tracked = begin(settings, name, tags)
    try:
        yield tracked
    except (KeyboardInterrupt, SystemExit):
        tracked.end("KILLED")
        raise
    except BaseException as error:
        tracked.tags({"viva.error": type(error).__name__})
        tracked.end("FAILED")
        raise
    tracked.end("FINISHED")


def end_orphans(client: MlflowClient, experiment: str) -> list[str]:
    """Ends, as KILLED, runs of this machine that are called running though their process is gone; their ids.

    A process that is killed outright, or loses its power, cannot say so itself.
    """
    ended = []
    running = client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=500)
    for run in running:
        host, pid, started = (run.data.tags.get(key) for key in _PROCESS)
        if host == socket.gethostname() and pid and started and not _lives(int(pid), float(started)):
            client.set_terminated(run.info.run_id, "KILLED")
            ended.append(str(run.info.run_id))
    return ended


class Tracker:
    """Follows a training run; see `finetune.watching.Watcher`.

    A store that fails on the way costs the record, not the run: it goes on untracked, and `metrics.json` has its
    figures.

    Args:
        settings: Where the store is.

    Raises:
        TrackingError: There is no MLflow, or no store, which is better known before hours of training.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        client_of(settings)
        self._tracked: Tracked | None = None
        self._losses: list[tuple[int, float]] = []
        self._validated: list[tuple[int, float]] = []

    def on_start(self, run: Run) -> None:
        """Opens the run, or the one of the same folder again when training is resumed."""
        self._tracked = self._reopened(run) if run.first_step else None
        if self._tracked is None:
            tags = {"viva.base": run.base, "viva.resumed_at_step": run.first_step, "viva.kind": "train"}
            self._tracked = begin(self._settings, run.out.resolve().name, tags)
            self._tracked.parameters({**run.recipe.as_dict(), "n_steps": run.n_steps})
            self._tracked.tags({f"viva.data.{key}": value for key, value in _flat(run.data).items()})
            self._tracked.client.log_dict(self._tracked.run_id, dict(run.data), "data.json")
        (run.out / RUN_FILE).write_text(
            json.dumps({"run_id": self._tracked.run_id, "experiment": EXPERIMENT}) + "\n", encoding="utf-8"
        )

    def on_step(self, step: int, figures: Mapping[str, float]) -> None:
        """Logs loss and learning rate."""
        if "loss" in figures:
            self._losses.append((step, figures["loss"]))
        self._record(lambda tracked: tracked.metrics(figures, step))

    def on_eval(self, step: int, figures: Mapping[str, float]) -> None:
        """Logs a validation as `validation_...`."""
        if "macro_f1" in figures:
            self._validated.append((step, figures["macro_f1"]))
        named = {f"validation_{k}": v for k, v in figures.items() if k != "step"}

        def log_all(tracked: Tracked) -> None:
            tracked.metrics(named, step)
            tracked.flush()

        self._record(log_all)

    def on_end(self, status: Status, out: Path) -> None:
        """Uploads adapter, card and curves, and ends the run as it went."""
        card = out / "README.md"

        def upload(tracked: Tracked) -> None:
            tracked.folder(out, ADAPTER)
            if self._losses or self._validated:
                curves = _curves(self._losses, self._validated)
                tracked.client.log_figure(tracked.run_id, curves, "plots/training.png")
            if card.is_file():
                tracked.tags({"mlflow.note.content": card.read_text(encoding="utf-8")[:5000]})

        def end(tracked: Tracked) -> None:
            try:
                upload(tracked)
            finally:
                tracked.end(_STATUS.get(status, "FAILED"))

        self._record(end)

    def _record(self, job: Callable[[Tracked], None]) -> None:
        if self._tracked is None:
            return
        from mlflow.exceptions import MlflowException

        try:
            job(self._tracked)
        except (MlflowException, OSError) as error:
            log.warning(
                "training goes on untracked: %s failed (%s); its figures stand in metrics.json",
                shown_uri(tracking_uri(self._settings)), str(error).splitlines()[0],
            )  # fmt: skip
            self._tracked = None

    def _reopened(self, run: Run) -> Tracked | None:
        from mlflow.exceptions import MlflowException

        known = run_of(run.out)
        if known is None:
            return None
        client = client_of(self._settings)
        try:
            client.update_run(known, status="RUNNING")
        except MlflowException:  # it was made in another store, or deleted
            return None
        tracked = Tracked(client, known)
        own = psutil.Process()
        values = (socket.gethostname(), own.pid, own.create_time(), run.first_step)
        tracked.tags(dict(zip((*_PROCESS, "viva.resumed_at_step"), values, strict=True)))
        return tracked


def run_of(folder: Path) -> str | None:
    """Id of the run an adapter's folder was made by, None where none is named."""
    try:
        return str(json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def code_fingerprint() -> dict[str, str]:
    """`viva.code_sha256` of both packages' sources, and the commit where they lie in a repository."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for package in ("finetune", "workbench"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    found = {"viva.code_sha256": digest.hexdigest()}
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "finetune", "workbench"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return found
    found["mlflow.source.git.commit"] = commit.stdout.strip()
    found["viva.code_changed_since_commit"] = str(bool(changed.stdout.strip())).lower()
    return found


def environment() -> dict[str, Any]:
    """Python, machine and every installed package with its version."""
    packages = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "matters": {name: packages[name] for name in _PACKAGES_THAT_MATTER if name in packages},
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        "at": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _curves(losses: list[tuple[int, float]], validated: list[tuple[int, float]]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.subplots()
    if losses:
        left.plot(*zip(*losses, strict=True), color="#0072B2", linewidth=1)
    left.set_xlabel("step")
    left.set_ylabel("loss (line)", color="#0072B2")
    if validated:
        right = left.twinx()
        right.plot(*zip(*validated, strict=True), "s--", color="#D55E00")
        right.set_ylabel("macro-F1 on validation (squares)", color="#D55E00")
        right.set_ylim(0, 1)
    return figure


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{before}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return {_key(name): value for name, value in found.items()}


def _key(name: str) -> str:
    """MLflow takes letters, figures and ._-/ and spaces in a key, at most 250 of them."""
    return "".join(c if c.isalnum() or c in "._-/ " else "_" for c in name)[:200]


def _lives(pid: int, started: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.Error:
        return False


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (list, dict)) else str(value)
