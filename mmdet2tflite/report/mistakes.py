"""``analysis.json`` of each model, as the section *What goes wrong* of the page shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmdet2tflite.evaluate.analysis import what_goes_wrong
from mmdet2tflite.evaluate.error_sheet import draw_curves, new_figure
from mmdet2tflite.report.svg import svg

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
PLOT = (6.0, 4.5)
"""In inches."""


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


def _curves(analysis: Mapping[str, Any], shown: Sequence[int]) -> str:
    """Precision against recall, as an SVG; "" if none of the classes has boxes."""
    names = [
        name for name in np.array(list(analysis["classes"]))[shown] if name in analysis["curves"]
    ]
    if not names:
        return ""
    figure = new_figure(PLOT)
    curves = {"curves": {name: analysis["curves"][name] for name in names}}
    draw_curves(figure.subplots(), {**analysis, **curves})
    return svg(figure, "precision against recall")
