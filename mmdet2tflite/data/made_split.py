"""The split that is made where a data set has none (``dataset.split``).

Rules:

1. What ``grouping`` says stays together is dealt as one.
2. The groups are shuffled by the seed. Pictures are what counts: ``val`` of them, rounded, at least
   one, and not all.
3. First, a class after the other from the rarest one, a group that shows it goes to ``val`` if none
   does yet and another one is left to learn from. Then the groups in their order, as long as they
   fit. There is no other stratification: chance alone shares common classes out well.
4. A group is never torn. So there can be fewer pictures in ``val`` than was asked for; there are
   never more, unless the smallest group is larger.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from mmdet2tflite.config.dataset import MadeSplit
from mmdet2tflite.data.checks import Checked
from mmdet2tflite.data.coco import Coco
from mmdet2tflite.data.grouping import Seen, group
from mmdet2tflite.data.problems import Findings
from mmdet2tflite.errors import DataError


def make_split(part: Checked, settings: MadeSplit) -> tuple[dict[str, Checked], dict[str, float]]:
    """Divide a checked source into ``train`` and ``val``.

    Returns:
        The two parts, their pictures in the order of the source; and metrics: ``split.groups``
        of more than one picture, and the pictures of the largest one (``split.largest_group``).

    Raises:
        DataError: all pictures stay together, or there is only one.
    """
    groups = group(seen(part), settings.by)
    if len(groups) < 2:
        raise _cannot_be_parted(len(part.pictures), settings)
    shown = _classes_shown(part.coco)
    chosen = choose(
        [len(each) for each in groups],
        [frozenset().union(*(shown[index] for index in each)) for each in groups],
        settings,
    )
    val = {index for at in chosen for index in groups[at]}
    sizes = [len(each) for each in groups if len(each) > 1]
    metrics = {
        "split.groups": float(len(sizes)),
        "split.largest_group": float(max(sizes, default=1)),
    }
    train = [index for index in range(len(part.pictures)) if index not in val]
    return {"train": _part(part, train), "val": _part(part, sorted(val))}, metrics


def seen(part: Checked) -> list[Seen]:
    """What grouping goes by, in the order of the pictures."""
    return [
        Seen(image.file_name, picture.sha256, picture.look)
        for image, picture in zip(part.coco.images, part.pictures, strict=True)
    ]


def choose(
    sizes: Sequence[int], classes: Sequence[Collection[int]], settings: MadeSplit
) -> set[int]:
    """Indices of the groups that validate (rules 2 to 4).

    Args:
        sizes: pictures of each group; there are at least two groups.
        classes: that each group shows.
    """
    target = min(max(1, round(sum(sizes) * settings.val)), sum(sizes) - 1)
    order = list(range(len(sizes)))
    random.Random(settings.seed).shuffle(order)
    left = Counter(name for each in classes for name in each)  # groups to learn a class from
    chosen: set[int] = set()

    def take(index: int) -> None:
        chosen.add(index)
        left.subtract(classes[index])

    def fits(index: int) -> bool:
        room = target - sum(sizes[each] for each in chosen)
        return index not in chosen and sizes[index] <= room

    def can_go(index: int) -> bool:
        return fits(index) and all(left[name] > 1 for name in classes[index])

    for name, _ in sorted(left.items(), key=lambda item: (item[1], item[0])):
        if not any(name in classes[index] for index in chosen):
            holders = (index for index in order if name in classes[index] and can_go(index))
            if (first := next(holders, None)) is not None:
                take(first)
    for index in order:
        if can_go(index):
            take(index)
    if not chosen:
        chosen.add(min(order, key=lambda index: sizes[index]))
    return chosen


def check_validated(parts: Mapping[str, Coco], findings: Findings) -> None:
    """Find classes that a made validation split has no box of: nothing is measured of them."""
    present = {box.category_id for box in parts["val"].annotations if not box.iscrowd}
    for category in parts["train"].categories:
        if category.id not in present:
            message = "no box of it is in the validation split that was made"
            findings.add("not_validated", category.name, message)


def _cannot_be_parted(pictures: int, settings: MadeSplit) -> DataError:
    remedy = "add pictures, or name a validation split of its own: dataset.val"
    if pictures == 1:
        return DataError("dataset.split: the data set has one picture", "at least two", remedy)
    if settings.by == "group":
        remedy = f"--set dataset.split.by=image parts them all the same; or {remedy}"
    return DataError(
        f"dataset.split: all {pictures} pictures stay together: they look alike, or are the frames "
        "of one video",
        "at least two groups, one to learn from and one to validate with",
        remedy,
    )


def _classes_shown(coco: Coco) -> list[set[int]]:
    shown: dict[int, set[int]] = {image.id: set() for image in coco.images}
    for annotation in coco.annotations:
        if not annotation.iscrowd:
            shown[annotation.image_id].add(annotation.category_id)
    return [shown[image.id] for image in coco.images]


def _part(part: Checked, indices: Sequence[int]) -> Checked:
    images = tuple(part.coco.images[index] for index in indices)
    ids = {image.id for image in images}
    annotations = tuple(each for each in part.coco.annotations if each.image_id in ids)
    coco = Coco.model_construct(
        images=images, annotations=annotations, categories=part.coco.categories
    )
    return Checked(coco, tuple(part.pictures[index] for index in indices))
