"""What a Whisper hypothesis must pass before it is believed. Pure functions of its text, its scores and the sound.

Whisper was trained to say something. It loops when it does not see where the sound ends, and it fills silence with
what subtitles end on.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from rapidfuzz import fuzz

from workbench.engines.base import Samples
from workbench.engines.whisper_windows import levels_db, plain


@dataclass(frozen=True)
class Hypothesis:
    """One decoding of one window.

    Attributes:
        text: Its words.
        tokens: Their ids, without special tokens.
        avg_logprob: Mean log probability of the tokens, end of text included.
        no_speech_prob: Probability Whisper gives to "no speech" before it begins.
        cut_off: Whether the token limit ended it, not the model.
    """

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    cut_off: bool = False


@dataclass(frozen=True)
class Sound:
    """How a window sounds, decibels below full scale in 20 ms frames.

    Attributes:
        loud_db: Level of its loud parts (95th percentile).
        quiet_db: Level of its quiet parts (10th percentile).
    """

    loud_db: float
    quiet_db: float

    @property
    def silent(self) -> bool:
        """Whether nobody can have spoken: softer than a whisper at arm's length."""
        return self.loud_db < SILENCE_DB


SILENCE_DB = -62.0
TOKENS_PER_S, SPARE_TOKENS = 7.0, 10
"""Fast English is 6 tokens a second, its long medical terms included; short clips need room for the full stop."""

MAX_COMPRESSION = 2.4
"""OpenAI's own limit (Whisper paper, section 4.5): text that packs better than this is a loop."""

ROUND_WORDS_PER_S = 4.5
"""Nobody says a long phrase twice at this rate; a loop, which takes no time, does."""

FILLERS = frozenset(
    {
        "you",
        "thank you",
        "thanks",
        "thank you very much",
        "thank you so much",
        "thanks for watching",
        "thank you for watching",
        "bye",
        "bye bye",
        "the end",
        "so",
        "oh",
        "okay",
        "i",
        "im sorry",
        "the",
        "and",
        "a",
        "um",
        "hmm",
        "mm",
        "uh",
        "ugh",
        "ah",
        "shh",
        "click",
    }
)
"""What Whisper says of sound without words, as `plain` spells it; believed on stronger evidence than other text."""


def token_limit(audio_s: float) -> int:
    """Most tokens that can have been spoken in `audio_s` seconds."""
    return SPARE_TOKENS + math.ceil(TOKENS_PER_S * audio_s)


def listen(samples: Samples) -> Sound:
    """The levels of (n_samples,) audio."""
    levels = levels_db(samples)
    if not len(levels):
        return Sound(-120.0, -120.0)
    return Sound(float(np.percentile(levels, 95)), float(np.percentile(levels, 10)))


def loops(text: str, audio_s: float) -> bool:
    """Whether a text repeats itself as no speaker does; "no, no, no" is none.

    Args:
        text: The text.
        audio_s: Length of the sound it is said to be in, seconds.
    """
    words = [word for word in map(plain, text.split()) if word]
    for period in range(1, len(words) // 2 + 1):
        rounds, run = 1, 0
        for i in range(period, len(words)):
            run = run + 1 if words[i] == words[i - period] else 0
            rounds = max(rounds, 1 + run // period)
        if rounds * period >= 8 and rounds >= (6 if period == 1 else 4 if period == 2 else 3):
            return True
        if period >= 4 and rounds >= 2 and len(words) > ROUND_WORDS_PER_S * audio_s:
            return True
    squeezed = text.encode()
    return len(squeezed) >= 60 and len(squeezed) / len(zlib.compress(squeezed)) > MAX_COMPRESSION


def is_filler(text: str) -> bool:
    """Whether the text is one of those Whisper makes from sounds without words."""
    return " ".join(filter(None, map(plain, text.split()))) in FILLERS


def unsupported_terms(biased: str, free: str, key_terms: Sequence[str]) -> bool:
    """Whether the bias put a key term into a text where the unbiased decoding heard nothing like it.

    Args:
        biased: Text decoded with the key terms as a prompt.
        free: Text of the same sound decoded without.
        key_terms: The terms of the prompt.
    """
    terms = {plain(word) for term in key_terms for word in term.split()} - {""}
    one, other = [plain(word) for word in biased.split()], [plain(word) for word in free.split()]
    for kind, a0, a1, b0, b1 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal" or not terms.intersection(one[a0:a1]):
            continue
        if fuzz.ratio("".join(one[a0:a1]), "".join(other[b0:b1])) < SOUNDS_ALIKE:
            return True
    return False


SOUNDS_ALIKE = 50.0
"""Least similarity, in percent of letters, of a corrected term ("percarditis") and what it corrects."""
