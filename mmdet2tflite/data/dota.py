"""DOTA: a text file per image with quadrangles, read strictly and brought into COCO's form.

Rules:

1. Every ``<annotations>/<name>.txt`` describes the one image of that name, whatever its suffix, in
   ``<images>``. An image without a text file is not part of the split.
2. Up to two lines at the beginning say where the image is from (``imagesource:…``, ``gsd:…``).
3. Any other line is ``x1 y1 x2 y2 x3 y3 x4 y4 category difficult``: corners in pixels, in an order
   that walks around the object. It stands for the rectangle of least area around it.
4. ``difficult`` objects (1 or 2) are crowds: not learnt, and no detection of one is a mistake.
5. The classes are the names that objects have. Their ids follow the names' alphabetical order.

https://captain-whu.github.io/DOTA/dataset.html describes the format.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdet2tflite.config.dataset import DotaData
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
from mmdet2tflite.data.quadrangles import Corners, bounds, points_of
from mmdet2tflite.files.regular_file import read_user_text

HEADERS = ("imagesource:", "gsd:")
NUMBERS, COLUMNS = 8, 10
DIFFICULT = ("0", "1", "2")


def read(config: DotaData, split: SplitName, findings: Findings) -> Unchecked | None:
    """Read a split; None if it cannot be used, and then ``findings`` say why."""
    annotations, folder = _folders(config, split)
    texts = _texts(annotations)
    if not texts:
        message = f"{annotations} has no text files"
        findings.add("missing_annotations", annotations.name, message)
        return None
    candidates = images_by_name(folder)
    within = allowed(folder, config)
    found: list[LabelledImage] = []
    for text in texts:
        objects = _read_text(text, [*real([annotations]), *within], findings)
        images = candidates[text.stem]
        if len(images) > 1:
            message = f"{' and '.join(images)} have that name: whose boxes are they?"
            findings.add("ambiguous_image", text.name, message)
        else:
            file = images[0] if images else f"{text.stem}.png"
            found.append(LabelledImage(file, objects))
    return as_coco(found, folder, within)


def files(config: DotaData, split: SplitName) -> list[Path]:
    """The text files and the images, as far as they can be found; no check."""
    annotations, folder = _folders(config, split)
    texts, candidates = _texts(annotations), images_by_name(folder)
    return [*texts, *(folder / file for text in texts for file in candidates[text.stem])]


def parse_line(line: str) -> tuple[Corners, str, bool]:
    """Read an object (rules 3 and 4): its corners, its class, and whether it is difficult.

    Raises:
        ValueError: what is wrong with it.
    """
    texts = line.split()
    if len(texts) != COLUMNS:
        raise ValueError(
            f"{len(texts)} fields for {COLUMNS}: four corners (x and y each), category, difficult"
        )
    try:
        corners = tuple(float(text) for text in texts[:NUMBERS])
    except ValueError:
        raise ValueError(f"the corners '{' '.join(texts[:NUMBERS])}' are no numbers") from None
    if texts[-1] not in DIFFICULT:
        raise ValueError(f"difficult is '{texts[-1]}', none of {', '.join(DIFFICULT)}")
    return corners, texts[NUMBERS], texts[-1] != "0"


def _read_text(
    path: Path, within: Sequence[Path], findings: Findings
) -> tuple[LabelledObject, ...]:
    """The objects of every line that can be read; findings say which cannot."""
    if place := where_outside(path, within):
        findings.add("outside_folder", path.name, place)
        return ()
    try:
        lines = read_user_text(path, MOST_TEXT).splitlines()
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
        return ()
    except ValueError:
        findings.add("not_dota", path.name, f"{path} is no text in UTF-8")
        return ()
    return tuple(_objects(lines, path.name, findings))


def _objects(lines: Sequence[str], file: str, findings: Findings) -> Iterable[LabelledObject]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number <= len(HEADERS) and line.lower().startswith(HEADERS)):
            continue
        place = f"{file}, line {number}"
        try:
            corners, name, difficult = parse_line(line)
        except ValueError as error:
            findings.add("not_dota", place, str(error))
        else:
            yield LabelledObject(name, bounds(points_of(corners)), difficult, place, corners)


def _texts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.txt"))


def _folders(config: DotaData, split: SplitName) -> tuple[Path, Path]:
    """Absolute folders of a split's text files and images."""
    root, part = absolute(config.root), getattr(config, split)
    return root / part.annotations, Path(os.path.realpath(root / part.images))
