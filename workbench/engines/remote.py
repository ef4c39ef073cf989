"""What the engines behind a server have in common: addresses, errors that say what to do, retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from workbench.engines.base import EngineError

T = TypeVar("T")

ATTEMPTS = 3
"""Tries before an engine gives up; all of them together fit into its time limit."""

CONNECT_S = 3.0
"""Longest wait for a connection."""


class Remote:
    """One server: its address, its key, its open connections.

    Args:
        engine: Name of the engine, for errors.
        base_url: Address with or without `/v1`, or of the endpoint itself.
        timeout_s: Longest wait for the first result, retries included, and for each later piece.
        api_key: Bearer token.
        setting: Name of the setting that holds the address, for errors.
    """

    def __init__(
        self, engine: str, base_url: str, *, timeout_s: float, api_key: SecretStr | None, setting: str
    ) -> None:
        self.engine = engine
        self.base_url = api_root(base_url)
        self.timeout_s = timeout_s
        self.setting = setting
        self._api_key = api_key
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        """The connections of this event loop, opened at first use."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            headers = {"Authorization": f"Bearer {self._api_key.get_secret_value()}"} if self._api_key else {}
            self._client = httpx.AsyncClient(
                headers=headers, timeout=httpx.Timeout(self.timeout_s, connect=min(CONNECT_S, self.timeout_s))
            )
            self._loop = loop
        return self._client

    def url(self, path: str) -> str:
        """Address of an endpoint, `chat/completions` for instance."""
        return f"{self.base_url}/{path}"

    async def first(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Runs `attempt` until it succeeds, fails for good, has failed `ATTEMPTS` times, or the time is up.

        Raises:
            EngineError: The last failure, or that the time was up.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                async for trial in AsyncRetrying(
                    stop=stop_after_attempt(ATTEMPTS),
                    wait=wait_random_exponential(multiplier=0.1, max=1.0),
                    retry=retry_if_exception(lambda error: isinstance(error, EngineError) and error.retryable),
                    reraise=True,
                ):
                    with trial:
                        return await attempt()
        except TimeoutError:
            raise self.error(
                f"no result from {self.base_url} within {self.timeout_s:g} s; is the server overloaded? "
                "VIVA_ENGINE_TIMEOUT_S sets the limit",
                retryable=True,
            ) from None
        raise AssertionError("unreachable: tenacity reraises")

    @asynccontextmanager
    async def translated(self, what: str) -> AsyncIterator[None]:
        """Turns the network's exceptions into `EngineError`s."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise self.error(
                f"{what}: {self.base_url} did not answer within {self.timeout_s:g} s", retryable=True
            ) from error
        except httpx.ConnectError as error:
            raise self.error(
                f"{what}: cannot connect to {self.base_url} ({error}); start the server or correct {self.setting}",
                retryable=True,
            ) from error
        except httpx.HTTPError as error:
            raise self.error(
                f"{what}: the connection to {self.base_url} broke ({type(error).__name__})", retryable=True
            ) from error
        except httpx.InvalidURL as error:
            raise self.error(f"{self.base_url!r} is no address ({error}); correct {self.setting}") from error

    def error(self, message: str, *, retryable: bool = False) -> EngineError:
        """An error of this engine."""
        return EngineError(self.engine, message, retryable=retryable)

    async def check(self, response: httpx.Response, model: str) -> None:
        """Raises what a status that is no success means, closing the response.

        The server's own message is left out: it may repeat the request, and with it a candidate's words.
        """
        if response.is_success:
            return
        status, url = response.status_code, response.request.url
        await response.aclose()
        if status in (401, 403):
            raise self.error(f"{url} refused the key (status {status}); set VIVA_API_KEY")
        if status == 404:
            known = await self.models()
            names = f"; it has {', '.join(known)}" if known else ""
            raise self.error(f"{url} does not know the model {model!r} or this address (status 404){names}")
        if status in (408, 425, 429) or status >= 500:
            raise self.error(f"{url} is failing or full (status {status})", retryable=True)
        raise self.error(f"{url} refused the request (status {status}); does it serve {model!r} for this?")

    async def models(self) -> list[str]:
        """Names of the models the server has; empty when it does not say."""
        try:
            response = await self.client.get(self.url("models"))
            return [str(entry["id"]) for entry in response.json()["data"]] if response.is_success else []
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def api_root(url: str) -> str:
    """The address endpoints hang from: with `/v1`, without a slash or an endpoint at its end.

    >>> api_root("http://127.0.0.1:8000"), api_root("https://host/openai/v1/chat/completions/")
    ('http://127.0.0.1:8000/v1', 'https://host/openai/v1')
    """
    root = url.strip().rstrip("/")
    for endpoint in ("/chat/completions", "/audio/speech", "/audio/transcriptions", "/models"):
        root = root.removesuffix(endpoint)
    return root if root.rsplit("/", 1)[-1].startswith("v1") else f"{root}/v1"


async def server_sent(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON objects of an event stream, up to its `[DONE]`.

    Lines are cut at line feeds only: U+2028 inside a JSON string is no line end.

    Raises:
        ValueError: A data line is no JSON object.
        EOFError: The stream ended without `[DONE]`.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            event = json.loads(data)
            if not isinstance(event, dict):
                raise ValueError(f"an event is a JSON {type(event).__name__}, not an object")
            yield event
    raise EOFError("the stream ended without [DONE]")
