"""Likelihoods of a few fixed replies from a chat server, without its tokenizer; adapters are models by name.

Three ways, the cheapest first:

1. One token is asked for with its likeliest alternatives (`logprobs`, `top_logprobs`: every server that speaks
   OpenAI's format). Where each label is among them as a whole, that is the answer; prompts share the server's prefix
   cache.
2. Else the labels' tokens are named, and the server tells the probability of each (`logprob_token_ids`, the ids from
   its `/tokenize`: vLLM). For labels of one token.
3. Else each label is put as the open end of the assistant's turn, and the server tells the probability of every token
   of the prompt (`prompt_logprobs` with `continue_final_message`: vLLM). Up to where the labels part, their tokens are
   the same and cancel out; what comes after is the label, however many tokens it has. It comes last: vLLM's CPU build
   (0.32) ends when it is asked so while it serves adapters.

A server that knows only the first way gives less: a label that is not among the alternatives counts as likely as the
least of them, which is more than it is, and one of several tokens as likely as its first.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import Any

import httpx

from workbench.engines.base import ChatMessage, EngineError
from workbench.engines.label_scoring import check_labels, normalised
from workbench.engines.remote import Remote

log = logging.getLogger(__name__)

TOP_LOGPROBS = 20
"""Alternatives that are asked for: the most that OpenAI's format and vLLM's default (`--max-logprobs`) allow."""

AT_ONCE = 8
"""Requests of one call that are under way together."""

_NOT_UNDERSTOOD = (400, 404, 405, 422, 501)


class LabelRequests:
    """Scores labels on one server.

    Args:
        remote: The server.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._reads_prompts = True
        self._ids: dict[tuple[str, tuple[str, ...]], list[int] | None] = {}

    async def score_many(
        self, model: str, chats: Sequence[Sequence[ChatMessage]], labels: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Normalised log-likelihoods of the labels after each chat.

        Raises:
            EngineError: The labels overlap, the server cannot be reached or does not report log-probabilities.
        """
        try:
            check_labels(labels)
        except ValueError as error:
            raise self._remote.error(str(error)) from error
        at_once = asyncio.Semaphore(AT_ONCE)

        async def one(messages: Sequence[ChatMessage]) -> tuple[float, ...]:
            async with at_once:
                return await self._score(model, messages, labels)

        tasks = [asyncio.ensure_future(one(messages)) for messages in chats]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _score(self, model: str, messages: Sequence[ChatMessage], labels: Sequence[str]) -> tuple[float, ...]:
        listed = await self._alternatives(model, messages)
        if all(label in listed for label in labels):
            return normalised([listed[label] for label in labels])
        ids = await self._label_ids(model, messages, labels)
        if ids is not None:
            named = await self._alternatives(model, messages, ids)
            if all(label in named for label in labels):
                return normalised([named[label] for label in labels])
            self._ids[model, tuple(labels)] = None
        if self._reads_prompts:
            read = await asyncio.gather(*(self._read_label(model, messages, label) for label in labels))
            if all(read):
                return normalised(_after_parting(read))
            self._reads_prompts = False
            log.info("%s tells no probabilities of a prompt; labels are scored by their first token", model)
        return normalised(self._by_beginning(model, labels, listed))

    async def _label_ids(self, model: str, messages: Sequence[ChatMessage], labels: Sequence[str]) -> list[int] | None:
        """The token of each label; None where one has several, or the server does not tell. Asked for once."""
        key = (model, tuple(labels))
        if key not in self._ids:
            opened = await self._tokens(model, messages, None)
            found = await asyncio.gather(*(self._tokens(model, messages, label) for label in labels))
            single = opened and all(tokens[:-1] == opened for tokens in found)
            self._ids[key] = [tokens[-1] for tokens in found] if single else None
        return self._ids[key]

    async def _tokens(self, model: str, messages: Sequence[ChatMessage], label: str | None) -> list[int]:
        """Tokens of the prompt, with a label as the open end of the reply where there is one; empty where untold."""
        body: dict[str, Any] = {"messages": list(messages)}
        if label is not None:
            body["messages"].append({"role": "assistant", "content": label})
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        address = f"{self._remote.base_url.removesuffix('/v1')}/tokenize"
        answer = await self._ask(model, body, may_refuse=True, address=address)
        tokens = (answer or {}).get("tokens")
        return [int(token) for token in tokens] if isinstance(tokens, list) else []

    async def _alternatives(
        self, model: str, messages: Sequence[ChatMessage], ids: Sequence[int] = ()
    ) -> dict[str, float]:
        """Log-probabilities of first tokens of the reply by their text, the likeliest or those of `ids`; or none."""
        body: dict[str, Any] = {
            "messages": list(messages),
            "max_tokens": 1,
            "temperature": 1.0,
            "top_p": 1.0,
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
        }
        if ids:
            body["logprob_token_ids"] = list(ids)
        answer = await self._ask(model, body)
        assert answer is not None
        try:
            content = (answer["choices"][0].get("logprobs") or {}).get("content") or ()
            listed: dict[str, float] = {}
            for entry in (content[0].get("top_logprobs") or ()) if content else ():
                text, value = str(entry["token"]), float(entry["logprob"])
                listed[text] = max(value, listed.get(text, -math.inf))
            return listed
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise self._foreign(error) from error

    async def _read_label(self, model: str, messages: Sequence[ChatMessage], label: str) -> list[tuple[str, float]]:
        """(token, log-probability) of the prompt with the label at its end; empty where a server tells none."""
        body = {
            "messages": [*messages, {"role": "assistant", "content": label}],
            "add_generation_prompt": False,
            "continue_final_message": True,
            "prompt_logprobs": 0,
            "max_tokens": 1,
            "temperature": 1.0,
        }
        answer = await self._ask(model, body, may_refuse=True)
        if answer is None:
            return []
        try:
            entries = answer.get("prompt_logprobs") or ()
            # the first token of a prompt has no probability
            return [(str(token), float(value["logprob"])) for e in entries[1:] for token, value in [*e.items()][:1]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._foreign(error) from error

    def _by_beginning(self, model: str, labels: Sequence[str], listed: dict[str, float]) -> list[float]:
        if not listed:
            raise self._remote.error(
                f"{self._remote.base_url} reports no log-probabilities of {model!r}; judging needs a server with "
                "`logprobs` on /v1/chat/completions, such as vLLM"
            )
        found: list[float | None] = []
        for label in labels:
            own = [
                value
                for text, value in listed.items()
                if text and label.startswith(text) and not any(o.startswith(text) for o in labels if o != label)
            ]
            found.append(max(own) + math.log(sum(math.exp(v - max(own)) for v in own)) if own else None)
        if all(value is None for value in found):
            raise self._remote.error(
                f"none of {', '.join(labels)} is among the {len(listed)} likeliest first tokens of {model!r}, and the "
                "server tells no probabilities of a prompt; is it the model that was trained to judge? vLLM tells them"
            )
        least = min(listed.values())
        return [least if value is None else value for value in found]

    async def _ask(
        self, model: str, body: dict[str, Any], *, may_refuse: bool = False, address: str | None = None
    ) -> dict[str, Any] | None:
        """The server's answer; None where it does not understand the request and may say so."""

        async def attempt() -> httpx.Response:
            async with self._remote.translated("scoring"):
                response = await self._remote.client.post(
                    address or self._remote.url("chat/completions"), json={"model": model, **body}
                )
            if not (may_refuse and response.status_code in _NOT_UNDERSTOOD):
                await self._remote.check(response, model)
            return response

        response = await self._remote.first(attempt)
        if not response.is_success:
            return None
        try:
            answer = response.json()
        except ValueError as error:
            raise self._foreign(error) from error
        if not isinstance(answer, dict):
            raise self._foreign(TypeError())
        return answer

    def _foreign(self, error: Exception) -> EngineError:
        return self._remote.error(
            f"{self._remote.url('chat/completions')} does not speak the chat completions format "
            f"({type(error).__name__})"
        )


def _after_parting(read: Sequence[Sequence[tuple[str, float]]]) -> list[float]:
    """Sum of the log-probabilities behind what all sequences of tokens have in common.

    >>> _after_parting([[("7", -9.0), ("1", -0.5)], [("7", -9.0), ("2", -1.0), ("3", -0.25)]])
    [-0.5, -1.25]
    """
    shared = 0
    while all(len(tokens) > shared and tokens[shared][0] == read[0][shared][0] for tokens in read):
        shared += 1
    return [math.fsum(value for _, value in tokens[shared:]) for tokens in read]
