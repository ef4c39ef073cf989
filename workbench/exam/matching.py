"""Finds the accepted wordings and misconceptions of a question in what a candidate said.

A wording matches where its terms stand close together, in any order, with the same stance: a claim matches a claim, a
denial ("avoid nitrates") a denial. Slips of the recogniser are bridged (`workbench.exam.slips`): a long rare term
anywhere, any other word of a spoken answer only where it sounds like the wording's and stands beside the rest of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from workbench.exam.assertion import Stance, read_stances
from workbench.exam.items import Question
from workbench.exam.slips import Guess, bridges, misheard
from workbench.exam.spoken_terms import Term, read_terms
from workbench.exam.synonyms import HEDGES, LIGHT

_ORDERED = frozenset(("before", "after", "below", "above", "follow"))
"""Terms whose neighbours may not change places: "adrenaline before the shock"."""
_UNITS = frozenset(
    ("mg", "ml", "joul", "minut", "hour", "day", "week", "month", "year", "percent", "mmhg", "bpm", "liter")
)
_SENTENCE_GAP = 2
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
    guesses: tuple[Guess, ...] = ()


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


def read_answer(
    question: Question, text: str, question_text: str, *, of_question: bool = False, spoken: bool = False
) -> Answer:
    """Reads an answer: stances, recogniser's slips bridged, echoes of the question left out.

    Args:
        question: The question it answers; only its terms are bridged to.
        text: The answer as recognised or typed.
        question_text: What the candidate was told (scenario and stem); runs of it in the answer count for nothing.
        of_question: Whether the text is the bank's own, so that no slip of a recogniser is bridged.
        spoken: Whether a recogniser wrote it, so that any word may have been misheard.
    """
    reading = read_stances(read_terms(text))
    terms = reading.terms
    echoed = _echoed(terms, question_text) | _about_marks(text, terms)
    bridged = {} if of_question else bridges(question, terms)
    guessed = misheard(question, terms) if spoken else {}
    content: list[Content] = []
    place, sentence = 0, 0
    skip_to = -1
    for i, (term, stance) in enumerate(zip(terms, reading.stances, strict=True)):
        place += _SENTENCE_GAP * (term.sentence - sentence)
        sentence = term.sentence
        if i < skip_to or stance in ("operator", "retracted", "unknown") or i in echoed:
            continue
        if i in bridged:
            targets, n_terms = bridged[i]
            pieces = reading.stances[i : i + n_terms]
            worst = next((s for s in pieces if s not in ("claimed", "operator")), stance)
            for target in targets:
                content.append(Content(target, worst, i, place, term.start, terms[i + n_terms - 1].end, bridged=True))
                place += 1
            skip_to = i + n_terms
        elif not term.is_small:
            guesses = guessed.get(i, ())
            content.append(Content(term.stem, stance, i, place, term.start, term.end, guesses=guesses))
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
        for stem_ in (item.stem, *(guess.stem for guess in item.guesses)):
            by_stem.setdefault(stem_, []).append(n)
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
        if not _vouched_for(wording, taken):
            continue
        stance = _stance([(denied, item.stance) for _, denied, item in taken])
        if stance is None:
            continue
        items = [item for _, _, item in taken]
        places = [item.place for item in items]
        span = max(places) - min(places)
        first, last = min(items, key=lambda c: c.index), max(items, key=lambda c: c.end)
        own = {stem_ for stem_, _ in wording.terms}
        exact = len(taken) == n_terms and not any(item.bridged or item.stem not in own for item in items)
        match = Match(wording, stance, first.start, last.end, first.index, last.index, exact)
        if stance not in best or span < best[stance][0]:
            best[stance] = (span, match)
    return [match for _, match in best.values()]


def _take(wording: Wording, window: Sequence[tuple[int, Content]]) -> list[tuple[int, bool, Content]] | None:
    """The window's terms that answer the wording's, each used once; None where an ordered wording is out of order."""
    used: set[int] = set()
    taken: list[tuple[int, bool, Content]] = []
    unmet: list[tuple[str, bool]] = []
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
            unmet.append((stem_, denied))
            continue
        used.add(place)
        last = place
        taken.append((place, denied, items[place]))
    for stem_, denied in unmet:
        place = next((n for n, i in window if n not in used and any(g.stem == stem_ for g in i.guesses)), None)
        if place is not None:
            used.add(place)
            taken.append((place, denied, items[place]))
    return taken


def _vouched_for(wording: Wording, taken: Sequence[tuple[int, bool, Content]]) -> bool:
    """Whether what was only guessed has enough of the wording beside it that was heard.

    One guess of two or more terms, two of five or more, and none where a term is missing altogether; of two terms the
    guess must have the very sound and be no word of the bank; alone it must be long besides.
    """
    stems = {stem_ for stem_, _ in wording.terms}
    guesses = [
        next(guess for guess in item.guesses if guess.stem in stems) for _, _, item in taken if item.stem not in stems
    ]
    if not guesses:
        return True
    n_terms = len(wording.terms)
    if len(taken) < n_terms or len(guesses) > (2 if n_terms >= 5 else 1):
        return False
    if n_terms == 1:
        return guesses[0].alone
    return n_terms > 2 or (guesses[0].same_sound and not guesses[0].own_word)


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
