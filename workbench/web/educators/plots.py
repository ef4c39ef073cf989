"""Plots of the cohort page as SVG: matplotlib draws them, the page's own colours show them, in either theme.

Colours carry no meaning alone: series differ in shape and are named at the axes. Okabe and Ito's colours (2008) are
told apart with any kind of colour vision.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from workbench.statistics.core import fisher_interval, mean_interval
from workbench.store.cohort_statistics import Agreement, ItemStatistics
from workbench.web.educators.tables import counted

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
_INK, _SOFT, _PAPER = "#010203", "#040506", "#070809"
"""Stand-ins that are replaced by the page's colours in the finished SVG."""

_VARIABLES = {_INK: "var(--v-ink)", _SOFT: "var(--v-soft)", _PAPER: "var(--v-card)"}


def distribution(scores: Sequence[float], max_score: float) -> str:
    """Histogram of scores with their mean and its 95 % interval (Student's t)."""

    def draw(axes: Any) -> None:
        edges = np.linspace(0, max_score, 13)
        axes.hist(scores, bins=edges, color=BLUE, edgecolor=_PAPER, linewidth=1.5)
        mean, half = mean_interval(scores)
        top = axes.get_ylim()[1] * 1.12
        axes.set_ylim(0, max(1.3, top))
        axes.errorbar([mean], [axes.get_ylim()[1] * 0.94], xerr=None if half is None else [half], fmt="D", color=ORANGE,
                      capsize=5, markersize=7, linewidth=2)  # fmt: skip
        axes.set_xlim(0, max_score)
        axes.set_xticks(edges[::2])
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(f"Score, of {max_score:g}")
        axes.set_ylabel("Vivas")

    mean, half = mean_interval(scores)
    interval = "" if half is None else f", 95 % interval {max(0, mean - half):.0f} to {min(max_score, mean + half):.0f}"
    said = f"{len(scores)} vivas; mean {mean:.0f} of {max_score:g}{interval} (the diamond and its bar)."
    return _figure("Scores", said, draw, height=2.7)


def items(statistics: Sequence[ItemStatistics], labels: Mapping[str, str]) -> str:
    """Difficulty against discrimination, one labelled point a question, with 95 % intervals of discrimination."""
    known = [item for item in statistics if item.discrimination is not None]

    def draw(axes: Any) -> None:
        lows = []
        for item in known:
            assert item.discrimination is not None
            low, high = fisher_interval(item.discrimination, item.n)
            lows.append(low)
            axes.plot([item.difficulty] * 2, [low, high], color=_SOFT, linewidth=1.2, zorder=1)
        axes.scatter([item.difficulty for item in known], [item.discrimination for item in known], s=42, color=BLUE,
                     zorder=2)  # fmt: skip
        axes.axhline(0, color=_INK, linewidth=0.8)
        axes.axhline(0.2, color=ORANGE, linewidth=1.2, linestyle="--")
        axes.set_xlim(-0.03, 1.05)
        axes.set_ylim(min(-0.1, *lows) - 0.05, 1.12)
        axes.set_xlabel("Difficulty: mean share of the points (left is hard)")
        axes.set_ylabel("Discrimination")
        _label(axes, [(item.difficulty, item.discrimination or 0.0, labels[item.question_id]) for item in known])

    said = (
        "Numbers are those of the table below. Grey bars: 95 % intervals (Fisher z). Below the dashed line at 0.2 a"
        " question tells stronger from weaker candidates poorly."
    )
    return _figure("Questions: difficulty and discrimination", said, draw, height=3.6)


def _label(axes: Any, points: Sequence[tuple[float, float, str]]) -> None:
    """Writes a text beside each point, where it is farthest from the other points and from texts written before."""
    to_points = 72 / axes.figure.dpi
    at = [axes.transData.transform((x, y)) * to_points for x, y, _ in points]
    taken = [np.asarray(one) for one in at]
    around = [(9, 6), (9, -8), (-9, 6), (-9, -8), (0, 12), (0, -13), (16, 0), (-16, 0), (0, 22), (0, -23)]
    for (x, y, text), place in zip(points, at, strict=True):
        near = [
            min((float(np.hypot(*(place + shift - one))) for one in taken if one is not place), default=0.0)
            for shift in around
        ]
        # the nearest place with room for two figures, else the roomiest
        best = next((n for n, room in enumerate(near) if room > 12), int(np.argmax(near)))
        taken.append(place + around[best])
        axes.annotate(text, (x, y), xytext=around[best], textcoords="offset points", ha="center", va="center",
                      fontsize=9, color=_INK, zorder=3)  # fmt: skip


def agreement(found: Agreement) -> str:
    """Judge against human: share of equal verdicts and weighted kappa, with their intervals."""
    rows = [
        ("Weighted kappa\nof the points", found.kappa, found.kappa_interval, "s"),
        ("Same verdict", found.same_verdict, found.same_verdict_interval, "o"),
    ]

    def draw(axes: Any) -> None:
        for place, (_, value, interval, shape) in enumerate(rows):
            if value is None:
                continue
            if interval is not None:
                axes.plot(interval, [place, place], color=BLUE, linewidth=3, solid_capstyle="butt")
            axes.plot([value], [place], shape, color=ORANGE, markersize=9)
            axes.annotate(f"{value:.2f}", (value, place), xytext=(0, 10), textcoords="offset points", ha="center",
                          fontsize=10, color=_INK)  # fmt: skip
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.set_ylim(-0.6, len(rows) - 0.3)
        low = min([0.0, *(interval[0] for _, _, interval, _ in rows if interval is not None)])
        axes.set_xlim(max(-1.0, low - 0.02), 1.03)
        axes.set_xlabel("Agreement (1 is full agreement)")

    said = (
        f"{counted(found.n, 'mark')} that people gave or confirmed, of {counted(found.n_sessions, 'viva')};"
        " bars: 95 % intervals."
    )
    return _figure("Judge against human", said, draw, height=2.2)


def time_used(minutes: Sequence[float], by_question: Mapping[int, Sequence[float]]) -> str:
    """Seconds a question took, by its place in the viva: every answer, and the median with its quartiles."""

    def draw(axes: Any) -> None:
        for number, seconds in sorted(by_question.items()):
            spread = np.linspace(-0.16, 0.16, len(seconds)) if len(seconds) > 1 else [0.0]
            axes.plot(number + np.asarray(spread), seconds, "o", color=_SOFT, markersize=4, zorder=1)
            low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
            axes.plot([number, number], [low, high], color=BLUE, linewidth=3, solid_capstyle="butt", zorder=2)
            axes.plot([number], [middle], "D", color=ORANGE, markersize=6, zorder=3)
        axes.set_xticks(sorted(by_question))
        axes.set_ylim(0, max(10.0, axes.get_ylim()[1]))
        axes.set_xlabel("Question, by its place in the viva")
        axes.set_ylabel("Seconds")

    whole = f"A viva took {np.median(minutes):.0f} min (median of {len(minutes)}). " if minutes else ""
    return _figure("Time used", f"{whole}Diamonds: medians; bars: the middle half; dots: answers.", draw, height=2.7)


def _figure(title: str, said: str, draw: Callable[[Any], None], *, height: float) -> str:
    """One plot as a figure of the page; its text stays text, so that it can be read aloud, searched and enlarged."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif", "font.size": 11}):
        figure = Figure(figsize=(5.6, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        draw(axes)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(_INK)
        axes.tick_params(colors=_INK)
        axes.xaxis.label.set_color(_INK)
        axes.yaxis.label.set_color(_INK)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title, quote=True)}" ', 1)
    return f'<figure class="e-figure"><h3>{escape(title)}</h3>{svg}<figcaption>{escape(said)}</figcaption></figure>'
