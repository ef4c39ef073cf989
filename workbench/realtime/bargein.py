"""Whether a sound the candidate made while the examiner spoke is an interruption: stage two of barge-in.

Stage one has paused the examiner at the onset already. Here words are weighed as they come: words of the candidate's
own confirm the interruption; a cough, a noise, "mm-hm", or the examiner's own words coming back through the room let
the sentence go on where it stopped. Pure: what was heard goes in, a decision comes out, within `DECIDE_WITHIN_S`.
"""

from __future__ import annotations

from typing import Literal

from num2words import num2words
from rapidfuzz import fuzz

from workbench.realtime.completeness import words_of

Decision = Literal["wait", "confirm", "resume"]

DECIDE_WITHIN_S = 1.2
"""From the onset; what is undecided then is decided by what there is."""

TRUSTED_AFTER_S = 0.6
"""Length from which words in a sound still going on are believed; in less, recognisers hear what was not said."""

FASTEST_WORDS_PER_S = 7.5
"""Nobody says more; words beyond it were invented from a scrap of sound."""

LIGHT_SENTENCE_WORDS = 3
"""Words that make a sentence even when each is light: "what is it"."""

ECHO_SIMILARITY = 78.0
"""Similarity (0 to 100) from which what was recognised is what the examiner just said; recognisers garble echoes."""

SHORT_ECHO_WORDS = 2
"""Texts this short are compared word by word: their letters are found inside too many other words."""

URGENT = frozenset("stop wait sorry repeat pardon excuse skip again hold hang pause moment help question".split())
"""Words that interrupt on their own."""

BACKCHANNELS = frozenset(
    """mm mhm hm hmm mmm mmhm mmhmm uh huh uhhuh ah oh aha um er erm yeah yep yup yes okay ok kay right sure good great
    fine alright cool nice exactly indeed true see gotcha understood really wow all that's""".split()
)
"""Words that say "go on"; a sound of nothing else is no interruption."""

BACKCHANNEL_PHRASES = frozenset(
    ("i see", "i understand", "of course", "got it", "makes sense", "fair enough", "thank you", "thanks", "i know")
)

INVENTED = frozenset("you the a i bye so and it thanks but what's he she to of in at on is we".split())
"""What recognisers make of noise, and words too light to stop anyone alone."""


class BargeIn:
    """The evidence of one possible interruption.

    Args:
        examiner_words: What the examiner said in the last seconds, up to the pause; its echo is told by it.
    """

    def __init__(self, examiner_words: str = "") -> None:
        self._examiner = _spelled(examiner_words)
        self._seen: frozenset[str] = frozenset()
        self.decision: Decision = "wait"

    def hear(self, text: str, voiced_s: float, *, final: bool) -> Decision:
        """Weighs what is recognised by now; once decided it stays decided.

        Args:
            text: Everything recognised since the onset, empty for nothing.
            voiced_s: Seconds since the onset.
            final: Whether the candidate fell silent: there is no more to come.

        Returns:
            `wait`, `confirm` (the examiner gives way) or `resume` (it was nothing).
        """
        if self.decision == "wait":
            self.decision = self._weigh(text, voiced_s, final)
        return self.decision

    def _weigh(self, text: str, voiced_s: float, final: bool) -> Decision:
        last_call = final or voiced_s >= DECIDE_WITHIN_S
        said = _spelled(text)
        own = [word for word in said if not is_backchannel(word)]
        too_many = len(said) > 1 and len(said) > FASTEST_WORDS_PER_S * voiced_s
        if too_many or " ".join(said) in BACKCHANNEL_PHRASES or self._echoes(said):
            own = []
        if any(word in URGENT for word in own):
            return "confirm"
        content = frozenset(word for word in own if word not in INVENTED)
        believed = last_call or voiced_s >= TRUSTED_AFTER_S or bool(content & self._seen)
        self._seen = content
        if believed and (content or len(own) >= LIGHT_SENTENCE_WORDS):
            return "confirm"
        return "resume" if last_call else "wait"

    def _echoes(self, said: list[str]) -> bool:
        if len(said) > len(self._examiner) + 1:  # an echo says no more than there was
            return False
        if len(said) > SHORT_ECHO_WORDS:
            return fuzz.partial_ratio(" ".join(said), " ".join(self._examiner)) >= ECHO_SIMILARITY
        heavy = [word for word in said if word not in INVENTED] or said
        return all(any(_alike(word, theirs) for theirs in self._examiner) for word in heavy)


def _alike(word: str, theirs: str) -> bool:
    return fuzz.ratio(word, theirs) >= ECHO_SIMILARITY or (len(word) >= 3 and theirs.startswith(word))


def _spelled(text: str) -> list[str]:
    """The words in lower case, numbers spelled out as they are spoken, compounds taken apart."""
    words: list[str] = []
    for word in words_of(text):
        if word[0].isdigit():
            number = float(word.replace(",", "")) if word.count(".") <= 1 else 0.0
            word = num2words(int(number) if number.is_integer() else number)
        words += [part for part in word.replace(",", "").replace(" ", "-").split("-") if part]
    return words


def is_backchannel(word: str) -> bool:
    """Whether a lower-case word says "go on" rather than "let me speak"."""
    return word in BACKCHANNELS or not word.strip("hmu'")
