"""A cheap model of the recogniser's slips: what it mistakes, drops and invents, fitted on answers typed and heard.

It makes many noisy copies of a text where speaking and hearing it would take hours. Words are independent of each
other, which real slips are not; rates and kinds of slips are those of the answers it was fitted on.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

import jellyfish
from rapidfuzz.distance import OSA

from finetune.word_errors import normalised
from workbench.exam.synonyms import STOP

RARE_AT_MOST = 2
"""Occurrences up to which a word tells of words never seen."""

PRIOR_WORDS = 2.0
"""What the class of a word counts beside its own occurrences."""

NEAR_SOUNDS = 2
"""Largest distance of the Metaphone codes of a word never seen and what it may be heard as."""

_TOKEN = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)


@dataclass
class Slips:
    """What became of a word, or of those of a class: how often it was said, dropped, and heard as something else."""

    n: int = 0
    dropped: int = 0
    heard_as: Counter[str] = field(default_factory=Counter)

    @property
    def mistaken(self) -> int:
        """How often it was heard as something else."""
        return self.heard_as.total()


@dataclass
class Confusions:
    """The fitted model.

    Attributes:
        words: By word, normalised.
        classes: By class (see `class_of`), of rare words, for words never seen.
        added: Words heard where none was said.
        n_words: Words it was fitted on.
        wer: Their word error rate.
    """

    words: dict[str, Slips]
    classes: dict[str, Slips]
    added: Counter[str]
    n_words: int
    wer: float

    def __post_init__(self) -> None:
        self._sounds: dict[str, list[str]] = defaultdict(list)
        heard = {w for slips in self.words.values() for phrase in slips.heard_as for w in phrase.split()}
        for word in sorted(set(self.words) | heard):
            if word.isalpha() and len(word) > 2:
                self._sounds[jellyfish.metaphone(word)].append(word)

    def augment(self, text: str, rng: Random, rate: float | None = None) -> str:
        """A text as it might have been heard.

        Args:
            text: The text; punctuation stays where its word stays.
            rng: Draws the slips.
            rate: Word error rate aimed at, on texts like those it was fitted on; None is theirs.

        Raises:
            ValueError: A rate outside [0, 1].
        """
        if rate is not None and not 0 <= rate <= 1:
            raise ValueError(f"rate must be a word error rate from 0 to 1, or None for {self.wer:.3f}; got {rate}")
        scale = 1.0 if rate is None else rate / self.wer
        result: list[str] = []
        for token in text.split():
            match = _TOKEN.match(token)
            before, word, after = match.groups() if match else ("", token, "")
            if self.added and rng.random() < scale * self.added.total() / self.n_words:
                result.append(_drawn(self.added, rng))
            heard = self._heard(word, rng, scale) if word else word
            if heard:
                result.append(f"{before}{heard}{after}")
            elif after and result and not result[-1].endswith(after):
                result[-1] += after
        return " ".join(result)

    def _heard(self, word: str, rng: Random, scale: float) -> str:
        key = _key(word)
        own = self.words.get(key, Slips())
        likes = self.classes.get(class_of(key), Slips(1))
        total = own.n + PRIOR_WORDS
        dropped = (own.dropped + PRIOR_WORDS * likes.dropped / max(1, likes.n)) / total
        mistaken = (own.mistaken + PRIOR_WORDS * likes.mistaken / max(1, likes.n)) / total
        draw = rng.random()
        if draw < scale * dropped:
            return ""
        if draw >= scale * (dropped + mistaken):
            return word
        if own.heard_as and rng.random() < own.mistaken / (own.mistaken + 1):
            return _drawn(own.heard_as, rng)
        return self._sounds_like(key, rng) or word

    def _sounds_like(self, word: str, rng: Random) -> str | None:
        """A word of the vocabulary that sounds like one that was never mistaken so far, the nearest the likeliest."""
        code = jellyfish.metaphone(word) if word.isalpha() else ""
        if not code:
            return None
        near: Counter[str] = Counter()
        for other, words in self._sounds.items():
            distance = OSA.distance(code, other, score_cutoff=NEAR_SOUNDS)
            if distance <= NEAR_SOUNDS:
                for candidate in words:
                    letters = OSA.distance(word, candidate)
                    if 0 < letters <= max(2, len(word) // 2):
                        near[candidate] = 1000 // (1 + letters + 4 * distance) ** 2 + 1
        return _drawn(near, rng) if near else None

    def save(self, path: Path) -> None:
        """Writes it as JSON."""

        def plain(slips: dict[str, Slips]) -> dict[str, list[object]]:
            return {key: [s.n, s.dropped, dict(sorted(s.heard_as.items()))] for key, s in sorted(slips.items())}

        data = {
            "n_words": self.n_words,
            "wer": round(self.wer, 5),
            "added": dict(sorted(self.added.items())),
            "classes": plain(self.classes),
            "words": plain(self.words),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Confusions:
        """Reads one.

        Raises:
            ValueError: The file holds none.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            slips = {
                part: {key: Slips(n, dropped, Counter(heard)) for key, (n, dropped, heard) in data[part].items()}
                for part in ("words", "classes")
            }
            return Confusions(slips["words"], slips["classes"], Counter(data["added"]), data["n_words"], data["wer"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no model of confusions: {error!r}; `fit` and `save` make one") from error


def fit(pairs: Iterable[tuple[str, str]]) -> Confusions:
    """Fits on pairs of what was said and what was heard.

    Raises:
        ValueError: There is no word in them, or no slip.
    """
    import jiwer

    words: dict[str, Slips] = defaultdict(Slips)
    added: Counter[str] = Counter()
    said_all, heard_all = [], []
    for said, heard in pairs:
        reference, hypothesis = normalised(said), normalised(heard)
        if not reference:
            continue
        said_all.append(reference)
        heard_all.append(hypothesis)
        for one, other in runs(reference.split(), hypothesis.split()):
            if not one:
                added.update(other)
            for word, phrase in _shared_out(one, other):
                slips = words[word]
                slips.n += 1
                if not phrase:
                    slips.dropped += 1
                elif phrase != word:
                    slips.heard_as[phrase] += 1
    if not words or said_all == heard_all:
        raise ValueError(f"{len(said_all)} pairs without a word, or without a slip: nothing to fit on")
    classes: dict[str, Slips] = defaultdict(Slips)
    for word, slips in words.items():
        if slips.n <= RARE_AT_MOST or word in STOP:
            likes = classes[class_of(word)]
            likes.n += slips.n
            likes.dropped += slips.dropped
            likes.heard_as["*"] += slips.mistaken
    n_words = sum(slips.n for slips in words.values())
    return Confusions(dict(words), dict(classes), added, n_words, float(jiwer.wer(said_all, heard_all)))


def runs(said: Sequence[str], heard: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """The two in step: a pair for every word heard right, one for every stretch in which they differ."""
    import jiwer

    if not heard:
        return [(list(said), [])]
    found: list[tuple[list[str], list[str]]] = []
    open_run = False
    for chunk in jiwer.process_words(" ".join(said), " ".join(heard)).alignments[0]:
        one = list(said[chunk.ref_start_idx : chunk.ref_end_idx])
        other = list(heard[chunk.hyp_start_idx : chunk.hyp_end_idx])
        if chunk.type == "equal":
            found += [([a], [b]) for a, b in zip(one, other, strict=True)]
            open_run = False
        elif open_run:
            found[-1] = (found[-1][0] + one, found[-1][1] + other)
        else:
            found.append((one, other))
            open_run = True
    return found


def class_of(word: str) -> str:
    """The phonetic class of a word: small words apart, others by the number of sounds in their Metaphone code."""
    if all(part in STOP for part in word.split()):
        return "small"
    if not word.isalpha():
        return "figure"
    return f"sounds {min(7, max(2, len(jellyfish.metaphone(word))))}"


def _shared_out(said: Sequence[str], heard: Sequence[str]) -> list[tuple[str, str]]:
    """Each word said with the words heard in its place, so that together they differ in the fewest letters."""
    if len(said) <= 1:
        return [(word, " ".join(heard)) for word in said]
    best: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for word in said:
        following: dict[int, tuple[int, list[int]]] = {}
        for start, (cost, cuts) in best.items():
            for end in range(start, len(heard) + 1):
                total = cost + OSA.distance(word, "".join(heard[start:end]))
                if end not in following or total < following[end][0]:
                    following[end] = (total, [*cuts, end])
        best = following
    cuts = [0, *best[len(heard)][1]]
    return [(word, " ".join(heard[a:b])) for word, a, b in zip(said, cuts, cuts[1:], strict=False)]


def _drawn(counts: Counter[str], rng: Random) -> str:
    return rng.choices(list(counts), weights=list(counts.values()))[0]


@lru_cache(maxsize=65_536)
def _key(word: str) -> str:
    return normalised(word) or word.lower()
