"""`viva bench turns`: how often a candidate who thinks is cut off, and how long one who has finished waits.

Answers with pauses of 0.3 to 2 s inside (`workbench.bench.turn_corpus`) are heard clean, in noise and in rooms by the
real engines, and decided on by the real turn rule. A *cut-off* is a turn that ended before its answer did. The rule is
the one of an exam answer; free conversation, which is quicker and cuts more, stands beside it.

Read the headline with the curve. Between two clauses of an answer neither words nor sound tell that more will come, so
that the rate is bought with silence almost second for second; the default patience waits as long as the longest pause
made here, and a candidate who thinks longer in mid-answer is cut off.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from workbench import models
from workbench.bench import turn_bargein
from workbench.bench.report import rate, summary
from workbench.bench.turn_corpus import (
    HELD_OUT_MANNERS,
    MIX,
    PAUSE_S,
    AligningVoice,
    Answer,
    Condition,
    conditions,
    cut_open,
    make_answers,
    quietest,
)
from workbench.bench.turn_replay import SOUND_DELAY_S, WORDS_DELAY_S, Ears, Ending, Recording, decide
from workbench.bench.turn_texts import HELD_OUT, SENTENCE_PAIRS
from workbench.engines import registry
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError
from workbench.realtime.turns import Patience
from workbench.settings import Settings
from workbench.simulate.candidate import TALK
from workbench.simulate.sound import at_speech_level, read_wav
from workbench.simulate.voices import speech_dir

Progress = Callable[[int, int], None]

LENGTH_BINS_S = ((0.3, 0.6), (0.6, 1.0), (1.0, 1.5), (1.5, 2.0))
CURVE_S = (0.5, 0.85, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5)
QUICK_S = 0.85
"""Wait within which a reply is still heard in under a second."""

OTHERS_PER_ANSWER = 3
"""Conditions each answer is heard in besides the clean one; they take turns."""


async def measure(
    settings: Settings, *, n: int = len(HELD_OUT), seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Measures cut-offs and waits.

    Args:
        settings: Say which engines, which patience, and where the weights and the corpora are.
        n: Answers, at most as many as there are texts.
        seed: Seed of pauses, noise and the voice.
        progress: Told how many recordings of how many are made.

    Returns:
        `false_cutoff_rate` and `n` (answers heard, each condition counted), the rates by condition, kind and length of
        pause, `finished_*` waits in milliseconds, `talk`, `curve`, `recorded`, `between_sentences`, `errors`, and
        `bargein`.

    Raises:
        EngineError: An engine's weights are missing.
    """
    ears, voice = engines(settings, seed)
    places = conditions(speech_dir(settings))
    answers = make_answers(voice, HELD_OUT[:n], HELD_OUT_MANNERS, seed)
    talk = [_plain(voice, text, index) for index, text in enumerate(TALK)]
    recorded = await _recorded(settings, ears)
    between = make_answers(voice, SENTENCE_PAIRS, HELD_OUT_MANNERS, seed, mix={"sentence": 1.0}, hesitations=False)
    jobs = [
        *(("answers", a, c) for i, a in enumerate(answers) for c in _some(places, i)),
        *(("talk", a, c) for i, a in enumerate(talk) for c in (places[0], places[1 + i % (len(places) - 1)])),
        *(("recorded", a, places[0]) for a in recorded),
        *(("between", a, places[0]) for a in between),
    ]
    heard: dict[str, list[Recording]] = {"answers": [], "talk": [], "recorded": [], "between": []}
    for index, (group, answer, place) in enumerate(jobs):
        heard[group].append(await ears.record(answer, place, zlib.crc32(f"{seed} {answer.name} {place.name}".encode())))
        if progress is not None:
            progress(index + 1, len(jobs))
    patience = Patience.preset(settings.patience)
    result = _figures(heard["answers"], patience)
    result["talk"] = _talk(heard["talk"], heard["answers"], patience)
    result["curve"] = _curve(heard["answers"], patience)
    result["recorded"] = _recorded_figures(heard["recorded"], patience)
    ends = [decide(r, patience, "answer") for r in heard["between"]]
    result["between_sentences"] = {"n": len(ends), "cut_off_rate": rate(sum(e.cut_off for e in ends), len(ends))}
    result["bargein"] = await turn_bargein.measure(ears, voice, settings, seed=seed)
    result["method"] = {
        "pause_s": PAUSE_S,
        "mix_drawn": MIX,
        "mix_made": dict(Counter(p.kind for a in answers for p in a.pauses)),
        "delays_s": {"words": WORDS_DELAY_S, "sound": SOUND_DELAY_S},
        "patience": {
            "finished_s": patience.finished_s,
            "unfinished_s": patience.unfinished_s,
            "answer_s": patience.answer_s,
        },
    }
    return result


def engines(settings: Settings, seed: int) -> tuple[Ears, AligningVoice]:
    """The engines that hear, and the voice that speaks."""
    chosen = registry.effective(settings)
    try:
        piper = models.find("piper-joe", settings.models_dir)
    except models.ModelError as error:
        raise EngineError("piper", str(error)) from error
    ears = Ears(
        registry.create("vad", chosen.vad, chosen),
        registry.create("asr", chosen.asr, chosen),
        registry.create("end_of_turn", "smart-turn", chosen),
    )
    return ears, AligningVoice(piper / "en_US-joe-medium.onnx", seed)


def _some(places: Sequence[Condition], index: int) -> list[Condition]:
    others = places[1:]
    return [places[0], *(others[(index + 2 * k) % len(others)] for k in range(min(OTHERS_PER_ANSWER, len(others))))]


def _plain(voice: AligningVoice, text: str, index: int) -> Answer:
    spoken = voice.speak(text, HELD_OUT_MANNERS[index % len(HELD_OUT_MANNERS)])
    return replace(cut_open(spoken.samples, [], [], f"talk-{index:02d}", text), expects="anything")


async def _recorded(settings: Settings, ears: Ears) -> list[Answer]:
    """Recorded sentences, each whole and once more with a pause of 1 s put in near its middle."""
    directory = speech_dir(settings)
    made: list[Answer] = []
    for path in sorted((directory / "answers").glob("*.wav")) if directory else []:
        sound = at_speech_level(read_wav(path))
        made.append(cut_open(sound, [], [], f"{path.stem} whole", ""))
        words = (await ears.transcriber.transcribe(sound, with_words=True)).words
        if len(words) < 4:
            continue
        here = words[len(words) // 2]
        cut = quietest(sound, int(here.end_s * SAMPLE_RATE_HZ))
        made.append(cut_open(sound, [(cut, "phrase", here.text)], [1.0], f"{path.stem} split", ""))
    return made


# ---- figures -----------------------------------------------------------------------------------------------------


def _figures(recordings: Sequence[Recording], patience: Patience) -> dict[str, Any]:
    endings = [(r, decide(r, patience, "answer")) for r in recordings]
    pauses = [(p, r, e) for r, e in endings for p in r.answer.pauses if _reached(p.start, e)]
    errors = [
        {
            "answer": r.answer.name,
            "condition": r.condition,
            "kind": pause.kind,
            "silence_s": round(e.heard.silence_s, 2) if e.heard and e.heard.silence_s else None,
            "needed_s": round(e.at.needed_s, 2) if e.at else None,
            "recognised": e.heard.text[-60:] if e.heard else "",
            "end_of_turn": round(e.heard.end_of_turn, 3) if e.heard else None,
        }
        for pause, r, e in pauses
        if _ended_in(pause.start, pause.end, e)
    ]
    return {
        "false_cutoff_rate": rate(sum(e.cut_off for _, e in endings), len(endings)),
        "n": len(endings),
        "n_pauses": len(pauses),
        "false_cutoff_per_pause": rate(sum(_ended_in(p.start, p.end, e) for p, _, e in pauses), len(pauses)),
        "never_ended": sum(e.at is None for _, e in endings),
        "by_condition": _split((r.condition, e.cut_off) for r, e in endings),
        "by_kind": _split((p.kind, _ended_in(p.start, p.end, e)) for p, _, e in pauses),
        "by_length_s": _split((_bin(p.length_s), _ended_in(p.start, p.end, e)) for p, _, e in pauses),
        **_waits([e for _, e in endings]),
        "errors": errors,
    }


def _reached(start: int, ending: Ending) -> bool:
    return ending.at is None or ending.at.end_sample >= start - int(0.25 * SAMPLE_RATE_HZ)


def _ended_in(start: int, end: int, ending: Ending) -> bool:
    """Whether the turn was cut off in the pause between these samples; a room's tail may reach into it."""
    margin = int(0.25 * SAMPLE_RATE_HZ)
    return ending.cut_off and ending.at is not None and start - margin <= ending.at.end_sample < end


def _bin(length_s: float) -> str:
    low, high = next((b for b in LENGTH_BINS_S if length_s < b[1]), LENGTH_BINS_S[-1])
    return f"{low}-{high}"


def _split(pairs: Iterable[tuple[str, bool]]) -> dict[str, dict[str, Any]]:
    found: dict[str, list[bool]] = {}
    for name, hit in pairs:
        found.setdefault(name, []).append(hit)
    return {name: {"rate": rate(sum(hits), len(hits)), "n": len(hits)} for name, hits in sorted(found.items())}


def _waits(endings: Sequence[Ending]) -> dict[str, Any]:
    done = [e for e in endings if e.wait_s is not None and e.at is not None]
    return {
        "finished_needed_ms": summary([e.at.needed_s * 1000 for e in done if e.at is not None]),
        "finished_endpoint_ms": summary([e.wait_s * 1000 for e in done if e.wait_s is not None]),
    }


def _talk(talk: Sequence[Recording], answers: Sequence[Recording], patience: Patience) -> dict[str, Any]:
    """Free conversation: how quickly finished remarks end, and what the same rule would do to exam answers."""
    endings = [decide(r, patience, "anything") for r in talk]
    on_answers = [decide(r, patience, "anything") for r in answers]
    waits = [e.wait_s for e in endings if e.wait_s is not None]
    return {
        "n": len(endings),
        "cut_off_rate": rate(sum(e.cut_off for e in endings), len(endings)),
        "quick_rate": rate(sum(wait <= QUICK_S for wait in waits), len(waits)),
        **_waits(endings),
        "rate_on_exam_answers": rate(sum(e.cut_off for e in on_answers), len(on_answers)),
    }


def _curve(recordings: Sequence[Recording], patience: Patience) -> list[dict[str, Any]]:
    """What each silence after a finished-sounding sentence of an answer costs, either way."""
    points = []
    for answer_s in CURVE_S:
        if not patience.finished_s <= answer_s <= patience.unfinished_s:
            continue
        endings = [decide(r, replace(patience, answer_s=answer_s), "answer") for r in recordings]
        waits = summary([e.wait_s * 1000 for e in endings if e.wait_s is not None])
        points.append(
            {
                "answer_s": answer_s,
                "false_cutoff_rate": rate(sum(e.cut_off for e in endings), len(endings)),
                "wait_p50_ms": waits["p50"],
                "wait_p95_ms": waits["p95"],
            }
        )
    return points


def _recorded_figures(recordings: Sequence[Recording], patience: Patience) -> dict[str, Any]:
    """Recorded people: finished sentences as talk, the same sentences split as answers."""
    whole = [decide(r, patience, "anything") for r in recordings if r.answer.name.endswith("whole")]
    split = [decide(r, patience, "answer") for r in recordings if r.answer.name.endswith("split")]
    waits = [e.wait_s for e in whole if e.wait_s is not None]
    return {
        "n_whole": len(whole),
        "quick_rate": rate(sum(wait <= QUICK_S for wait in waits), len(whole)),
        **_waits(whole),
        "n_split": len(split),
        "false_cutoff_rate": rate(sum(e.cut_off for e in split), len(split)),
    }
