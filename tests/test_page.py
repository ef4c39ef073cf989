"""The page in a real Chromium, against a scripted server: what a candidate sees, hears, presses and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from tests.browser import chromium
from tests.page_driver import PLAIN_MICROPHONE, Candidate, serving
from tests.prefix_proxy import behind_prefix
from tests.scripted_server import OUT_HZ, ScriptedServer, Visit, short_viva, tone
from workbench.realtime import protocol

pytestmark = pytest.mark.browser

TONE_HZ = 1013.0
TONE_LEVEL = 0.25


@pytest.fixture(scope="module")
def tone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of silence, then eight seconds of a steady tone: what the fake microphone hears."""
    path = tmp_path_factory.mktemp("microphone") / "tone.wav"
    steady = TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ * np.arange(8 * 48_000) / 48_000)
    soundfile.write(path, np.concatenate([np.zeros(48_000), steady]), 48_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def browser(tone_file: Path) -> Iterator[Any]:
    with chromium(
        f"--use-file-for-fake-audio-capture={tone_file}%noloop", "--host-resolver-rules=MAP viva.test 127.0.0.1"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[ScriptedServer, str]]:
    server = ScriptedServer()
    with serving(server) as url:
        yield server, url


@pytest.fixture
def server(running: tuple[ScriptedServer, str]) -> ScriptedServer:
    server = running[0]
    server.script, server.refuse = short_viva, None
    server.visits.clear()
    server.minted.clear()
    server.stored = {}
    return server


@pytest.fixture
def url(running: tuple[ScriptedServer, str]) -> str:
    return running[1]


@pytest.fixture
def candidate(browser: Any, url: str, server: ScriptedServer) -> Iterator[Candidate]:
    someone = Candidate(browser, url)
    yield someone.open()
    someone.close()


# ---- starting ----------------------------------------------------------------------------------------------------


def test_without_consent_nothing_starts_and_the_box_is_pointed_at(candidate: Candidate, server: ScriptedServer) -> None:
    candidate.page.click("#viva-start")
    candidate.wait_text("#viva-start-problem", "tick the box")
    assert candidate.page.evaluate("document.activeElement.closest('#viva-consent-given') !== null")
    assert server.minted == [] and server.visits == []


def test_what_was_chosen_reaches_the_socket_with_a_ticket(candidate: Candidate, server: ScriptedServer) -> None:
    page = candidate.page
    page.fill("#viva-choose textarea, #viva-choose input[type=text]:not([role=listbox])", "Ada Example")
    page.check("#viva-mode input[value=exam]")
    page.click("#viva-accommodations button")
    extra_time = page.locator("#viva-accommodations input[type=number]")

    def shown_by_the_slider() -> bool:  # what is typed while the section still opens is not taken
        extra_time.fill("1.5")
        extra_time.press("Tab")
        return page.locator("#viva-accommodations input[type=range]").input_value() == "1.5"

    candidate.until(shown_by_the_slider)
    candidate.start()
    options = candidate.until(lambda: server.visits and server.visit.options)
    expected = {"discipline": "medical", "candidate": "Ada Example", "mode": "exam", "extra_time": 1.5}
    assert {key: options[key] for key in expected} == expected
    assert options["consent"] is True and options["playback"] is True
    assert options["ticket"] == "ticket-1" and options["resume"] is None


def test_a_refused_ticket_is_told_in_the_servers_words(
    candidate: Candidate, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> str:
        raise PermissionError("The exam opens at nine.")

    monkeypatch.setattr(server, "mint_ticket", refuse)
    with serving(server) as url:
        candidate.open(url)
        candidate.start(typed=True)
        candidate.wait_text("#viva-start-problem", "The exam opens at nine.")
    assert server.visits == []


def test_a_typed_viva_goes_from_start_to_report(candidate: Candidate, server: ScriptedServer, url: str) -> None:
    candidate.start(typed=True)
    candidate.wait_text("#viva-stem", "What do you do first?")
    candidate.answer("I give aspirin.")
    candidate.wait_text("#viva-stem", "Which test confirms it?")
    assert candidate.text("#viva-progress-text") == "Question 2 of 12"
    assert candidate.page.get_attribute("#viva-progress-marks li:first-child", "data-state") == "correct"
    candidate.wait_text("#viva-log .viva-verdict", "Question 1: Correct")
    candidate.answer("An X-ray.")
    candidate.page.wait_for_selector("#viva-report:not([hidden])")
    assert candidate.text("#viva-score").strip() == "10"
    assert candidate.page.locator("#viva-report-verdicts .viva-verdict").count() == 2
    assert candidate.page.evaluate("document.activeElement.id") == "viva-report-title"
    assert [event["item"]["content"][0]["text"] for event in server.visit.of_type("conversation.item.create")] == [
        "I give aspirin.",
        "An X-ray.",
    ]
    assert server.visit.frames == [], "a candidate who types is not listened to"
    for link in candidate.page.locator("#viva-downloads a").all():
        address = link.evaluate("link => link.href")
        assert address.startswith(url) and candidate.page.request.get(address).ok


def test_the_report_adds_what_the_server_kept_and_plays_the_recording_from_an_answer(
    candidate: Candidate, server: ScriptedServer, tone_file: Path
) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("candidate")
        await visit.report(66)

    answer = {"text": "An ECG <i>now</i>.", "typed": False, "start_s": 4.0, "end_s": 4.5}
    point = {"text": "Record an electrocardiogram", "status": "covered", "quote": "An ECG"}
    kept = {"number": 2, "stem": "Which test?", "verdict": "correct", "points": 10, "confidence": 0.9, "judge": "j 1"}
    question = {**kept, "answer": answer, "key_points": [point], "model_answer": "An electrocardiogram."}
    turn = {"who": "examiner", "text": "Which test", "start_s": 1.0, "end_s": 2.0, "interrupted": True, "number": 2}
    server.stored = {
        "audio_url": "report/recording.wav",
        "scenarios": [{"questions": [question]}],
        "transcript": [turn],
    }
    server.recording = tone_file
    server.script = script
    candidate.start(typed=True)
    page = candidate.page
    page.wait_for_selector("#viva-report-verdicts .viva-verdict")
    page.click("#viva-report-verdicts summary")
    assert "An ECG <i>now</i>." in candidate.text("#viva-report-verdicts")
    assert "Which test — interrupted" in candidate.text("#viva-report-transcript")
    assert page.locator("#viva-report-transcript .viva-listen").count() == 1
    page.click("#viva-report-verdicts .viva-listen")
    page.wait_for_function("document.querySelector('#viva-report-audio').currentTime > 4.2")
    page.wait_for_function("document.querySelector('#viva-report-audio').paused")
    assert page.evaluate("document.querySelector('#viva-report-audio').currentTime") < 6


# ---- the microphone ----------------------------------------------------------------------------------------------


def test_the_microphone_arrives_at_the_asked_rate_and_level_without_a_gap(
    browser: Any, url: str, server: ScriptedServer
) -> None:
    someone = Candidate(browser, url)
    someone.context.add_init_script(PLAIN_MICROPHONE)
    someone.open()
    someone.start()
    someone.until(lambda: server.visits and len(server.visit.audio) > 4.5 * 16_000)
    asked = someone.page.evaluate("window.askedOfMicrophone")
    assert asked["echoCancellation"] and asked["noiseSuppression"] and asked["autoGainControl"]
    assert asked["channelCount"] == 1
    someone.close()
    visit = server.visit
    assert visit.audio_formats["input"]["format"] == {"type": "audio/pcm", "rate": 16000}
    assert {len(frame) for frame in visit.frames} == {320}, "20 ms a frame"
    audio = visit.audio / 32767
    loud = np.flatnonzero(np.abs(audio) > TONE_LEVEL / 2)
    steady = audio[loud[0] + 1600 : loud[0] + 1600 + 2 * 16_000]
    assert abs(np.sqrt(2 * np.mean(steady**2)) - TONE_LEVEL) < 0.02
    # the phase of every 20 ms goes on from the one before: nothing is missing, doubled or at another rate
    windows = steady.reshape(-1, 320) * np.hanning(320)
    phases = np.angle(windows @ np.exp(-2j * np.pi * TONE_HZ * np.arange(320) / 16_000))
    steps = np.angle(np.exp(1j * (np.diff(phases) - 2 * np.pi * TONE_HZ * 0.02)))
    assert np.max(np.abs(steps)) < 0.15


def test_a_busy_page_delays_no_sound(candidate: Candidate, server: ScriptedServer) -> None:
    candidate.start()
    candidate.until(lambda: server.visits and len(server.visit.frames) > 20)
    visit = server.visit
    before = len(visit.frames)
    candidate.page.evaluate("""() => {
      const until = performance.now() + 1200;
      while (performance.now() < until);
      window.viva.command("moment");
    }""")
    candidate.until(lambda: visit.of_type("viva.command"))
    # the command left the page after the stall; the frames of the stall were there before it
    at_command = candidate.until(lambda: visit.frames_at.get("viva.command"))
    assert at_command - before >= 40, "most of the 60 frames of the stall had arrived by then"


def test_the_check_hears_the_voice_judges_it_and_plays_it_back(browser: Any, url: str, server: ScriptedServer) -> None:
    someone = Candidate(browser, url)
    someone.context.add_init_script(PLAIN_MICROPHONE)
    someone.open()
    someone.page.click("#viva-check-start")
    someone.page.wait_for_function("Number(document.querySelector('#viva-meter').ariaValueNow) > -20")
    someone.page.wait_for_timeout(1500)
    someone.page.click("#viva-check-start")
    someone.wait_text("#viva-check-verdict", "Good")
    someone.page.click("#viva-check-play")
    someone.page.wait_for_function("!document.querySelector('#viva-check-play').disabled")
    assert someone.page.evaluate("window.viva.sound.stream") is None, "the microphone is let go"
    assert server.visits == []
    someone.close()


def test_a_denied_microphone_says_what_to_do_and_typing_goes_on(browser: Any, url: str, server: ScriptedServer) -> None:
    someone = Candidate(browser, url, microphone=False).open()
    someone.start()
    someone.wait_text("#viva-problem", "The microphone is not allowed")
    assert server.visits == []
    someone.page.click("#viva-problem-type")
    someone.answer("Aspirin.")
    someone.wait_text("#viva-stem", "Which test confirms it?")
    someone.close()


@pytest.mark.parametrize(
    ("exception", "told"),
    [("NotFoundError", "No microphone was found"), ("NotReadableError", "Another program is using the microphone")],
)
def test_an_absent_or_taken_microphone_is_named_and_can_be_tried_again(
    browser: Any, url: str, server: ScriptedServer, exception: str, told: str
) -> None:
    someone = Candidate(browser, url)
    someone.context.add_init_script(f"""
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      let first = true;
      navigator.mediaDevices.getUserMedia = (wanted) => {{
        if (!first) return open(wanted);
        first = false;
        return Promise.reject(new DOMException("", "{exception}"));
      }};""")
    someone.open()
    someone.start()
    someone.wait_text("#viva-problem", told)
    someone.page.click("#viva-problem-retry")
    someone.until(lambda: server.visits and len(server.visit.frames) > 5)
    assert not someone.page.is_visible("#viva-problem")
    someone.close()


def test_on_an_insecure_address_the_examiner_is_heard_and_answers_are_typed(
    browser: Any, url: str, server: ScriptedServer
) -> None:
    insecure = url.replace("localhost", "viva.test")
    someone = Candidate(browser, insecure, microphone=False).open()
    assert someone.page.evaluate("isSecureContext") is False
    someone.start()
    someone.wait_text("#viva-problem", "no microphone on this address")
    someone.page.click("#viva-problem-type")
    someone.answer("Aspirin.")
    someone.wait_text("#viva-stem", "Which test confirms it?")
    assert server.visit.played["resp_1"] == int(0.8 * OUT_HZ)
    someone.close()


def test_inside_a_frame_without_the_microphone_the_frame_is_named(
    browser: Any, url: str, server: ScriptedServer
) -> None:
    outside = Candidate(browser, url)
    page = outside.page
    page.goto(url.replace("localhost", "127.0.0.1") + "report/frame")
    page.set_content(f'<iframe src="{url}" style="width: 900px; height: 1400px"></iframe>')
    inside = page.wait_for_selector("iframe").content_frame()
    assert inside is not None
    inside.wait_for_function("window.viva")
    frame = page.frame_locator("iframe")
    frame.locator("#viva-consent-given input").check()
    frame.locator("#viva-start").click()
    frame.locator("#viva-problem", has_text='allow="microphone"').wait_for()
    frame.locator("#viva-problem-type").click()
    frame.locator("#viva-stem", has_text="What do you do first?").wait_for()
    outside.close()


# ---- the loudspeaker ---------------------------------------------------------------------------------------------


async def _forever() -> None:
    await asyncio.Event().wait()


def test_pause_resume_and_clear_are_obeyed_and_accounted_for_by_the_sample(
    candidate: Candidate, server: ScriptedServer
) -> None:
    seen: dict[str, int] = {}

    async def script(visit: Visit) -> None:
        await visit.state("examiner")
        await visit.begin_response("r1")
        await visit.caption("r1", "one two three four five six seven eight nine ten", 0, 4 * OUT_HZ)
        feeding = asyncio.create_task(visit.feed("r1", tone(4)))
        await visit.until(lambda: visit.played.get("r1", 0) > OUT_HZ // 2)
        await visit.playback("pause", "r1")
        reports = len(visit.of_type("viva.played"))
        await visit.until(lambda: len(visit.of_type("viva.played")) > reports)
        seen["paused"] = visit.played["r1"]
        await asyncio.sleep(0.5)
        seen["still"] = visit.played["r1"]
        await visit.playback("resume", "r1")
        await visit.until(lambda: visit.played["r1"] > seen["paused"] + OUT_HZ // 4)
        feeding.cancel()
        reports = len(visit.of_type("viva.played"))
        await visit.playback("clear", "r1")
        await visit.until(lambda: len(visit.of_type("viva.played")) > reports)
        seen["cleared"] = visit.played["r1"]
        await visit.end_response("r1", "cancelled")
        await visit.audio_delta("r1", tone(0.3))  # stale: sent before the server knew
        await visit.speak("r2", "and now this", tone(0.5))
        seen["stale"] = visit.played["r1"]
        await visit.state("candidate")
        await _forever()

    server.script = script
    candidate.start()
    candidate.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    assert OUT_HZ // 2 < seen["paused"] == seen["still"] < seen["cleared"] < 4 * OUT_HZ
    assert seen["stale"] == seen["cleared"], "sound that comes after the clear is not played"
    assert server.visit.played["r2"] == OUT_HZ // 2
    assert server.visit.underruns["r2"] == 0
    ids = [event["response_id"] for event in server.visit.of_type("viva.played")]
    assert ids == sorted(ids)
    first = candidate.page.locator("#viva-log .viva-entry-examiner").first.inner_text()
    assert "one two" in first and "ten" not in first and "interrupted" in first


def test_captions_light_up_as_their_sound_is_heard(candidate: Candidate, server: ScriptedServer) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("examiner")
        await visit.begin_response("r1")
        await visit.caption("r1", "first phrase here", 0, OUT_HZ)
        await visit.caption("r1", "second phrase here", OUT_HZ, 2 * OUT_HZ)
        feeding = asyncio.create_task(visit.feed("r1", tone(2)))
        await visit.until(lambda: visit.played.get("r1", 0) > 0.3 * OUT_HZ)
        await visit.playback("pause", "r1")
        await visit.until(lambda: visit.of_type("viva.command"))
        await visit.playback("resume", "r1")
        await feeding
        await visit.until(lambda: visit.played["r1"] >= 2 * OUT_HZ)
        await visit.end_response("r1")
        await visit.state("candidate")
        await _forever()

    server.script = script
    candidate.start()
    page = candidate.page
    candidate.until(lambda: server.visits and server.visit.played.get("r1", 0) > 0.3 * OUT_HZ)
    page.wait_for_selector("#viva-log .viva-word.heard")
    page.wait_for_timeout(300)
    classes = page.eval_on_selector_all("#viva-log .viva-word", "words => words.map((word) => word.classList[1])")
    assert classes[0] == "heard" and classes[3:] == ["ahead"] * 3, classes
    assert page.get_attribute("#viva-log .viva-entry-examiner", "aria-busy") == "true"
    page.keyboard.press("Alt+R")
    page.wait_for_function("document.querySelectorAll('#viva-log .viva-word.heard').length === 6")
    page.wait_for_selector("#viva-log .viva-entry-examiner:not([aria-busy])")


def test_the_candidates_words_are_shown_while_recognised_and_replaced_by_the_final_ones(
    candidate: Candidate, server: ScriptedServer
) -> None:
    kind = "conversation.item.input_audio_transcription"

    async def script(visit: Visit) -> None:
        await visit.state("candidate")
        for delta in ("I would ", "give ass prin "):
            await visit.send({"type": f"{kind}.delta", "item_id": "i1", "content_index": 0, "delta": delta})
        await visit.until(lambda: visit.of_type("viva.command"))
        done = {"item_id": "i1", "content_index": 0, "transcript": "I would give aspirin <b>now</b>."}
        await visit.send({"type": f"{kind}.completed", **done})
        await _forever()

    server.script = script
    candidate.start(typed=True)
    candidate.wait_text("#viva-log", "I would give ass prin")
    candidate.page.keyboard.press("Alt+M")
    candidate.wait_text("#viva-log", "I would give aspirin <b>now</b>.")
    assert "ass prin" not in candidate.text("#viva-log")


# ---- the line, the room ------------------------------------------------------------------------------------------


def test_a_lost_connection_comes_back_by_itself_with_the_resume_token_and_keeps_the_log(
    candidate: Candidate, server: ScriptedServer
) -> None:
    async def script(visit: Visit) -> None:
        again = len(server.visits) > 1
        await visit.state("examiner")
        await visit.question(3, "What do you do first?")
        await visit.speak("r2" if again else "r1", "Welcome back." if again else "Here we go.", tone(0.3))
        await visit.state("candidate", number=3)
        if not again:
            await visit.until(lambda: visit.of_type("viva.command"))
            await visit.socket.close(1012)
        await _forever()

    server.script = script
    candidate.start()
    candidate.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    candidate.page.keyboard.press("Alt+R")
    candidate.wait_text("#viva-link", "The connection is lost")
    candidate.wait_text("#viva-log", "Welcome back.")
    assert len(server.visits) == 2
    assert server.visit.options["resume"] == "resume-scripted" and server.visit.options["ticket"] is None
    log = candidate.text("#viva-log")
    assert log.index("Here we go.") < log.index("The connection was lost.") < log.index("Welcome back.")
    candidate.until(lambda: len(server.visit.frames) > 5)


def test_an_answer_sent_while_the_line_is_down_is_back_in_the_box(candidate: Candidate, server: ScriptedServer) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("candidate")
        await _forever()

    server.script = script
    candidate.start(typed=True)
    candidate.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    candidate.page.fill("#viva-typed-text", "I give aspirin.")
    # in one go, before the line is back
    candidate.page.evaluate("""() => {
      window.dispatchEvent(new Event("offline"));
      document.querySelector("#viva-typed").requestSubmit();
    }""")
    candidate.wait_text("#viva-notice", "Not sent")
    assert candidate.page.input_value("#viva-typed-text") == "I give aspirin."
    assert "aspirin" not in candidate.text("#viva-log")
    candidate.wait_text("#viva-link", "Connected again")
    candidate.page.press("#viva-typed-text", "Enter")
    candidate.until(lambda: server.visit.of_type("response.create"))
    assert server.visit.of_type("conversation.item.create")[0]["item"]["content"][0]["text"] == "I give aspirin."
    assert candidate.text("#viva-log").count("aspirin") == 1


def test_a_reload_offers_to_continue_and_does(candidate: Candidate, server: ScriptedServer) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("candidate", number=5)
        await visit.question(5, "And now?")
        await _forever()

    server.script = script
    candidate.start()
    candidate.wait_text("#viva-stem", "And now?")
    candidate.page.reload()
    candidate.page.wait_for_function("window.viva")
    candidate.wait_text("#viva-continue", "question 5 of 12")
    candidate.page.click("#viva-continue-yes")
    candidate.wait_text("#viva-stem", "And now?")
    candidate.until(lambda: len(server.visits) == 2 and server.visit.options)
    assert server.visit.options["resume"] == "resume-scripted"


def test_a_resume_token_the_server_does_not_know_leads_back_to_the_start(
    candidate: Candidate, server: ScriptedServer
) -> None:
    async def script(visit: Visit) -> None:
        if len(server.visits) > 1:
            error = {"param": "session.viva.resume", "code": "invalid_resume_token"}
            await visit.send(protocol.ProtocolError("the token has expired;", **error).as_event())
        else:
            await visit.state("candidate")
        await _forever()

    server.script = script
    candidate.start(typed=True)
    candidate.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    candidate.page.reload()
    candidate.page.click("#viva-continue-yes")
    candidate.wait_text("#viva-problem", "cannot be continued")
    assert candidate.page.is_visible("#viva-start")
    candidate.page.reload()
    candidate.page.wait_for_function("window.viva")
    assert not candidate.page.is_visible("#viva-continue")


def test_a_policy_close_is_final_and_told(candidate: Candidate, server: ScriptedServer) -> None:
    server.refuse = 1008
    candidate.start()
    candidate.wait_text("#viva-problem", "could not be opened")
    assert candidate.page.is_visible("#viva-start")


def test_a_full_room_shows_the_place_in_line_and_the_viva_starts_by_itself(
    candidate: Candidate, server: ScriptedServer
) -> None:
    gate = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.send(protocol.VivaQueue(position=3, capacity=4))
        await visit.send(protocol.VivaQueue(position=1, capacity=4))
        await gate.wait()
        await visit.state("candidate")
        await _forever()

    server.script = script
    candidate.start(typed=True)
    candidate.wait_text("#viva-queue", "You are next")
    server.loop.call_soon_threadsafe(gate.set)
    candidate.page.wait_for_selector("#viva-live:not([hidden])")
    assert not candidate.page.is_visible("#viva-queue")


# ---- keyboard, screen reader, screens ----------------------------------------------------------------------------


def test_everything_can_be_done_from_the_keyboard(candidate: Candidate, server: ScriptedServer) -> None:
    page = candidate.page

    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.closest(selector) !== null", selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#viva-check-start")
    tab_to("#viva-consent-given")
    page.keyboard.press("Space")
    tab_to("#viva-start")
    page.keyboard.press("Enter")
    page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    pressed = {"Alt+R": "repeat", "Alt+W": "rephrase", "Alt+M": "moment", "Alt+P": "pause", "Alt+S": "skip"}
    for keys in pressed:
        page.keyboard.press(keys)
    candidate.until(lambda: len(server.visit.of_type("viva.command")) == len(pressed))
    assert [event["command"] for event in server.visit.of_type("viva.command")] == list(pressed.values())
    page.keyboard.press("Alt+Q")
    page.wait_for_selector("#viva-end-dialog[open]")
    page.keyboard.press("Escape")
    candidate.until(lambda: server.visit.of_type("viva.command")[-1]["command"] == "cancel")
    assert not page.is_visible("#viva-end-dialog")
    page.keyboard.press("Alt+T")
    page.keyboard.type("Aspirin")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and an ECG")
    page.keyboard.press("Enter")
    candidate.until(lambda: server.visit.of_type("response.create"))
    assert server.visit.of_type("conversation.item.create")[0]["item"]["content"][0]["text"] == "Aspirin\nand an ECG"


def test_a_shortcut_held_down_counts_once(candidate: Candidate, server: ScriptedServer) -> None:
    candidate.start(typed=True)
    candidate.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    candidate.page.keyboard.down("Alt")
    for _ in range(5):
        candidate.page.keyboard.down("KeyS")
    candidate.page.keyboard.up("KeyS")
    candidate.page.keyboard.press("KeyR")
    candidate.page.keyboard.up("Alt")
    candidate.until(lambda: any(event["command"] == "repeat" for event in server.visit.of_type("viva.command")))
    assert [event["command"] for event in server.visit.of_type("viva.command")] == ["skip", "repeat"]


def test_ending_is_confirmed_by_click_or_by_the_examiners_question(
    candidate: Candidate, server: ScriptedServer
) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("candidate", phase="confirm_stop")  # the candidate said "stop"
        await visit.until(lambda: visit.of_type("viva.command"))
        await visit.report(0)

    server.script = script
    candidate.start(typed=True)
    candidate.page.wait_for_selector("#viva-end-dialog[open]")
    candidate.page.click("#viva-end-yes")
    candidate.page.wait_for_selector("#viva-report:not([hidden])")
    assert [event["command"] for event in server.visit.of_type("viva.command")] == ["confirm"]
    assert candidate.page.evaluate("sessionStorage.getItem('viva.session')") is None


def test_a_conversation_ends_only_once_that_is_confirmed(candidate: Candidate, server: ScriptedServer) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("paused", mode="talk", phase="paused", deadline_s=None)
        await visit.until(lambda: len(visit.of_type("viva.command")) == 2)
        await visit.report(0)

    server.script = script
    candidate.start(typed=True)
    candidate.wait_text("#viva-floor", "Press Resume, or say so, when you are ready.")
    candidate.page.click("#viva-end")
    candidate.wait_text("#viva-end-text", "Nothing in a conversation is marked.")
    assert "no marks" not in candidate.text("#viva-end-text")
    candidate.page.click("#viva-end-no")
    candidate.page.click("#viva-end")
    candidate.page.click("#viva-end-yes")
    candidate.page.wait_for_selector("#viva-report:not([hidden])")
    assert [event["command"] for event in server.visit.of_type("viva.command")] == ["cancel", "confirm"]


ABOUT_QUESTIONS = ("Repeat", "Rephrase", "A moment", "Skip", "Time for this question")


def test_what_is_there_for_questions_is_shown_in_a_viva_and_not_in_a_conversation(
    candidate: Candidate, server: ScriptedServer
) -> None:
    async def script(visit: Visit) -> None:
        conversation = len(server.visits) == 1
        of_it = {"mode": "talk", "deadline_s": None} if conversation else {}
        await visit.state("candidate", area="cardiology", **of_it)
        await visit.until(lambda: visit.of_type("viva.command"))
        if conversation:
            await visit.socket.close(1008)
        await _forever()

    server.script = script
    candidate.start(typed=True)
    page = candidate.page
    candidate.wait_text("#viva-live-mode", "Free conversation")
    assert not any(part in candidate.text("#viva-live") for part in (*ABOUT_QUESTIONS, "Cardiology"))
    keys = "document.querySelectorAll('#viva-live [aria-keyshortcuts]')"
    told = f"[...{keys}].filter((one) => one.checkVisibility()).map((one) => one.getAttribute('aria-keyshortcuts'))"
    assert page.evaluate(told) == ["Alt+P", "Alt+Q", "Alt+T"]
    for key in ("R", "W", "M", "S", "P"):
        page.keyboard.press(f"Alt+{key}")
    candidate.until(lambda: server.visit.of_type("viva.command"))
    assert [event["command"] for event in server.visit.of_type("viva.command")] == ["pause"]
    page.wait_for_selector("#viva-check:not([hidden])")
    page.click("#viva-start")
    candidate.wait_text("#viva-live-mode", "Practice")
    assert all(part in candidate.text("#viva-live") for part in (*ABOUT_QUESTIONS, "Cardiology"))
    assert page.evaluate(told) == [f"Alt+{key}" for key in "RWMPSQT"]
    page.keyboard.press("Alt+S")
    candidate.until(lambda: server.visit.of_type("viva.command"))
    assert [event["command"] for event in server.visit.of_type("viva.command")] == ["skip"]


def test_pause_becomes_resume_and_the_clock_stands_still(candidate: Candidate, server: ScriptedServer) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("candidate", elapsed_s=20.0, deadline_s=180.0)
        await visit.until(lambda: visit.of_type("viva.command"))
        await visit.state("paused", phase="paused", elapsed_s=30.0, deadline_s=180.0)
        await _forever()

    server.script = script
    candidate.start(typed=True)
    candidate.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    assert candidate.text("#viva-timer") in ("2:40", "2:39", "2:38")
    candidate.page.click("#viva-pause")
    candidate.wait_text("#viva-floor", "Paused")
    assert "Resume" in candidate.text("#viva-pause")
    candidate.page.wait_for_timeout(1200)
    assert candidate.text("#viva-timer") == "2:30"
    candidate.page.click("#viva-pause")
    candidate.until(lambda: len(server.visit.of_type("viva.command")) == 2)
    assert [event["command"] for event in server.visit.of_type("viva.command")] == ["pause", "resume"]


def test_area_and_consent_can_be_clicked_and_notices_are_shown(candidate: Candidate, server: ScriptedServer) -> None:
    async def script(visit: Visit) -> None:
        await visit.state("candidate", phase="consent")
        await visit.send(protocol.VivaConsentAsked())
        await visit.until(lambda: visit.of_type("viva.consent"))
        await visit.state("candidate", phase="area")
        await visit.send(protocol.VivaAreas(areas=[{"key": "cardiology", "title": "The heart"}]))
        await visit.until(lambda: visit.of_type("viva.area"))
        await visit.send(protocol.VivaNotice(code="no_sound", message="I hear nothing from your microphone."))
        await _forever()

    server.script = script
    candidate.start(typed=True)
    candidate.page.click("#viva-consent-yes")
    candidate.page.click("#viva-areas button:has-text('The heart')")
    candidate.wait_text("#viva-notice", "I hear nothing")
    assert server.visit.of_type("viva.consent")[0]["given"] is True
    assert server.visit.of_type("viva.area")[0]["area"] == "cardiology"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_rule_is_broken_and_nothing_leaves_the_narrowest_phone(
    browser: Any, url: str, server: ScriptedServer, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    async def script(visit: Visit) -> None:
        await visit.question(1, "What do you do first?")
        await visit.state("examiner")
        await visit.verdict(1)
        await visit.speak("r1", "What do you do first?", tone(0.2))
        await visit.state("candidate")
        await visit.typed()
        await visit.report()

    server.script = script
    someone = Candidate(browser, url, color_scheme=scheme, viewport={"width": 360, "height": 740}).open()

    def check(where: str) -> None:
        results = Axe().run(someone.page)
        broken = [
            f"{rule['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:300]}"
            for rule in results.response["violations"]
            for node in rule["nodes"]
        ]
        assert broken == [], where
        assert someone.overflow() == [], where

    someone.page.click("#viva-accommodations button")
    someone.page.wait_for_timeout(300)
    check("start")
    someone.start()
    someone.page.wait_for_selector('#viva-floor[data-floor="candidate"]')
    someone.page.click("#viva-log .viva-verdict summary")
    check("live")
    someone.answer("Aspirin.")
    someone.page.wait_for_selector("#viva-report:not([hidden])")
    someone.page.click("#viva-report-verdicts .viva-verdict summary")
    check("report")
    someone.close()


def test_behind_a_reverse_proxys_prefix_page_socket_and_report_are_found(browser: Any, server: ScriptedServer) -> None:
    with serving(server, "/exams/viva") as inner, behind_prefix("/exams/viva", inner.rstrip("/")) as outer:
        someone = Candidate(browser, outer, microphone=False).open()
        someone.start(typed=True)
        someone.answer("Aspirin.")
        someone.wait_text("#viva-stem", "Which test confirms it?")
        someone.answer("Aspirin.")
        link = someone.page.locator("#viva-downloads a").first
        link.wait_for()
        assert link.evaluate("link => link.href") == f"{outer}report/sess_scripted.html?token=t"
        assert all(address.startswith(outer) for address in someone.requests if "/viva/static/" in address)
        someone.close()


def test_nothing_is_fetched_from_any_other_machine(candidate: Candidate, url: str) -> None:
    candidate.page.wait_for_load_state("networkidle")
    hosts = {urlsplit(address).netloc for address in candidate.requests if address.startswith("http")}
    assert hosts == {urlsplit(url).netloc}


def test_static_files_have_their_types_and_are_kept_for_good_only_under_their_own_version(
    candidate: Candidate, url: str
) -> None:
    from workbench.web.routes import static_url

    get = candidate.page.request.get
    script = get(url + static_url("viva.js"))
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    old = get(url + "viva/static/0123456789ab/viva.css")
    assert old.headers["content-type"].startswith("text/css") and old.headers["cache-control"] == "no-cache"
    for bad in ("viva/static/x/..%2Froutes.py", "viva/static/x/nothing.js", "viva/static/x/routes.py"):
        assert get(url + bad).status == 404
