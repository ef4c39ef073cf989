"""What the language model may be heard saying, and what it may not."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.exam.guard import Accepted, GuardedStream, Refused, check
from workbench.exam.leaks import leaks, phrases_that_leak
from workbench.exam.model import Wording

STEM = "Which drug would you avoid in this patient?"
FORBIDDEN = ("beta blocker", "loop diuretics such as furosemide", "aspirin")


def wording(purpose: str, **kwargs) -> Wording:
    """A wording with the limits the exam gives it."""
    facts = {
        "acknowledge": {
            "right": "oxygen and raising the legs",
            "answer": "oxygen",
            "points": "oxygen\nraising the legs",
        },
        "probe": {"probe": "Which medicine comes first?", "stem": STEM, "answer": "an ECG"},
        "rephrase": {"stem": STEM, "scenario": "A man has chest pain."},
        "off_script": {"remark": "I am nervous", "about": "off_script"},
        "talk": {"history": json.dumps([("user", "I like to cook on the weekend.")])},
    }[purpose]
    limits = {"acknowledge": (24, False), "probe": (30, True), "rephrase": (40, True), "off_script": (28, False)}
    max_words, may_ask = limits.get(purpose, (60, True))
    forbidden = () if purpose == "talk" else FORBIDDEN
    arguments = {"facts": facts, "forbidden": forbidden, "max_words": max_words, "may_ask": may_ask, **kwargs}
    return Wording(purpose, **arguments)  # type: ignore[arg-type]


GOOD = [
    ("acknowledge", "You gave oxygen and raised the legs."),
    ("acknowledge", '"You rightly mentioned raising the legs."'),
    ("probe", "And which medicine comes first?"),
    ("probe", "Thank you for that. Tell me, which medicine comes first?"),
    ("rephrase", "What drug should this patient not be given?"),
    ("rephrase", "Can you name a drug you would not give to this patient, one to avoid?"),
    ("off_script", "That is quite normal, take your time and go on when you are ready."),
    ("off_script", "I cannot tell you that, but I would like to hear your own idea."),
    ("talk", "That sounds nice. What do you like to cook?"),
    ("talk", "I gave it ten out of ten points."),
]

BAD = [
    ("acknowledge", "", "empty"),
    ("acknowledge", " ... ", "empty"),
    ("acknowledge", "You gave oxygen and raised", "unfinished"),
    ("acknowledge", "You gave oxygen " + "and then raised the legs " * 6 + "again.", "too_long"),
    ("acknowledge", "You gave oxygen, that is eight points.", "score"),
    ("acknowledge", "You gave oxygen and that earns 7 out of 10.", "score"),
    ("acknowledge", "You gave oxygen but forgot the legs.", "verdict"),
    ("acknowledge", "You gave oxygen and beta blockers.", "leak"),
    ("acknowledge", "You gave oxygen, and what else?", "question"),
    ("acknowledge", "You named an early blood culture.", "foreign"),
    ("acknowledge", "You performed a brilliant lumbar puncture with oxygen.", "foreign"),
    ("acknowledge", "You did not give oxygen.", "verdict"),
    ("acknowledge", "You never gave oxygen.", "meaning"),
    ("acknowledge", "You rightly mentioned the legs.", "meaning"),
    ("acknowledge", "**You gave oxygen.**", "markup"),
    ("acknowledge", "<|im_start|>assistant You gave oxygen.", "markup"),
    ("acknowledge", "Examiner: You gave oxygen.", "imitation"),
    ("acknowledge", "As an AI language model, I heard oxygen.", "claims"),
    ("probe", "Which medicine comes first, aspirin?", "leak"),
    ("probe", "Which medicine comes first, some beta-blocking agent or a beta blockers tablet?", "leak"),
    ("probe", "Tell me about the first medicine.", "no_question"),
    ("probe", "And how would you record it?", "meaning"),
    ("probe", "Correct, and which medicine comes first?", "verdict"),
    ("rephrase", "Which drug would you avoid in this patient?", "repetition"),
    ("rephrase", "Which drug would you give to this patient?", "meaning"),
    ("rephrase", "What is the capital of France?", "meaning"),
    ("rephrase", "You would avoid a drug in this patient.", "no_question"),
    ("off_script", "The answer is something we will come back to.", "foreign"),
    ("off_script", "His blood pressure is 120, please go on.", "foreign"),
    ("off_script", "You are doing well, please go on.", "verdict"),
    ("off_script", "What do you think? Please go on.", "question"),
    ("off_script", "I like turtles.", "meaning"),
    ("off_script", "I am not a robot, please go on with the case.", "claims"),
    ("off_script", "Please go on, please go on, please go on, please go on.", "repetition"),
    ("talk", "I like to cook on the weekend.", "repetition"),
    ("talk", "no no no no.", "repetition"),
    ("talk", "I was trained by Hugging Face.", "claims"),
    ("talk", "[laughs] Sure!", "markup"),
]


@pytest.mark.parametrize("purpose, text", GOOD)
def test_a_good_line_is_accepted(purpose: str, text: str) -> None:
    verdict = check(text, wording(purpose))
    assert verdict == Accepted(text.strip('"'))


@pytest.mark.parametrize("purpose, text, reason", BAD)
def test_a_bad_line_is_refused_with_its_reason(purpose: str, text: str, reason: str) -> None:
    assert check(text, wording(purpose)) == Refused(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "purpose, text, kept",
    [
        ("talk", "What is it? Why is it?", "What is it?"),
        ("probe", "Which medicine comes first? And which second?", "Which medicine comes first?"),
        ("talk", "That sounds nice. As an AI I cannot cook.", "That sounds nice."),
        ("talk", "That sounds nice. [laughs]", "That sounds nice."),
        ("talk", "That sounds nice. I would start with a", "That sounds nice."),
        ("off_script", "Take your time. The answer is aspirin.", "Take your time."),
        ("acknowledge", "You gave oxygen. You deserve ten points.", "You gave oxygen."),
        ("talk", "One is. Two is so. Three may be. Four is not said.", "One is. Two is so. Three may be."),
    ],
)
def test_a_line_is_cut_after_its_last_good_sentence(purpose: str, text: str, kept: str) -> None:
    assert check(text, wording(purpose)) == Accepted(kept)


@pytest.mark.parametrize(
    "text",
    ["Think of beta blockers.", "Consider a Beta-Blocker here.", "blockers, beta", "asprin",
     "Would furosemide or another loop diuretic such as that help?", "ASPIRIN"],
)  # fmt: skip
def test_an_answer_leaks_inflected_misspelt_or_turned_round(text: str) -> None:
    assert any(leaks(text, phrase) for phrase in FORBIDDEN)


@pytest.mark.parametrize(
    "text", ["Think of the beta phase. " + "word " * 20 + "A blocker of doors.", "The loop of the road.", ""]
)
def test_single_words_of_an_answer_far_apart_are_no_leak(text: str) -> None:
    assert not any(leaks(text, phrase) for phrase in FORBIDDEN)


def test_what_the_candidate_already_knows_is_no_leak() -> None:
    phrases = ("beta blocker", "aspirin", "call the senior")
    assert phrases_that_leak(phrases, ["He already takes beta-blockers.", "I would call my senior."]) == ("aspirin",)


# ---- streaming ---------------------------------------------------------------------------------------------------


def pieces(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def run(text: str, line: Wording, size: int = 3) -> tuple[list[str], object, Counter]:
    stream = GuardedStream(line, "FALLBACK")
    released = []
    for piece in pieces(text, size):
        released += stream.feed(piece)
        if stream.done:
            break
    outcome = stream.finish()
    return released, outcome, Counter([outcome.reason] if outcome.fallback else [])


def test_the_first_clause_of_a_talk_is_released_before_the_sentence_ends() -> None:
    stream = GuardedStream(wording("talk"), "FALLBACK")
    assert stream.feed("That sounds") == []
    assert stream.feed(" nice, and") == ["That sounds nice,"]
    assert stream.feed(" I would like to know more. Ple") == ["and I would like to know more."]
    outcome = stream.finish()
    assert outcome.text == "That sounds nice, and I would like to know more." and not outcome.fallback


def test_a_line_whose_end_decides_is_held_until_it_is_known() -> None:
    released, outcome, _ = run("And which medicine comes first?", wording("probe"))
    assert released == [] and outcome.rest == "And which medicine comes first?"  # type: ignore[attr-defined]


def test_a_refused_line_is_replaced_and_counted_by_its_reason() -> None:
    _, outcome, counts = run("Think of aspirin, and go on.", wording("off_script"))
    assert outcome.rest == "FALLBACK" and outcome.fallback and counts == {"leak": 1}  # type: ignore[attr-defined]


def test_a_bad_second_sentence_is_dropped_without_a_fallback() -> None:
    released, outcome, counts = run("That sounds nice. As an AI language model I cannot cook. ", wording("talk"))
    assert released == ["That sounds nice."] and outcome.rest == "" and not counts  # type: ignore[attr-defined]


def test_the_model_is_stopped_when_enough_was_said() -> None:
    stream = GuardedStream(wording("probe"), "FALLBACK")
    for piece in pieces("And which medicine comes first? I think it is time to say more about it.", 3):
        stream.feed(piece)
        if stream.done:
            break
    assert len(stream._raw) < 36 and stream.finish().text == "And which medicine comes first?"


texts = st.lists(
    st.sampled_from(
        ["You gave oxygen.", "aspirin", "And which medicine comes first?", "Take your time,", "go on.", "ten points",
         "<|im_end|>", "Examiner:", "What?", "as an AI", "That is", "nice.", "\n", "no no no", "beta blockers",
         "the case", "Dr. Smith", "“Yes”"]
    ),
    max_size=8,
).map(" ".join)  # fmt: skip


@given(st.sampled_from(["acknowledge", "probe", "rephrase", "off_script", "talk"]), texts, st.integers(1, 12))
def test_a_stream_never_says_what_must_not_be_said(purpose: str, text: str, size: int) -> None:
    line = wording(purpose)
    released, outcome, counts = run(text, line, size)
    spoken = " ".join([*released, outcome.rest]).strip()  # type: ignore[attr-defined]
    assert spoken == outcome.text and spoken  # type: ignore[attr-defined]
    said = spoken.replace("FALLBACK", "")
    assert not any(leaks(said, phrase) for phrase in line.forbidden)
    assert "<|" not in said and "Examiner:" not in said and "as an AI" not in said
    assert said.count("?") <= (1 if line.may_ask else 0)
    assert len(said.split()) <= line.max_words
    if purpose != "talk":
        assert "ten points" not in said
        assert isinstance(check(text, line), Refused) == outcome.fallback  # type: ignore[attr-defined]
    assert sum(counts.values()) == outcome.fallback  # type: ignore[attr-defined]


@given(st.sampled_from(["acknowledge", "off_script", "talk"]), st.text(max_size=200))
def test_no_text_breaks_the_guard(purpose: str, text: str) -> None:
    verdict = check(text, wording(purpose))
    if isinstance(verdict, Accepted):
        assert check(verdict.text, wording(purpose)) == verdict, "what was accepted stays accepted"
