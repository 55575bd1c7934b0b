"""Pascal VOC: one XML file per image, read strictly and brought into COCO's form.

Rules:

1. A name of the image set stands for ``<annotations>/<name>.xml`` and for the one image of that
   name, whatever its suffix, in ``<images>``. The XML's own ``filename``, ``folder`` and ``path``
   are not used: they are often those of another machine.
2. A box has its edges at ``xmin - first_pixel``, ``ymin - first_pixel``, ``xmax`` and ``ymax``.
   Pascal VOC counts pixels from 1 and includes the last one, so pixel 1 to 1 is the interval 0 to 1
   (``first_pixel: 1``); many annotation tools write the edges themselves (``first_pixel: 0``).
3. A box whose corners have the same x or y is a stray click, and has no area in either reading.
4. ``difficult`` objects are crowds: not learnt, and no detection of one is a mistake.
5. The classes are the names that objects have. Their ids follow the names' alphabetical order.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html describes the format.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from mmdet2tflite.config.dataset import VocData, VocSplit
from mmdet2tflite.data.coco import Unchecked, allowed
from mmdet2tflite.data.files import (
    MOST_TEXT,
    SplitName,
    absolute,
    images_by_name,
    real,
    where_outside,
)
from mmdet2tflite.data.labelled import LabelledImage, LabelledObject, as_coco
from mmdet2tflite.data.problems import Findings
from mmdet2tflite.files.regular_file import read_user_file, read_user_text

MOST_DIGITS = 9
"""Of a size in pixels."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class _Object:
    """``corners``: ``CORNERS``, as the file has them. ``place``: file and number of the object."""

    name: str
    corners: tuple[float, ...]
    difficult: bool
    place: str


@dataclass(frozen=True)
class _Labels:
    """One XML file. ``size``: width and height, None where it gives none."""

    size: tuple[int | None, int | None]
    objects: tuple[_Object, ...]


def read(config: VocData, split: SplitName, findings: Findings) -> Unchecked | None:
    """Read a split; None if it cannot be used, and then ``findings`` say why."""
    annotations, images = _folders(config, split)
    names = _names(config, split, findings)
    if names is None:
        return None
    candidates = images_by_name(images)
    found: list[LabelledImage] = []
    within = allowed(images, config)
    for name in names:
        labels = _read_xml(annotations / f"{name}.xml", [*real([annotations]), *within], findings)
        if len(candidates[name]) > 1:
            message = f"{' and '.join(candidates[name])} have that name: whose boxes are they?"
            findings.add("ambiguous_image", f"{name}.xml", message)
        elif labels is not None:
            file = candidates[name][0] if candidates[name] else f"{name}.jpg"
            found.append(_labelled(file, labels, config.first_pixel))
            for item in labels.objects:
                _check_first_pixel(item, config.first_pixel, findings)
    return as_coco(found, images, within)


def files(config: VocData, split: SplitName) -> list[Path]:
    """The image set, the XML files and the images, as far as they can be found; no check."""
    annotations, images = _folders(config, split)
    names = _names(config, split, Findings("")) or []
    candidates = images_by_name(images)
    image_set = _part(config, split).image_set
    return [
        *([_root(config) / image_set] if image_set else []),
        *(annotations / f"{name}.xml" for name in names),
        *(images / file for name in names for file in candidates[name]),
    ]


def _labelled(file: str, labels: _Labels, first_pixel: Literal[0, 1]) -> LabelledImage:
    objects = tuple(
        LabelledObject(each.name, to_bbox(each.corners, first_pixel), each.difficult, each.place)
        for each in labels.objects
    )
    return LabelledImage(file, objects, labels.size)


def to_bbox(
    corners: Sequence[float], first_pixel: Literal[0, 1]
) -> tuple[float, float, float, float]:
    """``xmin, ymin, xmax, ymax`` → x, y, width, height in pixels from 0 (rules 2 and 3)."""
    left, top, right, bottom = corners
    x, y = left - first_pixel, top - first_pixel
    width = right - (x if right > left else left)
    height = bottom - (y if bottom > top else top)
    return x, y, width, height


def _check_first_pixel(item: _Object, first_pixel: Literal[0, 1], findings: Findings) -> None:
    smallest = min(item.corners[:2])
    if 0 <= smallest < first_pixel:
        message = f"a corner at {smallest:g} counts from 0: --set dataset.first_pixel=0"
        findings.add("first_pixel", item.place, message)


def _names(config: VocData, split: SplitName, findings: Findings) -> list[str] | None:
    """Names of the split's images without suffix; None if there are none, and findings say why."""
    image_set = _part(config, split).image_set
    if image_set is None:
        folder = _folders(config, split)[0]
        names = sorted(file.stem for file in folder.glob("*.xml"))
        if not names:
            findings.add("missing_annotations", folder.name, f"{folder} has no XML files")
        return names or None
    path = _root(config) / image_set
    try:
        lines = read_user_text(path, MOST_TEXT).splitlines()
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
        return None
    except ValueError:
        findings.add("not_voc", path.name, f"{path} is no text in UTF-8")
        return None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        findings.add("missing_annotations", path.name, f"{path} names no image")
    return names or None


def _read_xml(path: Path, within: Sequence[Path], findings: Findings) -> _Labels | None:
    """Read one file; None if its form is wrong, and then ``findings`` say how."""
    if place := where_outside(path, within):
        findings.add("outside_folder", path.name, place)
        return None
    try:
        root: Element[str] = fromstring(read_user_file(path, MOST_TEXT))
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
        return None
    except DefusedXmlException:
        findings.add("corrupt_xml", path.name, "it declares entities, which are not read")
        return None
    except (ParseError, LookupError, ValueError) as error:  # the last two: an unknown encoding
        findings.add("corrupt_xml", path.name, str(error))  # "…: line 3, column 5"
        return None
    if root.tag != "annotation":
        findings.add("not_voc", path.name, f"the root is <{root.tag}>, not <annotation>")
        return None
    try:
        return _Labels(_size(root), tuple(_objects(root, path.name)))
    except ValueError as error:
        findings.add("not_voc", *error.args)
        return None


def _objects(root: Element, file: str) -> Iterable[_Object]:
    """Every object of a file. Raises ValueError(place, message)."""
    for number, element in enumerate(root.iterfind("object"), start=1):
        place = f"{file}, object {number}"
        name = _text(element, "name", place)
        corners = tuple(_number(element, f"bndbox/{corner}", place) for corner in CORNERS)
        difficult = element.findtext("difficult", "0").strip()
        if difficult not in ("0", "1"):
            raise ValueError(place, f"difficult is '{difficult}', neither 0 nor 1")
        yield _Object(name, corners, difficult == "1", place)


def _size(root: Element) -> tuple[int | None, int | None]:
    """Width and height, two None where there is no size; 0, no image's, for what is no number."""
    if root.find("size") is None:
        return None, None
    texts = [root.findtext(f"size/{side}", "").strip() for side in ("width", "height")]
    width, height = (
        int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else 0 for text in texts
    )
    return width, height


def _number(element: Element, path: str, place: str) -> float:
    text = _text(element, path, place)
    try:
        return float(text)
    except ValueError:
        raise ValueError(place, f"{path} is '{text}', no number") from None


def _text(element: Element, path: str, place: str) -> str:
    text = element.findtext(path, "").strip()
    if not text:
        raise ValueError(place, f"there is no {path}")
    return text


def _root(config: VocData) -> Path:
    return absolute(config.root)


def _part(config: VocData, split: SplitName) -> VocSplit:
    part: VocSplit = getattr(config, split)
    return part


def _folders(config: VocData, split: SplitName) -> tuple[Path, Path]:
    """Absolute folders of a split's XML files and images."""
    part = _part(config, split)
    return _root(config) / part.annotations, Path(os.path.realpath(_root(config) / part.images))
