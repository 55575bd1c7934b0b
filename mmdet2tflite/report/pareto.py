"""Accuracy against cost: which exact models no other one beats, and a plot of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmdet2tflite.evaluate.error_sheet import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.0, 3.7)
"""In inches."""
LOG_FROM = 20.0
"""Costs that differ by more than this factor stand on a logarithmic axis."""


@dataclass(frozen=True)
class Point:
    """One model: its number in the table, what it costs, its mAP."""

    number: int
    name: str
    cost: float
    accuracy: float
    exact: bool


def points(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Point]:
    """The rows that have both numbers; the first row is number 1."""
    return [
        Point(number, row["variant"], row["metrics"][metric], row["metrics"]["map"], row["exact"])
        for number, row in enumerate(rows, 1)
        if metric in row["metrics"] and "map" in row["metrics"]
    ]


def frontier(found: Sequence[Point]) -> list[Point]:
    """Exact points that no other one beats, by rising cost: what costs less is less accurate."""
    best: list[Point] = []
    exact = (point for point in found if point.exact)
    for point in sorted(exact, key=lambda p: (p.cost, -p.accuracy)):
        if not best or point.accuracy > best[-1].accuracy:
            best.append(point)
    return best


def draw(found: Sequence[Point], label: str) -> Figure:
    """The plot of one point or more: hollow where a model is inexact, the frontier dashed."""
    figure = new_figure(SIZE)
    axes = figure.subplots()
    for point in found:
        name = f"{point.number}: {point.name}, mAP {point.accuracy:.4f}, {point.cost:.2f}"
        style = dict(color="tab:blue") if point.exact else dict(mfc="white", mec="tab:red", mew=2)
        axes.plot(point.cost, point.accuracy, "o", gid=name, **style)
    costs = [point.cost for point in found]
    axes.margins(0.1, 0.15)
    if min(costs) > 0 and max(costs) / min(costs) > LOG_FROM:
        axes.set_xscale("log", subs=(2, 5))
        axes.xaxis.set_minor_formatter("{x:g}")
    else:
        axes.set_xlim(0, max(costs) * 1.1 or 1.0)
    axes.xaxis.set_major_formatter("{x:g}")
    if best := frontier(found):
        end = axes.get_xlim()[1]
        corners = [*((p.cost, p.accuracy) for p in best), (end, best[-1].accuracy)]
        axes.step(*zip(*corners, strict=True), "--", where="post", color="tab:blue", zorder=1)
    axes.set(xlabel=label, ylabel="mAP")
    axes.grid(visible=True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.draw_without_rendering()  # from here on, places are known
    _number(axes, found)
    return figure


def _number(axes: Axes, found: Sequence[Point]) -> None:
    """Write the points' numbers; those that would overlap stand in a row, at the leftmost point."""
    rows: list[Any] = []
    for point in sorted(found, key=lambda p: (p.cost, p.accuracy, p.number)):
        place = (point.cost, point.accuracy)
        text = axes.annotate(str(point.number), place, (4, 4), textcoords="offset points")
        under = [row for row in rows if row.get_window_extent().overlaps(text.get_window_extent())]
        if under:
            under[0].set_text(f"{under[0].get_text()}, {point.number}")
            text.remove()
        else:
            rows.append(text)
