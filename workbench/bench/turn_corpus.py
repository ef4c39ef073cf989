"""Spoken answers with pauses inside, made for measuring and fitting the turn rule.

An answer is synthesised in one breath and silence is put *into* it afterwards, between two words, at the quietest spot
near the boundary that the synthesizer itself reports: what the candidate's voice does before the pause is what it does
in the middle of a sentence. Recorded sentences are split the same way. Background and room are laid over the whole,
pauses included, so that they go on while the candidate thinks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import soxr

from workbench.engines.base import SAMPLE_RATE_HZ, Samples
from workbench.realtime.completeness import OPEN_WORDS, words_of
from workbench.realtime.word_classes import FILLERS
from workbench.simulate.sound import (
    AUDIBLE_DBFS,
    WINDOW_S,
    at_speech_level,
    read_wav,
    room_tone,
    voiced_bounds,
    window_levels,
)

PauseKind = Literal["phrase", "joint", "filler", "clause", "sentence"]
"""Where a pause is: inside a phrase, after a function word, after a filler, before a clause, between sentences."""

MIX: dict[PauseKind, float] = {"phrase": 0.35, "joint": 0.2, "filler": 0.15, "clause": 0.3}
"""Share of each place among the pauses put in; a place an answer does not offer is drawn again."""

PAUSE_S = (0.3, 2.0)
LEAD_S = 0.6
TAIL_S = 4.5

_CLAUSE_STARTS = frozenset(
    "and but or so because which while whereas although though since if when until then as".split()
)


@dataclass(frozen=True)
class Manner:
    """How an answer is spoken: factors on the voice's own rate and pitch."""

    rate: float
    pitch: float


HELD_OUT_MANNERS = (Manner(1.0, 1.0), Manner(0.85, 0.92), Manner(1.18, 1.12), Manner(0.95, 1.24), Manner(1.1, 0.86))
FITTING_MANNERS = (Manner(0.92, 1.05), Manner(1.06, 0.95), Manner(1.25, 1.18), Manner(0.8, 0.9))


@dataclass(frozen=True)
class SpokenWord:
    """A word and the samples it is spoken in, end excluded."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Spoken:
    """One continuous utterance: (n_samples,) float32 at 16 kHz, and where its words are."""

    samples: Samples
    words: tuple[SpokenWord, ...]


@dataclass(frozen=True)
class PlacedPause:
    """Silence inside an answer: from `start` to `end` silence was put in, end excluded.

    `length_s` is the whole stretch without sound, what was silent there already included.
    """

    start: int
    end: int
    kind: PauseKind
    after: str
    length_s: float


@dataclass(frozen=True)
class Answer:
    """A clean answer with its pauses; `last_voiced` is one after the last voiced sample."""

    name: str
    text: str
    samples: Samples
    last_voiced: int
    pauses: tuple[PlacedPause, ...]
    expects: str = "answer"


class AligningVoice:
    """Piper with the times of its words: the model's own phoneme durations, laid bare as a second output.

    Args:
        model_path: The voice's `.onnx` file.
        seed: Seed of the voice's noise; holds for one build of onnxruntime.
    """

    def __init__(self, model_path: Path, seed: int = 0) -> None:
        import onnxruntime
        from piper import PiperVoice
        from piper.config import PiperConfig

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        onnxruntime.set_seed(seed)
        session = onnxruntime.InferenceSession(_with_durations(model_path.read_bytes()), options)
        config = json.loads(model_path.with_name(model_path.name + ".json").read_text(encoding="utf-8"))
        self._voice = PiperVoice(config=PiperConfig.from_dict(config), session=session)
        self._rate_hz: int = config["audio"]["sample_rate"]

    def speak(self, text: str, manner: Manner, gap_s: float = 0.25) -> Spoken:
        """Speaks a text, one breath a sentence, with `gap_s` between two sentences."""
        from piper.config import SynthesisConfig

        settings = SynthesisConfig(length_scale=self._voice.config.length_scale * manner.pitch / manner.rate)
        parts: list[Samples] = []
        words: list[SpokenWord] = []
        position = 0
        for sentence in _sentences(text):
            for chunk in self._voice.synthesize(sentence, settings, include_alignments=True):
                factor = SAMPLE_RATE_HZ / (self._rate_hz * manner.pitch)
                sound = soxr.resample(chunk.audio_float_array, self._rate_hz * manner.pitch, SAMPLE_RATE_HZ)
                groups = _groups([(a.phoneme, a.num_samples) for a in chunk.phoneme_alignments or []])
                spoken = [
                    SpokenWord(word, position + int(start * factor), position + int(end * factor))
                    for word, start, end in _words_in_groups(sentence.split(), groups, self._letters)
                ]
                words += spoken
                parts.append(sound.astype(np.float32))
                position += len(sound)
            parts.append(np.zeros(int(gap_s * SAMPLE_RATE_HZ), np.float32))
            position += len(parts[-1])
        return Spoken(at_speech_level(np.concatenate(parts[:-1])), tuple(words))

    def _letters(self, word: str) -> int:
        return sum(_is_letter(p) for sentence in self._voice.phonemize(word) for p in sentence)


def _with_durations(model: bytes, tensor: bytes = b"/Ceil_output_0") -> bytes:
    """The model with its phoneme durations as a further output.

    Two protobuf messages in a row parse as their merge, so an output is added by appending `graph { output { name } }`
    (fields 7, 12 and 1 of ONNX's ModelProto, GraphProto and ValueInfoProto).
    """
    if tensor not in model:
        raise ValueError("this Piper voice does not name its phoneme durations as others do: no word times")

    def field(number: int, body: bytes) -> bytes:
        return bytes([number << 3 | 2, len(body)]) + body

    return model + field(7, field(12, field(1, tensor)))


def _sentences(text: str) -> list[str]:
    return [s.strip() for s in text.replace("? ", "?|").replace(". ", ".|").split("|") if s.strip()]


def _is_letter(phoneme: str) -> bool:
    return phoneme.isalpha() and phoneme not in "ˈˌːʲ"


def _groups(phonemes: list[tuple[str, int]]) -> list[tuple[int, int, int]]:
    """(first sample, sample after the last, letters) of every stretch of phonemes between two spaces."""
    groups: list[tuple[int, int, int]] = []
    position = start = end = letters = 0
    for phoneme, n_samples in [*phonemes, (" ", 0)]:
        if phoneme == " ":
            if letters:
                groups.append((start, end, letters))
            start, letters = position + n_samples, 0
        elif _is_letter(phoneme) or phoneme in "ˈˌːʲ":
            start = position if letters == 0 and phoneme in "ˈˌ" else (start if letters else position)
            letters += _is_letter(phoneme)
            end = position + n_samples
        position += n_samples
    return groups


def _words_in_groups(words: list[str], groups: list[tuple[int, int, int]], letters: Any) -> list[tuple[str, int, int]]:
    """Which words each group of phonemes holds: the synthesizer joins some ("of the") and splits others ("x-ray").

    The split with the least difference in letters, by dynamic programming over one to three words or groups a step.
    """
    sizes = [letters(word) for word in words]
    best: dict[tuple[int, int], tuple[float, tuple[int, int] | None]] = {(0, 0): (0.0, None)}
    steps = [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)]
    for i in range(len(words) + 1):
        for j in range(len(groups) + 1):
            if (i, j) not in best:
                continue
            cost = best[i, j][0]
            for di, dj in steps:
                if i + di > len(words) or j + dj > len(groups):
                    continue
                gap = abs(sum(sizes[i : i + di]) - sum(g[2] for g in groups[j : j + dj])) + 0.5 * (di + dj - 2)
                if cost + gap < best.get((i + di, j + dj), (np.inf, None))[0]:
                    best[i + di, j + dj] = (cost + gap, (i, j))
    at = (len(words), len(groups))
    found: list[tuple[str, int, int]] = []
    while at != (0, 0):
        before = best[at][1] if at in best else None
        if before is None:
            raise ValueError(f"{len(words)} words and {len(groups)} groups of phonemes cannot be matched")
        found.append((" ".join(words[before[0] : at[0]]), groups[before[1]][0], groups[at[1] - 1][1]))
        at = before
    return found[::-1]


# ---- pauses ------------------------------------------------------------------------------------------------------


def kind_of(before: str, after: str) -> PauseKind:
    """What sort of place lies between two neighbouring words, as they are written."""
    last, following = (words_of(before) or [""])[-1], (words_of(after) or [""])[0]
    if before.rstrip().endswith((".", "?", "!")):
        return "sentence"
    if last in FILLERS and before.rstrip().endswith(","):
        return "filler"
    if last in OPEN_WORDS:
        return "joint"
    if before.rstrip().endswith(",") or following in _CLAUSE_STARTS:
        return "clause"
    return "phrase"


def quietest(samples: Samples, around: int, reach_s: float = 0.04) -> int:
    """The quietest sample within `reach_s` of a place, judged over 5 ms."""
    reach, window = int(reach_s * SAMPLE_RATE_HZ), int(0.005 * SAMPLE_RATE_HZ)
    low = max(0, around - reach)
    part = np.square(samples[low : around + reach + window].astype(np.float64))
    if len(part) <= window:
        return min(around, len(samples))
    level = np.convolve(part, np.ones(window), mode="valid")
    return low + int(np.argmin(level)) + window // 2


def with_pauses(
    spoken: Spoken, random: Random, *, name: str, count: int, mix: dict[PauseKind, float] | None = None
) -> Answer:
    """Puts `count` pauses (fewer where the answer offers fewer places) into an utterance."""
    mix = MIX if mix is None else mix
    places: dict[PauseKind, list[int]] = {kind: [] for kind in mix}
    for index in range(1, len(spoken.words) - 2):
        kind = kind_of(spoken.words[index].text, spoken.words[index + 1].text)
        if kind in places:
            places[kind].append(index)
    chosen: dict[int, PauseKind] = {}
    for _ in range(12 * count):
        (kind,) = random.choices(list(mix), weights=list(mix.values()))
        free = [i for i in places[kind] if all(abs(i - taken) >= 3 for taken in chosen)]
        if free and len(chosen) < count:
            chosen[random.choice(free)] = kind
    cuts = []
    lengths_s = []
    for index, kind in sorted(chosen.items()):
        here, there = spoken.words[index], spoken.words[index + 1]
        cut = quietest(spoken.samples, (here.end + there.start) // 2)
        cuts.append((cut, kind, here.text))
        lengths_s.append(max(0.02, random.uniform(*PAUSE_S) - silence_around(spoken.samples, cut)))
    return cut_open(spoken.samples, cuts, lengths_s, name, text_of(spoken))


def silence_around(samples: Samples, cut: int) -> float:
    """Seconds of silence there already are at a place: a comma's own gap counts towards the pause made of it."""
    size = int(WINDOW_S * SAMPLE_RATE_HZ)
    before = window_levels(samples[max(0, cut - SAMPLE_RATE_HZ) : cut][::-1], SAMPLE_RATE_HZ)
    after = window_levels(samples[cut : cut + SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    quiet = 0
    for levels in (before, after):
        loud = np.flatnonzero(levels >= AUDIBLE_DBFS)
        quiet += int(loud[0]) if loud.size else len(levels)
    return quiet * size / SAMPLE_RATE_HZ


def text_of(spoken: Spoken) -> str:
    """The words of an utterance."""
    return " ".join(word.text for word in spoken.words)


def cut_open(
    samples: Samples, cuts: Sequence[tuple[int, PauseKind, str]], lengths_s: Sequence[float], name: str, text: str
) -> Answer:
    """Silence of the given lengths put in at the given samples, the edges faded over 4 ms, quiet before and after."""
    fade = int(0.004 * SAMPLE_RATE_HZ)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    pieces: list[Samples] = [np.zeros(int(LEAD_S * SAMPLE_RATE_HZ), np.float32)]
    pauses: list[PlacedPause] = []
    position, before = len(pieces[0]), 0
    for (cut, kind, after), length_s in zip(cuts, lengths_s, strict=True):
        piece = samples[before:cut].copy()
        piece[-fade:] *= ramp[::-1]
        if before:
            piece[:fade] *= ramp
        silence = np.zeros(int(length_s * SAMPLE_RATE_HZ), np.float32)
        position += len(piece)
        whole_s = length_s + silence_around(samples, cut)
        pauses.append(PlacedPause(position, position + len(silence), kind, after, whole_s))
        pieces += [piece, silence]
        position += len(silence)
        before = cut
    rest = samples[before:].copy()
    if before:
        rest[:fade] *= ramp
    last_voiced = position + voiced_bounds(rest)[1]
    pieces += [rest, np.zeros(int(TAIL_S * SAMPLE_RATE_HZ), np.float32)]
    return Answer(name, text, np.concatenate(pieces), last_voiced, tuple(pauses))


def hesitant(text: str, random: Random) -> str:
    """The text with an "um" or "er" put before one of its words, if it has none and a coin says so."""
    words = text.split()
    if random.random() < 0.5 or set(words_of(text)) & {"um", "er", "uh"}:
        return text
    place = random.randrange(3, len(words) - 3)
    before = words[place - 1].rstrip(",.")
    if words[place - 1].endswith("."):
        return text
    return " ".join([*words[: place - 1], f"{before},", random.choice(("um,", "er,")), *words[place:]])


def make_answers(
    voice: AligningVoice,
    texts: Sequence[str],
    manners: Sequence[Manner],
    seed: int,
    *,
    mix: dict[PauseKind, float] | None = None,
    hesitations: bool = True,
) -> list[Answer]:
    """One answer a text, two or three pauses each, the manners taking turns."""
    random = Random(seed)
    return [
        with_pauses(
            voice.speak(hesitant(text, random) if hesitations else text, manners[(index + seed) % len(manners)]),
            random,
            name=f"answer-{index:02d}",
            count=random.choice((2, 3)),
            mix=mix,
        )
        for index, text in enumerate(texts)
    ]


# ---- where it is heard -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Condition:
    """What lies over an answer: noise at a signal-to-noise ratio, or a room."""

    name: str
    noise: Samples | None = None
    snr_db: float = 60.0
    room: Samples | None = None

    def heard(self, answer: Answer, seed: int) -> Samples:
        """The answer as the microphone has it, (n_samples,) float32, 16 kHz."""
        sound = answer.samples
        if self.room is not None:
            sound = at_speech_level(_in_room(sound, self.room))
        noise = room_tone(seed) if self.noise is None else self.noise
        start = Random(seed).randrange(len(noise))
        bed = np.resize(np.roll(noise, -start), len(sound))
        speech = answer.samples[np.abs(answer.samples) > 0.01]
        level = float(np.sqrt(np.mean(np.square(speech)))) / 10 ** (self.snr_db / 20) if len(speech) else 0.0
        if self.noise is not None:
            bed = bed / (float(np.sqrt(np.mean(np.square(noise)))) + 1e-9) * level
        return np.clip(sound + bed, -1.0, 1.0).astype(np.float32)


def _in_room(sound: Samples, response: Samples) -> Samples:
    size = 1 << (len(sound) + len(response) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
    direct = int(np.argmax(np.abs(response)))
    return wet[direct : direct + len(sound)].astype(np.float32)


def decaying_room(seed: int, decay_s: float) -> Samples:
    """A made-up room: noise that falls by 60 dB in `decay_s` behind a direct sound 3 dB above it in energy."""
    n = int(decay_s * SAMPLE_RATE_HZ)
    tail = np.random.default_rng(seed).standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    tail /= np.sqrt(np.sum(tail**2))
    tail[0] = np.sqrt(2.0)
    return tail.astype(np.float32)


def murmur(seed: int, seconds: float = 12.0) -> Samples:
    """Steady noise with about the long-term spectrum of speech: flat to 500 Hz, then 9 dB less an octave."""
    n = int(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    hz = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ), 60.0)
    return np.fft.irfft(spectrum * np.minimum(1.0, (500.0 / hz) ** 1.5), n).astype(np.float32)


def conditions(speech_dir: Path | None, *, fitting: bool = False) -> list[Condition]:
    """Clean, noise at 20 and 10 dB, and rooms; recorded ones from `speech_dir`, made-up ones without it.

    The fitting set hears made-up noise and rooms only, so that the recorded ones are new to what was fitted.
    """
    if fitting or speech_dir is None:
        noises = [murmur(5)]
        rooms = [("room-0.3s", decaying_room(1, 0.3)), ("room-0.7s", decaying_room(2, 0.7))]
        levels = (25.0, 15.0, 8.0) if fitting else (20.0, 10.0)
    else:
        noises = [read_wav(path) for path in sorted((speech_dir / "noise").glob("*.wav"))]
        rooms = [(path.stem, read_wav(path)) for path in sorted((speech_dir / "rir").glob("*.wav"))]
        levels = (20.0, 10.0)
    found = [Condition("clean")]
    for number, noise in enumerate(noises, 1):
        mark = f"-{number}" if len(noises) > 1 else ""
        found += [Condition(f"noise{mark}-{level:.0f}dB", noise=noise, snr_db=level) for level in levels]
    return [*found, *(Condition(name, room=response) for name, response in rooms)]


def renamed(answer: Answer, name: str, expects: str) -> Answer:
    """The same sound as an answer to something else."""
    return replace(answer, name=name, expects=expects)
