"""Marks with known truth: abilities, difficulties, a bad item, an item that is harder for one group, a biased judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

BAD, BIASED = "q03", "q07"
JUDGE_BIAS, JUDGE_NOISE = -0.8, 1.0


@dataclass(frozen=True)
class Simulated:
    """Marks of `human:A` and `judge`, and what they were made from."""

    marks: pd.DataFrame
    sessions: pd.DataFrame
    ability: pd.Series
    difficulty: pd.Series


def simulated_marks(n_persons: int = 240, n_items: int = 24, n_asked: int | None = 18, *, seed: int = 0) -> Simulated:
    """Every candidate is asked a seeded sample of the questions; points follow a partial credit model of 0, 5, 10.

    `BAD` is answered the better the less somebody knows; `BIASED` is 2 logits harder for the group `quiet`; the judge
    gives `JUDGE_BIAS` points more than the human, with a spread of `JUDGE_NOISE`.
    """
    rng = np.random.default_rng(seed)
    persons = [f"s{number:03d}" for number in range(n_persons)]
    names = [f"q{number:02d}" for number in range(n_items)]
    ability = pd.Series(rng.normal(0, 1.5, n_persons), persons)
    difficulty = pd.Series(rng.normal(0, 0.9, n_items), names)
    difficulty[BIASED] = -0.5
    group = pd.Series(np.where(np.arange(n_persons) % 2, "quiet", "loud"), persons)
    rows = []
    for person in persons:
        asked = names if n_asked is None else sorted(rng.choice(names, n_asked, replace=False))
        for place, name in enumerate(asked, 1):
            own = ability[person] * (-0.6 if name == BAD else 1) - difficulty[name]
            own -= 2.0 * (name == BIASED and group[person] == "quiet")
            steps = np.cumsum([0, own + 0.5, own - 0.5])
            shares = np.exp(steps - steps.max())
            verdict = int(rng.choice(3, p=shares / shares.sum()))
            rows.append((person, place, name, verdict))
    table = pd.DataFrame(rows, columns=["session_id", "item_index", "question_id", "level"])
    table["verdict"] = table.pop("level").map({0: "incorrect", 1: "partial", 2: "correct"})
    human = table.assign(
        rater="human:A", points=table["verdict"].map({"incorrect": 2.0, "partial": 5.0, "correct": 8.0})
    )
    judged = human["points"] + JUDGE_BIAS + rng.normal(0, JUDGE_NOISE, len(table))
    judge = human.assign(rater="judge", points=judged.clip(0, 10))
    sessions = pd.DataFrame({"session_id": persons, "group": group.to_numpy()})
    return Simulated(pd.concat([human, judge], ignore_index=True), sessions, ability, difficulty)
