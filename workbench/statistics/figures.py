"""Figures one would print: each function draws on the Axes it is given and labels them with units.

Okabe and Ito's colours (2008) are told apart with any kind of colour vision, and no colour carries meaning alone:
series differ in shape too. What is estimated is drawn with its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.statistics.tables import present, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
SOFT = "#6B6B6B"
SERIES = ((BLUE, "o"), (VERMILION, "D"), (GREEN, "s"), (ORANGE, "^"), (PURPLE, "v"), (BLACK, "x"))

STYLE: dict[str, Any] = {
    "figure.figsize": (6.4, 3.8),
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
"""For `matplotlib.rc_context(STYLE)` or `matplotlib.rcParams.update(STYLE)`."""


def intervals(
    axes: Axes,
    table: pd.DataFrame,
    *,
    label: str,
    value: str = "value",
    low: str = "low",
    high: str = "high",
    unit: str,
    reference: float | None = None,
    highlight: Sequence[Any] = (),
) -> Axes:
    """Estimates with their intervals, one a line, the first row on top.

    Args:
        axes: Where to draw.
        table: One row an estimate.
        label: Column that names the rows.
        value: Column of the estimates.
        low: Column of the lower ends; missing ends draw no bar.
        high: Column of the upper ends.
        unit: What the axis shows, with its unit.
        reference: A line to compare with (0 for differences).
        highlight: Labels drawn as a diamond in vermilion.
    """
    require(table, [label, value, low, high], "estimates with intervals")
    places = np.arange(len(table))[::-1]
    for place, row in zip(places, table.to_dict("records"), strict=True):
        marked = row[label] in highlight
        colour, marker = (VERMILION, "D") if marked else (BLUE, "o")
        if not (pd.isna(row[low]) or pd.isna(row[high])):
            axes.plot([row[low], row[high]], [place, place], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
        axes.plot([row[value]], [place], marker, color=colour, markersize=6, zorder=3)
    axes.set_yticks(places, [str(name) for name in table[label]])
    axes.set_ylim(-0.7, len(table) - 0.3)
    if reference is not None:
        axes.axvline(reference, color=SOFT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel(f"{unit} (bars: 95% intervals)")
    axes.grid(axis="x", color="#E2E2E2", linewidth=0.8)
    return axes


def wright_map(persons_axes: Axes, items_axes: Axes, fit: Any, *, n_named: int = 14) -> None:
    """Candidates and items on one scale (Wright and Masters 1982): abilities as bars, items with their intervals.

    Args:
        persons_axes: Left half, for the candidates.
        items_axes: Right half, sharing its y axis; see `matplotlib.pyplot.subplots(1, 2, sharey=True)`.
        fit: A `workbench.statistics.rasch.RaschFit`.
        n_named: Items that are named, from both ends of the scale and between; all are drawn.
    """
    abilities, items = fit.persons["ability"], fit.items.sort_values("location", ignore_index=True)
    if not len(items):
        for axes in (persons_axes, items_axes):
            axes.text(0.5, 0.5, "too few answers", ha="center", va="center", transform=axes.transAxes, color=SOFT)
        return
    ends = np.array([abilities.min(), abilities.max(), items["location"].min(), items["location"].max()])
    bins = np.arange(np.floor(2 * ends.min()) / 2, np.ceil(2 * ends.max()) / 2 + 0.25, 0.5)
    persons_axes.hist(abilities, bins=bins.tolist(), orientation="horizontal", color=SKY, edgecolor="white")
    persons_axes.invert_xaxis()
    persons_axes.set_xlabel("Candidates")
    persons_axes.set_ylabel("Ability and difficulty, logits")
    places = np.arange(len(items))
    for place, row in items.iterrows():
        if not pd.isna(row["se"]):
            items_axes.plot([place, place], [row["low"], row["high"]], color=SOFT, linewidth=1, zorder=1)
    known = items["estimable"].astype(bool)
    items_axes.plot(
        places[known], items.loc[known, "location"], "o", color=BLUE, markersize=5, label="item, 95% interval"
    )
    if (~known).any():
        items_axes.plot(
            places[~known], items.loc[~known, "location"], "^", color=VERMILION, markersize=5,
            label="a verdict nobody reached",
        )  # fmt: skip
    named = np.unique(np.linspace(0, len(items) - 1, min(n_named, len(items))).round().astype(int))
    items_axes.set_xticks(named, items.loc[named, "item"].astype(str), rotation=60, ha="right", fontsize=8)
    items_axes.set_xlabel(
        "Questions, from the easiest" + ("" if len(named) == len(items) else f" ({len(named)} named)")
    )
    spread = np.array([bins[0], bins[-1]])
    items_axes.set_ylim(spread[0] - 0.75, spread[1] + 0.75)
    items_axes.grid(axis="y", color="#E2E2E2", linewidth=0.8)
    items_axes.legend(loc="upper left")


def item_curves(axes: Axes, fit: Any, items: Sequence[Any], *, scores: pd.DataFrame | None = None) -> Axes:
    """Expected score of some items by ability, with the observed means of ability groups if the scores are given.

    Args:
        axes: Where to draw.
        fit: A `RaschFit`.
        items: Names of at most six items.
        scores: The table the model was fitted to.
    """
    if len(items) > len(SERIES):
        raise ValueError(f"{len(items)} curves: {len(SERIES)} can be told apart; choose fewer items")
    ability = np.linspace(-4, 4, 161)
    by_person = fit.persons.set_index("person")["ability"]
    for (colour, marker), name in zip(SERIES, items, strict=False):
        rows = fit.items[fit.items["item"] == name]
        if not len(rows):
            raise ValueError(f"no item {name!r} in the fit")
        steps = np.array(rows.iloc[0]["steps"])
        sums = np.concatenate([np.zeros((1, 161)), np.cumsum(ability[None, :] - steps[:, None], axis=0)])
        shares = np.exp(sums - sums.max(axis=0))
        expected = (np.arange(len(steps) + 1)[:, None] * shares).sum(axis=0) / shares.sum(axis=0) / len(steps)
        axes.plot(ability, expected, color=colour, label=str(name))
        if scores is not None:
            own = scores[name].dropna()
            place = by_person.reindex(own.index)
            cut = pd.qcut(place.rank(method="first"), min(4, len(own)), labels=False)
            own = own - scores[name].min()
            for _, group in own.groupby(cut.to_numpy()):
                at, mean = place[group.index].mean(), group.mean() / len(steps)
                error = group.std(ddof=1) / len(steps) / np.sqrt(len(group)) if len(group) > 1 else np.nan
                axes.errorbar([at], [mean], yerr=[1.96 * error], fmt=marker, color=colour, markersize=5, capsize=2)
    axes.set_xlabel("Ability, logits")
    axes.set_ylabel("Expected share of the score")
    axes.set_ylim(-0.03, 1.03)
    axes.grid(color="#E2E2E2", linewidth=0.8)
    axes.legend(loc="lower right", title=None if scores is None else "curve: model; mark: observed, 95%")
    return axes


def bland_altman(
    axes: Axes, first: Any, second: Any, *, names: tuple[str, str] = ("first", "second"), unit: str = "points"
) -> Axes:
    """Differences against means with bias and limits of agreement, each with its interval as a band.

    Args:
        axes: Where to draw.
        first: Marks of one rater.
        second: Marks of the other, of the same answers.
        names: Their names.
        unit: Unit of the marks.
    """
    from workbench.statistics.raters import bland_altman as limits_of

    pairs = present(
        pd.DataFrame({"first": np.asarray(first, float), "second": np.asarray(second, float)}), ["first", "second"]
    )
    mean, apart = pairs.mean(axis=1), pairs["first"] - pairs["second"]
    spots = pd.DataFrame({"mean": mean, "apart": apart}).value_counts().reset_index(name="n")
    axes.scatter(
        spots["mean"],
        spots["apart"],
        s=6 + 10 * np.sqrt(spots["n"]),
        color=SKY,
        edgecolor=BLUE,
        linewidth=0.7,
        zorder=2,
    )
    for row, style in zip(limits_of(first, second).itertuples(), ("-", (0, (5, 3)), (0, (5, 3))), strict=True):
        if np.isnan(row.value):
            continue
        if not np.isnan(row.low):
            axes.axhspan(row.low, row.high, color=ORANGE, alpha=0.2, linewidth=0, zorder=0)
        axes.axhline(row.value, color=VERMILION, linestyle=style, linewidth=1.4, zorder=1)
        said = f"{row.figure} {row.value:+.2f}".replace("-", "\N{MINUS SIGN}")
        axes.annotate(
            said, (1, row.value), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8, color=BLACK, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlabel(
        f"Mean of {names[0]} and {names[1]}, {unit}" + ("; larger marks: several" if (spots["n"] > 1).any() else "")
    )
    axes.set_ylabel(f"{names[0]} \N{MINUS SIGN} {names[1]}, {unit}")
    return axes


def floor_transfers(axes: Axes, transfers: pd.DataFrame, *, longest_s: float = 4.0) -> Axes:
    """Distribution of floor-transfer offsets by who takes the floor: overlaps left of 0, gaps right of it.

    Args:
        axes: Where to draw.
        transfers: The table of `speech.floor_transfers`.
        longest_s: Longer and shorter offsets are gathered in the outermost bars.
    """
    require(transfers, ["to_speaker", "offset_s"], "floor transfers")
    bins = np.arange(-1.0, longest_s + 0.1, 0.1)
    for (colour, _), speaker in zip(SERIES, ("examiner", "candidate"), strict=False):
        values = transfers.loc[transfers["to_speaker"].astype(object) == speaker, "offset_s"]
        values = values.clip(-0.99, longest_s - 0.01)
        if len(values):
            weights = np.full(len(values), 100 / len(values))
            style = "solid" if speaker == "examiner" else "dashed"
            label = f"{speaker} takes the floor (n = {len(values):,})"
            drawn: dict[str, Any] = {"histtype": "step", "color": colour, "linestyle": style, "linewidth": 1.6}
            axes.hist(values, bins=bins.tolist(), weights=weights, label=label, **drawn)
            axes.plot([values.median()], [0], "^", color=colour, markersize=9, clip_on=False, zorder=4)
    axes.axvline(0, color=SOFT, linewidth=1)
    axes.set_xlabel("Floor-transfer offset, s (below 0: overlap; triangles: medians)")
    axes.set_ylabel("Share of the transfers, %")
    axes.legend(loc="upper right")
    return axes


def session_timeline(axes: Axes, turns: pd.DataFrame, items: pd.DataFrame | None = None) -> Axes:
    """One viva as two lanes of speech over time, its questions marked.

    Args:
        axes: Where to draw.
        turns: `speaker, start_s, end_s, interrupted` of one session.
        items: `item_index, asked_at_s` of the same session.
    """
    require(turns, ["speaker", "start_s", "end_s", "interrupted"], "turns of one viva")
    lanes = {"examiner": (1, BLUE), "candidate": (0, ORANGE)}
    for speaker, (lane, colour) in lanes.items():
        own = turns[turns["speaker"].astype(object) == speaker]
        bars = [(start, max(end - start, 0.3)) for start, end in zip(own["start_s"], own["end_s"], strict=True)]
        axes.broken_barh(bars, (lane - 0.3, 0.6), color=colour, edgecolor="white", linewidth=0.3)
        cut = own[own["interrupted"].astype(bool)]
        if len(cut):
            axes.plot(
                cut["end_s"], np.full(len(cut), lane + 0.42), "v", color=VERMILION, markersize=5, label="interrupted"
            )
            axes.legend(loc="upper right", bbox_to_anchor=(1, 1.18), fontsize=8)
    if items is not None:
        for row in items.dropna(subset=["asked_at_s"]).itertuples():
            axes.plot([row.asked_at_s] * 2, [-0.5, 1.42], color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
            axes.text(row.asked_at_s, 1.5, str(row.item_index), fontsize=8, ha="center", color=SOFT)
    axes.set_yticks([0, 1], ["Candidate", "Examiner"])
    axes.set_ylim(-0.5, 1.7)
    axes.set_xlabel(
        "Time from the start of the recording, s" + ("" if items is None else " (dotted: questions, by number)")
    )
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return axes


def shares_below(axes: Axes, series: dict[str, Any], *, x_label: str, longest: float | None = None) -> Axes:
    """Empirical distributions: the share of the values up to each, with their medians marked.

    Args:
        axes: Where to draw.
        series: Name to (n,) numbers; at most six.
        x_label: Label with unit.
        longest: Right end of the axis; None shows all.
    """
    if len(series) > len(SERIES):
        raise ValueError(f"{len(series)} series: {len(SERIES)} can be told apart; choose fewer")
    styles = ("solid", (0, (5, 2)), (0, (1, 1)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3)))
    for (colour, marker), style, (name, given) in zip(SERIES, styles, series.items(), strict=False):
        values = np.sort(np.asarray(given, float))
        values = values[~np.isnan(values)]
        if len(values):
            label = f"{name} (n = {len(values):,})"
            axes.step(values, np.arange(1, len(values) + 1) / len(values), where="post", color=colour, linestyle=style,
                      label=label)  # fmt: skip
            axes.plot([np.median(values)], [0.5], marker, color=colour, markersize=7, zorder=4)
    axes.set_xlabel(f"{x_label} (marks: medians)")
    axes.set_ylabel("Share of the values")
    axes.set_ylim(0, 1.02)
    if longest is not None:
        axes.set_xlim(right=longest)
    axes.grid(color="#E2E2E2", linewidth=0.8)
    axes.legend(loc="lower right")
    return axes


def decision_curves(axes: Axes, study: pd.DataFrame, *, target: float = 0.80, coefficient: str = "g") -> Axes:
    """Coefficient by number of questions, a curve for each number of raters, with the target.

    Args:
        axes: Where to draw.
        study: The table of `generalisability.decision_study`.
        target: The coefficient that is wanted.
        coefficient: `g` or `phi`.
    """
    require(study, ["n_items", "n_raters", coefficient], "decision study")
    several = study["n_raters"].nunique() > 1
    for (colour, marker), (n_raters, rows) in zip(SERIES, study.groupby("n_raters"), strict=False):
        label = f"{n_raters} rater{'' if n_raters == 1 else 's'}"
        axes.plot(rows["n_items"], rows[coefficient], marker=marker, markersize=4, color=colour, label=label)
    axes.axhline(target, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(f"{target:.2f} wanted", (0.99, target), xycoords=("axes fraction", "data"), xytext=(0, 3),
                  textcoords="offset points", ha="right", fontsize=8, color=SOFT)  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_xlabel("Questions in a viva")
    names = {"g": "Generalisability coefficient", "phi": "Dependability"}
    axes.set_ylabel(names.get(coefficient, coefficient))
    axes.grid(color="#E2E2E2", linewidth=0.8)
    if several:
        axes.legend(loc="lower right")
    return axes


def scatter_line(axes: Axes, x: Any, y: Any, *, x_label: str, y_label: str, line: str = "fit") -> Axes:
    """Points with either the least-squares line and its 95 % band, or the line of equality.

    Args:
        axes: Where to draw.
        x: (n,) numbers; pairs with a gap are left out.
        y: (n,) numbers.
        x_label: Label with unit.
        y_label: Label with unit.
        line: `fit`, `equal` or `none`.
    """
    pairs = present(pd.DataFrame({"x": np.asarray(x, float), "y": np.asarray(y, float)}), ["x", "y"])
    axes.plot(pairs["x"], pairs["y"], "o", color=BLUE, markersize=4, alpha=0.7, zorder=2)
    if line == "fit" and len(pairs) > 2 and np.ptp(pairs["x"]) > 0:
        from statsmodels.regression.linear_model import OLS

        grid = np.linspace(pairs["x"].min(), pairs["x"].max(), 60)
        fitted = OLS(pairs["y"].to_numpy(), np.column_stack([np.ones(len(pairs)), pairs["x"]])).fit()
        band = fitted.get_prediction(np.column_stack([np.ones(60), grid])).conf_int()
        axes.plot(grid, fitted.params[0] + fitted.params[1] * grid, color=VERMILION, zorder=3)
        axes.fill_between(grid, band[:, 0], band[:, 1], color=VERMILION, alpha=0.18, linewidth=0, zorder=1)
    elif line == "equal" and len(pairs):
        ends = [pairs.min().min(), pairs.max().max()]
        axes.plot(ends, ends, color=SOFT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color="#E2E2E2", linewidth=0.8)
    return axes
