"""Which engine a name stands for, and what is said when it cannot be made."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import Any

import pytest

from workbench.engines import registry
from workbench.engines.base import EngineError, Engines
from workbench.settings import Settings


def settings_of(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def test_the_defaults_are_engines_that_exist() -> None:
    settings = settings_of()
    for stage in ("vad", "asr", "llm", "tts"):
        assert registry.find_entry(stage, getattr(settings, stage)).stage == stage


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("asr", "VIVA_ASR.*faster-whisper, http, openai-whisper"),
        ("llm", "VIVA_LLM.*http, smollm2"),
        ("tts", "VIVA_TTS.*http, piper, vibevoice"),
        ("vad", "VIVA_VAD.*silero"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(stage: registry.Stage, says: str) -> None:
    with pytest.raises(EngineError, match=f"whisprr.*{says}"):
        registry.find_entry(stage, "whisprr")


def test_the_registry_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        registry.REGISTRY["asr"]["mine"] = registry.find_entry("asr", "http")  # type: ignore[index]


@pytest.mark.parametrize(
    "entry", [entry for stage in registry.REGISTRY.values() for entry in stage.values()], ids=lambda e: e.factory
)
def test_every_entry_leads_to_a_factory(entry: registry.Entry) -> None:
    module, function = entry.factory.split(":")
    assert importlib.util.find_spec(module) is not None
    if entry.extra is None or importlib.util.find_spec({"piper": "piper", "whisper": "whisper"}[entry.extra]):
        assert callable(getattr(importlib.import_module(module), function))


def test_a_missing_dependency_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = types.ModuleType("broken_engine")

    def create(settings: Settings) -> None:
        raise ModuleNotFoundError("No module named 'whisper'", name="whisper")

    broken.create = create  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "workbench.engines.openai_whisper", broken)
    with pytest.raises(EngineError, match=r"No module named 'whisper'.*pip install 'viva-workbench\[whisper\]'"):
        registry.create("asr", "openai-whisper", settings_of())


@pytest.mark.parametrize(("stage", "name", "setting"), [
    ("asr", "http", "VIVA_ASR_URL"), ("llm", "http", "VIVA_LLM_URL"), ("tts", "http", "VIVA_TTS_URL"),
    ("tts", "vibevoice", "VIVA_TTS_URL"),
])  # fmt: skip
def test_a_server_engine_without_an_address_says_which_setting_is_missing(
    stage: registry.Stage, name: str, setting: str
) -> None:
    with pytest.raises(EngineError, match=f"set {setting}"):
        registry.create(stage, name, settings_of())


def test_the_cpu_profile_leaves_the_settings_alone() -> None:
    settings = settings_of()
    assert registry.effective(settings) is settings


def test_the_gpu_profile_chooses_whisper_turbo_vllm_and_vibevoice() -> None:
    chosen = registry.effective(settings_of(profile="gpu"))
    assert (chosen.asr, chosen.asr_model) == ("openai-whisper", "large-v3-turbo")
    assert (chosen.llm, chosen.llm_url) == ("http", "http://127.0.0.1:8000/v1")
    assert (chosen.tts, chosen.tts_voice) == ("vibevoice", "in-Samuel_man")
    assert chosen.tts_url


def test_what_the_user_set_outranks_the_gpu_profile() -> None:
    given = {"asr": "faster-whisper", "llm_url": "http://gpu-box:9000/v1", "tts": "piper"}
    chosen = registry.effective(settings_of(profile="gpu", **given))
    assert (chosen.asr, chosen.llm_url, chosen.tts) == ("faster-whisper", "http://gpu-box:9000/v1", "piper")
    assert chosen.asr_model == "tiny.en", "the profile's model belongs to an engine that was not chosen"
    assert chosen.tts_url is None and chosen.tts_voice == ""
    assert chosen.llm == "http"


def test_an_environment_variable_counts_as_set_by_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_PROFILE", "gpu")
    monkeypatch.setenv("VIVA_TTS_VOICE", "en-Carter_man")
    chosen = registry.effective(settings_of())
    assert (chosen.tts, chosen.tts_voice) == ("vibevoice", "en-Carter_man")


async def test_warming_up_loads_every_engine_and_hands_the_prefixes_to_the_model_that_keeps_them() -> None:
    loaded: list[str] = []

    class Engine:
        def __init__(self, name: str) -> None:
            self.name = name

        async def warm_up(self) -> None:
            loaded.append(self.name)

        async def close(self) -> None:
            loaded.remove(self.name)

    class Keeper(Engine):
        prefixes: Any = None

        async def warm_up(self, prefixes: Any = ()) -> None:
            self.prefixes = prefixes
            loaded.append(self.name)

    chat = Keeper("chat")
    engines: Any = Engines(Engine("voice"), Engine("turn"), Engine("asr"), chat, Engine("tts"), Engine("judge"))  # type: ignore[arg-type]
    prefixes: Any = ([{"role": "system", "content": "You are an examiner."}],)
    await registry.warm_up(engines, prefixes=prefixes)
    assert sorted(loaded) == ["asr", "chat", "judge", "tts", "turn", "voice"]
    assert chat.prefixes == prefixes
    await registry.close(engines)
    assert sorted(loaded) == ["turn", "voice"]


@pytest.mark.weights
async def test_the_default_engines_are_built_and_speak() -> None:
    engines = registry.build_engines(settings_of())
    assert [engines.transcriber.name, engines.chat.name, engines.synthesizer.name] == [
        "faster-whisper", "smollm2", "piper",
    ]  # fmt: skip
    n_samples = sum([len(chunk) async for chunk in engines.synthesizer.stream("Welcome.")])
    assert n_samples > engines.synthesizer.sample_rate_hz // 5
    await registry.close(engines)
