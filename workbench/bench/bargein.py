"""`viva bench bargein`: how fast the examiner falls silent when talked over, and what it takes for that by mistake.

Interruptions ask for the question again, so that the examiner can be interrupted again. What must not stop it: short
encouragement ("okay", "mm-hm"), coughs, desk noises, a passage of recorded noise, and its own voice leaking into the
microphone (30 dB below what is played: what a browser's echo cancellation leaves).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import numpy as np

from workbench.bench.report import rate, summary
from workbench.engines.base import SAMPLE_RATE_HZ
from workbench.settings import Settings
from workbench.simulate.behaviours import BACKCHANNELS, INTERRUPTIONS
from workbench.simulate.client import VivaClient
from workbench.simulate.sound import Clip, read_wav
from workbench.simulate.voices import QUIET, VOICES, Studio, background_of, speech_dir

HARMLESS = ("backchannel", "cough", "knock", "noise", "echo")
ECHO_DB = -30.0
SETTLE_S = 4.0
"""How long after an interruption the examiner may take to fall silent for good before it counts as missed."""

ASK_AGAIN = "Could you repeat the question, please?"
ANSWER = "I am sorry, I do not know that one."


@dataclass(frozen=True)
class Trial:
    """One thing done while the examiner spoke.

    Attributes:
        kind: `interruption` or one of `HARMLESS`.
        clear_ms: Onset of the voice to the last audible sample of the reply; None when not an interruption or missed.
        pause_ms: Onset to the first moment the playback was paused or cleared, None when it never was.
        stopped: Whether the reply was lost.
        held_ms: How long a reply that went on had been paused.
        in_a_gap: The reply was silent anyway when the voice began; its time says nothing.
        playback: What the server told the loudspeaker to do, (milliseconds after the onset, action).
    """

    kind: str
    clear_ms: float | None
    pause_ms: float | None
    stopped: bool
    held_ms: float
    in_a_gap: bool = False
    playback: tuple[tuple[float, str], ...] = ()


async def measure(
    url: str,
    settings: Settings,
    *,
    interruptions: int = 24,
    harmless: int = 25,
    seed: int = 0,
    on_turn: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Interrupts the questions of practice vivas in random order with harmless sounds.

    Returns:
        `clear_ms`, `pause_ms`, `missed_rate`, `false_stop_rate`, the same by kind, and every trial.
    """
    random = Random(seed)
    kinds = ["interruption"] * interruptions + [HARMLESS[i % len(HARMLESS)] for i in range(harmless)]
    random.shuffle(kinds)
    clips = await _clips(settings, random)
    trials: list[Trial] = []
    session = 0
    while len(trials) < len(kinds) and session < 12:
        options = {
            "discipline": "medical",
            "area": "cardiology",
            "candidate": "Alex",
            "consent": True,
            "mode": "practice",
            "seed": seed + session,
        }
        session += 1
        client = VivaClient(url, options, background=background_of(QUIET, settings, seed), keep_sound=True)
        async with client:
            await _session(client, kinds, trials, clips, random, on_turn)
    return {**figures(trials), "trials": [asdict(trial) for trial in trials]}


def figures(trials: Sequence[Trial]) -> dict[str, Any]:
    """The figures of a run."""
    real = [t for t in trials if t.kind == "interruption"]
    false = [t for t in trials if t.kind != "interruption"]
    timed = [t for t in real if not t.in_a_gap]
    return {
        "clear_ms": summary([t.clear_ms for t in timed]),
        "pause_ms": summary([t.pause_ms for t in timed]),
        "missed_rate": rate(sum(not t.stopped for t in real), len(real)),
        "false_stop_rate": rate(sum(t.stopped for t in false), len(false)),
        "false_pause_rate": rate(sum(t.pause_ms is not None for t in false), len(false)),
        "held_ms": summary([t.held_ms for t in false if t.held_ms]),
        "in_a_gap": sum(t.in_a_gap for t in real),
        "by_kind": {
            kind: {
                "n": len(group),
                "false_stop_rate": rate(sum(t.stopped for t in group), len(group)),
                "false_pause_rate": rate(sum(t.pause_ms is not None for t in group), len(group)),
            }
            for kind in HARMLESS
            if (group := [t for t in false if t.kind == kind])
        },
    }


async def _clips(settings: Settings, random: Random) -> dict[str, list[Clip]]:
    studio = Studio(settings)
    try:
        made = {
            "interruption": [await studio.say(text, voice) for text in INTERRUPTIONS for voice in VOICES],
            "backchannel": [await studio.say(text, voice) for text in BACKCHANNELS for voice in VOICES[:4]]
            + [studio.noise("hum", random.randrange(10**6)) for _ in range(12)],
            "cough": [studio.noise("cough", random.randrange(10**6)) for _ in range(12)],
            "knock": [studio.noise("knock", random.randrange(10**6)) for _ in range(12)],
            "ask": [await studio.say(ASK_AGAIN, voice) for voice in VOICES[:3]],
            "answer": [await studio.say(ANSWER, VOICES[0])],
        }
    finally:
        await studio.close()
    directory = speech_dir(settings)
    noise: list[Clip] = []
    for name in ("noise2", "noise5") if directory is not None else ():
        assert directory is not None
        sound = read_wav(directory / "noise" / f"{name}.wav")
        for start in range(0, len(sound) - 2 * SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ):
            piece = sound[start : start + int(1.5 * SAMPLE_RATE_HZ)]
            level = float(np.sqrt(np.mean(np.square(piece)))) + 1e-9
            # as loud as a quiet speaker, 30 dB below full scale
            noise.append(Clip.of((piece / level * 10 ** (-30 / 20)).astype(np.float32), "", level=False))
    made["noise"] = noise or made["knock"]
    return made


async def _session(
    client: VivaClient,
    kinds: Sequence[str],
    trials: list[Trial],
    clips: dict[str, list[Clip]],
    random: Random,
    on_turn: Callable[[], None],
) -> None:
    done: set[str] = set()
    asked = 0
    while len(trials) < len(kinds) and not client.over():
        await client.until(lambda: client.over() or client.has_floor() or bool(_fresh(client, done)), 120)
        if client.over():
            return
        response_id = _fresh(client, done)
        if response_id is None:
            # a new question now and then, else the same again: long replies to talk over, not short ones to answer
            asked += 1
            n_before = len(client.responses)
            spoken = client.say(random.choice(clips["answer" if asked % 4 == 0 else "ask"]))
            await client.sleep_until(spoken.end_s)
            await client.until(lambda n=n_before: len(client.responses) > n or client.over(), 20)  # type: ignore[misc]
            continue
        done.add(response_id)
        trial = await _trial(client, response_id, kinds[len(trials)], clips, random)
        if trial is not None:
            trials.append(trial)
            on_turn()


def _fresh(client: VivaClient, done: set[str]) -> str | None:
    current = client.playout.current
    return current if current is not None and current not in done else None


async def _trial(
    client: VivaClient, response_id: str, kind: str, clips: dict[str, list[Clip]], random: Random
) -> Trial | None:
    """Lets a reply run for a while, then does one thing; None when the reply ended before."""
    after_s = random.uniform(0.8, 2.5)

    def reached() -> bool:
        return client.playout.responses[response_id].played >= after_s * client.output_hz

    def ended() -> bool:
        return client.over() or client.responses[response_id].done_s is not None

    await client.until(lambda: reached() or ended(), 60)
    if ended() or client.playout.left_s() < 0.3:
        await client.until(ended, 60)
        return None
    if kind == "echo":
        return await _echo_trial(client, response_id, ended)
    clip = random.choice(clips[kind])
    spoken = client.say(clip, after_s=0.02)
    onset_s = spoken.first_voiced_s
    if kind == "interruption":
        await client.until(lambda: ended() and client.clock() > spoken.end_s, clip.voiced_s + SETTLE_S)
        stopped = client.responses[response_id].status == "cancelled"
        last = client.playout.last_audible(response_id)
        in_a_gap = not client.playout.audible_between(response_id, onset_s - 0.15, onset_s + 0.02)
        clear_ms = max(0.0, (last[1] - onset_s) * 1000) if stopped and last else None
        pause_s, held_ms = _held(client, response_id, onset_s)
        # the repeated question comes by itself; it is the next reply to talk over
        actions = _actions(client, response_id, onset_s)
        return Trial(kind, clear_ms, _ms(pause_s, onset_s), stopped, held_ms, in_a_gap, actions)
    await client.until(lambda: ended() and client.clock() > spoken.end_s, 60)
    pause_s, held_ms = _held(client, response_id, onset_s)
    stopped = client.responses[response_id].status == "cancelled"
    actions = _actions(client, response_id, onset_s)
    return Trial(kind, None, _ms(pause_s, onset_s), stopped, held_ms, playback=actions)


async def _echo_trial(client: VivaClient, response_id: str, ended: Callable[[], bool]) -> Trial:
    start_s = client.clock()
    client.echo_gain = 10 ** (ECHO_DB / 20)
    try:
        await client.until(ended, 60)
    finally:
        client.echo_gain = None
    pause_s, held_ms = _held(client, response_id, start_s)
    stopped = client.responses[response_id].status == "cancelled"
    await asyncio.sleep(0.1)
    actions = _actions(client, response_id, start_s)
    return Trial("echo", None, _ms(pause_s, start_s), stopped, held_ms, playback=actions)


def _ms(moment_s: float | None, onset_s: float) -> float | None:
    return None if moment_s is None else (moment_s - onset_s) * 1000


def _actions(client: VivaClient, response_id: str, onset_s: float) -> tuple[tuple[float, str], ...]:
    return tuple(
        (round((at_s - onset_s) * 1000, 1), action)
        for at_s, action, of in client.playbacks
        if of == response_id and at_s >= onset_s
    )


def _held(client: VivaClient, response_id: str, onset_s: float) -> tuple[float | None, float]:
    """When playback was first stopped after the onset, and how long it stood still in all, milliseconds."""
    first: float | None = None
    held_s = 0.0
    since: float | None = None
    for at_s, action, of in client.playbacks:
        if of != response_id or at_s < onset_s:
            continue
        if action in ("pause", "clear"):
            first = at_s if first is None else first
            since = at_s if since is None else since
        if action == "resume" and since is not None:
            held_s += at_s - since
            since = None
    return first, round(held_s * 1000, 1)
