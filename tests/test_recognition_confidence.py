"""How sure the recogniser was travels with the words: over the stretches of a turn, and over the turns of an answer."""

from __future__ import annotations

import pytest

from tests.exam_driver import Exam
from workbench.engines.base import SAMPLE_RATE_HZ, Transcript
from workbench.exam.model import Heard, Judge
from workbench.realtime.drafts import FIX_AFTER_S, SpokenSoFar

LONG = int(FIX_AFTER_S * SAMPLE_RATE_HZ)


def test_a_turn_is_as_sure_as_its_least_sure_stretch() -> None:
    so_far = SpokenSoFar()
    so_far.fix(LONG, Transcript("give aspirin and", confidence=0.4))
    assert so_far.sure(Transcript("record an ecg", confidence=0.9)) == 0.4
    so_far.fix(2 * LONG, Transcript("record an ecg", confidence=0.9))
    assert so_far.sure(Transcript("and call the senior", confidence=0.3)) == 0.3
    assert so_far.text == "give aspirin and record an ecg"


def test_a_cough_after_the_last_word_takes_no_confidence_away() -> None:
    so_far = SpokenSoFar()
    so_far.fix(LONG, Transcript("give aspirin", confidence=0.8))
    assert so_far.sure(Transcript("", confidence=0.0)) == 0.8


def test_a_stretch_that_is_not_settled_is_recognised_again_and_counts_once() -> None:
    so_far = SpokenSoFar()
    so_far.fix(LONG - 1, Transcript("give", confidence=0.2))
    assert so_far.text == "" and so_far.sure(Transcript("give aspirin", confidence=0.9)) == 0.9


@pytest.mark.parametrize("sure", [(0.9, 0.4), (0.4, 0.9)])
def test_an_answer_over_a_probe_is_as_sure_as_its_least_sure_turn(sure: tuple[float, float]) -> None:
    exam = Exam()
    exam.happen(Heard("give aspirin", 5.0, confidence=sure[0]))
    exam.mark("partial")
    assert exam.state.phase == "probe"
    exam.happen(Heard("record an ecg", 15.0, confidence=sure[1]))
    asked = [effect for effect in exam.effects if isinstance(effect, Judge)]
    assert [judge.confidence for judge in asked] == [sure[0], 0.4]
