"""The sample of vivas: its plan, how it is made, and that its known truth is found again in what was committed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
import soundfile

from workbench.exam.bank import load_banks
from workbench.settings import Settings
from workbench.simulate.sample import plan
from workbench.simulate.sample.card import card
from workbench.simulate.sample.making import make, sit_all
from workbench.simulate.sample.raters import clipped_mean
from workbench.transcripts import Transcripts, dictionary, load
from workbench.transcripts.columns import TABLES

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


@pytest.fixture(scope="module")
def sample() -> Transcripts:
    return load(SAMPLE)


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return pd.read_csv(SAMPLE / "truth_answers.csv")


@pytest.fixture(scope="module")
def judged(sample: Transcripts) -> pd.DataFrame:
    """Points of the marks that count: a row a viva, a column a question."""
    return sample.marks[sample.marks.counts].pivot(index="session_id", columns="question_id", values="points")


# ---- the plan ----


def test_the_same_seed_plans_the_same_people_and_another_seed_others():
    assert plan.people(7, 20) == plan.people(7, 20) != plan.people(8, 20)
    area = load_banks(None)["medical"].area("cardiology")
    assert plan.item_truths(7, area) == plan.item_truths(7, area) != plan.item_truths(8, area)


def test_groups_are_equally_able_in_both_areas():
    for _, area in plan.AREAS:
        people = [person for person in plan.people(7, 60) if person.area == area]
        means = [np.mean([p.ability for p in people if p.group == group]) for group in plan.GROUPS]
        assert len(people) == 60 and abs(means[0] - means[1]) < 0.15
        assert np.std([p.ability for p in people]) == pytest.approx(plan.ABILITY_SD, rel=0.05)


def test_a_key_point_is_covered_as_often_as_the_model_says():
    person = replace(plan.people(7, 10)[0], ability=1.0, group="steady")
    item = plan.ItemTruth("q", 0.5, "", {"k": 0.25})
    assert plan.probability(person, item, "k") == pytest.approx(1 / (1 + math.exp(-0.25)))
    biased = replace(item, fault="biased")
    assert plan.probability(person, biased, "k") == plan.probability(person, item, "k")
    hurried = replace(person, group="hurried")
    assert plan.probability(hurried, biased, "k") == pytest.approx(1 / (1 + math.exp(-0.25 + plan.BIAS)))
    assert plan.probability(person, replace(item, fault="random"), "k") == 0.5
    assert plan.probability(person, replace(item, fault="reversed"), "k") < 0.5


def test_a_full_answer_deserves_ten_points_and_says_every_key_point():
    question = load_banks(None)["law"].area("tort").questions[0]
    able = replace(plan.people(7, 10)[0], ability=50.0, typed=True)
    item = plan.ItemTruth(question.id, 0.0, "", {point.id: 0.0 for point in question.key_points})
    knows = plan.known(7, able, item, question)
    assert (knows.points, knows.verdict, set(knows.status.values())) == (10.0, "correct", {"covered"})
    lost = plan.known(7, replace(able, ability=-50.0), item, question)
    assert lost.points == 0.0 and "covered" not in lost.status.values()


def test_the_mean_of_a_mark_kept_within_its_bounds_is_as_computed():
    random = Random(1)
    for mean, sd in ((0.2, 0.9), (9.6, 0.7), (5.0, 2.0)):
        drawn = [min(10.0, max(0.0, random.gauss(mean, sd))) for _ in range(40_000)]
        assert clipped_mean(mean, sd) == pytest.approx(np.mean(drawn), abs=0.03)


def test_a_small_sample_is_made_whole(tmp_path: Path):
    made = make(tmp_path, seed=3, n_each=10, n_spoken=0, judge="keyword")
    assert len(made.sessions) == 20 and (made.sessions.n_items == 12).all() and made.sessions.completed.all()
    again = load(tmp_path)
    for name in TABLES:
        pd.testing.assert_frame_equal(made.table(name), again.table(name), check_exact=True)
    assert set(made.marks.rater) == {"keyword", *json.loads((tmp_path / "truth.json").read_text())["raters"]}
    with pytest.raises(ValueError, match="even number"):
        make(tmp_path, n_each=11)


def test_the_same_seed_makes_the_same_viva_to_the_last_word():
    person = plan.people(3, 10)[4]

    def sat(seed: int) -> dict:
        audio = Path("none is made")
        (one,) = sit_all(seed, [person], Settings(), "keyword", audio, set())
        return one.viva

    one, again, other = sat(3), sat(3), sat(4)
    assert one == again and one["turns"] != other["turns"]
    assert [turn["position"] for turn in one["turns"]] == list(range(len(one["turns"])))
    assert all(turn["start_s"] <= turn["end_s"] for turn in one["turns"])


# ---- what was committed ----


def test_the_sample_is_as_large_as_its_card_says_and_small_enough_to_carry(sample: Transcripts, truth: dict):
    assert len(sample.sessions) == truth["n_sessions"] >= 40 and sample.sessions.area.nunique() == 2
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*")) < 12e6
    assert (SAMPLE / "README.md").read_text(encoding="utf-8") == card(truth)
    assert (SAMPLE / "dictionary.md").read_text(encoding="utf-8") == dictionary()


def test_the_sample_is_what_the_plan_says(sample: Transcripts, truth: dict, answers: pd.DataFrame):
    people = plan.people(truth["seed"], truth["n_sessions"] // 2)
    assert {person.session_id: person.ability for person in people} == truth["abilities"]
    group = sample.sessions.set_index("session_id").group
    assert all(group[person.session_id] == person.group for person in people)
    assert len(answers) == len(sample.items) == 12 * len(people)


def test_no_name_of_a_candidate_is_left_in_it(sample: Transcripts, truth: dict):
    people = plan.people(truth["seed"], truth["n_sessions"] // 2)
    opening = " ".join(sample.turns[sample.turns.item_index.isna()].text.str.lower())
    for person in people:
        assert person.name.lower() not in opening


def test_recordings_are_there_as_long_as_their_vivas_with_a_side_in_each_channel(sample: Transcripts, truth: dict):
    assert len(truth["spoken"]) == 3
    for session_id in truth["spoken"]:
        path = sample.recording(session_id)
        assert path is not None
        sound, rate_hz = soundfile.read(path, dtype="float32")
        duration = sample.sessions.set_index("session_id").duration_s[session_id]
        assert len(sound) / rate_hz == pytest.approx(duration, abs=1.0)
        turns = sample.turns[(sample.turns.session_id == session_id) & ~sample.turns.interrupted]
        for turn in turns.itertuples():
            middle = sound[int((turn.start_s + 0.1) * rate_hz) : int((turn.end_s - 0.1) * rate_hz)]
            loud = np.sqrt((middle**2).mean(axis=0))
            own, other = (0, 1) if turn.speaker == "candidate" else (1, 0)
            # the other side may be talking over a turn's end, never through all of it
            assert loud[own] > 0.02 and loud[own] > 2 * loud[other]
    assert sample.recording("sample_none") is None


def test_abilities_are_found_again_in_the_scores_of_the_good_items(
    sample: Transcripts, judged: pd.DataFrame, truth: dict
):
    for _, sessions in sample.sessions.groupby("area"):
        abilities = sessions.session_id.map(truth["abilities"]).astype(float)
        points = judged.loc[list(sessions.session_id)].drop(columns=truth["bad_items"]).sum(axis=1)
        assert np.corrcoef(abilities, points)[0, 1] >= 0.9
        # the bad ones cost some of it, which is what makes them bad
        assert np.corrcoef(abilities, points)[0, 1] > np.corrcoef(abilities, sessions.score)[0, 1] >= 0.85


def test_the_planted_bad_items_discriminate_worst(judged: pd.DataFrame, truth: dict):
    bad = set(truth["bad_items"])
    for area in ("cardiology", "tort"):
        of_area = [name for name, item in truth["items"].items() if item["area"] == area]
        points = judged[of_area].dropna()
        rest = {name: np.corrcoef(points[name], points.drop(columns=name).sum(axis=1))[0, 1] for name in of_area}
        assert set(sorted(rest, key=rest.__getitem__)[:2]) == bad & set(of_area)
        assert max(rest[name] for name in bad & set(of_area)) < min(rest[name] for name in rest if name not in bad)


def test_the_biased_item_differs_most_between_equally_able_groups(
    sample: Transcripts, judged: pd.DataFrame, truth: dict
):
    group = sample.sessions.set_index("session_id").group
    for area in ("cardiology", "tort"):
        of_area = [name for name, item in truth["items"].items() if item["area"] == area]
        points = judged[of_area].dropna()
        hurried = (group[points.index] == "hurried").to_numpy()
        differences = {}
        for name in of_area:
            rest = points.drop(columns=name).sum(axis=1)
            predictors = np.column_stack([np.ones(len(rest)), rest, hurried])
            differences[name] = np.linalg.lstsq(predictors, points[name], rcond=None)[0][2]
        (biased,) = set(truth["bias"]["items"]) & set(of_area)
        assert min(differences, key=differences.__getitem__) == biased and differences[biased] < -1.0


def test_the_planted_errors_of_raters_are_found_within_their_intervals(
    sample: Transcripts, truth: dict, answers: pd.DataFrame
):
    marks = sample.marks.merge(
        answers[["session_id", "item_index", "deserved_points"]], on=["session_id", "item_index"]
    )
    for name, planted in truth["raters"].items():
        difference = (marks.points - marks.deserved_points)[marks.rater == name]
        assert len(difference) == planted["n_marks"]
        half = 2.58 * difference.std() / math.sqrt(len(difference))
        assert abs(difference.mean() - planted["expected_difference"]) < half
    assert not marks.counts[marks.rater.isin(truth["raters"])].any()


def test_hurried_candidates_are_misheard_more_often_as_planned(sample: Transcripts, truth: dict):
    import jiwer

    turns = sample.turns[(sample.turns.speaker == "candidate") & sample.turns.text_corrected.notna()]
    turns = turns[turns.item_index.notna() & ~turns.session_id.isin(truth["spoken"])]
    group = sample.sessions.set_index("session_id").group
    for name, planned in truth["word_error_rate_aimed_at"].items():
        said = turns[turns.session_id.map(group) == name]
        rate = jiwer.wer(list(said.text_corrected.str.lower()), list(said.text.str.lower()))
        assert rate == pytest.approx(planned, rel=0.35)
