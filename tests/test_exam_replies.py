"""Names, consent and areas as they are spoken, and as recognisers spell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.exam.replies import match_area, parse_name, parse_yes_no

AREAS = [
    ("cardiology", "Cardiology"),
    ("respiratory", "Respiratory Medicine"),
    ("gastroenterology", "Gastroenterology"),
    ("emergency_medicine", "Emergency Medicine"),
    ("renal", "Renal Medicine"),
]


@pytest.mark.parametrize(
    "text, name",
    [
        ("My name is Ada Lovelace.", "Ada Lovelace"),
        ("Um, my name's Ada.", "Ada"),
        ("Hi, I'm Priya Sharma and I'm a fourth year student.", "Priya Sharma"),
        ("I am Jean-Luc Picard", "Jean-Luc Picard"),
        ("Call me Bob.", "Bob"),
        ("Hello, my name is Robert, but please call me Bob.", "Bob"),
        ("It's Mary O'Neill.", "Mary O'Neill"),
        ("ada lovelace", "Ada Lovelace"),
        ("ADA", "ADA"),
        ("Ada here.", "Ada"),
        ("This is Dr. Anna Weber speaking.", "Dr Anna Weber"),
        ("The name is Bond, James Bond.", "Bond"),
        ("Yes, hello, it is Müller.", "Müller"),
        ("I'm Wei.", "Wei"),
        ("Um, Fatima.", "Fatima"),
        ("You can call me Sam, thanks.", "Sam"),
    ],
)
def test_a_name_is_found(text: str, name: str) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize(
    "text",
    ["", "um", "yes", "I'm ready", "Can you repeat that?", "Sorry, what?", "I'm fine, thank you", "hello", "123", "?!",
     "I would rather not say what it is called here", "I'm a student", "good morning"],
)  # fmt: skip
def test_what_is_no_name_is_not_taken_for_one(text: str) -> None:
    assert parse_name(text) is None


@given(st.text(max_size=200))
def test_a_name_is_short_and_printable_whatever_was_said(text: str) -> None:
    name = parse_name(text)
    assert name is None or (0 < len(name) <= 60 and len(name.split()) <= 4 and not set(name) & set("<>{}|\n"))


@pytest.mark.parametrize(
    "text",
    ["Yes.", "yeah", "Yep, sure.", "I agree.", "Of course.", "Okay.", "Yes, I do.", "That's fine.", "No problem.",
     "I don't mind.", "Go ahead.", "Um, yes please.", "Ya.", "Absolutely", "I consent.", "Sure, no problem at all.",
     "No, sorry, I mean yes.", "Yes I do not mind."],
)  # fmt: skip
def test_consent_is_heard(text: str) -> None:
    assert parse_yes_no(text) is True


@pytest.mark.parametrize(
    "text",
    ["No.", "Nope.", "I don't agree.", "I do not consent.", "No thank you.", "I'd rather not.", "I refuse.",
     "I disagree", "No, I don't want that.", "Yes, no, I mean no.", "please do not record me", "I won't", "never"],
)  # fmt: skip
def test_a_refusal_is_heard(text: str) -> None:
    assert parse_yes_no(text) is False


@pytest.mark.parametrize("text", ["", "What?", "Maybe.", "the weather", "know", "Yes, but I do not agree.", "hmm"])
def test_what_is_neither_is_asked_again(text: str) -> None:
    assert parse_yes_no(text) is None


@pytest.mark.parametrize(
    "text, key",
    [
        ("Cardiology.", "cardiology"),
        ("I'd like cardiology please", "cardiology"),
        ("card yology", "cardiology"),
        ("Let's do cardio logy", "cardiology"),
        ("Kardiology", "cardiology"),
        ("Respiratory.", "respiratory"),
        ("respiratory medicine please", "respiratory"),
        ("gastro enterology", "gastroenterology"),
        ("Gastroentrology", "gastroenterology"),
        ("emergency", "emergency_medicine"),
        ("the second one", "respiratory"),
        ("number three", "gastroenterology"),
        ("the last one", "renal"),
        ("renal", "renal"),
        ("You choose.", "any"),
        ("I don't mind", "any"),
        ("surprise me", "any"),
    ],
)
def test_an_area_is_found(text: str, key: str) -> None:
    assert match_area(text, AREAS) == key


@pytest.mark.parametrize("text", ["", "what are they?", "pineapple", "medicine", "I would like some water"])
def test_what_is_no_area_is_asked_again(text: str) -> None:
    assert match_area(text, AREAS) is None
