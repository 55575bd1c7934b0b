"""Accuracy against cost: which exact models no other one beats, and a plot of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdet2tflite.evaluate.error_sheet import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, DPI = (6.0, 4.3), 110
"""In inches; dots per inch of the picture."""
PLOT = "accuracy.png"
"""Both plots side by side, for MLflow."""
PLOTS = {
    "latency_ms": "latency in ms, one thread",
    "size_mb": "size of the file in MB",
}
"""Metric: what stands below the plot."""
FLOAT32 = "float32"
NOT_CONVERTED = "not converted"
"""Stands for the strategy of PyTorch, ONNX and OpenVINO."""
COLOURS: dict[str, str] = {
    NOT_CONVERTED: "tab:gray",
    "explicit": "tab:blue",
    "mirror": "tab:green",
    "mirror_rotated": "tab:olive",
    "widen": "tab:orange",
    "tf_train": "tab:purple",
    "engine": "tab:brown",
    "force_same": "tab:red",
}
"""By strategy (``strategies/table.py``); matplotlib's, which ``svg`` makes the page's."""
MARKS: dict[str, str] = {
    FLOAT32: "o",
    "float16": "s",
    "int8_weight": "v",
    "int8_dynamic": "^",
    "int8": "D",
    "int8_io": "P",
    "int16x8": "h",
}
"""By precision."""
COLUMNS = 5
"""Of the legend."""
OTHER_COLOUR, OTHER_MARK = "black", "X"
MARGIN, LEAST_MARGIN = 0.15, 0.01
"""Of the axis of mAP, as a fraction of it, and in mAP."""
IN_A_LINE, FAR = 5, 0.75
"""Numbers at a point; where on the axes they stand to the left of it."""
GAP = 3
"""Pixels between numbers."""
LOG_FROM = 20.0
"""Costs that differ by more than this factor stand on a logarithmic axis."""


@dataclass(frozen=True)
class Point:
    """One model: its number in the table, what it costs, its mAP, what it was made by."""

    number: int
    name: str
    cost: float
    accuracy: float
    exact: bool
    strategy: str = NOT_CONVERTED
    precision: str = FLOAT32


def points(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Point]:
    """The rows that have both numbers; the first row is number 1."""
    return [
        Point(
            number,
            row["variant"],
            row["metrics"][metric],
            row["metrics"]["map"],
            row["exact"],
            row.get("strategy", NOT_CONVERTED),
            row.get("precision", FLOAT32),
        )
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


def budget_line(rows: Sequence[Mapping[str, Any]], budget: float | None) -> float | None:
    """The lowest mAP within the accuracy budget: that much below the best exact float32 file."""
    accuracies = [
        row["metrics"]["map"]
        for row in rows
        if row["kind"] == "tflite"
        and row["exact"]
        and row["precision"] == FLOAT32
        and "map" in row["metrics"]
    ]
    return None if budget is None or not accuracies else max(accuracies) - budget


def draw(found: Sequence[Point], label: str, lowest: float | None = None) -> Figure:
    """The plot of one point or more.

    Args:
        label: what the cost is.
        lowest: ``budget_line``.
    """
    figure = new_figure(SIZE)
    _draw(figure.subplots(), found, label, lowest)
    _explain(figure, found)
    figure.draw_without_rendering()  # from here on, places are known
    _number(figure.axes[0], found)
    return figure


def save_plots(rows: Sequence[Mapping[str, Any]], budget: float | None, file: Path) -> None:
    """Write the plots of all costs, side by side; nothing if no model has a mAP."""
    plots = {label: found for metric, label in PLOTS.items() if (found := points(rows, metric))}
    if not plots:
        return
    width, height = SIZE
    figure = new_figure((width * len(plots), height), dpi=DPI)
    several = figure.subplots(1, len(plots), squeeze=False)[0]
    for axes, (label, found) in zip(several, plots.items(), strict=True):
        _draw(axes, found, label, budget_line(rows, budget))
    _explain(figure, [point for found in plots.values() for point in found])
    figure.draw_without_rendering()
    for axes, found in zip(several, plots.values(), strict=True):
        _number(axes, found)
    figure.savefig(file)


def _draw(axes: Axes, found: Sequence[Point], label: str, lowest: float | None) -> None:
    """Points hollow where a model is inexact, the frontier dashed, the budget dotted.

    An inexact model that lies far below the others stands on the lower edge: its colour tells.
    """
    axes.set_ylim(*_accuracies(found, lowest))
    for point in found:
        name = f"{point.number}: {point.name}, mAP {point.accuracy:.4f}, {point.cost:.2f}"
        axes.plot(*_place(axes, point), gid=name, clip_on=False, **_style(point))
    costs = [point.cost for point in found]
    if min(costs) > 0 and max(costs) / min(costs) > LOG_FROM:
        axes.set_xscale("log", subs=(2, 5))
        axes.xaxis.set_minor_formatter("{x:g}")
    else:
        axes.set_xlim(0, max(costs) * 1.1 or 1.0)
    axes.xaxis.set_major_formatter("{x:g}")
    if lowest is not None:
        name = f"accuracy budget: mAP {lowest:.4f}"
        axes.axhline(lowest, linestyle=":", color="tab:red", zorder=1, gid=name)
    if best := frontier(found):
        end = axes.get_xlim()[1]
        corners = [*((p.cost, p.accuracy) for p in best), (end, best[-1].accuracy)]
        axes.step(*zip(*corners, strict=True), "--", where="post", color="black", lw=1, zorder=1)
    axes.set(xlabel=label, ylabel="mAP")
    axes.grid(visible=True)
    axes.spines[["top", "right"]].set_visible(False)


def _accuracies(found: Sequence[Point], lowest: float | None) -> tuple[float, float]:
    """Ends of the axis of mAP: of the exact models, among which one chooses, and of the budget."""
    exact = [point.accuracy for point in found if point.exact] or [p.accuracy for p in found]
    shown = exact if lowest is None else [*exact, lowest]
    margin = MARGIN * (max(shown) - min(shown)) or LEAST_MARGIN
    return min(shown) - margin, max(shown) + 2 * margin  # numbers stand above


def _style(point: Point) -> dict[str, Any]:
    colour = COLOURS.get(point.strategy, OTHER_COLOUR)
    fill = colour if point.exact else "white"
    mark = MARKS.get(point.precision, OTHER_MARK)
    return dict(marker=mark, ms=7, mfc=fill, mec=colour, mew=1.5, ls="")


def _explain(figure: Figure, found: Sequence[Point]) -> None:
    """A legend: the colours of the strategies, the marks of the precisions."""
    from matplotlib.lines import Line2D

    strategies = dict.fromkeys(point.strategy for point in found)
    precisions = dict.fromkeys(point.precision for point in found)
    handles = [
        *(
            Line2D([], [], lw=4, color=COLOURS.get(name, OTHER_COLOUR), label=name)
            for name in strategies
        ),
        *(
            Line2D([], [], ls="", marker=MARKS.get(name, OTHER_MARK), color="tab:gray", label=name)
            for name in precisions
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=COLUMNS, fontsize=8)


def _number(axes: Axes, found: Sequence[Point]) -> None:
    """Write the points' numbers; those that would overlap stand together, at the leftmost point."""
    rows: dict[Any, list[int]] = {}
    for point in sorted(found, key=lambda p: (p.cost, p.accuracy, p.number)):
        place = _place(axes, point)
        far = axes.transAxes.inverted().transform(axes.transData.transform(place))[0] > FAR
        text = axes.annotate(
            str(point.number),
            place,
            (-4 if far else 4, 4),
            textcoords="offset points",
            ha="right" if far else "left",
            fontsize=8,
        )
        box = text.get_window_extent().padded(GAP)
        under = [row for row in rows if row.get_window_extent().overlaps(box)]
        if under:
            rows[under[0]].append(point.number)
            under[0].set_text(_lines(rows[under[0]]))
            text.remove()
        else:
            rows[text] = [point.number]


def _lines(numbers: Sequence[int]) -> str:
    lines = (numbers[i : i + IN_A_LINE] for i in range(0, len(numbers), IN_A_LINE))
    return ",\n".join(", ".join(map(str, line)) for line in lines)


def _place(axes: Axes, point: Point) -> tuple[float, float]:
    """Where a point is drawn: what lies below the axes, on their lower edge."""
    return point.cost, max(point.accuracy, axes.get_ylim()[0])
