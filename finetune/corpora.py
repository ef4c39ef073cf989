"""Graded short answers of others: SciEntsBank, Beetle and SAF, read from a directory the user names."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from workbench.exam.model import Verdict

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

CorpusName = Literal["scientsbank", "beetle", "saf"]
Split = Literal["train", "test-ua", "test-uq"]

CORPORA: tuple[CorpusName, ...] = get_args(CorpusName)
SPLITS: tuple[Split, ...] = get_args(Split)
LABELS: tuple[Verdict, ...] = ("correct", "partial", "incorrect")

MANIFEST = Path(__file__).resolve().parents[1] / "data" / "corpora" / "manifest.json"
"""Licence, source and SHA-256 of every file; the files themselves stay where the user has them."""

_MARKS = re.compile(r"\W+")
_POINTS = {"correct": 10.0, "partial": 5.0, "incorrect": 0.0}


class CorpusError(ValueError):
    """A corpus is missing or not as it should be; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """One graded answer.

    Attributes:
        id: Unique over all corpora.
        question_id: Question it answers.
        question: Text of the question.
        references: Right answers; several are alternatives, each right by itself.
        answer: What was answered.
        label: The mark in three steps.
        score10: The mark from 0 to 10, None where only the label is known.
        corpus: Where it comes from.
        split: Which part of it.
        candidate: Pseudonym of who answered, empty where unknown.
        key_points: (text, weight) of what a full answer says, where that is known.
        ticks: Covered, contradicted or missing for each of them, where they were ticked.
        feedback: What the candidate was told, empty where unknown.
    """

    id: str
    question_id: str
    question: str
    references: tuple[str, ...]
    answer: str
    label: Verdict
    score10: float | None
    corpus: str
    split: str
    candidate: str = ""
    key_points: tuple[tuple[str, float], ...] = ()
    ticks: tuple[str, ...] = ()
    feedback: str = ""

    @property
    def points(self) -> float:
        """The mark from 0 to 10; where only a label is known, 10, 5 or 0."""
        return _POINTS[self.label] if self.score10 is None else self.score10


class Asking(Protocol):
    """Anything that holds a question and what is right."""

    @property
    def question(self) -> str:
        """What is asked."""
        ...

    @property
    def references(self) -> tuple[str, ...]:
        """Right answers."""
        ...


@dataclass(frozen=True)
class Left:
    """A record that was left out, and why."""

    record: Record
    reason: str


@dataclass(frozen=True)
class Loaded:
    """A split of a corpus.

    Attributes:
        records: What is used.
        left_out: What is not, with the reason.
        sha256: Of the file.
        as_published: Whether that is the hash in the manifest.
    """

    records: tuple[Record, ...]
    left_out: tuple[Left, ...]
    sha256: str
    as_published: bool


def data_directory(settings: Settings, data: Path | None = None) -> Path:
    """Where the corpora are: the directory given, else `datasets` in `VIVA_SHARED_DIR`.

    Raises:
        CorpusError: No directory is named, or there is none.
    """
    chosen = data or (settings.shared_dir / "datasets" if settings.shared_dir else None)
    wanted = f"it must hold folders named {', '.join(CORPORA)} with {', '.join(f'{s}.jsonl' for s in SPLITS)}"
    if chosen is None:
        raise CorpusError(f"no directory of graded answers is named; give --data or set VIVA_SHARED_DIR: {wanted}")
    if not chosen.is_dir():
        raise CorpusError(f"no directory {chosen}; give --data or set VIVA_SHARED_DIR: {wanted}")
    return chosen


def card(corpus: str) -> dict[str, Any]:
    """Title, licence, source and hashes of a corpus.

    Raises:
        CorpusError: An unknown corpus.
    """
    _known("corpus", corpus, CORPORA)
    return dict(json.loads(MANIFEST.read_text(encoding="utf-8"))[corpus])


def load(corpus: str, split: str, directory: Path) -> Loaded:
    """Reads a split.

    A test split is kept whole, so that figures compare with published ones. From a train split go the questions that
    stand in `test-uq` with the same text and references, the answers that stand in a test split under the same question
    text, and those to one question that are labelled in two ways.

    Args:
        corpus: One of `CORPORA`.
        split: One of `SPLITS`.
        directory: Holds a folder for each corpus.

    Raises:
        CorpusError: An unknown name, a missing file, or a line that does not fit; the message names the line.
    """
    _known("corpus", corpus, CORPORA)
    _known("split", split, SPLITS)
    records, sha256 = _read(corpus, split, directory)
    published = card(corpus)["sha256"][split]
    if sha256 != published:
        log.warning(
            "%s/%s.jsonl has SHA-256 %s..., the published file %s...: figures will not compare with published ones; "
            "fetch the file again, or mend data/corpora/manifest.json if the change is meant",
            corpus, split, sha256[:12], published[:12],
        )  # fmt: skip
    left_out = _leaks(corpus, records, directory) if split == "train" else []
    gone = {left.record.id for left in left_out}
    return Loaded(tuple(r for r in records if r.id not in gone), tuple(left_out), sha256, sha256 == published)


def question_key(record: Asking) -> tuple[str, ...]:
    """What makes two questions the same whatever their ids: text and references, normalised."""
    return normalised(record.question), *sorted({normalised(text) for text in record.references})


def question_hash(record: Asking) -> str:
    """A question's text and references in twelve hexadecimal digits, by which an adapter knows what it has met."""
    return hashlib.sha256("\n".join(question_key(record)).encode()).hexdigest()[:12]


def normalised(text: str) -> str:
    """Lower case, one space for everything that is no letter or figure."""
    return _MARKS.sub(" ", text.lower()).strip()


def _leaks(corpus: str, records: Sequence[Record], directory: Path) -> list[Left]:
    tests = {split: _read(corpus, split, directory)[0] for split in SPLITS if split != "train"}
    unseen = {question_key(record) for record in tests["test-uq"]}
    tested = {_asked(record): split for split, rows in tests.items() for record in rows}
    labels: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        labels[record.question_id, normalised(record.answer)].add(record.label)
    left_out = []
    for record in records:
        marks = labels[record.question_id, normalised(record.answer)]
        if question_key(record) in unseen:
            left_out.append(Left(record, "the question itself stands in test-uq"))
        elif _asked(record) in tested:
            split = tested[_asked(record)]
            left_out.append(Left(record, f"the same answer to the same question stands in {split}"))
        elif len(marks) > 1:
            left_out.append(Left(record, f"the same answer is labelled {' and '.join(sorted(marks))}"))
    return left_out


def _asked(record: Record) -> tuple[str, str]:
    return normalised(record.question), normalised(record.answer)


def _known(what: str, given: str, allowed: Sequence[str]) -> None:
    if given not in allowed:
        raise CorpusError(f"unknown {what} {given!r}; known: {', '.join(allowed)}")


def _read(corpus: str, split: str, directory: Path) -> tuple[list[Record], str]:
    path = directory / corpus / f"{split}.jsonl"
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"cannot read {path}: {error.strerror}; give the directory that holds {corpus}/ with --data or "
            "VIVA_SHARED_DIR (data/corpora/README.md says what lies there)"
        ) from error
    records = []
    for number, line in enumerate(raw.decode("utf-8").split("\n"), 1):
        if line.strip():
            records.append(_record(line, corpus, split, f"{path}:{number}"))
    return records, hashlib.sha256(raw).hexdigest()


def _record(line: str, corpus: str, split: str, where: str) -> Record:
    try:
        row = json.loads(line)
        score = row.get("score10")
        record = Record(
            str(row["id"]),
            str(row["question_id"]),
            str(row["question"]),
            tuple(dict.fromkeys(str(text) for text in row["references"] if str(text).strip())),
            str(row["answer"]),
            row["label"],
            None if score is None else float(score),
            corpus,
            split,
            feedback=str(row.get("feedback") or "").strip(),
        )
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorpusError(
            f"{where}: {error!r}; a line is a JSON object with id, question_id, question, references, answer and label"
        ) from error
    if record.label not in LABELS:
        raise CorpusError(f"{where}: label {record.label!r}; allowed: {', '.join(LABELS)}")
    if not record.references:
        raise CorpusError(f"{where}: no reference answer; give at least one in `references`")
    if record.score10 is not None and not 0 <= record.score10 <= 10:
        raise CorpusError(f"{where}: score10 {record.score10}; allowed: 0 to 10, or null")
    return record
