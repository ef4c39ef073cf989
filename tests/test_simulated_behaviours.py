"""What simulated candidates say and do, drawn by seed; no server, no voice."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from workbench.engines.base import SAMPLE_RATE_HZ
from workbench.exam.requests import understand
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import (
    BEHAVIOURS,
    INTERRUPTIONS,
    Press,
    Say,
    Situation,
    Wait,
    behaviour,
    hesitating,
)
from workbench.simulate.microphone import Microphone
from workbench.simulate.sound import Clip, cough, hum, joined, knock, room_tone, voiced_bounds


@pytest.fixture(scope="module")
def book():
    from workbench.settings import Settings

    return AnswerBook(Settings(_env_file=None))


@pytest.fixture
def question_ids(book):
    return book.question_ids("medical", "cardiology")


def situation(book, question_id, seed=0, attempt=0, probe=False):
    return Situation(book, Random(seed), question_id, attempt, probe)


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_the_same_seed_gives_the_same_turn(book, question_ids, name):
    for question_id in question_ids:
        first = behaviour(name).turn(situation(book, question_id, seed=7))
        assert first == behaviour(name).turn(situation(book, question_id, seed=7))
        assert first.steps


def test_different_seeds_do_not_all_give_the_same_turns(book, question_ids):
    turns = {behaviour("mixed").turn(situation(book, question_ids[0], seed=seed)) for seed in range(20)}
    assert len(turns) > 1


@pytest.mark.parametrize(
    ("name", "verdict"), [("knowledgeable", "correct"), ("partial", "partial"), ("wrong", "incorrect")]
)
def test_answers_deserve_the_verdict_of_the_behaviour_and_are_exemplars_of_the_bank(book, question_ids, name, verdict):
    for question_id in question_ids:
        turn = behaviour(name).turn(situation(book, question_id))
        assert turn.expected == verdict
        [say] = turn.steps
        exemplars = {e.text: e.verdict for e in book._questions[question_id].exemplars}
        assert exemplars[say.text] == verdict


def test_a_probe_does_not_change_what_a_partial_answer_deserves(book, question_ids):
    turn = behaviour("partial").turn(situation(book, question_ids[0], probe=True))
    assert turn.expected is None
    assert "nothing to add" in turn.steps[0].text


def test_a_question_of_an_unknown_bank_is_answered_by_somebody_who_does_not_know(book):
    assert behaviour("knowledgeable").turn(situation(book, "none-such")).expected == "incorrect"


def test_hesitation_pauses_inside_sentences_and_loses_no_word():
    text = "I would give aspirin, because it inhibits platelets, and I would call the cardiologist at once."
    parts = hesitating(text, Random(3))
    pauses = [part for part in parts if isinstance(part, float)]
    said = " ".join(part for part in parts if isinstance(part, str) and part not in ("um,", "er,", "well,"))
    assert said == text
    assert pauses and all(0.3 <= pause <= 2.0 for pause in pauses)
    assert isinstance(parts[0], str) and isinstance(parts[-1], str)


def test_hesitant_answers_keep_the_words_of_the_exemplar(book, question_ids):
    for question_id in question_ids:
        [say] = behaviour("hesitant").turn(situation(book, question_id)).steps
        assert any(isinstance(part, float) for part in say.parts)


def test_interruptions_are_requests_the_examiner_understands():
    for text in INTERRUPTIONS:
        request = understand(text, "question")
        assert request is not None and request.kind == "repeat"


def test_one_who_asks_gets_the_question_answered_the_second_time(book, question_ids):
    asked = [behaviour("asking").turn(situation(book, q, seed=s)) for q in question_ids for s in range(5)]
    assert any(not turn.answers for turn in asked)
    assert all(behaviour("asking").turn(situation(book, q, attempt=1)).answers for q in question_ids)


def test_a_silent_candidate_ends_every_question_in_the_end(book, question_ids):
    for seed in range(10):
        first = behaviour("silent").turn(situation(book, question_ids[0], seed=seed))
        assert isinstance(first.steps[0], Wait | Say)
        assert behaviour("silent").turn(situation(book, question_ids[0], seed=seed, attempt=1)).answers


def test_only_interruptions_want_the_floor():
    draws = {name: [BEHAVIOURS[name].aside(Random(seed)) for seed in range(60)] for name in BEHAVIOURS}
    assert all(aside.takes_floor for aside in draws["interrupting"] if aside)
    assert not any(aside.takes_floor for name in ("backchannel", "coughing") for aside in draws[name] if aside)
    for name in ("interrupting", "backchannel", "coughing"):
        assert any(draws[name]) and not all(draws[name])
    assert not any(draws["knowledgeable"])


def test_an_unknown_behaviour_lists_the_known_ones():
    with pytest.raises(ValueError, match="knowledgeable"):
        behaviour("clairvoyant")


def test_every_press_is_a_command_of_the_protocol(book, question_ids):
    from workbench.exam.model import COMMANDS

    for kind in BEHAVIOURS.values():
        for seed in range(5):
            for step in kind.turn(situation(book, question_ids[0], seed=seed)).steps:
                assert not isinstance(step, Press) or step.command in COMMANDS


# ---- the microphone and what goes into it ----


def tone(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.2 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)


def test_the_voice_of_a_clip_ends_where_its_last_audible_window_ends():
    quiet = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)
    clip = Clip.of(np.concatenate([quiet, tone(0.5), quiet]), "words")
    assert clip.voiced_s == pytest.approx(0.5, abs=0.011)
    assert clip.first_voiced == pytest.approx(0.05 * SAMPLE_RATE_HZ, abs=80)
    assert voiced_bounds(clip.samples) == (clip.first_voiced, clip.last_voiced)


def test_a_room_echoes_behind_the_voice_but_does_not_move_its_end():
    response = np.zeros(4000, np.float32)
    response[[0, 1600, 3200]] = (1.0, 0.5, 0.25)
    dry = Clip.of(tone(0.5), "words")
    wet = dry.in_room(response)
    assert wet.last_voiced == dry.last_voiced
    assert voiced_bounds(wet.samples)[1] > dry.last_voiced + 1000


def test_joined_clips_keep_their_pauses():
    clip = joined([Clip.of(tone(0.3), "one"), 1.5, Clip.of(tone(0.3), "two")])
    assert clip.text == "one two"
    assert clip.voiced_s == pytest.approx(0.3 + 1.5 + 0.3, abs=0.02)


def test_silence_has_no_voice():
    assert voiced_bounds(np.zeros(1000, np.float32)) == (0, 0)
    assert joined([1.0]).last_voiced == 0


@pytest.mark.parametrize("make", [cough, hum, knock])
def test_noises_are_short_loud_and_the_same_for_the_same_seed(make):
    clip = make(5)
    assert 0.02 < clip.voiced_s < 1.2
    assert np.array_equal(clip.samples, make(5).samples)
    assert not np.array_equal(clip.samples, make(6).samples)
    assert np.abs(clip.samples).max() <= 1.0


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_a_clip_lies_in_the_stream_where_the_microphone_says(rate_hz):
    microphone = Microphone(rate_hz, background=room_tone(0))
    for _ in range(7):
        microphone.frame()
    clip = Clip.of(tone(0.2), "words")
    start = microphone.lay(clip)
    spoken = microphone.placed(clip, start, origin_s=100.0)
    stream = np.concatenate([microphone.frame() for _ in range(20)])
    first, last = voiced_bounds(stream, rate_hz)
    began_s = 100.0 + 7 * 0.02 + first / rate_hz
    ended_s = 100.0 + 7 * 0.02 + last / rate_hz
    assert spoken.first_voiced_s == pytest.approx(began_s, abs=0.011)
    assert spoken.last_voiced_s == pytest.approx(ended_s, abs=0.011)


def test_breaking_off_leaves_only_the_room():
    microphone = Microphone(16_000)
    microphone.lay(Clip.of(tone(1.0), "words"))
    assert microphone.frame().any()
    microphone.frame()
    microphone.hush()
    assert not microphone.frame().any()


def test_the_background_goes_round_without_a_seam():
    loop = np.arange(1000, dtype=np.float32) / 1000
    microphone = Microphone(16_000, background=loop)
    stream = np.concatenate([microphone.frame() for _ in range(10)])
    assert np.array_equal(stream, np.resize(loop, len(stream)))
