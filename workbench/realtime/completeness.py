"""How finished a spoken turn is, from its words and from how it sounds: a small logistic regression."""

from __future__ import annotations

import re
from math import exp, log
from typing import Literal

from workbench.exam.requests import understand
from workbench.realtime.word_classes import (
    ADJECTIVE_ENDINGS,
    ADJECTIVES,
    AUXILIARIES,
    CLAUSE_STARTS,
    CONJUNCTIONS,
    DEGREES,
    DETERMINERS,
    FILLERS,
    NUMBERS,
    OBJECT_VERBS,
    PREPOSITIONS,
    RELATIVES,
    SUBJECTS,
    SUBORDINATORS,
    VERB_PARTICLES,
)

Expects = Literal["name", "consent", "area", "answer", "anything"]

SOUND_BOUND = 0.05
"""The sound counts as no surer than this, either way: alone it called 15 to 20 % of finished sentences unfinished."""

NO_WORDS_LOW, NO_WORDS_HIGH = 0.2, 0.8
"""Completeness by the sound alone, before the words are known."""

CLOSED_REPLY_WORDS = 6

HANGING_WORDS = frozenset("and or but nor because if unless until than um uh er erm a an the my our their its".split())
HANGING = 0.1
"""No sentence ends on these words; whatever the sound says, it is no more complete than this."""

OPEN_WORDS = CONJUNCTIONS | RELATIVES | DETERMINERS | PREPOSITIONS | AUXILIARIES | SUBJECTS | DEGREES

_TIME = re.compile(
    r"\b(let me (think|see|recall|remember)|give me a (moment|second|minute)|(one|just a) (moment|second|minute)"
    r"|how (do|shall|should) i (put|say) (it|this|that)|what('s| is) (it|that) called|i('m| am) thinking"
    r"|hold on|hang on|bear with me)\b[^.?!]{0,20}[.,?!…\- ]*$",
    re.IGNORECASE,
)

_CLOSING = re.compile(
    r"\b(that('s| is| would be) (all|it|everything|my (final )?answer|about it)|(i('m| am) )?(all )?(done|finished)"
    r"|i think that('s| is) (all|it|everything)|nothing else|that will be all|end of (my )?answer)[.!? ]*$",
    re.IGNORECASE,
)

_ABOUT_THE_CASE = re.compile(
    r"\b(i would|i'd|you would|we would|one would)\b(?! (like|love|prefer|rather))", re.IGNORECASE
)
"""What one would do for a patient ("I would explain") is an answer, though the same verb asks the examiner for it."""

_WORD = re.compile(r"[a-z][a-z'\-]*|\d+(?:[.,]\d+)*", re.IGNORECASE)

WEIGHTS: dict[str, float] = {
    "last_filler": -6.16,
    "last_conjunction": -4.84,
    "last_relative": -2.7,
    "last_determiner": -3.91,
    "last_particle": -1.43,
    "last_preposition": -4.15,
    "last_auxiliary": -4.11,
    "last_subject": -2.36,
    "last_degree": -0.97,
    "last_number": -1.28,
    "last_object_verb": -2.15,
    "last_adjective": -0.77,
    "last_adjective_ending": -0.49,
    "after_determiner": -0.49,
    "after_auxiliary": -0.31,
    "after_preposition": -0.47,
    "clause_without_verb": -0.53,
    "short_clause": -1.3,
    "only_subordinate": -1.8,
    "sound": 2.41,
    "trails_off": -8.96,
    "full_stop": 1.7,
    "bias": 4.46,
}
"""Weights of `features`, made by `python -m workbench.bench.fit_completeness`.

Fitted on 60 synthesised answers and 16 short replies in made-up noise and rooms (heard by Whisper tiny.en and
Smart Turn v3.2) and, for the words, on those texts, the question banks and the SAF training answers (MIT; Filighera
et al. 2022), broken off at every word. Scaled so that 95 % of the finished ones reach .9.
"""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return [word.lower().strip("-'") for word in _WORD.findall(text.replace("’", "'"))]


def asks_for_time(text: str) -> bool:
    """Whether the turn ends on words that ask for time to think."""
    return _TIME.search(text.strip()) is not None


def features(text: str, end_of_turn_probability: float) -> dict[str, float]:
    """What the regression looks at, by name; absent means zero.

    Args:
        text: Words of the turn so far as recognised, punctuated; not empty.
        end_of_turn_probability: What the sound says.
    """
    probability = min(max(end_of_turn_probability, SOUND_BOUND), 1.0 - SOUND_BOUND)
    sound = log(probability / (1.0 - probability)) / log((1.0 - SOUND_BOUND) / SOUND_BOUND)
    words = words_of(text)
    last = words[-1] if words else ""
    before = words[-2] if len(words) > 1 else ""
    seen: dict[str, float] = {"bias": 1.0, "sound": sound}
    for name, kind in _LAST_WORD:
        if last in kind:
            seen[name] = 1.0
            break
    else:
        if last.endswith(ADJECTIVE_ENDINGS) and len(last) > 4:
            seen["last_adjective_ending"] = 1.0
        if before in DETERMINERS:
            seen["after_determiner"] = 1.0
        if before in AUXILIARIES:
            seen["after_auxiliary"] = 1.0
        if before in PREPOSITIONS:
            seen["after_preposition"] = 1.0
    stripped = text.rstrip()
    if stripped.endswith(("...", "…", "-", "–", "—")):
        seen["trails_off"] = 1.0
    elif stripped.endswith((".", "?", "!")):
        seen["full_stop"] = 1.0
    clause = _last_clause(text)
    if not any(word in AUXILIARIES or word in OBJECT_VERBS or word.endswith(("s", "ed")) for word in clause):
        seen["clause_without_verb"] = 1.0
    if len(clause) <= 2:
        seen["short_clause"] = 1.0
    sentence = words_of(re.split(r"[.?!]\s", stripped)[-1])
    if sentence and sentence[0] in SUBORDINATORS and "," not in re.split(r"[.?!]\s", stripped)[-1]:
        seen["only_subordinate"] = 1.0
    return seen


_LAST_WORD: tuple[tuple[str, frozenset[str]], ...] = (
    ("last_filler", FILLERS),
    ("last_conjunction", CONJUNCTIONS),
    ("last_relative", RELATIVES),
    ("last_determiner", DETERMINERS),
    ("last_particle", VERB_PARTICLES),
    ("last_preposition", PREPOSITIONS),
    ("last_auxiliary", AUXILIARIES),
    ("last_subject", SUBJECTS),
    ("last_degree", DEGREES),
    ("last_number", NUMBERS),
    ("last_object_verb", OBJECT_VERBS),
    ("last_adjective", ADJECTIVES),
)


WORD_FEATURES = (
    *(name for name, _ in _LAST_WORD),
    "last_adjective_ending",
    "after_determiner",
    "after_auxiliary",
    "after_preposition",
    "clause_without_verb",
    "short_clause",
    "only_subordinate",
)
"""The features of the words alone."""


def _last_clause(text: str) -> list[str]:
    words = words_of(re.split(r"[.,;:?!]\s", text.rstrip())[-1])
    starts = [index for index, word in enumerate(words[:-1]) if word in CLAUSE_STARTS]
    return words[starts[-1] + 1 :] if starts else words


def completeness(text: str | None, end_of_turn_probability: float | None, expects: Expects = "anything") -> float:
    """How likely the speaker is to be finished, in [0, 1].

    Args:
        text: Words of the turn so far as recognised, None when not known, empty when there were none.
        end_of_turn_probability: What the sound says, None when not known.
        expects: What was asked for.
    """
    sound = 0.5 if end_of_turn_probability is None else end_of_turn_probability
    if text is None:
        return NO_WORDS_LOW + (NO_WORDS_HIGH - NO_WORDS_LOW) * sound
    words = words_of(text)
    if not words:
        return 0.0
    if settles(text, expects):
        return 1.0
    seen = features(text, sound)
    score = sum(WEIGHTS.get(name, 0.0) * value for name, value in seen.items())
    finished = 1.0 / (1.0 + exp(-score))
    return min(finished, HANGING) if words[-1] in HANGING_WORDS else finished


def settles(text: str, expects: Expects = "anything") -> bool:
    """Whether the words leave nothing to wait for.

    A request ("could you repeat that"), a word of closing ("that's all"), a short reply to a closed prompt; unless they
    trail off on a word nothing ends with.
    """
    words = words_of(text)
    if _CLOSING.search(text):
        return True
    if not words or _trails_off(text, words) or asks_for_time(text):
        return False
    if expects in ("name", "consent", "area"):
        return len(words) <= CLOSED_REPLY_WORDS
    if _ABOUT_THE_CASE.search(text):
        return False
    request = understand(text, "question") if expects == "answer" else None
    return request is not None and request.kind not in ("moment", "nothing")


def _trails_off(text: str, words: list[str]) -> bool:
    return text.rstrip().endswith((",", "...", "…", "-", "–", "—")) or words[-1] in FILLERS | (
        OPEN_WORDS - VERB_PARTICLES - DEGREES - RELATIVES - {"this", "these", "those", "both", "do", "does", "can"}
    )
