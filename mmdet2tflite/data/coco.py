"""COCO, the form that every data set is brought into: read, related to class indices, written.

Class ids are indices from 0 in the order of the classes. Image ids are kept. Annotation ids are
kept as well, unless one is below 1 or there twice: pycocotools takes 0 for "not matched".
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mmdet2tflite.data.config import CocoData
from mmdet2tflite.data.files import SplitName
from mmdet2tflite.data.problems import Findings


class _Entry(BaseModel):
    """Part of a COCO json; what a detector has no use for (licences, outlines) is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Image(_Entry):
    """``width`` and ``height`` in pixels, as the json has them."""

    id: int
    file_name: str
    width: int | None = None
    height: int | None = None


class Annotation(_Entry):
    """``bbox``: x, y of the top-left corner, width, height, in pixels. ``area``: of the outline."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: int = 0


class Category(_Entry):
    """A class; ``id`` is any number that annotations refer to."""

    id: int
    name: str


class Coco(_Entry):
    """One COCO json."""

    images: tuple[Image, ...]
    annotations: tuple[Annotation, ...]
    categories: tuple[Category, ...]

    @property
    def boxes(self) -> int:
        """Number of boxes that are learnt and evaluated: all but those of crowds."""
        return sum(not annotation.iscrowd for annotation in self.annotations)


@dataclass(frozen=True)
class Unchecked:
    """A split as its files describe it.

    Args:
        coco: images and boxes.
        folder: absolute; what the ``file_name`` entries are relative to.
        places: annotation id → file and line or object, where ids are ours and not the user's.
        normalised: boxes are in fractions of the image's sides.
    """

    coco: Coco
    folder: Path
    places: Mapping[int, str] = field(default_factory=dict)
    normalised: bool = False


def read(config: CocoData, split: SplitName, findings: Findings) -> Unchecked | None:
    """Read a split; None if it cannot be used, and then ``findings`` say why."""
    path, folder = _paths(config, split)
    coco = read_coco(path, findings)
    return None if coco is None else Unchecked(coco, folder)


def files(config: CocoData, split: SplitName) -> list[Path]:
    """The json and the images that it names, as far as it can be read; no check."""
    path, folder = _paths(config, split)
    coco = read_coco(path, Findings(""))
    return [path, *(folder / image.file_name for image in coco.images)] if coco else [path]


def read_coco(path: Path, findings: Findings) -> Coco | None:
    """Read a COCO json; None if its form is wrong, and then ``findings`` say how."""
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
        return None
    except ValueError as error:
        findings.add("corrupt_json", path.name, f"{path} is not JSON: {error}")
        return None
    try:
        return Coco.model_validate(values)
    except ValidationError as error:
        for message in wrong_entries(error):
            findings.add("not_coco", path.name, message)
        return None


def wrong_entries(error: ValidationError) -> list[str]:
    """What is wrong with which key, one line each."""
    return [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}".removeprefix(": ")
        for item in error.errors(include_url=False, include_input=False)
    ]


def relate_to_classes(coco: Coco, classes: Sequence[str]) -> Coco:
    """Keep the annotations of ``classes`` with their indices as category ids."""
    index = {name: number for number, name in enumerate(classes)}
    known = {
        category.id: index[category.name] for category in coco.categories if category.name in index
    }
    annotations = tuple(
        annotation.model_copy(update={"category_id": known[annotation.category_id]})
        for annotation in coco.annotations
        if annotation.category_id in known
    )
    ids = Counter(annotation.id for annotation in annotations)
    if min(ids, default=1) < 1 or len(ids) < len(annotations):
        annotations = tuple(
            annotation.model_copy(update={"id": number})
            for number, annotation in enumerate(annotations, start=1)
        )
    categories = tuple(Category(id=number, name=name) for name, number in index.items())
    return Coco(images=coco.images, annotations=annotations, categories=categories)


def write_coco(coco: Coco, path: Path) -> None:
    """Write a COCO json; an ``area`` that the source did not give is the box's."""
    values = coco.model_dump()
    for annotation in values["annotations"]:
        if annotation["area"] is None or not math.isfinite(annotation["area"]):
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    path.write_text(json.dumps(values), encoding="utf-8")


def _paths(config: CocoData, split: SplitName) -> tuple[Path, Path]:
    """Absolute paths of a split's json and image folder."""
    root, part = config.root.expanduser().absolute(), getattr(config, split)
    return root / part.annotations, (root / part.images).resolve()
