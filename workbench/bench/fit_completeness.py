"""Makes the weights in `workbench.realtime.completeness`: `python -m workbench.bench.fit_completeness`.

Two logistic regressions, one on top of the other, so that few recordings suffice:

1. *Words.* Sentences (this bench's fitting texts, the question banks, and, where the corpora are, the SAF training
   answers, MIT) are broken off after every word; the features of the words tell whole ones from broken ones. Breaks are
   weighted to the mix of pauses in `turn_corpus.MIX`.
2. *Sound.* The fitting answers, in voices, noises and rooms that the bench does not use, are heard by the real engines;
   the words' score, the end-of-turn model and the punctuation tell last pauses from inner ones.

The result is scaled so that all but `SLOW_SHARE` of the finished answers reach `QUICK`, the completeness at which the
default patience waits 0.7 s, about 0.85 s from the last voiced sample to the decision. Nothing held out
(`turn_texts.HELD_OUT`) is looked at.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.bench.turn_corpus import (
    FITTING_MANNERS,
    MIX,
    Answer,
    conditions,
    cut_open,
    kind_of,
    make_answers,
    renamed,
)
from workbench.bench.turn_replay import Recording
from workbench.bench.turn_texts import FITTING, SHORT
from workbench.realtime.completeness import WORD_FEATURES, features
from workbench.settings import Settings, get_settings

SOUND_FEATURES = ("sound", "trails_off", "full_stop")
SLOW_SHARE = 0.05
QUICK = 0.9
STEEPNESS = 5.0
"""Slope of the final curve, in units of the second regression: 0.6 below `QUICK` little completeness is left."""

FITTING_SEED = 10
REPEATS = {"fitting": 4, "bank": 2, "saf": 1}
"""How often each source counts in the first regression: spoken answers matter more than written ones."""

Matrix = NDArray[np.float64]


def logistic(x: Matrix, y: Matrix, weight: Matrix, ridge: float) -> Matrix:
    """Weights (n_features,) of a ridge logistic regression, by Newton's method; the first column is not penalised."""
    weight = weight / weight.sum()
    penalty = np.full(x.shape[1], 2.0 * ridge)
    penalty[0] = 1e-9
    found = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1.0 / (1.0 + np.exp(-x @ found))
        gradient = x.T @ (weight * (p - y)) + penalty * found
        hessian = (x * (weight * p * (1.0 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        found -= step
        if np.abs(step).max() < 1e-9:
            break
    return found


def sentences(settings: Settings, bank_dir: Path) -> list[str]:
    """Sentences of four words or more, repeated as `REPEATS` says."""
    import yaml

    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [text for item in inner for text in texts(item)]

    def split(found: Sequence[str]) -> list[str]:
        parts = [part for text in found for part in re.split(r"(?<=[.?!])\s+", text.strip())]
        return [part for part in parts if len(part.split()) >= 4 and part.endswith((".", "?", "!"))]

    bank = [
        text for path in sorted(bank_dir.rglob("*.yaml")) for text in texts(yaml.safe_load(path.read_text("utf-8")))
    ]
    made = split(FITTING) * REPEATS["fitting"] + split(bank) * REPEATS["bank"]
    saf = settings.shared_dir / "datasets" / "saf" / "train.jsonl" if settings.shared_dir else None
    if saf is not None and saf.is_file():
        rows = [json.loads(line)["answer"] for line in saf.read_text("utf-8").splitlines()]
        made += split(rows) * REPEATS["saf"]
    return made


def fit_words(found: Sequence[str]) -> dict[str, float]:
    """The first regression: weight of each of `WORD_FEATURES`."""
    rows: list[list[float]] = []
    kinds: list[str] = []
    for sentence in found:
        words = sentence.split()
        for stop in range(2, len(words) + 1):
            kind = "final" if stop == len(words) else kind_of(words[stop - 1], words[stop])
            if stop == len(words) - 1 or kind == "sentence":
                continue
            seen = features(" ".join(words[:stop]).rstrip(".,;?!"), 0.5)
            rows.append([1.0, *(seen.get(name, 0.0) for name in WORD_FEATURES)])
            kinds.append(kind)
    counts = Counter(kinds)
    share: dict[str, float] = {"final": 0.5}
    share.update((kind, 0.5 * part) for kind, part in MIX.items())
    weight = np.array([share[kind] / counts[kind] for kind in kinds])
    final = np.array([float(kind == "final") for kind in kinds])
    return dict(zip(WORD_FEATURES, logistic(np.array(rows), final, weight, 1e-4)[1:], strict=True))


async def record(settings: Settings) -> list[Recording]:
    """The fitting answers and short replies as the real engines hear them, two conditions each."""
    from workbench.bench.turns import engines

    ears, voice = engines(settings, FITTING_SEED)
    answers: list[Answer] = list(make_answers(voice, FITTING, FITTING_MANNERS, FITTING_SEED))
    for index, (text, expects) in enumerate(SHORT):
        spoken = voice.speak(text, FITTING_MANNERS[index % len(FITTING_MANNERS)])
        answers.append(renamed(cut_open(spoken.samples, [], [], "", text), f"short-{index}", expects))
    places = conditions(None, fitting=True)
    made: list[Recording] = []
    for index, answer in enumerate(answers):
        for number in sorted({index % len(places), (index // 2 + 3) % len(places)}):
            seed = zlib.crc32(f"{answer.name}{places[number].name}".encode())
            made.append(await ears.record(answer, places[number], seed))
        print(f"{index + 1}/{len(answers)} heard", flush=True)
    return made


def fit_sound(recordings: Sequence[Recording], words: dict[str, float]) -> dict[str, float]:
    """The second regression, joined with the first and scaled: the weights of `completeness`."""
    rows: list[list[float]] = []
    finals: list[float] = []
    for recording in recordings:
        for pause in recording.pauses:
            if not pause.text.strip():
                continue
            seen = features(pause.text, pause.end_of_turn)
            said = sum(words.get(name, 0.0) * value for name, value in seen.items())
            rows.append([1.0, said, *(seen.get(name, 0.0) for name in SOUND_FEATURES)])
            finals.append(float(pause.end > recording.answer.last_voiced - 3200))
    x, final = np.array(rows), np.array(finals)
    weight = np.where(final == 1, 0.5 / final.sum(), 0.5 / (1 - final).sum())
    found = logistic(x, final, weight, 1e-3)
    slow = float(np.percentile((x @ found)[final == 1], 100 * SLOW_SHARE))
    shift = float(np.log(QUICK / (1 - QUICK))) - STEEPNESS * slow
    joined = {name: STEEPNESS * float(found[1]) * value for name, value in words.items()}
    joined |= {name: STEEPNESS * float(value) for name, value in zip(SOUND_FEATURES, found[2:], strict=True)}
    joined["bias"] = STEEPNESS * float(found[0]) + shift
    return {name: round(value, 2) for name, value in joined.items()}


def main() -> None:
    """Prints the weights as they stand in `completeness.py`."""
    settings = get_settings()
    words = fit_words(sentences(settings, Path(__file__).parents[2] / "data" / "banks"))
    weights = fit_sound(asyncio.run(record(settings)), words)
    print("\n".join(f'    "{name}": {value},' for name, value in weights.items()))


if __name__ == "__main__":
    main()
