"""A language model behind an OpenAI-compatible `/v1/chat/completions`, vLLM for instance.

With vLLM a LoRA adapter is chosen by its name in `model`. Closing the generator closes the connection, which
makes the server stop.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

import httpx

from workbench.engines.base import ChatMessage, EngineError, Priority
from workbench.engines.label_http import LabelRequests
from workbench.engines.remote import Remote, server_sent

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

NAME = "http"


class HttpChat:
    """One model of one server.

    Args:
        remote: The server.
        model: Name of the model or adapter; None takes the first the server lists.
    """

    name = NAME
    recall = None

    def __init__(self, remote: Remote, model: str | None) -> None:
        self._remote = remote
        self._model = model
        self._label_requests = LabelRequests(remote)

    @property
    def scored_model(self) -> str:
        """The model or adapter that scores labels; the server's own until it was asked."""
        return self._model or "the server's own"

    async def warm_up(self, prefixes: Sequence[Sequence[ChatMessage]] = ()) -> None:
        """Asks for one token after each beginning of a chat, so that the server has read them.

        Args:
            prefixes: Messages that chats will begin with.

        Raises:
            EngineError: The server cannot be reached, or does not know the model.
        """
        for prefix in prefixes or ((),):
            async for _ in self.stream([*prefix, {"role": "user", "content": "Good morning."}], max_tokens=1):
                pass

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int = 64,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        priority: Priority = "now",
    ) -> AsyncGenerator[str, None]:
        """Yields pieces of the reply; see `ChatModel`. `priority` is the server's business and not sent.

        Raises:
            EngineError: No first piece within the time limit after the retries; or the stream broke later.
        """
        response: httpx.Response | None = None
        events: AsyncGenerator[str, None] | None = None

        async def attempt() -> str | None:
            nonlocal response, events
            response = await self._open(messages, max_tokens, temperature, stop)
            events = self._pieces(response)
            try:
                return await anext(events, None)
            except BaseException:
                await response.aclose()
                raise

        try:
            piece = await self._remote.first(attempt)
            while piece is not None and events is not None:
                yield piece
                piece = await anext(events, None)
        finally:
            if events is not None:
                await events.aclose()
            if response is not None:
                await response.aclose()

    async def score_many(
        self,
        chats: Sequence[Sequence[ChatMessage]],
        labels: Sequence[str],
        *,
        priority: Priority = "now",
        model: str | None = None,
    ) -> list[tuple[float, ...]]:
        """Log-probabilities of the labels after each chat, asked side by side; see `LabelScorer`.

        `priority` is the server's business.

        Raises:
            EngineError: The server cannot be reached, does not know the model, or reports no log-probabilities.
        """
        return await self._label_requests.score_many(model or await self._model_name(), chats, labels)

    async def close(self) -> None:
        """Closes the connections."""
        await self._remote.close()

    async def _open(
        self, messages: Sequence[ChatMessage], max_tokens: int, temperature: float, stop: Sequence[str]
    ) -> httpx.Response:
        model = await self._model_name()
        body: dict[str, Any] = {
            "model": model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
        }
        if stop:
            body["stop"] = list(stop)
        async with self._remote.translated("chat"):
            client = self._remote.client
            request = client.build_request("POST", self._remote.url("chat/completions"), json=body)
            response = await client.send(request, stream=True)
        await self._remote.check(response, model)
        return response

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[str, None]:
        finished = False
        try:
            async with self._remote.translated("chat"):
                async for event in server_sent(response.aiter_bytes()):
                    if "error" in event:
                        raise self._remote.error(
                            f"{response.request.url} reported an error inside the reply", retryable=True
                        )
                    for choice in event.get("choices") or ():
                        finished = finished or choice.get("finish_reason") is not None
                        if text := (choice.get("delta") or {}).get("content"):
                            yield text
        except EOFError:
            if not finished:
                raise self._remote.error(
                    f"{response.request.url} closed the connection before the reply was finished", retryable=True
                ) from None
        except EngineError:
            raise
        except (ValueError, AttributeError, TypeError) as error:
            raise self._remote.error(
                f"{response.request.url} does not speak the chat completions format ({type(error).__name__})"
            ) from error

    async def _model_name(self) -> str:
        if self._model is None:
            known = await self._remote.models()
            if not known:
                raise self._remote.error(
                    f"{self._remote.base_url} does not list its models; set VIVA_LLM_MODEL", retryable=True
                )
            self._model = known[0]
            log.info("using the server's model %s", self._model)
        return self._model


def create(settings: Settings, *, setting: str = "VIVA_LLM_URL") -> HttpChat:
    """The server at `VIVA_LLM_URL` and its model or adapter `VIVA_LLM_MODEL`.

    Args:
        settings: Both, and how long to wait.
        setting: Which setting the address came from, for what is said when the server is not there.

    Raises:
        EngineError: No address was given.
    """
    if not settings.llm_url:
        raise EngineError(NAME, "set VIVA_LLM_URL to the address of a chat server, http://127.0.0.1:8000/v1 for vLLM")
    remote = Remote(
        NAME,
        settings.llm_url,
        timeout_s=settings.engine_timeout_s,
        api_key=settings.api_key,
        setting=setting,
    )
    return HttpChat(remote, settings.llm_model if "llm_model" in settings.model_fields_set else None)
