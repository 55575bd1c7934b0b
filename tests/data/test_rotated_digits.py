"""Scenes of turned digits: the corners are those of what was drawn, and nothing is outside."""

from pathlib import Path

import numpy as np
import pytest

from mmdet2tflite.config.dataset import RotatedDigitsData
from mmdet2tflite.data.digits import (
    INK,
    ROTATED_CLASSES,
    compose_scene,
    render,
    split_glyphs,
    write_digits,
)
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.data.quadrangles import points_of
from mmdet2tflite.data.rotated_ink import rotate_ink
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.store.store import Store

SMALL = RotatedDigitsData(kind="rotated_digits", train_images=4, val_images=3)
GLYPHS = split_glyphs(0)["train"]
RANDOM = np.random.default_rng(3)


def distances(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Of points (N x 2) to the four sides of a rectangle, positive inside: N x 4."""
    found = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        (x, y), along = (end - start) / np.linalg.norm(end - start), points - start
        found.append(x * along[:, 1] - y * along[:, 0])
    return np.stack(found, axis=1)


def centres(mask: np.ndarray) -> np.ndarray:
    """x and y of the centres of the pixels that are set."""
    rows, columns = np.nonzero(mask)
    return np.stack([columns, rows], axis=1) + 0.5


@pytest.mark.parametrize("index", range(12))
def test_all_that_a_digit_changes_is_in_its_rectangle_which_it_fills(index: int) -> None:
    scene = compose_scene(SMALL, GLYPHS, "train", index)
    empty = render(scene.background, [])
    for digit in scene.digits:
        changed = (render(scene.background, [digit]) != empty).any(axis=2)
        found = distances(centres(changed), points_of(digit.corners))
        assert found.min() >= -1e-9
        assert found.min(axis=0).max() <= 1.5
        x, y, width, height = digit.box
        assert min(x, y) >= 0
        assert x + width <= 256
        assert y + height <= 160


@pytest.mark.parametrize("index", range(12))
def test_the_upright_box_is_around_the_corners(index: int) -> None:
    for digit in compose_scene(SMALL, GLYPHS, "train", index).digits:
        corners = points_of(digit.corners)
        x, y, width, height = digit.box
        slack = [*(corners.min(axis=0) - (x, y)), *((x + width, y + height) - corners.max(axis=0))]
        assert min(slack) >= -1e-9
        assert max(slack) < 0.5
        sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
        assert digit.area == pytest.approx(sides[0] * sides[1])


def test_angles_are_all_around() -> None:
    scenes = [compose_scene(SMALL, GLYPHS, "train", index) for index in range(60)]
    tops = [points_of(digit.corners)[[0, 1]] for scene in scenes for digit in scene.digits]
    angles = [np.arctan2(*(right - left)[::-1]) for left, right in tops]
    assert (np.histogram(angles, 4, (-np.pi, np.pi))[0] > len(angles) / 8).all()


@pytest.mark.parametrize("quarters", range(4))
def test_a_quarter_turn_moves_pixels_and_changes_none(quarters: int) -> None:
    alpha = RANDOM.uniform(INK, 1, (7, 11)).astype(np.float32)
    ink, corners = rotate_ink(alpha, quarters * np.pi / 2, INK)
    wanted = np.rot90(alpha, -quarters)  # clockwise, as y points down
    rows, columns = np.nonzero(ink)
    found = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    first = np.roll([[0, 0], [1, 0], [1, 1], [0, 1]], -quarters, axis=0)[0]
    place = np.array([columns.min(), rows.min()]) + first * wanted.shape[::-1]
    np.testing.assert_allclose(points_of(corners)[0], place, atol=1e-9)


def test_the_data_set_has_corners_and_no_nine(tmp_path: Path) -> None:
    store = Store(tmp_path)
    dataset = DATASET.build(store, SMALL, timeout=60)
    assert dataset.classes == ROTATED_CLASSES == tuple("012345678")
    values = write_digits(SMALL, tmp_path / "again")["val"]
    assert len(values["images"]) == 3
    for annotation in values["annotations"]:
        (corners,) = annotation["segmentation"]
        assert len(corners) == 8


def test_a_digit_that_fits_in_no_position_is_refused_with_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        write_digits(SMALL.model_copy(update={"digit_size": (40, 150)}), tmp_path)
    assert "whatever their angle" in refusal.value.expected
    assert "dataset.digit_size=[40, 112]" in refusal.value.remedy
    write_digits(SMALL.model_copy(update={"digit_size": (40, 112)}), tmp_path)
