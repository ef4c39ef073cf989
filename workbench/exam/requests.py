"""Understands what a candidate asks of the examiner ("could you repeat that?") without ever swallowing an answer.

A turn is a request only when the *whole* of it is made of known requests, apologies and fillers: "I would repeat the
troponin at three hours" and "stop the aspirin" leave words over, so they are answers. Some requests may also end an
answer in the same breath ("aspirin and, um, let me think"); then the words before come back in `Request.before`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

from workbench.exam.model import Phase

RequestKind = Literal[
    "repeat", "rephrase", "dont_know", "skip", "moment", "pause", "resume", "back", "stop", "confirm", "cancel",
    "repeat_case", "time_left", "progress", "hear", "ask_answer", "ask_mark", "identity", "case_facts", "greeting",
    "off_script", "nothing",
]  # fmt: skip

GRAMMAR = Path(__file__).with_name("request_grammar.txt")
"""The wordings that are understood, with the notation explained at its top."""

MAX_REQUEST_WORDS = 32
"""Longer turns are answers: nobody takes that long to ask for a repetition."""


@dataclass(frozen=True)
class Request:
    """Something asked of the examiner.

    Attributes:
        kind: What is asked; `nothing` is a turn of fillers and politeness only.
        before: Words of an answer said before the request in the same turn, empty otherwise.
    """

    kind: RequestKind
    before: str = ""


_PRIORITY: tuple[RequestKind, ...] = (
    "cancel", "stop", "pause", "back", "repeat_case", "repeat", "rephrase", "moment", "ask_answer", "ask_mark",
    "time_left", "progress", "hear", "identity", "off_script", "skip", "dont_know", "resume", "greeting",
)  # fmt: skip
"""Which one counts when a turn holds several: "I don't know, can you repeat that" asks for a repetition."""


STRONG_AT_END: frozenset[RequestKind] = frozenset({"repeat", "repeat_case", "rephrase", "moment"})
"""Requests that may end a turn whose beginning is an answer."""

_YES_NO = frozenset("yes yeah yep no nope right sure".split())


def understand(text: str, phase: Phase) -> Request | None:
    """What a turn asks for; None when it is an answer (or a name, a yes, an area: whatever the phase expects).

    Args:
        text: The turn as it was recognised or typed.
        phase: Where the exam is; a yes or a no means something only while it is asked for.
    """
    if _INJECTION.search(text.lower()):
        return Request("off_script")
    plain = _plain(text)
    words = plain.split()
    if not words:
        return Request("nothing") if re.search(r"\w", text) or phase in ("question", "probe") else None
    if len(words) <= MAX_REQUEST_WORDS:
        kinds = _cover(plain)
        if kinds is not None:
            found = next((kind for kind in _PRIORITY if kind in kinds), None)
            if found is not None:
                return Request(found)
            # "no" may be the answer; "okay" and "thank you" are not
            if phase in ("question", "probe") and not _YES_NO & set(words):
                return Request("nothing")
            return None
        if phase in ("question", "probe") and _asks_case_facts(text, words):
            return Request("case_facts")
    if phase in ("question", "probe"):
        return _at_the_end(text)
    return None


_INJECTION = re.compile(
    r"\b(?:ignore|forget|disregard|override|bypass|skip)\b(?:\s+\w+){0,4}\s+(?:rubric|instructions?|prompt"
    r"|system prompt|guidelines|answer key|marking scheme|mark scheme|key points)\b"
)
"""Talking to the machine instead of answering; the judge is guarded too, this only spares the candidate the mark."""

_CASE_FACTS = re.compile(
    r"(?:(?:do|does|did|is|are|was|were|has|have|had) (?:we|he|she|they|the patient|there|his|her|you) "
    r"(?:know|have|any|got|told|given|take|taking|smoke|drink)\b.*"
    r"|(?:can|could|may) (?:i|you|we) (?:know|have|get|ask|tell me|give me) "
    r"(?:the|his|her|about|what|whether|if|more)\b.*"
    r"|(?:what is|what are|what was|how is|how old is|how long has) (?:his|her|the patient|he|she|their)\b.*)"
)


def _asks_case_facts(text: str, words: list[str]) -> bool:
    """Whether a short turn is a question about the patient: it must sound like one and end like one."""
    last = text.strip().rstrip("\"' ")
    return len(words) <= 14 and last.endswith("?") and _CASE_FACTS.fullmatch(" ".join(words)) is not None


# ---- normal form of a turn ---------------------------------------------------------------------------------------

_CONTRACTIONS = (
    (r"\b(?:can'?t|cannot)\b", "can not"), (r"\bwon'?t\b", "would not"), (r"\b(\w+)n't\b", r"\1 not"),
    (r"\b(do|did|does|could|would|have|is|was)nt\b", r"\1 not"), (r"\bdont\b", "do not"), (r"\bdon t\b", "do not"),
    (r"\bcan t\b", "can not"), (r"\blet's\b|\blets\b|\blet s\b", "let us"), (r"\bi'm\b|\bim\b|\bi m\b", "i am"),
    (r"\b(\w+)'re\b", r"\1 are"), (r"\bi've\b|\bive\b", "i have"), (r"\b(\w+)'ve\b", r"\1 have"),
    (r"\b(\w+)'ll\b", r"\1 will"), (r"\b(\w+)'d\b", r"\1 would"),
    (r"\b(it|that|what|how|who|here|there|where|he|she|this)'?s\b", r"\1 is"),
    (r"\bgonna\b", "going to"), (r"\bwanna\b", "want to"), (r"\bgimme\b", "give me"), (r"\blemme\b", "let me"),
    (r"\bthi is\b", "this"),
)  # fmt: skip
_FILLERS = re.compile(r"\b(?:um+|uh+|uhm+|er+m?|e+h|ah+|hm+|mm+|mhm|oh|kindly|basically)\b")


def _plain(text: str) -> str:
    low = text.lower().replace("’", "'").replace("-", " ")
    low = re.sub(r"[^\w\s']", " ", low)
    for pattern, replacement in _CONTRACTIONS:
        low = re.sub(pattern, replacement, low)
    low = _FILLERS.sub(" ", low.replace("'", " "))
    words = low.split()
    # a stutter says a word twice ("can can you repeat")
    return " ".join(word for i, word in enumerate(words) if i == 0 or word != words[i - 1])


# ---- the grammar -------------------------------------------------------------------------------------------------


def _read_grammar(text: str) -> list[tuple[str, str]]:
    """(name, wording) of every entry, continuation lines joined."""
    entries: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            name, phrase = entries.pop()
            entries.append((name, f"{phrase} {line.strip()}"))
        else:
            name, phrase = line.split(": ", 1)
            entries.append((name, phrase))
    return entries


def _compile(phrase: str, parts: dict[str, str]) -> str:
    """A phrase of the grammar as a regular expression over words that each end in one space."""
    plain = {"(": "(?:", "[": "(?:", ")": ")", "]": ")?", "]*": ")*?", "|": "|"}
    out: list[str] = []
    for token in re.findall(r"<\w+>|\]\*|[()\[\]|]|[^\s()\[\]|<>]+", phrase):
        if token in plain:
            out.append(plain[token])
        elif token.startswith("<"):
            out.append(f"(?:{_compile(parts[token], parts)})")
        else:
            out.append(re.escape(token) + " ")
    return "".join(out)


@lru_cache(maxsize=1)
def _grammar() -> tuple[tuple[RequestKind | None, re.Pattern[str]], ...]:
    """Every wording with what it asks for; None for what may stand around a request."""
    entries = _read_grammar(GRAMMAR.read_text(encoding="utf-8"))
    parts = {name: phrase for name, phrase in entries if name.startswith("<")}
    rules: list[tuple[RequestKind | None, re.Pattern[str]]] = []
    for name, phrase in entries:
        if name in parts:
            continue
        if name != "neutral" and name not in get_args(RequestKind):
            raise ValueError(f"{GRAMMAR.name} has a wording for {name!r}; allowed: {', '.join(get_args(RequestKind))}")
        kind = None if name == "neutral" else cast(RequestKind, name)
        rules.append((kind, re.compile(f"(?:{_compile(phrase, parts)})")))
    return tuple(rules)


def _cover(plain: str) -> set[RequestKind] | None:
    """Kinds of the requests a turn is made of, None when a word is left over.

    Walks the words from left to right and keeps, for every place, the reading of the words before it that has the
    fewest pieces: "no idea what it is" is one request, not "no idea" and "what".
    """
    text = plain + " "
    starts = [match.start() for match in re.finditer(r"\S+ ", text)] + [len(text)]
    best: dict[int, tuple[int, set[RequestKind]]] = {0: (0, set())}
    for start in starts[:-1]:
        if start not in best:
            continue
        n_pieces, kinds = best[start]
        for kind, pattern in _grammar():
            for end in starts:
                if end <= start or (end in best and best[end][0] < n_pieces + 1):
                    continue
                if pattern.fullmatch(text, start, end):
                    found = kinds | ({kind} if kind else set())
                    if end not in best or n_pieces + 1 < best[end][0] or len(found) > len(best[end][1]):
                        best[end] = (n_pieces + 1, found)
    return best[len(text)][1] if len(text) in best else None


def _at_the_end(text: str) -> Request | None:
    """A request after an answer in the same turn: "aspirin, and then ... let me think"."""
    pieces = [match.end() for match in re.finditer(r"[.!?;,…]+\s+", text)]
    for cut in pieces:
        tail, head = text[cut:].strip(), text[:cut].strip()
        plain = _plain(tail)
        if not 2 <= len(plain.split()) <= 14:
            continue
        kinds = _cover(plain)
        if kinds and kinds <= STRONG_AT_END | {"dont_know"} and kinds & STRONG_AT_END:
            found = next(kind for kind in _PRIORITY if kind in kinds)
            return Request(found, before=head)
    return None
