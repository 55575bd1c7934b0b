"""Built-in scenes composed of scikit-learn's real handwritten digits: small, offline, exact boxes.

Rules:

1. Every random choice of a scene comes from ``[seed, split, index]``: the same config gives the
   same bytes, and a data set of more scenes begins with the scenes of a smaller one.
2. Training and validation share no handwriting: the 1,797 pictures are split first, by class.
3. A digit's box is the tight box of the pixels that it changes: its alpha is 0 below ``INK``, and
   its colour is so far from the background's that any other alpha changes at least one value.
4. Boxes lie inside the image and hardly overlap; a digit for which there is no place is left out.
5. A rotated digit has the corners of its turned crop, too (``rotated_ink``), and a 6 that is upside
   down would be a 9: there are none.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.config.base import Size
from mmdet2tflite.config.dataset import DigitsData, RotatedDigitsData
from mmdet2tflite.data.quadrangles import Corners
from mmdet2tflite.data.rotated_ink import rotate_ink
from mmdet2tflite.errors import ConfigError

CLASSES = tuple(str(digit) for digit in range(10))
ROTATED_CLASSES = CLASSES[:9]
SPLITS = ("train", "val")
TRAIN_SHARE = 0.8

INK = 0.1
"""Alpha from which a pixel counts as written on."""
OVERLAP = 0.1
"""Largest intersection of two boxes, as a share of the smaller one's area."""
ATTEMPTS = 30
"""Places tried for a digit before it is left out."""

GRADIENT, CLOUDS, GRAIN = 20.0, 14.0, 6.0
"""Amplitudes of the background around its base colour, in grey levels."""
CLOUD_SIZE = 24
"""Distance of the support points of the low-frequency noise in pixels."""
BOARD = 130.0
"""Brightest base colour per channel: chalk on a board, always lighter than what it is written on.
Ink of both polarities would double what there is to learn in the minutes that the built-in run has.
"""
CONTRAST = 90.0
"""Smallest difference in luminance between a digit and the background's base colour."""
LUMINANCE_BGR = np.array((0.114, 0.587, 0.299))  # ITU-R BT.601

type Box = tuple[int, int, int, int]
type Glyphs = dict[int, NDArray[np.float32]]


@dataclass(frozen=True)
class Digit:
    """One digit in its place. ``box``: x, y, width, height; ``alpha``: (height, width).

    ``corners`` of a rotated one, in pixels of the scene; ``area`` of its rectangle.
    """

    label: int
    box: Box
    alpha: NDArray[np.float32]
    colour: NDArray[np.float64]
    area: float
    corners: Corners | None = None


@dataclass(frozen=True)
class Scene:
    """A background (height, width, BGR; float) and the digits written on it."""

    background: NDArray[np.float64]
    digits: tuple[Digit, ...]


def classes_of(config: DigitsData) -> tuple[str, ...]:
    """Of the scenes (rule 5)."""
    return ROTATED_CLASSES if isinstance(config, RotatedDigitsData) else CLASSES


def write_digits(config: DigitsData, folder: Path) -> dict[str, dict[str, Any]]:
    """Draw both splits: ``images/<split>/000001.png`` … and ``<split>.json`` in COCO format.

    Returns:
        The two COCO dictionaries by split. ``file_name`` is relative to ``folder``.

    Raises:
        ConfigError: a range is upside down, or a digit would not fit into the scene.
    """
    _check(config)
    result = {}
    for split, number in zip(SPLITS, (config.train_images, config.val_images), strict=True):
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        coco = _coco(_write_scenes(config, split, number, folder), config)
        (folder / f"{split}.json").write_text(json.dumps(coco), encoding="utf-8")
        result[split] = coco
    return result


def compose_scene(config: DigitsData, glyphs: Glyphs, split: str, index: int) -> Scene:
    """Choose background, digits, sizes, places and colours of one scene (rule 1)."""
    rng = np.random.default_rng([config.seed, SPLITS.index(split), index])
    base = rng.uniform(0, BOARD, 3)
    background = _background(rng, base, config.size)
    digits: list[Digit] = []
    for _ in range(rng.integers(*config.digits_per_image, endpoint=True)):
        digit = _digit(rng, config, glyphs, base, [digit.box for digit in digits])
        if digit is not None:
            digits.append(digit)
    return Scene(background, tuple(digits))


def render(background: NDArray[np.float64], digits: Iterable[Digit]) -> NDArray[np.uint8]:
    """Write the digits on the background, later ones over earlier ones: (height, width, BGR)."""
    image = background.copy()
    for digit in digits:
        x, y, width, height = digit.box
        patch = image[y : y + height, x : x + width]
        patch += digit.alpha[..., None] * (digit.colour - patch)
    return np.rint(image).astype(np.uint8)


def split_glyphs(seed: int) -> dict[str, Glyphs]:
    """Split the handwritten digits by class (rule 2).

    Returns:
        By split and label: pictures (n, 8, 8) with values from 0 (paper) to 1 (ink).
    """
    # Takes a second: not to be paid by every import of this module.
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    pictures = (pictures.reshape(-1, 8, 8) / 16).astype(np.float32)
    rng = np.random.default_rng(seed)
    glyphs: dict[str, Glyphs] = {split: {} for split in SPLITS}
    for label in range(len(CLASSES)):
        chosen = rng.permutation(np.flatnonzero(labels == label))
        parts = np.split(chosen, [round(TRAIN_SHARE * len(chosen))])
        for split, part in zip(SPLITS, parts, strict=True):
            glyphs[split][label] = pictures[part]
    return glyphs


def _check(config: DigitsData) -> None:
    for name in ("digits_per_image", "digit_size"):
        low, high = getattr(config, name)
        if low > high:
            raise ConfigError(
                f"dataset.{name} is [{low}, {high}]", "[smallest, largest]", "swap the two"
            )
    rotated = isinstance(config, RotatedDigitsData)
    largest = int(min(config.size) / math.sqrt(2)) - 1 if rotated else min(config.size)
    if config.digit_size[1] > largest:
        raise ConfigError(
            f"dataset.digit_size goes up to {config.digit_size[1]} pixels, but dataset.size is "
            f"{list(config.size)}",
            "digits that fit into the scene" + (", whatever their angle" if rotated else ""),
            f"--set dataset.digit_size=[{min(config.digit_size[0], largest)}, {largest}]",
        )


def _write_scenes(
    config: DigitsData, split: str, number: int, folder: Path
) -> Iterable[tuple[str, Scene]]:
    glyphs = split_glyphs(config.seed)[split]
    for index in range(number):
        scene = compose_scene(config, glyphs, split, index)
        name = f"images/{split}/{index + 1:06d}.png"
        if not cv2.imwrite(str(folder / name), render(scene.background, scene.digits)):
            raise OSError(f"{folder / name} cannot be written")
        yield name, scene


def _coco(scenes: Iterable[tuple[str, Scene]], config: DigitsData) -> dict[str, Any]:
    width, height = config.size
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (name, scene) in enumerate(scenes, start=1):
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for digit in scene.digits:
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": digit.label,
                "bbox": list(digit.box),
                "area": digit.area,
                "iscrowd": 0,
            }
            if digit.corners is not None:
                annotation["segmentation"] = [list(digit.corners)]
            annotations.append(annotation)
    categories = [{"id": index, "name": name} for index, name in enumerate(classes_of(config))]
    return {"images": images, "annotations": annotations, "categories": categories}


def _background(
    rng: np.random.Generator, base: NDArray[np.float64], size: Size
) -> NDArray[np.float64]:
    """Base colour with a gradient, clouds and grain: (height, width, BGR), 0 to 255."""
    width, height = size
    angle = rng.uniform(0, 2 * np.pi)
    across = np.linspace(-0.5, 0.5, width)[None, :] * np.cos(angle)
    down = np.linspace(-0.5, 0.5, height)[:, None] * np.sin(angle)
    gradient = (across + down)[..., None] * rng.uniform(-GRADIENT, GRADIENT, 3)
    coarse = rng.uniform(-CLOUDS, CLOUDS, (height // CLOUD_SIZE + 2, width // CLOUD_SIZE + 2, 3))
    clouds = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    grain = rng.uniform(-GRAIN, GRAIN, (height, width, 3))
    return np.clip(base + gradient + clouds + grain, 0, 255)


def _digit(
    rng: np.random.Generator,
    config: DigitsData,
    glyphs: Glyphs,
    base: NDArray[np.float64],
    taken: Sequence[Box],
) -> Digit | None:
    label = int(rng.integers(len(classes_of(config))))
    picture = glyphs[label][rng.integers(len(glyphs[label]))]
    alpha = _ink(picture, int(rng.integers(*config.digit_size, endpoint=True)))
    colour = _contrasting_colour(rng, base)
    area, corners = alpha.size, None
    if isinstance(config, RotatedDigitsData):
        alpha, corners = rotate_ink(alpha, rng.uniform(-math.pi, math.pi), INK)
    height, width = alpha.shape
    for _ in range(ATTEMPTS):
        x = int(rng.integers(config.size[0] - width, endpoint=True))
        y = int(rng.integers(config.size[1] - height, endpoint=True))
        box = (x, y, width, height)
        if all(overlap(box, other) <= OVERLAP for other in taken):
            moved = corners and tuple(
                value + (x, y)[place % 2] for place, value in enumerate(corners)
            )
            return Digit(label, box, alpha, colour, area, moved)
    return None


def _ink(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Scale a digit up and crop it to its ink (rule 3): alpha (height, width), 0 or >= INK."""
    alpha = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    alpha[alpha < INK] = 0
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    cropped: NDArray[np.float32] = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cropped


def _contrasting_colour(rng: np.random.Generator, base: NDArray[np.float64]) -> NDArray[np.float64]:
    # The board leaves 255 - BOARD > CONTRAST above any luminance of its own, so this ends.
    while True:
        colour = rng.uniform(0, 255, 3)
        if (colour - base) @ LUMINANCE_BGR >= CONTRAST:
            return colour


def overlap(one: Box, other: Box) -> float:
    """Intersection of two boxes (x, y, width, height) as a share of the smaller one's area."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    smaller = min(one[2] * one[3], other[2] * other[3])
    return max(width, 0) * max(height, 0) / smaller
