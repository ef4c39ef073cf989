"""Which engine a name in the settings stands for, and the five engines of a server built from them."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from workbench.engines import bridge
from workbench.engines.base import ChatMessage, ChatModel, EngineError, Engines, LabelScorer, Synthesizer, Transcriber
from workbench.settings import Settings

Stage = Literal["vad", "end_of_turn", "asr", "llm", "tts"]
STAGES: tuple[Stage, ...] = ("vad", "end_of_turn", "asr", "llm", "tts")


@dataclass(frozen=True)
class Entry:
    """One engine a name stands for.

    Attributes:
        stage: Where in the loop it works.
        name: How the settings spell it.
        factory: `module:function`; the function takes the settings and returns the engine.
        description: One line for `viva doctor` and the README.
        extra: Optional part of the package it needs, None when the core brings everything.
        url_setting: Setting that must hold a server's address, None for an embedded engine.
    """

    stage: Stage
    name: str
    factory: str
    description: str
    extra: str | None = None
    url_setting: str | None = None


_ENTRIES = (
    Entry("vad", "silero", "workbench.engines.silero:create", "Silero VAD 6.2, 32 ms frames"),
    Entry("end_of_turn", "smart-turn", "workbench.engines.smart_turn:create", "Smart Turn v3.2 on ONNX"),
    Entry("asr", "faster-whisper", "workbench.engines.faster_whisper:create", "Whisper on CTranslate2, int8"),
    Entry(
        "asr",
        "openai-whisper",
        "workbench.engines.openai_whisper:create",
        "Whisper on PyTorch",
        extra="whisper",
    ),
    Entry(
        "asr",
        "http",
        "workbench.engines.transcription_http:create",
        "any /v1/audio/transcriptions server",
        url_setting="asr_url",
    ),
    Entry("llm", "smollm2", "workbench.engines.smollm2:create", "SmolLM2-135M-Instruct on CTranslate2, int8"),
    Entry(
        "llm",
        "http",
        "workbench.engines.chat_http:create",
        "any /v1/chat/completions server, such as vLLM",
        url_setting="llm_url",
    ),
    Entry("tts", "piper", "workbench.engines.piper:create", "Piper en_US joe medium on ONNX", extra="piper"),
    Entry(
        "tts",
        "http",
        "workbench.engines.speech_http:create",
        "any /v1/audio/speech server",
        url_setting="tts_url",
    ),
    Entry(
        "tts",
        "vibevoice",
        "workbench.engines.vibevoice:create",
        "VibeVoice-Realtime-0.5B's own WebSocket server",
        url_setting="tts_url",
    ),
)

REGISTRY: Mapping[Stage, Mapping[str, Entry]] = MappingProxyType(
    {stage: MappingProxyType({entry.name: entry for entry in _ENTRIES if entry.stage == stage}) for stage in STAGES}
)

GPU_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "asr": "openai-whisper",
        "asr_model": "large-v3-turbo",
        "llm": "http",
        "llm_url": "http://127.0.0.1:8000/v1",
        "tts": "vibevoice",
        "tts_url": "ws://127.0.0.1:3000",
        "tts_voice": "in-Samuel_man",
    }
)
"""What `VIVA_PROFILE=gpu` means for settings that were not given: the addresses are the servers' own
defaults."""

_BELONGS_TO = {"asr_model": "asr", "llm_url": "llm", "tts_url": "tts", "tts_voice": "tts"}


def effective(settings: Settings) -> Settings:
    """The settings with the profile's defaults filled in; what was given stays.

    A default that belongs to an engine (its address, its model) is used only with that engine: someone who
    asks for `VIVA_ASR=faster-whisper` on the GPU profile gets tiny.en, not large-v3-turbo.
    """
    if settings.profile != "gpu":
        return settings
    given = settings.model_fields_set
    chosen = {
        name: value
        for name, value in GPU_DEFAULTS.items()
        if name not in given and (name not in _BELONGS_TO or _is_gpu_engine(settings, _BELONGS_TO[name]))
    }
    return settings.model_copy(update=chosen)


def find_entry(stage: Stage, name: str) -> Entry:
    """The engine `name` stands for.

    Raises:
        EngineError: No engine of this stage has that name; the message lists those that exist.
    """
    known = REGISTRY[stage]
    if name not in known:
        setting = "no setting" if stage == "end_of_turn" else f"VIVA_{stage.upper()}"
        raise EngineError(name, f"no {stage} engine is called that ({setting}); known: {', '.join(sorted(known))}")
    return known[name]


def create(stage: Stage, name: str, settings: Settings) -> Any:
    """Makes one engine; its weights load at `warm_up` or first use.

    Raises:
        EngineError: Unknown name, missing optional dependency (the message names the extra), missing server
            address or missing weights.
    """
    entry = find_entry(stage, name)
    if entry.url_setting is not None and not getattr(settings, entry.url_setting):
        raise EngineError(
            name,
            f"needs the address of its server: set VIVA_{entry.url_setting.upper()} ({entry.description})",
        )
    module, function = entry.factory.split(":")
    try:
        factory = getattr(importlib.import_module(module), function)
        return factory(settings)
    except ImportError as error:
        extra = f"viva-workbench[{entry.extra}]" if entry.extra else "viva-workbench"
        raise EngineError(name, f"cannot be imported ({error}); install it: pip install '{extra}'") from error


_SCORERS = {"smollm2": "smollm2_scorer", "http": "chat_http"}
"""Modules whose `create` makes a language model that scores, by the names of the chat's."""


def create_scorer(settings: Settings) -> LabelScorer:
    """The language model of the `llm` judge: `VIVA_JUDGE_LLM`, `_MODEL` and `_URL`, each the chat's where it is unset.

    Raises:
        EngineError: An unknown name, no address, no weights, or a server without the name of a model.
    """
    chosen = effective(settings)
    name = find_entry("llm", chosen.judge_llm or chosen.llm).name
    changes: dict[str, Any] = {}
    if chosen.judge_model is not None:
        changes["llm_model"] = chosen.judge_model
    elif name != chosen.llm:
        if name == "http":
            raise EngineError(name, "set VIVA_JUDGE_MODEL to the model or adapter of the server that judges")
        changes["llm_model"] = type(settings).model_fields["llm_model"].default
    came_from: dict[str, str] = {}
    if chosen.judge_url is not None:
        changes["llm_url"] = chosen.judge_url
        if name == "http":
            came_from["setting"] = "VIVA_JUDGE_URL"
    module = importlib.import_module(f"workbench.engines.{_SCORERS[name]}")
    scorer: LabelScorer = module.create(chosen.model_copy(update=changes), **came_from)
    return scorer


def build_engines(settings: Settings) -> Engines:
    """The engines the settings name, made but not loaded.

    Raises:
        EngineError: As `create`.
    """
    chosen = effective(settings)
    return Engines(
        voice=create("vad", chosen.vad, chosen),
        end_of_turn=create("end_of_turn", "smart-turn", chosen),
        transcriber=create("asr", chosen.asr, chosen),
        chat=create("llm", chosen.llm, chosen),
        synthesizer=create("tts", chosen.tts, chosen),
        judge_chat=create_scorer(settings) if chosen.judge == "llm" else None,
    )


async def warm_up(engines: Engines, *, prefixes: Sequence[Sequence[ChatMessage]] = ()) -> None:
    """Loads every engine, one after another: side by side they would only take each other's cores.

    Args:
        engines: The engines.
        prefixes: Messages that chats will begin with; a chat model that keeps state reads them now.

    Raises:
        EngineError: An engine cannot be loaded or reached.
    """
    for engine in (engines.voice, engines.end_of_turn, engines.transcriber, engines.synthesizer):
        await engine.warm_up()
    await warm_up_chat(engines.chat, prefixes)
    if engines.judge_chat is not None:
        # judges wait for it on the bridge's loop, where its connections belong
        await asyncio.wrap_future(bridge.submit(engines.judge_chat.warm_up()))


async def warm_up_chat(chat: ChatModel, prefixes: Sequence[Sequence[ChatMessage]]) -> None:
    """Loads one chat model; one that keeps state reads the beginnings of chats too."""
    if prefixes and "prefixes" in inspect.signature(chat.warm_up).parameters:
        await chat.warm_up(prefixes=prefixes)  # type: ignore[call-arg]
    else:
        await chat.warm_up()


async def close(engines: Engines) -> None:
    """Closes every engine that holds a thread or a connection."""
    open_engines: list[Transcriber | ChatModel | Synthesizer] = [
        engines.transcriber,
        engines.chat,
        engines.synthesizer,
    ]
    await asyncio.gather(*(engine.close() for engine in open_engines))
    if engines.judge_chat is not None:
        await asyncio.wrap_future(bridge.submit(engines.judge_chat.close()))


def _is_gpu_engine(settings: Settings, stage: str) -> bool:
    return stage not in settings.model_fields_set or getattr(settings, stage) == GPU_DEFAULTS[stage]
