"""A whole viva in the browser: real server, real weights, real Chromium, spoken into its fake microphone.

The fake microphone plays a file and is silent after it. Chromium reads the file when the microphone is opened, so every
answer is written to it just before the page opens the microphone again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from tests.browser import chromium
from tests.live_server import live_server  # noqa: F401  (a fixture)
from tests.page_driver import PLAIN_MICROPHONE, Candidate
from workbench.exam.bank import load_banks
from workbench.exam.model import Verdict
from workbench.settings import get_settings
from workbench.simulate.local_server import LocalServer
from workbench.simulate.voices import Studio, Voice

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]

MICROPHONE_HZ = 48_000
LEAD_S = 0.4
N_QUESTIONS = 12
NOTHING_MORE = "No, nothing more."
BRISK = Voice("brisk", rate=1.15)
MEANT: tuple[Verdict, ...] = ("correct", "incorrect", "partial")

# a brisk examiner and every event kept, so that the test can look up what was asked and marked
HURRY = """() => {
  const { viva } = window;
  const start = viva.start.bind(viva);
  viva.start = (choice) => start({ ...choice, viva: { ...choice.viva, speaking_rate: 1.5, seed: 7 } });
  const event = viva.event.bind(viva);
  window.seen = [];
  viva.event = (one) => { window.seen.push(one); event(one); };
}"""
OPEN_AGAIN = "async () => { window.viva.sound.closeMicrophone(); await window.viva.reopenMicrophone(); }"


class Microphone:
    """The file the browser's fake microphone plays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.studio = Studio(get_settings())
        self.load(None)

    def _say(self, text: str) -> np.ndarray:
        # the browser's driver keeps a loop running on this thread
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(self.studio.say(text, BRISK))).result().samples

    def load(self, text: str | None) -> float:
        """Puts a spoken sentence (or silence) into the file; returns its length in seconds."""
        speech = np.zeros(0, np.float32) if text is None else self._say(text)
        clip = np.concatenate([np.zeros(int(LEAD_S * 16_000), np.float32), speech, np.zeros(8_000, np.float32)])
        soundfile.write(self.path, soxr.resample(clip, 16_000, MICROPHONE_HZ), MICROPHONE_HZ, subtype="PCM_16")
        return len(clip) / 16_000


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Microphone:
    return Microphone(tmp_path_factory.mktemp("microphone") / "answer.wav")


@pytest.fixture(scope="module")
def browser(microphone: Microphone) -> Iterator[Any]:
    with chromium(f"--use-file-for-fake-audio-capture={microphone.path}%noloop") as running:
        yield running


def _seen(candidate: Candidate, kind: str) -> list[dict[str, Any]]:
    """Server events of one type the page has got."""
    events: list[dict[str, Any]] = candidate.page.evaluate("(kind) => window.seen.filter((e) => e.type === kind)", kind)
    return events


def _examiner_turns(candidate: Candidate) -> int:
    return sum(one["response"]["status"] == "completed" for one in _seen(candidate, "response.done"))


def _say(candidate: Candidate, microphone: Microphone, text: str) -> None:
    """Speaks one answer and waits until it was recognised."""
    kind = "conversation.item.input_audio_transcription.completed"
    before = len(_seen(candidate, kind))
    microphone.load(text)
    candidate.page.evaluate(OPEN_AGAIN)
    candidate.until(lambda: len(_seen(candidate, kind)) > before, 90)


def _shortest(question_id: str, wanted: Verdict) -> str:
    """The bank's own shortest example of an answer that deserves this verdict."""
    questions = (one for bank in load_banks().values() for area in bank.areas for one in area.questions)
    question = next(one for one in questions if one.id == question_id)
    fitting = [example.text for example in question.exemplars if example.verdict == wanted]
    return min(fitting or [question.model_answer], key=len)


def _sit(candidate: Candidate, microphone: Microphone) -> dict[int, Verdict]:
    """Answers until the report is there; returns the verdict every question's answer was meant to get."""
    meant: dict[int, Verdict] = {}
    turns = 0

    def my_turn() -> Any:
        listening = candidate.page.locator('#viva-floor[data-floor="candidate"]').count()
        return _seen(candidate, "viva.report") or (listening and _examiner_turns(candidate) > turns)

    while True:
        candidate.until(my_turn, 120)
        if _seen(candidate, "viva.report"):
            return meant
        turns = _examiner_turns(candidate)
        question = _seen(candidate, "viva.question")[-1]
        number = question["number"]
        assert question["stem"] == candidate.text("#viva-stem")
        if number in meant:  # a probe
            _say(candidate, microphone, NOTHING_MORE)
        else:
            meant[number] = MEANT[number % len(MEANT)]
            _say(candidate, microphone, _shortest(question["question_id"], meant[number]))


@pytest.mark.timeout(900)
def test_twelve_questions_spoken_into_the_page_end_in_a_report_with_the_recording(
    browser: Any,
    microphone: Microphone,
    live_server: LocalServer,  # noqa: F811
) -> None:
    microphone.load(None)  # a second try begins in silence, too
    someone = Candidate(browser, live_server.url + "/")
    someone.context.add_init_script(PLAIN_MICROPHONE)
    someone.open()
    page = someone.page
    page.evaluate(HURRY)
    page.fill("#viva-choose textarea, #viva-choose input[type=text]:not([role=listbox])", "Ada Example")
    page.check("#viva-mode input[value=exam]")
    someone.start()
    meant = _sit(someone, microphone)
    page.wait_for_selector("#viva-report:not([hidden])", timeout=60_000)

    assert sorted(meant) == list(range(1, N_QUESTIONS + 1))
    marks = {event["number"]: event for event in _seen(someone, "viva.verdict")}
    assert sorted(marks) == sorted(meant)
    report = _seen(someone, "viva.report")[-1]
    assert report["completed"] and report["score"] == sum(mark["points"] for mark in marks.values())
    assert float(someone.text("#viva-score")) == report["score"]
    points = {wanted: sum(marks[n]["points"] for n in meant if meant[n] == wanted) for wanted in MEANT}
    assert points["incorrect"] < points["correct"] / 2
    assert points["correct"] >= 20, "half of what the four good answers deserve, heard through a small recogniser"
    assert page.locator("#viva-report-verdicts .viva-verdict").count() == N_QUESTIONS
    assert page.locator("#viva-report-transcript li").count() >= 2 * N_QUESTIONS
    for link in page.locator("#viva-downloads a").all():
        assert page.request.get(link.evaluate("link => link.href")).ok
    page.wait_for_selector("#viva-report-audio:not([hidden])")
    page.wait_for_timeout(6_000)  # the recording is settled a moment after the end
    page.evaluate(
        "document.querySelector('#viva-report-audio').load(), document.querySelector('#viva-report-audio').play()"
    )
    page.wait_for_function("document.querySelector('#viva-report-audio').duration > 60")
    someone.close()
