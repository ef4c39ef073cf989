"""Figures carry labels with units and intervals, and take tables without rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from workbench.statistics import figures, generalisability, rasch, speech  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_warns() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def axes() -> Axes:
    return Figure(layout="constrained").add_subplot()


def drawn(axes: Axes) -> None:
    """Lays the figure out and draws it, as saving it would."""
    axes.figure.canvas.draw()


def test_estimates_are_drawn_top_down_each_with_its_bar(axes: Axes) -> None:
    table = pd.DataFrame(
        {"item": ["q1", "q2", "q3"], "value": [0.5, 0.2, 0.1], "low": [0.4, 0.1, np.nan], "high": [0.6, 0.3, 0.2]}
    )
    figures.intervals(axes, table, label="item", unit="Discrimination", reference=0.2, highlight=["q2"])
    drawn(axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["q1", "q2", "q3"]
    assert axes.get_yticks()[0] > axes.get_yticks()[2]
    assert "95% intervals" in axes.get_xlabel()
    bars = [line for line in axes.lines if line.get_linewidth() == 2]
    assert len(bars) == 2


def test_a_wright_map_has_both_sides_on_one_scale_in_logits() -> None:
    rng = np.random.default_rng(0)
    ability, difficulty = rng.normal(0, 1, 80), np.linspace(-1, 1, 5)
    right = (rng.random((80, 5)) < 1 / (1 + np.exp(difficulty - ability[:, None]))).astype(float)
    fit = rasch.rasch(pd.DataFrame(right, columns=[f"q{i}" for i in range(5)]))
    left, right_axes = Figure(layout="constrained").subplots(1, 2, sharey=True)
    figures.wright_map(left, right_axes, fit)
    drawn(left)
    assert "logits" in left.get_ylabel() and left.get_ylim() == right_axes.get_ylim()
    assert [label.get_text() for label in right_axes.get_xticklabels()] == fit.items.sort_values("location")[
        "item"
    ].tolist()
    curves = Figure().add_subplot()
    figures.item_curves(curves, fit, ["q0", "q4"], scores=pd.DataFrame(right, columns=[f"q{i}" for i in range(5)]))
    assert "logits" in curves.get_xlabel()
    easy, hard = (line.get_ydata() for line in curves.lines if len(line.get_xdata()) == 161)
    assert (easy > hard).all()


def test_a_wright_map_of_nothing_says_so() -> None:
    left, right = Figure().subplots(1, 2, sharey=True)
    figures.wright_map(left, right, rasch.rasch(pd.DataFrame()))
    assert [text.get_text() for text in left.texts] == ["too few answers"]


def test_a_bland_altman_plot_has_bias_and_limits_with_bands_and_units(axes: Axes) -> None:
    first = np.arange(20.0)
    figures.bland_altman(axes, first, first + np.tile([1.0, -1.0], 10), names=("human", "judge"))
    drawn(axes)
    assert len(axes.lines) == 3 and len(axes.patches) == 3 and axes.get_ylabel() == "human \N{MINUS SIGN} judge, points"
    empty = Figure().add_subplot()
    figures.bland_altman(empty, [], [])
    assert not empty.lines


def test_turn_taking_is_drawn_by_who_takes_the_floor_in_seconds(axes: Axes) -> None:
    turns = pd.DataFrame(
        {"session_id": "s", "turn_index": range(4), "speaker": ["examiner", "candidate"] * 2,
         "start_s": [0.0, 2.5, 6.0, 9.0], "end_s": [2.0, 5.5, 8.8, 12.0], "interrupted": [False, False, True, False]}
    )  # fmt: skip
    figures.floor_transfers(axes, speech.floor_transfers(turns))
    drawn(axes)
    assert ", s" in axes.get_xlabel() and len(axes.get_legend().get_texts()) == 2
    lanes = Figure().add_subplot()
    figures.session_timeline(lanes, turns, pd.DataFrame({"item_index": [1], "asked_at_s": [0.0]}))
    assert ", s" in lanes.get_xlabel() and [t.get_text() for t in lanes.get_yticklabels()] == ["Candidate", "Examiner"]


def test_a_decision_study_is_drawn_with_its_target_and_points_with_their_line(axes: Axes) -> None:
    components = pd.DataFrame({"effect": ["person", "item", "person:item"], "variance": [0.5, 0.2, 1.5]})
    figures.decision_curves(axes, generalisability.decision_study(components, range(1, 20)))
    assert axes.get_ylim() == (0, 1) and "Questions" in axes.get_xlabel()
    points = Figure().add_subplot()
    figures.scatter_line(points, [1, 2, 3, np.nan], [1, 2, 4, 5], x_label="Pace, words/min", y_label="Score, points")
    assert len(points.collections) == 1 and len(points.lines) == 2


def test_distributions_are_drawn_with_their_medians(axes: Axes) -> None:
    figures.shares_below(axes, {"a": [1.0, 2.0, np.nan, 3.0], "b": []}, x_label="Latency, s", longest=5)
    drawn(axes)
    assert [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1] == [2.0]
    assert axes.get_xlabel().startswith("Latency, s") and axes.get_legend().get_texts()[0].get_text() == "a (n = 3)"


def test_more_curves_than_can_be_told_apart_are_refused(axes: Axes) -> None:
    with pytest.raises(ValueError, match="7 curves: 6 can be told apart"):
        figures.item_curves(axes, None, range(7))
