"""Statistics equal the worked examples they were published with, or what R prints for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from tests import published_tables as tables
from workbench.statistics import dif, fairness, generalisability, items, rasch, raters


def test_the_six_intraclass_correlations_are_those_of_shrout_and_fleiss_1979_table_4() -> None:
    found = raters.icc(tables.SHROUT_FLEISS_1979_TABLE_2)
    assert found["value"].round(2).tolist() == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    # intervals and F as R's psych::ICC prints them for these data
    assert found["low"].tolist() == pytest.approx([-0.133, 0.019, 0.342, -0.884, 0.071, 0.676], abs=6e-4)
    assert found["high"].tolist() == pytest.approx([0.723, 0.761, 0.946, 0.912, 0.927, 0.986], abs=6e-4)
    assert found["f"].round(1).tolist() == pytest.approx([1.8, 11.0, 11.0] * 2, abs=0.06)
    assert found["p"].tolist() == pytest.approx([0.16477, 0.00013, 0.00013] * 2, abs=1e-5)


def test_alpha_of_the_judges_of_shrout_and_fleiss_is_their_icc_3_k_with_its_interval() -> None:
    found = items.alpha(tables.SHROUT_FLEISS_1979_TABLE_2)
    assert (found.value, found.low, found.high) == pytest.approx((0.909, 0.676, 0.986), abs=6e-4)


def test_krippendorffs_alphas_are_those_of_krippendorff_2011() -> None:
    nan = float("nan")
    # Krippendorff 2011, example C: four observers by twelve units; irr's `kripp.alpha` prints the same three for its
    # example, which differs in who gave the only value of the last unit, and that value pairs with none
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
    found = {metric: raters.krippendorff_alpha(table, metric=metric) for metric in ("nominal", "ordinal", "interval")}
    assert found == pytest.approx({"nominal": 0.743, "ordinal": 0.815, "interval": 0.849}, abs=6e-4)


def test_kappa_is_that_of_cohen_1968_table_1() -> None:
    assert raters.cohen_kappa(*tables.two_raters(tables.COHEN_1968_TABLE_1))[0] == pytest.approx(0.492, abs=6e-4)


def test_kappa_and_its_standard_error_are_those_of_fleiss_levin_and_paik_table_18_1() -> None:
    value, low, high = raters.cohen_kappa(*tables.two_raters(tables.FLEISS_LEVIN_PAIK_2003_TABLE_18_1))
    assert value == pytest.approx(0.68, abs=5e-3)
    # 0.0870 where the formula is given kappa rounded to 0.68, 0.0877 where it is not
    assert (high - low) / 2 / 1.96 == pytest.approx(0.087, abs=1e-3)


def test_weighted_kappas_are_scikit_learns() -> None:
    from sklearn.metrics import cohen_kappa_score

    first, second = tables.two_raters(tables.COHEN_1968_TABLE_1)
    for weights in ("linear", "quadratic"):
        expected = cohen_kappa_score(first, second, weights=weights)
        assert raters.cohen_kappa(first, second, weights=weights)[0] == pytest.approx(expected)


def test_limits_of_agreement_are_those_of_bland_and_altman_1986() -> None:
    found = raters.bland_altman(tables.BLAND_ALTMAN_1986_WRIGHT, tables.BLAND_ALTMAN_1986_MINI).set_index("figure")
    assert found.loc["bias", "value"] == pytest.approx(-2.1, abs=0.05)
    assert found.attrs["sd"] == pytest.approx(38.8, abs=0.05)
    assert found.loc["bias", ["low", "high"]].tolist() == pytest.approx([-22.0, 17.8], abs=0.1)
    # the paper takes 2 SD for the limits, -79.7 and 75.5, and prints 40.9 to 110.1 as interval of the upper one
    assert found["value"].tolist()[1:] == pytest.approx([-79.7 + 0.04 * 38.8, 75.5 - 0.04 * 38.8], abs=0.1)
    width = found.loc["upper limit", "high"] - found.loc["upper limit", "low"]
    assert width == pytest.approx(110.1 - 40.9, abs=0.3)


def test_persons_by_items_are_taken_apart_as_in_brennan_2001_synthetic_data_no_1() -> None:
    found = generalisability.variance_components(tables.brennan_no_1())
    assert found["variance"].tolist() == pytest.approx([0.0574, 0.0754, 0.1269], abs=6e-5)
    study = generalisability.decision_study(found, [12]).iloc[0]
    assert (round(study["g"], 3), round(study["phi"], 3)) == (0.844, 0.773)


def test_persons_by_items_by_occasions_are_taken_apart_as_in_brennan_2001_synthetic_data_no_3() -> None:
    facets = ["item", "occasion"]
    found = generalisability.variance_components(tables.brennan_no_3(), facets).set_index("effect")["variance"]
    expected = {
        "person": 0.5528, "item": 0.4417, "occasion": 0.0074, "person:item": 0.5750, "person:occasion": 0.1009,
        "item:occasion": 0.1565, "person:item:occasion": 0.9352,
    }  # fmt: skip
    assert found.to_dict() == pytest.approx(expected, abs=6e-5)
    study = generalisability.decision_study(found.reset_index(), [4], [2], facets=facets).iloc[0]
    assert (round(study["g"], 2), round(study["phi"], 2)) == (0.64, 0.55)


def test_alpha_of_attitude_is_the_one_that_psych_alpha_prints() -> None:
    points = tables.attitude()
    assert points.mean().round(2).tolist() == [64.63, 66.6, 53.13, 56.37, 64.63, 74.77, 42.93]
    assert items.alpha(points).value == pytest.approx(0.843, abs=6e-4)


def test_a_corrected_item_total_correlation_is_scipys_of_the_item_with_the_sum_of_the_others() -> None:
    points = tables.attitude()
    marks = (
        points.rename_axis("session_id").reset_index().melt("session_id", var_name="question_id", value_name="points")
    )
    found = items.item_statistics(marks, max_points=100).set_index("question_id")
    for name in points:
        expected = pearsonr(points[name], points.drop(columns=name).sum(axis=1))
        assert found.loc[name, "discrimination"] == pytest.approx(expected.statistic)
        low, high = expected.confidence_interval()
        assert (found.loc[name, "discrimination_low"], found.loc[name, "discrimination_high"]) == pytest.approx(
            (low, high)
        )


def test_alpha_of_the_lsat_is_the_one_that_ltm_prints() -> None:
    assert items.alpha(tables.lsat_6()).value == pytest.approx(0.2950, abs=5e-5)


def test_the_standard_error_of_measurement_is_the_spread_times_the_root_of_what_is_unreliable() -> None:
    points = tables.attitude()
    found = items.alpha(points)
    assert found.sem == pytest.approx(points.sum(axis=1).std() * np.sqrt(1 - found.value))


def test_omega_is_the_formula_where_the_covariances_are_exactly_those_of_one_factor() -> None:
    loadings, unique = np.array([2.0, 1.5, 1.0, 0.5, 1.2]), np.array([1.0, 1.5, 0.8, 1.0, 0.6])
    wanted = np.outer(loadings, loadings) + np.diag(unique)
    raw = np.random.default_rng(0).normal(size=(60, 5))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    points = pd.DataFrame(white @ np.linalg.cholesky(wanted).T)
    expected = loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum())
    assert items.omega(points, n_draws=2).value == pytest.approx(expected, abs=1e-3)


@pytest.fixture(scope="module")
def lsat() -> rasch.RaschFit:
    return rasch.rasch(tables.lsat_6())


def test_the_rasch_model_of_the_lsat_is_that_of_rizopoulos_2006_section_3_1(lsat: rasch.RaschFit) -> None:
    assert lsat.converged
    assert lsat.log_likelihood == pytest.approx(-2466.94, abs=5e-3)
    assert (lsat.sd, lsat.sd_se) == pytest.approx((0.7551, 0.0694), abs=5e-4)
    # ltm's difficulties are in standard deviations, these in logits
    assert (lsat.items["location"] / lsat.sd).tolist() == pytest.approx(
        [-3.6153, -1.3224, -0.3176, -1.7301, -2.7802], abs=1e-3
    )


def test_more_right_answers_of_the_lsat_mean_more_ability_and_the_same_number_the_same(lsat: rasch.RaschFit) -> None:
    by_score = lsat.persons.groupby(tables.lsat_6().sum(axis=1).to_numpy())["ability"]
    assert by_score.mean().is_monotonic_increasing and by_score.std().max() < 1e-9
    assert lsat.items["infit"].between(0.9, 1.1).all()


def test_the_mantel_haenszel_odds_ratio_is_the_one_that_r_prints_for_the_admissions_to_berkeley() -> None:
    found = dif.mantel_haenszel(tables.ucb_as_answers(), "men", "women").set_index("item").loc["admission"]
    assert found["odds_ratio"] == pytest.approx(0.9046968, abs=1e-6)
    assert (found["low"], found["high"]) == pytest.approx((0.7719074, 1.0603298), abs=1e-6)
    assert (found["chi2"], found["p"]) == pytest.approx((1.4269, 0.2323), abs=5e-5)
    assert found["delta"] == pytest.approx(-2.35 * np.log(0.9046968)) and found["ets_class"] == "A"


def test_mantels_test_of_ordered_answers_is_the_one_that_r_prints_without_correction() -> None:
    answers = tables.ucb_as_answers().rename(columns={"correct": "points"}).astype({"points": float})
    found = dif.mantel_ordered(answers, "men", "women", n_strata=None).set_index("item").loc["admission"]
    assert (found["chi2"], found["p"]) == pytest.approx((1.5246, 0.2169), abs=5e-5)


def test_nagelkerkes_r2_is_the_one_of_a_table_that_can_be_reckoned_by_hand() -> None:
    # 30 of 40 against 10 of 40: likelihoods of two binomials
    fitted = 2 * (30 * np.log(0.75) + 10 * np.log(0.25))
    null = 80 * np.log(0.5)
    expected = (1 - np.exp(2 * (null - fitted) / 80)) / (1 - np.exp(2 * null / 80))
    assert dif._nagelkerke(fitted, null, 80) == pytest.approx(expected)
    y = np.r_[np.ones(30), np.zeros(10), np.ones(10), np.zeros(30)]
    assert dif._log_likelihood(y, np.r_[np.ones(40), np.zeros(40)][:, None]) == pytest.approx(fitted)


def test_welchs_interval_is_the_one_that_r_prints_for_students_sleep() -> None:
    first, second = tables.CUSHNY_PEEBLES
    people = pd.DataFrame({"group": ["1"] * 10 + ["2"] * 10, "score": first + second})
    found = fairness.group_differences(people, "group").iloc[0]
    assert (found["low"], found["high"]) == pytest.approx((-3.3654832, 0.2054832), abs=1e-6)
    assert found["p"] == pytest.approx(0.07939, abs=5e-6)


def test_four_of_fifteen_findings_stand_after_benjamini_and_hochberg_1995_and_three_after_holm() -> None:
    given = tables.BENJAMINI_HOCHBERG_1995
    assert (fairness.corrected(given, "benjamini-hochberg") <= 0.05).sum() == 4
    # the paper has Bonferroni leave three, and Holm stops there too, as 0.0095 > 0.05 / 12
    assert (fairness.corrected(given, "holm") <= 0.05).sum() == 3


def test_wilsons_interval_is_that_of_newcombe_1998_table_1() -> None:
    from workbench.statistics.recognition import term_recall

    turns = pd.DataFrame(
        {"session_id": "s", "turn_index": range(263), "text_corrected": "adenosine", "text": "adenosine"}
    )
    turns.loc[81:, "text"] = "a dentist scene"
    found = term_recall(turns, ["Adenosine"]).iloc[0]
    assert (found["n_heard"], found["n_said"], found["heard_as"]) == (81, 263, "a dentist scene")
    assert (found["low"], found["high"]) == pytest.approx((0.2553, 0.3662), abs=6e-5)
