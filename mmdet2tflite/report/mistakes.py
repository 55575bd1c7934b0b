"""``analysis.json`` of each model, as the section *What goes wrong* of the page shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmdet2tflite.evaluate.analysis import what_goes_wrong
from mmdet2tflite.report.gallery import COLOURS

MEANINGS = {
    "class": "a detection on a box of another class, IoU 0.5 or more",
    "localisation": "a detection of the right class beside its box, IoU 0.1 to 0.5",
    "both": "a detection beside a box of another class, IoU 0.1 to 0.5",
    "duplicate": "a further detection of a box that a better one has found",
    "background": "a detection where there is no box, IoU below 0.1",
    "missed": "a box without any detection, be it of another class or badly placed",
}
SHOWN_CLASSES = 20
"""In the confusion matrix and the curves: those with most confusions."""
PLOT_WIDTH, PLOT_HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 42


def describe(analyses: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the template needs of each model, by variant; the first one is shown open."""
    return [
        {
            "variant": variant,
            "open": number == 0,
            "sentence": what_goes_wrong(analysis),
            "analysis": analysis,
            "shown": (shown := _shown_classes(analysis)),
            "confusion": _confusion(analysis, shown),
            "curves": _curves(analysis, shown),
        }
        for number, (variant, analysis) in enumerate(analyses.items())
    ]


def frame() -> dict[str, Any]:
    """Axes of the precision-recall plots, in pixels: all plots have the same."""
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    return {
        "width": PLOT_WIDTH,
        "height": PLOT_HEIGHT,
        "left": LEFT,
        "right": PLOT_WIDTH - RIGHT,
        "top": TOP,
        "bottom": PLOT_HEIGHT - BOTTOM,
        "ticks": [{"value": tick, "x": _x(tick), "y": _y(tick)} for tick in ticks],
    }


def _shown_classes(analysis: Mapping[str, Any]) -> list[int]:
    """All classes, or the labels of those with most confusions, in their order."""
    counts = np.array(analysis["confusion"])
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    return sorted(np.argsort(-wrong[:-1], kind="stable")[:SHOWN_CLASSES].tolist())


def _confusion(analysis: Mapping[str, Any], shown: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of the matrix, the last one of detections where there is no box left."""
    names = list(analysis["classes"])
    rows = []
    for label in (*shown, len(names)):
        counts = analysis["confusion"][label]
        total = sum(counts) or 1
        cells = [
            {
                "count": counts[found],
                "share": round(counts[found] / total, 3),
                "right": found == label,
            }
            for found in (*shown, len(names))
        ]
        rows.append({"name": names[label] if label < len(names) else "", "cells": cells})
    return rows


def _curves(analysis: Mapping[str, Any], shown: Sequence[int]) -> list[dict[str, Any]]:
    curves = []
    for label in shown:
        name = list(analysis["classes"])[label]
        if name not in analysis["curves"]:
            continue
        curve, numbers = analysis["curves"][name], analysis["classes"][name]
        points = zip(curve["recall"], curve["precision"], strict=True)
        at_score = None
        if numbers["precision"] is not None:
            at_score = (_x(numbers["recall"]), _y(numbers["precision"]))
        curves.append(
            {
                "name": name,
                "colour": label % COLOURS,
                "points": " ".join(f"{_x(recall)},{_y(precision)}" for recall, precision in points),
                "at_score": at_score,
                "average_precision_50": numbers["average_precision_50"],
            }
        )
    return curves


def _x(recall: float) -> float:
    return round(LEFT + recall * (PLOT_WIDTH - LEFT - RIGHT), 1)


def _y(precision: float) -> float:
    return round(PLOT_HEIGHT - BOTTOM - precision * (PLOT_HEIGHT - TOP - BOTTOM), 1)
