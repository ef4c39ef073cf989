"""The turn rule on scripted voice activity: every sample index is known beforehand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scripted_voice import FRAME, ScriptedVoice, script
from workbench.realtime.turns import (
    PRESETS,
    EndOfTurn,
    Onset,
    Patience,
    Pause,
    Resume,
    TurnSignal,
    TurnTaker,
    Withdrawn,
)

FINISHED = {"text": "I would give adrenaline into the thigh.", "end_of_turn": 0.99}
UNFINISHED = {"text": "I would give adrenaline and", "end_of_turn": 0.02}


def at(frame: int) -> int:
    return frame * 512


def listen(taker: TurnTaker, text: str, examiner_speaking: bool = False) -> list[TurnSignal]:
    """Feeds as many frames as the text has letters; the taker's own script says what is in them."""
    return [signal for _ in text for signal in taker.frame(FRAME, examiner_speaking)]


def take(text: str, **options: object) -> tuple[TurnTaker, list[TurnSignal]]:
    taker = TurnTaker(ScriptedVoice(script(text)), **options)  # type: ignore[arg-type]
    return taker, listen(taker, text)


def silence_until_end(taker: TurnTaker) -> tuple[EndOfTurn, float]:
    """Feeds silence until the turn ends; also says how many seconds after the last voiced sample that was."""
    for _ in range(1000):
        for signal in taker.frame(FRAME):
            assert isinstance(signal, EndOfTurn)
            return signal, (signal.at_sample - signal.end_sample) / 16_000
    raise AssertionError("the turn never ended")


def test_an_onset_names_its_first_voiced_sample_two_frames_later() -> None:
    assert take("...#")[1] == []
    assert take("...##")[1] == [Onset(at(3))]


def test_one_loud_frame_is_no_onset() -> None:
    assert take("..#..#..#....")[1] == []


def test_a_pause_follows_64_ms_of_silence_and_names_the_last_voiced_sample() -> None:
    assert take("..#####.")[1] == [Onset(at(2))]
    assert take("..#####..")[1] == [Onset(at(2)), Pause(1, at(2), at(7))]


def test_the_quiet_end_of_a_word_belongs_to_it() -> None:
    assert take("..#####---..")[1][-1] == Pause(1, at(2), at(10))


def test_going_on_voids_the_pause_and_the_next_one_has_a_new_number() -> None:
    _, signals = take("..#####...####..")
    assert signals == [Onset(at(2)), Pause(1, at(2), at(7)), Resume(1, at(10)), Pause(2, at(2), at(14))]


def test_a_click_inside_a_pause_does_not_void_it() -> None:
    _, signals = take("..#####..#..#..")
    assert signals == [Onset(at(2)), Pause(1, at(2), at(7))]


def test_a_sound_too_brief_for_speech_is_withdrawn() -> None:
    assert take("..###......")[1] == [Onset(at(2)), Withdrawn(at(2))]


def test_two_brief_sounds_close_together_are_speech() -> None:
    assert take("..###..###..")[1] == [Onset(at(2)), Pause(1, at(2), at(10))]


def test_a_finished_sentence_ends_the_turn_after_half_a_second() -> None:
    taker, _ = take("..##########..")
    assert taker.evidence(1, **FINISHED) == ()
    end, silence_s = silence_until_end(taker)
    assert (end.pause_id, end.start_sample, end.end_sample) == (1, at(2), at(12))
    assert 0.5 <= end.needed_s < 0.7
    assert end.needed_s <= silence_s < end.needed_s + 0.032


def test_an_unfinished_sentence_is_waited_for() -> None:
    taker, _ = take("..##########..")
    taker.evidence(1, **UNFINISHED)
    end, silence_s = silence_until_end(taker)
    assert 2.2 <= end.needed_s <= 2.5
    assert silence_s >= end.needed_s


def test_evidence_that_comes_late_ends_the_turn_at_once() -> None:
    taker, _ = take("..##########..")
    assert listen(taker, "." * 30) == []
    (end,) = taker.evidence(1, **FINISHED)
    assert isinstance(end, EndOfTurn)
    assert end.at_sample == at(2 + 10 + 2 + 30)


def test_evidence_may_come_in_pieces() -> None:
    whole, _ = take("..##########..")
    whole.evidence(1, **FINISHED)
    pieces, _ = take("..##########..")
    pieces.evidence(1, text=FINISHED["text"])
    pieces.evidence(1, end_of_turn=FINISHED["end_of_turn"])
    assert silence_until_end(pieces) == silence_until_end(whole)


def test_evidence_about_an_older_pause_is_ignored() -> None:
    taker, _ = take("..#####...####..")
    assert taker.evidence(1, **FINISHED) == ()
    later, _ = take("..#####...####..")
    assert silence_until_end(taker) == silence_until_end(later)


def test_a_turn_without_any_evidence_ends_all_the_same() -> None:
    taker, _ = take("..##########..")
    end, _ = silence_until_end(taker)
    assert 1.0 <= end.needed_s <= 2.5


def test_a_short_sound_without_words_is_withdrawn_as_soon_as_that_is_known() -> None:
    taker, _ = take("..##########..")
    assert taker.evidence(1, text=" ") == (Withdrawn(at(2)),)
    assert not taker.holds_turn


def test_a_long_sound_without_words_still_ends_as_a_turn() -> None:
    taker, _ = take(".." + "#" * 60 + "..")
    assert taker.evidence(1, text="") == ()
    end, _ = silence_until_end(taker)
    assert end.pause_id == 1


def test_no_turn_ends_while_a_voice_may_be_starting_again() -> None:
    text = "..##########.." + "." * 10
    taker = TurnTaker(ScriptedVoice(script(text + "#.......")))
    listen(taker, text)
    assert listen(taker, "#") == []
    assert taker.evidence(1, **FINISHED) == ()
    assert isinstance(silence_until_end(taker)[0], EndOfTurn)


def test_an_exam_answer_is_given_time_unless_nothing_is_missing() -> None:
    needed = []
    for enough in (False, True):
        taker, _ = take("..##########..", expects="answer")
        taker.evidence(1, **FINISHED, enough=enough)
        needed.append(silence_until_end(taker)[0].needed_s)
    assert needed == [pytest.approx(2.0, abs=0.02), pytest.approx(0.5, abs=0.05)]


def test_a_request_in_place_of_an_answer_is_answered_quickly() -> None:
    taker, _ = take("..##########..", expects="answer")
    taker.evidence(1, text="Could you repeat the question, please?", end_of_turn=0.9)
    assert silence_until_end(taker)[0].needed_s == 0.5


def test_extra_time_stretches_the_silence() -> None:
    plain, _ = take("..##########..")
    plain.evidence(1, **FINISHED)
    extended, _ = take("..##########..", accommodation=2.0)
    extended.evidence(1, **FINISHED)
    assert silence_until_end(extended)[0].needed_s == pytest.approx(2 * silence_until_end(plain)[0].needed_s)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_keeps_its_bounds(name: str) -> None:
    patience = Patience.preset(name)  # type: ignore[arg-type]
    assert patience.needed_s(1.0) == pytest.approx(patience.finished_s)
    assert patience.needed_s(0.0) == pytest.approx(patience.unfinished_s)
    lengths = [patience.needed_s(step / 20) for step in range(21)]
    assert lengths == sorted(lengths, reverse=True)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="brisk, default, patient"):
        Patience.preset("hasty")  # type: ignore[arg-type]


def test_a_moment_granted_in_a_pause_keeps_the_turn_open() -> None:
    taker, _ = take("..##########..")
    taker.evidence(1, **FINISHED)
    taker.grant(5.0)
    granted_until = taker.n_samples + 5 * 16_000
    end, _ = silence_until_end(taker)
    assert granted_until <= end.at_sample < granted_until + 512


def test_a_moment_granted_before_the_turn_waits_for_unfinished_sentences_only() -> None:
    for evidence, is_held in ((FINISHED, False), (UNFINISHED, True)):
        taker = TurnTaker(ScriptedVoice(script("..##########..")))
        taker.grant(20.0)
        listen(taker, "..##########..")
        taker.evidence(1, **evidence)
        end, _ = silence_until_end(taker)
        assert (end.at_sample >= 20 * 16_000) is is_held


def test_let_me_think_buys_time() -> None:
    taker, _ = take("..##########..")
    taker.evidence(1, text="That is, let me think.", end_of_turn=0.99)
    end, _ = silence_until_end(taker)
    assert end.needed_s > 2.5


def test_a_client_can_end_the_turn() -> None:
    taker, _ = take("..##########")
    pause, end = taker.force_end()
    assert pause == Pause(1, at(2), at(12))
    assert end == EndOfTurn(1, at(2), at(12), at(12), 0.0)
    assert taker.force_end() == ()


def test_the_examiners_echo_makes_no_onset() -> None:
    assert take("..~~~~~~~~~~~~")[1] == [Onset(at(2))]
    taker = TurnTaker(ScriptedVoice(script("..~~~~~~~~~~~~####")))
    assert listen(taker, "." * 14, examiner_speaking=True) == []
    assert listen(taker, "####", examiner_speaking=True) == [Onset(at(14))]


def test_after_a_reset_a_voice_that_goes_on_must_fall_silent_first() -> None:
    taker = TurnTaker(ScriptedVoice(script("..######" + "######" + ".####")))
    listen(taker, "." * 8)
    taker.reset()
    assert not taker.holds_turn
    assert listen(taker, "." * 6) == []
    assert listen(taker, "." * 5) == [Onset(at(15))]


# ---- properties --------------------------------------------------------------------------------------------------

PROBABILITIES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.97]), st.integers(1, 40)), min_size=1, max_size=25
).map(lambda runs: [value for value, length in runs for _ in range(length)])
EVIDENCE = st.lists(
    st.tuples(
        st.integers(2, 60),
        st.sampled_from([None, "", "I would give aspirin.", "I would give the", "um"]),
        st.sampled_from([None, 0.0, 0.5, 1.0]),
    ),
    max_size=12,
)


def run(
    probabilities: list[float],
    evidence: list[tuple[int, str | None, float | None]],
    examiner: list[bool] | None = None,
) -> list[TurnSignal]:
    """One recorded session: the n-th pause gets the n-th evidence, so many frames after it began."""
    taker = TurnTaker(ScriptedVoice(probabilities))
    signals: list[TurnSignal] = []
    due: dict[int, list[tuple[int, str | None, float | None]]] = {}
    for index in range(len(probabilities) + 150):
        new = list(taker.frame(FRAME, bool(examiner and examiner[index % len(examiner)])))
        for pause_id, text, sound in due.pop(index, []):
            new += taker.evidence(pause_id, text=text, end_of_turn=sound)
        for signal in new:
            if isinstance(signal, Pause) and signal.pause_id <= len(evidence):
                delay, text, sound = evidence[signal.pause_id - 1]
                due.setdefault(index + delay, []).append((signal.pause_id, text, sound))
        signals += new
    return signals


@given(PROBABILITIES, EVIDENCE, st.lists(st.booleans(), max_size=7))
def test_signals_follow_one_another_as_the_diagram_says(
    probabilities: list[float], evidence: list[tuple[int, str | None, float | None]], examiner: list[bool]
) -> None:
    follows: dict[type, set[type]] = {
        Onset: {Pause, Withdrawn},
        Pause: {Resume, EndOfTurn, Withdrawn},
        Resume: {Pause},
        EndOfTurn: {Onset},
        Withdrawn: {Onset},
    }
    signals = run(probabilities, evidence, examiner)
    kinds = [type(signal) for signal in signals]
    assert kinds[:1] in ([], [Onset])
    assert all(later in follows[earlier] for earlier, later in zip(kinds, kinds[1:], strict=False))


@given(PROBABILITIES, EVIDENCE)
def test_every_end_belongs_to_the_pause_before_it_and_lasted_as_long_as_it_says(
    probabilities: list[float], evidence: list[tuple[int, str | None, float | None]]
) -> None:
    signals = run(probabilities, evidence)
    for earlier, later in zip(signals, signals[1:], strict=False):
        if isinstance(later, EndOfTurn):
            assert isinstance(earlier, Pause)
            assert (earlier.pause_id, earlier.start_sample, earlier.end_sample) == (
                later.pause_id,
                later.start_sample,
                later.end_sample,
            )
            assert later.at_sample - later.end_sample >= later.needed_s * 16_000
            assert later.start_sample < later.end_sample < later.at_sample


@given(PROBABILITIES, EVIDENCE, st.lists(st.booleans(), max_size=7))
def test_a_recorded_session_replays_to_the_same_decisions(
    probabilities: list[float], evidence: list[tuple[int, str | None, float | None]], examiner: list[bool]
) -> None:
    assert run(probabilities, evidence, examiner) == run(probabilities, evidence, examiner)


@given(PROBABILITIES, st.integers(1, 60))
def test_sound_before_a_turn_only_shifts_its_samples(probabilities: list[float], frames_before: int) -> None:
    plain = run([0.0, *probabilities], [])
    shifted = run([0.0] * (frames_before + 1) + probabilities, [])

    def samples(signal: TurnSignal) -> list[int]:
        return [value for name, value in vars(signal).items() if name.endswith("sample")]

    assert [type(signal) for signal in plain] == [type(signal) for signal in shifted]
    for one, other in zip(plain, shifted, strict=True):
        assert [value + at(frames_before) for value in samples(one)] == samples(other)
