"""The registered model `viva-examiner` in MLflow: its versions, its aliases, and the folder each stands for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from finetune.adapter_folder import ALL_WEIGHTS, WEIGHTS, weights_of
from finetune.tracking import ADAPTER, Tracked, begin, client_of, run_of, shown_uri, tracking_uri
from workbench.exam.items import Question
from workbench.exam.model import Evaluation
from workbench.judging.base import Judge

if TYPE_CHECKING:
    from workbench.settings import Settings

MODEL = "viva-examiner"
CHAMPION, CHALLENGER = "champion", "challenger"
SHA256 = "adapter_sha256"

_NAME = re.compile(r"models:/(?P<model>[\w.-]+)(?:@(?P<alias>[\w.-]+)|/(?P<version>\d+))")
_RUN = re.compile(r"[0-9a-f]{32}")
_ASKED = re.compile(r"(?:^|\()(?P<how>verdict|marks|llm)-[^ ]+ \(")


class RegistryError(ValueError):
    """Nothing is registered under a name, or it is not what was registered; the message says what to do."""


@dataclass(frozen=True)
class Version:
    """A version of a registered model, whether or not its files are to be had.

    Attributes:
        model: Its name.
        version: Number of the version.
        tags: Of the version.
    """

    model: str
    version: str
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        """As it stands beside marks, such as `viva-examiner-3`."""
        return f"{self.model}-{self.version}"


@dataclass(frozen=True)
class Registered(Version):
    """The same with its files.

    Attributes:
        folder: The adapter's folder on this machine.
    """

    folder: Path


def weights_sha256(folder: Path) -> str:
    """SHA-256 of an adapter's weights, or of a model's that was trained in all of them.

    Raises:
        RegistryError: The folder has none.
    """
    path = weights_of(folder)
    if not path.is_file():
        raise RegistryError(
            f"no adapter in {folder}: {WEIGHTS} is wanted, or {ALL_WEIGHTS} of a fully trained model; train one with "
            f"`viva-finetune train --out {folder}`"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mark_of(sha256: str) -> str:
    """How an adapter's weights are named beside its marks."""
    return f"@{sha256[:8]}"


def task_of(version: str) -> str | None:
    """The task a causal adapter was asked for, from what stands beside its marks; None of any other judge.

    >>> task_of("viva-examiner-2 (verdict-1 (mine@0a1b2c3d))")
    'verdict'
    """
    found = _ASKED.search(version)
    return ("key_point" if found["how"] == "llm" else found["how"]) if found else None


def folder_of(given: str, settings: Settings) -> Path:
    """The adapter's folder of what a command was given: a folder, a run's id, or `models:/...`.

    Raises:
        RegistryError: It is none of these, or the run kept no adapter.
        TrackingError: MLflow is missing.
    """
    if given.startswith("models:"):
        return resolve(given, settings).folder
    if Path(given).is_dir():
        return Path(given)
    if not _RUN.fullmatch(given):
        raise RegistryError(
            f"{given!r} is no folder and no id of a run (32 letters and figures, as `make mlflow` shows them); give one"
        )
    from mlflow.exceptions import MlflowException

    client = client_of(settings)
    try:
        source = f"{client.get_run(given).info.artifact_uri}/{ADAPTER}"
        return _fetched(source, settings, given)
    except (MlflowException, OSError) as error:
        raise RegistryError(
            f"run {given} has no adapter in {shown_uri(tracking_uri(settings))}: {str(error).splitlines()[0]}"
        ) from error


def register(folder: Path, settings: Settings, tags: Mapping[str, Any]) -> Registered:
    """Makes an adapter a version of `viva-examiner`, with its whole folder; one that is registered keeps its version.

    The folder goes to a place of its weights' own: a run that is resumed writes anew what it keeps itself.

    Args:
        folder: The adapter's.
        settings: Where the registry is.
        tags: Of the version.

    Raises:
        RegistryError: The folder holds no adapter.
        TrackingError: MLflow is missing.
    """
    sha256 = weights_sha256(folder)
    client = client_of(settings)
    run_id = _own_run(folder, settings)
    if run_id is None:
        tracked = begin(settings, folder.resolve().name, {"viva.kind": "registered"})
        tracked.folder(folder, ADAPTER)
        run_id = tracked.run_id
        tracked.end("FINISHED")
    place = f"registered/{sha256[:12]}/{ADAPTER}"
    Tracked(client, run_id).folder(folder, place)
    source = f"{client.get_run(run_id).info.artifact_uri}/{place}"
    known = [v for v in _versions(client) if v.tags.get(SHA256) == sha256 and v.source == source]
    if known:
        version = str(known[0].version)
    else:
        if not any(model.name == MODEL for model in client.search_registered_models(f"name = '{MODEL}'")):
            client.create_registered_model(MODEL, description="Examiner adapters of the Viva Workbench.")
        version = str(client.create_model_version(MODEL, source, run_id).version)
    for key, value in {SHA256: sha256, **tags}.items():
        client.set_model_version_tag(MODEL, version, key, str(value))
    return resolve(f"models:/{MODEL}/{version}", settings)


def resolve(name: str, settings: Settings) -> Registered:
    """The adapter behind `models:/viva-examiner@champion` or `models:/viva-examiner/3`, on this machine.

    Raises:
        RegistryError: The name does not read like that, nothing is registered under it, or its weights are not those
            that were registered.
        TrackingError: MLflow is missing, or its store.
    """
    read = _NAME.fullmatch(name)
    if read is None:
        raise RegistryError(
            f"{name!r} names no registered model; write models:/{MODEL}@{CHAMPION}, models:/{MODEL}@{CHALLENGER} or "
            f"models:/{MODEL}/VERSION"
        )
    client = client_of(settings)
    from mlflow.exceptions import MlflowException

    try:
        if read["alias"]:
            found = client.get_model_version_by_alias(read["model"], read["alias"])
        else:
            found = client.get_model_version(read["model"], read["version"])
    except MlflowException as error:
        versions = [str(v.version) for v in _versions(client, read["model"])]
        there = (
            f"{read['model']} has the versions {', '.join(sorted(versions))}" if versions else "nothing is there yet"
        )
        raise RegistryError(
            f"{name} is not registered in {shown_uri(tracking_uri(settings))}: {there}; `viva-finetune promote FOLDER` "
            "registers an adapter, `make mlflow` shows what there is"
        ) from error
    try:
        folder = _fetched(str(found.source), settings, f"{found.name}-{found.version}")
        sha256 = weights_sha256(folder)
    except (MlflowException, OSError, RegistryError) as error:
        raise RegistryError(
            f"the files of {name} (version {found.version}) cannot be had from {found.source}: "
            f"{str(error).splitlines()[0]}; register the adapter again with `viva-finetune promote FOLDER`"
        ) from error
    expected = found.tags.get(SHA256)
    if expected is not None and sha256 != expected:
        raise RegistryError(
            f"the weights of {name} (version {found.version}) in {folder} have SHA-256 {sha256[:12]}..., those that "
            f"were measured {expected[:12]}...; register the adapter again with `viva-finetune promote FOLDER`"
        )
    return Registered(str(found.name), str(found.version), dict(found.tags), folder)


def registered(settings: Settings) -> list[tuple[str, str]]:
    """(title, name) of champion and challenger, for `workbench.judging.menu`; nothing where no store was made yet.

    The name is that of the version, so that it goes on meaning the same adapter when another is promoted.

    Raises:
        RegistryError: The store cannot be asked.
        TrackingError: MLflow is missing.
    """
    uri = tracking_uri(settings)
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        return []
    client = client_of(settings)
    from mlflow.exceptions import MlflowException

    found = []
    for alias in (CHAMPION, CHALLENGER):
        try:
            version = client.get_model_version_by_alias(MODEL, alias).version
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                continue
            raise RegistryError(f"{shown_uri(uri)} cannot be asked: {str(error).splitlines()[0]}") from error
        found.append((f"models:/{MODEL}@{alias} (version {version})", f"models:/{MODEL}/{version}"))
    return found


class RegisteredJudge:
    """An adapter's judge whose marks say which version of the registered model gave them.

    Args:
        judge: Of the adapter.
        registered: What it is registered as.
    """

    def __init__(self, judge: Judge, registered: Registered) -> None:
        self._judge = judge
        self.name = f"{registered.name} ({judge.name})"
        self.card = {"registered": registered.name, SHA256: registered.tags.get(SHA256)}

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`."""
        mark = self._judge.judge(
            question, answer, question_text=question_text, recognition_confidence=recognition_confidence
        )
        return replace(mark, judge=self.name)


def made_judge(name: str, settings: Settings, *, beside_references: bool = False) -> Judge:
    """The judge behind `adapter:FOLDER` or `models:/...`, for `workbench.judging.registry`.

    Args:
        name: Either; `#verdict`, `#marks` or `#key_point` may follow.
        settings: Where weights and registry are.
        beside_references: Whether what is marked has references and no key points of its own, as answers of corpora.

    Raises:
        RegistryError, TrackingError: See `resolve`.
        ValueError: The folder holds no adapter that can judge.
        EngineError: Weights it needs are not there.
    """
    from finetune.adapter_judge import PREFIX, adapter_judge, read_adapter
    from finetune.graded_judge import GradedJudge
    from finetune.marks_judge import MarksJudge
    from finetune.references import BestReference

    path, _, task = name.partition("#")
    found = resolve(path, settings) if path.startswith("models:") else None
    folder = found.folder if found else Path(path.removeprefix(PREFIX)).expanduser()
    if not task and beside_references and "verdict" in read_adapter(folder)[0].tasks:
        task = "verdict"
    judge = adapter_judge(folder, settings, task=task or None)
    if beside_references and not isinstance(judge, (GradedJudge, MarksJudge)):
        judge = BestReference(judge)
    return RegisteredJudge(judge, found) if found else judge


def questions_learnt(name: str, settings: Settings) -> frozenset[str] | None:
    """The questions that the adapter of a judge was trained on, see `finetune.adapter_folder.questions_met`.

    Args:
        name: Of any judge; None comes of one that is no adapter.
        settings: Where the registry is.

    Raises:
        RegistryError, TrackingError: See `resolve`.
        ValueError: The adapter's `data.json` cannot be read.
    """
    from finetune.adapter_folder import questions_met
    from finetune.adapter_judge import PREFIX

    path = name.partition("#")[0]
    if path.startswith("models:"):
        return questions_met(resolve(path, settings).folder)
    return questions_met(Path(path.removeprefix(PREFIX)).expanduser()) if path.startswith(PREFIX) else None


def _own_run(folder: Path, settings: Settings) -> str | None:
    """The run that made the folder, where this store has it."""
    from mlflow.exceptions import MlflowException

    run_id = run_of(folder)
    if run_id is None:
        return None
    try:
        return str(client_of(settings).get_run(run_id).info.run_id)
    except MlflowException:
        return None


def _versions(client: Any, model: str = MODEL) -> list[Any]:
    return list(client.search_model_versions(f"name = '{model}'", max_results=1000))


def _fetched(source: str, settings: Settings, name: str) -> Path:
    """The files on this machine: where they are if that is here, else a copy beside the weights."""
    parsed = urlparse(source)
    if parsed.scheme in ("", "file"):
        folder = Path(unquote(parsed.path))
        if not folder.is_dir():
            raise RegistryError(f"there is no {folder}")
        return folder
    from mlflow.artifacts import download_artifacts

    copy = settings.models_dir.parent / "registered" / name
    if not weights_of(copy).is_file():
        copy.mkdir(parents=True, exist_ok=True)
        download_artifacts(artifact_uri=source, dst_path=str(copy), tracking_uri=tracking_uri(settings))
    inner = copy / ADAPTER
    return inner if weights_of(inner).is_file() else copy
