"""The sound of the page without a page: resampling, the playback queue, levels, caption times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.browser import RunJs, javascript

RATES = [(48000, 16000), (44100, 16000), (48000, 24000), (24000, 48000), (24000, 44100), (16000, 16000)]

RESAMPLE = """
const { Resampler } = await import("./resampler.js");
function resample(input, from, to, chunk) {
  const resampler = new Resampler(from, to);
  const output = [];
  const block = new Float32Array(128);
  const take = () => { for (let n; (n = resampler.read(block, 0, 128)) > 0; ) output.push(...block.subarray(0, n)); };
  for (let i = 0; i < input.length; i += chunk) { resampler.push(input.subarray(i, i + chunk)); take(); }
  resampler.end();
  take();
  return output;
}
const sine = (hz, rate, seconds) =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));
"""

PLAY = """
const { PlaybackQueue } = await import("./player.js");
const reports = [];
const queue = new PlaybackQueue(48000, 24000, (report) => reports.push(report));
const wave = (hz, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / 24000);
const sound = (n, hz = 440) => Float32Array.from({ length: n }, (_, i) => wave(hz, i));
const heard = [];
function render(blocks) {
  const out = new Float32Array(128);
  for (let i = 0; i < blocks; i++) { queue.render(out); heard.push(...out); }
}
"""


@pytest.fixture(scope="module")
def js(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunJs]:
    with javascript(tmp_path_factory.mktemp("modules")) as run:
        yield run


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_tone_keeps_its_level_place_and_length_at_any_rate(js: RunJs, from_hz: int, to_hz: int) -> None:
    samples = np.array(js(f"{RESAMPLE} return resample(sine(1000, {from_hz}, 0.5), {from_hz}, {to_hz}, 128);"))
    ideal = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(to_hz // 2) / to_hz)
    assert len(samples) == len(ideal)
    inner = slice(to_hz // 20, -to_hz // 20)
    error = samples[inner] - ideal[inner]
    assert 10 * np.log10(np.mean(ideal[inner] ** 2) / (np.mean(error**2) + 1e-12)) > 60


def test_cutting_the_input_elsewhere_changes_no_output_sample(js: RunJs) -> None:
    same = js(f"""{RESAMPLE}
      const input = sine(700, 44100, 0.3);
      const one = resample(input, 44100, 16000, 128);
      const other = resample(input, 44100, 16000, 997);
      return one.length === other.length && one.every((value, i) => value === other[i]);""")
    assert same is True


def test_sound_above_half_the_new_rate_is_removed_not_folded_down(js: RunJs) -> None:
    for hz in (8300, 10_000, 15_000):
        samples = np.array(js(f"{RESAMPLE} return resample(sine({hz}, 48000, 0.4), 48000, 16000, 128);"))
        level = np.sqrt(np.mean(samples[800:-800] ** 2)) / (0.5 / np.sqrt(2))
        assert 20 * np.log10(level + 1e-12) < -55, f"{hz} Hz"


def test_a_minute_of_sound_is_not_a_sample_too_long_or_short(js: RunJs) -> None:
    counts = js(f"""{RESAMPLE}
      const resampler = new Resampler(44100, 24000);
      const block = new Float32Array(4096);
      let n = 0;
      for (let i = 0; i < 44100 * 60; i += 441) {{
        resampler.push(new Float32Array(441));
        for (let m; (m = resampler.read(block, 0, 4096)) > 0; ) n += m;
      }}
      resampler.end();
      for (let m; (m = resampler.read(block, 0, 4096)) > 0; ) n += m;
      return n;""")
    assert counts == 24000 * 60


def test_an_impossible_rate_is_refused_with_what_was_given(js: RunJs) -> None:
    message = js(f"{RESAMPLE} try {{ new Resampler(0, 16000); }} catch (error) {{ return error.message; }}")
    assert "0 and 16000" in message


def test_pcm_survives_base64_bit_by_bit(js: RunJs) -> None:
    values = js("""
      const { toBase64, fromBase64 } = await import("./pcm.js");
      const pcm = Int16Array.from({ length: 70000 }, (_, i) => (i * 7919) % 65536 - 32768);
      const back = fromBase64(toBase64(pcm));
      return back.length === pcm.length && back.every((value, i) => Math.round(value * 32768) === pcm[i]);""")
    assert values is True


def test_a_response_played_to_its_end_reports_every_sample_of_it(js: RunJs) -> None:
    reports = js(f"""{PLAY}
      queue.enqueue("a", sound(24000));
      queue.end("a");
      render(400);
      return reports;""")
    assert reports[-1] == {"responseId": "a", "nSamples": 24000, "underruns": 0, "why": "end"}
    ticks = [report["nSamples"] for report in reports if report["why"] == "tick"]
    assert len(ticks) in (5, 6), "about five reports a second"
    assert ticks == sorted(ticks)


def test_pause_is_silent_within_the_fade_and_resume_loses_no_sample(js: RunJs) -> None:
    result = js(f"""{PLAY}
      queue.enqueue("a", sound(24000));
      queue.end("a");
      render(100);
      queue.pause();
      render(50);
      const atPause = reports.at(-1);
      queue.resume();
      render(400);
      return {{ heard, atPause, last: reports.at(-1) }};""")
    sound = np.array(result["heard"])
    assert result["atPause"]["why"] == "pause"
    assert result["atPause"]["nSamples"] == (100 * 128 + 240) // 2
    gap = sound[100 * 128 : 150 * 128]
    assert np.max(np.abs(gap[240:])) == 0
    assert np.max(np.abs(gap[:240])) > 0.1, "it fades out, it is not cut off"
    assert result["last"]["nSamples"] == 24000
    audible = np.concatenate([sound[: 100 * 128 + 240], sound[150 * 128 :]])
    whole = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
    fades = np.zeros(48000, bool)
    fades[100 * 128 : 100 * 128 + 480] = True
    error = np.abs(audible[:48000] - whole)[2400:-2400]
    assert np.max(error[~fades[2400:-2400]]) < 0.01, "apart from the fades the sound is the same"


def test_clear_forgets_the_rest_and_says_how_much_was_heard(js: RunJs) -> None:
    result = js(f"""{PLAY}
      queue.enqueue("a", sound(24000));
      render(100);
      queue.pause();
      render(10);
      queue.clear("a");
      const afterClear = heard.length;
      render(20);
      queue.enqueue("b", sound(2400, 880));
      queue.end("b");
      render(100);
      return {{ heard, afterClear, reports }};""")
    cleared = [report for report in result["reports"] if report["why"] == "clear"]
    assert cleared == [{"responseId": "a", "nSamples": 6520, "underruns": 0, "why": "clear"}]
    sound = np.array(result["heard"])
    after = result["afterClear"]
    assert np.max(np.abs(sound[after : after + 20 * 128])) == 0
    assert np.max(np.abs(sound[after + 20 * 128 :])) > 0.4, "the next response is heard without another order"
    assert result["reports"][-1] == {"responseId": "b", "nSamples": 2400, "underruns": 0, "why": "end"}


def test_a_clear_while_sounding_fades_and_never_clicks(js: RunJs) -> None:
    sound = np.array(
        js(f"""{PLAY}
      queue.enqueue("a", sound(24000, 200));
      render(101);
      queue.clear(null);
      render(20);
      return heard;""")
    )
    step = np.max(np.abs(np.diff(sound[1000:])))
    assert step < 2 * 2 * np.pi * 200 / 48000 * 0.5, "no jump larger than the tone itself makes"


def test_running_dry_is_counted_once_and_waits_for_a_little_sound_before_going_on(js: RunJs) -> None:
    result = js(f"""{PLAY}
      queue.enqueue("a", sound(2400));
      render(60);
      queue.enqueue("a", sound(480));
      render(10);
      const tooLittle = Math.max(...heard.slice(60 * 128).map(Math.abs));
      queue.enqueue("a", sound(4800));
      queue.end("a");
      render(200);
      return {{ tooLittle, last: reports.at(-1) }};""")
    assert result["tooLittle"] == 0
    assert result["last"] == {"responseId": "a", "nSamples": 7680, "underruns": 1, "why": "end"}


def test_one_response_follows_another_without_a_gap(js: RunJs) -> None:
    result = js(f"""{PLAY}
      queue.enqueue("a", sound(2412));
      queue.end("a");
      queue.enqueue("b", sound(2400));
      queue.end("b");
      render(100);
      return {{ heard, reports }};""")
    loud = np.flatnonzero(np.abs(np.array(result["heard"])) > 1e-4)
    assert loud[-1] + 1 >= 2 * (2412 + 2400) - 4
    assert [report["responseId"] for report in result["reports"] if report["why"] == "end"] == ["a", "b"]


def _levels(js: RunJs, levels: list[dict[str, Any]]) -> dict[str, Any]:
    import json

    code = f'const {{ judgeLevels }} = await import("./levels.js"); return judgeLevels({json.dumps(levels)});'
    result: dict[str, Any] = js(code)
    return result


@pytest.mark.parametrize(
    ("speech", "noise", "clipped", "verdict"),
    [
        (0.1, 0.001, 0, "good"),
        (0.004, 0.0002, 0, "quiet"),
        (0.4, 0.001, 200, "clipping"),
        (0.05, 0.03, 0, "noisy"),
        (0.0003, 0.0003, 0, "nothing"),
    ],
)
def test_the_microphone_check_tells_good_from_quiet_loud_noisy_and_dead(
    js: RunJs, speech: float, noise: float, clipped: int, verdict: str
) -> None:
    talk = {"rms": speech, "peak": min(1, 3 * speech), "clipped": clipped, "n": 2400}
    hush = {"rms": noise, "peak": 2 * noise, "clipped": 0, "n": 2400}
    assert _levels(js, [hush] * 40 + [talk] * 60)["verdict"] == verdict


def test_the_microphone_check_of_no_recording_hears_nothing(js: RunJs) -> None:
    assert _levels(js, [])["verdict"] == "nothing"


def test_words_share_a_phrase_by_their_letters(js: RunJs) -> None:
    code = 'const { wordTimes } = await import("./log.js"); return wordTimes("  Give aspirin  now ", 1000, 2600);'
    words = js(code)
    assert [word["text"] for word in words] == ["Give", "aspirin", "now"]
    assert words[0]["start"] == 1000
    assert words[1]["start"] == words[0]["end"] == 1500
    assert words[-1]["end"] == 2600
