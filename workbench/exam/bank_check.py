"""Checks a bank for what a schema cannot see: whether it can be heard, gives itself away, and is judged as meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from num2words import num2words

from workbench.exam.bank_file import WEIGHT_TOLERANCE, Finding
from workbench.exam.bank_overlap import PLACEHOLDER, near_duplicates, overlaps
from workbench.exam.grading import judge_keywords
from workbench.exam.items import Area, Bank, KeyPoint, Question, Scenario
from workbench.exam.matching import find, is_inside, read_answer, read_wording

WORDS_PER_SECOND = 2.6
"""Rate of the examiner's voice, pauses included."""

LONGEST_HEARD_S = 25.0
"""Longest scenario with its stem, in seconds of speech; more is not taken in at one hearing."""

MODEL_ANSWER_SENTENCES = (2, 4)
MIN_EXEMPLARS = 2
"""Exemplars of each verdict."""

_HOSTILE = (
    (re.compile(r"[()\[\]{}]"), "brackets are not heard"),
    (re.compile(r"[/\\|]"), "a slash is not heard; say `over`, `or` or `per`"),
    (re.compile(r"[<>=\u2264\u2265\u00b1~*_#^\u2192]"), "a symbol is not heard; write it in words"),
    (re.compile(r"\b(?:e\.g\.|i\.e\.|etc\.?|cf\.|vs\.?|approx\.)", re.IGNORECASE), "write the abbreviation in words"),
    (re.compile(r"(?<!\w)(?=\w*\d)(?=\w*[A-Za-z])(?!\d+(?:st|nd|rd|th)\b)\w+"), "letters and figures in one word"),
    (re.compile(r"(?<!\w)\w*[a-z][A-Z]\w*"), "capitals inside a word; write it as it is spoken"),
)


def spoken_s(text: str) -> float:
    """About how long a text takes to say, in seconds; figures count as the words they are spoken as."""
    return sum(map(_n_spoken_words, text.split())) / WORDS_PER_SECOND


@lru_cache(maxsize=8192)
def _n_spoken_words(word: str) -> int:
    figures = re.findall(r"\d+(?:\.\d+)?", word.replace(",", ""))
    if not figures:
        return 1 if re.search(r"\w", word) else 0
    return sum(len(re.findall(r"\w+", num2words(float(f) if "." in f else int(f)))) for f in figures)


def check(bank: Bank, others: Sequence[Bank] = ()) -> list[Finding]:
    """Everything to mend in a bank, in the order of its areas; then questions that are asked twice.

    Args:
        bank: The bank to check.
        others: Banks whose questions it must not ask again.

    Returns:
        One finding for each problem, with file, line and question; empty when there is none.
    """
    findings: list[Finding] = []
    for area in bank.areas:
        for scenario in area.scenarios:
            findings.extend(_hostile(area, scenario.line, "", {"the scenario": scenario.text}))
            for question in scenario.questions:
                findings.extend(_check_question(area, scenario, question))
    findings.extend(near_duplicates(bank, others))
    return findings


def _check_question(area: Area, scenario: Scenario, question: Question) -> Iterator[Finding]:
    def finding(line: int, code: str, message: str) -> Finding:
        return Finding(area.file, line or question.line, question.id, code, message)

    if PLACEHOLDER in f"{scenario.text} {question.stem} {question.model_answer}":
        message = f"still holds the word {PLACEHOLDER} of the template; write the case, the question and its answer"
        yield finding(question.line, "placeholder", message)
        return
    total = sum(point.weight for point in question.key_points)
    if abs(total - 1) > WEIGHT_TOLERANCE:
        yield finding(question.line, "weights", f"the weights of the key points sum to {total:.3g}, not to 1")
    seconds = spoken_s(f"{scenario.text} {question.stem}")
    if seconds > LONGEST_HEARD_S:
        message = (
            f"scenario and stem take about {seconds:.0f} s to say; at most {LONGEST_HEARD_S:.0f} s can be taken in"
        )
        yield finding(question.line, "reading-time", message)
    yield from _hostile(area, question.line, question.id, {"the stem": question.stem})
    yield from _hostile(area, question.line, question.id, {"the model answer": question.model_answer})
    n_sentences = len(re.findall(r"[.!?](?=\s|$)", question.model_answer))
    low, high = MODEL_ANSWER_SENTENCES
    if not low <= n_sentences <= high:
        message = f"the model answer has {n_sentences} sentences; {low} to {high} can be listened to"
        yield finding(question.line, "model-answer", message)
    for point in question.key_points:
        yield from _check_key_point(area, scenario, question, point)
    yield from overlaps(area, question)
    yield from _check_exemplars(area, scenario, question)


def _check_key_point(area: Area, scenario: Scenario, question: Question, point: KeyPoint) -> Iterator[Finding]:
    def finding(code: str, message: str) -> Finding:
        return Finding(area.file, point.line or question.line, question.id, code, f"key point {point.id}: {message}")

    spoken = {"the point": point.text, "the probe": point.probe, "the feedback phrase": point.said}
    yield from _hostile(area, point.line or question.line, question.id, spoken)
    for where, text in (("stem", question.stem), ("probe", point.probe), ("scenario", scenario.text)):
        found = find(point.accepted, read_answer(question, text, "", of_question=True))
        leaks = [m for m in found if m.stance in ("claimed", "considered")]
        if leaks:
            code = {"stem": "stem-leak", "probe": "probe-leak", "scenario": "scenario-leak"}[where]
            yield finding(code, f"the {where} gives away the accepted wording {leaks[0].wording.text!r}")
    for wording in point.accepted:
        heard = read_answer(question, wording, "", of_question=True)
        wrong = [m for m in find(point.misconceptions, heard, whole=True) if m.stance == "claimed"]
        right = [m for m in find(point.accepted, heard) if m.stance == "claimed"]
        clash = next((m for m in wrong if not is_inside(m, right)), None)
        if clash is not None:
            message = f"the accepted wording {wording!r} also reads as the misconception {clash.wording.text!r}"
            yield finding("wording-clash", message)
        if not right:
            yield finding("wording-unread", f"the accepted wording {wording!r} does not match itself; reword it")
    for wording in point.misconceptions:
        if all(stem.isdigit() for stem, _ in read_wording(wording).terms):
            yield finding("wording-thin", f"nothing but a figure of the misconception {wording!r} counts; reword it")


def _check_exemplars(area: Area, scenario: Scenario, question: Question) -> Iterator[Finding]:
    for verdict in ("correct", "partial", "incorrect"):
        n = sum(exemplar.verdict == verdict for exemplar in question.exemplars)
        if n < MIN_EXEMPLARS:
            message = f"{n} exemplars are {verdict}; at least {MIN_EXEMPLARS} of each verdict are needed"
            yield Finding(area.file, question.line, question.id, "exemplars", message)
    for exemplar in question.exemplars:
        if exemplar.held_out:
            continue  # wordings are mended until these findings are gone: the other half stays unseen
        mark = judge_keywords(question, exemplar.text, question_text=scenario.text)
        if mark.verdict != exemplar.verdict:
            message = f"the keyword judge finds this exemplar {mark.verdict}, its verdict is {exemplar.verdict}"
            yield Finding(area.file, exemplar.line, question.id, "exemplar-judged", message)


def _hostile(area: Area, line: int, question_id: str, texts: dict[str, str]) -> Iterator[Finding]:
    """Text a voice cannot say as it is meant."""
    for where, text in texts.items():
        for pattern, advice in _HOSTILE:
            found = pattern.search(text)
            if found:
                message = f"{where} holds {found.group()!r}: {advice}"
                yield Finding(area.file, line, question_id, "speech", message)
