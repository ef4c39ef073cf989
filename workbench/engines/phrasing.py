"""Where a text is cut for a synthesizer: the first phrase short, to be heard early, the rest by sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.engines.spoken_text import sentences

SENTENCE_PAUSE_S = 0.25
"""Silence between two sentences of one text."""

CLAUSE_PAUSE_S = 0.09
"""Silence at a comma, colon, semicolon or dash that the text was cut at."""

FIRST_PHRASE_WORDS = 7
"""A first sentence longer than this is cut, if it holds a natural place to cut."""

LONG_PHRASE_WORDS = 18
"""A later sentence longer than this is cut at a clause, so that an interruption wastes little work."""

_SHORTEST_PIECE_WORDS = 2

_CLAUSE = re.compile(r"(?<=[,;:])\s+|\s+[–—-]+\s+")
_CONJUNCTION = re.compile(
    r"\s+(?=(?:and|but|because|which|while|whereas|when|although|so that|before|after|if|or)\s)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Phrase:
    """A piece of text that is spoken in one go, and the silence that follows it."""

    text: str
    pause_s: float


def phrases(text: str) -> list[Phrase]:
    """Cuts a text into phrases.

    The first one is short where the wording allows it: its length decides when the first sound is heard.
    The last one has no pause after it, unless it ends on a comma: then the text goes on elsewhere.

    >>> [phrase.text for phrase in phrases("Thank you, that was a clear answer on the valve. Go on.")]
    ['Thank you,', 'that was a clear answer on the valve.', 'Go on.']
    """
    cut: list[Phrase] = []
    for sentence in sentences(text):
        pieces = _cut(sentence, FIRST_PHRASE_WORDS if not cut else LONG_PHRASE_WORDS, first=not cut)
        cut += [Phrase(piece, CLAUSE_PAUSE_S if _ends_clause(piece) else 0.0) for piece in pieces[:-1]]
        cut.append(Phrase(pieces[-1], SENTENCE_PAUSE_S))
    if cut:
        cut[-1] = Phrase(cut[-1].text, CLAUSE_PAUSE_S if _ends_clause(cut[-1].text) else 0.0)
    return cut


def _cut(sentence: str, max_words: int, *, first: bool) -> list[str]:
    """Pieces of one sentence; only the beginning of a text is cut at a conjunction, where no comma helps."""
    if len(sentence.split()) <= max_words:
        return [sentence]
    pieces = _joined(_CLAUSE.split(sentence), 1 if first else max_words)
    if first and len(pieces[0].split()) > max_words:
        head = _joined(_CONJUNCTION.split(pieces[0]), 3)
        if len(head) > 1:
            pieces = [head[0], " ".join(head[1:]), *pieces[1:]]
    if first and len(pieces) > 2:
        # One cut brings the first sound forward; further ones would only make the sentence choppy.
        pieces = [pieces[0], *_joined(pieces[1:], LONG_PHRASE_WORDS)]
    return pieces


def _joined(pieces: list[str], at_least_words: int) -> list[str]:
    """Glues neighbours together until each has the words it needs; a short tail joins the one before."""
    wanted = max(at_least_words, _SHORTEST_PIECE_WORDS)
    out: list[str] = []
    for piece in pieces:
        if out and len(out[-1].split()) < wanted:
            out[-1] = f"{out[-1]} {piece}"
        else:
            out.append(piece)
    if len(out) > 1 and len(out[-1].split()) < _SHORTEST_PIECE_WORDS:
        last = out.pop()
        out[-1] = f"{out[-1]} {last}"
    return out


def _ends_clause(piece: str) -> bool:
    return piece[-1:] in ",;:"
