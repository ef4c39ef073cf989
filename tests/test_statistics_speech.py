"""Turn-taking reckoned on timelines that can be checked by eye."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.statistics import disfluency, speech

E, C = "examiner", "candidate"


def timeline(*rows: tuple[str, float, float], session: str = "s", cut: tuple[int, ...] = ()) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["speaker", "start_s", "end_s"])
    return table.assign(
        session_id=session,
        turn_index=range(len(table)),
        text="so it is",
        interrupted=[i in cut for i in range(len(table))],
    )


def test_gaps_are_positive_overlaps_negative_and_a_second_turn_of_one_speaker_is_neither() -> None:
    turns = timeline((E, 0, 5), (E, 5.5, 9), (C, 10, 20), (E, 19.6, 22), (C, 22.3, 30))
    found = speech.floor_transfers(turns)
    assert found["offset_s"].round(3).tolist() == [1.0, -0.4, 0.3]
    assert found["to_speaker"].tolist() == [C, E, C] and found["from_turn"].tolist() == [1, 2, 3]


def test_encouragement_inside_a_turn_takes_no_floor() -> None:
    turns = timeline((E, 0, 10), (C, 4, 4.5), (C, 10.7, 20))
    assert speech.floor_transfers(turns)["offset_s"].round(3).tolist() == [0.7]
    assert speech.interruptions(turns)[["by_turn", "outcome"]].values.tolist() == [[1, "kept"]]


def test_vivas_do_not_run_into_each_other_whatever_the_order_of_the_rows() -> None:
    both = pd.concat([timeline((E, 0, 2), (C, 3, 5), session=name) for name in ("b", "a")]).iloc[::-1]
    found = speech.floor_transfers(both)
    assert found["session_id"].tolist() == ["a", "b"] and found["offset_s"].tolist() == [1.0, 1.0]


def test_the_latency_of_a_candidate_is_the_silence_before_the_examiner() -> None:
    found = speech.latency(timeline((C, 0, 4), (E, 4.7, 6), (C, 7, 9), (E, 9.9, 11)))
    assert found["latency_s"].round(3).tolist() == [0.7, 0.9]


def test_a_cut_examiner_has_yielded_and_one_who_ended_with_an_overlap_has_not() -> None:
    turns = timeline((E, 0, 4), (C, 3.6, 9), (E, 10, 12), (C, 11.8, 15), cut=(0,))
    found = speech.interruptions(turns)
    assert found["outcome"].tolist() == ["yielded", "ended together"]
    assert found["overlap_s"].round(3).tolist() == [0.4, 0.2]
    assert speech.interruptions(turns, at_least_s=0.3)["outcome"].tolist() == ["yielded"]


def test_an_examiner_silenced_at_the_onset_has_yielded_although_no_words_overlap() -> None:
    found = speech.interruptions(timeline((E, 0, 4), (C, 4.2, 9), cut=(0,)))
    assert found[["overlap_s", "outcome"]].values.tolist() == [[0.0, "yielded"]]


def test_the_share_of_the_examiner_is_of_seconds_and_typed_turns_count_words_only() -> None:
    turns = timeline((E, 0, 3), (C, 4, 13), (C, 20, 20)).assign(typed=[False, False, True])
    found = speech.talk_shares(turns).iloc[0]
    assert found["examiner_share"] == pytest.approx(0.25)
    assert (found["examiner_words"], found["candidate_words"]) == (3, 6)


def test_a_pause_within_a_turn_slows_the_speech_but_not_the_articulation() -> None:
    words = pd.DataFrame(
        {"session_id": "s", "turn_index": 1, "word_index": range(4), "speaker": C, "word": list("abcd")}
    )
    words["start_s"], words["end_s"] = [0.0, 0.5, 3.0, 3.5], [0.5, 1.0, 3.5, 4.0]
    found = speech.speaking_rates(words).iloc[0]
    assert (found["words_per_minute"], found["articulation_rate"], found["pause_s"]) == (60, 120, 2)
    assert speech.pauses(words)[["after_word", "start_s", "pause_s"]].values.tolist() == [["b", 1.0, 2.0]]
    with pytest.raises(ValueError, match="at_least_s must be positive, got 0"):
        speech.pauses(words, at_least_s=0)


def test_pauses_do_not_reach_over_the_end_of_a_turn() -> None:
    words = pd.DataFrame({"session_id": "s", "turn_index": [1, 2], "word_index": 0, "speaker": C, "word": ["a", "b"]})
    words["start_s"], words["end_s"] = [0.0, 9.0], [0.5, 9.5]
    assert len(speech.pauses(words)) == 0


def test_an_interval_of_a_median_lies_around_it_and_comes_by_group() -> None:
    table = pd.DataFrame({"session_id": [f"s{i % 8}" for i in range(80)], "t": range(80), "side": [E, C] * 40})
    found = speech.summary(table, "t", "side", n_draws=100).set_index("side")
    assert (found["median_low"] <= found["median"]).all() and (found["median"] <= found["median_high"]).all()
    assert found["n"].tolist() == [40, 40] and found["n_sessions"].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ("the the heart", ["repetition"]),
        ("I would give, I would give adrenaline", ["repetition"]),
        ("in the um in the clot", ["repetition"]),
        ("very very slow", []),
        ("five five milligrams", ["repetition"]),
        ("5 5 milligrams", []),
        ("a ven- a ventricular beat", ["cut-off"]),
        ("no wait, sorry, I mean left", ["editing term"] * 3),
        ("it is the left ventricle", []),
    ],
)
def test_repairs_are_repetitions_cut_offs_and_announced_corrections(said: str, kinds: list[str]) -> None:
    assert [kind for kind, _, _ in disfluency.repairs_in(said)] == kinds


def test_fillers_are_counted_by_speaker_and_viva() -> None:
    turns = timeline((E, 0, 1), (C, 2, 3), (C, 4, 5)).assign(text=["Well.", "Um, a clot", "er erm yes"])
    found = disfluency.filler_rates(turns).set_index("speaker")
    assert found["n_fillers"].to_dict() == {C: 3, E: 0} and found.loc[C, "per_100_words"] == 50
