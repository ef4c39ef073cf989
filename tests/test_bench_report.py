"""The files benches leave behind: percentiles, the envelope, the picture, the trend."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.bench.bargein import Trial, figures
from workbench.bench.report import envelope, machine, rate, summary, write
from workbench.bench.soak import trend
from workbench.bench.waterfall import STAGES, draw, segments


def test_a_summary_holds_the_median_the_95th_percentile_and_every_value():
    found = summary([100.0, None, 300.0, 200.0])
    assert found == {"p50": 200.0, "p95": 290.0, "n": 3, "values": [100.0, 300.0, 200.0]}


def test_a_summary_of_nothing_says_so_and_is_still_json():
    assert json.loads(json.dumps(summary([None]))) == {"p50": None, "p95": None, "n": 0, "values": []}


def test_percentiles_are_those_of_numpy():
    values = list(np.random.default_rng(0).gamma(2, 200, 57))
    found = summary(values, digits=6)
    assert found["p95"] == pytest.approx(np.percentile(values, 95), abs=1e-6)


def test_a_rate_of_nothing_is_unknown_not_zero():
    assert rate(0, 0) is None
    assert rate(1, 3) == 0.3333


def test_the_envelope_names_machine_settings_seeds_and_libraries(settings, tmp_path):
    report = envelope("viva bench latency", {"n": 3}, settings=settings, options={"seed": 7})
    assert report["machine"]["cores"] >= 1 and report["machine"]["memory_gib"] > 0
    assert report["settings"]["tts"] == settings.tts
    assert report["options"] == {"seed": 7} and report["n"] == 3
    assert report["libraries"]["numpy"]
    write(tmp_path / "deep" / "report.json", report)
    assert json.loads((tmp_path / "deep" / "report.json").read_text()) == report


def test_the_envelope_tells_nothing_of_who_measured(settings):
    import getpass
    import socket

    text = json.dumps({**envelope("viva bench load", {}, settings=settings), "machine": machine()})
    assert str(settings.data_dir) not in text
    assert socket.gethostname() not in text
    assert f"/{getpass.getuser()}/" not in text


def turn(**latency):
    base = {"asr_ms": 300.0, "judge_ms": None, "llm_sentence_ms": 420.0, "tts_first_ms": 480.0, "endpoint_ms": 510.0,
            "sent_ms": 515.0}  # fmt: skip
    return {"voice_to_voice_ms": 530.0, "first_sound_ms": 530.0, "patience_ms": 500.0, "latency": {**base, **latency}}


def test_a_turn_is_cut_where_its_milestones_lie_and_adds_up_to_the_whole():
    found = segments(turn())
    assert [start for _, start, _ in found] == [0.0, 300.0, 420.0, 480.0, 510.0, 515.0]
    assert sum(length for _, _, length in found) == 530.0
    assert found[0][0] == "words recognised"


def test_a_late_end_of_the_voice_moves_the_server_s_milestones_to_the_client_s_clock():
    found = segments({**turn(), "voice_end_late_ms": 10.0})
    assert [start for _, start, _ in found] == [0.0, 310.0, 430.0, 490.0, 520.0, 525.0]


def test_canned_words_before_the_answer_s_own_are_shown_as_such():
    found = segments({**turn(), "first_sound_ms": 525.0})
    assert found[-1] == ("words not made for the answer", 525.0, 5.0)


def test_a_stage_that_is_late_moves_behind_the_silence_it_did_not_fit_into():
    labels = [label for label, _, _ in segments(turn(llm_sentence_ms=700.0, tts_first_ms=800.0, sent_ms=805.0))]
    assert labels.index("waiting for the end of the turn") < labels.index("first clause written")


def test_the_picture_is_drawn_and_an_empty_report_is_refused(tmp_path):
    report = {"turns": [turn(), turn(asr_ms=350.0)], "exam": {"turns": [turn(judge_ms=310.0)]}}
    draw(report, tmp_path / "waterfall.png")
    assert (tmp_path / "waterfall.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no turn"):
        draw({"turns": [], "exam": {"turns": []}}, tmp_path / "empty.png")


def test_the_colours_of_the_picture_are_all_different():
    assert len({colour for _, _, colour in STAGES}) == len(STAGES)


def trial(kind, stopped, clear_ms=None, pause_ms=None, held_ms=0.0, in_a_gap=False):
    return Trial(kind, clear_ms, pause_ms, stopped, held_ms, in_a_gap)


def test_missed_interruptions_and_false_stops_are_counted_apart():
    found = figures(
        [
            trial("interruption", True, 120.0, 110.0),
            trial("interruption", False, None, 90.0),
            trial("cough", True, None, 100.0),
            trial("cough", False, None, 100.0, held_ms=700.0),
            trial("echo", False),
            trial("backchannel", False),
        ]
    )
    assert found["clear_ms"]["values"] == [120.0]
    assert found["missed_rate"] == 0.5
    assert found["false_stop_rate"] == 0.25
    assert found["false_pause_rate"] == 0.5
    assert found["by_kind"]["cough"]["false_stop_rate"] == 0.5
    assert "knock" not in found["by_kind"]


def test_an_interruption_that_fell_into_a_silence_says_nothing_about_speed():
    found = figures([trial("interruption", True, 0.0, 90.0, in_a_gap=True), trial("interruption", True, 140.0, 100.0)])
    assert found["clear_ms"]["values"] == [140.0]
    assert found["in_a_gap"] == 1


def test_the_trend_ignores_the_warm_up_and_sees_a_leak():
    def sample(at_s, rss):
        return {"at_s": at_s, "rss_mib": rss, "threads": 9.0, "files": None, "tasks": 4.0}

    warm_up = [sample(float(t), 100.0 + 50 * t) for t in range(0, 20)]
    flat = trend(warm_up + [sample(float(t), 1000.0) for t in range(20, 101)])["trend"]
    assert flat["rss_mib"]["slope_per_h"] == pytest.approx(0.0, abs=0.1)
    assert "files" not in flat
    leaking = trend([sample(float(t), 1000.0 + t) for t in range(101)])["trend"]
    assert leaking["rss_mib"]["slope_per_h"] == pytest.approx(3600.0, rel=0.01)
    assert leaking["threads"]["slope_per_h"] == pytest.approx(0.0, abs=1e-6)
