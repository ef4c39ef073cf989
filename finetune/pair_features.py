"""What can be measured between an answer and right ones: words shared and missing, polarity, nearness of meaning.

None of it knows a question, so that what is learned on some questions holds for others.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import snowballstemmer
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

STOP = frozenset(
    """a an the is are was were be been being am to of in on at by for with from as it its this that these those there
    they them their he she his her you your i we our my me and or so then than will would can could do does did has
    have had just also very really if when which who what how s t""".split()
)
NEGATIONS = frozenset("not no never none nothing neither nor without cannot".split())
YES_NO = {"yes": 1, "yeah": 1, "agree": 1, "true": 1, "no": -1, "disagree": -1, "false": -1}
_ANTONYMS = [
    tuple(pair.split("/"))
    for pair in """open/close open/complet same/differ more/less higher/lower high/low hot/cold hotter/colder
    warm/cool increas/decreas connect/separ connect/disconnect big/small bigger/smaller long/short longer/shorter
    fast/slow faster/slower hard/soft harder/softer loud/quiet louder/quieter posit/negat up/down thick/thin tight/loos
    tighter/looser light/heavi lighter/heavier near/far left/right top/bottom first/last on/off all/none
    complet/incomplet alway/never rough/smooth dark/bright add/remov attract/repel absorb/reflect""".split()
]
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?")
_STEMMER = snowballstemmer.stemmer("english")
_FUZZY_LETTERS = 5
_FUZZY_RATIO = 82.0

Idf = Mapping[str, float]


@lru_cache(maxsize=65536)
def tokens(text: str) -> tuple[str, ...]:
    """Stems and figures of a text, in order; "isn't" counts as "is not"."""
    found: list[str] = []
    for piece in _TOKEN.findall(text.lower().replace("’", "'")):
        if piece.endswith("n't"):
            found += [_stem(piece[:-3]), "not"]
        else:
            found.append(_stem(piece.split("'")[0]))
    return tuple(token for token in found if token)


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return str(_STEMMER.stemWord(word)) if word.isalpha() else word


@lru_cache(maxsize=65536)
def respelled(answer: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Tokens of an answer with slips of the pen in long words mended towards words of question and references."""
    targets = [word for word in dict.fromkeys(known) if len(word) >= _FUZZY_LETTERS]
    have = set(known)
    mended = []
    for token in tokens(answer):
        if token not in have and len(token) >= _FUZZY_LETTERS and targets:
            best = process.extractOne(token, targets, scorer=fuzz.ratio, score_cutoff=_FUZZY_RATIO)
            token = best[0] if best else token
        mended.append(token)
    return tuple(mended)


def fit_idf(texts: Iterable[str]) -> dict[str, float]:
    """Inverse document frequency of stems, smoothed as scikit-learn does: ln((1 + n) / (1 + df)) + 1."""
    counts: Counter[str] = Counter()
    n = 0
    for text in texts:
        counts.update(set(tokens(text)))
        n += 1
    return {token: math.log((1 + n) / (1 + df)) + 1 for token, df in counts.items()}


@dataclass(frozen=True)
class Pair:
    """An answer beside what it should say.

    Attributes:
        question: What was asked.
        references: Right answers, each right by itself.
        answer: What was answered.
    """

    question: str
    references: tuple[str, ...]
    answer: str


def lexical(pair: Pair, idf: Idf) -> dict[str, float]:
    """Overlap, order and polarity, by name; the best and the mean over the references."""
    read = _Read(pair, idf)
    rows = [_overlap(read, k) for k in range(len(pair.references))]
    best = read.best
    features = {f"{name}_best": rows[best][name] for name in rows[0]}
    features |= {f"{name}_max": max(row[name] for row in rows) for name in rows[0]}
    features |= {f"{name}_mean": sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    return features | _whole(read, read.references[best])


def aligned_terms(pair: Pair, idf: Idf) -> list[str]:
    """Which stems an answer shares with its best reference, lacks, and adds, as names for a sparse model.

    Figures and single letters are no stems but places: those of the reference or question, and others.
    """
    read = _Read(pair, idf)
    right = read.references[read.best]
    known = set(right) | set(read.question)

    def named(token: str) -> str:
        if len(token) > 1 and not token[0].isdigit():
            return token
        return "KNOWN" if token in known else "OTHER"

    said, wanted = set(read.answer), set(right)
    found = [f"hit:{named(t)}" for t in said & wanted] + [f"miss:{named(t)}" for t in wanted - said]
    found += [f"echo:{named(t)}" for t in said & set(read.question) - wanted]
    found += [f"extra:{named(t)}" for t in said - set(read.question) - wanted]
    places = [named(t) for t in read.answer]
    found += [f"say:{t}" for t in places]
    found += [f"say:{a} {b}" for a, b in zip(places, places[1:], strict=False)]
    return found


def nearness(pair: Pair, vector: Callable[[str], NDArray[np.float32]], prefix: str) -> dict[str, float]:
    """Cosines of an answer with its references and its question, and with what the references say beyond the question.

    Args:
        pair: The answer.
        vector: Unit vector of a text.
        prefix: Of the features' names, such as `minilm`.
    """
    said = vector(pair.answer or "nothing")
    asked = vector(pair.question)
    right = np.stack([vector(text) for text in pair.references])
    near = right @ said
    apart = right - (right @ asked)[:, None] * asked
    alone = said - (said @ asked) * asked
    beyond = (apart @ alone) / (np.linalg.norm(apart, axis=1) * np.linalg.norm(alone) + 1e-6)
    return {
        f"{prefix}_near_max": float(near.max()),
        f"{prefix}_near_mean": float(near.mean()),
        f"{prefix}_near_min": float(near.min()),
        f"{prefix}_beyond_max": float(beyond.max()),
        f"{prefix}_beyond_mean": float(beyond.mean()),
        f"{prefix}_asked": float(said @ asked),
        f"{prefix}_reference_asked": float((right @ asked).max()),
        f"{prefix}_gain": float(near.max() - said @ asked),
    }


class _Read:
    """A pair read once: tokens, and which reference shares most with the answer."""

    def __init__(self, pair: Pair, idf: Idf) -> None:
        self.pair = pair
        self.idf = idf
        self.question = tokens(pair.question)
        self.references = [tokens(text) for text in pair.references]
        known = self.question + tuple(t for reference in self.references for t in reference)
        self.answer = respelled(pair.answer, known)
        self.best = max(
            range(len(self.references)), key=lambda k: _f1(*_shares(self, set(self.answer), set(self.references[k])))
        )

    def weight(self, chosen: Iterable[str]) -> float:
        return sum(self.idf.get(token, 6.0) * (0.15 if token in STOP else 1.0) for token in chosen)


def _shares(read: _Read, said: set[str], wanted: set[str]) -> tuple[float, float]:
    both = read.weight(said & wanted)
    return both / (read.weight(wanted) + 1e-9), both / (read.weight(said) + 1e-9)


def _f1(recall: float, precision: float) -> float:
    return 2 * recall * precision / (recall + precision + 1e-9)


def _overlap(read: _Read, k: int) -> dict[str, float]:
    right = read.references[k]
    said, wanted, asked = set(read.answer), set(right), set(read.question)
    recall, precision = _shares(read, said, wanted)
    new_recall, new_precision = _shares(read, said - asked, wanted - asked)
    pairs_said = set(zip(read.answer, read.answer[1:], strict=False))
    pairs_wanted = set(zip(right, right[1:], strict=False))
    mended, text = " ".join(read.answer), " ".join(right)
    return {
        "recall": recall,
        "precision": precision,
        "f1": _f1(recall, precision),
        "new_recall": new_recall if wanted - asked else recall,
        "new_precision": new_precision,
        "new_f1": _f1(new_recall, new_precision),
        "pairs": len(pairs_said & pairs_wanted) / (len(pairs_wanted) + 1e-9),
        "jaccard": len(said & wanted) / (len(said | wanted) + 1e-9),
        "trigrams": _trigram_cosine(mended, text),
        "token_set": fuzz.token_set_ratio(mended, text) / 100,
        "token_sort": fuzz.token_sort_ratio(mended, text) / 100,
        "partial": fuzz.partial_ratio(mended, text) / 100,
        "polarity": float(_negated(read.answer) != _negated(right)),
    }


def _whole(read: _Read, right: Sequence[str]) -> dict[str, float]:
    said, wanted, asked = set(read.answer), set(right), set(read.question)
    figures = {t for t in said if t[0].isdigit() or len(t) == 1}
    wanted_figures = {t for t in wanted if t[0].isdigit() or len(t) == 1}
    opposite = sum(
        (a in said and b in wanted and b not in said) or (b in said and a in wanted and a not in said)
        for a, b in _ANTONYMS
    )
    novel = said - wanted - asked
    yes_said = next((YES_NO[t] for t in read.answer[:2] if t in YES_NO), 0)
    yes_wanted = next((YES_NO[t] for t in right[:2] if t in YES_NO), 0)
    every = {t for reference in read.references for t in reference}
    return {
        "length": math.log1p(len(read.answer)),
        "reference_length": math.log1p(len(right)),
        "length_ratio": math.log((1 + len(read.answer)) / (1 + len(right))),
        "question_length": math.log1p(len(read.question)),
        "n_references": math.log(len(read.references)),
        "echo": read.weight(said & asked) / (read.weight(said) + 1e-9),
        "novel": read.weight(novel) / (read.weight(said) + 1e-9),
        "n_novel": math.log1p(len(novel)),
        "any_recall": len(said & every) / (len(said) + 1e-9),
        "new_to_find": math.log1p(read.weight(wanted - asked)),
        "n_negations": float(sum(t in NEGATIONS for t in read.answer)),
        "reference_negated": float(_negated(right)),
        "opposite": float(opposite),
        "figures_missing": float(len(wanted_figures - figures)),
        "figures_wrong": float(len(figures - wanted_figures - asked)),
        "yes_no": float(yes_said * yes_wanted),
        "yes_no_said": float(yes_said),
        "unknown": float(bool({"know", "idk", "dunno", "sure"} & said) and len(said) < 8),
        "because": float(bool({"becaus", "cuz", "sinc"} & said)),
    }  # fmt: skip


def _negated(words: Iterable[str]) -> bool:
    return sum(word in NEGATIONS for word in words) % 2 == 1


def _trigram_cosine(one: str, two: str) -> float:
    a, b = _trigrams(one), _trigrams(two)
    shared = sum(a[gram] * b[gram] for gram in a.keys() & b.keys())
    norm = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
    return shared / norm if norm else 0.0


@lru_cache(maxsize=65536)
def _trigrams(text: str) -> Counter[str]:
    padded = f" {text} "
    return Counter(padded[i : i + 3] for i in range(len(padded) - 2))
