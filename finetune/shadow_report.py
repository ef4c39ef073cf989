"""What a judge in the background agreed on with the one in service, from the file the workbench keeps of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finetune.metrics import VERDICTS, scores


class ShadowError(ValueError):
    """There is no such file, or it is not one; the message says what to do."""


def agreement(path: Path) -> list[dict[str, Any]]:
    """One row for each pair of judges, the pair met first last.

    Nobody is right here by definition: the judge in service stands where the examiner stands in `scores`.

    Args:
        path: `shadow.jsonl` of the data directory.

    Returns:
        `in_service`, `shadow`, `n`, `agree` (share of the same verdict), `qwk` (of the points), both with 95 % by
        question, `harder` and `softer` (shares of verdicts the shadow lowers and raises), `confusion` (rows: in
        service).

    Raises:
        ShadowError: No such file, or a line that is none of its.
    """
    how = "set VIVA_JUDGE_SHADOW and hold vivas: the workbench writes it"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise ShadowError(f"cannot read {path}: {error.strerror}; {how}") from error
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key = (str(row["in_service"]["judge"]), str(row["shadow"]["judge"]))
            for side in ("in_service", "shadow"):
                VERDICTS.index(row[side]["verdict"])
                float(row[side]["points"])
            str(row["question_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise ShadowError(f"{path}:{number}: {error!r}; {how}, one JSON object a line") from error
        pairs.setdefault(key, []).append(row)
    return [_told(*key, rows) for key, rows in reversed(pairs.items())]


def _told(in_service: str, shadow: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sides = {side: [row[side]["verdict"] for row in rows] for side in ("in_service", "shadow")}
    points = {side: [row[side]["points"] for row in rows] for side in ("in_service", "shadow")}
    found = scores(
        sides["in_service"], sides["shadow"], points["in_service"], points["shadow"], [r["question_id"] for r in rows]
    )
    # VERDICTS runs from the best to the worst
    steps = [VERDICTS.index(b) - VERDICTS.index(a) for a, b in zip(*sides.values(), strict=True)]
    return {
        "in_service": in_service,
        "shadow": shadow,
        "n": len(rows),
        "questions": found["questions"],
        "agree": found["accuracy"],
        "qwk": found["qwk"],
        "harder": round(sum(step > 0 for step in steps) / len(steps), 4),
        "softer": round(sum(step < 0 for step in steps) / len(steps), 4),
        "confusion": found["confusion"],
    }
