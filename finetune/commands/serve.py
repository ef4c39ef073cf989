"""`viva-finetune export`, `serve`, `adapters` and `prove`: an adapter leaves the place it was trained in."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from finetune.vllm_server import VllmServer
    from workbench.settings import Settings

LOG = "vllm-{port}.log"
"""What a server prints, below the data directory; several may run side by side."""

SAID_EVERY_S = 15.0
"""How often waiting says where it is, where nobody watches a terminal."""

AdapterArgument = Annotated[
    str, typer.Argument(help="Folder of an adapter, the id of the run that made it, or models:/viva-examiner@champion.")
]
AdapterOptions = Annotated[
    list[str] | None, typer.Option("--adapter", help="NAME=FOLDER; may be given several times. A run's id will do too.")
]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="Rows asked.")]
VenvOption = Annotated[
    Path | None, typer.Option("--venv", help="Environment that has vLLM.", show_default=".venv-vllm, by `make vllm`")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Ask validation rows of a folder that `prepare` wrote; else answers of the banks."),
]


def export(
    adapter: AdapterArgument,
    to: Annotated[
        Literal["vllm", "merged", "ctranslate2", "gguf"],
        typer.Option("--to", help="An adapter for vLLM, merged weights, or a model for the embedded engine."),
    ],
    out: Annotated[Path, typer.Option("--out", help="A new folder.")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "int8"] | None,
        typer.Option("--dtype", help="What merged weights are written as; int8 is CTranslate2's."),
    ] = None,
    rows: RowsOption = 100,
    data: DataOption = None,
    flips: Annotated[
        float,
        typer.Option("--flips", min=0, max=1, help="Part of the rows whose label may change; else it is refused."),
    ] = 0.0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option("--device")] = "auto",
) -> None:
    """Write an adapter for another program, held against what it was before."""
    from finetune.adapter_judge import read_adapter
    from finetune.export import NO_GGUF, Check, ExportError
    from finetune.export import export as write
    from workbench.settings import get_settings

    if to == "gguf":
        raise typer.BadParameter(NO_GGUF)
    settings = get_settings()
    with _told():
        folder = _folder(adapter, settings)
        try:
            about = write(
                folder, to, out, settings.models_dir, numbers=dtype, check=Check(rows, data, flips), device=device
            )
        except ExportError as error:
            typer.echo(f"viva-finetune: {error}", err=True)
            raise typer.Exit(1) from None
    checks = about.get("check", {})
    for name, found in checks.items() if to == "ctranslate2" else [("", checks)] if checks else []:
        how, apart = f" in {name}" if name else "", found["probability_difference"]
        typer.echo(
            f"{len(found['flips'])} of {found['n']} labels changed{how}; probabilities differ by {apart['mean']:.2g} "
            f"in the mean, {apart['largest']:.2g} at most"
        )
    typer.echo(f"wrote {out}")
    if to == "vllm":
        typer.echo(f"serve it: viva-finetune serve --adapter {folder.name}={out}")
    if to == "ctranslate2":
        recipe = read_adapter(folder)[0]
        best = max(checks, key=lambda name: float(checks[name]["same_label"]))
        if "key_point" in recipe.tasks:
            typer.echo(
                f"judge with it: VIVA_JUDGE=llm VIVA_JUDGE_LLM=smollm2 VIVA_JUDGE_MODEL={out} "
                f"VIVA_JUDGE_PRECISION={best}"
            )
            return
        other = f", or serve it with vLLM and set VIVA_JUDGE=served:NAME#{recipe.marks_by}"
        typer.echo(
            f"do not judge with it: the embedded engine asks by key point, and {folder} was trained for "
            f"{', '.join(recipe.tasks)}; set VIVA_JUDGE=adapter:{folder}{'' if recipe.method == 'full' else other}"
        )


def serve(
    adapter: AdapterOptions = None,
    base: Annotated[
        str | None, typer.Option("--base", help="As in a recipe: smollm2, a path, a hub id; else the adapters'.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8000,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"] | None,
        typer.Option("--dtype", help="Numbers it computes with; else float32 on a CPU, on CUDA what vLLM takes."),
    ] = None,
    max_rank: Annotated[
        int, typer.Option("--max-rank", min=0, help="Make room for adapters of this rank that come later.")
    ] = 0,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=16, help="Longest prompt.")] = None,
    venv: VenvOption = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the command and end.")] = False,
    more: Annotated[list[str] | None, typer.Argument(help="Options of vLLM's own, after `--`.")] = None,
) -> None:
    """Serve adapters on vLLM, which `make vllm` installs; the workbench judges with them by name."""
    from finetune.adapter_judge import read_adapter
    from finetune.vllm_server import ENVIRONMENT, Adapters, ServerError, VllmServer, find_python
    from finetune.vllm_server import serve_command as command_of
    from finetune.vllm_server import serve_environment as environment_of
    from workbench.settings import get_settings

    settings = get_settings()
    with _told():
        try:
            python, on_cpu = find_python(venv or ENVIRONMENT)
        except ServerError:
            if not only_print:
                raise
            python, on_cpu = (venv or ENVIRONMENT) / "bin" / "python", False
        serving = _serving(
            adapter or [], settings, on_cpu, base=base, host=host, port=port, dtype=dtype, rank=max_rank,
            max_tokens=max_tokens, more=tuple(more or ()),
        )  # fmt: skip
        command = command_of(serving, python)
        typer.echo(shlex.join(command))
        if only_print:
            return
        key = _key(settings)
        log_file = settings.data_dir / LOG.format(port=serving.port)
        server = VllmServer(command, environment_of(serving, _environ(), key), serving.url, log_file)
        with stopped(server) as asked:
            server.start()
            if not ready(server, asked):
                return
            adapters = Adapters(serving.url, key)
            names = adapters.names()
            adapters.close()
            typer.echo(f"serving {', '.join(names)} at {serving.url}; log: {log_file}")
            for name, folder in serving.adapters.items():
                tasks = read_adapter(folder)[0].tasks
                if tasks == ("feedback",):
                    continue
                task = "" if "key_point" in tasks else f"#{next(one for one in tasks if one != 'feedback')}"
                typer.echo(f"judge with it: VIVA_JUDGE=served:{name}{task} VIVA_JUDGE_URL={serving.url}")
            typer.echo(f"load and unload while it runs: viva-finetune adapters --url {serving.url} --load NAME=FOLDER")
            while server.ended() is None and not asked:
                time.sleep(0.2)
        if not asked:
            raise ServerError(f"vLLM ended with status {server.ended()}:\n{server.last_lines()}")


def adapters(
    url: Annotated[str, typer.Option("--url", help="Of a running server.")] = "http://127.0.0.1:8000/v1",
    load: Annotated[list[str] | None, typer.Option("--load", help="NAME=FOLDER, read by the server.")] = None,
    unload: Annotated[list[str] | None, typer.Option("--unload", help="NAME.")] = None,
) -> None:
    """Load and unload adapters of a running vLLM server, and list what it has."""
    from finetune.vllm_folder import check_for_vllm
    from finetune.vllm_server import Adapters
    from workbench.settings import get_settings

    settings = get_settings()
    with _told():
        named = _named(load or [], settings)
        for folder in named.values():
            check_for_vllm(folder)  # before its forerunner is unloaded
        server = Adapters(url, _key(settings))
        try:
            for name in unload or []:
                server.unload(name)
            for name, folder in named.items():
                server.load(name, folder)
            for name, parent in server.names().items():
                typer.echo(f"{name} (on {parent})" if parent else name)
        finally:
            server.close()


def prove(
    adapter: AdapterArgument,
    rows: RowsOption = 100,
    data: DataOption = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A server that has the adapter; else one is started and ended.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The adapter's there; else its folder's.")] = None,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"] | None, typer.Option("--dtype", help="See `serve`.")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Of PEFT's side.")] = "auto",
    venv: VenvOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
) -> None:
    """Prove that vLLM gives the verdicts of an adapter as PEFT does, and not those of its base."""
    from finetune import proof
    from finetune.adapter_judge import read_adapter
    from finetune.asked_rows import rows_to_ask
    from finetune.vllm_folder import check_for_vllm
    from finetune.written import write_report
    from workbench.settings import get_settings

    settings = get_settings()
    with _told():
        folder = _folder(adapter, settings)
        called = name or folder.name
        recipe, metrics = read_adapter(folder)
        check_for_vllm(folder)
        asked = rows_to_ask(recipe, rows, data)
        with _served({called: folder}, url, settings, dtype, venv) as (begin, about):
            typer.echo(f"asking PEFT {len(asked)} rows, with and without the adapter ...")
            reference = proof.ask_peft(folder, asked, settings.models_dir, device)
            address, base_name = begin()
            wrong = proof.differing_tokens(address, called, asked, reference, settings.api_key)
            found, seconds = proof.ask_server(address, [called, base_name], asked, settings.api_key, _counted)
            about |= {"vllm": proof.measured_version(address), "server_seconds": round(seconds, 1)}
    result = proof.verdict_of(reference, found[called], found[base_name], wrong)
    for key, said in (
        ("adapter_on_server_beside_peft", "adapter, vLLM beside PEFT"),
        ("base_on_server_beside_peft", "base, vLLM beside PEFT"),
        ("adapter_beside_base_on_server", "adapter beside base, both on vLLM"),
    ):
        apart = result[key]["probability_difference"]
        typer.echo(
            f"{said}: {result[key]['same_label']:.1%} same label; probabilities differ by {apart['mean']:.2g} in the "
            f"mean, {apart['largest']:.2g} at most"
        )
    typer.echo(f"rows of which the server read other tokens: {result['rows_with_other_tokens']} of {len(asked)}")
    if out is not None:
        about |= {
            "adapter": folder.name,
            "adapter_sha256": metrics.get("adapter_sha256"),
            "base": base_name,
            "recipe": {key: getattr(recipe, key) for key in ("method", "rank", "alpha", "dtype")},
            "tasks": {task: sum(one.task == task for one in asked) for task in recipe.tasks},
            "peft_seconds": round(reference.seconds, 1),
        }
        write_report(out, about | result)
    for reason in result["failed"]:
        typer.echo(f"viva-finetune: not proven: {reason}", err=True)
    if result["failed"]:
        raise typer.Exit(1)
    typer.echo("proven")


@contextmanager
def stopped(server: VllmServer) -> Iterator[list[int]]:
    """While it lasts Ctrl-C and SIGTERM are noted, at its end the server is stopped with the signal that came."""
    asked: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, lambda n, frame: asked.append(n)) for number in numbers}
    try:
        yield asked
    finally:
        if server.ended() is None and server.started():
            typer.echo("stopping vLLM ...", err=True)
        if server.started():
            server.stop(asked[0] if asked else signal.SIGTERM)
        for number, handler in former.items():
            signal.signal(number, handler)


def ready(server: VllmServer, asked: Sequence[int] = ()) -> bool:
    """Waits for a server, and says how far it is; False where it was to stop before.

    Raises:
        ServerError: It ended, or is not ready in time.
    """
    from rich.console import Console

    from finetune.vllm_server import Stopped

    console = Console(stderr=True)
    said = 0.0

    def told(seconds: float, line: str) -> None:
        nonlocal said
        if asked:
            raise Stopped
        shown = f"vLLM is starting, {seconds:.0f} s: {line.split('] ', 1)[-1]}"
        if console.is_terminal:
            status.update(shown[: console.width - 4].replace("[", "\\["))
        elif seconds - said >= SAID_EVERY_S:
            said = seconds
            typer.echo(shown, err=True)

    with console.status("vLLM is starting") as status:
        try:
            seconds = server.wait_ready(told)
        except Stopped:
            return False
    typer.echo(f"vLLM is ready after {seconds:.0f} s", err=True)
    return True


@contextmanager
def _served(
    named: dict[str, Path], url: str | None, settings: Settings, dtype: str | None, venv: Path | None
) -> Iterator[tuple[Callable[[], tuple[str, str]], dict[str, Any]]]:
    """A function that gives address and base of a server, started when it is called where none was named, and a report.

    Raises:
        ServerError: It does not start, or does not have the adapter.
    """
    from finetune.vllm_server import (
        ENVIRONMENT,
        Adapters,
        ServerError,
        VllmServer,
        find_python,
        serve_command,
        serve_environment,
        serving_of,
    )
    from workbench.ports import free_port

    name = next(iter(named))
    key = _key(settings)
    about: dict[str, Any] = {}
    if url is not None:

        def there() -> tuple[str, str]:
            server = Adapters(url, key)
            known = server.names()
            server.close()
            if known.get(name) is None:
                raise ServerError(f"{url} has no adapter {name!r}; it has {', '.join(known)}: give --name, or load it")
            return url, str(known[name])

        yield there, about
        return
    python, on_cpu = find_python(venv or ENVIRONMENT)
    serving = serving_of(named, settings.models_dir, on_cpu=on_cpu, port=free_port(), dtype=_dtype(dtype, on_cpu))
    command = serve_command(serving, python)
    about |= {"server_options": [_nowhere(word, serving.base) for word in command[3:]], "cpu_build": on_cpu}
    log_file = settings.data_dir / LOG.format(port=serving.port)
    server = VllmServer(command, serve_environment(serving, _environ(), key), serving.url, log_file)
    with ExitStack() as stack:

        def begin() -> tuple[str, str]:
            typer.echo(shlex.join(command))
            asked = stack.enter_context(stopped(server))  # not before: until then Ctrl-C ends the process as ever
            server.start()
            if not ready(server, asked):
                raise typer.Exit(130)
            return serving.url, serving.base_name

        yield begin, about


def _serving(named: Sequence[str], settings: Settings, on_cpu: bool, *, dtype: str | None, **options: Any) -> Any:
    from finetune.vllm_server import serving_of

    return serving_of(
        _named(named, settings), settings.models_dir, on_cpu=on_cpu, dtype=_dtype(dtype, on_cpu), **options
    )


def _dtype(given: str | None, on_cpu: bool) -> str | None:
    return given or ("float32" if on_cpu else None)


def _named(given: Sequence[str], settings: Settings) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for one in given:
        name, equals, folder = one.partition("=")
        if not (name and equals and folder) or name in named:
            raise typer.BadParameter(f"{one!r}: give NAME=FOLDER, each name once")
        named[name] = _folder(folder, settings)
    return named


def _folder(given: str, settings: Settings) -> Path:
    from finetune.registry import folder_of

    return folder_of(given, settings)


def _key(settings: Settings) -> str | None:
    return settings.api_key.get_secret_value() if settings.api_key else None


def _environ() -> dict[str, str]:
    import os

    return dict(os.environ)


def _nowhere(word: str, base: str) -> str:
    """A word of the command without the paths of this machine."""
    import re

    return re.sub(r'"path": "[^"]*/([^/"]*)"', r'"path": "\1"', word.replace(base, Path(base).name))


def _counted(name: str, done: int, of: int) -> None:
    if done == of or sys.stderr.isatty():
        typer.echo(f"{name}: {done} of {of} rows", err=True)


@contextmanager
def _told() -> Iterator[None]:
    """Turns what goes wrong into a message and a status."""
    from finetune.adapter_judge import AdapterError
    from finetune.config import RecipeError
    from finetune.registry import RegistryError
    from finetune.tracking import TrackingError
    from finetune.vllm_server import ServerError
    from workbench.engines.base import EngineError

    try:
        yield
    except (AdapterError, RecipeError, RegistryError, TrackingError) as error:
        raise typer.BadParameter(str(error)) from None
    except (ServerError, EngineError) as error:
        typer.echo(f"viva-finetune: {error}", err=True)
        raise typer.Exit(1) from None
