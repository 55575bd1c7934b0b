"""What each transform of mmdet does to each box. Imported in child processes only.

A transform tells nobody which boxes it dropped. So that every box can be followed, its label is
replaced by a number of its own while it goes through the pipeline: transforms select and join
labels as they do boxes, and none of mmdet's looks at them.

Where a box really went is found by running the transform a second time, with the same random
numbers, while boxes are neither clipped nor dropped at the picture's edge. Each transform then has

1. ``left``: dropped, and less than half of it would be in the picture; or dropped by a rule of the
   transform's own, such as a centre outside a crop.
2. ``small``: dropped by a filter, because a side was not longer than ``min_gt_bbox_wh``.
3. ``vanished``: dropped although half of it or more is in the picture. No sound pipeline does that.
4. ``cut``: kept, and less than half of it is in the picture.

Crowds (``gt_ignore_flags``) are not counted: no loss looks at them.
"""

import copy
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes, get_box_tensor
from numpy.typing import NDArray

VISIBLE = 0.5
"""Share of a box's area that must be in the picture."""
FIRST_NUMBER = 1_000_000
"""Numbers of boxes begin here: no data set has so many classes."""
TRAIL = "mmdet2tflite_trail"

type Picture = NDArray[np.uint8]
type Box = NDArray[np.float32]
type Boxes = dict[tuple[int, int], Box]
"""Number of the box, and how often it occurred before (a cache may bring it again) → x1 y1 x2 y2.
"""


@dataclass
class Tally:
    """Boxes that a transform was given and gave, and what became of the others, over all calls."""

    name: str
    calls: int = 0
    given: int = 0
    new: int = 0
    left: int = 0
    vanished: int = 0
    small: int = 0
    cut: int = 0
    kept: int = 0


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture (H x W x 3, BGR) as a transform left it, its boxes in pixels, and their labels."""

    step: str
    picture: Picture
    boxes: NDArray[np.float32]
    labels: list[int]

    def __deepcopy__(self, memo: Any) -> "Seen":
        return self  # it never changes, and mmdet copies a sample before every transform


@dataclass
class Register:
    """The label behind the number of each box."""

    labels: list[int] = field(default_factory=list)

    def number(self, results: dict[str, Any]) -> None:
        """Give every box that has none a number, in place of its label."""
        if "gt_bboxes_labels" not in results:
            return
        found = results["gt_bboxes_labels"]
        fresh = np.flatnonzero(found < FIRST_NUMBER)
        first = FIRST_NUMBER + len(self.labels)
        self.labels += found[fresh].tolist()
        results["gt_bboxes_labels"] = found.copy()
        results["gt_bboxes_labels"][fresh] = np.arange(first, first + len(fresh))

    def label(self, number: int) -> int:
        """The label that a box came with."""
        return self.labels[number - FIRST_NUMBER]


class Watched:
    """A transform that does what it did, and tells what it does to the boxes."""

    def __init__(self, transform: Any, register: Register) -> None:
        self.tally = Tally(type(transform).__name__)
        self._transform, self._register = transform, register

    def __getattr__(self, name: str) -> Any:
        # mmdet asks a transform whether it has ``get_indexes``.
        return getattr(self._transform, name)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Run the transform. Raises what it raises."""
        given, trail = boxes_of(results), results.get(TRAIL, ())
        moved = self._without_edges(results) if given else {}
        result: dict[str, Any] | None = self._transform(results)
        self.tally.calls += 1
        if result is None:
            self._count(given, {}, moved, (0, 0))
            return None
        self._register.number(result)
        kept, picture = boxes_of(result), picture_of(result)
        self._count(given, kept, moved, picture.shape[:2])
        boxes = np.array(list(kept.values()), np.float32).reshape(-1, 4)
        labels = [self._register.label(number) for number, _ in kept]
        result[TRAIL] = (*trail, Seen(self.tally.name, picture, boxes, labels))
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
        taken = given | moved  # boxes of pictures that were mixed in are in ``moved`` only
        fates = Counter(self._fate(key, taken, kept, moved, shape) for key in taken)
        self.tally.given += len(taken)
        self.tally.new += len(kept.keys() - taken.keys())
        self.tally.kept += len(kept)
        for fate in ("left", "vanished", "small", "cut"):
            setattr(self.tally, fate, getattr(self.tally, fate) + fates[fate])

    def _fate(
        self, key: tuple[int, int], taken: Boxes, kept: Boxes, moved: Boxes, shape: tuple[int, ...]
    ) -> str:
        box = taken[key]
        inside = visible_share(box, shape) >= VISIBLE
        if key in kept:
            return "kept" if inside else "cut"  # rule 4
        limit = getattr(self._transform, "min_gt_bbox_wh", None)
        if limit and (box[2:] - box[:2] <= limit).any():
            return "small"  # rule 2
        return "vanished" if key in moved and inside else "left"  # rules 3 and 1


def watch(dataset: Any, register: Register) -> list[Watched]:
    """Replace the transforms of a data set, and of those that it wraps, by watched ones, in place.

    Returns:
        The watched transforms in the order in which an image goes through them.
    """
    inner = [dataset.dataset] if hasattr(dataset, "dataset") else getattr(dataset, "datasets", [])
    found = [step for child in inner for step in watch(child, register)]
    pipeline = getattr(dataset, "pipeline", None)
    if pipeline is not None:
        steps = pipeline if isinstance(pipeline, list) else pipeline.transforms
        steps[:] = [Watched(step, register) for step in steps]
        found += steps
    return found


def visible_share(box: Box, shape: tuple[int, ...]) -> float:
    """The part of a box's area that lies in a picture of this height and width; 1 for no area."""
    area = np.prod(box[2:] - box[:2])
    inside = np.clip(box, 0, [shape[1], shape[0]] * 2)
    return float(np.prod(inside[2:] - inside[:2]) / area) if area > 0 else 1.0


def boxes_of(results: Mapping[str, Any]) -> Boxes:
    """The boxes of a sample, packed or not, that a loss would look at, by their numbers."""
    if "data_samples" in results:
        instances = results["data_samples"].gt_instances
        boxes, numbers = get_box_tensor(instances.bboxes), instances.labels.tolist()
        return _by_number(boxes, numbers)
    if "gt_bboxes" not in results or "gt_bboxes_labels" not in results:
        return {}
    boxes, numbers = get_box_tensor(results["gt_bboxes"]), results["gt_bboxes_labels"]
    counted = ~np.asarray(results.get("gt_ignore_flags", np.zeros(len(numbers), bool)))
    return _by_number(boxes[torch.from_numpy(counted)], numbers[counted].tolist())


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

    A class of boxes of our own would not do: pictures from a transform's cache bring mmdet's.
    """
    clip, is_inside = HorizontalBoxes.clip_, HorizontalBoxes.is_inside
    HorizontalBoxes.clip_ = lambda boxes, img_shape: None
    HorizontalBoxes.is_inside = lambda boxes, *_, **__: torch.ones(len(boxes), dtype=torch.bool)
    try:
        yield
    finally:
        HorizontalBoxes.clip_, HorizontalBoxes.is_inside = clip, is_inside
