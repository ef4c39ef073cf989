"""Finds the accepted wordings and misconceptions of a question in what a candidate said.

A wording matches where its terms stand close together, in any order, with the same stance: a claim matches a claim, a
denial ("avoid nitrates") a denial. Slips of the recogniser are bridged for long rare terms only, and never between
terms that are words of their own or differ by a piece that turns the meaning round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jellyfish
from rapidfuzz.distance import OSA

from workbench.exam.assertion import Stance, read_stances
from workbench.exam.items import Question
from workbench.exam.spoken_terms import Term, american, read_terms, stem
from workbench.exam.synonyms import ANTONYM_AFFIXES, CONFUSABLE, HEDGES, LIGHT, STOP

_ORDERED = frozenset(("before", "after", "below", "above", "follow"))
"""Terms whose neighbours may not change places: "adrenaline before the shock"."""
_UNITS = frozenset(
    ("mg", "ml", "joul", "minut", "hour", "day", "week", "month", "year", "percent", "mmhg", "bpm", "liter")
)
_SENTENCE_GAP = 2
_RARE_LETTERS = 8
_ECHO_TERMS = 5
"""Shortest run of the question's own words that counts as an echo of it."""


@dataclass(frozen=True)
class Wording:
    """A wording of the bank, read once: its counting terms with whether each is denied."""

    text: str
    terms: tuple[tuple[str, bool], ...]
    ordered: bool


@dataclass(frozen=True)
class Match:
    """Where a wording was found.

    Attributes:
        wording: What was found.
        stance: `claimed` where the answer says what the wording says, `denied` where it says the opposite,
            `considered` where it only weighs it.
        start: Offset of the first word in the answer.
        end: Offset behind the last word.
        first: Index of the first term.
        last: Index of the last term.
        exact: Whether every term was found as it stands, no slip bridged and none left out.
    """

    wording: Wording
    stance: Stance
    start: int
    end: int
    first: int
    last: int
    exact: bool


@dataclass(frozen=True)
class Content:
    """A counting term of an answer."""

    stem: str
    stance: Stance
    index: int
    place: int
    start: int
    end: int
    bridged: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer, read; `left_out` are the indices of terms that echo the question or speak of marks."""

    text: str
    terms: tuple[Term, ...]
    content: tuple[Content, ...]
    clauses: tuple[int, ...]
    left_out: frozenset[int]
    n_hedges: int


@lru_cache(maxsize=8192)
def read_wording(text: str) -> Wording:
    """Reads a wording of the bank."""
    reading = read_stances(read_terms(text))
    kept: list[tuple[Term, Stance]] = [
        (term, stance)
        for term, stance in zip(reading.terms, reading.stances, strict=True)
        if not term.is_small and stance != "operator"
    ]
    heavy = [(term, stance) for term, stance in kept if term.word not in LIGHT]
    everything: list[tuple[Term, Stance]] = list(zip(reading.terms, reading.stances, strict=True))
    chosen = heavy or kept or everything
    terms = tuple((term.stem, stance == "denied") for term, stance in chosen)
    ordered = any(term.word in _ORDERED for term, _ in chosen) and len(chosen) > 1
    return Wording(text, terms, ordered)


def read_answer(question: Question, text: str, question_text: str, *, of_question: bool = False) -> Answer:
    """Reads an answer: stances, recogniser's slips bridged, echoes of the question left out.

    Args:
        question: The question it answers; only its terms are bridged to.
        text: The answer as recognised or typed.
        question_text: What the candidate was told (scenario and stem); runs of it in the answer count for nothing.
        of_question: Whether the text is the bank's own, so that no slip of a recogniser is bridged.
    """
    reading = read_stances(read_terms(text))
    terms = reading.terms
    echoed = _echoed(terms, question_text) | _about_marks(text, terms)
    bridges = {} if of_question else _bridges(question, terms)
    content: list[Content] = []
    place, sentence = 0, 0
    skip_to = -1
    for i, (term, stance) in enumerate(zip(terms, reading.stances, strict=True)):
        place += _SENTENCE_GAP * (term.sentence - sentence)
        sentence = term.sentence
        if i < skip_to or stance in ("operator", "retracted", "unknown") or i in echoed:
            continue
        if i in bridges:
            target, n_terms = bridges[i]
            pieces = reading.stances[i : i + n_terms]
            worst = next((s for s in pieces if s not in ("claimed", "operator")), stance)
            content.append(Content(target, worst, i, place, term.start, terms[i + n_terms - 1].end, bridged=True))
            place, skip_to = place + 1, i + n_terms
        elif not term.is_small:
            content.append(Content(term.stem, stance, i, place, term.start, term.end))
            place += 1
    n_hedges = sum(term.word in HEDGES for term in terms)
    return Answer(text, tuple(terms), tuple(content), tuple(reading.clauses), frozenset(echoed), n_hedges)


def find(wordings: Iterable[str], answer: Answer, *, whole: bool = False) -> list[Match]:
    """Every wording that the answer claims, considers or denies; at most one match of each stance for a wording.

    Args:
        wordings: Accepted wordings or misconceptions of one key point.
        answer: The answer they are looked for in.
        whole: Whether every term must be found; else one of five or more may be missing.
    """
    by_stem: dict[str, list[int]] = {}
    for n, item in enumerate(answer.content):
        by_stem.setdefault(item.stem, []).append(n)
    found: list[Match] = []
    for text in wordings:
        found.extend(_find_one(read_wording(text), answer, by_stem, whole))
    return found


def _find_one(wording: Wording, answer: Answer, by_stem: dict[str, list[int]], whole: bool) -> list[Match]:
    n_terms = len(wording.terms)
    n_needed = n_terms - (1 if n_terms >= 5 and not whole else 0)
    present = sum(stem_ in by_stem for stem_, _ in wording.terms)
    if present < n_needed or any(s[:1].isdigit() and s not in by_stem for s, _ in wording.terms):
        return []
    reach = 0 if n_terms == 1 else 2 * n_terms
    best: dict[Stance, tuple[int, Match]] = {}
    starts = sorted({n for stem_, _ in wording.terms for n in by_stem.get(stem_, ())})
    for start in starts:
        window = [
            (n, item)
            for n, item in enumerate(answer.content[start : start + reach + 1], start)
            if item.place - answer.content[start].place <= reach
        ]
        taken = _take(wording, window)
        if taken is None or len(taken) < n_needed or all(item is not answer.content[start] for _, _, item in taken):
            continue
        stance = _stance([(denied, item.stance) for _, denied, item in taken])
        if stance is None:
            continue
        items = [item for _, _, item in taken]
        places = [item.place for item in items]
        span = max(places) - min(places)
        first, last = min(items, key=lambda c: c.index), max(items, key=lambda c: c.end)
        exact = len(taken) == n_terms and not any(item.bridged for item in items)
        match = Match(wording, stance, first.start, last.end, first.index, last.index, exact)
        if stance not in best or span < best[stance][0]:
            best[stance] = (span, match)
    return [match for _, match in best.values()]


def _take(wording: Wording, window: Sequence[tuple[int, Content]]) -> list[tuple[int, bool, Content]] | None:
    """The window's terms that answer the wording's, each used once; None where an ordered wording is out of order."""
    used: set[int] = set()
    taken: list[tuple[int, bool, Content]] = []
    items = dict(window)
    last = -1
    for k, (stem_, denied) in enumerate(wording.terms):
        unit = wording.terms[k + 1][0] if stem_[:1].isdigit() and k + 1 < len(wording.terms) else None
        if unit not in _UNITS:
            unit = None
        place = next(
            (
                n
                for n, item in window
                if item.stem == stem_
                and n not in used
                and (not wording.ordered or n > last)
                # a figure belongs to the unit behind it: "300 mg after 3 shocks" holds no 3 mg
                and (unit is None or (n + 1 in items and items[n + 1].stem == unit))
            ),
            None,
        )
        if place is None:
            if wording.ordered:
                return None
            continue
        used.add(place)
        last = place
        taken.append((place, denied, items[place]))
    return taken


def _stance(pairs: Sequence[tuple[bool, Stance]]) -> Stance | None:
    """What the answer does with a wording: claims it when every term has the stance it has in the wording."""
    if all((stance == "denied") == denied and stance != "disowned" for denied, stance in pairs):
        return "considered" if any(stance == "considered" for _, stance in pairs) else "claimed"
    # to name what should be avoided is not yet to recommend it: only claims have an opposite here
    if any(stance in ("denied", "disowned") for _, stance in pairs) and not any(denied for denied, _ in pairs):
        return "denied"
    return None


def is_inside(match: Match, others: Sequence[Match]) -> bool:
    """Whether a match lies within a longer one: "aspirin" inside "rather than aspirin"."""
    return any(
        other.first <= match.first and match.last <= other.last and len(other.wording.terms) > len(match.wording.terms)
        for other in others
    )


# ---- echoes ----


def _echoed(terms: Sequence[Term], question_text: str) -> set[int]:
    """Indices of terms inside runs of at least `_ECHO_TERMS` words taken over from the question."""
    runs = _runs(question_text)
    said = [term.stem for term in terms]
    echoed: set[int] = set()
    for k in range(len(said) - _ECHO_TERMS + 1):
        if tuple(said[k : k + _ECHO_TERMS]) in runs:
            echoed.update(range(k, k + _ECHO_TERMS))
    return echoed


@lru_cache(maxsize=256)
def _runs(text: str) -> frozenset[tuple[str, ...]]:
    stems = [term.stem for term in read_terms(text)]
    return frozenset(tuple(stems[k : k + _ECHO_TERMS]) for k in range(len(stems) - _ECHO_TERMS + 1))


# ---- talk about marks ----

_META = re.compile(
    r"\b(?:rubric|key ?points?|full marks|mark(?:ing)? scheme|grader|system prompt|(?:ten|10) points|out of (?:ten|10)"
    r"|ignore (?:the|all|any|your|previous)|(?:previous|prior) instructions?"
    r"|(?:award|grant|give) me (?:the|full|all|10|ten)"
    r"|mark(?:ed)? (?:me|this|it|as) correct|as (?:the|your|an?) (?:chief )?(?:examiner|judge|professor))\b",
    re.IGNORECASE,
)


def _about_marks(text: str, terms: Sequence[Term]) -> set[int]:
    """Indices of terms in sentences that speak of marks and rubrics rather than of the question."""
    sentences: set[int] = set()
    for match in _META.finditer(text):
        sentences.update(t.sentence for t in terms if t.start < match.end() and match.start() < t.end)
    return {i for i, term in enumerate(terms) if term.sentence in sentences}


# ---- slips of the recogniser ----


@lru_cache(maxsize=1024)
def _vocabulary(question: Question) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """Stems the bank uses in this question, and its long rare terms as (word, sound)."""
    wordings = [w for point in question.key_points for w in (*point.accepted, *point.misconceptions)]
    words = {term.word for text in (*wordings, question.stem, *question.key_terms) for term in read_terms(text)}
    rare = {american(term.word) for text in question.key_terms for term in read_terms(text)}
    long = sorted(w for w in rare if len(w) >= _RARE_LETTERS and w.isalpha())
    return frozenset(stem(word) for word in words), tuple((w, jellyfish.metaphone(w)) for w in long)


def _bridges(question: Question, terms: Sequence[Term]) -> dict[int, tuple[str, int]]:
    """Slips of the recogniser: index of a term to (stem that was meant, how many terms it takes)."""
    known, rare = _vocabulary(question)
    if not rare:
        return {}
    # a word the bank knows is no fragment of another one
    whole = {stem_ for stem_ in known if len(stem_) > 3}
    bridges: dict[int, tuple[str, int]] = {}
    i = 0
    while i < len(terms):
        for n in (3, 2, 1):
            run = terms[i : i + n]
            if len(run) < n or any(t.sentence != run[0].sentence or not t.word.isalpha() for t in run):
                continue
            if n == 1 and (run[0].stem in known or run[0].is_small):
                continue
            if n > 1 and (any(t.after_pause for t in run[1:]) or any(t.stem in whole for t in run)):
                continue
            meant = meant_term("".join(american(t.word) for t in run), rare, several=n > 1)
            if meant is not None:
                bridges[i] = (stem(meant), n)
                i += n - 1
                break
        i += 1
    return bridges


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
