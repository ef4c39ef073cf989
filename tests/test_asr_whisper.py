"""Whisper's real weights on real recordings: as good as the padded path, silent about silence, any length."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.bench.asr import (
    WORDS,
    add_noise,
    in_room,
    plain_words,
    read,
    spoken_short_answers,
    word_error_rate,
    wordless_clips,
)
from workbench.engines import registry
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Samples, Transcriber
from workbench.engines.faster_whisper import CTranslate2Decoder
from workbench.engines.openai_whisper import TorchDecoder, load_converted
from workbench.engines.whisper_decoding import FULL, SHORT, Recogniser
from workbench.engines.whisper_guards import token_limit
from workbench.models import ModelError, find
from workbench.settings import Settings

pytestmark = pytest.mark.weights


@pytest.fixture(scope="session")
def weights() -> Path:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    try:
        return find("whisper-tiny.en", settings.models_dir)
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def decoder(weights: Path) -> CTranslate2Decoder:
    return CTranslate2Decoder(weights, threads=2)


@pytest.fixture(scope="session")
def torch_decoder(weights: Path) -> TorchDecoder:
    pytest.importorskip("whisper")
    return TorchDecoder(load_converted(weights))


@pytest.fixture(scope="session")
def answers(shared_dir: Path) -> dict[str, Samples]:
    return {name: read(shared_dir / "speech" / "answers" / f"{name}.wav") for name in WORDS}


@pytest.fixture(scope="session")
def voice_answers() -> dict[str, Samples]:
    clips = spoken_short_answers(Settings(_env_file=None))  # type: ignore[call-arg]
    return clips or pytest.skip("the embedded voice is not installed: run `viva models pull`")


def texts(decoder: CTranslate2Decoder, clips: dict[str, Samples], *ladder: object) -> list[str]:
    return [Recogniser(decoder, *ladder).recognise(clip).text for clip in clips.values()]  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_short_encoder_is_never_much_worse_than_the_padded_one(
    decoder: CTranslate2Decoder, answers: dict[str, Samples], shared_dir: Path
) -> None:
    noise = read(shared_dir / "speech" / "noise" / "noise5.wav")
    response = read(shared_dir / "speech" / "rir" / "rir1.wav")
    conditions = [
        answers,
        {name: add_noise(clip, noise, 5.0) for name, clip in answers.items()},
        {name: in_room(clip, response) for name, clip in answers.items()},
    ]
    said = list(WORDS.values())
    short = np.mean([word_error_rate(said, texts(decoder, clips)) for clips in conditions])
    padded = np.mean([word_error_rate(said, texts(decoder, clips, (FULL,))) for clips in conditions])
    assert padded < 0.2
    assert short <= padded + 0.02


@pytest.mark.slow
def test_nothing_is_invented_from_sounds_without_words(decoder: CTranslate2Decoder, shared_dir: Path) -> None:
    clips = wordless_clips(shared_dir / "speech")
    heard = {name: Recogniser(decoder).recognise(clip).text for name, clip in clips.items()}
    assert len(clips) > 40
    assert {name: text for name, text in heard.items() if text} == {}


def test_sound_without_words_is_told_from_silence(decoder: CTranslate2Decoder) -> None:
    clips = wordless_clips()
    assert Recogniser(decoder).recognise(clips["silence 2 s"]).gave_up is None
    assert Recogniser(decoder).recognise(clips["loud hiss 2 s"]).gave_up == "no speech"


def test_short_answers_that_are_said_survive_the_guards(
    decoder: CTranslate2Decoder, voice_answers: dict[str, Samples]
) -> None:
    heard = {said: Recogniser(decoder).recognise(clip).text for said, clip in voice_answers.items()}
    for said in ("Thank you.", "Yes.", "I don't know.", "Repeat the question please."):
        assert plain_words(heard[said]) == plain_words(said)
    assert all(heard.values())


def test_words_lie_in_order_inside_the_clip_where_the_padded_encoder_hears_them(
    decoder: CTranslate2Decoder, answers: dict[str, Samples]
) -> None:
    clip = answers["spk1_snt3"]
    short = Recogniser(decoder).recognise(clip, with_words=True)
    padded = Recogniser(decoder, (FULL,)).recognise(clip, with_words=True)
    assert " ".join(word.text for word in short.words) == short.text
    edges = [edge for word in short.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= len(clip) / SAMPLE_RATE_HZ
    assert [w.text for w in short.words] == [w.text for w in padded.words]
    apart = [abs(a.start_s - b.start_s) for a, b in zip(short.words, padded.words, strict=True)]
    assert np.median(apart) < 0.1


@pytest.mark.parametrize("pause_s", [0.0, 0.6])
def test_a_long_answer_loses_and_doubles_no_word_at_its_seams(
    decoder: CTranslate2Decoder, answers: dict[str, Samples], shared_dir: Path, pause_s: float
) -> None:
    names = [name for name in WORDS if name not in ("spk2_snt3", "spk2_snt6")]  # misheard alone as well
    joined = np.concatenate([np.pad(answers[name], (0, int(pause_s * SAMPLE_RATE_HZ))) for name in names])
    if not pause_s:  # noise in the gaps leaves no pause to cut in
        joined = add_noise(joined, read(shared_dir / "speech" / "noise" / "noise5.wav"), 8.0)
    transcript = Recogniser(decoder).recognise(joined, with_words=True)
    assert word_error_rate([" ".join(WORDS[name] for name in names)], [transcript.text]) <= 0.06
    starts = [word.start_s for word in transcript.words]
    assert starts == sorted(starts) and starts[-1] > len(joined) / SAMPLE_RATE_HZ - 3


def test_key_terms_that_were_not_said_are_not_inserted(
    decoder: CTranslate2Decoder, answers: dict[str, Samples]
) -> None:
    terms = ["bisoprolol", "ticagrelor", "troponin", "pericarditis", "cardiac tamponade"]
    for clip in [*answers.values(), *list(wordless_clips().values())[::4]]:
        heard = Recogniser(decoder).recognise(clip, key_terms=terms).text.lower()
        assert not any(term in heard for term in terms)


def test_a_key_term_that_was_said_is_spelt_right(
    decoder: CTranslate2Decoder, voice_answers: dict[str, Samples]
) -> None:
    clip = voice_answers["Pericarditis."]
    biased = Recogniser(decoder).recognise(clip, key_terms=["troponin", "pericarditis"]).text
    assert plain_words(biased) == "pericarditis"


def test_the_looping_short_encoder_is_what_the_tail_of_silence_cures(
    decoder: CTranslate2Decoder, answers: dict[str, Samples]
) -> None:
    bare = replace(SHORT, after_s=0.0, tail_s=0.0)
    looped = [
        decoder.decode(decoder.encode(clip, bare), (), token_limit(len(clip) / SAMPLE_RATE_HZ)).cut_off
        for clip in answers.values()
    ]
    cured = [
        decoder.decode(decoder.encode(clip, SHORT), (), token_limit(len(clip) / SAMPLE_RATE_HZ)).cut_off
        for clip in answers.values()
    ]
    assert sum(looped) >= len(looped) // 2
    assert sum(cured) == 0


def test_a_bare_encoder_that_loops_is_given_up_or_saved_never_returned(
    decoder: CTranslate2Decoder, answers: dict[str, Samples]
) -> None:
    bare = replace(SHORT, after_s=0.0, tail_s=0.0)
    clips = {name: answers[name] for name in ("spk1_snt1", "spk1_snt4")}
    assert texts(decoder, clips, (bare, FULL)) == [
        "The child almost hurt the small dog.",
        "A thin stripe runs down the middle.",
    ]
    assert texts(decoder, clips, (bare,)) == ["", ""]


def test_both_runtimes_hear_the_same_from_the_same_weights(
    decoder: CTranslate2Decoder, torch_decoder: TorchDecoder, answers: dict[str, Samples]
) -> None:
    for name in ("spk1_snt3", "spk2_snt1"):
        one = Recogniser(decoder).recognise(answers[name], with_words=True)
        other = Recogniser(torch_decoder).recognise(answers[name], with_words=True)
        assert plain_words(one.text) == plain_words(other.text) == WORDS[name]
        apart = [abs(a.end_s - b.end_s) for a, b in zip(one.words, other.words, strict=True)]
        assert max(apart) < 0.3


def test_pytorch_gives_the_scores_ctranslate2_gives(
    decoder: CTranslate2Decoder, torch_decoder: TorchDecoder, answers: dict[str, Samples]
) -> None:
    clip = answers["spk1_snt5"]
    for padding in (SHORT, FULL):
        one = decoder.decode(decoder.encode(clip, padding), (), 40)
        other = torch_decoder.decode(torch_decoder.encode(clip, padding), (), 40)
        assert one.tokens == other.tokens
        assert other.avg_logprob == pytest.approx(one.avg_logprob, abs=0.05)
        assert other.no_speech_prob == pytest.approx(one.no_speech_prob, abs=0.05)


@pytest.fixture
async def engine(weights: Path, settings: Settings) -> Transcriber:
    return registry.create("asr", "faster-whisper", settings)  # type: ignore[no-any-return]


async def test_the_engine_hears_a_sentence_and_closes(engine: Transcriber, answers: dict[str, Samples]) -> None:
    await engine.warm_up()
    transcript = await engine.transcribe(answers["spk1_snt1"])
    await engine.close()
    assert transcript.text == "The child almost hurt the small dog."
    assert 0.8 < transcript.confidence <= 1.0
    assert transcript.audio_s == pytest.approx(2.87, abs=0.01)


async def test_urgent_work_overtakes_drafts_that_wait(engine: Transcriber, answers: dict[str, Samples]) -> None:
    await engine.warm_up()
    order: list[str] = []

    async def ask(label: str, name: str, priority: str) -> None:
        await engine.transcribe(answers[name], priority=priority)  # type: ignore[arg-type]
        order.append(label)

    drafts = [asyncio.create_task(ask(f"draft {i}", f"spk1_snt{i}", "idle")) for i in (1, 2, 3)]
    await asyncio.sleep(0)
    await ask("now", "spk1_snt4", "now")
    await asyncio.gather(*drafts)
    await engine.close()
    assert order.index("now") <= 1


async def test_two_channels_are_refused_with_the_shape_given(engine: Transcriber) -> None:
    with pytest.raises(EngineError, match=r"shape \(n_samples,\), got shape \(2, 100\)"):
        await engine.transcribe(np.zeros((2, 100), np.float32))


@pytest.mark.parametrize("name", ["faster-whisper", "openai-whisper"])
async def test_missing_weights_name_the_command_that_fetches_them(name: str, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, models_dir=tmp_path)  # type: ignore[call-arg]
    with pytest.raises(EngineError, match="viva models pull"):
        registry.create("asr", name, settings)


async def test_a_directory_of_weights_can_be_given_instead_of_a_name(
    weights: Path, tmp_path: Path, answers: dict[str, Samples]
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(weights, mine)
    settings = Settings(_env_file=None, models_dir=tmp_path / "none", asr_model=str(mine))  # type: ignore[call-arg]
    engine = registry.create("asr", "faster-whisper", settings)
    assert plain_words((await engine.transcribe(answers["spk1_snt1"])).text) == WORDS["spk1_snt1"]
    await engine.close()


async def test_damaged_weights_are_an_engine_error(weights: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(weights, mine)
    (mine / "model.bin").write_bytes((mine / "model.bin").read_bytes()[:1_000_000])
    for name in ("faster-whisper", "openai-whisper"):
        settings = Settings(_env_file=None, asr_model=str(mine))  # type: ignore[call-arg]
        engine = registry.create("asr", name, settings)
        with pytest.raises(EngineError, match="cannot load"):
            await engine.transcribe(np.zeros(16000, np.float32))
        await engine.close()


CLIPS = """
import sys
from pathlib import Path

import numpy
import psutil

from workbench import memory
from workbench.engines.faster_whisper import CTranslate2Decoder
from workbench.engines.whisper_decoding import SHORT

decoder = CTranslate2Decoder(Path(sys.argv[1]), threads=1)
noise = numpy.random.default_rng(0).normal(0, 0.05, 64_000).astype(numpy.float32)
held = []
for begin in (16_000, 16_400):  # the second time lengths between those of the first, which made all room that is needed
    for n_samples in range(begin, len(noise), 800):
        decoder.encode(noise[:n_samples], SHORT)
    memory.give_back()
    held.append(psutil.Process().memory_info().rss)
print(held[1] - held[0])
"""


def test_clips_of_many_lengths_leave_no_memory_behind(weights: Path) -> None:
    """What is compiled for one length is not kept for ever; measured in processes that do nothing else."""
    kernels = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    bare = {name: value for name, value in os.environ.items() if name != kernels}
    grown = [
        int(subprocess.run([sys.executable, "-c", CLIPS, weights], env=env, capture_output=True, check=True).stdout)
        for env in (bare, bare | {kernels: "1024"})
    ]
    assert grown[1] > 20_000_000, "the library keeps nothing by itself: the bound is of no use"
    assert grown[0] < 0.25 * grown[1]
