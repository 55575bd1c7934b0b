"""The table of detector families: what a network of each gives, and how boxes come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.rtmdet import rtmdet_candidates
from mmdet2tflite.runtime.decode.types import (
    Detections,
    Floats,
)
from mmdet2tflite.runtime.decode.yolox import yolox_candidates


@dataclass(frozen=True)
class Family:
    """One kind of head.

    Args:
        maps: meanings of the lists that mmdet's head returns, in its order; one map per stride.
        candidates: raw outputs (``cls_8`` …, NCHW) → boxes before non-maximum suppression, in
            pixels of the input.
        head: mmdet's name of it, the ``type`` in a config.
    """

    maps: tuple[str, ...]
    candidates: Callable[[Mapping[str, Floats], Head, Preprocessing], Detections]
    head: str


FAMILIES: dict[str, Family] = {
    "rtmdet": Family(("cls", "box"), rtmdet_candidates, "RTMDetSepBNHead"),
    "yolox": Family(("cls", "box", "obj"), yolox_candidates, "YOLOXHead"),
}
"""By ``Head.family``. Each is cut by ``configs/deploy/<family>.py``."""
