"""Answers typed and heard side by side: what hearing costs a judge, by how badly the words came through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.answers import Half, Marked, exemplars
from finetune.choosing import chosen_by_hash
from finetune.hearing import Heard, answer_id, read_rows
from finetune.metrics import RESAMPLES, VERDICTS, codes, draws_by_question, kappa, macro_f1, scores
from finetune.predictions import Prediction, predict
from workbench.judging.base import MODERATE_BELOW, Judge

HEARD = Path(__file__).resolve().parents[1] / "data" / "judging" / "heard.jsonl"
"""What was heard of the banks' held-out exemplars; see `data/judging/README.md`."""

WER_BANDS = (0.0, 0.05, 0.1, 0.2)
"""Upper ends of the bands of word error rate that are looked at apart; the last band is what lies above."""


@dataclass(frozen=True)
class Pair:
    """One answer with what was heard of it."""

    typed: Marked
    hearing: Heard

    @property
    def heard(self) -> Marked:
        """The answer in the recogniser's words."""
        return replace(self.typed, text=self.hearing.text)


def pairs(
    path: Path = HEARD, half: Half = "held-out", banks_dir: Path | None = None, limit: int | None = None
) -> list[Pair]:
    """Exemplars with what was heard of them; exemplars nobody has heard are left out.

    Args:
        path: What was heard.
        half: Which exemplars.
        banks_dir: Of further question banks.
        limit: Only so many, chosen by hash.

    Raises:
        ValueError: No row of the file is of an exemplar of this half as the banks have it now.
    """
    rows = {row.id: row for row in read_rows(path)}
    found = []
    for answer in exemplars(half, banks_dir):
        row = rows.get(answer_id(answer.question.id, answer.text))
        if row is not None:
            found.append(Pair(answer, row))
    if not found:
        raise ValueError(
            f"{path} has {len(rows)} hearings, none of an exemplar of the half {half!r}; "
            f"make them: viva-finetune hear --half {half} --out {path}"
        )
    return chosen_by_hash(found, limit, lambda row: f"{row.typed.question.id} {row.typed.text}")


def marked(
    judge: Judge, rows: Sequence[Pair], *, asked_as: str = "", trained_on: Collection[str] | None = None
) -> Iterator[tuple[Prediction, Prediction]]:
    """Marks every answer twice, typed and heard; see `finetune.predictions.predict`."""
    typed = predict(judge, (row.typed for row in rows), asked_as=asked_as, trained_on=trained_on)
    spoken = ((row.heard, row.hearing.confidence) for row in rows)
    heard = predict(judge, spoken, asked_as=asked_as, trained_on=trained_on, medium="heard")
    return zip(typed, heard, strict=True)


def compare(rows: Sequence[Pair], marks: Sequence[tuple[Prediction, Prediction]]) -> dict[str, Any]:
    """What hearing costs a judge.

    Args:
        rows: The answers.
        marks: Of each, typed and heard, as `marked` gives them.

    Returns:
        `typed` and `heard` (the figures of `finetune.metrics.scores`), `difference` (heard less typed, paired: 95 %
        bootstrap interval by question), the same figures by word error rate, voice and place, how the recogniser's
        errors moved verdicts, and what is left when doubtful marks go to a person.
    """
    typed, heard = [typed for typed, _ in marks], [heard for _, heard in marks]

    def both(chosen: Sequence[int]) -> dict[str, Any]:
        true = [rows[i].typed.verdict for i in chosen]
        same = [typed[i].given_verdict == heard[i].given_verdict for i in chosen]
        return {
            "n": len(chosen),
            "wer": round(float(np.mean([rows[i].hearing.wer for i in chosen])), 4),
            "typed_macro_f1": _f1(true, [typed[i].given_verdict for i in chosen]),
            "heard_macro_f1": _f1(true, [heard[i].given_verdict for i in chosen]),
            "same_verdict": round(float(np.mean(same)), 4),
        }

    def groups(name: Callable[[Pair], str]) -> dict[str, Any]:
        names = [name(row) for row in rows]
        return {one: both([i for i, other in enumerate(names) if other == one]) for one in sorted(set(names))}

    order = {verdict: place for place, verdict in enumerate(reversed(VERDICTS))}
    moved = [order[b.given_verdict] - order[a.given_verdict] for a, b in zip(typed, heard, strict=True)]
    over = [order[b.given_verdict] > order[row.typed.verdict] for b, row in zip(heard, rows, strict=True)]
    return {
        "n": len(rows),
        "wer": round(float(np.mean([row.hearing.wer for row in rows])), 4),
        "typed": _scored(rows, typed),
        "heard": _scored(rows, heard),
        "difference": _difference(rows, typed, heard),
        "verdicts_raised_by_hearing": sum(step > 0 for step in moved),
        "verdicts_lowered_by_hearing": sum(step < 0 for step in moved),
        "raised_above_the_examiner_by_hearing": sum(
            step > 0 and above for step, above in zip(moved, over, strict=True)
        ),
        "by_word_error_rate": groups(lambda row: band_of(row.hearing.wer)),
        "by_voice": groups(lambda row: row.hearing.voice),
        "by_place": groups(lambda row: f"{row.hearing.place}, {row.hearing.snr_db:.0f} dB"),
        "moderation": {"typed": _moderated(rows, typed), "heard": _moderated(rows, heard)},
    }


def band_of(wer: float) -> str:
    """The band of a word error rate, named so that bands sort."""
    for low, high in zip((None, *WER_BANDS), WER_BANDS, strict=False):
        if wer <= high:
            return "0" if low is None else f"above {low:g} to {high:g}"
    return f"above {WER_BANDS[-1]:g}"


def _f1(true: Sequence[str], given: Sequence[str]) -> float:
    return round(macro_f1(codes(true), codes(given)), 4)


def _scored(rows: Sequence[Pair], marks: Sequence[Prediction]) -> dict[str, Any]:
    return scores(
        [row.typed.verdict for row in rows],
        [mark.given_verdict for mark in marks],
        [row.typed.points for row in rows],
        [mark.given_points for mark in marks],
        [row.typed.question.id for row in rows],
    )


def _difference(rows: Sequence[Pair], typed: Sequence[Prediction], heard: Sequence[Prediction]) -> dict[str, Any]:
    """Heard less typed; both are drawn together, so that what makes a question hard cancels out."""
    true = codes([row.typed.verdict for row in rows])
    points = np.array([row.typed.points for row in rows])
    before, after = (codes([mark.given_verdict for mark in marks]) for marks in (typed, heard))
    points_given = [np.array([mark.given_points for mark in marks]) for marks in (typed, heard)]

    def f1(i: NDArray[np.intp]) -> float:
        return macro_f1(true[i], after[i]) - macro_f1(true[i], before[i])

    def qwk(i: NDArray[np.intp]) -> float:
        return kappa(points[i], points_given[1][i]) - kappa(points[i], points_given[0][i])

    draws = draws_by_question([row.typed.question.id for row in rows])
    every = np.arange(len(rows))
    result = {"resamples": RESAMPLES}
    for name, measure in {"macro_f1": f1, "qwk": qwk}.items():
        low, high = np.nanpercentile([measure(draw) for draw in draws], [2.5, 97.5])
        result[name] = {k: round(float(v), 4) for k, v in (("value", measure(every)), ("low", low), ("high", high))}  # type: ignore[assignment]
    return result


def _moderated(rows: Sequence[Pair], marks: Sequence[Prediction]) -> dict[str, Any]:
    """What a person gets to see, and how right the marks are that nobody looks at."""
    wrong = [mark.given_verdict != row.typed.verdict for mark, row in zip(marks, rows, strict=True)]
    doubtful = [mark.confidence < MODERATE_BELOW for mark in marks]
    kept = [i for i, doubt in enumerate(doubtful) if not doubt]
    return {
        "below": MODERATE_BELOW,
        "doubtful_rate": round(float(np.mean(doubtful)), 4),
        "wrong_rate": round(float(np.mean(wrong)), 4),
        "wrong_ones_caught": round(sum(w and d for w, d in zip(wrong, doubtful, strict=True)) / max(1, sum(wrong)), 4),
        "macro_f1_of_the_rest": _f1([rows[i].typed.verdict for i in kept], [marks[i].given_verdict for i in kept]),
    }
