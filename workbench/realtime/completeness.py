"""How finished a spoken turn is, from its words and from how it sounds."""

from __future__ import annotations

import re
from typing import Literal

Expects = Literal["name", "consent", "area", "answer", "anything"]

_TIME = re.compile(
    r"\b(let me (think|see|recall|remember)|give me a (moment|second|minute)|(one|just a) (moment|second|minute)"
    r"|how (do|shall|should) i (put|say) (it|this|that)|what('s| is) (it|that) called|i('m| am) thinking"
    r"|hold on|hang on|bear with me)\b[^.?!]{0,20}[.,?!…\- ]*$",
    re.IGNORECASE,
)

_WORD = re.compile(r"[a-z']+|\d+(?:[.,]\d+)*", re.IGNORECASE)

FILLERS = frozenset("um uh er erm hmm mm ah eh like well so".split())
OPEN_WORDS = frozenset(
    """a an the this that these those my your his her its our their some any each every no
    and or but because if when while although though unless until since whereas than as that which who whose where
    of in on at by for with from to into onto over under about between through during against without within
    towards via     is are was were be been being am has have had do does did will would could should may might must can shall
    i we they he she it's i'd we'd they'd he'd i'll we'll i'm we're very really quite more most less such both
    either neither not also then first second third including called give gives giving check start include includes means shows""".split()
)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return [word.lower() for word in _WORD.findall(text)]


def asks_for_time(text: str) -> bool:
    """Whether the turn ends on words that ask for time to think."""
    return _TIME.search(text.strip()) is not None


def completeness(
    text: str | None, end_of_turn_probability: float | None, voiced_s: float, expects: Expects = "anything"
) -> float:
    """How likely the speaker is to be finished, in [0, 1].

    Args:
        text: Words of the turn so far as recognised, None when not known.
        end_of_turn_probability: What the sound says, None when not known.
        voiced_s: Seconds of speech in the turn.
        expects: What was asked for.
    """
    sound = 0.5 if end_of_turn_probability is None else end_of_turn_probability
    if text is None:
        return 0.2 + 0.6 * sound
    words = words_of(text)
    if not words:
        return 0.3
    if words[-1] in FILLERS or words[-1] in OPEN_WORDS or text.rstrip().endswith((",", "-", "...", "…")):
        return 0.1 * sound
    if expects != "answer" and expects != "anything" and len(words) <= 4:
        return 0.9 + 0.1 * sound
    return 0.45 + 0.55 * sound
