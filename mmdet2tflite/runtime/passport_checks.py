"""Whether a passport's values can be: a stranger may have written them, and code computes on them.

Plain Python, as ``passport`` is what a user ships. Every check raises ValueError with the name of
the field; ``passport`` says of which file.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from mmdet2tflite.passport import Head

LARGEST_SIDE = 2**15
"""Pixels."""
MOST_CLASSES, MOST_DETECTIONS, MOST_LEVELS = 100_000, 1_000_000, 16
LARGEST_WINDOW = 63
"""Cells."""
LARGEST_NUMBER = 1e6
"""Of what is computed with pixels of 0 to 255."""

type Check = Callable[[Any], bool]


def integer(low: int, high: int) -> Check:
    """Whole numbers; True and False are none."""
    return lambda value: type(value) is int and low <= value <= high


def real(low: float, high: float) -> Check:
    """Finite numbers."""
    return lambda value: (
        type(value) in (int, float) and math.isfinite(value) and low <= value <= high
    )


def text(value: Any) -> bool:
    """A text of a possible length, which a terminal can show."""
    return isinstance(value, str) and len(value) <= 1000


def boolean(value: Any) -> bool:
    """True or False, and no number."""
    return type(value) is bool


def optional(check: Check) -> Check:
    """None as well."""
    return lambda value: value is None or check(value)


def several(check: Check, low: int, high: int, *, unique: bool = False) -> Check:
    """A list (read as a tuple) of so many values."""
    return lambda value: (
        isinstance(value, tuple)
        and low <= len(value) <= high
        and all(check(each) for each in value)
        and (not unique or len(set(value)) == len(value))
    )


PIXELS = real(-LARGEST_NUMBER, LARGEST_NUMBER)

CHECKS: dict[str, dict[str, Check]] = {
    "Head": {
        "family": optional(text),
        "classes": several(text, 1, MOST_CLASSES),
        "strides": several(integer(1, LARGEST_SIDE), 0, MOST_LEVELS, unique=True),
        "score_threshold": real(0, 1),
        "nms_iou": real(0, 1),
        "max_detections": integer(1, MOST_DETECTIONS),
        # -1 in files of earlier versions: mmdet's word for all of them.
        "max_candidates": optional(integer(-1, MOST_DETECTIONS)),
        "anchors": several(several(several(PIXELS, 4, 4), 1, 64), 0, MOST_LEVELS),
        "box_means": several(PIXELS, 4, 4),
        "box_stds": several(PIXELS, 4, 4),
        "centre_clamp": optional(PIXELS),
        "point_offset": real(-1, 1),
        "base_sizes": several(PIXELS, 0, MOST_LEVELS),
        "score_function": lambda value: value in ("sigmoid", "softmax"),
        "objectness_threshold": real(0, 1),
        "peak_window": integer(1, LARGEST_WINDOW),
        "clip": boolean,
        "keep_empty": boolean,
        "angle_version": lambda value: value in (None, "le90", "le135", "r360", "oc"),
    },
    "Preprocessing": {
        "width": integer(1, LARGEST_SIDE),
        "height": integer(1, LARGEST_SIDE),
        "colour_order": lambda value: value in ("bgr", "rgb"),
        "pad_value": PIXELS,
        "mean": several(PIXELS, 3, 3),
        "std": several(real(1 / LARGEST_NUMBER, LARGEST_NUMBER), 3, 3),
    },
    "TfliteOutput": {
        "name": text,
        "shape": several(integer(1, 2**31 - 1), 0, 8),
        "layout": lambda value: value in ("nhwc", "onnx"),
    },
    "Rotation": {
        "input": boolean,
        "outputs": several(text, 0, 1000, unique=True),
    },
}
"""By part of the passport and field."""
MAY_BE_MISSING = frozenset(CHECKS["Head"]) - (Head.ALWAYS_WRITTEN - {"max_candidates"})
"""Fields of their default are not written, and earlier versions wrote no ``max_candidates``."""


def check_part(part: str, fields: dict[str, Any]) -> None:
    """Raises ValueError for the first field that cannot be, KeyError for one that is missing."""
    for name, check in CHECKS[part].items():
        if name not in fields:
            if name in MAY_BE_MISSING:
                continue
            raise KeyError(name)
        if not check(fields[name]):
            raise ValueError(f"{name} {shown(fields[name])}")


def check_outputs(names: Sequence[str], rotated: Sequence[str]) -> None:
    """Raises ValueError if an output is named twice, or a rotated one is no output."""
    if not names or len(set(names)) != len(names):
        raise ValueError(f"outputs {shown(names)}")
    if not set(rotated) <= set(names):
        raise ValueError(f"rotation.outputs {shown(rotated)}")


def shown(value: Any) -> str:
    """A value in a message; one that is too long is cut off."""
    content = repr(value)
    return content if len(content) <= 80 else f"{content[:80]}…"
