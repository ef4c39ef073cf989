"""Text as it is spoken."""

from __future__ import annotations

import doctest
import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engines.spoken_text import sentences, speakable

CASES = {
    # doses and units
    "Give 300 mg of aspirin.": "Give three hundred milligrams of aspirin.",
    "1 mg": "one milligram",
    "1 g": "one gram",
    "500 mcg": "five hundred micrograms",
    "500 µg": "five hundred micrograms",  # the micro sign
    "500 μg": "five hundred micrograms",  # the Greek letter
    "250mL": "two hundred and fifty millilitres",
    "0.05 mg/kg/min": "zero point zero five milligrams per kilogram per minute",
    "7 mmol/L": "seven millimoles per litre",
    "Hb 7.2 g/dL": "haemoglobin seven point two grams per decilitre",
    "120/80 mmHg": "one hundred and twenty over eighty millimetres of mercury",
    "BP 90/60": "B P ninety over sixty",
    "a pressure in mmHg": "a pressure in millimetres of mercury",
    "110 bpm": "one hundred and ten beats per minute",
    "12 breaths/min": "twelve breaths per minute",
    "6.5 kPa": "six point five kilopascals",
    "37.5 °C": "thirty-seven point five degrees Celsius",
    "-5 °C": "minus five degrees Celsius",
    "92%": "ninety-two percent",
    "100 km/h": "one hundred kilometres per hour",
    "200 N/m²": "two hundred newtons per square metre",
    "200 N/m2": "two hundred newtons per square metre",
    "9.8 m/s²": "nine point eight metres per second squared",
    "250 cells/mm³": "two hundred and fifty cells per cubic millimetre",
    "4×10⁹/L": "four times ten to the power of nine per litre",
    "1.5 x 10^9/L": "one point five times ten to the power of nine per litre",
    "25 kg/m²": "twenty-five kilograms per square metre",
    "50,000 IU": "fifty thousand international units",
    "a 70-kg man": "a seventy kilogram man",
    "wait 10 s": "wait ten seconds",
    "250 kts": "two hundred and fifty knots",
    "3 months": "three months",
    "5 minutes": "five minutes",
    # numbers, ranges, fractions
    "2-4 hours": "two to four hours",
    "2–4 weeks": "two to four weeks",
    "5%-10%": "five percent to ten percent",
    "5 mg–10 mg": "five milligrams to ten milligrams",
    "10-20 mmHg": "ten to twenty millimetres of mercury",
    "1,200,000 people": "one million two hundred thousand people",
    "0.5": "zero point five",
    "007": "zero zero seven",
    "5 ± 2": "five plus or minus two",
    "GCS 15/15": "G C S fifteen out of fifteen",
    "scored 7/10": "scored seven out of ten",
    "1/2 and 3/4": "one half and three quarters",
    "a 3 x 5 cm mass": "a three by five centimetres mass",
    "1st, 2nd and 23rd": "first, second and twenty-third",
    "a 12-lead ECG": "a twelve lead E C G",
    "$5 million": "five million dollars",
    "₹250": "two hundred and fifty rupees",
    # Roman numerals, where they are some
    "NYHA class III": "N Y H A class three",
    "NYHA II-III": "N Y H A two to three",
    "type II diabetes": "type two diabetes",
    "cranial nerve VII": "cranial nerve seven",
    "cranial nerves III, IV and VI": "cranial nerves three, four and six",
    "Article IV": "Article four",
    "stage IIIa": "stage three A",
    "angiotensin II": "angiotensin two",
    "Mobitz II": "Mobitz two",
    "give IV fluids": "give I V fluids",
    "In class I felt fine.": "In class I felt fine.",
    "class I evidence": "class one evidence",
    # Greek
    "a β-blocker": "a beta blocker",
    "α1-antitrypsin": "alpha one antitrypsin",
    "TNF-α": "T N F alpha",
    "γ-GT": "gamma G T",
    # abbreviations
    "an ECG": "an E C G",
    "two ECGs": "two E C G's",
    "the WHO's advice": "the W H O's advice",
    "e.g. aspirin": "for example, aspirin",
    "i.e. a salicylate": "that is, a salicylate",
    "aspirin vs. heparin": "aspirin versus heparin",
    "Donoghue v Stevenson": "Donoghue versus Stevenson",
    "Dr. Smith and Dr Jones": "Doctor Smith and Doctor Jones",
    "see Fig. 2": "see Figure two",
    "s. 302 IPC": "section three hundred and two I P C",
    "SpO2": "S P O two",
    "HbA1c": "H B A one C",
    "pH 7.2": "P H seven point two",
    "K+ and Na+": "potassium and sodium",
    "COVID-19": "Covid nineteen",
    "L4/L5": "L four L five",
    "a STEMI": "a stemmy",
    "The patient must NOT eat.": "The patient must not eat.",
    "in the U.K. today": "in the U K today",
    # symbols
    "x >= 5": "x greater than or equal to five",
    "x ≤ 5": "x less than or equal to five",
    "p < 0.05": "p is less than zero point zero five",
    "A -> B": "A leads to B",
    "A → B": "A leads to B",
    "salt & water": "salt and water",
    "2+2": "two plus two",
    "his/her": "his or her",
    "and/or": "and or",
    # dates and times
    "in 1999": "in nineteen ninety-nine",
    "the 1990s": "the nineteen nineties",
    "the Penal Code, 1860": "the Penal Code, eighteen sixty",
    "2021-04-03": "third of April twenty twenty-one",
    "March 5, 2020": "March fifth twenty twenty",
    "at 9:05": "at nine oh five",
    "at 14:30": "at fourteen thirty",
    "2000 mL": "two thousand millilitres",
    # aviation
    "runway 27L": "runway two seven left",
    "FL350": "flight level three five zero",
    # markup and the web
    "**Bold** and _italic_ and `code`": "Bold and italic and code",
    "# Heading\n- one\n- two": "Heading. one. two",
    "[the guideline](https://nice.org.uk/x)": "the guideline",
    "see https://www.example.org/path?x=1 now": "see example dot org now",
    "well done 🩺": "well done",
    "half (50%) of them": "half, fifty percent, of them",
    "pain—sudden—in the chest": "pain, sudden, in the chest",
    "I see...": "I see.",
    "Thank you,": "Thank you,",
    "": "",
}


@pytest.mark.parametrize(("written", "spoken"), CASES.items(), ids=lambda text: str(text)[:40])
def test_text_is_written_out_as_it_is_spoken(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@pytest.mark.parametrize("written", CASES, ids=lambda text: str(text)[:40])
def test_what_is_speakable_already_stays_as_it_is(written: str) -> None:
    once = speakable(written)
    assert speakable(once) == once


PLAIN = re.compile(r"[^\W\d_]|[\s.,;:?!'\"-]")


@given(
    st.text(alphabet=st.sampled_from("abZIVX 0123456789.,/-–+<>=%°µβ()[]*_#$€\n²mgkLhx:'\"@^~&|\\🩺٣½"), max_size=60)
)
def test_any_mixture_of_signs_becomes_words_and_punctuation(text: str) -> None:
    spoken = speakable(text)
    assert all(PLAIN.fullmatch(character) for character in spoken), spoken
    assert spoken == " ".join(spoken.split())


@given(st.text(max_size=80))
def test_any_text_at_all_can_be_made_speakable(text: str) -> None:
    assert not re.search(r"\d", speakable(text))


SENTENCES = {
    "Dr. Smith gave 2.5 mg, e.g. at night. Why? Explain.": [
        "Dr. Smith gave 2.5 mg, e.g. at night.", "Why?", "Explain.",
    ],
    "J. Smith and Prof. M. Roe agree. So do I.": ["J. Smith and Prof. M. Roe agree.", "So do I."],
    "Give vitamin C. Then wait.": ["Give vitamin C.", "Then wait."],
    "Donoghue v. Stevenson [1932] matters. It does.": ["Donoghue v. Stevenson [1932] matters.", "It does."],
    'He said "Stop!" She left.': ['He said "Stop!"', "She left."],
    "Stop... then go on. Now.": ["Stop... then go on.", "Now."],
    "See No. 5. No. That is wrong.": ["See No. 5.", "No.", "That is wrong."],
    "At 5 p.m. the ward closes. At 6 p.m. The ward is shut.": [
        "At 5 p.m. the ward closes.", "At 6 p.m.", "The ward is shut.",
    ],
    "- one\n- two": ["- one", "- two"],
    "No end": ["No end"],
    "": [],
    "...": [],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SENTENCES.items(), ids=lambda text: str(text)[:40])
def test_a_text_is_cut_where_its_sentences_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text(max_size=120))
def test_cutting_into_sentences_loses_no_word(text: str) -> None:
    assert re.findall(r"\w+", " ".join(sentences(text))) == re.findall(r"\w+", text)


@pytest.mark.parametrize("name", ["spoken_text", "spoken_numbers", "sentence_split", "phrasing", "remote"])
def test_the_examples_in_the_documentation_hold(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"workbench.engines.{name}"))
    assert tried > 0 and failed == 0
