"""The classes of a detector and those of a data set that it was not made with, by their names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdet2tflite.errors import DataError
from mmdet2tflite.safe_text import shortened


@dataclass(frozen=True)
class Labelled:
    """A COCO json whose category ids are a detector's labels.

    ``without_boxes`` are classes of the detector of which the images have none.
    """

    annotations: dict[str, Any]
    without_boxes: tuple[str, ...]


def label_as(annotations: Mapping[str, Any], classes: Sequence[str]) -> Labelled:
    """Give the boxes of a data set the labels of a detector.

    1. Classes are the same if their names are, whatever their order.
    2. A class that has boxes is one of the detector's: it could not find them otherwise.
    3. The detector may know more classes. There is no average precision of one without boxes, and
       a detection of it is a mistake as any other is.

    Args:
        annotations: a COCO json.
        classes: the detector's, by label.

    Raises:
        DataError: rule 2.
    """
    labels = {name: label for label, name in enumerate(classes)}
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    with_boxes = {names[entry["category_id"]] for entry in annotations["annotations"]}
    unknown = [name for name in names.values() if name in with_boxes and name not in labels]
    if unknown:
        raise _not_matched(unknown, [name for name in labels if name in with_boxes], classes)
    entries = [
        {**entry, "category_id": labels[names[entry["category_id"]]]}
        for entry in annotations["annotations"]
    ]
    categories = [{"id": label, "name": name} for name, label in labels.items()]
    return Labelled(
        {**annotations, "annotations": entries, "categories": categories},
        tuple(name for name in labels if name not in with_boxes),
    )


def _not_matched(
    unknown: Sequence[str], common: Sequence[str], classes: Sequence[str]
) -> DataError:
    remedy = "rename the classes in the annotations if the same things are meant"
    if common:
        remedy += f", or leave the others out: --set dataset.classes=[{','.join(common)}]"
    return DataError(
        f"the data set has boxes of {_listed(unknown)}, which the detector does not know",
        f"classes of the passport: {_listed(classes)}",
        remedy,
    )


def _listed(names: Iterable[str]) -> str:
    return shortened(", ".join(map(repr, names)), 400)
