"""The keyword judge, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.exam.bank import load_banks
from workbench.exam.grading import KeywordJudge, judge_keywords, points_of, verdict_of
from workbench.exam.items import KeyPoint, Question
from workbench.exam.slips import meant_term
from workbench.exam.spoken_terms import read_terms

AREA = load_banks()["medical"].area("cardiology")
ALL = [(scenario, question) for scenario in AREA.scenarios for question in scenario.questions]


def question(*points: KeyPoint, key_terms: tuple[str, ...] = (), stem: str = "What would you do?") -> Question:
    return Question("q", stem, points, "A model answer.", 2, "apply", ("a source",), key_terms)


def point(
    *accepted: str, key: str = "p", weight: float = 1.0, wrong: tuple[str, ...] = (), essential: bool = False
) -> KeyPoint:
    return KeyPoint(key, "The point.", weight, accepted, wrong, "And then?", essential)


def status(asked: Question, answer: str) -> str:
    return judge_keywords(asked, answer).evidence[0].status


ASPIRIN = question(point("aspirin 300 mg", "aspirin"))


@pytest.mark.parametrize(
    "answer",
    [
        "I'd give aspirin.",
        "aspirins are given",
        "Um, so, aspirin I think",
        "I'd give him, er, three hundred milligrams of, you know, aspirin",
        "ASPIRIN!",
        "don't forget the aspirin",
        "Not only aspirin but heparin too.",
        "I would not delay the aspirin",
        "clopidogrel, no sorry, I mean aspirin",
        "it's not clopidogrel, it's aspirin",
        "I wouldn't give heparin but I would give aspirin",
    ],
)
def test_a_claim_covers_the_point_however_it_is_said(answer: str) -> None:
    assert status(ASPIRIN, answer) == "covered"


@pytest.mark.parametrize(
    "answer",
    [
        "I would not give aspirin",
        "I wouldn't give him any aspirin",
        "Avoid aspirin.",
        "aspirin isn't needed",
        "Aspirin is contraindicated here",
        "there's no need for aspirin",
        "heparin rather than aspirin",
        "I'd treat him without aspirin",
        "I don't think you should give aspirin",
        "It is not true that, whatever he takes, he should have aspirin",
        "I would never give heparin, clopidogrel or aspirin",
        "I'd stop the aspirin",
        "dont give aspirin",
    ],
)
def test_a_denial_contradicts_the_point(answer: str) -> None:
    assert status(ASPIRIN, answer) == "contradicted"


@pytest.mark.parametrize(
    "answer",
    ["", "   ", "...", "um, er", "I don't know whether aspirin helps", "I'm not sure about aspirin",
     "aspirin, no wait, heparin",
     "asp", "paracetamol", "I can't remember if it was aspirin", "アスピリン"],
)  # fmt: skip
def test_what_is_not_claimed_is_missing(answer: str) -> None:
    assert status(ASPIRIN, answer) == "missing"


@pytest.mark.parametrize(
    ("wording", "answer"),
    [
        ("300 mg", "three hundred milligrams"),
        ("300 mg", "300mg"),
        ("120 minutes", "a hundred and twenty minutes"),
        ("110", "one ten"),
        ("250 ml", "two fifty mils"),
        ("1 mg", "a milligram"),
        ("1.5 mg", "one point five milligrams"),
        ("after the third shock", "after the 3rd shock"),
        ("within 2 hours", "in less than two hours"),
        ("3 weeks", "three weeks"),
        ("30 percent", "30%"),
        ("1000 units", "one thousand units"),
        ("1000 units", "1,000 units"),
    ],
)
def test_spoken_numbers_equal_figures(wording: str, answer: str) -> None:
    assert status(question(point(wording)), f"I would say {answer}.") == "covered"


@pytest.mark.parametrize(
    ("wording", "answer"),
    [("300 mg", "30 mg"), ("300 mg", "three milligrams after three hundred days"), ("3 weeks", "three days"),
     ("10 mg", "1.0 mg"),
     ("1 mg of adrenaline", "ten milligrams of adrenaline")],
)  # fmt: skip
def test_another_number_is_not_the_number(wording: str, answer: str) -> None:
    assert status(question(point(wording)), answer) == "missing"


@pytest.mark.parametrize(
    ("wording", "answer"),
    [
        ("ecg", "I'd do an E.C.G."),
        ("ecg", "get an e c g"),
        ("ecg", "a 12-lead please"),
        ("echocardiogram", "an echo"),
        ("haemorrhage", "hemorrhage"),
        ("ischaemia", "it is ischaemic"),
        ("defibrillate", "defibrillation"),
        ("right coronary artery", "the RCA"),
        ("beta blocker", "beta-blockers"),
        ("sglt2 inhibitor", "an SGLT-2 inhibitor"),
        ("sglt2 inhibitor", "an SGLT two inhibitor"),
        ("clot in the atrium", "the atrium may well have some clot in it"),
    ],
)
def test_spellings_inflections_and_short_forms_are_one(wording: str, answer: str) -> None:
    assert status(question(point(wording)), answer) == "covered"


def test_words_far_apart_do_not_make_a_wording() -> None:
    asked = question(point("clot in the left atrium"))
    answer = (
        "The clot busting drug is ready. He had a nice holiday by the sea, then felt his left arm. The atrium's big."
    )
    assert status(asked, answer) == "missing"


def test_order_counts_where_a_wording_holds_before_or_after() -> None:
    asked = question(point("shock before adrenaline"))
    assert status(asked, "the shock comes before the adrenaline") == "covered"
    assert status(asked, "the adrenaline comes before the shock") == "missing"


def test_a_wording_that_denies_wants_a_denial() -> None:
    asked = question(point("avoid nitrates"))
    assert status(asked, "I would not give any nitrates") == "covered"
    assert status(asked, "nitrates are contraindicated") == "covered"
    assert status(asked, "I'd give nitrates") == "missing"


def test_a_misconception_contradicts_and_its_denial_does_not() -> None:
    asked = question(point("stemi", wrong=("pericarditis",)))
    assert status(asked, "this is pericarditis") == "contradicted"
    assert status(asked, "this isn't pericarditis, it's a STEMI") == "covered"
    assert status(asked, "it's pericarditis, no, I mean a STEMI") == "covered"
    assert status(asked, "it's a STEMI, no, I mean pericarditis") == "contradicted"
    assert status(asked, "It's a STEMI, I'd rule out pericarditis") == "covered"


def test_every_option_at_once_covers_nothing() -> None:
    asked = question(point("stemi", wrong=("pericarditis", "aortic dissection")))
    assert status(asked, "It could be a STEMI or pericarditis or an aortic dissection") == "missing"
    assert status(asked, "It's a STEMI and pericarditis and an aortic dissection") == "contradicted"


def test_hedges_keep_the_point_and_cost_confidence() -> None:
    sure = judge_keywords(ASPIRIN, "I'd give aspirin")
    unsure = judge_keywords(ASPIRIN, "maybe, I guess, possibly aspirin")
    assert unsure.evidence[0].status == "covered"
    assert unsure.confidence < sure.confidence


def test_a_poorly_recognised_answer_is_judged_with_less_confidence() -> None:
    clear = judge_keywords(ASPIRIN, "aspirin", recognition_confidence=0.95)
    noisy = judge_keywords(ASPIRIN, "aspirin", recognition_confidence=0.4)
    assert noisy.confidence < clear.confidence
    assert noisy.points == clear.points


@pytest.mark.parametrize(
    ("heard", "meant"),
    [("amiodaron", "amiodarone"), ("tick a grelor", "ticagrelor"), ("clopidagrel", "clopidogrel"),
     ("dapaglyflozin", "dapagliflozin"),
     ("spirono lactone", "spironolactone"), ("fibrinolisis", "fibrinolysis")],
)  # fmt: skip
def test_a_slip_of_the_recogniser_in_a_rare_term_is_bridged(heard: str, meant: str) -> None:
    asked = question(point(meant), key_terms=(meant,))
    assert status(asked, f"I would give {heard} now") == "covered"


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("hypokalaemia", "hyperkalaemia"),
        ("hyperglycaemia", "hypoglycaemia"),
        ("hypotension", "hypertension"),
        ("diastolic", "systolic"),
        ("infection", "infarction"),
        ("haematuria", "haematemia"),
        ("noradrenaline", "adrenaline"),
        ("bradycardia", "tachycardia"),
        ("endocarditis", "pericarditis"),
        ("endocardium", "epicardium"),
        ("amlodipine", "amiodarone"),
        ("dobutamine", "dopamine"),
        ("intercranial", "intracranial"),
        ("anterior", "inferior"),
        ("abduction", "adduction"),
        ("afferent", "efferent"),
    ],
)
def test_a_slip_never_turns_one_term_into_another(heard: str, meant: str) -> None:
    asked = question(point(meant), key_terms=(meant,))
    assert status(asked, f"I would say {heard} now") != "covered"


def test_a_word_of_the_bank_is_never_taken_for_a_slip() -> None:
    asked = question(
        point("prednisolone"), point("prednisone", key="b", weight=0.5), key_terms=("prednisolone", "prednisone")
    )
    marks = judge_keywords(asked, "prednisone").evidence
    assert [entry.status for entry in marks] == ["missing", "covered"]
    assert meant_term("prednisone", (("prednisolone", "PRTNSLN"),)) is None


def test_the_quote_is_a_piece_of_the_answer_as_it_stands() -> None:
    answer = "Well, THREE hundred Milligrams of Aspirin; then we'll see."
    quote = judge_keywords(ASPIRIN, answer).evidence[0].quote
    assert quote in answer and "THREE hundred Milligrams of Aspirin" in quote


def test_the_verdict_follows_the_covered_weight() -> None:
    assert [verdict_of(share) for share in (0.6, 0.59, 0.3, 0.29, 0.0)] == [
        "correct", "partial", "partial", "incorrect", "incorrect",
    ]  # fmt: skip
    assert verdict_of(0.9, essential_wrong=True) == "partial"


def test_an_essential_point_contradicted_bars_correct() -> None:
    asked = question(
        point("alpha", weight=0.4, essential=True),
        point("beta", key="b", weight=0.4),
        point("gamma", key="c", weight=0.2),
    )
    mark = judge_keywords(asked, "It is beta and gamma, and alpha is wrong")
    assert (mark.verdict, mark.evidence[0].status) == ("partial", "contradicted")


@given(st.floats(0, 1), st.floats(0, 1))
def test_points_are_half_steps_within_the_band_of_the_verdict(covered: float, contradicted: float) -> None:
    contradicted = min(contradicted, 1 - covered)
    verdict = verdict_of(covered)
    points = points_of(covered, contradicted, verdict)
    assert 0 <= points <= {"correct": 10, "partial": 5.5, "incorrect": 2.5}[verdict]
    assert (points * 2).is_integer()


def test_a_contradiction_costs_more_than_saying_nothing() -> None:
    asked = question(point("alpha", weight=0.5), point("beta", key="b", weight=0.5, wrong=("delta",)))
    silent = judge_keywords(asked, "it is alpha")
    wrong = judge_keywords(asked, "it is alpha and delta")
    assert wrong.points < silent.points


@pytest.mark.parametrize(("scenario", "asked"), ALL, ids=[q.id for _, q in ALL])
def test_every_exemplar_of_the_bank_gets_its_verdict(scenario: object, asked: Question) -> None:
    """The exemplars were at hand while the judge was written: this guards against regressions, it measures nothing."""
    text = getattr(scenario, "text", "")
    wrong = [
        (exemplar.line, exemplar.verdict, mark.verdict)
        for exemplar in asked.exemplars
        if (mark := judge_keywords(asked, exemplar.text, question_text=text)).verdict != exemplar.verdict
        or abs(mark.points - exemplar.points) > 2
    ]
    assert not wrong


@pytest.mark.parametrize(("scenario", "asked"), ALL, ids=[q.id for _, q in ALL])
def test_every_model_answer_is_correct(scenario: object, asked: Question) -> None:
    mark = judge_keywords(asked, asked.model_answer, question_text=getattr(scenario, "text", ""))
    assert mark.verdict == "correct" and mark.points >= 8


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gets_a_mark_with_evidence_for_each_point(text: str) -> None:
    asked = ALL[0][1]
    mark = KeywordJudge().judge(asked, text)
    assert [entry.key_point_id for entry in mark.evidence] == [p.id for p in asked.key_points]
    assert 0 <= mark.points <= 10 and 0 <= mark.confidence <= 1
    assert all(entry.quote in text and bool(entry.quote) == (entry.status != "missing") for entry in mark.evidence)


def test_a_very_long_answer_is_judged() -> None:
    mark = judge_keywords(ALL[0][1], "it is an inferior STEMI of the right coronary artery. " * 3000)
    assert mark.evidence[0].status == "covered"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It is a F, irregularly so.", ["it", "is", "af", "irregularly", "so"]),
        ("It is a F", ["it", "is", "af"]),
        ("There is a T wave", ["there", "is", "a", "t", "wave"]),
        ("an E C G and a B C", ["an", "ecg", "and", "abc"]),
    ],
)
def test_spelled_letters_become_one_word_and_an_article_stays_one(text: str, words: list[str]) -> None:
    assert [term.word for term in read_terms(text)] == words
