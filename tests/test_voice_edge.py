"""Where a voice ended, by its loudness, and what the turn rule makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.scripted_voice import ScriptedVoice
from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, Samples
from workbench.realtime.turns import EndOfTurn, Onset, Pause, TurnTaker
from workbench.realtime.voice_edge import BLOCK_SAMPLES, VoiceEdge

RNG = np.random.default_rng(0)


def sound(seconds: float, level_db: float) -> Samples:
    """Noise of this loudness, dBFS; whole frames."""
    n = round(seconds * SAMPLE_RATE_HZ / VAD_FRAME_SAMPLES) * VAD_FRAME_SAMPLES
    return (RNG.normal(0, 1, n) * 10 ** (level_db / 20)).astype(np.float32)


def frames(*pieces: Samples) -> list[Samples]:
    whole = np.concatenate(pieces)
    return [whole[i : i + VAD_FRAME_SAMPLES] for i in range(0, len(whole) - VAD_FRAME_SAMPLES + 1, VAD_FRAME_SAMPLES)]


@pytest.mark.parametrize("offset", [0, 100, 300, 500])
def test_the_end_of_a_voice_is_found_to_a_block_whatever_the_frames(offset: int) -> None:
    edge = VoiceEdge()
    voice = np.concatenate([sound(1.0, -20.0), sound(0.032, -20.0)[:offset]])
    room = sound(0.5, -60.0)
    for frame in frames(room, voice, sound(0.5, -60.0)):
        edge.push(frame, voiced=True)
    assert 0 <= edge.last_audible - (len(room) + len(voice)) < BLOCK_SAMPLES


def test_a_quiet_consonant_still_belongs_to_the_voice() -> None:
    edge = VoiceEdge()
    for frame in frames(sound(0.5, -65.0), sound(1.0, -20.0)):
        edge.push(frame, voiced=True)
    assert edge.push(sound(0.032, -46.0), voiced=True)
    assert not edge.push(sound(0.032, -64.0), voiced=True)


def test_in_a_loud_room_it_knows_nothing_and_says_so() -> None:
    edge = VoiceEdge()
    for frame in frames(sound(2.0, -35.0), sound(1.0, -25.0)):
        edge.push(frame, voiced=True)
    assert not edge.clear
    assert edge.push(sound(0.032, -35.0), voiced=True)
    assert edge.last_audible == edge.n_samples


def signals(taker: TurnTaker, pieces: list[Samples], *, examiner_speaking: bool = False) -> list[object]:
    return [signal for frame in pieces for signal in taker.frame(frame, examiner_speaking)]


def test_the_silence_is_counted_from_the_last_sound_not_from_the_voice_models_tail() -> None:
    room, voice, after = sound(0.32, -60.0), sound(1.024, -20.0), sound(2.56, -60.0)
    # the model hears a voice for three frames too long
    n_voice = (len(voice) // VAD_FRAME_SAMPLES) + 3
    model = ScriptedVoice([0.02] * 10 + [0.95] * n_voice)
    taker = TurnTaker(model)
    found = signals(taker, frames(room, voice, after))
    onset, pause, end = found
    assert isinstance(onset, Onset) and isinstance(pause, Pause) and isinstance(end, EndOfTurn)
    assert abs(pause.end_sample - len(room) - len(voice)) <= BLOCK_SAMPLES
    waited_s = (end.at_sample - len(room) - len(voice)) / SAMPLE_RATE_HZ
    assert end.needed_s <= waited_s < end.needed_s + 0.05


def answered(taker_probabilities: list[float]) -> TurnTaker:
    """One who has given an answer at -20 dBFS; what the model hears after it is given."""
    pieces = frames(sound(0.32, -60.0), sound(1.024, -20.0), sound(3.2, -60.0))
    taker = TurnTaker(ScriptedVoice([0.02] * 10 + [0.95] * 32 + [0.02] * 100 + taker_probabilities))
    assert isinstance(signals(taker, pieces)[-1], EndOfTurn)
    return taker


@pytest.mark.parametrize(
    ("level_db", "examiner_speaking", "begins"),
    [(-50.0, True, False), (-50.0, False, True), (-24.0, True, True), (-38.0, True, True)],
)
def test_who_is_far_quieter_than_their_answers_is_the_examiners_echo(
    level_db: float, examiner_speaking: bool, begins: bool
) -> None:
    taker = answered([0.95] * 10)
    found = signals(taker, frames(sound(0.32, level_db)), examiner_speaking=examiner_speaking)
    assert [type(signal) for signal in found] == ([Onset] if begins else [])
