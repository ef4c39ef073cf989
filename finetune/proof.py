"""Proof that a vLLM server gives the verdicts of the adapter that was trained, and not those of its base.

The same rows are asked of PEFT and, in the way the workbench asks, of the server. Three things are held:

1. The server reads the same tokens: those it says it read are compared, row by row, with the ones PEFT was given.
2. At least `SAME_LABEL` of the labels are the same, for the adapter and for the base beside it.
3. Adapter and base differ, and by more than the two ways of computing do: an adapter that a server loads and forgets to
   apply would pass the second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from finetune.adapter_judge import Loaded, load_adapter
from finetune.asked_scores import asked_scores, compared, no_scores
from finetune.examples import Asked, label_ids, prompt_ids, prompt_of
from finetune.vllm_server import ServerError
from workbench.engines.base import ChatMessage
from workbench.engines.label_http import LabelRequests
from workbench.engines.remote import Remote, api_root

SAME_LABEL = 0.98
"""Least part of the rows on which server and PEFT agree."""

ANSWER_WITHIN_S = 120.0
ROWS_AT_ONCE = 10

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Reference:
    """What PEFT says.

    Attributes:
        ids: Tokens of each prompt.
        labels: Tokens of each of its labels.
        adapter: (n, n_outcomes) normalised log-probabilities.
        base: The same without the adapter.
        seconds: They took.
    """

    ids: list[list[int]]
    labels: list[list[list[int]]]
    adapter: NDArray[np.float64]
    base: NDArray[np.float64]
    seconds: float


def ask_peft(folder: Path, asked: Sequence[Asked], models_dir: Path, device: str = "auto") -> Reference:
    """Asks adapter and base in PyTorch; both are gone when it returns, so that a server finds the memory free.

    Args:
        folder: Of a causal adapter.
        asked: Rows.
        models_dir: The cache of weights.
        device: auto, cpu or cuda.

    Raises:
        AdapterError, RecipeError: See `load_adapter`.
    """
    started = time.monotonic()
    loaded = load_adapter(folder, models_dir, device)
    ids, labels = tokens_of(asked, loaded.tokenizer)
    adapter = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    with loaded.model.disable_adapter():
        base = asked_scores(loaded.model, loaded.tokenizer, loaded.recipe, asked, loaded.device)
    _free(loaded)
    return Reference(ids, labels, adapter, base, time.monotonic() - started)


def tokens_of(asked: Sequence[Asked], tokenizer: Any) -> tuple[list[list[int]], list[list[list[int]]]]:
    """Tokens of the prompts, and of the labels of each, as training had them."""
    prompts = [prompt_of(one) for one in asked]
    return (
        [prompt_ids(prompt.messages, tokenizer) for prompt in prompts],
        [[label_ids(label, tokenizer) for label in prompt.labels] for prompt in prompts],
    )


def ask_server(
    url: str,
    names: Sequence[str],
    asked: Sequence[Asked],
    api_key: Any = None,
    told: Told = lambda name, done, of: None,
) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Asks models of a server as the workbench does: the likelihood of each label, over `/v1/chat/completions`.

    Args:
        url: Of the server.
        names: Models or adapters.
        asked: Rows.
        api_key: What the server wants to see, as the settings have it.
        told: Is called with model, rows done, and rows.

    Returns:
        (n, n_outcomes) normalised log-probabilities by model, and the seconds they took.

    Raises:
        EngineError: The server cannot be reached, or reports no log-probabilities.
    """

    async def run() -> dict[str, NDArray[np.float64]]:
        remote = Remote("http", url, timeout_s=ANSWER_WITHIN_S, api_key=api_key, setting="--url")
        found = {name: no_scores(asked) for name in names}
        try:
            for name in names:
                requests = LabelRequests(remote)
                for start in range(0, len(asked), ROWS_AT_ONCE):
                    rows = range(start, min(start + ROWS_AT_ONCE, len(asked)))
                    for task in dict.fromkeys(asked[i].task for i in rows):
                        places = [i for i in rows if asked[i].task == task]
                        prompts = [prompt_of(asked[i]) for i in places]
                        chats = [prompt.messages for prompt in prompts]
                        said = np.array(await requests.score_many(name, chats, prompts[0].labels))
                        found[name][places, : said.shape[1]] = said
                    told(name, rows.stop, len(asked))
        finally:
            await remote.close()
        return found

    started = time.monotonic()
    return asyncio.run(run()), time.monotonic() - started


def differing_tokens(
    url: str, name: str, asked: Sequence[Asked], reference: Reference, api_key: Any = None
) -> list[int]:
    """Places of the rows of which the server read other tokens, of the prompt or of a label.

    The prompt's are those it says it read to answer; a label's are those that it adds when the label stands at the end.

    Args:
        url: Of the server.
        name: Model or adapter.
        asked: Rows.
        reference: What PEFT was given.
        api_key: What the server wants to see.

    Raises:
        ServerError: The server does not tell.
    """
    headers = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
    root = api_root(url)
    with httpx.Client(headers=headers, timeout=ANSWER_WITHIN_S) as client:

        def read(path: str, body: dict[str, Any], key: str) -> list[int]:
            address = f"{root}/{path}" if path != "tokenize" else f"{root.removesuffix('/v1')}/{path}"
            try:
                response = client.post(address, json={"model": name, **body}).raise_for_status()
                return [int(token) for token in response.json()[key]]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise ServerError(
                    f"{address} does not tell the tokens it read ({type(error).__name__}); vLLM does"
                ) from error

        def prompt(messages: Sequence[ChatMessage]) -> list[int]:
            more = {"messages": list(messages), "max_tokens": 1, "return_token_ids": True}
            return read("chat/completions", more, "prompt_token_ids")

        def with_label(messages: Sequence[ChatMessage], label: str) -> list[int]:
            chat = [*messages, {"role": "assistant", "content": label}]
            more = {"messages": chat, "add_generation_prompt": False, "continue_final_message": True}
            return read("tokenize", more, "tokens")

        wrong = []
        for place, one in enumerate(asked):
            asking = prompt_of(one)
            ids = reference.ids[place]
            same = prompt(asking.messages) == ids and all(
                with_label(asking.messages, label) == [*ids, *own]
                for label, own in zip(asking.labels, reference.labels[place], strict=True)
            )
            if not same:
                wrong.append(place)
    return wrong


def verdict_of(
    reference: Reference, adapter: NDArray[np.float64], base: NDArray[np.float64], wrong_tokens: Sequence[int]
) -> dict[str, Any]:
    """The proof from what both sides said.

    Args:
        reference: PEFT's side.
        adapter: (n, 3) normalised log-probabilities by the server.
        base: The same of the base it serves.
        wrong_tokens: See `differing_tokens`.

    Returns:
        The figures, and `proven` with the reasons in `failed`.
    """
    served, beside = compared(reference.adapter, adapter), compared(reference.base, base)
    changed = compared(base, adapter)
    failed = []
    if wrong_tokens:
        failed.append(f"the server read other tokens on {len(wrong_tokens)} rows")
    if served["same_label"] < SAME_LABEL:
        failed.append(
            f"only {served['same_label']:.1%} of the adapter's labels are PEFT's; {SAME_LABEL:.0%} are wanted"
        )
    if beside["same_label"] < SAME_LABEL:
        failed.append(f"only {beside['same_label']:.1%} of the base's labels are PEFT's; {SAME_LABEL:.0%} are wanted")
    if not changed["flips"]:
        failed.append("adapter and base give the same label on every row, so that nothing shows which one was asked")
    apart, noise = (found["probability_difference"]["mean"] for found in (changed, served))
    if apart <= 2 * noise:
        failed.append(
            f"adapter and base differ by {apart:.2g} in the mean, hardly more than server and PEFT ({noise:.2g})"
        )
    return {
        "proven": not failed,
        "failed": failed,
        "rows": len(adapter),
        "rows_with_other_tokens": len(wrong_tokens),
        "adapter_on_server_beside_peft": served,
        "base_on_server_beside_peft": beside,
        "adapter_beside_base_on_server": changed,
    }


def measured_version(url: str) -> str:
    """The server's version."""
    try:
        answer = httpx.get(f"{api_root(url).removesuffix('/v1')}/version", timeout=5.0).json()
        return str(answer["version"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return "unknown"


def _free(loaded: Loaded) -> None:
    import gc

    import torch

    loaded.model.to("meta")
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
