"""What each statistic says of nothing, of one row, of what does not vary and of what is missing."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.statistics import dif, disfluency, fairness, generalisability, items, rasch, raters, recognition, speech
from workbench.statistics.core import (
    fisher_interval,
    mean_interval,
    pearson,
    percentile_interval,
    quadratic_weighted_kappa,
)
from workbench.statistics.tables import figure, with_interval

NAN = float("nan")


@pytest.fixture(autouse=True)
def nothing_warns() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def turns(*rows: tuple[str, int, str, float, float], **more: Any) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["session_id", "turn_index", "speaker", "start_s", "end_s"])
    return table.assign(**{"text": "a b", "interrupted": False, **more})


def words(*rows: tuple[int, str, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["word_index", "word", "start_s", "end_s"])
    table = table.astype({"start_s": float, "end_s": float})
    return table.assign(session_id="s", turn_index=0, speaker="candidate")


def marks(*rows: tuple[str, str, float | None], **more: Any) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["session_id", "question_id", "points"]).astype({"points": float})
    return table.assign(**{"verdict": "partial", "item_index": 1, "rater": "judge", **more})


ON_TURNS: list[Callable[[pd.DataFrame], pd.DataFrame]] = [
    speech.floor_transfers, speech.latency, speech.interruptions, speech.talk_shares, disfluency.filler_rates,
    disfluency.repairs,
]  # fmt: skip


@pytest.mark.parametrize("statistic", ON_TURNS)
def test_no_turns_give_a_table_without_rows_but_with_its_columns(
    statistic: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    empty, one = statistic(turns()), statistic(turns(("s", 0, "examiner", 0.0, 1.0)))
    assert len(empty) == 0 and list(empty) == list(one)


@pytest.mark.parametrize("statistic", [*ON_TURNS, speech.pauses, speech.speaking_rates, items.item_statistics])
def test_a_table_that_lacks_a_column_is_refused_by_name(statistic: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match=r"lacks .*session_id.*it has colour"):
        statistic(pd.DataFrame({"colour": ["blue"]}))


def test_one_turn_hands_the_floor_to_nobody() -> None:
    one = turns(("s", 0, "examiner", 0.0, 1.0))
    assert len(speech.floor_transfers(one)) == 0 and len(speech.interruptions(one)) == 0
    assert speech.talk_shares(one)["examiner_share"].tolist() == [1.0]


def test_turns_without_times_are_left_out_and_typed_ones_break_the_chain() -> None:
    rows = turns(
        ("s", 0, "examiner", 0, 2), ("s", 1, "candidate", NAN, NAN), ("s", 2, "examiner", 3, 4),
        ("s", 3, "candidate", 5, 5), ("s", 4, "examiner", 7, 8), typed=[False, False, False, True, False],
    )  # fmt: skip
    assert len(speech.floor_transfers(rows)) == 0


def test_a_viva_in_which_nobody_spoke_has_no_share() -> None:
    assert math.isnan(speech.talk_shares(turns(("s", 0, "examiner", 1.0, 1.0)))["examiner_share"].iloc[0])


def test_one_word_has_a_rate_but_no_pause_and_a_word_without_length_no_rate() -> None:
    assert len(speech.pauses(words((0, "yes", 0.0, 0.5)))) == 0 == len(speech.pauses(words()))
    assert speech.speaking_rates(words((0, "yes", 0.0, 0.5)))["words_per_minute"].tolist() == [120.0]
    assert math.isnan(speech.speaking_rates(words((0, "yes", 0.5, 0.5)))["words_per_minute"].iloc[0])
    assert len(speech.speaking_rates(words())) == 0
    assert speech.speaking_rates(words((0, "yes", 0.0, 0.5), (1, "no", NAN, NAN)))["n_words"].tolist() == [1]


def test_a_question_that_was_not_answered_keeps_its_row_without_times() -> None:
    table = pd.DataFrame(
        {"session_id": ["s", "s"], "item_index": [1, 2], "question_id": ["a", "b"], "asked_until_s": [1.0, 9.0],
         "answer_start_s": [NAN, 10.0], "answer_end_s": [NAN, 12.0], "typed": [False, True]}
    )  # fmt: skip
    assert speech.response_times(table)[["response_s", "answer_s"]].isna().all().all()
    assert len(speech.response_times(table.iloc[:0])) == 0


def test_a_summary_of_nothing_counts_nothing_and_one_viva_has_no_interval() -> None:
    table = pd.DataFrame({"session_id": ["s", "s", "s"], "offset_s": [0.5, 0.5, NAN]})
    one = speech.summary(table, "offset_s").iloc[0]
    assert (one["n"], one["median"]) == (2, 0.5) and math.isnan(one["median_low"])
    none = speech.summary(table.iloc[:0], "offset_s").iloc[0]
    assert none["n"] == 0 and math.isnan(none["median"])
    assert speech.summary_sentence(none, "latency") == "There is no latency in these vivas."


def test_texts_that_are_missing_or_empty_have_no_words_and_no_rate() -> None:
    table = pd.DataFrame(
        {"session_id": ["s", "s"], "turn_index": [0, 1], "speaker": "candidate", "text": [None, " ... "]}
    )
    found = disfluency.filler_rates(table)
    assert found["n_words"].tolist() == [0] and math.isnan(found["per_100_words"].iloc[0])
    assert len(disfluency.repairs(table)) == 0


def test_no_marks_have_no_items() -> None:
    found = items.item_statistics(marks())
    assert len(found) == 0 and list(found) == items.ITEM_COLUMNS
    assert items.items_sentence(found) == "There are no marked items."


def test_one_mark_has_a_difficulty_without_interval_and_no_discrimination() -> None:
    found = items.item_statistics(marks(("s", "q", 5.0))).iloc[0]
    assert (found["n"], found["difficulty"], found["flag"]) == (1, 0.5, "")
    assert all(math.isnan(found[name]) for name in ("difficulty_low", "discrimination", "discrimination_low"))


def test_items_that_do_not_vary_have_no_discrimination_and_missing_marks_do_not_count() -> None:
    table = marks(*[(s, q, 5.0) for s in "abcd" for q in ("q1", "q2")], ("e", "q1", None))
    found = items.item_statistics(table)
    assert found["discrimination"].isna().all() and found["n"].tolist() == [4, 4]


def test_two_marks_of_one_answer_are_refused_unless_one_counts() -> None:
    twice = marks(("a", "q", 5.0), ("a", "q", 7.0))
    with pytest.raises(ValueError, match="1 marks too many, the first for 'q' in 'a'"):
        items.points_table(twice)
    assert items.points_table(twice.assign(counts=[False, True])).loc["a", "q"] == 7.0


@pytest.mark.parametrize("coefficient", [items.alpha, lambda points: items.omega(points, n_draws=5)])
@pytest.mark.parametrize(
    "points",
    [
        pd.DataFrame(),
        pd.DataFrame([[1.0, 2.0, 3.0]]),
        pd.DataFrame([[5.0] * 3] * 6),
        pd.DataFrame({"a": [1.0, 2.0, 3.0]}),
        pd.DataFrame([[NAN, 2.0, 3.0]] * 5),
    ],
    ids=["empty", "one person", "constant", "one item", "all with a gap"],
)
def test_reliability_is_undefined_where_there_is_too_little(coefficient: Any, points: pd.DataFrame) -> None:
    found = coefficient(points)
    assert math.isnan(found.value) and math.isnan(found.low)
    assert "is not defined for these" in found.sentence()


def test_alpha_takes_persons_with_gaps_only_if_asked() -> None:
    points = pd.DataFrame([[1, 2, 2], [2, 3, 3], [3, 3, 4], [4, 6, NAN]], dtype=float)
    assert items.alpha(points).n == 3
    assert items.alpha(points, missing="pairwise").value != items.alpha(points).value
    with pytest.raises(ValueError, match="choose listwise or pairwise"):
        items.alpha(points, missing="guess")


def test_alpha_by_pairs_is_that_of_all_where_nothing_is_missing() -> None:
    points = pd.DataFrame([[1, 2, 1], [2, 3, 3], [3, 3, 4], [4, 6, 5]], dtype=float)
    by_pairs, whole = items.alpha(points, missing="pairwise"), items.alpha(points)
    assert dataclasses.astuple(by_pairs) == pytest.approx(dataclasses.astuple(whole))


def test_alpha_of_samples_of_a_pool_is_that_of_as_many_questions_as_were_asked() -> None:
    rng = np.random.default_rng(3)
    n, n_pool, n_asked = 3000, 24, 6
    points = pd.DataFrame(rng.normal(0, 1, (n, 1)) + rng.normal(0, 2, (n, n_pool)))
    for row in range(n):
        points.iloc[row, rng.permutation(n_pool)[n_asked:]] = NAN
    found = items.alpha(points, missing="pairwise")
    assert found.value == pytest.approx(n_asked / (n_asked + 4), abs=0.03) and found.n_items == n_asked
    assert found.sem == pytest.approx(2 * n_asked**0.5, rel=0.03)
    assert found.low < found.value < found.high and "(6 items and" in found.sentence()


def test_misconceptions_of_nothing_are_none_and_broken_evidence_is_said() -> None:
    assert len(items.misconceptions(pd.DataFrame({"question_id": [], "evidence": []}))) == 0
    assert len(items.misconceptions(pd.DataFrame({"question_id": ["q"], "evidence": [None]}))) == 0
    with pytest.raises(ValueError, match="evidence of a mark for 'q' is no JSON list"):
        items.misconceptions(pd.DataFrame({"question_id": ["q"], "evidence": ["{"]}))


@pytest.mark.parametrize(
    "scores",
    [pd.DataFrame(), pd.DataFrame([[1, 0]]), pd.DataFrame([[1, 1]] * 9), pd.DataFrame([[NAN, NAN]] * 9)],
    ids=["empty", "one person", "constant", "missing"],
)
def test_a_rasch_model_of_too_little_has_no_rows(scores: pd.DataFrame) -> None:
    fit = rasch.rasch(scores)
    assert not len(fit.items) and not len(fit.persons) and math.isnan(fit.reliability) and not fit.converged
    assert fit.sentence() == "Too few answers for a Rasch model."


def test_scores_that_are_no_whole_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers from 0 to 10"):
        rasch.rasch(pd.DataFrame([[0.5, 1.0], [0.0, 1.0]]))


def answers(*rows: tuple[str, str, float | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["person", "item", "correct", "group"])


@pytest.mark.parametrize("analysis", [dif.mantel_haenszel, dif.logistic_dif])
def test_differential_functioning_of_too_little_is_undefined(analysis: Any) -> None:
    assert len(analysis(answers(), "a", "b")) == 0
    rows = [(f"{g}{i}", q, 1, g) for g in "ab" for i in range(4) for q in ("q1", "q2")]
    constant = analysis(answers(*rows), "a", "b")
    assert len(constant) == 2 and constant.filter(regex="^p$|any_p$").isna().all().all()
    missing = analysis(answers(*rows, ("c", "q1", None, "a"), ("d", "q1", 1, None)), "a", "b")
    assert missing.equals(constant)


def test_ordered_differential_functioning_of_too_little_is_undefined() -> None:
    columns = ["person", "item", "points", "group"]
    assert len(dif.mantel_ordered(pd.DataFrame([], columns=columns), "a", "b")) == 0
    rows = [(f"{g}{i}", q, 5.0, g) for g in "ab" for i in range(4) for q in ("q1", "q2")]
    for more in ([], [("c", "q1", NAN, "a"), ("d", "q1", 1.0, None)], [("e", "q1", 9.0, "a")]):
        found = dif.mantel_ordered(pd.DataFrame([*rows, *more], columns=columns), "a", "b")
        assert len(found) == 2 and found[["smd", "p", "p_holm"]].isna().all().all()


def test_a_group_that_was_wrong_throughout_has_an_endless_odds_ratio_without_interval() -> None:
    rows = [(f"{g}{i}", f"q{k}", int(g == "a" if k == 1 else i % 3 >= k - 1), g)
            for g in "ab" for i in range(9) for k in (1, 2, 3)]  # fmt: skip
    found = dif.mantel_haenszel(answers(*rows), "a", "b").set_index("item").loc["q1"]
    assert math.isinf(found["odds_ratio"]) and math.isnan(found["low"]) and found["ets_class"] == "C-"


def test_groups_that_are_not_there_are_named() -> None:
    rows = answers(("p", "q1", 1, "a"), ("p", "q2", 0, "a"))
    with pytest.raises(ValueError, match=r"'a' and 'z': the answers hold \['a'\]"):
        dif.mantel_haenszel(rows, "a", "z")
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        dif.mantel_haenszel(rows.assign(correct=7, group=["a", "z"]), "a", "z")


def test_agreement_of_nobody_is_undefined_and_of_one_mark_throughout_is_said() -> None:
    assert math.isnan(raters.percent_agreement([], [])) and math.isnan(raters.cohen_kappa([], [])[0])
    assert raters.percent_agreement([1, None], [1, 2]) == 1.0
    value, low, _ = raters.cohen_kappa([3, 3, 3], [3, 3, 3], weights="quadratic")
    assert value == 1.0 and math.isnan(low)
    with pytest.raises(ValueError, match="2 marks of one rater and 1 of the other"):
        raters.percent_agreement([1, 2], [1])
    with pytest.raises(ValueError, match="choose None, linear or quadratic"):
        raters.cohen_kappa([1], [1], weights="cubic")


def test_the_interval_of_krippendorffs_alpha_is_drawn_by_the_groups_it_is_given() -> None:
    rng = np.random.default_rng(1)
    viva = np.repeat(np.arange(20), 12)
    first = rng.normal(0, 2, 20)[viva] + rng.normal(0, 0.5, 240)
    ratings = pd.DataFrame({"a": first, "b": first + rng.normal(0, 1.5, 20)[viva]})
    by_row, by_viva = (
        raters.krippendorff_interval(ratings, metric="interval", n_draws=100, groups=groups) for groups in (None, viva)
    )
    assert by_row[0] == by_viva[0] and by_viva[2] - by_viva[1] > 2 * (by_row[2] - by_row[1])
    assert math.isnan(raters.krippendorff_interval(ratings, n_draws=5, groups=["one viva"] * 240)[1])
    with pytest.raises(ValueError, match="3 groups for 240 units"):
        raters.krippendorff_interval(ratings, groups=["a", "b", "c"])


def test_krippendorffs_alpha_of_too_little_is_undefined() -> None:
    for table in ([[]], [[1, 2, 3]], [[1, NAN], [NAN, 2]], [[5, 5], [5, 5]]):
        assert math.isnan(raters.krippendorff_alpha(table))
    with pytest.raises(ValueError, match="choose nominal, ordinal or interval"):
        raters.krippendorff_alpha([[1], [1]], metric="ratio")


@pytest.mark.parametrize(
    "table", [pd.DataFrame(), pd.DataFrame([[1, 2]]), pd.DataFrame([[4, 4]] * 5), pd.DataFrame([[1, NAN]] * 5)]
)
def test_intraclass_correlations_of_too_little_are_undefined(table: pd.DataFrame) -> None:
    found = raters.icc(table)
    assert len(found) == 6 and found["value"].isna().all()


def test_raters_who_agree_to_the_point_have_an_intraclass_correlation_of_one() -> None:
    found = raters.icc(pd.DataFrame([[1, 1], [2, 2], [3, 3]], dtype=float))
    assert found["value"].tolist() == pytest.approx([1.0] * 6)


def test_limits_of_agreement_of_one_pair_are_only_a_bias() -> None:
    found = raters.bland_altman([5.0, NAN], [4.0, 1.0])
    assert found["value"].iloc[0] == 1.0 and found["value"].iloc[1:].isna().all() and found["low"].isna().all()
    assert raters.bland_altman([], [])["value"].isna().all()
    same = raters.bland_altman([1.0, 2.0], [1.0, 2.0])
    assert same["value"].tolist() == [0, 0, 0]


def test_raters_without_a_common_answer_are_not_compared() -> None:
    assert len(raters.compare_raters(marks())) == 0
    one = marks(("a", "q", 5.0), ("b", "q", 6.0), rater=["judge", "human"])
    assert len(raters.compare_raters(one)) == 0
    same = marks(("a", "q", 5.0), ("a", "q", 5.0), rater=["judge", "human"])
    found = raters.compare_raters(same).iloc[0]
    assert found["same_verdict"] == 1.0 and math.isnan(found["qwk"]) and math.isnan(found["bias_low"])


def test_drift_needs_a_reference_and_more_than_a_day() -> None:
    table = marks(
        *[(s, "q", 5.0) for s in "abcdef"], rater=["judge", "human"] * 3, marked_at=pd.Timestamp("2026-01-01", tz="UTC")
    )
    with pytest.raises(ValueError, match="reference 'nobody' gave no mark; raters are human, judge"):
        raters.drift(table, "nobody")
    assert len(raters.drift(table, "judge")) == 0  # no answer both marked
    both = pd.concat([table.assign(rater="judge"), table.assign(rater="human")])
    assert math.isnan(raters.drift(both, "judge")["per_day"].iloc[0])


def test_variance_components_of_too_little_are_undefined() -> None:
    empty = pd.DataFrame({"person": [], "item": [], "points": []})
    one = pd.DataFrame({"person": ["a", "a"], "item": [1, 2], "points": [1.0, 2.0]})
    nested = pd.DataFrame({"person": ["a", "a", "b", "b"], "item": [1, 2, 3, 4], "points": [1.0, 2.0, 3.0, 5.0]})
    for table in (empty, one, nested):
        found = generalisability.variance_components(table)
        assert found["variance"].isna().all()
        assert generalisability.items_needed(found) is None
        assert "do not allow" in generalisability.generalisability_sentence(found, 12)
    constant = pd.DataFrame([(p, i, 5.0) for p in range(4) for i in range(3)], columns=["person", "item", "points"])
    found = generalisability.variance_components(constant)
    assert found["variance"].tolist() == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_study_says_which_designs_it_takes() -> None:
    table = pd.DataFrame({"person": ["a", "a"], "item": [1, 1], "points": [1.0, 2.0]})
    with pytest.raises(ValueError, match="1 marks share person, item"):
        generalisability.variance_components(table)
    with pytest.raises(ValueError, match="one \\(items\\) or two"):
        generalisability.variance_components(table, [])
    components = pd.DataFrame({"effect": ["person", "person:item"], "variance": [1.0, 1.0]})
    with pytest.raises(ValueError, match="start at 1"):
        generalisability.decision_study(components, [0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        generalisability.items_needed(components, 80)


def test_turns_nobody_corrected_have_no_error_rate() -> None:
    table = turns(("s", 0, "candidate", 0.0, 1.0), text_corrected=[None])
    errors = recognition.turn_errors(table)
    assert len(errors) == 0
    rates = recognition.word_error_rates(errors)
    assert rates["n_words"].tolist() == [0] and math.isnan(rates["wer"].iloc[0])
    assert len(recognition.word_error_rates(errors, by="speaker")) == 0
    assert recognition.errors_sentence(rates).startswith("No answer was corrected")
    assert recognition.term_recall(table, ["heart"])[["n_said"]].values.tolist() == [[0]]


def test_a_correction_without_a_word_is_left_out_and_a_turn_heard_as_nothing_is_all_deleted() -> None:
    table = turns(
        ("s", 0, "candidate", 0, 1), ("s", 1, "candidate", 2, 3), text=["uh", ""], text_corrected=["...", "two words"]
    )
    found = recognition.turn_errors(table)
    assert found[["turn_index", "deletions", "wer"]].values.tolist() == [[1, 2, 1.0]]


def test_a_word_put_in_beside_a_term_does_not_lose_the_term() -> None:
    table = turns(
        *[("s", place, "candidate", 2 * place, 2 * place + 1) for place in range(4)],
        text=["give adenosine uh now", "uh adenosine", "give heart block um", "nonadenosine"],
        text_corrected=["give adenosine now", "adenosine", "give heart block", "adenosine"],
    )  # fmt: skip
    found = recognition.term_recall(table, ["adenosine", "heart block"]).set_index("term")
    assert found["n_said"].to_dict() == {"adenosine": 3, "heart block": 1}
    assert found["n_heard"].to_dict() == {"adenosine": 2, "heart block": 1}
    assert found.loc["adenosine", "heard_as"] == "nonadenosine"


def test_the_interval_of_a_cost_is_of_the_mean_over_answers_however_long_the_vivas() -> None:
    sizes, costs = [40, 2, 2, 2, 2], [-0.5, -4.0, -4.5, -3.5, -4.0]
    sessions = np.repeat(list("abcde"), sizes)
    cost = np.repeat(costs, sizes)
    pairs = pd.DataFrame({"session_id": sessions, "points_heard": 9 + cost, "points_said": 9.0, "wer": 0.1})
    found = recognition.mark_cost(pairs, n_draws=200).iloc[0]
    assert found["mean_cost"] == pytest.approx(cost.mean())
    assert found["low"] < found["mean_cost"] < found["high"]


def test_a_cost_of_nothing_is_undefined_and_of_one_viva_has_no_interval() -> None:
    table = pd.DataFrame(
        {"session_id": ["a", "a"], "points_heard": [5.0, NAN], "points_said": [6.0, 6.0], "wer": [0.1, 0.1]}
    )
    one = recognition.mark_cost(table).iloc[0]
    assert (one["n"], one["mean_cost"]) == (1, -1.0) and math.isnan(one["low"]) and math.isnan(one["per_10_points_wer"])
    assert recognition.mark_cost(table.iloc[:0])["n"].tolist() == [0]
    assert recognition.cost_sentence(recognition.mark_cost(table.iloc[:0])).startswith("No answer")


def test_groups_of_one_have_a_difference_without_interval_and_unknown_groups_take_no_part() -> None:
    people = pd.DataFrame({"group": ["a", "b", None], "score": [5.0, 6.0, 9.0]})
    found = fairness.group_differences(people, "group").iloc[0]
    assert found["difference"] == -1.0 and math.isnan(found["low"]) and math.isnan(found["p_corrected"])
    assert "corrected p undefined" in fairness.difference_sentence(found)
    assert len(fairness.group_differences(people.iloc[:0], "group")) == 0
    assert len(fairness.group_differences(people.iloc[:1], "group")) == 0
    constant = pd.DataFrame({"group": ["a", "a", "b", "b"], "score": [5.0] * 4})
    assert math.isnan(fairness.group_differences(constant, "group")["p"].iloc[0])
    with pytest.raises(ValueError, match="reference 'z': the groups are a, b"):
        fairness.group_differences(people, "group", reference="z")


def test_associations_need_four_people_and_a_predictor_that_varies() -> None:
    people = pd.DataFrame({"pace": [1.0, 1.0, 1.0, 1.0, NAN], "score": [1.0, 2.0, 3.0, 4.0, 5.0]})
    found = fairness.associations(people, ["pace"]).iloc[0]
    assert found["n"] == 4 and math.isnan(found["per_unit"]) and math.isnan(found["p_corrected"])
    assert fairness.associations(people.iloc[:0], ["pace"])["n"].tolist() == [0]


def test_corrections_are_three_and_of_nothing_are_nothing() -> None:
    assert fairness.corrected([]).tolist() == []
    assert np.isnan(fairness.corrected([NAN])).all()
    with pytest.raises(ValueError, match="choose holm, benjamini-hochberg, none"):
        fairness.corrected([0.1], "bonferroni")
    assert math.isnan(fairness.smallest_difference(0, 5, 1.0))
    assert "too few to say" in fairness.limits_sentence(pd.DataFrame({"g": ["a"], "score": [1.0]}), "g")


def test_a_confidence_level_is_no_percentage() -> None:
    with pytest.raises(ValueError, match="level 95: a confidence level lies between 0 and 1"):
        items.alpha(pd.DataFrame(), level=95)


def test_the_common_numbers_of_too_little() -> None:
    assert math.isnan(pearson([], [])) and math.isnan(pearson([1, 1], [1, 2])) and math.isnan(pearson([1], [1]))
    assert mean_interval([3.0]) == (3.0, None)
    assert fisher_interval(1.0, 3) == (-1.0, 1.0)
    assert all(math.isnan(end) for end in percentile_interval([NAN]))
    assert quadratic_weighted_kappa([], []) == 1.0 == quadratic_weighted_kappa([5], [5])
    assert math.isnan(quadratic_weighted_kappa([5, 5], [5, 5], where_constant=NAN))
    assert figure(NAN) == "undefined" and with_interval(0.5, NAN, 1.0) == ".50 (no interval)"
