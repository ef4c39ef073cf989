"""Training and validation apart by question, by answer and by candidate, and the check that they are.

A model that has met a question, or the same words under another question, looks better than it is; so a row that
would tell of the other side is rejected, with the reason.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz
from sklearn.feature_extraction.text import CountVectorizer

from finetune.corpora import Left, Record, normalised, question_key

NEAR = 90.0
"""Token-sort ratio (0 to 100) from which two answers are the same but for a slip of the pen."""

SHORT_WORDS = 5
"""An answer of fewer words ("I don't know") is nobody's own and may stand on both sides."""

_SHARED_WORDS = 0.6


@dataclass(frozen=True)
class Crossing:
    """Something that stands on two sides.

    Attributes:
        kind: `question`, `answer` or `candidate`.
        one: Id of the row on the first side.
        other: Id of the row on the second side.
    """

    kind: str
    one: str
    other: str


@dataclass(frozen=True)
class Split:
    """Rows to train on, rows to stop by, and rows that belong to neither."""

    train: tuple[Record, ...]
    validation: tuple[Record, ...]
    rejected: tuple[Left, ...]


def split_by_question(
    records: Sequence[Record], share: float, seed: int = 0, tests: Sequence[Record] = (), part: int = 0
) -> Split:
    """Holds out whole questions of every corpus for validation, but for the only one of a corpus, which is trained on.

    Args:
        records: Rows of any number of corpora.
        share: Part of each corpus' questions that is held out, in (0, 1).
        seed: Of the draw.
        tests: Rows that neither side may tell of; rows of the same question or nearly the same answer are rejected.
        part: Which part of that size is held out, from 0: those of one seed share no question.

    Raises:
        ValueError: `share` is out of range, or a side would be empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"the validation share must lie between 0 and 1, got {share}; .15 is usual")
    if not 0 <= part < round(1 / share + 1e-9):
        raise ValueError(f"there are {round(1 / share)} parts of {share} each, counted from 0; got part {part}")
    groups = _groups(records)
    held = _held_out(records, groups, share, seed, part)
    sides = {record.id: groups[question_key(record)] in held for record in records}
    rejected = _foreign_candidates(records, sides, share, seed)
    gone = {left.record.id for left in rejected}
    validation = [r for r in records if sides[r.id] and r.id not in gone]
    train = [r for r in records if not sides[r.id] and r.id not in gone]
    for rows, against, name in ((validation, tests, "a test split"), (train, tests, "a test split")):
        rejected += _told(rows, against, name)
    gone = {left.record.id for left in rejected}
    validation = [r for r in validation if r.id not in gone]
    rejected += _told([r for r in train if r.id not in gone], validation, "validation")
    gone = {left.record.id for left in rejected}
    train = [r for r in train if r.id not in gone]
    if not train or not validation:
        n_questions = len(set(groups.values()))
        if n_questions == 1:
            raise ValueError(
                f"{len(records)} rows of one question leave none to validate with; give rows of more questions, or "
                "add a source, such as --from banks,calibration"
            )
        raise ValueError(
            f"{len(records)} rows of {n_questions} questions leave {len(train)} to train on and {len(validation)} to "
            f"validate with; give rows of more questions, or another share than {share}"
        )
    return Split(tuple(train), tuple(validation), tuple(rejected))


def crossings(one: Sequence[Record], other: Sequence[Record]) -> list[Crossing]:
    """Every question (by id, or by text and references), answer and candidate that stands on both sides, once for each
    row of the first side."""
    questions: dict[object, str] = {
        name: record.id for record in other for name in (question_key(record), record.question_id)
    }
    candidates = {record.candidate: record.id for record in other if record.candidate}
    found = [
        Crossing("question", record.id, known)
        for record in one
        if (known := questions.get(question_key(record)) or questions.get(record.question_id))
    ]
    found += [
        Crossing("candidate", record.id, candidates[record.candidate])
        for record in one
        if record.candidate in candidates
    ]
    return found + [Crossing("answer", one[i].id, other[j].id) for i, j in near_duplicates(one, other)]


def near_duplicates(one: Sequence[Record], other: Sequence[Record]) -> list[tuple[int, int]]:
    """Indices of answers that are the same but for order, punctuation and slips; the first find for each of `one`.

    Pairs that share at least .6 of their words (Jaccard) or are equal are compared letter by letter, words sorted
    (`rapidfuzz.fuzz.token_sort_ratio`, at least `NEAR`).
    """
    mine, theirs = ([normalised(record.answer) for record in rows] for rows in (one, other))
    long_mine = [i for i, text in enumerate(mine) if len(text.split()) >= SHORT_WORDS]
    long_theirs = [j for j, text in enumerate(theirs) if len(text.split()) >= SHORT_WORDS]
    if not long_mine or not long_theirs:
        return []
    counter = CountVectorizer(binary=True, token_pattern=r"\S+", dtype=np.float32)
    counter.fit([mine[i] for i in long_mine] + [theirs[j] for j in long_theirs])
    a = counter.transform([mine[i] for i in long_mine]).tocsr()
    b = counter.transform([theirs[j] for j in long_theirs]).tocsr()
    size_a, size_b = np.asarray(a.sum(axis=1)).ravel(), np.asarray(b.sum(axis=1)).ravel()
    found = []
    for start in range(0, len(long_mine), 512):
        shared = (a[start : start + 512] @ b.T).tocoo()
        union = size_a[shared.row + start] + size_b[shared.col] - shared.data
        near = shared.data / union >= _SHARED_WORDS
        met: set[int] = set()
        for row, col in zip(shared.row[near] + start, shared.col[near], strict=True):
            i, j = long_mine[int(row)], long_theirs[int(col)]
            if i not in met and fuzz.token_sort_ratio(mine[i], theirs[j], score_cutoff=NEAR):
                met.add(i)
                found.append((i, j))
    return found


def _groups(records: Iterable[Record]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The lowest key of each key's question: keys that have an id in common are wordings of one question."""
    wordings: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for record in records:
        wordings[record.question_id].add(question_key(record))
        ids[question_key(record)].add(record.question_id)
    lowest: dict[tuple[str, ...], tuple[str, ...]] = {}
    for key in sorted(ids):
        reached = [] if key in lowest else [key]
        for one in reached:
            if one not in lowest:
                lowest[one] = key
                reached += [other for question_id in ids[one] for other in wordings[question_id]]
    return lowest


def _held_out(
    records: Iterable[Record], groups: dict[tuple[str, ...], tuple[str, ...]], share: float, seed: int, part: int
) -> set[tuple[str, ...]]:
    by_corpus: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    home: dict[tuple[str, ...], str] = {}
    for record in records:  # exemplars and ticked answers share their questions: drawn once
        key = groups[question_key(record)]
        home[key] = min(record.corpus, home.get(key, record.corpus))
    for key, corpus in home.items():
        by_corpus[corpus].add(key)
    held: set[tuple[str, ...]] = set()
    for corpus, keys in sorted(by_corpus.items()):
        ordered = sorted(keys)
        random.Random(f"{seed}:{corpus}").shuffle(ordered)
        first, last = (round(number * share * len(ordered)) for number in (part, part + 1))
        drawn = ordered[first : max(first + 1, last)]
        held.update(drawn[: len(ordered) - 1])  # one is left to train on
    return held


def _foreign_candidates(records: Sequence[Record], sides: dict[str, bool], share: float, seed: int) -> list[Left]:
    """Rows of candidates who answered on both sides: the side with most of their rows keeps them.

    Where that would leave nothing of a corpus to validate with, as when everybody answers every question, a share of
    its candidates is drawn, whose rows on the other side go instead.
    """
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    corpora: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.candidate:
            counts[record.candidate][sides[record.id]] += 1
            corpora[record.corpus].add(record.candidate)
    home = {candidate: count[True] >= count[False] for candidate, count in counts.items()}
    lost = {r.corpus for r in records if sides[r.id]}
    lost -= {r.corpus for r in records if sides[r.id] and home.get(r.candidate, True)}
    for corpus, candidates in sorted(corpora.items()):
        torn = sorted(one for one in candidates if counts[one][True])
        if corpus in lost and torn:
            random.Random(f"{seed}:{corpus}:candidates").shuffle(torn)
            home |= dict.fromkeys(torn[: max(1, round(share * len(torn)))], True)
    return [
        Left(record, "its candidate stands on the other side")
        for record in records
        if record.candidate and sides[record.id] != home[record.candidate]
    ]


def _told(rows: Sequence[Record], against: Sequence[Record], name: str) -> list[Left]:
    ids = {record.id: record for record in rows}
    reasons: dict[str, str] = {}
    for crossing in crossings(rows, against):
        what = {"question": "its question", "answer": "nearly the same answer", "candidate": "its candidate"}
        reasons.setdefault(crossing.one, f"{what[crossing.kind]} stands in {name} ({crossing.other})")
    return [Left(ids[key], reason) for key, reason in reasons.items()]
