"""What is planted in simulated vivas is found again: abilities, difficulties, bad and biased items, a judge's error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.simulated_marks import BAD, BIASED, JUDGE_BIAS, Simulated, simulated_marks
from workbench.statistics import dif, fairness, generalisability, items, rasch, raters, recognition


@pytest.fixture(scope="module")
def known() -> Simulated:
    return simulated_marks()


@pytest.fixture(scope="module")
def human(known: Simulated) -> pd.DataFrame:
    return known.marks[known.marks["rater"] == "human:A"]


@pytest.fixture(scope="module")
def fit(human: pd.DataFrame) -> rasch.RaschFit:
    return rasch.rasch(rasch.verdict_scores(human[human["question_id"] != BAD]), standard_errors=False)


def test_abilities_and_difficulties_are_recovered_although_everybody_had_other_questions(
    known: Simulated, fit: rasch.RaschFit
) -> None:
    abilities = fit.persons.set_index("person")["ability"]
    assert np.corrcoef(abilities, known.ability[abilities.index])[0, 1] >= 0.9
    assert fit.sd == pytest.approx(1.5, abs=0.25)
    located = fit.items.set_index("item")["location"].drop(BIASED)
    assert np.corrcoef(located, known.difficulty[located.index])[0, 1] >= 0.9


def test_intervals_of_abilities_hold_the_truth_about_as_often_as_they_say(
    known: Simulated, fit: rasch.RaschFit
) -> None:
    persons = fit.persons.set_index("person")
    truth = known.ability[persons.index]
    assert 0.9 <= ((persons["low"] <= truth) & (truth <= persons["high"])).mean() <= 0.99


def test_infit_is_near_one_where_the_model_holds(fit: rasch.RaschFit) -> None:
    infit = fit.items.set_index("item")["infit"].drop(BIASED)
    assert infit.between(*rasch.GOOD_FIT).all() and infit.mean() == pytest.approx(1, abs=0.05)


def test_the_bad_item_is_the_least_discriminating_and_flagged(human: pd.DataFrame) -> None:
    found = items.item_statistics(human).iloc[0]
    assert found["question_id"] == BAD and found["discrimination_high"] < 0.1 and found["flag"] == "against the rest"


def test_the_biased_item_is_the_only_one_with_large_differential_functioning(
    known: Simulated, human: pd.DataFrame
) -> None:
    groups = known.sessions.set_index("session_id")["group"]
    answers = dif.answers_for_dif(human, groups)
    found = dif.mantel_haenszel(answers, "loud", "quiet")
    assert found.iloc[0][["item", "ets_class"]].tolist() == [BIASED, "C-"]
    assert (found["p_holm"] < 0.05).sum() == 1
    logistic = dif.logistic_dif(answers, "loud", "quiet")
    assert logistic.iloc[0]["item"] == BIASED and logistic.iloc[0]["r2_change"] > 0.035
    assert dif.dif_sentence(found, "quiet").startswith("Of 24 items, 1 showed large")


def test_groups_of_unequal_ability_show_no_differential_functioning_where_the_rasch_model_holds() -> None:
    rng = np.random.default_rng(1)
    n, difficulty = 4000, np.linspace(-1.5, 1.5, 6)
    group = np.repeat(["able", "less able"], n // 2)
    ability = rng.normal(0, 1, n) - (group == "less able")
    right = rng.random((n, 6)) < 1 / (1 + np.exp(difficulty - ability[:, None]))
    answers = pd.DataFrame(
        {"person": np.repeat(np.arange(n), 6), "item": np.tile(np.arange(6), n), "group": np.repeat(group, 6)}
    ).assign(correct=right.ravel().astype(int))
    found = dif.mantel_haenszel(answers, "able", "less able")
    assert np.exp(np.log(found["odds_ratio"]).mean()) == pytest.approx(1, abs=0.02)
    assert found["odds_ratio"].between(0.87, 1.15).all() and set(found["ets_class"]) == {"A"}
    points = answers.assign(points=answers["correct"].astype(float))
    assert (dif.mantel_ordered(points, "able", "less able")["p_holm"] > 0.05).all()
    assert (dif.logistic_dif(answers, "able", "less able")["any_p_holm"] > 0.05).all()


def test_the_judges_error_lies_in_its_interval(known: Simulated) -> None:
    found = raters.compare_raters(known.marks, n_draws=200).iloc[0]
    assert (found["first"], found["second"]) == ("human:A", "judge")
    assert found["bias_low"] < -JUDGE_BIAS + 0.05 and found["bias_high"] > -JUDGE_BIAS - 0.05
    assert found["bias_high"] - found["bias_low"] < 0.2 and found["qwk_low"] <= found["qwk"] <= found["qwk_high"]


def test_a_rater_who_grows_stricter_is_found_and_a_steady_one_is_not() -> None:
    rng = np.random.default_rng(4)
    days = np.repeat(np.arange(30), 12)
    base = pd.DataFrame({"session_id": [f"s{day}" for day in days], "item_index": np.tile(np.arange(12), 30)})
    base["marked_at"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(days, unit="D")
    judge = base.assign(rater="judge", points=rng.uniform(3, 8, 360))
    steady = judge.assign(rater="human:B", points=judge["points"] + rng.normal(0, 1, 360))
    stricter = judge.assign(rater="human:C", points=judge["points"] - 0.05 * days + rng.normal(0, 1, 360))
    found = raters.drift(pd.concat([judge, steady, stricter]), "judge").set_index("rater")
    assert found.loc["human:C", "low"] < -0.05 < found.loc["human:C", "high"] < 0
    assert found.loc["human:B", "low"] < 0 < found.loc["human:B", "high"]


def simulated_study(*, share_asked: float, seed: int) -> pd.DataFrame:
    """Persons x items x raters with variances 1, .5, .25 and interactions .6, .3, .1, .4."""
    rng = np.random.default_rng(seed)
    n, k, r = 120, 15, 3
    score = (
        rng.normal(0, 1, (n, 1, 1)) + rng.normal(0, 0.5**0.5, (1, k, 1)) + rng.normal(0, 0.5, (1, 1, r))
        + rng.normal(0, 0.6**0.5, (n, k, 1)) + rng.normal(0, 0.3**0.5, (n, 1, r)) + rng.normal(0, 0.1**0.5, (1, k, r))
        + rng.normal(0, 0.4**0.5, (n, k, r))
    )  # fmt: skip
    cells = [(p, i, j, score[p, i, j]) for p in range(n) for i in range(k) for j in range(r)]
    table = pd.DataFrame(cells, columns=["person", "item", "rater", "points"])
    return table[rng.random(len(table)) < share_asked]


@pytest.mark.parametrize("share_asked", [1.0, 0.5])
def test_variances_of_persons_items_and_raters_are_recovered_with_and_without_gaps(share_asked: float) -> None:
    found = [
        generalisability.variance_components(simulated_study(share_asked=share_asked, seed=seed), ["item", "rater"])[
            "variance"
        ]
        for seed in range(6)
    ]
    mean = np.mean(found, axis=0)
    truth = [1.0, 0.5, 0.25, 0.6, 0.3, 0.1, 0.4]
    assert mean[[0, 3, 4, 6]].tolist() == pytest.approx([truth[at] for at in (0, 3, 4, 6)], rel=0.15)
    assert np.abs(mean - truth).max() < 0.25


def test_the_interval_of_a_variance_holds_the_truth() -> None:
    table = simulated_study(share_asked=1.0, seed=1)
    table = table[table["rater"] == 0]
    found = generalisability.variance_components(table, n_draws=100).set_index("effect").loc["person"]
    assert found["low"] < 1.3 and found["high"] > 1.0 and found["low"] < found["variance"] < found["high"]


def test_only_effects_of_the_persons_who_are_drawn_have_an_interval() -> None:
    table = simulated_study(share_asked=0.5, seed=2)
    found = generalisability.variance_components(table, ["item", "rater"], n_draws=20).set_index("effect")
    of_persons = found.index.str.startswith("person")
    assert found.loc[of_persons, ["low", "high"]].notna().all(axis=None)
    assert found.loc[~of_persons, ["low", "high"]].isna().all(axis=None) and list(found.index[~of_persons]) == [
        "item", "rater", "item:rater",
    ]  # fmt: skip
    sentence = generalisability.generalisability_sentence(found.reset_index(), 12, n_raters=2, facets=["item", "rater"])
    assert "nan" not in sentence and "Candidates accounted for" in sentence


def test_enough_questions_for_the_target_give_it_and_one_fewer_does_not(human: pd.DataFrame) -> None:
    components = generalisability.variance_components(
        human.rename(columns={"session_id": "person", "question_id": "item"})
    )
    needed = generalisability.items_needed(components, 0.80)
    assert needed is not None and needed > 1
    study = generalisability.decision_study(components, [needed - 1, needed])
    assert study["g"].iloc[0] < 0.80 <= study["g"].iloc[1]


def test_a_planted_error_rate_and_its_price_in_points_are_recovered() -> None:
    rng = np.random.default_rng(5)
    vocabulary = np.array("plaque clot artery statin stent enzyme rhythm valve murmur oedema".split())
    rows = []
    for session in range(40):
        rate = 0.05 if session % 2 else 0.20
        for turn in range(6):
            said = rng.choice(vocabulary, 40)
            heard = np.where(rng.random(40) < rate, "something", said)
            rows.append((f"s{session}", turn, " ".join(heard), " ".join(said), "near" if session % 2 else "far"))
    turns = pd.DataFrame(rows, columns=["session_id", "turn_index", "text", "text_corrected", "group"])
    errors = recognition.turn_errors(turns)
    rates = recognition.word_error_rates(errors, by="group", n_draws=200).set_index("group")
    for group, truth in (("far", 0.20), ("near", 0.05)):
        assert rates.loc[group, "low"] <= truth <= rates.loc[group, "high"]
    said = rng.uniform(4, 10, len(errors))
    heard = said - 12 * errors["wer"] + rng.normal(0, 0.3, len(errors))
    pairs = errors.assign(points_said=said, points_heard=heard)
    cost = recognition.mark_cost(pairs).iloc[0]
    assert cost["slope_low"] <= -1.2 <= cost["slope_high"] and cost["mean_cost"] == pytest.approx(-12 * 0.125, abs=0.2)


def test_a_planted_difference_of_groups_is_found_and_none_is_not_claimed() -> None:
    rng = np.random.default_rng(6)
    people = pd.DataFrame({"accent": np.repeat(["a", "b"], 60), "device": np.tile(["phone", "laptop"], 60)})
    people["score"] = rng.normal(70, 10, 120) - 9 * (people["accent"] == "b")
    people["pace"] = 140 + 0.8 * (people["score"] - 70) + rng.normal(0, 10, 120)
    found = fairness.group_differences(people, ["accent", "device"]).set_index("comparison")
    assert found.loc["accent", "low"] <= 9 <= found.loc["accent", "high"] and found.loc["accent", "p_corrected"] < 0.01
    assert found.loc["device", "low"] < 0 < found.loc["device", "high"]
    slope = fairness.associations(people, ["pace"]).iloc[0]
    assert slope["low"] > 0 and "would be missed" in fairness.limits_sentence(people, "accent")
