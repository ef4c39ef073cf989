"""Whether a text gives an answer away: phrases compared by word stems, so that inflections do not slip through."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import snowballstemmer
from rapidfuzz.distance import Levenshtein

_STEMMER = snowballstemmer.stemmer("english")

STOP_WORDS = frozenset(
    """a an the of to in on at by for with and or but if is are was were be been being it its this that these those as
    from into than then so do does did have has had will would should could can may might must not no you your he she
    his her they their we our i me my patient would also very more most any some there here what which who when where
    how why about after before during over under up down out give given gives giving take takes taking taken make
    makes use uses used using need needs needed such""".split()
)
"""Words that carry no answer by themselves."""

WINDOW_WORDS = 4
"""Words that may stand between the stems of a leaked phrase, beyond the phrase itself."""


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Stem of one lower-case word (Snowball English)."""
    return str(_STEMMER.stemWord(word))


@lru_cache(maxsize=2048)
def stems(text: str) -> tuple[str, ...]:
    """Stems of every word of a text, stop words kept out, numbers kept."""
    words = re.findall(r"[^\W_]+(?:'[a-z]+)?", text.lower().replace("’", "'"))
    return tuple(stem(word) for word in words if word not in STOP_WORDS)


def leaks(text: str, phrase: str) -> bool:
    """Whether all that matters of a phrase stands close together in a text, in any order.

    Words count as the same when their stems are, or differ by a letter or two of a long word.

    Args:
        text: What would be said.
        phrase: What must not be said.
    """
    wanted = set(stems(phrase))
    if not wanted:
        return False
    said = stems(text)
    width = len(wanted) + WINDOW_WORDS
    for start in range(max(1, len(said) - width + 1)):
        window = said[start : start + width]
        if all(any(_same(want, have) for have in window) for want in wanted):
            return True
    return False


def _same(want: str, have: str) -> bool:
    if want == have:
        return True
    if min(len(want), len(have)) < 5 or want[0] != have[0]:
        return False
    allowed = 1 if len(want) < 9 else 2
    return Levenshtein.distance(want, have, score_cutoff=allowed) <= allowed


def phrases_that_leak(phrases: Iterable[str], public: Iterable[str]) -> tuple[str, ...]:
    """The phrases that are not already public, without duplicates, in their order.

    Args:
        phrases: Wordings of an answer.
        public: Texts the candidate knows: the stem, the case, the candidate's own words.
    """
    known: set[str] = set()
    for text in public:
        known.update(stems(text))
    kept: dict[str, None] = {}
    for phrase in phrases:
        wanted = set(stems(phrase))
        if wanted and not wanted <= known:
            kept.setdefault(phrase)
    return tuple(kept)
