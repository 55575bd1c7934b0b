"""Formats with a file for each image that names its objects' classes: what the readers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdet2tflite.data.coco import Annotation, Category, Coco, Image, Unchecked
from mmdet2tflite.data.quadrangles import Corners

type Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class LabelledObject:
    """One object. ``box``: x, y, width, height in pixels; ``place``: its file, and where in it.

    A ``difficult`` one is a crowd: not learnt, and no detection of one is a mistake.
    """

    name: str
    box: Box
    difficult: bool
    place: str
    corners: Corners | None = None


@dataclass(frozen=True)
class LabelledImage:
    """``file`` in the split's folder; ``size``: width and height, None where none is given."""

    file: str
    objects: tuple[LabelledObject, ...]
    size: tuple[int | None, int | None] = (None, None)


def as_coco(labelled: Sequence[LabelledImage], folder: Path, within: tuple[Path, ...]) -> Unchecked:
    """A split in COCO's form. Classes are numbered in the alphabetical order of their names."""
    names = sorted({item.name for image in labelled for item in image.objects})
    categories = tuple(Category(id=number, name=name) for number, name in enumerate(names, start=1))
    ids = {category.name: category.id for category in categories}
    images: list[Image] = []
    annotations: list[Annotation] = []
    places: dict[int, str] = {}
    for image_id, image in enumerate(labelled, start=1):
        width, height = image.size
        images.append(Image(id=image_id, file_name=image.file, width=width, height=height))
        for item in image.objects:
            annotation = Annotation(
                id=len(annotations) + 1,
                image_id=image_id,
                category_id=ids[item.name],
                bbox=item.box,
                iscrowd=int(item.difficult),
                corners=item.corners,
            )
            annotations.append(annotation)
            places[annotation.id] = item.place
    coco = Coco(images=tuple(images), annotations=tuple(annotations), categories=categories)
    return Unchecked(coco, folder, within, places)
