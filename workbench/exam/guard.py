"""Decides whether what the language model made of a line may be said; whole (`check`) or streaming (`GuardedStream`).

The examiner must not leak an answer, talk of marks, ask a second question or play the candidate. What fails is cut off
at the last good sentence, or refused: then the bank's own wording is said, and the reason is counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.exam.guard_rules import ABBREVIATION, Reason, end_fault_of, fault_of, is_finished, sentences, tidy
from workbench.exam.model import Wording

WHOLE = frozenset({"acknowledge", "probe", "rephrase", "off_script"})
"""Purposes whose line is released only when all of it is known, because its end decides."""

MIN_CLAUSE_WORDS = (2, 4)
"""Fewest words of the first clause released, a synthesizer speaks single words badly, and of the second. The second may
end at a comma too: while the short first one is heard, a busy machine does not get to the end of a sentence."""

MAX_SENTENCES = 3
"""Most sentences of one line."""


@dataclass(frozen=True)
class Accepted:
    """What may be said: the model's text, cut to whole sentences within the limits."""

    text: str


@dataclass(frozen=True)
class Refused:
    """Nothing of the text may be said."""

    reason: Reason


@dataclass(frozen=True)
class Outcome:
    """The end of a guarded stream.

    Attributes:
        rest: What is still to be said: the end of the model's text, the fallback, or nothing.
        text: All that is said: what was released before, and `rest`.
        reason: Why the model's text was cut or refused, None when all of it is said.
        fallback: Whether `rest` is the fallback.
    """

    rest: str
    text: str
    reason: Reason | None
    fallback: bool


def check(text: str, wording: Wording) -> Accepted | Refused:
    """Whether a line of the model may be said; what follows its last good sentence is cut off.

    Args:
        text: All the model made.
        wording: What was asked of it, with the limits.
    """
    text = tidy(text)
    if not re.search(r"\w", text):
        return Refused("empty")
    kept: list[str] = []
    reason: Reason | None = None
    for sentence in sentences(text):
        together = " ".join([*kept, sentence])
        if not is_finished(sentence):
            reason = fault_of(together, wording) or "unfinished"
            break
        if len(together.split()) > wording.max_words or len(kept) >= MAX_SENTENCES:
            reason = "too_long"
            break
        fault = fault_of(together, wording)
        if fault is not None:
            reason = fault
            break
        kept.append(sentence)
    if not kept:
        return Refused(reason or "empty")
    while kept:
        fault = end_fault_of(" ".join(kept), wording)
        if fault is None:
            return Accepted(" ".join(kept))
        reason = reason if reason not in (None, "unfinished", "too_long") else fault
        kept.pop()
    return Refused(reason or "empty")


# ---- as it streams -----------------------------------------------------------------------------------------------

_SENTENCE_END = re.compile(r"[.!?…]+[\"')]*\s+")
_CLAUSE_END = re.compile(r"[.!?…]+[\"')]*\s+|(?<!\d)[,;](?:\s+|$)|\s+[–—-]\s+")


EARLY_WORDS = 3
"""Words from which the beginning of a line is released before a linking word: nobody waits for its first comma."""

_LINK = re.compile(
    r"\s+(?=(?:and|but|because|which|that|who|what|how|when|where|if|to|of|in|on|at|for|with|from|by|as|so|than|about)(?:\s|$))",
    re.IGNORECASE,
)


def _early(rest: str) -> str | None:
    """The first words of a line still without a comma, up to a place where a speaker may take breath."""
    for match in _LINK.finditer(rest):
        head = rest[: match.start()]
        if len(head.split()) >= EARLY_WORDS:
            return head
    return None


class GuardedStream:
    """Releases a streaming line as soon as it is safe: two clauses, then whole sentences. No thread, no clock.

    Feed it every piece of the model's output, stop the model when `done` becomes true, then call `finish`. Lines whose
    end decides (`WHOLE`) are released by `finish` alone.
    """

    def __init__(self, wording: Wording, fallback: str) -> None:
        """Starts a line.

        Args:
            wording: What was asked of the model.
            fallback: What is said when nothing of the model's text may be.
        """
        self._wording = wording
        self._fallback = fallback
        self._raw = ""
        self._released = ""
        self._n_released = 0
        self._reason: Reason | None = None
        self._n_whole = 0
        self._enough = False

    @property
    def done(self) -> bool:
        """Whether more of the model's output would change nothing."""
        if self._reason is not None:
            return True
        text = _streaming(self._raw)
        if len(text.split()) > self._wording.max_words + 8:
            return True
        n_whole = sum(is_finished(sentence) for sentence in sentences(text))
        if n_whole != self._n_whole:
            self._n_whole = n_whole
            self._enough = n_whole >= MAX_SENTENCES or (
                self._wording.purpose in WHOLE and n_whole > 0 and isinstance(check(text, self._wording), Accepted)
            )
        return self._enough

    def feed(self, piece: str) -> list[str]:
        """Takes a piece of the model's output; returns the clauses that may be spoken now, often none."""
        self._raw += piece
        if self._wording.purpose in WHOLE:
            return []
        released: list[str] = []
        while self._reason is None and (clause := self._next_clause()) is not None:
            together = f"{self._released} {clause}".strip()
            self._reason = self._refusal(together)
            if self._reason is None:
                self._released = together
                self._n_released += 1
                released.append(clause)
        return released

    def _refusal(self, together: str) -> Reason | None:
        if len(together.split()) > self._wording.max_words:
            return "too_long"
        return fault_of(together, self._wording)

    def _next_clause(self) -> str | None:
        text = _streaming(self._raw)
        rest = text[len(self._released) :].lstrip()
        at_clause = self._n_released < len(MIN_CLAUSE_WORDS)
        n_least = MIN_CLAUSE_WORDS[self._n_released] if at_clause else 1
        for match in (_CLAUSE_END if at_clause else _SENTENCE_END).finditer(rest):
            clause = rest[: match.end()].strip()
            if len(clause.split()) >= n_least and not ABBREVIATION.search(clause):
                return clause
        return None if self._released else _early(rest)

    def finish(self) -> Outcome:
        """The model has stopped, by itself or because it was stopped: what is still to be said."""
        if not self._released:
            verdict = check(self._raw, self._wording)
            if isinstance(verdict, Accepted):
                return Outcome(verdict.text, verdict.text, None, fallback=False)
            return self._fall_back(verdict.reason)
        rest = _streaming(self._raw)[len(self._released) :].strip()
        together = f"{self._released} {rest}".strip()
        if self._reason is None and rest:
            self._reason = self._refusal(together) if is_finished(rest) else "unfinished"
        if self._reason is None:
            return Outcome(rest, together, None, fallback=False)
        if is_finished(self._released):
            # the sentences already spoken stand by themselves
            return Outcome("", self._released, self._reason, fallback=False)
        return self._fall_back(self._reason)

    def _fall_back(self, reason: Reason) -> Outcome:
        return Outcome(self._fallback, f"{self._released} {self._fallback}".strip(), reason, fallback=True)


def _streaming(raw: str) -> str:
    """Like `_tidy`, but stable while the text grows: its beginning never changes."""
    text = raw.replace("’", "'").replace("“", '"').replace("”", '"').lstrip().lstrip('"').lstrip()
    body = re.sub(r"\s+", " ", text)
    return body
