"""What two-stage barge-in decides about sounds made while the examiner speaks, offline, on the real engines."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from workbench.bench.report import rate, summary
from workbench.bench.turn_corpus import HELD_OUT_MANNERS, AligningVoice, Manner, decaying_room, murmur
from workbench.bench.turn_replay import Ears
from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, Samples
from workbench.realtime.bargein import BargeIn, Decision
from workbench.realtime.turns import Onset, Pause, TurnTaker, Withdrawn
from workbench.settings import Settings
from workbench.simulate.behaviours import BACKCHANNELS, INTERRUPTIONS
from workbench.simulate.sound import cough, knock, room_tone

EXAMINER = (
    "A sixty year old man has had chest pain for two hours, and the electrocardiogram shows that the inferior leads "
    "are raised. What would you do first?",
    "Thank you. You named the right drug and the dose, but you did not mention how you would watch the blood pressure.",
    "Let us go on with the next case. A young woman comes to the clinic because she faints when she stands up.",
)
"""What the examiner is saying; the echo is made of it."""

MORE_INTERRUPTIONS = (
    "Stop, please.",
    "Wait, I want to change my answer.",
    "I would give aspirin first.",
    "No, that is not what I said.",
    "What do you mean by that?",
    "Actually it is the right coronary artery.",
)

LISTEN_EVERY_S = 0.3
ECHO_LASTS_S = 0.25
"""From an onset to the moment the paused examiner can no longer be heard, its echo included."""

WORDS_S = 0.2
"""From a look at the sound to its words."""


@dataclass(frozen=True)
class Trial:
    """One sound and whether it is meant to stop the examiner."""

    kind: str
    sound: Samples
    interrupts: bool


@dataclass(frozen=True)
class Outcome:
    """What was decided; `decided_s` counts from the onset, None where there was no onset."""

    kind: str
    interrupts: bool
    onset: bool
    decision: Decision
    decided_s: float | None


async def measure(ears: Ears, voice: AligningVoice, settings: Settings, *, seed: int = 0) -> dict[str, Any]:
    """Decides on every trial.

    Returns:
        `false_stop_rate` (harmless sounds that stopped the examiner), `missed_rate` (interruptions that did not),
        `decision_ms` of what made an onset, and both rates by kind.
    """
    outcomes = [await judge(ears, trial) for trial in trials(voice, seed)]
    harmless = [o for o in outcomes if not o.interrupts]
    meant = [o for o in outcomes if o.interrupts]
    kinds = sorted({o.kind for o in outcomes})
    return {
        "false_stop_rate": rate(sum(o.decision == "confirm" for o in harmless), len(harmless)),
        "missed_rate": rate(sum(o.decision != "confirm" for o in meant), len(meant)),
        "n_harmless": len(harmless),
        "n_interruptions": len(meant),
        "decision_ms": summary([o.decided_s * 1000 for o in outcomes if o.decided_s is not None]),
        "by_kind": {
            kind: {
                "n": sum(o.kind == kind for o in outcomes),
                "paused": rate(sum(o.onset for o in outcomes if o.kind == kind), sum(o.kind == kind for o in outcomes)),
                "stopped": rate(
                    sum(o.decision == "confirm" for o in outcomes if o.kind == kind),
                    sum(o.kind == kind for o in outcomes),
                ),
            }
            for kind in kinds
        },
    }


def trials(voice: AligningVoice, seed: int) -> list[Trial]:
    """The sounds: each backchannel and interruption in two voices, coughs, knocks, noise, and echoes in a room."""
    random = Random(seed)
    made: list[Trial] = []
    for index, text in enumerate(BACKCHANNELS * 3):
        manner = HELD_OUT_MANNERS[(index + index // 5 + seed) % 5]
        made.append(Trial("backchannel", _said(voice, text, manner), False))
    for index, text in enumerate([*INTERRUPTIONS, *MORE_INTERRUPTIONS] * 2):
        made.append(Trial("interruption", _said(voice, text, HELD_OUT_MANNERS[(index + seed) % 5]), True))
    made += [Trial("cough", _loud(cough(random.randrange(10**6)).samples), False) for _ in range(10)]
    made += [Trial("knock", _loud(knock(random.randrange(10**6)).samples), False) for _ in range(10)]
    for index in range(8):
        burst = murmur(index, 1.5)
        made.append(Trial("noise", 0.1 * burst / float(np.sqrt(np.mean(burst**2))), False))
    for index, text in enumerate([*EXAMINER, *EXAMINER]):
        dry = voice.speak(text, Manner(1.0, 1.0)).samples[: 5 * SAMPLE_RATE_HZ]
        wet = np.convolve(dry, decaying_room(index, 0.3))[: len(dry)]
        made.append(Trial("echo", (wet * 10 ** (-(15 + 5 * (index // 3)) / 20)).astype(np.float32), False))
    return [Trial(t.kind, _with_silence(t.sound, i), t.interrupts) for i, t in enumerate(made)]


async def judge(ears: Ears, trial: Trial) -> Outcome:
    """Follows one sound as a conversation does: a look every 0.3 s, and a last one when it falls silent.

    An onset pauses the examiner, and with it its echo; a sound that was let pass may be followed by more, so every
    onset is judged anew, and the first that is confirmed stops the examiner.
    """
    taker = TurnTaker(ears.voice.new_stream())
    said = " ".join(EXAMINER) if trial.kind == "echo" else EXAMINER[0]
    hush = room_tone(9, 1.0)[:VAD_FRAME_SAMPLES]
    fed: list[Samples] = []
    whole = len(trial.sound) - len(trial.sound) % VAD_FRAME_SAMPLES
    left = list(trial.sound[:whole].reshape(-1, VAD_FRAME_SAMPLES))[::-1]
    barge: BargeIn | None = None
    start = next_look = 0
    first_s: float | None = None
    heard = False
    while left:
        paused = barge is not None and trial.kind == "echo" and taker.n_samples - start > ECHO_LASTS_S * SAMPLE_RATE_HZ
        frame = hush if paused else left.pop()
        fed.append(frame)
        decision: Decision = "wait"
        for signal in taker.frame(frame, examiner_speaking=True):
            if isinstance(signal, Onset):
                barge, start, heard = BargeIn(said), signal.sample, True
                next_look = taker.n_samples + int(LISTEN_EVERY_S * SAMPLE_RATE_HZ)
            elif isinstance(signal, Withdrawn):
                decision = "resume"
            elif isinstance(signal, Pause) and barge is not None:
                decision = await _look(ears, fed, barge, start, signal.end_sample, final=True)
        if barge is not None and decision == "wait" and taker.n_samples >= next_look:
            decision = await _look(ears, fed, barge, start, taker.n_samples, final=False)
            next_look += int(LISTEN_EVERY_S * SAMPLE_RATE_HZ)
        if barge is not None and decision != "wait":
            decided_s = (taker.n_samples - start) / SAMPLE_RATE_HZ + WORDS_S
            first_s = decided_s if first_s is None else first_s
            if decision == "confirm":
                return Outcome(trial.kind, trial.interrupts, True, "confirm", decided_s)
            taker.reset()
            barge = None
    return Outcome(trial.kind, trial.interrupts, heard, "resume", first_s)


async def _look(ears: Ears, fed: list[Samples], barge: BargeIn, start: int, end: int, *, final: bool) -> Decision:
    sound = np.concatenate(fed)
    clip = sound[max(0, start - SAMPLE_RATE_HZ // 5) : end + (SAMPLE_RATE_HZ // 10 if final else 0)]
    text = (await ears.transcriber.transcribe(clip)).text
    return barge.hear(text, (end - start) / SAMPLE_RATE_HZ, final=final)


def _said(voice: AligningVoice, text: str, manner: Manner) -> Samples:
    return voice.speak(text, manner).samples


def _loud(sound: Samples) -> Samples:
    return (sound / max(float(np.abs(sound).max()), 1e-6) * 0.5).astype(np.float32)


def _with_silence(sound: Samples, seed: int) -> Samples:
    quiet = room_tone(seed, 1.0)
    return np.concatenate([quiet[: SAMPLE_RATE_HZ // 2], sound.astype(np.float32), quiet, quiet])
