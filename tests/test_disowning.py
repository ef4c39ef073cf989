"""Sentences that take back, turn down or leave open; and sentences with the same words that do nothing of the kind."""

from __future__ import annotations

import pytest

from workbench.exam.assertion import read_stances
from workbench.exam.spoken_terms import read_terms

CLAIM = "It is an inferior infarct."


def stance(text: str, word: str) -> str:
    """Stance of the last time a word is said."""
    reading = read_stances(read_terms(text))
    return [s for t, s in zip(reading.terms, reading.stances, strict=True) if t.word == word][-1]


@pytest.mark.parametrize(
    "closing",
    [
        "No, I take all of that back.",
        "Scratch everything I just said.",
        "Forget all that, it was a guess.",
        "Please strike my whole answer, I no longer stand by any of it.",
        "I would do none of that.",
        "All of that is wrong.",
        "Everything I have told you so far is untrue.",
        "I made all of that up.",
    ],
)
def test_a_withdrawal_reaches_back_over_the_whole_answer(closing: str) -> None:
    assert stance(f"{CLAIM} The vessel is the right coronary. {closing}", "infarct") == "retracted"


def test_what_is_said_after_a_withdrawal_stands() -> None:
    text = "It is pericarditis. Forget all that. It is an inferior infarct."
    assert stance(text, "pericarditis") == "retracted" and stance(text, "infarct") == "claimed"


@pytest.mark.parametrize(
    "opening",
    [
        "Each of the following statements is false.",
        "These are the errors that students make here.",
        "Here is what the bad textbooks say, and I disagree with all of it.",
        "Let me read out a list of common misconceptions.",
    ],
)
def test_an_announcement_of_errors_reaches_over_what_follows(opening: str) -> None:
    assert stance(f"{opening} {CLAIM} The vessel is the right coronary.", "coronary") == "disowned"
    assert stance(f"{opening} {CLAIM} But in fact it is pericarditis.", "pericarditis") == "claimed"


@pytest.mark.parametrize(
    "text",
    [
        "It is a mistake to think that it is an inferior infarct.",
        "The claim that it is an inferior infarct has been disproved.",
        "I strongly oppose the idea that it is an inferior infarct.",
        "Only a fool would say inferior infarct.",
        "People who say inferior infarct have not understood the case.",
        "An inferior infarct? Certainly not.",
        "An inferior infarct is out of the question.",
        "Anything but an inferior infarct.",
    ],
)
def test_what_is_turned_down_is_not_claimed(text: str) -> None:
    assert stance(text, "infarct") in ("disowned", "denied")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is it an inferior infarct? I cannot tell.", "unknown"),
        ("Do you want me to say inferior infarct?", "unknown"),
        ("Whether it is an infarct, I have never understood.", "unknown"),
        ("Could it be an inferior infarct?", "considered"),
    ],
)
def test_a_question_is_no_claim(text: str, expected: str) -> None:
    assert stance(text, "infarct") == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The buyer may reject the goods and claim his money back", "money"),
        ("She refuses blood, so I would give iron", "iron"),
        ("That is a statement of fact, and the statement is false", "fact"),
        ("The artery I can't tell, but it's an inferior infarct", "infarct"),
        ("There was a mistake in the contract", "contract"),
        ("The lead on the opposite side is normal", "opposite"),
        ("I would tell her what the errors were and apologise", "apologise"),
        ("Cancel the order and inform the supplier", "supplier"),
        ("I would do an electrocardiogram", "electrocardiogram"),
        ("What I would do is call for help", "help"),
    ],
)
def test_the_same_words_about_the_case_turn_nothing_down(text: str, word: str) -> None:
    term = word if word != "electrocardiogram" else "ecg"
    assert stance(text, term) in ("claimed", "considered")
