"""How long words take and what a recogniser makes of them, for vivas whose sound is not made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from workbench.simulate.sample.plan import PACE, WORD_ERROR_RATE, Person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune.confusions import Confusions


@dataclass(frozen=True)
class HeardWord:
    """A recognised word, seconds from the start of the turn."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Utterance:
    """One turn of a candidate as a recogniser has it.

    Attributes:
        duration_s: From the first sound to the last.
        words: What was recognised.
        clip: Its sound, None where none was made.
    """

    duration_s: float
    words: tuple[HeardWord, ...]
    clip: Any = None

    @property
    def text(self) -> str:
        """What was recognised."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean probability of the words, 0 for none."""
        return sum(word.probability for word in self.words) / len(self.words) if self.words else 0.0


class Speech(Protocol):
    """Speaks both sides of a viva."""

    def candidate(self, text: str, person: Person, key_terms: Sequence[str], turn: str) -> Utterance:
        """What becomes of a candidate's words; `turn` names the turn, for its generator."""

    def examiner(self, text: str) -> tuple[float, Any]:
        """How long the examiner's words take, seconds, and their sound (None where none is made)."""


class ModelledSpeech:
    """Speech without sound: lengths by letters and punctuation, slips by the confusions measured with Whisper.

    Args:
        seed: Seed of every draw.
        confusions: Which words are taken for which (`data/judging/confusions.json`).
    """

    def __init__(self, seed: int, confusions: Confusions) -> None:
        self.seed = seed
        self.confusions = confusions

    def candidate(self, text: str, person: Person, key_terms: Sequence[str], turn: str) -> Utterance:
        """See `Speech`."""
        random = Random(f"{self.seed}:speech:{person.session_id}:{turn}")
        at_s = 0.0
        end_s = 0.0
        heard: list[HeardWord] = []
        for token in text.split():
            letters = sum(character.isalnum() for character in token)
            length_s = (0.10 + 0.042 * letters) * math.exp(random.gauss(0.0, 0.15)) / PACE[person.group]
            end_s = at_s + length_s
            taken = self.confusions.augment(token, random, WORD_ERROR_RATE[person.group]).split()
            for place, word in enumerate(taken):
                sure = random.betavariate(9, 1.2) if taken == [token] else random.betavariate(4, 3)
                begin_s = at_s + length_s * place / len(taken)
                heard.append(HeardWord(word, begin_s, at_s + length_s * (place + 1) / len(taken), sure))
            pause_s = 0.03
            if token.endswith((".", "?", "!")):
                pause_s = 0.45 * math.exp(random.gauss(0.0, 0.5))
            elif token.endswith((",", ";", ":")):
                pause_s = 0.25 * math.exp(random.gauss(0.0, 0.5))
            at_s = end_s + pause_s / PACE[person.group]
        return Utterance(end_s, tuple(heard))

    def examiner(self, text: str) -> tuple[float, None]:
        """See `Speech`; 165 words a minute and a breath after a sentence."""
        sentences = sum(text.count(mark) for mark in ".?!")
        return len(text.split()) / 2.75 + 0.3 * max(0, sentences - 1), None
