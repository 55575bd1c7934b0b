"""``mmdet2tflite detect``: a detector on images, its boxes drawn into copies of them and listed."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ConfigError, ImageError
from mmdet2tflite.evaluate.pictures import Picture, draw
from mmdet2tflite.files.image_file import SUFFIXES
from mmdet2tflite.runtime import Detector, NamedDetections
from mmdet2tflite.runtime.images import images_in, read_image
from mmdet2tflite.safe_text import shortened, visible

LONGEST_NAME = 255
"""Bytes; Linux's file systems take no more."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was found in one image, and the picture that shows it."""

    image: Path
    picture: Path
    found: NamedDetections


def detect_images(detector: Detector, paths: Sequence[Path], out: Path) -> Iterator[Drawn]:
    """Detect in image files and in those of folders, and draw the boxes into copies.

    All paths are checked before the first image is looked at. An image that is named twice, or
    that lies in a folder that is named, is looked at once.

    Args:
        out: folder of the pictures, made if need be. Older pictures are replaced, images never.

    Raises:
        ImageError: an image cannot be read; those before it have been drawn.
        DataError: a folder holds no images.
        ConfigError: ``out`` cannot be written, or a picture would replace an image.
    """
    pictures = name_pictures(_images(paths), out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(out, error) from None
    return (_detect(detector, image, picture) for image, picture in pictures.items())


def name_pictures(images: Sequence[Path], out: Path) -> dict[Path, Path]:
    """The picture's path for each image.

    1. It is called like the image; ``.png`` is added to an ending that is not one of ``SUFFIXES``.
    2. If an earlier one is called so, in capitals or not, a number comes before the ending.
    3. It is not the path of an image.
    4. A stem that is too long for the name of a file loses its end.

    Raises:
        ConfigError: rule 3.
    """
    sources = {image.resolve() for image in images}
    taken: set[str] = set()
    pictures = {}
    for image in images:
        name = image.name if image.suffix.lower() in SUFFIXES else f"{image.name}.png"  # rule 1
        plain, number = Path(name), 1
        name = _fitting(plain.stem, plain.suffix)
        while name.lower() in taken:  # rule 2
            number += 1
            name = _fitting(plain.stem, f"-{number}{plain.suffix}")
        taken.add(name.lower())
        if (out / name).resolve() in sources:  # rule 3
            raise ConfigError(
                f"the picture {out / name} would replace an image",
                "a folder without the images",
                "choose another one with --out",
            )
        pictures[image] = out / name
    return pictures


def _fitting(stem: str, ending: str) -> str:
    """Rule 4; whole characters."""
    while len(os.fsencode(stem + ending)) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending


def _images(paths: Sequence[Path]) -> list[Path]:
    """Image files, each once, in the order of the paths. Raises DataError."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise ImageError(f"{path} does not exist", "an image file or a folder of images")
        for image in images_in(path) if path.is_dir() else [path]:
            found.setdefault(image.resolve(), image)
    return list(found.values())


def _detect(detector: Detector, image: Path, picture: Path) -> Drawn:
    found = detector(image)
    _write(draw(read_image(image), found, detector.classes), picture)
    return Drawn(image, picture, found)


def _write(content: Picture, path: Path) -> None:
    # Not cv2.imwrite, which on Windows knows no names beyond the system's code page.
    _, encoded = cv2.imencode(path.suffix, content)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot write {path}: {error.strerror}", "a folder for pictures", "change --out"
    )


def print_detections(results: Iterable[Drawn]) -> None:
    """A line for each detection: image, class, score, place; one for an image without.

    The place is x1 y1 x2 y2; of an oriented box, x y of its corners, clockwise, and the angle by
    which it is turned clockwise, in degrees.
    """
    for result in results:
        found = result.found
        for place, score, name in zip(_places(found), found.scores, found.names, strict=True):
            words = shortened(name), f"{score:.2f}", *(f"{number:.1f}" for number in place)
            print(f"{visible(str(result.image))}:", *words)
        if not len(found):
            print(f"{visible(str(result.image))}: nothing found")


def _places(found: NamedDetections) -> NDArray[np.floating]:
    """Numbers in a row for each detection."""
    if found.oriented is None:
        return found.boxes
    return np.column_stack([found.corners.reshape(-1, 8), _degrees(found.oriented)])


def _degrees(oriented: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.degrees(oriented[:, 4].astype(np.float64))


def print_json(results: Iterable[Drawn]) -> None:
    """One object for all images. An oriented box has ``corners`` and ``angle_degrees``, too."""
    images = [
        {
            "image": str(result.image),
            "picture": str(result.picture),
            "detections": _entries(result.found),
        }
        for result in results
    ]
    print(json.dumps({"images": images}, indent=1))


def _entries(found: NamedDetections) -> list[dict[str, Any]]:
    columns = {
        "name": found.names,
        "label": found.labels.tolist(),
        "score": found.scores.tolist(),
        "box": found.boxes.tolist(),
    }
    if found.oriented is not None:
        columns["corners"] = found.corners.tolist()
        columns["angle_degrees"] = _degrees(found.oriented).tolist()
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
