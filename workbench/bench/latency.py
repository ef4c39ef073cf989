"""`viva bench latency`: from the last voiced sample said to the first audible sample of words made for it.

Measured at the client, with the client's own clock at both ends. The first end is the clip's own last voiced sample at
the moment it was captured (5 ms windows above -45 dBFS), the other the moment the virtual loudspeaker plays the first
audible window of a line made for this answer; canned lines before it do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workbench.bench.driver import answers, talk, timing_rows, utterances
from workbench.bench.report import rate, summary
from workbench.settings import Settings
from workbench.simulate.timing import TurnTiming


async def measure(
    url: str,
    settings: Settings,
    *,
    turns: int = 40,
    exam_questions: int = 6,
    patience: str = "default",
    seed: int = 0,
    on_turn: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Measures `talk` turns and the answers of a `practice` viva.

    Returns:
        `voice_to_voice_ms` and `beyond_endpoint_ms` of `talk`, the same below `exam`, rates, and every turn.
    """
    said = await utterances(settings, turns, seed)
    talked = await talk(url, said, settings, seed=seed, patience=patience, on_turn=on_turn)
    examined: Sequence[TurnTiming] = []
    if exam_questions:
        examined = await answers(url, settings, n_questions=exam_questions, seed=seed, patience=patience)
    sources = [utterance.source for utterance in said]
    return {
        **_figures(talked),
        "exam": {**_figures(examined), "turns": timing_rows(examined)},
        "by_source": {
            source: _figures([t for t, s in zip(talked, sources, strict=True) if s == source])
            for source in sorted(set(sources))
        },
        "turns": timing_rows(talked),
    }


def _figures(timings: Sequence[TurnTiming]) -> dict[str, Any]:
    # a turn cut off has no honest waiting time: the reply began before the answer had ended
    whole = [t for t in timings if not t.cut_off]
    return {
        "voice_to_voice_ms": summary([t.voice_to_voice_ms for t in whole]),
        "beyond_endpoint_ms": summary([t.beyond_endpoint_ms for t in whole]),
        "first_sound_ms": summary([t.first_sound_ms for t in whole]),
        "voice_end_late_ms": summary([t.voice_end_late_ms for t in whole]),
        "patience_ms": summary([t.patience_ms for t in whole]),
        "cut_off_rate": rate(sum(t.cut_off for t in timings), len(timings)),
        "no_reply_rate": rate(sum(t.response_id is None for t in timings), len(timings)),
        "canned_rate": rate(
            sum(t.response_id is not None and t.voice_to_voice_ms is None for t in timings), len(timings)
        ),
    }
