"""What was planted in data/sample is found again: abilities, bad and biased questions, raters' errors, misheard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.statistics import dif, items, rasch, raters, recognition

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
AREAS = ("cardiology", "tort")

pytestmark = pytest.mark.skipif(not (SAMPLE / "truth.json").is_file(), reason="no data/sample: make sample makes it")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def vivas() -> Any:
    from workbench.transcripts import load

    return load(SAMPLE)


@pytest.fixture(scope="module")
def deserved() -> pd.DataFrame:
    return pd.read_csv(SAMPLE / "truth_answers.csv")


def human_marks(vivas: Any, area: str) -> pd.DataFrame:
    """Those of the rater without planted error beside noise."""
    ids = vivas.sessions.loc[vivas.sessions["area"] == area, "session_id"]
    marks = vivas.marks
    return marks[(marks["rater"] == "human:AB12") & marks["session_id"].isin(ids)].drop(columns="counts")


def faults(truth: dict[str, Any], area: str, *kinds: str) -> set[str]:
    return {name for name, item in truth["items"].items() if item["area"] == area and item["fault"] in kinds}


@pytest.mark.parametrize("area", AREAS)
def test_the_bad_questions_are_the_least_discriminating(vivas: Any, truth: dict[str, Any], area: str) -> None:
    found = items.item_statistics(human_marks(vivas, area))
    assert set(found["question_id"].head(2)) == faults(truth, area, "random", "reversed")
    assert found["discrimination"].iloc[1] < 0.3 < found["discrimination"].iloc[2]
    assert (
        found["question_id"].iloc[0] in faults(truth, area, "reversed") and found["flag"].iloc[0] == "against the rest"
    )


@pytest.mark.parametrize("area", AREAS)
def test_abilities_are_recovered_from_the_good_questions(vivas: Any, truth: dict[str, Any], area: str) -> None:
    marks = human_marks(vivas, area)
    good = marks[~marks["question_id"].isin(faults(truth, area, "random", "reversed"))]
    ability = rasch.rasch(rasch.verdict_scores(good), standard_errors=False).persons.set_index("person")["ability"]
    planted = pd.Series(truth["abilities"])[ability.index]
    assert np.corrcoef(ability, planted)[0, 1] >= 0.9


@pytest.mark.parametrize("area", AREAS)
def test_the_biased_question_is_the_first_suspect_of_differential_functioning(
    vivas: Any, truth: dict[str, Any], area: str
) -> None:
    groups = vivas.sessions.set_index("session_id")["group"]
    found = dif.mantel_ordered(dif.scores_for_dif(human_marks(vivas, area), groups), "steady", "hurried").iloc[0]
    assert {found["item"]} == faults(truth, area, "biased")
    assert found["high"] < 0 and found["p_holm"] < 0.05


def test_the_differences_of_the_planted_raters_lie_in_their_intervals(
    vivas: Any, truth: dict[str, Any], deserved: pd.DataFrame
) -> None:
    standard = deserved.rename(columns={"deserved_points": "points", "deserved_verdict": "verdict"})
    standard = standard.assign(rater="deserved")[["session_id", "item_index", "rater", "points", "verdict"]]
    planted = vivas.marks[vivas.marks["rater"].isin(truth["raters"])][standard.columns]
    together = pd.concat([standard, planted.astype({"verdict": object})], ignore_index=True)
    found = raters.compare_raters(together, n_draws=200).set_index(["first", "second"])
    for name, rater in truth["raters"].items():
        row = found.loc[("deserved", name)]
        assert row["bias_low"] <= -rater["expected_difference"] <= row["bias_high"], name


def test_the_drift_that_was_planted_is_found_and_no_other(vivas: Any, truth: dict[str, Any]) -> None:
    found = raters.drift(vivas.marks, "human:AB12").set_index("rater")
    started = vivas.sessions["started_at"]
    days = (started.max() - started.min()) / pd.Timedelta(days=1)
    planted = truth["raters"]["human:CD34"]["drift"] / days
    assert 0 < found.loc["human:CD34", "low"] and found.loc["human:CD34", "per_day"] == pytest.approx(planted, rel=0.25)
    steady = found.loc["models:/viva-examiner/3"]
    assert steady["low"] < 0 < steady["high"]


def test_hurried_candidates_are_misheard_about_as_often_as_was_planned(vivas: Any, truth: dict[str, Any]) -> None:
    turns = vivas.turns[vivas.turns["speaker"] == "candidate"].merge(vivas.sessions[["session_id", "group"]])
    rates = recognition.word_error_rates(recognition.turn_errors(turns), "group", n_draws=100).set_index("group")
    for group, planned in truth["word_error_rate_aimed_at"].items():
        assert rates.loc[group, "wer"] == pytest.approx(planned, abs=0.02)
    assert rates.loc["hurried", "low"] > rates.loc["steady", "high"]
