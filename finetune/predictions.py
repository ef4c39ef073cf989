"""What a judge made of every answer, one JSON line each, so that two judges can be compared answer by answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from finetune.answers import FIRST_AREAS, Marked
from finetune.corpora import normalised, question_hash
from finetune.pair_features import Pair
from finetune.references import references_of
from workbench.exam.model import Verdict
from workbench.judging.base import Judge

Medium = Literal["typed", "heard"]
Seen = Literal["seen", "unseen"]

LENGTHS = ((10, "1 up to 10 words"), (30, "2 11 to 30 words"))
"""Most words of a short and of a middling answer; whatever is longer is long."""

LONG = "3 over 30 words"


class PredictionsError(ValueError):
    """A file of predictions is missing or not as it should be; the message says what to do."""


@dataclass(frozen=True)
class Prediction:
    """The mark one judge gave one answer, beside the examiner's.

    Attributes:
        row_id: Question and hash of the answer; the same whoever judges it. No words of the answer stand in it.
        question_id: Question it answers.
        true_verdict: The examiner's.
        given_verdict: The judge's.
        true_points: The examiner's, 0 to 10.
        given_points: The judge's.
        confidence: The judge's, 0 to 1.
        slices: Name of each way to cut the answers and the part this one falls into.
        judge: What the judge was asked for as.
        version: Name and version as they stand beside the mark.
        ms: Time it took; None for the first answer to a question, whose wordings are read then.
    """

    row_id: str
    question_id: str
    true_verdict: Verdict
    given_verdict: Verdict
    true_points: float
    given_points: float
    confidence: float
    slices: dict[str, str] = field(default_factory=dict)
    judge: str = ""
    version: str = ""
    ms: float | None = None


def predict(
    judge: Judge,
    answers: Iterable[Marked | tuple[Marked, float]],
    *,
    asked_as: str = "",
    medium: Medium = "typed",
    trained_on: Collection[str] | None = None,
    seen: Seen | None = None,
) -> Iterator[Prediction]:
    """Marks answers one by one.

    Args:
        judge: The judge.
        answers: With the examiner's marks; of heard ones, also how sure the recogniser was.
        asked_as: Name it was asked for by; empty takes its own.
        medium: How the answers came.
        trained_on: The questions the judge learned from, as `stems_of` or `questions_met` reads them.
        seen: Whether it learned from these questions, where the split says so; wins over `trained_on`.
    """
    met: set[str] = set()
    times: Counter[str] = Counter()
    for given in answers:
        answer, recognised = given if isinstance(given, tuple) else (given, 1.0)
        started = time.perf_counter()
        mark = judge.judge(
            answer.question, answer.text, question_text=answer.scenario, recognition_confidence=recognised
        )
        ms = 1000 * (time.perf_counter() - started)
        key = row_id(answer.question.id, answer.text) + (":heard" if medium == "heard" else "")
        times[key] += 1
        yield Prediction(
            row_id=key if times[key] == 1 else f"{key}:{times[key]}",
            question_id=answer.question.id,
            true_verdict=answer.verdict,
            given_verdict=mark.verdict,
            true_points=answer.points,
            given_points=mark.points,
            confidence=mark.confidence,
            slices=slices_of(answer, medium=medium, trained_on=trained_on, seen=seen),
            judge=asked_as or judge.name,
            version=mark.judge,
            ms=round(ms, 3) if answer.question.id in met else None,
        )
        met.add(answer.question.id)


def row_id(question_id: str, text: str) -> str:
    """What names an answer in every file of predictions: its question and a hash of its words."""
    return f"{question_id}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def slices_of(
    answer: Marked, *, medium: Medium = "typed", trained_on: Collection[str] | None = None, seen: Seen | None = None
) -> dict[str, str]:
    """Length, discipline, medium, areas' age (see `FIRST_AREAS`), and whether the question was seen, where known.

    Args:
        answer: The answer.
        medium: How it came.
        trained_on: Questions the judge learned from, by their text or `question_hash`.
        seen: What the split says.
    """
    n_words = len(answer.text.split())
    slices = {
        "length": next((name for most, name in LENGTHS if n_words <= most), LONG),
        "discipline": answer.discipline,
        "medium": medium,
    }
    if answer.scenario:  # answers of corpora have none, and no area
        slices["areas"] = "mended once" if answer.area in FIRST_AREAS else "never seen"
    if seen is None and trained_on is not None:
        asked = Pair(f"{answer.scenario} {answer.question.stem}".strip(), references_of(answer.question), answer.text)
        seen = "unseen" if {normalised(asked.question), question_hash(asked)}.isdisjoint(trained_on) else "seen"
    return slices | ({"question": seen} if seen else {})


def stems_of(path: Path) -> frozenset[str]:
    """Questions in training data that `viva-finetune prepare` wrote, each with its scenario.

    Raises:
        PredictionsError: No such file, or no such data.
    """
    from finetune.prepare import read_prepared

    if path.is_dir():
        path = path / "train.jsonl"
    try:
        return frozenset(normalised(record.question) for record in read_prepared(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PredictionsError(
            f"{path} is no training data ({error}); give the folder that `viva-finetune prepare` wrote"
        ) from error


def by_slice(predictions: Sequence[Prediction]) -> dict[str, dict[str, list[int]]]:
    """Name of each way to cut, its parts in order, and the row numbers of each."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, prediction in enumerate(predictions):
        for name, part in prediction.slices.items():
            found[name][part].append(row)
    return {name: dict(sorted(parts.items())) for name, parts in sorted(found.items())}


def write_predictions(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes one JSON line a row; a file that was there is replaced only once all are written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text("".join(f"{json.dumps(asdict(p))}\n" for p in predictions), encoding="utf-8")
    unfinished.replace(path)


def read_predictions(path: Path) -> list[Prediction]:
    """What `write_predictions` wrote.

    Raises:
        PredictionsError: No such file, a line that does not fit, no line at all, or a row that stands there twice.
    """
    how = "`viva-finetune evaluate --judges JUDGE --predictions FILE.jsonl` writes one"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsError(f"cannot read predictions from {path}: {error}; {how}") from error
    read: TypeAdapter[Prediction] = TypeAdapter(Prediction)
    predictions, at = [], dict[str, int]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = read.validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            field_ = ".".join(str(part) for part in problem["loc"]) or "the line"
            raise PredictionsError(
                f"{path}:{number}: {field_}: {problem['msg']}; verdicts are {', '.join(get_args(Verdict))}; {how}"
            ) from error
        if one.row_id in at:
            raise PredictionsError(
                f"{path}:{number}: row {one.row_id} stands on line {at[one.row_id]} already; one judge and one medium "
                f"a file; {how}"
            )
        at[one.row_id] = number
        predictions.append(one)
    if not predictions:
        raise PredictionsError(f"{path} holds no predictions; {how}")
    return predictions


def columns(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Rows as the columns that `finetune.metrics.scores` takes."""
    return {
        "true": [p.true_verdict for p in predictions],
        "given": [p.given_verdict for p in predictions],
        "true_points": [p.true_points for p in predictions],
        "given_points": [p.given_points for p in predictions],
        "questions": [p.question_id for p in predictions],
        "confidences": [p.confidence for p in predictions],
    }
