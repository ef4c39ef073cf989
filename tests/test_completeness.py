"""How finished a turn is: the words and the sound weighed together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.realtime.completeness import (
    WEIGHTS,
    WORD_FEATURES,
    asks_for_time,
    completeness,
    features,
    settles,
    words_of,
)
from workbench.realtime.turns import Patience

QUICK = 0.825


@pytest.mark.parametrize(
    "text",
    [
        "The child almost hurt the small dog.",
        "I would give adrenaline into the thigh.",
        "Which book would you read first?",
        "Drop the two when you add the figures",
        "Thank you, that helps me a lot.",
        "My favourite subject is physiology because everything fits together.",
    ],
)
def test_the_sound_alone_holds_no_finished_sentence(text: str) -> None:
    assert completeness(text, 0.01) > QUICK
    assert completeness(text, 0.99) > 0.95


@pytest.mark.parametrize(
    "text",
    [
        "I would give adrenaline and",
        "It is caused by the",
        "So I would, um,",
        "She is pale because",
        "It could be a",
        "Um.",
    ],
)
@pytest.mark.parametrize("sound", [0.01, 0.5, 0.99])
def test_no_sound_finishes_a_sentence_on_a_word_that_ends_none(text: str, sound: float) -> None:
    assert completeness(text, sound) <= 0.1


@pytest.mark.parametrize(
    "text", ["I would refer her to", "The pressure is", "I would check", "because the trachea is pushed"]
)
def test_a_broken_clause_that_sounds_broken_is_waited_for(text: str) -> None:
    assert Patience().needed_s(completeness(text, 0.02)) > 1.2
    assert completeness(text, 0.02) < completeness(text, 0.98)


def test_a_trailing_dash_or_dots_say_unfinished() -> None:
    finished = completeness("The murmur is at the apex.", 0.5)
    for ending in ("...", "…", "-", "—"):
        assert completeness(f"The murmur is at the apex{ending}", 0.5) < finished - 0.3


def test_unknown_evidence_lies_between_the_extremes() -> None:
    text = "The murmur is at the apex."
    assert completeness(text, 0.0) < completeness(text, None) < completeness(text, 1.0)
    assert completeness(None, 0.0) < completeness(None, None) < completeness(None, 1.0)
    assert completeness("", 1.0) == 0.0


@pytest.mark.parametrize(
    ("text", "expects"),
    [
        ("Yes.", "consent"),
        ("My name is Priya Nair.", "name"),
        ("Cardiology, please.", "area"),
        ("Could you repeat the question, please?", "answer"),
        ("I don't know.", "answer"),
        ("It is a clot, and that's all.", "answer"),
        ("That would be my answer.", "anything"),
    ],
)
def test_words_that_leave_nothing_to_wait_for(text: str, expects: str) -> None:
    assert settles(text, expects)  # type: ignore[arg-type]
    assert completeness(text, 0.01, expects) == 1.0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expects"),
    [
        ("My name is", "name"),
        ("Yes, but", "consent"),
        ("Um,", "area"),
        ("Aspirin.", "answer"),
        ("The murmur is loudest at the apex.", "answer"),
        ("A moment, please.", "answer"),
        ("Okay.", "answer"),
        ("I would explain.", "answer"),
        ("", "consent"),
        ("Yes, I have read it and I agree to all of it.", "consent"),
    ],
)
def test_words_that_do_not(text: str, expects: str) -> None:
    assert not settles(text, expects)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["Let me think.", "That is, let me see...", "Well, give me a moment, please.", "What's it called?", "Hang on."],
)
def test_asking_for_time_is_understood(text: str) -> None:
    assert asks_for_time(text)


@pytest.mark.parametrize("text", ["Let me think about the valve first, it is narrow.", "I think it is a clot.", ""])
def test_not_everything_with_think_in_it_asks_for_time(text: str) -> None:
    assert not asks_for_time(text)


def test_every_weight_belongs_to_a_feature() -> None:
    assert set(WEIGHTS) == {"bias", "sound", "trails_off", "full_stop", *WORD_FEATURES}
    seen = set().union(
        *(
            features(text, 0.5)
            for text in (
                "Um", "and", "that", "the", "up", "of", "is", "I", "very", "two", "give", "large", "If it is clinical",
                "the valve", "is blue", "of salt", "It hurts.", "It hurts...", "Because she came in late",
            )
        )
    )  # fmt: skip
    assert seen == set(WEIGHTS)


def test_words_are_lower_case_and_without_punctuation() -> None:
    assert words_of("The ST-segment, I'm sure, is 2.5 mm — raised!") == [
        "the", "st-segment", "i'm", "sure", "is", "2.5", "mm", "raised",
    ]  # fmt: skip


@given(
    st.text(max_size=200),
    st.none() | st.floats(0, 1),
    st.sampled_from(["name", "consent", "area", "answer", "anything"]),
)
def test_any_text_has_a_completeness(text: str, sound: float | None, expects: str) -> None:
    assert 0.0 <= completeness(text, sound, expects) <= 1.0  # type: ignore[arg-type]


@given(st.sampled_from(["It hurts.", "I would give the", "no", "because of pain"]), st.floats(0, 1), st.floats(0, 1))
def test_sounding_more_finished_never_counts_against_it(text: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert completeness(text, low) <= completeness(text, high)
