"""Small pieces both Whisper runtimes share: words as people read them, and a sound that ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.engines.base import SAMPLE_RATE_HZ, Samples, Word

OPENING, CLOSING = "\"'“¿([{-", "\"'.。,,!?:;”)]}、%"
LONGEST_WORD_S = 1.2
"""Whisper's attention gives a pause to the word beside it; no word is spoken longer than this."""


def attach_punctuation(words: Sequence[Word]) -> list[Word]:
    """Words with their punctuation on them, spaces stripped: "pain", "," become "pain,"."""
    joined: list[Word] = []
    opening = ""
    opening_start: float | None = None
    for word in words:
        text = word.text.strip()
        if not text:
            continue
        if all(letter in CLOSING for letter in text) and joined and not word.text.startswith(" "):
            last = joined[-1]
            joined[-1] = Word(last.text + text, last.start_s, last.end_s, last.probability)
        elif all(letter in OPENING for letter in text):
            opening, opening_start = opening + text, word.start_s
        else:
            start_s = word.start_s if opening_start is None else opening_start
            joined.append(Word(opening + text, start_s, word.end_s, word.probability))
            opening, opening_start = "", None
    return joined


def tame_long_words(words: Sequence[Word]) -> list[Word]:
    """Words whose time swallowed a pause, made short again; the first word keeps its end, others their start."""
    tamed = []
    for i, word in enumerate(words):
        start_s, end_s = word.start_s, max(word.start_s, word.end_s)
        if end_s - start_s > LONGEST_WORD_S:
            if i == 0:
                start_s = end_s - LONGEST_WORD_S
            else:
                end_s = start_s + LONGEST_WORD_S
        tamed.append(Word(word.text, start_s, end_s, word.probability))
    return tamed


def silence_probe() -> Samples:
    """30 s of sound: a second and a half of a voice-like buzz, then silence.

    Whisper's states of silence depend on what came before; after a harmonic sound that rises and falls like syllables
    they are close to those after speech, after plain silence they are not.
    """
    t = np.arange(int(1.5 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitch_hz = 120 * (1 + 0.1 * np.sin(2 * np.pi * 1.3 * t))
    buzz = sum(
        np.sin(2 * np.pi * pitch_hz * h * t) / h * (1 + 0.8 * np.sin(2 * np.pi * (2 + h % 3) * t + h))
        for h in range(1, 25)
    )
    syllables = np.sin(2 * np.pi * 3.5 * t) > -0.3
    breath = np.random.default_rng(0).normal(0, 0.001, len(t))
    sound = np.zeros(30 * SAMPLE_RATE_HZ, np.float32)
    sound[: len(t)] = 0.1 * buzz / np.abs(buzz).max() * syllables + breath
    return sound
