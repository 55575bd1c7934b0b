"""Quadrangles: which cross themselves, what of them is in the image, the rectangle around them."""

import numpy as np
import pytest

from mmdet2tflite.data.quadrangles import (
    bounds,
    clip,
    crosses_itself,
    points_of,
    smallest_rectangle,
)

RANDOM = np.random.default_rng(0)


def rectangle(x: float, y: float, width: float, height: float, angle: float) -> np.ndarray:
    """Corners of a rectangle turned about its centre."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return corners @ turn.T + (x, y)


@pytest.mark.parametrize("number", range(20))
def test_the_smallest_rectangle_of_a_rectangle_is_itself(number: int) -> None:
    width, height = RANDOM.uniform(1, 500, 2)
    given = rectangle(*RANDOM.uniform(0, 20_000, 2), width, height, RANDOM.uniform(-4, 4))
    corners, area = smallest_rectangle(given)
    found = points_of(corners)
    distances = np.linalg.norm(found[:, None] - given[None], axis=2)
    assert distances.min(axis=0).max() < 1e-3
    assert area == pytest.approx(width * height, rel=1e-4)


@pytest.mark.parametrize("number", range(20))
def test_no_rectangle_along_a_direction_is_smaller(number: int) -> None:
    points = RANDOM.uniform(0, 100, (4, 2))
    corners, area = smallest_rectangle(points)
    for angle in np.linspace(0, np.pi / 2, 1000):
        axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        assert np.prod(np.ptp(points @ axes.T, axis=0)) >= area * (1 - 1e-5)
    around = points_of(corners)
    for start, end in zip(around, np.roll(around, -1, axis=0), strict=True):
        (x, y), to_points = end - start, points - start
        assert (x * to_points[:, 1] - y * to_points[:, 0] >= -1e-2).all()


@pytest.mark.parametrize(
    ("order", "crosses"),
    [([0, 1, 2, 3], False), ([3, 2, 1, 0], False), ([0, 2, 1, 3], True), ([0, 1, 3, 2], True)],
)
def test_a_quadrangle_crosses_itself_where_its_corners_are_out_of_order(
    order: list[int], crosses: bool
) -> None:
    assert crosses_itself(rectangle(5, 6, 7, 8, 0.3)[order]) is crosses


def test_a_dent_or_a_corner_on_a_side_is_no_crossing() -> None:
    assert not crosses_itself(np.array([[0, 0], [4, 0], [1, 1], [0, 4.0]]))
    assert not crosses_itself(np.array([[0, 0], [4, 0], [2, 2], [0, 4.0]]))
    assert not crosses_itself(np.array([[0, 0], [4, 0], [4, 0], [0, 4.0]]))


@pytest.mark.parametrize("number", range(20))
def test_a_clipped_polygon_has_the_area_that_is_in_the_image(number: int) -> None:
    points = rectangle(*RANDOM.uniform(-10, 50, 2), *RANDOM.uniform(5, 60, 2), RANDOM.uniform(0, 3))
    clipped = clip(points, 40, 30)
    x, y = np.meshgrid((np.arange(800) + 0.5) / 20, (np.arange(600) + 0.5) / 20)
    edges = zip(points, np.roll(points, -1, axis=0), strict=True)
    inside = [(b - a)[0] * (y - a[1]) - (b - a)[1] * (x - a[0]) >= 0 for a, b in edges]
    assert area_of(clipped) == pytest.approx(np.all(inside, axis=0).sum() / 400, abs=2)
    assert (clipped >= 0).all()
    assert (clipped <= (40, 30)).all()


def area_of(points: np.ndarray) -> float:
    x, y = points.T if len(points) else np.zeros((2, 1))
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def test_nothing_is_left_of_what_is_elsewhere() -> None:
    assert len(clip(rectangle(80, 10, 5, 5, 0.4), 40, 30)) == 0


def test_bounds_are_the_upright_box() -> None:
    assert bounds(points_of((20, 5, 30, 15, 20, 25, 10, 15))) == (10, 5, 20, 20)
