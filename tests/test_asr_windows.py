"""Recordings longer than a window: where they are cut, and how the words of overlapping windows become one text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engines.base import SAMPLE_RATE_HZ, Word
from workbench.engines.whisper_windows import EARLIEST_CUT_S, LATEST_CUT_S, OVERLAP_S, cut, stitch

RNG = np.random.default_rng(5)


def voiced(seconds: float) -> np.ndarray:
    return RNG.normal(0, 0.1, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return RNG.normal(0, 0.001, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def spoken(text: str, start_s: float = 0.0, word_s: float = 0.4) -> list[Word]:
    return [
        Word(word, start_s + i * word_s, start_s + (i + 1) * word_s - 0.05, 0.9) for i, word in enumerate(text.split())
    ]


def text_of(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def test_a_short_clip_is_one_window() -> None:
    assert [(w.start, w.end) for w in cut(voiced(15))] == [(0, 15 * SAMPLE_RATE_HZ)]


def test_a_recording_is_cut_in_its_pause_without_overlap() -> None:
    [first, second] = cut(np.concatenate([voiced(11), quiet(0.6), voiced(10)]))
    assert 11.05 <= first.end / SAMPLE_RATE_HZ <= 11.55
    assert (second.start, second.overlaps) == (first.end, False)


def test_speech_without_a_pause_is_cut_with_an_overlap() -> None:
    [first, second] = cut(voiced(20))
    assert first.end == LATEST_CUT_S * SAMPLE_RATE_HZ
    assert second.overlaps and second.start == (LATEST_CUT_S - OVERLAP_S) * SAMPLE_RATE_HZ


def test_a_pause_too_early_is_not_used() -> None:
    first = cut(np.concatenate([voiced(3), quiet(1), voiced(20)]))[0]
    assert first.end >= EARLIEST_CUT_S * SAMPLE_RATE_HZ


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.3, 12), min_size=1, max_size=8))
def test_windows_cover_everything_and_stay_where_they_are_as_the_recording_grows(lengths: list[float]) -> None:
    recording = np.concatenate([np.concatenate([voiced(length), quiet(0.5)]) for length in lengths])
    windows = cut(recording)
    assert windows[0].start == 0 and windows[-1].end == len(recording)
    for before, after in zip(windows, windows[1:], strict=False):
        assert after.start == before.end or (after.overlaps and before.start < after.start < before.end)
    longer = cut(np.concatenate([recording, voiced(9)]))
    assert longer[: len(windows) - 1] == windows[:-1]


def test_words_both_windows_heard_appear_once() -> None:
    left = spoken("i would give aspirin and then heparin before the")
    right = spoken("then heparin before the angiogram today", start_s=left[5].start_s)
    merged = stitch(left, right, left[5].start_s, left[-1].end_s)
    assert text_of(merged) == "i would give aspirin and then heparin before the angiogram today"


def test_a_word_cut_at_a_windows_edge_is_taken_from_the_other() -> None:
    left = spoken("give aspirin and then heparin before the an")
    right = spoken("asp and then heparin before the angiogram", start_s=left[1].start_s)
    merged = stitch(left, right, left[1].start_s, left[-1].end_s)
    assert text_of(merged) == "give aspirin and then heparin before the angiogram"


def test_a_word_said_twice_is_not_taken_for_one() -> None:
    left = spoken("no no no i would wait for the")
    right = spoken("i would wait for the result the result matters", start_s=left[3].start_s)
    merged = stitch(left, right, left[3].start_s, left[-1].end_s)
    assert text_of(merged) == "no no no i would wait for the result the result matters"


def test_punctuation_and_case_do_not_hide_a_match() -> None:
    left = spoken("chest pain, I would first record")
    right = spoken("I Would first. Record an electrocardiogram", start_s=left[2].start_s)
    assert text_of(stitch(left, right, left[2].start_s, left[-1].end_s)).endswith("an electrocardiogram")
    assert len(stitch(left, right, left[2].start_s, left[-1].end_s)) == 8


def test_windows_that_agree_on_nothing_meet_in_the_middle() -> None:
    left, right = spoken("one two three four"), spoken("five six seven eight", start_s=0.8)
    assert text_of(stitch(left, right, 0.8, 1.6)) == "one two three six seven eight"


@pytest.mark.parametrize("empty", ["left", "right"])
def test_a_window_that_heard_nothing_costs_the_other_no_word(empty: str) -> None:
    words = spoken("the patient needs fluids")
    left, right = ([], words) if empty == "left" else (words, [])
    assert stitch(left, right, 0.0, 1.6) == words


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(0, 8))
def test_no_word_is_lost_or_doubled_wherever_the_overlap_falls(n_shared: int, n_more: int) -> None:
    everything = spoken(" ".join(f"word{i}" for i in range(14 + n_more)))
    left, right = everything[:14], everything[14 - n_shared :]
    assert stitch(left, right, right[0].start_s, left[-1].end_s) == everything
