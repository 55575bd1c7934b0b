"""What each transform of mmdet does to each box. Imported in child processes only.

A transform tells nobody which boxes it dropped. So that every box can be followed, a serial number
is added to its label while it goes through the pipeline: transforms select and join labels as they
do boxes, and none of mmdet's looks at them.

Where a box really went is found by running the transform a second time, with the same random
numbers, while boxes are neither clipped nor dropped at the picture's edge. Each transform then has

1. ``left``: dropped, and less than half of it would be in the picture; or dropped by a rule of the
   transform's own, such as a centre outside a crop.
2. ``small``: dropped by a filter, because a side was not longer than ``min_gt_bbox_wh``.
3. ``vanished``: dropped although half of it or more is in the picture. No sound pipeline does that.
4. ``cut``: kept, and less than half of it is in the picture.

Crowds (``gt_ignore_flags``) are not counted: no loss looks at them. Sides and area of an oriented
box are its own, not those of the upright box around it.
"""

import copy
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, get_box_tensor
from mmdet.structures.bbox.box_type import box_types
from numpy.typing import NDArray

from mmdet2tflite.data.quadrangles import clip
from mmdet2tflite.runtime.decode.corners import corners_of

VISIBLE = 0.5
"""Share of a box's area that must be in the picture."""
SERIAL = 1_000_000
"""Serial numbers are multiples of this: no data set has so many classes."""
TRAIL = "mmdet2tflite_trail"
ORIENTED = 5
"""Numbers of an oriented box."""
COUNTS = ("calls", "given", "new", "left", "vanished", "small", "cut", "kept")
"""Of boxes that a transform was given and gave, and what became of the others, over all calls."""

type Picture = NDArray[np.uint8]
type Box = NDArray[np.float32]
"""x1, y1, x2, y2; of an oriented one, x, y of its centre, width, height, angle (``corners_of``)."""
type Boxes = dict[tuple[int, int], Box]
"""Number of the box, and how often it occurred before (a cache may bring it again) → the box."""

_serials = itertools.count(SERIAL, SERIAL)


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture (H x W x 3, BGR) as a transform left it, its boxes in pixels, and their labels.

    ``boxes`` are N x 4, or N x 5 of oriented ones; see ``Box``.
    """

    step: str
    picture: Picture
    boxes: NDArray[np.float32]
    labels: list[int]

    def __deepcopy__(self, memo: Any) -> "Seen":
        return self  # it never changes, and mmdet copies a sample before every transform


class Watched:
    """A transform that does what it did, and counts (``COUNTS``) what it does to the boxes."""

    def __init__(self, transform: Any) -> None:
        self.name, self.counts = type(transform).__name__, Counter[str]()
        self._transform = transform

    def __getattr__(self, name: str) -> Any:
        # mmdet asks a transform whether it has ``get_indexes``.
        return getattr(self._transform, name)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Run the transform. Raises what it raises."""
        given, trail = boxes_of(results), results.get(TRAIL, ())
        moved = self._without_edges(results) if given else {}
        result: dict[str, Any] | None = self._transform(results)
        if result is None:
            self._count(given | moved, {}, moved, (0, 0))
            return None
        _number(result)
        kept, picture = boxes_of(result), picture_of(result)
        # Boxes of pictures that were mixed in are in ``moved`` only.
        self._count(given | moved, kept, moved, picture.shape)
        boxes = np.array(list(kept.values()) or np.empty((0, 4)), np.float32)
        labels = [number % SERIAL for number, _ in kept]
        result[TRAIL] = (*trail, Seen(self.name, picture, boxes, labels))
        return result

    def _without_edges(self, results: dict[str, Any]) -> Boxes:
        """Where the transform puts every box, in the picture or not."""
        # The copy keeps a transform's own state, such as CachedMosaic's images, as it was.
        transform, sample = copy.deepcopy((self._transform, results))
        state = random.getstate(), np.random.get_state()
        with _boundless():
            moved = transform(sample)
        random.setstate(state[0])
        np.random.set_state(state[1])
        return boxes_of(moved) if moved else {}

    def _count(self, given: Boxes, kept: Boxes, moved: Boxes, shape: tuple[int, ...]) -> None:
        new = len(kept.keys() - given.keys())
        self.counts.update(calls=1, given=len(given), new=new, kept=len(kept))
        limit = getattr(self._transform, "min_gt_bbox_wh", None)
        for key, box in given.items():
            inside = visible_share(box, shape) >= VISIBLE
            if key in kept:
                self.counts["cut"] += not inside  # rule 4
            elif limit and (_sides(box) <= limit).any():
                self.counts["small"] += 1  # rule 2
            else:
                self.counts["vanished" if key in moved and inside else "left"] += 1  # rules 3 and 1


def _number(results: dict[str, Any]) -> None:
    """Give every box that has none a number."""
    if "gt_bboxes_labels" in results:
        labels = results["gt_bboxes_labels"]
        numbers = [label if label >= SERIAL else label + next(_serials) for label in labels]
        results["gt_bboxes_labels"] = np.array(numbers, labels.dtype)


def watch(dataset: Any) -> list[Watched]:
    """Replace the transforms of a data set, and of those that it wraps, by watched ones, in place.

    Returns:
        The watched transforms in the order in which an image goes through them.
    """
    inner = [dataset.dataset] if hasattr(dataset, "dataset") else getattr(dataset, "datasets", [])
    found = [step for child in inner for step in watch(child)]
    pipeline = getattr(dataset, "pipeline", None)
    if pipeline is not None:
        steps = pipeline if isinstance(pipeline, list) else pipeline.transforms
        steps[:] = [Watched(step) for step in steps]
        found += steps
    return found


def visible_share(box: Box, shape: tuple[int, ...]) -> float:
    """The part of a box's area that lies in a picture of this height and width; 1 for no area."""
    area = np.prod(_sides(box))
    if len(box) == ORIENTED:
        (corners,) = corners_of(box[None])
        part = clip(corners, shape[1], shape[0])
        seen = cv2.contourArea(part.astype(np.float32)) if len(part) else 0.0
    else:
        seen = float(np.prod(_sides(np.clip(box, 0, [shape[1], shape[0]] * 2))))
    return float(seen / area) if area > 0 else 1.0


def _sides(box: Box) -> NDArray[np.float32]:
    """Width and height."""
    return box[2:4] if len(box) == ORIENTED else box[2:] - box[:2]


def boxes_of(results: Mapping[str, Any]) -> Boxes:
    """The boxes of a sample, packed or not, that a loss would look at, by their numbers."""
    if "data_samples" in results:
        instances = results["data_samples"].gt_instances
        boxes, numbers = _tensor_of(instances.bboxes), instances.labels.tolist()
        return _by_number(boxes, numbers)
    if "gt_bboxes" not in results or "gt_bboxes_labels" not in results:
        return {}
    boxes, numbers = _tensor_of(results["gt_bboxes"]), results["gt_bboxes_labels"]
    counted = ~np.asarray(results.get("gt_ignore_flags", np.zeros(len(numbers), bool)))
    return _by_number(boxes[torch.from_numpy(counted)], numbers[counted].tolist())


def _tensor_of(boxes: Any) -> torch.Tensor:
    """N x 4, or N x 5 of mmrotate's boxes: its quadrangles stand for rectangles."""
    if isinstance(boxes, BaseBoxes) and not isinstance(boxes, HorizontalBoxes):
        boxes = boxes.convert_to("rbox")
    return get_box_tensor(boxes)


def _by_number(boxes: Any, numbers: list[int]) -> Boxes:
    found: Boxes = {}
    times: Counter[int] = Counter()
    for number, box in zip(numbers, np.array(boxes.tolist(), np.float32), strict=True):
        found[number, times[number]] = box
        times[number] += 1
    return found


def picture_of(results: Mapping[str, Any]) -> Picture:
    """The picture of a sample, packed or not: H x W x 3, BGR."""
    if "inputs" in results:
        picture = results["inputs"].numpy().transpose(1, 2, 0)
    else:
        picture = results["img"]
    return np.clip(picture, 0, 255).astype(np.uint8)  # copies


@contextmanager
def _boundless() -> Iterator[None]:
    """While this lasts, no box is clipped and every box counts as inside.

    A class of boxes of our own would not do: pictures from a transform's cache bring mmdet's. Once
    mmrotate is imported, its boxes are registered beside them.
    """
    kinds = {kind: (kind.clip_, kind.is_inside) for kind in box_types.values()}
    for kind in kinds:
        kind.clip_ = lambda boxes, img_shape: None
        kind.is_inside = lambda boxes, *_, **__: torch.ones(len(boxes), dtype=torch.bool)
    try:
        yield
    finally:
        for kind, (clip_, is_inside) in kinds.items():
            kind.clip_, kind.is_inside = clip_, is_inside
