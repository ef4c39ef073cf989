"""Turns a spoken answer into terms that compare: numbers in figures, one spelling, stems, short forms unfolded.

The same function reads the answers and the wordings of the bank, so whatever it does to one it does to the other.
Every term keeps its place in the original text: evidence is quoted in the candidate's own words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

from workbench.exam.synonyms import PHRASES, STOP, WORDS

MAX_CHARACTERS = 20_000
"""Longest answer that is read; about two hours of speech."""

_STEMMER = snowballstemmer.stemmer("english")
_PIECE = re.compile(
    r"(?P<dotted>(?:[^\W\d_]\.){2,}(?:[^\W\d_](?![^\W_]))?)"
    r"|(?P<number>\d+(?:,\d{3})+|\d+(?:\.\d+)?)(?P<ordinal>(?:st|nd|rd|th)\b)?"
    r"|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)?)"
    r"|(?P<percent>%)"
    r"|(?P<end>[.!?\u2026]+|\n\s*\n)"
    r"|(?P<pause>[,;:()\u2013\u2014]|\s-\s)"
)


@dataclass
class Term:
    """One word or number of a text.

    Attributes:
        stem: What is compared.
        word: The lower-case word, British spelling undone, unstemmed.
        start: Where it begins in the text.
        end: Where it ends.
        sentence: Number of its sentence, from 0.
        after_pause: Whether a comma, colon or the like stands before it.
    """

    stem: str
    word: str
    start: int
    end: int
    sentence: int
    after_pause: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a figure or an ordinal."""
        return self.word[:1].isdigit()

    @property
    def is_small(self) -> bool:
        """Whether it carries no fact by itself."""
        return self.word in STOP


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The part of a word that its forms share; `ischaemia`, `ischemic` and `ischaemic` have one stem."""
    word = american(word)
    root: str = _STEMMER.stemWord(word)
    for ending in ("ical", "ia", "ic"):
        # the stemmer leaves nouns in -ia and adjectives in -ic apart
        if len(root) - len(ending) >= 5 and root.endswith(ending):
            return root[: -len(ending)]
    return root


@lru_cache(maxsize=65_536)
def american(word: str) -> str:
    """One spelling for two: `haemorrhage`, `oedema`, `tumour`, `litre`, `stabilise` as the American has them."""
    for british, other in (("haem", "hem"), ("aem", "em"), ("oed", "ed"), ("oes", "es"), ("paed", "ped")):
        word = word.replace(british, other)
    if len(word) > 5:
        word = re.sub(r"our(s|ed|ing)?$", r"or\1", word)
        word = re.sub(r"(t|b)re(s)?$", r"\1er\2", word)
        word = re.sub(r"(is|ys)(e|ed|es|ing|ation|ations)$", lambda m: m[1][0] + "z" + m[2], word)
    return word


def read_terms(text: str) -> list[Term]:
    """Every term of a text in order, small words and negations included.

    Args:
        text: An answer as recognised or typed, or a wording of a bank. Beyond `MAX_CHARACTERS` it is not read.
    """
    terms = _letters_joined(_pieces(text[:MAX_CHARACTERS]))
    terms = _phrases_unfolded(_units_counted(_numbers(terms)))
    for term in terms:
        term.stem = stem(WORDS.get(term.word, term.word)) if not term.is_number else term.word
    return terms


def _pieces(text: str) -> list[Term]:
    terms: list[Term] = []
    sentence, pause = 0, False
    for match in _PIECE.finditer(text):
        kind = match.lastgroup
        if kind == "ordinal":
            kind = "number"
        if kind == "end":
            sentence, pause = sentence + 1, False
            continue
        if kind == "pause":
            pause = True
            continue
        raw = match.group().lower().replace("\u2019", "'")
        if kind == "dotted":
            words = [raw.replace(".", "")]
        elif kind == "number":
            ordinal = match.group("ordinal") or ""
            words = [match.group("number").replace(",", "") + ("th" if ordinal else "")]
        elif kind == "percent":
            words = ["percent"]
        else:
            words = _contraction(raw)
        for word in words:
            terms.append(Term("", word, match.start(), match.end(), sentence, pause))
            pause = False
    return terms


_BARE_NEGATIONS = frozenset(
    """dont doesnt didnt isnt arent wasnt werent wouldnt couldnt shouldnt cant wont hasnt havent hadnt mustnt neednt
    aint""".split()
)


def _contraction(raw: str) -> list[str]:
    if raw in ("can't", "cant", "cannot"):
        return ["can", "not"]
    if raw in ("won't", "wont"):
        return ["will", "not"]
    if raw.endswith("n't"):
        return [raw[:-3], "not"]
    if raw in _BARE_NEGATIONS:
        return [raw[:-2], "not"]
    return [raw.split("'")[0]] if "'" in raw else [raw]


def _letters_joined(terms: list[Term]) -> list[Term]:
    """`E C G` becomes `ecg`, as a recogniser may spell an abbreviation."""
    joined: list[Term] = []
    i = 0
    while i < len(terms):
        j = i
        while (
            j < len(terms)
            and len(terms[j].word) == 1
            and terms[j].word.isalpha()
            and (j == i or not terms[j].after_pause)
        ):
            j += 1
        run = terms[i:j]
        if run and run[0].word == "i" and len(run) > 1 and run[1].word != "v":
            joined.append(run[0])
            i += 1
            continue
        # "a T wave" has an article; in "it's a F, irregular" nothing follows the letter that it could belong to
        article = len(run) == 2 and run[0].word == "a" and j < len(terms) and not terms[j].after_pause
        if len(run) >= 2 and not {t.word for t in run} <= {"a", "i"} and not article:
            joined.append(_merged(run, "".join(t.word for t in run)))
            i = j
        else:
            joined.append(terms[i])
            i += 1
    return joined


def _merged(run: list[Term], word: str) -> Term:
    return Term("", word, run[0].start, run[-1].end, run[0].sentence, run[0].after_pause)


_UNITS = {w: i for i, w in enumerate("zero one two three four five six seven eight nine".split())}
_TEENS = {
    w: i + 10
    for i, w in enumerate("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split())
}
_TENS = {w: 10 * i for i, w in enumerate("- - twenty thirty forty fifty sixty seventy eighty ninety".split()) if i > 1}
_ORDINALS = {w: i + 1 for i, w in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split())}


def _numbers(terms: list[Term]) -> list[Term]:
    """Number words as figures: `three hundred`, `a hundred and twenty`, `one ten` (110), `one point five`, `third`."""
    out: list[Term] = []
    i = 0
    while i < len(terms):
        value, used = _number_at(terms, i)
        if used:
            out.append(_merged(terms[i : i + used], value))
            i += used
            continue
        term = terms[i]
        if term.word in _ORDINALS:
            term.word = f"{_ORDINALS[term.word]}th"
        out.append(term)
        i += 1
    return out


def _number_at(terms: list[Term], i: int) -> tuple[str, int]:
    """The number that begins at term `i` as a figure, and how many terms it takes; 0 terms when there is none."""

    def word(k: int) -> str:
        if k >= len(terms) or (k > i and (terms[k].after_pause or terms[k].sentence != terms[i].sentence)):
            return ""
        return terms[k].word

    k, total = i, 0
    seen = False
    if word(k) in ("a", "an") and word(k + 1) in ("hundred", "thousand"):
        total, k, seen = 1, k + 1, True
    elif word(k).isdigit() and word(k + 1) in ("hundred", "thousand"):
        total, k, seen = int(word(k)), k + 1, True
    else:
        small, used = _below_hundred(word, k)
        if used:
            total, k, seen = small, k + used, True
            rest, more = _below_hundred(word, k)
            if more and 1 <= small <= 9 and rest >= 10 and word(k) not in _UNITS:
                # "one ten", "two fifty", "one twenty five"
                return str(small * 100 + rest), k + more - i
        elif word(k) in ("hundred", "thousand"):
            total, seen = 1, True
    if not seen:
        return "", 0
    if word(k) in ("hundred", "thousand"):
        thousands = word(k) == "thousand"
        total, k = total * (1000 if thousands else 100), k + 1
        rest, more = _below_hundred(word, k)
        if thousands and more and word(k + more) == "hundred":
            total, k = total + rest * 100, k + more + 1
        skip = 1 if word(k) == "and" else 0
        rest, more = _below_hundred(word, k + skip)
        if more:
            total, k = total + rest, k + skip + more
    if word(k) == "point" and (word(k + 1) in _UNITS or word(k + 1).isdigit()):
        digits, k = "", k + 1
        while word(k) in _UNITS or (len(word(k)) == 1 and word(k).isdigit()):
            digits, k = digits + str(_UNITS.get(word(k), word(k))), k + 1
        return f"{total}.{digits}", k - i
    return str(total), k - i


def _below_hundred(word: object, k: int) -> tuple[int, int]:
    at = word(k)  # type: ignore[operator]
    if at in _TENS:
        unit = word(k + 1)  # type: ignore[operator]
        return (_TENS[at] + _UNITS[unit], 2) if _UNITS.get(unit) else (_TENS[at], 1)
    if at in _TEENS:
        return _TEENS[at], 1
    if at in _UNITS:
        return _UNITS[at], 1
    return 0, 0


_MEASURES = frozenset("milligram milligrams mg litre litres liter hour minute week month year day gram".split())


def _units_counted(terms: list[Term]) -> list[Term]:
    """`a milligram` is `1 milligram`, but `100 a minute` is a rate."""
    for i, term in enumerate(terms[:-1]):
        measured = terms[i + 1].word in _MEASURES and not terms[i + 1].after_pause
        if term.word in ("a", "an") and measured and not (i and terms[i - 1].is_number):
            term.word = "1"
    return terms


def _key(word: str) -> str:
    return word if word[:1].isdigit() else stem(word)


_PHRASES_BY_KEY: dict[tuple[str, ...], tuple[str, ...]] = {
    tuple(_key(word) for word in phrase.split() if word != "the"): tuple(meaning.split())
    for phrase, meaning in PHRASES.items()
}
_LONGEST_PHRASE = max(map(len, _PHRASES_BY_KEY))
_PHRASE_STARTS = frozenset(key[0] for key in _PHRASES_BY_KEY)


def _phrases_unfolded(terms: list[Term]) -> list[Term]:
    """Short forms and set phrases in their one form, the longest first."""
    out: list[Term] = []
    keys = [_key(term.word) for term in terms]
    i = 0
    while i < len(terms):
        length, meaning = 1, None
        if keys[i] in _PHRASE_STARTS:
            # "ultrasound of the heart": articles inside a phrase do not count
            positions = [k for k in range(i, min(len(terms), i + _LONGEST_PHRASE + 2)) if terms[k].word != "the"]
            for n in range(min(_LONGEST_PHRASE, len(positions)), 0, -1):
                last = positions[n - 1]
                broken = any(t.after_pause or t.sentence != terms[i].sentence for t in terms[i + 1 : last + 1])
                if not broken and tuple(keys[k] for k in positions[:n]) in _PHRASES_BY_KEY:
                    length, meaning = last + 1 - i, _PHRASES_BY_KEY[tuple(keys[k] for k in positions[:n])]
                    break
        if meaning is None:
            out.append(terms[i])
        else:
            run = terms[i : i + length]
            for n, word in enumerate(meaning):
                term = _merged(run, word)
                term.after_pause = run[0].after_pause and n == 0
                out.append(term)
        i += length
    return out
