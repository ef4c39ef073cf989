"""A recording of any length as windows Whisper can take, and the windows' words as one text again. Pure functions.

Cuts are made in pauses where there are pauses. They depend on the sound before the cut only, so that the windows of a
recording that is still growing stay what they are, and their text can be kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import SAMPLE_RATE_HZ, Samples, Word

EARLIEST_CUT_S, LATEST_CUT_S = 8.0, 16.0
"""A window ends in the quietest place between these. Whisper takes 30 s, but the last window is waited for."""

OVERLAP_S = 3.0
"""Sound two windows share when there was no pause to cut in; holds at least one word that both hear in full."""

PAUSES_S = (0.5, 0.24)
"""Lengths of the quiet stretch a cut is made in, the better one first; stops inside words are shorter."""

PAUSE_DROP_DB = 12.0
"""How much quieter than the speech around it a pause is."""

SAME_WORD_S = 0.8
"""Two windows' times of one word differ by less."""

_HOP = 320


@dataclass(frozen=True)
class Window:
    """Samples `start` to `end` of a recording; `overlaps` when its beginning is also the end of the one before."""

    start: int
    end: int
    overlaps: bool = False


def cut(samples: Samples) -> list[Window]:
    """Windows that cover all of (n_samples,) 16 kHz audio, the last one of any length up to `LATEST_CUT_S`."""
    windows: list[Window] = []
    start, overlaps = 0, False
    longest = int(LATEST_CUT_S * SAMPLE_RATE_HZ)
    while len(samples) - start > longest:
        pause = _pause(samples[start : start + longest])
        end = start + (longest if pause is None else pause)
        windows.append(Window(start, end, overlaps))
        overlaps = pause is None
        start = end - int(OVERLAP_S * SAMPLE_RATE_HZ) if overlaps else end
    windows.append(Window(start, len(samples), overlaps))
    return windows


def levels_db(samples: Samples) -> NDArray[np.float64]:
    """Level of each 20 ms of (n_samples,) audio, decibels below full scale; a rest shorter than that is left out."""
    frames = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP).astype(np.float64)
    return 10 * np.log10((frames**2).mean(axis=1) + 1e-12)


def _pause(samples: Samples) -> int | None:
    """Middle of the quietest stretch late in the window, in samples; None when it is not quiet enough."""
    levels = levels_db(samples)
    quiet_enough = np.percentile(levels, 90) - PAUSE_DROP_DB
    first = round(EARLIEST_CUT_S * SAMPLE_RATE_HZ / _HOP)
    for pause_s in PAUSES_S:
        width = round(pause_s * SAMPLE_RATE_HZ / _HOP)
        loudest = np.lib.stride_tricks.sliding_window_view(levels, width).max(axis=1)
        best = first + int(np.argmin(loudest[first:]))
        if loudest[best] <= quiet_enough:
            return (best + width // 2) * _HOP
    return None


def plain(word: str) -> str:
    """A word as it is compared: lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", word.lower())


def stitch(left: Sequence[Word], right: Sequence[Word], from_s: float, to_s: float) -> list[Word]:
    """One list of words from two windows that both heard `from_s` to `to_s`.

    The seam is put in the middle of the longest run of words both windows agree on, in spelling and in time; words cut
    at a window's edge lie outside it. Where they agree on nothing, it is put in the middle of the shared sound.

    Args:
        left: Words of the earlier window, seconds from the start of the recording.
        right: Words of the later one, on the same clock.
        from_s: Where the later window begins.
        to_s: Where the earlier one ends.
    """
    if not left or not right:  # one of them heard nothing at all: what the other heard stands
        return [*left, *right]
    a = [i for i, word in enumerate(left) if word.end_s > from_s]
    b = [j for j, word in enumerate(right) if word.start_s < to_s]
    matcher = SequenceMatcher(None, [plain(left[i].text) for i in a], [plain(right[j].text) for j in b], autojunk=False)
    agreed: list[tuple[int, int, int]] = []
    for block in matcher.get_matching_blocks():
        run = 0
        for k in range(block.size + 1):
            same = k < block.size and _at_once(left[a[block.a + k]], right[b[block.b + k]])
            if same:
                run += 1
            elif run:
                agreed.append((run, a[block.a + k - run], b[block.b + k - run]))
                run = 0
    if agreed:
        size, i, j = max(agreed)
        keep = (size + 1) // 2
        return [*left[: i + keep], *right[j + keep :]]
    middle = (from_s + to_s) / 2
    return [
        *(word for word in left if (word.start_s + word.end_s) / 2 < middle),
        *(word for word in right if (word.start_s + word.end_s) / 2 >= middle),
    ]


def _at_once(one: Word, other: Word) -> bool:
    middle, other_middle = (one.start_s + one.end_s) / 2, (other.start_s + other.end_s) / 2
    return bool(plain(one.text)) and abs(middle - other_middle) < SAME_WORD_S
