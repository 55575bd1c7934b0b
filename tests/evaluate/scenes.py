"""Boxes and detections in a line of code, and the COCO json of a few images with boxes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.runtime.decode import Detections

CLASSES = ("cat", "dog", "owl")
A, B = (0, 0, 10, 10), (40, 0, 10, 10)
"""x, y, width, height."""
Box = tuple[float, float, float, float]


def boxes(*found: tuple[int, Box] | tuple[int, Box, float]) -> Detections:
    """Of (label, box) or (label, box, score); the score is 0.9 if nothing else is said."""
    corners = np.array([box for _, box, *_ in found], np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    scores = [rest[0] if rest else 0.9 for _, _, *rest in found]
    return Detections(
        corners, np.array(scores, np.float32), np.array([label for label, *_ in found], np.int64)
    )


NOTHING = boxes()


def wide(box: Box, width: float) -> Box:
    """Of another width: its IoU with a box 10 wide is 10 / width."""
    return (*box[:2], width, box[3])


def coco(
    images: Mapping[int, Sequence[tuple[int, Box]]], crowds: Sequence[tuple[int, int, Box]] = ()
) -> dict[str, Any]:
    """A COCO json of (label, box) by image id, and of crowds: (image id, label, box)."""
    entries = [
        (image_id, label, box, 0) for image_id, found in images.items() for label, box in found
    ]
    entries += [(*crowd, 1) for crowd in crowds]
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 200, "height": 200} for i in images],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES)],
        "annotations": [
            {
                "id": number,
                "image_id": image_id,
                "category_id": label,
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": crowd,
            }
            for number, (image_id, label, box, crowd) in enumerate(entries, start=1)
        ],
    }


def random_scene(seed: int, images: int = 12) -> tuple[dict[str, Any], dict[int, Detections]]:
    """Boxes of all sizes, and detections near them, of wrong classes, doubled, or of nothing."""
    rng = np.random.default_rng(seed)

    def somewhere() -> Box:
        return (*rng.uniform(0, 200, 2).tolist(), *rng.uniform(5, 150, 2).tolist())

    truth = {
        i: [(int(rng.integers(3)), somewhere()) for _ in range(rng.integers(5))]
        for i in range(1, images + 1)
    }
    found = {}
    for image_id, there in truth.items():
        copies = [*there, *there[: rng.integers(3)]]
        moved = [
            (
                label if rng.uniform() < 0.8 else int(rng.integers(3)),
                tuple((np.array(box) + rng.normal(0, 8, 4)).clip(1).tolist()),
            )
            for label, box in copies
        ]
        stray = [(int(rng.integers(3)), somewhere()) for _ in range(rng.integers(3))]
        found[image_id] = boxes(
            *((label, box, float(rng.uniform())) for label, box in (*moved, *stray))
        )
    return coco(truth), found


def truth_of(annotations: Mapping[str, Any], folder: Path, *, oriented: bool = False) -> Truth:
    """Read from a file in ``folder``."""
    file = folder / "val.json"
    file.write_text(json.dumps(annotations))
    return Truth.load(file, folder, oriented=oriented)
