"""How well and how fast the recogniser hears: real recorded sentences, clean, in noise, in rooms; and what it invents.

Three ways are compared on the same weights: the workbench's short encoder behind its guards, the same decoder on clips
padded to 30 s, and faster-whisper's own `transcribe` with its defaults.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from workbench.engines.base import SAMPLE_RATE_HZ, Samples

if TYPE_CHECKING:
    from workbench.settings import Settings

WORDS = {
    "spk1_snt1": "the child almost hurt the small dog",
    "spk1_snt2": "drop the two when you add the figures",
    "spk1_snt3": "at that high level the air is pure",
    "spk1_snt4": "a thin stripe runs down the middle",
    "spk1_snt5": "sunday is the best part of the week",
    "spk1_snt6": "the pencils have all been used",
    "spk2_snt1": "we are sure that one war is enough",
    "spk2_snt2": "what joy there is in living",
    "spk2_snt3": "tear a thin sheet from the yellow pad",
    "spk2_snt4": "mend the coat before you go out",
    "spk2_snt5": "jump the fence and hurry up the bank",
    "spk2_snt6": "canned pears lack full flavor",
}
"""What is said in each recording, Harvard sentences all. The list that comes with the corpus names others for
`spk2_snt3` and `spk2_snt5` and none for the sixth; what is heard in them, in every condition, is this."""

NOISE_LEVELS_DB = (10.0, 5.0)
"""Signal-to-noise ratios of the noisy conditions."""

SHORT_ANSWERS = ("Thank you.", "Yes.", "Stop.", "I don't know.", "Repeat the question please.", "Pericarditis.")
"""Spoken by the workbench's own voice: what guards against invention must not swallow."""


def read(path: Path) -> Samples:
    """A 16 kHz mono file as (n_samples,) float32."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1:
        raise ValueError(f"{path} must be mono at {SAMPLE_RATE_HZ} Hz, is {samples.ndim}-dimensional at {rate_hz} Hz")
    return np.asarray(samples, np.float32)


def add_noise(samples: Samples, noise: Samples, ratio_db: float) -> Samples:
    """The clip with noise (repeated as needed) at a signal-to-noise ratio over the whole clip, never clipped."""
    noise = np.resize(noise, len(samples))
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2) / 10 ** (ratio_db / 10))
    mixed = samples + gain * noise
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)


def in_room(samples: Samples, response: Samples) -> Samples:
    """The clip as heard in a room, half a second of reverberation after it, at its own loudness."""
    wet = np.convolve(samples, response)[: len(samples) + SAMPLE_RATE_HZ // 2]
    gain = np.sqrt(np.mean(samples**2) / np.mean(wet[: len(samples)] ** 2))
    return np.clip(0.9 * gain * wet, -1, 1).astype(np.float32)


def spoken_conditions(speech_dir: Path) -> dict[str, dict[str, Samples]]:
    """Condition -> recording -> clip: clean, each noise at each ratio, each room.

    Args:
        speech_dir: Directory with `answers`, `noise` and `rir`.
    """
    clips = {name: read(speech_dir / "answers" / f"{name}.wav") for name in WORDS}
    conditions = {"clean": clips}
    for path in sorted((speech_dir / "noise").glob("*.wav")):
        noise = read(path)
        for ratio_db in NOISE_LEVELS_DB:
            conditions[f"{path.stem} {ratio_db:.0f} dB"] = {k: add_noise(x, noise, ratio_db) for k, x in clips.items()}
    for path in sorted((speech_dir / "rir").glob("*.wav")):
        response = read(path)
        conditions[path.stem] = {k: in_room(x, response) for k, x in clips.items()}
    return conditions


def wordless_clips(speech_dir: Path | None = None) -> dict[str, Samples]:
    """Sounds without a word: silence, hiss, rumble, hum, breath, coughs, clicks; recorded noise if there is any."""
    rng = np.random.default_rng(7)
    clips: dict[str, Samples] = {}
    for seconds in (1, 2, 4):
        n = seconds * SAMPLE_RATE_HZ
        t = np.arange(n) / SAMPLE_RATE_HZ
        hiss = rng.normal(0, 1, n)
        floor = _at(rng.normal(0, 1, n), -65)
        swell = np.clip(np.minimum(t / (0.3 * seconds), (seconds - t) / (0.5 * seconds)), 0, 1)
        burst = np.zeros(n)
        burst[n // 2 : n // 2 + 3200] = rng.normal(0, 1, 3200) * np.exp(-np.arange(3200) / 700)
        ticks = np.zeros(n)
        for start in range(0, n - 80, n // 5):
            ticks[start : start + 80] = rng.normal(0, 1, 80)
        clips |= {
            f"silence {seconds} s": np.zeros(n, np.float32),
            f"faint hiss {seconds} s": _at(hiss, -60),
            f"hiss {seconds} s": _at(hiss, -45),
            f"loud hiss {seconds} s": _at(hiss, -30),
            f"rumble {seconds} s": _at(np.cumsum(hiss) - np.linspace(0, np.sum(hiss), n), -35),
            f"hum {seconds} s": _at(np.sin(2 * np.pi * 50 * t) + 0.3 * np.sin(2 * np.pi * 150 * t), -40),
            f"breath {seconds} s": _at(_band(hiss, 300, 3000) * swell, -45) + floor,
            f"heavy breath {seconds} s": _at(_band(hiss, 300, 3000) * swell, -30) + floor,
            f"cough {seconds} s": _at(_band(burst, 400, 4000), -30) + floor,
            f"clicks {seconds} s": _at(ticks, -35) + floor,
        }
    for path in sorted((speech_dir / "noise").glob("*.wav")) if speech_dir else []:
        noise = read(path)
        for seconds in (1, 2, 4):
            n = seconds * SAMPLE_RATE_HZ
            for start in range(0, len(noise) - n + 1, max(n, len(noise) // 4)):
                clips[f"{path.stem} {seconds} s from {start / SAMPLE_RATE_HZ:.1f} s"] = noise[start : start + n]
    return clips


def plain_words(text: str) -> str:
    """Text as it is scored: lower case, digits as words, no punctuation, contractions written out."""
    from num2words import num2words

    text = re.sub(r"\d+", lambda match: f" {num2words(int(match[0]))} ", text.lower())
    for short, long in (("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'m", " am")):
        text = text.replace(short, long)
    return " ".join(re.findall(r"[a-z']+", text.replace("-", " ")))


def word_error_rate(references: list[str], hypotheses: list[str]) -> float:
    """Errors per reference word over all pairs together, after `plain_words`."""
    import jiwer

    pairs = [(plain_words(one), plain_words(other)) for one, other in zip(references, hypotheses, strict=True)]
    return float(jiwer.wer([one for one, _ in pairs], [other for _, other in pairs]))


def measure(settings: Settings, *, repeats: int = 1, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Accuracy, speed and invention of the embedded recogniser.

    Args:
        settings: `shared_dir` holds the recordings; `threads` and `asr_model` count.
        repeats: How often each clip is timed.
        tell: Told what is being measured.

    Returns:
        `wer` (condition -> way -> rate, and their `mean`), `ms` (way -> p50, p95, n, values), `speedup` (ratio of the
        medians), `wordless` (way -> share of wordless clips that got text, and the texts), `short_answers` (share of
        spoken short answers that got text; absent without the voice).
    """
    if settings.shared_dir is None:
        raise ValueError("VIVA_SHARED_DIR must name the directory with the recorded `speech` to measure recognition")
    speech_dir = settings.shared_dir / "speech"
    ways = _ways(settings)
    ms: dict[str, list[float]] = {way: [] for way in ways}
    wer: dict[str, dict[str, float]] = {}
    for condition, clips in spoken_conditions(speech_dir).items():
        tell(condition)
        said: dict[str, list[str]] = {way: [] for way in ways}
        for samples in clips.values():
            for repeat in range(repeats):
                for way, recognise in ways.items():  # side by side, so that a busy moment hits all ways
                    start = time.perf_counter()
                    text = recognise(samples)
                    ms[way].append((time.perf_counter() - start) * 1e3)
                    if repeat == 0:
                        said[way].append(text)
        wer[condition] = {way: word_error_rate(list(WORDS.values()), texts) for way, texts in said.items()}
    wer["mean"] = {way: statistics.fmean(rates[way] for rates in wer.values()) for way in ways}
    tell("sounds without words")
    wordless = wordless_clips(speech_dir)
    invented = {
        way: {name: text for name, samples in wordless.items() if plain_words(text := recognise(samples))}
        for way, recognise in ways.items()
    }
    result: dict[str, Any] = {
        "wer": wer,
        "ms": {way: _summary(values) for way, values in ms.items()},
        "speedup": statistics.median(ms["library"]) / statistics.median(ms["unpadded"]),
        "wordless": {
            way: {"n": len(wordless), "invented_rate": len(texts) / len(wordless), "texts": texts}
            for way, texts in invented.items()
        },
    }
    spoken = spoken_short_answers(settings)
    if spoken:
        tell("short answers")
        heard = {text: ways["unpadded"](samples) for text, samples in spoken.items()}
        result["short_answers"] = {
            "n": len(heard),
            "kept_rate": sum(bool(text) for text in heard.values()) / len(heard),
            "texts": heard,
        }
    return result


def spoken_short_answers(settings: Settings) -> dict[str, Samples]:
    """`SHORT_ANSWERS` spoken by the embedded voice over a faint hiss; empty where the voice is not installed."""
    import asyncio

    import soxr

    from workbench.engines.base import EngineError
    from workbench.engines.registry import create

    try:
        voice = create("tts", "piper", settings)
    except EngineError:
        return {}
    rng = np.random.default_rng(3)

    async def speak() -> dict[str, Samples]:
        clips = {}
        for text in SHORT_ANSWERS:
            pieces = [piece async for piece in voice.stream(text)]
            clip = soxr.resample(np.concatenate(pieces), voice.sample_rate_hz, SAMPLE_RATE_HZ)
            clip = np.pad(clip, (SAMPLE_RATE_HZ // 10, SAMPLE_RATE_HZ // 4))
            clips[text] = (clip + rng.normal(0, 8e-4, len(clip))).astype(np.float32)
        await voice.close()
        return clips

    return asyncio.run(speak())


def _ways(settings: Settings) -> dict[str, Callable[[Samples], str]]:
    from faster_whisper import WhisperModel

    from workbench.engines.base import EngineError
    from workbench.engines.faster_whisper import NAME, CTranslate2Decoder
    from workbench.engines.whisper_decoding import FULL, Recogniser
    from workbench.engines.whisper_weights import find_ctranslate2

    directory = find_ctranslate2(settings, NAME)
    if directory is None:
        raise EngineError(NAME, f"{settings.asr_model!r} has no CTranslate2 weights here to compare; try tiny.en")
    decoder = CTranslate2Decoder(directory, threads=settings.threads, device="cpu")
    library = WhisperModel(str(directory), device="cpu", compute_type="int8", cpu_threads=settings.threads)
    Recogniser(decoder).rehearse(np.random.default_rng(0).normal(0, 0.05, 3 * SAMPLE_RATE_HZ).astype(np.float32))

    def padded(samples: Samples) -> str:
        return Recogniser(decoder, (FULL,)).recognise(samples).text

    def by_library(samples: Samples) -> str:
        segments, _ = library.transcribe(samples, language="en")
        return " ".join(segment.text.strip() for segment in segments)

    # a recogniser of its own for every clip: one that keeps texts would be timed on its memory
    return {
        "unpadded": lambda samples: Recogniser(decoder).recognise(samples).text,
        "padded": padded,
        "library": by_library,
    }


def _summary(values: list[float]) -> dict[str, Any]:
    return {
        "p50": round(float(np.percentile(values, 50)), 1),
        "p95": round(float(np.percentile(values, 95)), 1),
        "n": len(values),
        "values": [round(value, 1) for value in values],
    }


def _at(samples: np.ndarray[Any, Any], level_db: float) -> Samples:
    """The sound at a level, decibels below full scale over its length."""
    rms = np.sqrt(np.mean(np.square(samples)) + 1e-20)
    return np.asarray(samples / rms * 10 ** (level_db / 20), np.float32)


def _band(samples: np.ndarray[Any, Any], low_hz: float, high_hz: float) -> np.ndarray[Any, Any]:
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    spectrum[(hertz < low_hz) | (hertz > high_hz)] *= 0.05
    return np.fft.irfft(spectrum, len(samples))
