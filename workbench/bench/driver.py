"""Spoken turns for the benches: what is said, and how long the first word made for it took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from workbench.settings import Settings
from workbench.simulate.candidate import TALK, Candidate
from workbench.simulate.client import VivaClient
from workbench.simulate.sound import Clip, read_wav
from workbench.simulate.timing import TurnTiming, timing_of
from workbench.simulate.voices import QUIET, VOICES, Studio, background_of, speech_dir

HEARD_OUT_S = 6.0
"""How much of a reply is listened to before it is stopped and the next thing is said."""

RECORDED_WORDS = {
    "spk1_snt1": "the child almost hurt the small dog",
    "spk1_snt2": "drop the two when you add the figures",
    "spk1_snt3": "at that high level the air is pure",
    "spk1_snt4": "a thin stripe runs down the middle",
    "spk1_snt5": "sunday is the best part of the week",
    "spk2_snt1": "we are sure that one war is enough",
    "spk2_snt2": "what joy there is in living",
    "spk2_snt3": "tear thin sheets from the other pad",
    "spk2_snt4": "mend the coat before you go out",
    "spk2_snt5": "canned pears lack full flavor",
}
"""Words of the recorded sentences (Harvard lists, IEEE 1969) among the corpora."""


@dataclass(frozen=True)
class Utterance:
    """A clip and where it is from: `recorded` people or the embedded `voice`."""

    clip: Clip
    source: str


async def utterances(settings: Settings, n: int, seed: int) -> list[Utterance]:
    """Things to say in free conversation: recorded people where the corpora are, else the embedded voice only."""
    studio = Studio(settings)
    made: list[Utterance] = []
    directory = speech_dir(settings)
    recorded = []
    if directory is not None:
        for name, words in RECORDED_WORDS.items():
            recorded.append(Utterance(Clip.of(read_wav(directory / "answers" / f"{name}.wav"), words), "recorded"))
    try:
        for i in range(n):
            if recorded and i % 2:
                made.append(recorded[(i // 2) % len(recorded)])
            else:
                clip = await studio.say(TALK[i % len(TALK)], VOICES[i % len(VOICES)])
                made.append(Utterance(clip, "voice"))
    finally:
        await studio.close()
    Random(seed).shuffle(made)
    return made


async def talk(
    url: str,
    said: Sequence[Utterance],
    settings: Settings,
    *,
    seed: int = 0,
    patience: str = "default",
    per_session: int = 10,
    on_turn: Callable[[], None] = lambda: None,
    record: list[VivaClient] | None = None,
) -> list[TurnTiming]:
    """Says things in `talk` mode and times the replies; a new session every `per_session` turns."""
    timings: list[TurnTiming] = []
    for start in range(0, len(said), per_session):
        options = {"mode": "talk", "consent": True, "candidate": "Alex", "patience": patience, "seed": seed + start}
        client = VivaClient(url, options, background=background_of(QUIET, settings, seed))
        if record is not None:
            record.append(client)
        async with client:
            if not await client.until(client.has_floor, 120):
                raise TimeoutError("the examiner never finished its greeting")
            for index, utterance in enumerate(said[start : start + per_session]):
                timings.append(await _say_and_time(client, utterance.clip, Random(f"{seed}:{start}:{index}")))
                on_turn()
            await client.press("stop")
            await client.until(client.over, 30)
    return timings


async def _say_and_time(client: VivaClient, clip: Clip, random: Random) -> TurnTiming:
    await asyncio.sleep(random.uniform(0.3, 0.8))
    n_before = len(client.responses)
    spoken = client.say(clip)
    await client.sleep_until(spoken.end_s)
    await client.until(lambda: len(client.responses) > n_before and client.speaking(), 30)
    heard_from = client.clock()
    await client.until(lambda: client.has_floor() or client.clock() - heard_from > HEARD_OUT_S, 60)
    timing = timing_of(client, spoken)
    if not client.has_floor():
        await client.send({"type": "response.cancel"})
        await client.until(client.has_floor, 20)
    return timing


async def answers(
    url: str,
    settings: Settings,
    *,
    n_questions: int,
    seed: int = 0,
    patience: str = "default",
    mode: str = "practice",
) -> list[TurnTiming]:
    """Sits the beginning of a spoken viva and times the replies to the answers."""
    from workbench.simulate.answers import AnswerBook
    from workbench.simulate.behaviours import behaviour

    studio = Studio(settings)
    candidate = Candidate(
        "Alex Morgan",
        behaviour("mixed"),
        AnswerBook(settings),
        studio,
        mode=mode,
        seed=seed,
        options={"patience": patience},
        max_questions=n_questions,
    )
    await candidate.prepare()
    await studio.close()
    record = await candidate.sit(url)
    if record.failure:
        raise RuntimeError(f"the simulated viva failed: {record.failure}")
    return record.timings


def timing_rows(timings: Sequence[TurnTiming]) -> list[dict[str, Any]]:
    """Timings as plain values, without the words."""
    return [
        {
            "voice_to_voice_ms": _rounded(t.voice_to_voice_ms),
            "first_sound_ms": _rounded(t.first_sound_ms),
            "patience_ms": t.patience_ms,
            "beyond_endpoint_ms": _rounded(t.beyond_endpoint_ms),
            "voice_end_late_ms": _rounded(t.voice_end_late_ms),
            "cut_off": t.cut_off,
            "latency": {k: v for k, v in (t.latency or {}).items() if k not in ("event_id", "type")},
        }
        for t in timings
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
