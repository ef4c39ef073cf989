"""A picture of where the time of every turn went, from a latency bench's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STAGES: tuple[tuple[str, str, str], ...] = (
    ("asr_ms", "words recognised", "#0072B2"),
    ("judge_ms", "answer judged", "#CC79A7"),
    ("llm_sentence_ms", "first clause written", "#E69F00"),
    ("tts_first_ms", "first sound made", "#009E73"),
    ("endpoint_ms", "waiting for the end of the turn", "#BBBBBB"),
    ("sent_ms", "handed over", "#D55E00"),
    ("first_sound_ms", "network and loudspeaker", "#56B4E9"),
    ("voice_to_voice_ms", "words not made for the answer", "#F0E442"),
)
"""Milestone, its label, its colour (Okabe and Ito 2008, told apart by colour-blind readers too)."""


def segments(turn: dict[str, Any]) -> list[tuple[str, float, float]]:
    """The stretches (label, start_ms, length_ms) of one turn, in the order in which its milestones were reached.

    A stage that worked inside the silence the turn rule waits for anyway ends before that silence does; so the stages
    are sorted by when they were done, and each stretch runs from the milestone before it to its own.
    """
    # the server counts from where it heard the voice end, the client from where it ended
    late = turn.get("voice_end_late_ms") or 0.0
    reached = {key: None if (at := turn["latency"].get(key)) is None else at + late for key, _, _ in STAGES[:-2]}
    reached |= {key: turn.get(key) for key in ("first_sound_ms", "voice_to_voice_ms")}
    names = {key: label for key, label, _ in STAGES}
    order = {key: place for place, (key, _, _) in enumerate(STAGES)}
    done = sorted((float(at), order[key], key) for key, at in reached.items() if at is not None)
    found, before = [], 0.0
    for at, _, key in done:
        if at > before:
            found.append((names[key], before, at - before))
            before = at
    return found


def draw(report: dict[str, Any], path: Path) -> None:
    """Draws the turns of a latency report, `talk` above, the exam below, and writes the picture (format by suffix)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parts = [("conversation", report["turns"]), ("exam answers", report.get("exam", {}).get("turns", []))]
    parts = [(title, [t for t in turns if t["voice_to_voice_ms"] is not None]) for title, turns in parts]
    parts = [(title, turns) for title, turns in parts if turns]
    if not parts:
        raise ValueError("the report holds no turn with a reply; nothing to draw")
    heights = [max(1.6, 0.16 * len(turns) + 0.8) for _, turns in parts]
    figure, axes = plt.subplots(
        len(parts), 1, figsize=(9, sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    colours = {label: colour for _, label, colour in STAGES}
    used: set[str] = set()
    for axis, (title, turns) in zip(axes[:, 0], parts, strict=True):
        turns = sorted(turns, key=lambda turn: turn["voice_to_voice_ms"])
        for row, turn in enumerate(turns):
            for label, start, length in segments(turn):
                used.add(label)
                axis.barh(row, length, left=start, color=colours[label], height=0.8)
            axis.plot([turn["patience_ms"]] * 2, [row - 0.45, row + 0.45], color="black", linewidth=1.2)
        axis.set_yticks([])
        axis.set_ylabel(f"{title}\n({len(turns)} turns)")
        axis.set_xlim(left=0)
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[-1, 0].set_xlabel("milliseconds after the last voiced sample (black: the silence the turn rule asked for)")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for _, label, colour in STAGES if label in used]
    labels = [label for _, label, _ in STAGES if label in used]
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
