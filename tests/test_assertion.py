"""The lexicon of assertion: words that deny in one sense and only name something in another."""

from __future__ import annotations

import pytest

from workbench.exam.assertion import read_stances
from workbench.exam.grading import judge_keywords
from workbench.exam.items import KeyPoint, Question
from workbench.exam.matching import read_wording
from workbench.exam.spoken_terms import read_terms


def stances(text: str) -> dict[str, str]:
    """Stance of every counting word, the last one where a word comes twice."""
    reading = read_stances(read_terms(text))
    return {t.word: s for t, s in zip(reading.terms, reading.stances, strict=True) if not t.is_small}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The differential pressure over the filter rises", "differential pressure filter rises"),
        ("Oil leaks from the differential into the axle", "differential axle"),
        ("I would fit capacitors for power factor correction at the motor", "capacitors power factor correction motor"),
        ("The correction of the sodium is slow", "correction sodium slow"),
        ("The capacitor takes the useless current off the cable", "capacitor useless current cable"),
        ("It avoids nothing, but unnecessary current heats the cable", "current heats cable"),
        ("The most dangerous stage is the mature one", "stage mature"),
        ("A dangerous arrhythmia may follow", "dangerous arrhythmia"),
        ("A false negative test is likely", "negative test"),
        ("I'd stop a millimetre short of the apex", "millimetre short apex"),
        ("Stop and call an ambulance", "ambulance"),
        ("I'd stop when the dentine is hard", "dentine hard"),
        ("Hold it by the crown", "crown"),
        ("I'd hold the stick back", "stick back"),
        ("I would repeat the injection if she is no better", "injection better"),
        ("You must isolate it to make that circuit safe", "isolate circuit safe"),
        ("Let me correct the potassium first", "potassium"),
    ],
)
def test_a_word_that_only_names_something_denies_nothing(text: str, words: str) -> None:
    read = stances(text)
    assert {word: read.get(word) for word in words.split()} == dict.fromkeys(words.split(), "claimed")


@pytest.mark.parametrize(
    ("text", "word", "stance"),
    [
        ("My differential is pericarditis", "pericarditis", "considered"),
        ("The differential diagnosis includes pericarditis", "pericarditis", "considered"),
        ("aspirin, correction, heparin", "aspirin", "retracted"),
        ("two hundred, make that three hundred of aspirin", "200", "retracted"),
        ("Nitrates are dangerous here", "nitrates", "denied"),
        ("It would be dangerous to give nitrates", "nitrates", "denied"),
        ("A splint is unnecessary", "splint", "denied"),
        ("Antibiotics are useless", "antibiotics", "denied"),
        ("I'd stop the aspirin", "aspirin", "denied"),
        ("I would hold the metformin", "metformin", "denied"),
        ("If it is no infarct I would wait", "infarct", "unknown"),
        ("She is not on aspirin", "aspirin", "denied"),
    ],
)
def test_the_same_word_still_denies_where_it_is_meant_to(text: str, word: str, stance: str) -> None:
    assert stances(text)[word] == stance


@pytest.mark.parametrize("wording", ["a big current", "quiescent current", "worst case"])
def test_a_noun_of_a_wording_is_wanted_in_the_answer(wording: str) -> None:
    assert len(read_wording(wording).terms) == 2
    asked = Question(
        "q", "What is it?", (KeyPoint("p", "The point.", 1.0, (wording,)),), "An answer.", 1, "remember", ("a source",)
    )
    first = wording.split()[-2]
    assert judge_keywords(asked, f"It is a {first} question.").verdict == "incorrect"
    assert judge_keywords(asked, f"It is the {wording}.").verdict == "correct"
