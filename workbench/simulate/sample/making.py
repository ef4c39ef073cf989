"""Makes the sample: a folder of tables, three recordings, the truth behind them and a card."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.exam.bank import load_banks
from workbench.exam.items import Question
from workbench.exam.model import Evaluation
from workbench.settings import Settings
from workbench.simulate.sample.card import card
from workbench.simulate.sample.plan import (
    ABILITY_SD,
    AREAS,
    BIAS,
    BIASED_AGAINST,
    GROUPS,
    WORD_ERROR_RATE,
    Person,
    item_truths,
    people,
)
from workbench.simulate.sample.raters import planted_marks
from workbench.simulate.sample.sitting import Sat, Sitting
from workbench.simulate.sample.speaking import ModelledSpeech, Speech
from workbench.store.pseudonyms import keyed
from workbench.transcripts import Transcripts, to_parquet
from workbench.transcripts.from_export import ExportSource
from workbench.transcripts.loading import of_source

SEED = 7
N_EACH = 60
N_SPOKEN = 3
FIRST_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
A_DAY = 12
"""Vivas a day, one every half an hour."""


class MadeSource(ExportSource):
    """Vivas that were just made, in the shape of the researchers' export."""

    def __init__(self, vivas: list[dict[str, Any]]) -> None:
        self.paths = ()
        self.about = "vivas made for the sample"
        self.vivas = vivas

    def recording(self, session_id: str) -> Path | None:
        """None: recordings are written beside the tables."""
        return None


def make(
    folder: Path,
    *,
    seed: int = SEED,
    n_each: int = N_EACH,
    n_spoken: int = N_SPOKEN,
    judge: str = "hybrid",
    on_viva: Callable[[], None] = lambda: None,
) -> Transcripts:
    """Makes the sample in a folder and returns its tables.

    Args:
        folder: Where to; files of an earlier sample are replaced.
        seed: Seed of everything that is drawn.
        n_each: Vivas of each area; an even number.
        n_spoken: Vivas of which the sound is made, spoken by Piper and heard by the recogniser.
        judge: Name of the judge that marks them.
        on_viva: Called after each viva.

    Raises:
        ValueError: An odd or too small number of vivas.
        EngineError: Weights that are needed are not there; `viva models pull` fetches them.
    """
    if n_each < 10 or n_each % 2:
        raise ValueError(f"a sample has an even number of vivas of each area, 10 or more, got {n_each}")
    settings = Settings()
    candidates = people(seed, n_each)
    spoken = _to_be_spoken(candidates, n_spoken)
    for old in (folder / "audio").glob("*.ogg"):
        old.unlink()
    sittings = sit_all(seed, candidates, settings, judge, folder / "audio", spoken, on_viva)
    made = of_source(MadeSource([sat.viva for sat in sittings]))
    truth = pd.DataFrame([row for sat in sittings for row in sat.truth])
    marks, raters = planted_marks(seed, truth, made.sessions)
    group = {person.session_id: person.group for person in candidates}
    tables = {name: made.table(name) for name in ("turns", "words", "items", "events")}
    tables["sessions"] = made.sessions.assign(group=made.sessions["session_id"].map(group))
    tables["marks"] = _with(made, marks)
    sample = Transcripts.of(tables, about=f"the sample of seed {seed}")
    to_parquet(sample, folder)
    truth.to_csv(folder / "truth_answers.csv", index=False)
    facts = _facts(seed, candidates, raters, sample, sorted(spoken))
    (folder / "truth.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(facts), encoding="utf-8")
    return sample


def sit_all(
    seed: int,
    candidates: list[Person],
    settings: Settings,
    judge: str,
    audio: Path,
    spoken: set[str],
    on_viva: Callable[[], None] = lambda: None,
) -> list[Sat]:
    """Every viva of a plan, the sound of some written to `audio`."""
    from finetune.confusions import Confusions
    from workbench.judging.registry import make_judge

    banks = load_banks(None)
    truths = {area: item_truths(seed, banks[discipline].area(area)) for discipline, area in AREAS}
    judging = make_judge(judge, settings)

    def mark(question: Question, case: str, answer: str, confidence: float) -> Evaluation:
        return judging.judge(question, answer, question_text=case, recognition_confidence=confidence)

    modelled = ModelledSpeech(seed, Confusions.load(confusions_file()))
    aloud: Any = None
    if spoken:
        from workbench.simulate.sample.sound import SpokenSpeech, write_recording

        aloud = SpokenSpeech(settings)
    found = []
    key = f"sample {seed}".encode()
    for place, person in enumerate(_in_turn(candidates)):
        speech: Speech = aloud if person.session_id in spoken else modelled
        pseudonym = "c-" + keyed(key, "candidate", person.session_id).lower()
        started_at = FIRST_DAY + timedelta(days=place // A_DAY, minutes=30 * (place % A_DAY))
        sitting = Sitting(
            seed, person, banks[person.discipline], truths[person.area], speech, mark, pseudonym, started_at
        )
        sat = sitting.sit()
        if sat.sounds:
            write_recording(audio / f"{person.session_id}.ogg", sat.sounds, sitting.at_s)
            sat.sounds.clear()
        found.append(sat)
        on_viva()
    if aloud is not None:
        aloud.close()
    return found


def confusions_file() -> Path:
    """Which words Whisper takes for which, as measured here.

    Raises:
        FileNotFoundError: The checkout's `data` is not there; the sample is made in a checkout.
    """
    path = Path(str(files("workbench"))).parent / "data" / "judging" / "confusions.json"
    if not path.is_file():
        raise FileNotFoundError(2, "the sample is made in a checkout, with its data folder", str(path))
    return path


def _in_turn(candidates: list[Person]) -> list[Person]:
    """The areas in turn, so that each is spread over all days."""
    by_area = [[person for person in candidates if person.area == area] for _, area in AREAS]
    return [person for together in zip_longest(*by_area) for person in together if person is not None]


def _to_be_spoken(candidates: list[Person], n: int) -> set[str]:
    """Of both areas and groups: the first ones that speak."""
    wanted = [(AREAS[0][1], GROUPS[0]), (AREAS[1][1], GROUPS[1]), (AREAS[0][1], GROUPS[1]), (AREAS[1][1], GROUPS[0])]
    found: list[str] = []
    for area, group in wanted[:n]:
        fitting = (p.session_id for p in candidates if (p.area, p.group, p.typed) == (area, group, False))
        found.append(next(fitting))
    return set(found)


def _with(made: Transcripts, planted: pd.DataFrame) -> pd.DataFrame:
    """The judge's marks and the planted ones behind them, in the order of the vivas."""
    order = {session_id: place for place, session_id in enumerate(made.sessions["session_id"])}
    both = pd.concat([made.marks.astype({"rater_kind": "str", "verdict": "str"}), planted], ignore_index=True)
    both = both.assign(place=both["session_id"].map(order)).sort_values(["place", "item_index"], kind="stable")
    both["mark_index"] = both.groupby(["session_id", "item_index"]).cumcount()
    return both.drop(columns="place").reset_index(drop=True)


def _facts(
    seed: int, candidates: list[Person], raters: dict[str, Any], sample: Transcripts, spoken: list[str]
) -> dict[str, Any]:
    banks = load_banks(None)
    items = {
        question_id: {
            "area": area,
            "difficulty": truth.difficulty,
            "fault": truth.fault,
            "points": dict(truth.points),
        }
        for discipline, area in AREAS
        for question_id, truth in item_truths(seed, banks[discipline].area(area)).items()
    }
    return {
        "seed": seed,
        "n_sessions": len(candidates),
        "n_words": len(sample.words),
        "model": "probability of covering a key point: logistic(ability - item difficulty - point difficulty)",
        "ability_sd": ABILITY_SD,
        "abilities": {person.session_id: person.ability for person in candidates},
        "items": items,
        "bias": {
            "logits": BIAS,
            "against": BIASED_AGAINST,
            "items": [i for i, t in items.items() if t["fault"] == "biased"],
        },
        "bad_items": [i for i, t in items.items() if t["fault"] in ("random", "reversed")],
        "group_difference_in_ability": "none: of two neighbours in ability one is in each group",
        "word_error_rate_aimed_at": WORD_ERROR_RATE,
        "raters": raters,
        "spoken": spoken,
    }
