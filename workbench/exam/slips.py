"""Slips of a recogniser: which word of the bank was most likely meant by what it wrote.

Two ways, and neither ever between words that are terms of the bank themselves or differ by a piece that turns the
meaning round. A long rare term is *bridged* to wherever it stands. In a spoken answer any other word may have been
*misheard* as one that sounds like it; that counts only beside the right neighbours, see `workbench.exam.matching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import jellyfish
from rapidfuzz.distance import OSA

from workbench.exam.items import Question
from workbench.exam.spoken_terms import Term, american, read_terms, stem
from workbench.exam.synonyms import ANTONYM_AFFIXES, CONFUSABLE, STOP

_RARE_LETTERS = 8
_MISHEARD_LETTERS = 3
"""Shortest word that may have been misheard; shorter ones sound like too many others."""


_COMPOUND_LETTERS = 6
_PIECE_LETTERS = 3
_ALONE_LETTERS = 6
"""Shortest word that is believed to have been misheard without a neighbour to vouch for it."""

_NEGATIONS = frozenset("not no never none nor without neither".split())


@dataclass(frozen=True)
class Guess:
    """What a word of a spoken answer may have been.

    Attributes:
        stem: Of the word of the bank.
        same_sound: Whether the two have one Metaphone code, not only similar ones.
        alone: Whether they are long and alike enough to need no neighbour.
        own_word: Whether what was written is itself a word the bank uses in this question.
    """

    stem: str
    same_sound: bool
    alone: bool
    own_word: bool


@dataclass(frozen=True)
class _Vocabulary:
    """Words the bank uses in one question: all stems, long rare terms with their sounds, other words to be misheard."""

    stems: frozenset[str]
    rare: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def _vocabulary(question: Question) -> _Vocabulary:
    wordings = [w for point in question.key_points for w in (*point.accepted, *point.misconceptions)]
    terms = [term for text in (*wordings, question.stem, *question.key_terms) for term in read_terms(text)]
    rare = {american(term.word) for text in question.key_terms for term in read_terms(text)}
    long = sorted(w for w in rare if len(w) >= _RARE_LETTERS and w.isalpha())
    stems = frozenset(stem(term.word) for term in terms) | {term.stem for term in terms}
    own = {t.stem for text in wordings for t in read_terms(text) if not t.is_small and t.word.isalpha()}
    words = sorted(w for w in own if len(w) >= _MISHEARD_LETTERS)
    return _Vocabulary(stems, _with_sounds(long), _with_sounds(words))


def _with_sounds(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((word, jellyfish.metaphone(word)) for word in words)


def bridges(question: Question, terms: Sequence[Term]) -> dict[int, tuple[tuple[str, ...], int]]:
    """Long rare terms with a slip, and compounds written in one or in two.

    Returns:
        Index of a term to the stems that were meant and how many terms they take.
    """
    known = _vocabulary(question)
    # a word the bank knows is no fragment of another one
    whole = {stem_ for stem_ in known.stems if len(stem_) > 3}
    found: dict[int, tuple[tuple[str, ...], int]] = {}
    i = 0
    while i < len(terms):
        for n in (3, 2, 1):
            run = terms[i : i + n]
            if not _is_run(run, n) or (n == 1 and (run[0].stem in known.stems or run[0].is_small)):
                continue
            joined = "".join(american(t.word) for t in run)
            meant = _compound(run, joined, known)
            if not meant and (n == 1 or not any(t.stem in whole for t in run)):
                term = meant_term(joined, known.rare, several=n > 1)
                meant = (stem(term),) if term else ()
            if meant:
                found[i] = (meant, n)
                i += n - 1
                break
        i += 1
    return found


def misheard(question: Question, terms: Sequence[Term]) -> dict[int, tuple[Guess, ...]]:
    """What words of a spoken answer may have been, by their place; a word of the bank only one of the very sound."""
    known = _vocabulary(question)
    found: dict[int, tuple[Guess, ...]] = {}
    for i, term in enumerate(terms):
        if term.is_small or not term.word.isalpha():
            continue
        strange = term.stem not in known.stems
        heard = [(term.stem, True)]
        # "by metallic" for "bimetallic", "an arrow" for "narrow": with the word before it, or with the next one
        if i and terms[i - 1].is_small and _is_run(terms[i - 1 : i + 1], 2):
            heard.append((terms[i - 1].word + term.stem, False))
            if terms[i - 1].word == "an":
                heard.append((f"n{term.stem}", True))
        if strange and _is_run(terms[i : i + 2], 2) and terms[i + 1].stem not in known.stems:
            heard.append((term.word + terms[i + 1].stem, False))
        guesses: dict[str, Guess] = {}
        for text, single in heard:
            if len(text) < _MISHEARD_LETTERS or term.word in CONFUSABLE:
                continue
            for guess in _sounding_like(text, known.words, single, own_word=not strange):
                if guess.stem != term.stem and (guess.same_sound or guess.stem not in guesses):
                    guesses[guess.stem] = guess
        if guesses:
            found[i] = tuple(guesses.values())
    return found


def _sounding_like(heard: str, words: Sequence[tuple[str, str]], single: bool, *, own_word: bool) -> list[Guess]:
    sound = jellyfish.metaphone(heard)
    guesses = []
    for word, word_sound in words:
        letters = OSA.distance(heard, word, score_cutoff=1 + len(word) // 2)
        if letters > 1 + len(word) // 2 or _meaning_differs(heard, word):
            continue
        same = sound == word_sound and len(sound) > 1
        near = OSA.distance(sound, word_sound) <= 1 and letters <= max(1, len(word) // 3) and len(word_sound) > 2
        if own_word and not (same and letters <= 1):
            continue
        if same if single else (near or same) and letters <= max(1, len(word) // 4):
            alone = same and letters <= 2 and len(word) >= _ALONE_LETTERS and not own_word
            guesses.append(Guess(word, same, alone, own_word))
        elif single and near:
            guesses.append(Guess(word, False, False, own_word))
    return guesses


def _is_run(run: Sequence[Term], n: int) -> bool:
    """Whether `n` words follow each other without a pause, none of them a figure or a denial."""
    return len(run) == n and all(
        t.sentence == run[0].sentence
        and t.word.isalpha()
        and not (k and t.after_pause)
        and (n == 1 or t.word not in _NEGATIONS)
        for k, t in enumerate(run)
    )


def _compound(run: Sequence[Term], joined: str, known: _Vocabulary) -> tuple[str, ...]:
    """The bank's spelling of a compound that is written apart ("off load") or in one ("tailheavy"); empty for none."""
    if len(joined) < _COMPOUND_LETTERS:
        return ()
    if len(run) > 1:
        whole = stem(joined)
        if whole in (run[0].stem, run[-1].stem):  # a piece taken for an ending: "carburettor" and "icing"
            return ()
        return (whole,) if whole in known.stems and all(len(t.word) >= _PIECE_LETTERS for t in run) else ()
    for k in range(_PIECE_LETTERS, len(joined) - _PIECE_LETTERS + 1):
        pieces = (stem(joined[:k]), stem(joined[k:]))
        if all(piece in known.stems and len(piece) >= _PIECE_LETTERS for piece in pieces):
            return pieces
    return ()


def meant_term(heard: str, rare: Sequence[tuple[str, str]], *, several: bool = False) -> str | None:
    """The rare term a recogniser most likely heard as `heard`, None when that is not safe to say.

    At most one letter differs in a term of eight or nine letters and two in a longer one (one more when it was heard as
    several words), the sounds agree, and the two do not differ by a piece that changes the meaning.

    Args:
        heard: One word, or several written together.
        rare: Terms with their Metaphone codes, each at least eight letters long.
        several: Whether `heard` was several words.
    """
    if len(heard) < _RARE_LETTERS - 1 or heard in CONFUSABLE or heard in STOP:
        return None
    sound = ""
    best: tuple[int, str] | None = None
    for word, word_sound in rare:
        allowed = 1 if len(word) < 10 else 2
        if several:
            allowed += 1
        if abs(len(word) - len(heard)) > allowed:
            continue
        distance = OSA.distance(heard, word, score_cutoff=allowed)
        if distance > allowed or distance == 0 and not several:
            continue
        sound = sound or jellyfish.metaphone(heard)
        if OSA.distance(sound, word_sound) > 1 or _meaning_differs(heard, word):
            continue
        if best is None or distance < best[0]:
            best = (distance, word)
    return best[1] if best else None


def _meaning_differs(heard: str, word: str) -> bool:
    """Whether two words differ by a piece that makes another term of one of them."""
    for one, other in ANTONYM_AFFIXES:
        for a, b in ((one, other), (other, one)):
            if b == "":
                if heard == a + word or word == a + heard:
                    return True
            elif a == "":
                continue
            elif (a in heard) != (a in word) and (b in word) != (b in heard) and heard.replace(a, b, 1)[:4] == word[:4]:
                return True
    return False
