"""The embedded language model: SmolLM2-135M-Instruct on CTranslate2, int8, one thread a reply.

Measured on two cores: int8 on one thread makes 80 tokens a second, on two threads 30, so that threads are spent on
replies side by side, of which those that begin go first. The state after a chat's constant beginning is kept: the first
token then comes in under half the time, and the reply is the same.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.engines.base import ChatMessage, EngineError, Priority
from workbench.engines.gguf_conversion import convert
from workbench.engines.stop_strings import HeldBack
from workbench.engines.urgency import URGENCY
from workbench.engines.worker import CancelFlag, Worker
from workbench.model_manifest import MANIFEST
from workbench.models import ModelError, find

if TYPE_CHECKING:
    from workbench.settings import Settings

__all__ = ["SmolLM2", "convert", "create", "render"]

log = logging.getLogger(__name__)

NAME = "smollm2"

CONTEXT_TOKENS = 2048
"""Longest prompt with its reply, a second of reading on one core; the model was trained on 8192."""

MAX_KEPT_CHARS = 10_000
"""Text of all beginnings whose state every lane keeps: some 2500 tokens at 138 KB each, 350 MB a lane. CTranslate2
never forgets one, so what comes later is not kept. The exam's own beginnings are half as long."""

REPETITION_PENALTY = 1.1
"""Without it a model of this size repeats its own sentence until the token limit."""

TOP_P = 0.9
"""Share of the probability that sampling draws from when the temperature is above zero."""

RECALL = 3
"""Latest messages of a conversation it reads: every earlier exchange costs 25 ms before the first token and makes a
model of this size repeat itself (48 replies: 12 repetitions with all of it, 8 with these)."""

LEAD_TOKENS = 1
"""Tokens made ahead of the reader: while the voice speaks the first clause the model leaves it the cores (a clause of
four words is spoken in 58 ms alone, in 95 ms beside a model that writes on)."""

LANES_PER_THREAD = 2
"""Replies made side by side for each core: one that is being spoken already needs a fraction of the speed it can have,
and must not keep another from beginning."""

FIRST_TOKENS = (4, 24)
"""The beginning of a reply, which somebody waits for in silence, ends with the first clause: at the first stop or comma
after so many tokens, or after the second number without one."""

_CLAUSE_ENDS = re.compile(r"[,.;:?!]")

GIVE_WAY_S = 0.04
"""Longest time a reply stands still, between two tokens, for work that somebody waits for: it is then still made at 17
tokens a second, four times as fast as it is spoken."""

CLOSED_WITHIN_S = 10.0
"""Longest wait for the replies being made when the engine is closed; after it the model stays in memory."""

DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""What the model's chat template puts first when a chat has no system message."""

START, END, END_OF_TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"


Prefix = tuple[tuple[str, str], ...]
"""(role, content) of the messages a chat begins with."""


def render(messages: Sequence[ChatMessage], tokenizer: Any, n_prefix: int = 1) -> tuple[list[str], list[str]]:
    """A chat as the model's ChatML tokens: those of its first messages, and those of the rest.

    Contents are encoded as plain text: a candidate who says "<|im_end|>" does not end a message.

    Args:
        messages: At least one message; a system message counts only as the first.
        tokenizer: A `tokenizers.Tokenizer` whose `encode_special_tokens` is set.
        n_prefix: Messages the first part holds, at least the system message.

    Returns:
        (prefix, rest); the rest ends where the assistant's reply begins.
    """
    turns = list(messages)
    if turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": DEFAULT_SYSTEM})

    def tokens_of(part: Sequence[ChatMessage]) -> list[str]:
        line_end = tokenizer.encode("\n").tokens
        return [
            token
            for message in part
            for token in (
                START,
                *tokenizer.encode(f"{message['role']}\n{message['content']}").tokens,
                END,
                *line_end,
            )
        ]

    return tokens_of(turns[:n_prefix]), [
        *tokens_of(turns[n_prefix:]),
        START,
        *tokenizer.encode("assistant\n").tokens,
    ]


class SmolLM2:
    """One model, several replies side by side.

    Args:
        model_dir: Directory of the converted model.
        threads: Cores it may use.
    """

    name = NAME
    recall = RECALL

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        self._model_dir = model_dir
        self._lanes = [Worker(f"smollm2-{i}") for i in range(LANES_PER_THREAD * max(1, threads))]
        self._busy = [0] * len(self._lanes)
        self._closing = CancelFlag()
        self._loading = threading.Lock()
        self._model: tuple[Any, Any] | None = None
        self._kept: set[Prefix] = set()
        self._seen: deque[Prefix] = deque(maxlen=64)

    async def warm_up(self, prefixes: Sequence[Sequence[ChatMessage]] = ()) -> None:
        """Loads the weights and reads what chats will begin with.

        Args:
            prefixes: Beginnings of chats (a system message, and examples as earlier turns) whose state is
                kept.
        """
        for prefix in prefixes:
            if prefix and prefix[0]["role"] == "system":
                self._keep(_key(prefix))

        async def rehearse(prefix: Sequence[ChatMessage]) -> None:
            async for _ in self.stream([*prefix, {"role": "user", "content": "Good morning."}], max_tokens=2):
                pass

        for prefix in prefixes or ([{"role": "system", "content": "You are the examiner of a viva."}],):
            # every lane keeps a state of its own: read now, none of them is read while a candidate waits
            await asyncio.gather(*[rehearse(prefix) for _ in self._lanes])

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int = 64,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        priority: Priority = "now",
    ) -> AsyncGenerator[str, None]:
        """Yields pieces of the reply, whole characters only; see `ChatModel`.

        Raises:
            EngineError: The weights are missing, the prompt is too long, or the model failed.
        """
        if not messages:
            raise EngineError(NAME, "a chat needs at least one message, got none")
        n_prefix, keep = self._kept_part(messages)

        def job(flag: CancelFlag) -> Iterator[str]:
            return self._pieces(messages, n_prefix, keep, max_tokens, temperature, tuple(stop), flag)

        lane = min(range(len(self._lanes)), key=self._busy.__getitem__)
        self._busy[lane] += 1
        pieces = self._lanes[lane].iterate(job, priority=priority, lead=LEAD_TOKENS)
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._busy[lane] -= 1
            await pieces.aclose()

    async def close(self) -> None:
        """Stops the replies being made, at their next token, and frees the model."""
        self._closing.set()
        for _ in range(200):  # two seconds: a reply nobody reads any more holds its lane for ever
            if not any(self._busy):
                break
            await asyncio.sleep(0.01)
        for lane in self._lanes:
            lane.close()
        # CTranslate2 ends the process when a model is freed that still makes a token
        if await asyncio.to_thread(lambda: all([lane.join(CLOSED_WITHIN_S) for lane in self._lanes])):
            self._model = None

    def _pieces(
        self,
        messages: Sequence[ChatMessage],
        n_prefix: int,
        keep: bool,
        max_tokens: int,
        temperature: float,
        stop: tuple[str, ...],
        flag: CancelFlag,
    ) -> Iterator[str]:
        """The reply, on the lane's thread."""
        from tokenizers.decoders import DecodeStream

        generator, tokenizer = self._loaded()
        prefix, rest = render(messages, tokenizer, n_prefix)
        n_prompt = len(prefix) + len(rest)
        if n_prompt + max_tokens > CONTEXT_TOKENS:
            raise EngineError(
                NAME,
                f"a prompt of {n_prompt} tokens and a reply of {max_tokens} exceed the {CONTEXT_TOKENS} "
                "tokens "
                "this model is given; shorten the history",
            )
        sampling: dict[str, Any] = {"sampling_topk": 1}
        if temperature > 0:
            sampling = {"sampling_topk": 0, "sampling_topp": TOP_P, "sampling_temperature": temperature}
        decoder = DecodeStream(skip_special_tokens=True)
        held = HeldBack(stop)
        try:
            steps = generator.generate_tokens(
                rest,
                static_prompt=prefix,
                cache_static_prompt=keep,
                max_length=max_tokens,
                repetition_penalty=REPETITION_PENALTY,
                end_token=[END, END_OF_TEXT],
                callback=lambda _: bool(flag or self._closing),
                **sampling,
            )
            n_tokens, ahead = 0, False
            with URGENCY.waited_for() as begun:
                for step in steps:
                    flag.check()
                    if self._closing:
                        return
                    text = held.push(decoder.step(tokenizer, step.token_id) or "")
                    if text:
                        yield text
                    if held.stopped:
                        return
                    n_tokens += 1
                    ahead = ahead or (n_tokens >= FIRST_TOKENS[bool(not _CLAUSE_ENDS.search(text))])
                    if ahead:
                        begun()
                        URGENCY.stand_back(GIVE_WAY_S, lambda: bool(flag))
        except (RuntimeError, ValueError) as error:
            raise EngineError(NAME, f"the model failed on a prompt of {n_prompt} tokens: {error}") from error
        if last := held.flush():
            yield last

    def _kept_part(self, messages: Sequence[ChatMessage]) -> tuple[int, bool]:
        """How many messages the state is kept of: the longest beginning announced at warm-up.

        Without one it is a system message that is used again; never a candidate's words, which would stay in
        memory.
        """
        key = _key(messages)
        for n in range(len(messages) - 1, 0, -1):
            if key[:n] in self._kept:
                return n, True
        system = key[:1] if messages[0]["role"] == "system" else (("system", DEFAULT_SYSTEM),)
        if system in self._seen:
            self._keep(system)
        self._seen.append(system)
        return 1, system in self._kept

    def _keep(self, key: Prefix) -> None:
        """Has the state after this beginning kept, while there is room."""
        if sum(_n_chars(kept) for kept in self._kept | {key}) <= MAX_KEPT_CHARS:
            self._kept.add(key)

    def _loaded(self) -> tuple[Any, Any]:
        """The generator and the tokenizer; whichever lane comes first reads them."""
        with self._loading:
            if self._model is None:
                self._model = self._read()
            return self._model

    def _read(self) -> tuple[Any, Any]:
        import ctranslate2
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self._model_dir / "tokenizer.json"))
            generator = ctranslate2.Generator(
                str(self._model_dir), compute_type="int8", inter_threads=len(self._lanes), intra_threads=1
            )
        except Exception as error:  # the tokenizer's errors have no class of their own
            raise EngineError(NAME, f"cannot load {self._model_dir}: {error}; run `viva models pull`") from error
        tokenizer.encode_special_tokens = True
        log.info("loaded %s", self._model_dir.name)
        return generator, tokenizer


def _key(messages: Sequence[ChatMessage]) -> Prefix:
    return tuple((message["role"], message["content"]) for message in messages)


def _n_chars(key: Prefix) -> int:
    return sum(len(content) for _, content in key)


def create(settings: Settings) -> SmolLM2:
    """The embedded model: `VIVA_LLM_MODEL` is its name, or the path of a converted directory or a GGUF file.

    Raises:
        EngineError: The weights are not there.
    """
    return SmolLM2(find_model(settings), threads=settings.threads)


def find_model(settings: Settings) -> Path:
    """Directory of the model that `VIVA_LLM_MODEL` names, converted first where it is a GGUF file.

    Raises:
        EngineError: There is none of that name, or its weights are not there.
    """
    given = Path(settings.llm_model).expanduser()
    if given.suffix == ".gguf" and given.is_file():
        return convert(given, settings.models_dir / given.stem)
    if (given / "model.bin").is_file():
        return given
    for name, weights in MANIFEST.items():
        if weights.converted_to == settings.llm_model:
            try:
                return find(name, settings.models_dir)
            except ModelError as error:
                raise EngineError(NAME, str(error)) from error
    raise EngineError(
        NAME,
        f"no embedded model is called {settings.llm_model!r}; set VIVA_LLM_MODEL to "
        "SmolLM2-135M-Instruct, or to "
        "the path of a .gguf file or a converted directory; for a chat server set VIVA_LLM=http",
    )
