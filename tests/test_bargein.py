"""The second stage of barge-in: what counts as an interruption."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.realtime.bargein import DECIDE_WITHIN_S, BargeIn

EXAMINER = "A sixty year old man has chest pain. What would you do first?"


def once(text: str, voiced_s: float = 0.5, *, final: bool = False, examiner: str = EXAMINER) -> str:
    return BargeIn(examiner).hear(text, voiced_s, final=final)


@pytest.mark.parametrize(
    "text", ["Mm-hmm.", "Mm hm", "Yeah.", "Okay, right.", "Uh-huh.", "I see.", "Oh, okay.", "Hmm."]
)
def test_encouragement_lets_the_examiner_go_on(text: str) -> None:
    assert once(text) == "wait"
    assert once(text, final=True) == "resume"
    assert once(text, DECIDE_WITHIN_S) == "resume"


@pytest.mark.parametrize("text", ["Stop.", "Wait.", "Sorry?", "Excuse me", "Pardon?", "Repeat that."])
def test_some_words_interrupt_on_their_own(text: str) -> None:
    assert once(text, 0.3) == "confirm"


@pytest.mark.parametrize(
    "text", ["Could you say the question again?", "I want to change my answer", "Give him aspirin"]
)
def test_a_few_words_interrupt_while_they_are_spoken(text: str) -> None:
    assert once(text, 0.9) == "confirm"


def test_one_word_in_a_short_sound_is_believed_when_it_is_heard_again() -> None:
    barge = BargeIn(EXAMINER)
    assert barge.hear("Aspirin.", 0.3, final=False) == "wait"
    assert barge.hear("Aspirin.", 0.5, final=False) == "confirm"
    assert once("Aspirin.", 0.3, final=True) == "confirm"


@pytest.mark.parametrize("text", ["", "you", "You.", "The", "Bye.", "Thank you."])
def test_what_recognisers_hear_in_coughs_is_nothing(text: str) -> None:
    assert once(text, final=True) == "resume"


def test_more_words_than_the_time_allows_were_not_said() -> None:
    assert once("and the other man", 0.26, final=True) == "resume"
    assert once("and the other man", 0.9, final=True, examiner="Hello.") == "confirm"


def test_a_light_sentence_still_interrupts() -> None:
    assert once("What is it?", final=True) == "confirm"


@pytest.mark.parametrize("text", ["year old man", "What would you", "sixty ear old", "chest pain.", "At 60."])
def test_the_examiners_own_words_are_echo(text: str) -> None:
    assert once(text) == "wait"
    assert once(text, final=True) == "resume"


def test_words_of_ones_own_among_echoed_ones_interrupt() -> None:
    assert once("chest pain sorry could you repeat", 1.1, final=True) == "confirm"
    assert once("Which drugs does the man take already", 1.1, final=True) == "confirm"


def test_more_words_than_the_examiner_said_are_no_echo() -> None:
    assert once("Thank you but I want to change my answer", 1.3, final=True, examiner="Thank you.") == "confirm"


def test_an_urgent_word_the_examiner_said_is_echo() -> None:
    assert once("Stop.", final=True, examiner="When would you stop the infusion?") == "resume"


def test_encouragement_that_turns_into_words_interrupts() -> None:
    barge = BargeIn(EXAMINER)
    assert barge.hear("Yeah,", 0.4, final=False) == "wait"
    assert barge.hear("Yeah, but which artery", 0.9, final=False) == "confirm"


def test_a_decision_stands() -> None:
    barge = BargeIn(EXAMINER)
    assert barge.hear("Stop", 0.3, final=False) == "confirm"
    assert barge.hear("", 2.0, final=True) == "confirm"


@given(st.text(max_size=80), st.floats(0, 30))
def test_nobody_is_kept_waiting(text: str, voiced_s: float) -> None:
    assert once(text, voiced_s, final=True) in ("confirm", "resume")
    assert once(text, DECIDE_WITHIN_S + voiced_s) in ("confirm", "resume")
