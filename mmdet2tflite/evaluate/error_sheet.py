"""``errors.png``: an analysis as plots, for MLflow's page of a model. Drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmdet2tflite.safe_text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, DPI = (13.0, 9.5), 80
"""In inches; dots per inch."""
NAMED = 20
"""More classes than these are neither named nor counted in writing."""
LONGEST_NAME = 20
"""Characters of a class."""


def new_figure(size: tuple[float, float], **options: Any) -> Figure:
    """An empty one, in inches. Names of classes are text in it, with dollar signs, too."""
    from matplotlib import rcParams  # a second; not pyplot, which knows one thread and a screen
    from matplotlib.figure import Figure

    rcParams["axes.titlesize"] = "medium"
    rcParams["text.parse_math"] = False
    rcParams["font.sans-serif"] = ["DejaVu Sans"]  # it comes with matplotlib
    rcParams["svg.fonttype"] = "none"  # text stays text
    rcParams["svg.hashsalt"] = "mmdet2tflite"  # the names of parts depend on the content alone
    return Figure(figsize=size, layout="constrained", **options)


def draw_analysis(analysis: Mapping[str, Any], file: Path) -> None:
    """Causes, sizes, confusion matrix and precision-recall curves.

    Args:
        analysis: what ``analysis.json`` holds.
        file: a PNG to write.
    """
    figure = new_figure(SIZE, dpi=DPI)
    axes = figure.subplots(2, 2)
    _causes(axes[0, 0], analysis)
    _sizes(axes[0, 1], analysis["sizes"])
    _confusion(axes[1, 0], analysis["confusion"], list(analysis["classes"]))
    draw_curves(axes[1, 1], analysis)
    figure.savefig(file)


def _causes(axes: Axes, analysis: Mapping[str, Any]) -> None:
    errors = analysis["errors"].values()
    texts = [
        str(error["count"])
        if error["gain_map_50"] is None
        else f"{error['count']}, mAP50 {error['gain_map_50']:+.3f} without"
        for error in errors
    ]
    bars = axes.barh(list(analysis["errors"]), [error["count"] for error in errors])
    axes.bar_label(bars, texts, padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.5)
    axes.set_title(
        f"{analysis['right']} of {analysis['boxes']} boxes found; what goes wrong "
        f"(score from {analysis['score']} on)"
    )


def _sizes(axes: Axes, sizes: Mapping[str, Mapping[str, Any]]) -> None:
    names = {"recall": "recall at IoU 0.5", "average_precision": "average precision"}
    for offset, (metric, title) in zip((-0.2, 0.2), names.items(), strict=True):
        values = [size[metric] for size in sizes.values()]
        bars = axes.bar(
            np.arange(len(sizes)) + offset, [value or 0 for value in values], 0.38, label=title
        )
        texts = ["no boxes" if value is None else f"{value:.3f}" for value in values]
        axes.bar_label(bars, texts, fontsize=9)
    axes.set_xticks(
        range(len(sizes)), [f"{name}\n{size['boxes']} boxes" for name, size in sizes.items()]
    )
    axes.set_ylim(0, 1.15)
    axes.legend(loc="upper left", ncols=2)
    axes.set_title("Size of the box: below 32², below 96², larger (pixels of the image)")


def _confusion(axes: Axes, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="found", ylabel="there", title="Confusion matrix; colour: share of the row")
    if len(classes) > NAMED:
        return
    names = [shortened(name, LONGEST_NAME) for name in classes]
    axes.set_xticks(range(len(counts)), [*names, "(not found)"], rotation=45, ha="right")
    axes.set_yticks(range(len(counts)), [*names, "(nothing)"])
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)


def draw_curves(axes: Axes, analysis: Mapping[str, Any]) -> None:
    """Precision against recall of the classes that have boxes, and a dot at the shown score."""
    for name, curve in analysis["curves"].items():
        numbers = analysis["classes"][name]
        label = f"{numbers['average_precision_50']:.3f} {shortened(name, LONGEST_NAME)}"
        (line,) = axes.plot(curve["recall"], curve["precision"], label=label, gid=label)
        if numbers["precision"] is not None:
            place = numbers["recall"], numbers["precision"]
            axes.plot(*place, "o", color=line.get_color(), gid=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_title(f"At IoU {analysis['iou']}; the dot: score {analysis['score']}")
    if 0 < len(analysis["curves"]) <= NAMED:
        # beside the plot
        axes.legend(title="average precision", fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
