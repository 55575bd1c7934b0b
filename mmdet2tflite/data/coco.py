"""COCO, the form that every data set is brought into: read, related to class indices, written.

Class ids are indices from 0 in the order of the classes. Image ids are kept. Annotation ids are
kept as well, unless one is below 1 or there twice: pycocotools takes 0 for "not matched".
"""

import codecs
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from mmdet2tflite.config.dataset import CocoData, DotaData, VocData
from mmdet2tflite.data.files import MOST_JSON, SplitName, absolute, real
from mmdet2tflite.data.problems import Findings
from mmdet2tflite.data.quadrangles import Corners, points_of, smallest_rectangle
from mmdet2tflite.files.regular_file import read_user_file

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""What pycocotools can count with."""


FEWEST = 6
"""Numbers of an outline: three points."""


class _Entry(BaseModel):
    """Part of a COCO json; what a detector has no use for (licences, outlines) is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Image(_Entry):
    """``width`` and ``height`` in pixels, as the json has them."""

    id: Whole
    file_name: str
    width: Whole | None = None
    height: Whole | None = None


class Annotation(_Entry):
    """``bbox``: x, y of the top-left corner, width, height, in pixels. ``area``: of the outline.

    ``corners`` of an oriented object: x and y of each in turn. In a json they are its one outline.
    """

    id: Whole
    image_id: Whole
    category_id: Whole
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: Whole = 0
    corners: Annotated[Corners | None, Field(exclude=True)] = None


class Category(_Entry):
    """A class; ``id`` is any number that annotations refer to."""

    id: Whole
    name: str


class Coco(_Entry):
    """One COCO json. Of many wrong entries, the first of each list is reported."""

    images: Annotated[tuple[Image, ...], FailFast()]
    annotations: Annotated[tuple[Annotation, ...], FailFast()]
    categories: Annotated[tuple[Category, ...], FailFast()]

    @property
    def boxes(self) -> int:
        """Number of boxes that are learnt and evaluated: all but those of crowds."""
        return sum(not annotation.iscrowd for annotation in self.annotations)


class OutlinedAnnotation(Annotation):
    """``segmentation``: x, y, x, y … of one or more outlines. The mask of a crowd is not read."""

    segmentation: list[list[float]] | dict[str, Any] | None = None


class OutlinedCoco(Coco):
    """One COCO json whose outlines are wanted."""

    annotations: Annotated[tuple[OutlinedAnnotation, ...], FailFast()]


@dataclass(frozen=True)
class Unchecked:
    """A split as its files describe it.

    Args:
        coco: images and boxes.
        folder: absolute; what the ``file_name`` entries are relative to.
        allowed: folders that the images must lie in, as ``files.real`` gives them.
        places: annotation id → file and line or object, where ids are ours and not the user's.
        normalised: boxes are in fractions of the image's sides.
    """

    coco: Coco
    folder: Path
    allowed: tuple[Path, ...]
    places: Mapping[int, str] = field(default_factory=dict)
    normalised: bool = False


def read(config: CocoData, split: SplitName, findings: Findings) -> Unchecked | None:
    """Read a split; None if it cannot be used, and then ``findings`` say why."""
    path, folder = _paths(config, split)
    coco = read_coco(path, findings, OutlinedCoco if config.oriented else Coco)
    if coco is None:
        return None
    if isinstance(coco, OutlinedCoco):
        coco = _with_corners(coco, findings)
    return Unchecked(coco, folder, allowed(folder, config))


def allowed(images: Path, config: CocoData | DotaData | VocData) -> tuple[Path, ...]:
    """The split's image folder, what the user calls the data set's root, and what else is named.

    The default root is the whole project, which is nobody's data set.
    """
    roots = [] if config.root == Path() else [absolute(config.root)]
    return real([images, *roots, *map(absolute, config.allowed_folders)])


def files(config: CocoData, split: SplitName) -> list[Path]:
    """The json and the images that it names, as far as it can be read; no check."""
    path, folder = _paths(config, split)
    coco = read_coco(path, Findings(""))
    return [path, *(folder / image.file_name for image in coco.images)] if coco else [path]


def read_coco(path: Path, findings: Findings, form: type[Coco] = Coco) -> Coco | None:
    """Read a COCO json; None if its form is wrong, and then ``findings`` say how."""
    try:
        content = read_user_file(path, MOST_JSON).removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
        return None
    try:
        return form.model_validate_json(content)
    except ValidationError as error:
        is_json = all(item["type"] != "json_invalid" for item in error.errors(include_input=False))
        for message in wrong_entries(error):
            findings.add("not_coco" if is_json else "corrupt_json", path.name, message)
        return None


def _with_corners(coco: OutlinedCoco, findings: Findings) -> Coco:
    """Every annotation with the corners of the smallest rectangle around its outlines.

    That of a crowd is its box: nothing is learnt of it.
    """
    annotations = []
    for given in coco.annotations:
        outlines = given.segmentation
        if given.iscrowd:
            x, y, width, height = given.bbox
            outlines = [[x, y, x + width, y, x + width, y + height, x, y + height]]
        if not isinstance(outlines, list) or not _are_outlines(outlines):
            message = "segmentation is no outline of at least three points"
            findings.add("no_outline", "annotations", message, given.id)
            continue
        corners, _ = smallest_rectangle(points_of([value for each in outlines for value in each]))
        values = {name: getattr(given, name) for name in Annotation.model_fields}
        annotations.append(Annotation.model_construct(**(values | {"corners": corners})))
    return Coco.model_construct(
        images=coco.images, annotations=tuple(annotations), categories=coco.categories
    )


def _are_outlines(outlines: list[list[float]]) -> bool:
    return bool(outlines) and all(
        len(each) >= FEWEST and len(each) % 2 == 0 and all(map(math.isfinite, each))
        for each in outlines
    )


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
    """Write a COCO json; an ``area`` that the source did not give is the box's.

    Corners are written as ``segmentation``: [[x1, y1, x2, y2, x3, y3, x4, y4]].
    """
    values = coco.model_dump()
    for annotation, known in zip(values["annotations"], coco.annotations, strict=True):
        if known.corners is not None:
            annotation["segmentation"] = [list(known.corners)]
        if annotation["area"] is None or not math.isfinite(annotation["area"]):
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    path.write_text(json.dumps(values), encoding="utf-8")


def _paths(config: CocoData, split: SplitName) -> tuple[Path, Path]:
    """Absolute paths of a split's json and image folder."""
    root, part = absolute(config.root), getattr(config, split)
    return root / part.annotations, Path(os.path.realpath(root / part.images))
