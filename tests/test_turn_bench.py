"""The turn-taking bench: its corpus is what it says it is, and a recording is decided as a session would be."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from tests.scripted_voice import script
from workbench import models
from workbench.bench import turn_texts
from workbench.bench.fit_completeness import fit_words, logistic
from workbench.bench.turn_corpus import (
    FITTING_MANNERS,
    HELD_OUT_MANNERS,
    MIX,
    PAUSE_S,
    AligningVoice,
    Answer,
    Condition,
    PlacedPause,
    Spoken,
    SpokenWord,
    conditions,
    cut_open,
    decaying_room,
    kind_of,
    make_answers,
    murmur,
    quietest,
    with_pauses,
)
from workbench.bench.turn_replay import HeardPause, Recording, decide, pauses_of
from workbench.bench.turns import _figures
from workbench.realtime.turns import Patience
from workbench.settings import Settings

FRAME = 512


def test_nothing_held_out_is_fitted_to() -> None:
    def words(text: str) -> set[str]:
        return {word.strip(".,") for word in text.lower().split()}

    for text in turn_texts.HELD_OUT:
        for other in turn_texts.FITTING:
            shared = words(text) & words(other)
            assert len(shared) < 0.6 * min(len(words(text)), len(words(other))), (text, other)
    assert len(set(turn_texts.HELD_OUT)) >= 40
    assert not set(HELD_OUT_MANNERS) & set(FITTING_MANNERS)
    heard = {place.name for place in conditions(None)} & {place.name for place in conditions(None, fitting=True)}
    assert not {name for name in heard if name.startswith("noise")}


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("the", "murmur", "joint"),
        ("because", "she", "joint"),
        ("would, um,", "give", "filler"),
        ("apex", "and", "clause"),
        ("axilla,", "which", "clause"),
        ("mitral", "regurgitation", "phrase"),
        ("angina.", "I", "sentence"),
    ],
)
def test_the_place_of_a_pause_is_named(before: str, after: str, kind: str) -> None:
    assert kind_of(before, after) == kind


def test_the_mix_of_pauses_is_whole() -> None:
    assert sum(MIX.values()) == pytest.approx(1.0)


def spoken(n_words: int = 12) -> Spoken:
    """Tones of 0.2 s with gaps of 50 ms, called mitral, mitral, mitral..."""
    word = 0.3 * np.sin(2 * np.pi * 200 * np.arange(3200) / 16_000)
    gap = np.zeros(800)
    sound = np.concatenate([part for _ in range(n_words) for part in (word, gap)]).astype(np.float32)
    return Spoken(sound, tuple(SpokenWord("mitral", i * 4000, i * 4000 + 3200) for i in range(n_words)))


def test_pauses_are_put_between_words_and_take_nothing_away() -> None:
    utterance = spoken()
    answer = with_pauses(utterance, Random(3), name="a", count=3)
    assert len(answer.pauses) == 3
    assert Counter(p.kind for p in answer.pauses) == {"phrase": 3}
    for pause in answer.pauses:
        assert PAUSE_S[0] <= pause.length_s <= PAUSE_S[1]
        assert not answer.samples[pause.start : pause.end].any()
        assert pause.length_s == pytest.approx((pause.end - pause.start) / 16_000 + 0.05, abs=0.011)
    kept = np.ones(len(answer.samples), bool)
    for pause in answer.pauses:
        kept[pause.start : pause.end] = False
    assert kept.sum() == len(answer.samples) - sum(p.end - p.start for p in answer.pauses)
    assert float(np.square(answer.samples).sum()) == pytest.approx(float(np.square(utterance.samples).sum()), rel=1e-3)


def test_the_last_voiced_sample_is_known() -> None:
    answer = cut_open(spoken(4).samples, [], [], "a", "")
    assert answer.last_voiced == pytest.approx(9600 + 3 * 4000 + 3200, abs=80)


def test_the_quietest_place_near_a_boundary_is_found() -> None:
    assert 3200 <= quietest(spoken().samples, 3300) <= 4000


def test_noise_lies_at_the_level_asked_for() -> None:
    answer = cut_open(spoken(20).samples, [], [], "a", "")
    place = Condition("noise", noise=murmur(1), snr_db=10.0)
    noise = place.heard(answer, 4) - answer.samples
    speech = answer.samples[np.abs(answer.samples) > 0.01]
    assert 10 * np.log10(np.mean(speech**2) / np.mean(noise**2)) == pytest.approx(10.0, abs=0.3)


def test_a_room_rings_on_and_keeps_the_clock() -> None:
    answer = cut_open(spoken(4).samples, [], [], "a", "")
    heard = Condition("room", room=decaying_room(1, 0.5)).heard(answer, 0)
    assert len(heard) == len(answer.samples)
    tail = heard[answer.last_voiced + 400 : answer.last_voiced + 3200]
    assert np.sqrt(np.mean(tail**2)) > 10 * np.sqrt(np.mean(heard[-8000:] ** 2))


def recording(texts: tuple[str, str]) -> Recording:
    """Half a second of speech, a pause of one second, half a second of speech; what was recognised is given."""
    probabilities = tuple(script("." * 10 + "#" * 16 + "." * 32 + "#" * 16 + "." * 20))
    first, last = 26 * FRAME, 74 * FRAME
    answer = Answer("a", "", np.zeros(0, np.float32), last, (PlacedPause(first, 58 * FRAME, "clause", "x", 1.02),))
    heard = (
        HeardPause(10 * FRAME, first, 32 * FRAME / 16_000, texts[0], 0.95),
        HeardPause(10 * FRAME, last, None, texts[1], 0.95),
    )
    return Recording(answer, "clean", probabilities, heard)


def test_a_recorded_pause_is_where_the_voice_says_it_is() -> None:
    found = pauses_of(recording(("", "")).probabilities)
    assert [(pause.end_sample, resumed) for pause, resumed in found] == [(26 * FRAME, 58 * FRAME), (74 * FRAME, None)]


def test_an_unfinished_pause_is_waited_out_and_a_finished_one_cuts() -> None:
    whole = "It is a clot. I would scan her."
    kept = decide(recording(("It is a clot and", whole)), Patience(), "anything")
    assert not kept.cut_off
    assert kept.wait_s is not None and 0.5 <= kept.wait_s < 0.6
    cut = decide(recording(("It is a clot.", whole)), Patience(), "anything")
    assert cut.cut_off
    assert cut.wait_s is None
    patient = decide(recording(("It is a clot.", whole)), Patience(), "answer")
    assert not patient.cut_off


def test_words_that_come_too_late_cost_their_delay() -> None:
    slow = Patience(0.25, 2.5, 2.0)
    wait_s = decide(recording(("It is a clot and", "It is a clot.")), slow, "anything").wait_s
    assert wait_s is not None and wait_s >= 0.35


def test_figures_count_answers_pauses_kinds_and_lengths() -> None:
    quick = Patience(0.5, 2.5, 0.5)
    whole = "It is a clot. I would scan her."
    figures = _figures([recording(("It is a clot.", whole)), recording(("It is a clot and", whole))], quick)
    assert (figures["n"], figures["n_pauses"]) == (2, 2)
    assert figures["false_cutoff_rate"] == 0.5
    assert figures["by_kind"] == {"clause": {"rate": 0.5, "n": 2}}
    assert figures["by_length_s"] == {"1.0-1.5": {"rate": 0.5, "n": 2}}
    assert figures["finished_endpoint_ms"]["n"] == 1
    assert [error["recognised"] for error in figures["errors"]] == ["It is a clot."]


def test_the_regression_finds_the_weights_of_a_known_model() -> None:
    generator = np.random.default_rng(0)
    x = np.column_stack([np.ones(20_000), generator.standard_normal((20_000, 2))])
    y = (generator.random(20_000) < 1 / (1 + np.exp(-x @ np.array([-0.5, 1.0, -2.0])))).astype(float)
    assert logistic(x, y, np.ones(20_000), 0.0) == pytest.approx([-0.5, 1.0, -2.0], abs=0.07)


def test_words_that_end_no_sentence_weigh_against_it() -> None:
    weights = fit_words(turn_texts.FITTING)
    for name in ("last_filler", "last_conjunction", "last_determiner", "last_preposition"):
        assert weights[name] < -0.5


@pytest.mark.weights
def test_the_synthesizers_own_word_times_lie_on_its_words(settings: Settings) -> None:
    pytest.importorskip("piper")
    voice = AligningVoice(models.find("piper-joe", settings.models_dir) / "en_US-joe-medium.onnx")
    text = "The murmur is loudest at the apex of the heart, and it radiates to the axilla."
    utterance = voice.speak(text, HELD_OUT_MANNERS[1])
    assert " ".join(word.text for word in utterance.words) == text
    starts = [word.start for word in utterance.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start < word.end <= len(utterance.samples) for word in utterance.words)
    levels = [float(np.sqrt(np.mean(utterance.samples[w.start : w.end] ** 2))) for w in utterance.words]
    assert min(levels) > 0.005
    (answer,) = make_answers(voice, [text], HELD_OUT_MANNERS, 0, hesitations=False)
    assert 1 <= len(answer.pauses) <= 3
