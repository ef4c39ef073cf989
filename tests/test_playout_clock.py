"""The virtual loudspeaker: when each sample is heard, computed from when it arrived."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.simulate.playout import BLOCK_S, PlayoutClock

RATE = 24_000


def tone(seconds: float, level: float = 0.3) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 220 * t)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def test_sound_starts_at_the_block_border_after_it_arrived():
    clock = PlayoutClock(RATE)
    clock.push(1.003, "a", tone(0.5))
    clock.advance(2.0)
    assert clock.time_of("a", 0) == pytest.approx(1.010)
    assert clock.time_of("a", RATE // 4) == pytest.approx(1.260)


def test_leading_silence_is_not_the_first_audible_sample():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", np.concatenate([silence(0.2), tone(0.3)]))
    clock.advance(1.0)
    sample, at_s = clock.first_audible("a")
    assert sample == pytest.approx(0.2 * RATE, abs=0.005 * RATE)
    assert at_s == pytest.approx(0.2, abs=0.005)


def test_what_was_never_played_was_never_audible():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", np.concatenate([silence(0.5), tone(0.5)]))
    clock.advance(0.3)
    assert clock.first_audible("a") is None
    clock.advance(0.6)
    assert clock.first_audible("a") is not None


def test_a_pause_holds_the_sound_and_resume_goes_on_where_it_stopped():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", tone(1.0))
    clock.pause(0.4)
    clock.advance(3.0)
    assert clock.responses["a"].played == pytest.approx(0.4 * RATE, abs=BLOCK_S * RATE)
    clock.resume(3.0)
    clock.advance(3.3)
    assert clock.responses["a"].played == pytest.approx(0.7 * RATE, abs=BLOCK_S * RATE)
    assert clock.underruns() == []


def test_clear_drops_what_is_left_and_what_still_arrives_of_it():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", tone(1.0))
    clock.pause(0.25)
    clock.clear(0.3, "a")
    clock.push(0.35, "a", tone(0.5))
    clock.push(0.4, "b", tone(0.1))
    clock.advance(2.0)
    assert clock.responses["a"].played == pytest.approx(0.25 * RATE, abs=BLOCK_S * RATE)
    assert clock.responses["b"].played == int(0.1 * RATE)
    assert not clock.paused
    _, last_s = clock.last_audible("a")
    assert last_s == pytest.approx(0.25, abs=BLOCK_S)


def test_running_dry_inside_a_response_is_an_underrun_with_its_length():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", tone(0.1))
    clock.push(0.25, "a", tone(0.1))
    clock.advance(1.0)
    [(response, sample, gap_s)] = clock.underruns()
    assert (response, sample) == ("a", int(0.1 * RATE))
    assert gap_s == pytest.approx(0.15)


def test_the_silence_between_two_responses_is_no_underrun():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", tone(0.1))
    clock.finish(0.01, "a")
    clock.push(0.5, "b", tone(0.1))
    clock.advance(1.0)
    assert clock.underruns() == []


def test_responses_are_heard_one_after_the_other():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", tone(0.3))
    clock.push(0.1, "b", tone(0.3))
    clock.advance(1.0)
    assert clock.time_of("b", 0) == pytest.approx(0.3)


def test_a_reader_in_a_hurry_hears_the_same_samples_sooner():
    clock = PlayoutClock(RATE, speed=10)
    clock.push(0.0, "a", tone(1.0))
    clock.advance(0.05)
    assert clock.responses["a"].played == RATE // 2
    assert clock.left_s() == pytest.approx(0.05)


def test_asking_often_or_rarely_gives_the_same_account():
    chunks = [(0.013 * i, tone(0.02)) for i in range(30)]
    rare, often = PlayoutClock(RATE), PlayoutClock(RATE)
    for at_s, chunk in chunks:
        rare.push(at_s, "a", chunk)
        often.push(at_s, "a", chunk)
        for step in range(13):
            often.advance(at_s + step / 1000)
    for clock in (rare, often):
        clock.advance(2.0)
    assert rare.responses["a"].played == often.responses["a"].played
    for sample in range(0, rare.responses["a"].played, 997):
        assert rare.time_of("a", sample) == pytest.approx(often.time_of("a", sample), abs=1e-3)


def test_what_came_out_of_the_loudspeaker_can_leak_into_the_microphone():
    clock = PlayoutClock(RATE, keep_sound=True)
    sound = tone(0.5)
    clock.push(0.0, "a", sound)
    clock.advance(1.0)
    heard = clock.played_between(0.1, 0.2)
    assert np.allclose(heard, sound[int(0.1 * RATE) : int(0.2 * RATE)])
    assert not clock.played_between(0.6, 0.7).any()


def test_a_response_with_a_gap_was_not_audible_in_it():
    clock = PlayoutClock(RATE)
    clock.push(0.0, "a", np.concatenate([tone(0.5), silence(0.5), tone(0.5)]))
    clock.advance(2.0)
    assert clock.audible_between("a", 0.3, 0.4)
    assert not clock.audible_between("a", 0.6, 0.9)
    assert clock.audible_between("a", 1.1, 1.2)


@pytest.mark.parametrize("given", [{"rate_hz": 0}, {"rate_hz": 24_000, "speed": 0.0}])
def test_impossible_loudspeakers_are_refused(given):
    with pytest.raises(ValueError, match="positive"):
        PlayoutClock(**given)
