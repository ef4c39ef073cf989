"""The embedded voice: where a text is cut, what its sound looks like, how it stops."""

from __future__ import annotations

import asyncio
import builtins
import itertools
import time
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from workbench.engines import piper, piper_graph
from workbench.engines.base import EngineError
from workbench.engines.phrasing import CLAUSE_PAUSE_S, SENTENCE_PAUSE_S, phrases
from workbench.engines.piper import PiperSynthesizer, Trimmer, trim
from workbench.engines.spoken_text import speakable
from workbench.models import find
from workbench.settings import Settings

RATE_HZ = 22_050
LONG = (
    "Thank you, that was a clear answer about the mitral valve. You named the murmur. "
    "Now tell me how you would treat a patient who comes to you with this condition and a fast heart rate."
)


@pytest.fixture(scope="module")
def voice() -> PiperSynthesizer:
    return piper.create(Settings(_env_file=None))  # type: ignore[call-arg]


async def listen(voice: PiperSynthesizer, text: str, **manner: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *[chunk async for chunk in voice.speak(text, **manner)]])


def quiet(sound: np.ndarray) -> np.ndarray:
    """Indices of 5 ms frames with nothing in them."""
    frame = RATE_HZ // 200
    return np.flatnonzero(np.abs(sound[: len(sound) // frame * frame]).reshape(-1, frame).max(axis=1) < 1e-4)


# ---- where a text is cut
# -----------------------------------------------------------------------------------------


def test_the_first_phrase_is_short_when_a_comma_allows_it() -> None:
    assert [phrase.text for phrase in phrases(LONG)] == [
        "Thank you,",
        "that was a clear answer about the mitral valve.",
        "You named the murmur.",
        "Now tell me how you would treat a patient who comes to you with this condition and a fast heart rate.",
    ]


def test_without_a_comma_a_long_first_sentence_is_cut_before_a_conjunction() -> None:
    first, second = phrases("You named the mitral valve and the murmur but you forgot the rhythm that follows")
    assert first.text == "You named the mitral valve"
    assert second.text == "and the murmur but you forgot the rhythm that follows"
    assert first.pause_s == 0


def test_a_short_first_sentence_is_not_cut() -> None:
    assert [phrase.text for phrase in phrases("Yes, go on. Then stop.")] == ["Yes, go on.", "Then stop."]


def test_pauses_follow_the_punctuation_and_none_follows_the_last_phrase() -> None:
    assert [phrase.pause_s for phrase in phrases(LONG)] == [CLAUSE_PAUSE_S, SENTENCE_PAUSE_S, SENTENCE_PAUSE_S, 0]


def test_a_clause_whose_sentence_goes_on_elsewhere_keeps_its_pause() -> None:
    assert [phrase.pause_s for phrase in phrases("Thank you,")] == [CLAUSE_PAUSE_S]


def test_a_later_long_sentence_is_cut_at_a_clause_and_not_chopped_up() -> None:
    text = "Begin. " + "He came with chest pain, sweating, and a fast pulse, " * 3 + "which is all we know."
    counts = [len(phrase.text.split()) for phrase in phrases(text)]
    assert max(counts) < len(text.split()) and min(counts[1:]) >= 2 and len(counts) <= 4


@pytest.mark.parametrize("text", ["", "  ", "...", "?!"])
def test_a_text_without_words_has_no_phrases(text: str) -> None:
    assert phrases(text) == []


def test_no_word_is_lost_in_cutting() -> None:
    assert " ".join(phrase.text for phrase in phrases(LONG)) == LONG


# ---- silence and joins
# -------------------------------------------------------------------------------------------


def test_trimming_leaves_ten_milliseconds_in_front_and_starts_and_ends_on_zero() -> None:
    sound = np.concatenate([np.zeros(3000), np.full(5000, 0.5), np.zeros(9000)]).astype(np.float32)
    cut = trim(sound, RATE_HZ)
    first = int(np.flatnonzero(cut > 0.4)[0])
    assert abs(first - piper.LEAD_S * RATE_HZ) < RATE_HZ * piper.FRAME_S
    assert cut[0] == 0 and cut[-1] == 0
    assert len(cut) == pytest.approx(5000 + (piper.LEAD_S + piper.TAIL_S) * RATE_HZ, abs=2 * RATE_HZ * piper.FRAME_S)


def test_a_sound_that_starts_at_once_is_ramped_and_never_longer() -> None:
    cut = trim(np.full(4000, 0.5, np.float32), RATE_HZ)
    assert cut[0] == 0 and cut[-1] == 0 and len(cut) == 4000


@pytest.mark.parametrize("n_samples", [0, 1, 50, 5000])
def test_trimming_silence_leaves_nothing(n_samples: int) -> None:
    assert trim(np.zeros(n_samples, np.float32), RATE_HZ).size == 0


# ---- the voice itself
# --------------------------------------------------------------------------------------------


@pytest.mark.weights
async def test_the_sound_comes_piece_by_piece_at_the_voices_rate(voice: PiperSynthesizer) -> None:
    chunks = [chunk async for chunk in voice.stream(LONG)]
    assert voice.sample_rate_hz == RATE_HZ
    assert len(chunks) >= len(phrases(LONG))
    assert len(chunks[0]) < 0.6 * RATE_HZ, "the first piece is short, so that it is heard early"
    for chunk in chunks:
        assert chunk.dtype == np.float32 and chunk.ndim == 1 and chunk.size
        assert np.abs(chunk).max() <= 1
    assert np.abs(chunks[0]).max() > 0.1
    assert 8 < sum(map(len, chunks)) / RATE_HZ < 16


@pytest.mark.weights
async def test_speech_is_audible_within_sixty_milliseconds_of_its_first_sample(voice: PiperSynthesizer) -> None:
    for text in ("Thank you.", "What is it?", "Half of them.", "She said so."):
        sound = await listen(voice, text, noise_scale=0.0, noise_w_scale=0.0)
        assert np.flatnonzero(np.abs(sound) > 0.02)[0] < 0.06 * RATE_HZ, text


@pytest.mark.weights
async def test_sentences_are_a_quarter_of_a_second_apart(voice: PiperSynthesizer) -> None:
    sound = await listen(voice, "Good. Yes.")
    silent = quiet(sound)
    runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
    longest_s = max(map(len, runs)) * 0.005
    assert SENTENCE_PAUSE_S <= longest_s < SENTENCE_PAUSE_S + 0.08


@pytest.mark.weights
async def test_there_is_no_click_where_phrases_join(voice: PiperSynthesizer) -> None:
    for text in (LONG, "Thank you.", "Which of the two is it that you would give first?"):
        sound = np.concatenate([chunk async for chunk in voice.stream(text)])
        for end in (sound[:20], sound[-20:]):
            assert min(abs(end[0]), abs(end[-1])) == 0 and np.abs(np.diff(end)).max() < 0.02


@pytest.mark.weights
@pytest.mark.parametrize("text", ["Yes.", "That is a good point,", "You named the mitral valve and its murmur."])
async def test_the_pieces_of_a_phrase_are_the_whole_phrase(voice: PiperSynthesizer, text: str) -> None:
    still: dict[str, Any] = {"noise_scale": 0.0, "noise_w_scale": 0.0}
    early = [piece async for piece in voice.speak(text, **still, priority="now")]
    whole = [piece async for piece in voice.speak(text, **still, priority="idle")]
    assert len(whole) <= len(early)
    np.testing.assert_allclose(np.concatenate(early), np.concatenate(whole), atol=1e-4)


@pytest.mark.parametrize("pieces", [piper_graph.PIECE_FRAMES, piper_graph.BUSY_PIECE_FRAMES])
def test_a_phrase_is_cut_short_at_first_and_never_into_crumbs(pieces: tuple[int, ...]) -> None:
    for n_frames in range(1, 900):
        cuts = list(piper_graph._cuts(n_frames, pieces))
        assert cuts[0][0] == 0 and cuts[-1][1] == n_frames
        assert all(one[1] == two[0] for one, two in itertools.pairwise(cuts))
        shortest = min(end - start for start, end in cuts)
        assert len(cuts) == 1 or shortest >= min(pieces[0], 2 * piper_graph.MARGIN_FRAMES)


@given(
    parts=st.lists(st.tuples(st.integers(0, 900), st.sampled_from([0.0, 0.001, 0.01, 0.5])), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 9000), max_size=6),
)
def test_trimming_does_not_depend_on_how_the_sound_was_cut(parts: list[tuple[int, float]], cuts: list[int]) -> None:
    sound = np.concatenate([np.full(n, level, np.float32) for n, level in parts])
    trimmer = Trimmer(RATE_HZ)
    pieces = [trimmer.push(piece) for piece in np.split(sound, sorted(min(cut, len(sound)) for cut in cuts))]
    np.testing.assert_array_equal(np.concatenate([*pieces, trimmer.end()]), trim(sound, RATE_HZ))


@pytest.mark.weights
async def test_a_lower_rate_takes_longer_and_a_higher_pitch_does_not(voice: PiperSynthesizer) -> None:
    text = "The patient has a murmur at the apex."
    still = {"noise_scale": 0.0, "noise_w_scale": 0.0}
    normal = await listen(voice, text, **still)
    slow = await listen(voice, text, rate=0.7, **still)
    high = await listen(voice, text, pitch=1.25, **still)
    assert len(slow) / len(normal) == pytest.approx(1 / 0.7, rel=0.12)
    assert len(high) / len(normal) == pytest.approx(1, rel=0.12)
    assert _pitch_hz(high) / _pitch_hz(normal) == pytest.approx(1.25, rel=0.1)


@pytest.mark.weights
async def test_without_noise_the_same_text_sounds_the_same(voice: PiperSynthesizer) -> None:
    one, two = [await listen(voice, "Thank you.", noise_scale=0.0, noise_w_scale=0.0) for _ in range(2)]
    np.testing.assert_array_equal(one, two)


@pytest.mark.weights
async def test_a_text_without_words_makes_no_sound(voice: PiperSynthesizer) -> None:
    assert len(await listen(voice, "... ?!")) == 0


@pytest.mark.weights
async def test_closing_the_stream_stops_at_the_next_phrase(
    voice: PiperSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[str] = []
    synthesize = voice._synthesize
    monkeypatch.setattr(voice, "_synthesize", lambda p, *rest: (spoken.append(p.text), synthesize(p, *rest))[1])
    stream = voice.stream("One two three. " * 40)
    await anext(stream)
    await stream.aclose()
    assert len(await listen(voice, "Next.")) > 0
    assert len(spoken) <= 4, "the forty sentences were not all spoken for nobody"


@pytest.mark.weights
async def test_two_speakers_take_turns_phrase_by_phrase(
    voice: PiperSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    synthesize = voice._synthesize
    monkeypatch.setattr(voice, "_synthesize", lambda p, *rest: (order.append(p.text), synthesize(p, *rest))[1])
    long = asyncio.create_task(listen(voice, "Long one. Long two. Long three. Long four."))
    while not order:
        await asyncio.sleep(0.001)
    await asyncio.gather(listen(voice, "Short."), long)
    assert order.index("Short.") <= 2, "a first phrase goes before another speaker's later ones"


@pytest.mark.weights
async def test_the_event_loop_is_free_while_the_voice_works(voice: PiperSynthesizer) -> None:
    ticks = 0
    task = asyncio.create_task(listen(voice, LONG))
    started = time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert ticks > (time.perf_counter() - started) / 0.1


@pytest.mark.weights
async def test_the_letter_a_in_an_abbreviation_is_not_read_as_the_article(voice: PiperSynthesizer) -> None:
    spelled = voice._voice[0].phonemize(piper._SPELLED_A.sub("eigh", "in A F with vitamin A but a pulse"))
    assert "".join(spelled[0]).count("e\u026a") == 2


# ---- what goes wrong
# ---------------------------------------------------------------------------------------------


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    real = builtins.__import__

    def without_piper(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "piper":
            raise ImportError("No module named 'piper'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_piper)
    with pytest.raises(EngineError, match=r"pip install 'viva-workbench\[piper\]'"):
        piper.create(settings)


def test_missing_weights_say_how_to_fetch_them(tmp_path: Any) -> None:
    with pytest.raises(EngineError, match="viva models pull"):
        piper.create(Settings(_env_file=None, models_dir=tmp_path))  # type: ignore[call-arg]
    with pytest.raises(EngineError, match="VIVA_TTS_MODEL"):
        piper.create(Settings(_env_file=None, tts_model="en_GB-nobody", models_dir=tmp_path))  # type: ignore[call-arg]
    with pytest.raises(EngineError, match="there is no voice at"):
        piper.create(Settings(_env_file=None, tts_model=str(tmp_path / "x.onnx")))  # type: ignore[call-arg]


async def test_a_broken_voice_file_is_an_error_that_names_it(tmp_path: Any) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "broken.onnx.json").write_text('{"audio": {"sample_rate": 22050}}')
    engine = piper.create(Settings(_env_file=None, tts_model=str(tmp_path / "broken.onnx")))  # type: ignore[call-arg]
    with pytest.raises(EngineError, match=r"cannot load .*broken\.onnx"):
        await listen(engine, "Good morning.")
    await engine.close()


@pytest.mark.parametrize("manner", [{"rate": 0.0}, {"rate": 9.0}, {"pitch": 0.1}])
def test_a_manner_nobody_can_speak_in_is_refused(manner: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be between"):
        piper.Manner(**manner)


def _pitch_hz(sound: np.ndarray) -> float:
    """Median fundamental of the voiced frames, by autocorrelation between 60 and 300 Hz."""
    frames = [sound[i : i + 1100] for i in range(0, len(sound) - 1100, 550)]
    found = []
    for frame in frames:
        if frame.std() < 0.03:
            continue
        likeness = np.correlate(frame, frame, "full")[len(frame) - 1 :]
        low, high = RATE_HZ // 300, RATE_HZ // 60
        lag = low + int(np.argmax(likeness[low:high]))
        if likeness[lag] > 0.5 * likeness[0]:
            found.append(RATE_HZ / lag)
    return float(np.median(found))


@pytest.mark.weights
async def test_a_recogniser_understands_what_the_voice_says(voice: PiperSynthesizer) -> None:
    from faster_whisper import WhisperModel

    text = "Give 2.5 mg of aspirin, then wait 2-4 hours. The BP is 120/80 mmHg, and the ECG shows AF."
    sound = await listen(voice, speakable(text), noise_scale=0.0, noise_w_scale=0.0)
    whisper = WhisperModel(
        str(find("whisper-tiny.en", Settings(_env_file=None).models_dir)),  # type: ignore[call-arg]
        device="cpu",
        compute_type="int8",
        cpu_threads=1,
    )
    segments, _ = whisper.transcribe(soxr.resample(sound, RATE_HZ, 16_000), beam_size=1)
    heard = "".join(segment.text for segment in segments).lower()
    for word in ("give", "2.5", "aspirin", "wait 2", "4 hours", "120", "80", "mercury", "ecg"):
        assert word in heard, heard
