"""Further rows for the training side: answers as a recogniser might have heard them, and answers worth nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from finetune.confusions import Confusions
from finetune.corpora import Record, question_key
from finetune.negatives import KINDS
from finetune.references import reference_question

SLIPS = Path(__file__).resolve().parents[1] / "data" / "judging" / "confusions.json"
"""What Whisper made of answers spoken by Piper through noise; `viva-finetune confusions` fits others."""


def heard_copies(records: Sequence[Record], share: float, seed: int, slips: Confusions) -> list[Record]:
    """Rows once more with the slips of a recogniser; those in which it would have slipped nowhere are left out.

    Args:
        records: Rows to copy.
        share: How many, as a part of them, in [0, 1].
        seed: Of the draw, and of the slips.
        slips: The recogniser's.

    Raises:
        ValueError: `share` is out of range.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of rows heard must lie between 0 and 1, got {share}")
    made = []
    for record in Random(f"heard:{seed}").sample(list(records), round(share * len(records))):
        heard = slips.augment(record.answer, Random(f"heard:{seed}:{record.id}")).strip()
        if heard and heard != record.answer:
            made.append(replace(record, id=f"{record.id}::heard", answer=heard))
    return made


def worthless_answers(records: Sequence[Record], n: int, seed: int) -> list[Record]:
    """Answers that earn nothing, to the questions of rows: denials of the reference, its words without order, rambling.

    Args:
        records: Rows whose questions are taken, each once.
        n: Answers to each question, of different kinds; at most `len(KINDS)`.
        seed: Of the draw.

    Raises:
        ValueError: There are not so many kinds.
    """
    if not 0 <= n <= len(KINDS):
        raise ValueError(f"there are {len(KINDS)} kinds of worthless answers; got {n}")
    made = []
    for record in {question_key(record): record for record in reversed(records)}.values():
        rng = Random(f"worthless:{seed}:{record.question_id}")
        question = reference_question(record.question_id, record.question, record.references)
        for kind in rng.sample(sorted(KINDS), n):
            made.append(
                replace(
                    record,
                    id=f"{record.id}::{kind}",
                    answer=KINDS[kind](question, rng),
                    label="incorrect",
                    score10=0.0,
                    candidate="",
                    ticks=("missing",) * len(record.ticks),
                    feedback="",
                )
            )
    return made
