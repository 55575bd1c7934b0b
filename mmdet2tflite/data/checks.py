"""Validation of a data set before training: finds what is wrong and mends what can be mended.

Rules, in this order:

1. An image id names one image: an entry that is there twice is left out the second time
   (``duplicate_id``); two files under one id make their boxes ambiguous (``ambiguous_id``).
2. Every image file lies in the data set's folders (``outside_folder``), is there
   (``missing_file``), decodes (``undecodable``) and has the size that
   the labels give, if any (``size``). An image that fails is left out with its boxes.
3. A box belongs to an image (``unknown_image``) and a category (``unknown_category``) of its split,
   and its annotation id is its own (``duplicate_id``).
4. A box is finite (``non_finite``), has an area (``zero_area``) and lies inside the image but for
   ``ROUNDING`` pixels (``outside``). A quadrangle does not cross itself (``self_crossing``) either;
   what is left of it inside the image becomes the smallest rectangle around it.
5. The splits agree on the classes (``classes.py``).
6. No picture is in a split twice (``duplicate_file``) or in both (``leak``): warnings.
7. What is left has images and boxes in both splits (``empty``).

Everything is mended as if it were allowed to be; ``report_problems`` decides whether it is.
"""

import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from mmdet2tflite.config.base import Size
from mmdet2tflite.data.coco import Annotation, Coco, Image, Unchecked
from mmdet2tflite.data.files import where_outside
from mmdet2tflite.data.looks import look_of
from mmdet2tflite.data.problems import Findings
from mmdet2tflite.data.quadrangles import (
    bounds,
    clip,
    crosses_itself,
    points_of,
    smallest_rectangle,
)
from mmdet2tflite.errors import DataError
from mmdet2tflite.files.image_file import decode_image, read_image_file
from mmdet2tflite.stage import Job

ROUNDING = 1.0
"""Pixels by which a box may leave its image: annotation tools round."""


@dataclass(frozen=True)
class Picture:
    """What is behind a file name: a picture of ``size`` (width, height), or a flaw.

    ``look``: ``looks.look_of`` it.
    """

    sha256: str = ""
    size: Size = (0, 0)
    look: int | None = None
    flaw: Literal["outside_folder", "missing_file", "undecodable"] | None = None
    message: str = ""


@dataclass(frozen=True)
class Checked:
    """A split as it is after mending. ``pictures`` belong to ``coco.images``, in their order."""

    coco: Coco
    pictures: tuple[Picture, ...]


class Place(NamedTuple):
    """Where an annotation stands: ``file`` with its line or object, or the json's ``id``."""

    file: str
    id: int | None


def check_split(part: Unchecked, findings: Findings, job: Job) -> Checked:
    """Check one split against its image files (rules 1 to 4).

    Args:
        job: how long reading all images may take, and who hears of its progress.

    Raises:
        DataError: it took longer.
    """
    entries = _distinct_images(part.coco.images, findings)
    paths = [part.folder / image.file_name for image in entries]
    found = look_at_pictures(paths, part.allowed, job)
    sound = list(_sound_images(zip(entries, found, strict=True), findings))
    images = tuple(image for image, _ in sound)
    annotations = tuple(_sound_annotations(part, sound, findings))
    mended = Coco(images=images, annotations=annotations, categories=part.coco.categories)
    return Checked(mended, tuple(picture for _, picture in sound))


def look_at_pictures(paths: Sequence[Path], allowed: Sequence[Path], job: Job) -> list[Picture]:
    """Read and decode every file, on all cores. Raises DataError when the time is up.

    Args:
        allowed: folders that the files must lie in, as ``files.real`` gives them.
    """
    look = partial(_look_at, allowed=allowed)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        pictures = []
        for picture in pool.map(look, paths, timeout=job.timeout):
            pictures.append(picture)
            progress = {"completed": len(pictures), "total": len(paths)}
            job.on_progress({"description": "reading images", **progress})
        return pictures
    except TimeoutError:
        raise DataError(
            f"reading {len(paths)} images took longer than {job.timeout:g} s",
            "all images read by then",
            "check the disk or network they lie on, or raise timeouts.dataset",
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def check_repeated_pictures(parts: Mapping[str, Checked], findings: Mapping[str, Findings]) -> None:
    """Find files with the same content, whatever their names (rule 6)."""
    seen: dict[str, tuple[str, str]] = {}
    for split, part in parts.items():
        for image, picture in zip(part.coco.images, part.pictures, strict=True):
            if picture.sha256 not in seen:
                seen[picture.sha256] = (split, image.file_name)
                continue
            other_split, other = seen[picture.sha256]
            findings[split].add(
                "duplicate_file" if other_split == split else "leak",
                image.file_name,
                f"the same picture as {other} of {other_split}",
                image.id,
            )


def check_not_empty(parts: Mapping[str, Coco], findings: Mapping[str, Findings]) -> None:
    """Find splits in which nothing is left (rule 7)."""
    for split, coco in parts.items():
        if not coco.images:
            findings[split].add("empty", "images", "there are no images")
        elif not coco.boxes:
            findings[split].add("empty", "annotations", "there are no boxes of the classes")


def _distinct_images(images: Iterable[Image], findings: Findings) -> list[Image]:
    first: dict[int, Image] = {}
    for image in images:
        if image.id not in first:
            first[image.id] = image
        elif first[image.id].file_name == image.file_name:
            findings.add("duplicate_id", image.file_name, "the image is listed twice", image.id)
        else:
            message = f"{first[image.id].file_name} has the same id: whose boxes are they?"
            findings.add("ambiguous_id", image.file_name, message, image.id)
    return list(first.values())


def _look_at(path: Path, allowed: Sequence[Path]) -> Picture:
    if place := where_outside(path, allowed):
        return Picture(flaw="outside_folder", message=place)
    try:
        content = read_image_file(path)
        pixels = decode_image(content)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        if "\\" in path.name:
            message += " (folders are separated by /)"
        return Picture(flaw="missing_file", message=message)
    except DataError as error:
        return Picture(flaw="undecodable", message=f"{error.found}; {error.remedy}")
    height, width = pixels.shape[:2]
    return Picture(hashlib.sha256(content).hexdigest(), (width, height), look_of(pixels))


def _sound_images(
    images: Iterable[tuple[Image, Picture]], findings: Findings
) -> Iterable[tuple[Image, Picture]]:
    """Images that can be used, with the size that they have (rule 2)."""
    for image, picture in images:
        if picture.flaw:
            findings.add(picture.flaw, image.file_name, picture.message, image.id)
            continue
        width, height = picture.size
        if (image.width, image.height) not in (picture.size, (None, None)):
            message = f"the labels say {image.width}x{image.height}, the file is {width}x{height}"
            if (image.height, image.width) == picture.size:
                message += " (turned by its EXIF orientation?)"
            findings.add("size", image.file_name, message, image.id)
        yield image.model_copy(update={"width": width, "height": height}), picture


def _sound_annotations(
    part: Unchecked, images: Iterable[tuple[Image, Picture]], findings: Findings
) -> Iterable[Annotation]:
    """Annotations that can be used, their boxes in pixels and clipped (rules 3 and 4)."""
    coco = part.coco
    usable = {image.id: (image.file_name, picture.size) for image, picture in images}
    listed = {image.id for image in coco.images}
    categories = {category.id for category in coco.categories}
    ids: set[int] = set()
    for annotation in coco.annotations:
        if annotation.image_id not in listed:
            message = f"there is no image {annotation.image_id}"
            findings.add("unknown_image", "annotations", message, annotation.id)
            continue
        if annotation.image_id not in usable:
            continue  # left out with its image, which was reported
        file, size = usable[annotation.image_id]
        place = _place(part, annotation, file)
        if annotation.category_id not in categories:
            message = f"there is no category {annotation.category_id}"
            findings.add("unknown_category", place.file, message, place.id)
            continue
        if annotation.id in ids:
            message = "another annotation has the same id"
            findings.add("duplicate_id", place.file, message, place.id)
        ids.add(annotation.id)
        if part.normalised:
            annotation = _in_pixels(annotation, size)
        check = _sound_box if annotation.corners is None else _sound_quadrangle
        mended = check(annotation, place, size, findings)
        if mended is not None:
            yield mended


def _place(part: Unchecked, annotation: Annotation, file: str) -> Place:
    if annotation.id in part.places:
        return Place(part.places[annotation.id], None)
    return Place(file, annotation.id)


def _in_pixels(annotation: Annotation, size: Size) -> Annotation:
    x, y, width, height = annotation.bbox
    box = (x * size[0], y * size[1], width * size[0], height * size[1])
    return annotation.model_copy(update={"bbox": box})


def _sound_box(
    annotation: Annotation, place: Place, size: Size, findings: Findings
) -> Annotation | None:
    x, y, width, height = annotation.bbox
    box = f"box [{x:g}, {y:g}, {width:g}, {height:g}]"
    if not all(map(math.isfinite, annotation.bbox)):
        findings.add("non_finite", place.file, box, place.id)
        return None
    if width <= 0 or height <= 0:
        findings.add("zero_area", place.file, box, place.id)
        return None
    right, bottom = x + width, y + height
    left, top = max(x, 0.0), max(y, 0.0)
    width, height = min(right, size[0]) - left, min(bottom, size[1]) - top
    overhang = max(-x, -y, right - size[0], bottom - size[1])
    visible = width > 0 and height > 0
    if visible and overhang <= ROUNDING:
        return annotation
    message = f"{box} leaves the image of {size[0]}x{size[1]}"
    findings.add("outside", place.file, message, place.id)
    clipped = {"bbox": (left, top, width, height), "area": width * height}
    return annotation.model_copy(update=clipped) if visible else None


def _sound_quadrangle(
    annotation: Annotation, place: Place, size: Size, findings: Findings
) -> Annotation | None:
    assert annotation.corners is not None
    points = points_of(annotation.corners)
    described = f"corners [{', '.join(f'({x:g}, {y:g})' for x, y in points)}]"
    if not np.isfinite(points).all():
        findings.add("non_finite", place.file, described, place.id)
        return None
    if smallest_rectangle(points)[1] <= 0:
        findings.add("zero_area", place.file, described, place.id)
        return None
    if crosses_itself(points):
        findings.add("self_crossing", place.file, described, place.id)
    overhang = max(-points.min(), *(points - size).max(axis=0))
    if overhang > ROUNDING:
        message = f"{described} leave the image of {size[0]}x{size[1]}"
        findings.add("outside", place.file, message, place.id)
        points = clip(points, *size)
        if not len(points):
            return None
    corners, area = smallest_rectangle(points)
    if area <= 0:
        return None
    update = {"corners": corners, "bbox": bounds(points), "area": area}
    return annotation.model_copy(update=update)
