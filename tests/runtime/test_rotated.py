"""Oriented boxes: areas that they share against exact clipping, and who suppresses whom."""

from fractions import Fraction

import numpy as np
import pytest

from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import boxes_of, corners_of, upright
from mmdet2tflite.runtime.decode.rotated import class_aware_rotated_nms, rotated_iou

RANDOM = np.random.default_rng(0)
EXACT = 1e-9


def clipped_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Sutherland and Hodgman's clipping of the corners, in rational numbers: no rounding."""
    polygon = [tuple(map(Fraction, corner)) for corner in corners_of(one[None])[0].tolist()]
    clipping = [tuple(map(Fraction, corner)) for corner in corners_of(other[None])[0].tolist()]
    areas = area(polygon), area(clipping)
    for number, (ax, ay) in enumerate(clipping):
        bx, by = clipping[(number + 1) % 4]

        def side(point, ax=ax, ay=ay, bx=bx, by=by):
            return (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)

        kept = []
        for here, there in zip(polygon[-1:] + polygon[:-1], polygon, strict=True):
            before, now = side(here), side(there)
            if before * now < 0:
                share = before / (before - now)
                kept.append(tuple(h + share * (t - h) for h, t in zip(here, there, strict=True)))
            if now >= 0:
                kept.append(there)
        polygon = kept
    shared = area(polygon)
    return float(shared / (areas[0] + areas[1] - shared))


def area(polygon: list) -> Fraction:
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum((x * v - y * u for (x, y), (u, v) in pairs), Fraction(0))) / 2


def boxes(count: int, spread: float, sides: tuple[float, float]) -> np.ndarray:
    centres = RANDOM.uniform(-spread, spread, (count, 2))
    return np.concatenate(
        [centres, RANDOM.uniform(*sides, (count, 2)), RANDOM.uniform(-7, 7, (count, 1))], axis=1
    )


@pytest.mark.parametrize(
    ("spread", "sides"), [(2, (1, 5)), (0.5, (0.01, 5)), (1e-3, (3, 3.01)), (50, (1, 90))]
)
def test_random_boxes_share_what_exact_clipping_says(
    spread: float, sides: tuple[float, float]
) -> None:
    one, other = boxes(12, spread, sides), boxes(12, spread, sides)
    wanted = [[clipped_iou(a, b) for b in other] for a in one]
    np.testing.assert_allclose(rotated_iou(one, other), wanted, atol=EXACT)
    assert np.count_nonzero(wanted) > 20


QUARTER = np.pi / 2


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ((5, 5, 4, 2, 0.3), (5, 5, 4, 2, 0.3), 1),
        ((5, 5, 4, 2, 0.3), (5, 5, 4, 2, 0.3 + np.pi), 1),
        ((5, 5, 4, 2, 0.3), (5, 5, 2, 4, 0.3 + QUARTER), 1),
        ((5, 5, 4, 2, 0), (7, 5, 4, 2, 0), 1 / 3),
        ((5, 5, 4, 2, 0), (9, 5, 4, 2, 0), 0),
        ((5, 5, 4, 2, 0), (9, 7, 4, 2, 0), 0),
        ((5, 5, 4, 4, 0), (5, 5, 2, 2, 0.7), 1 / 4),
        ((0, 0, 2, 2, 0), (0, 0, 2, 2, QUARTER / 2), 2 * (2**0.5 - 1) / (2 - 2 * (2**0.5 - 1))),
        ((5, 5, 8, 2, 0.2), (5, 5, 8, 2, 0.2 + QUARTER), 4 / 28),
        ((5, 5, 0, 2, 0), (5, 5, 4, 2, 0), 0),
        ((5, 5, 0, 0, 0), (5, 5, 0, 0, 0), 0),
        ((20_000, 20_000, 4, 2, 0.3), (20_001, 20_000, 4, 2, 0.3), None),
        ((5, 5, 1e-3, 1e3, 0.3), (5, 5, 1e3, 1e-3, 0.3), 1e-6 / (2 - 1e-6)),
    ],
)
def test_special_pairs(one: tuple, other: tuple, wanted: float | None) -> None:
    pair = np.array([one], float), np.array([other], float)
    if wanted is None:
        wanted = clipped_iou(pair[0][0], pair[1][0])
    assert rotated_iou(*pair)[0, 0] == pytest.approx(wanted, abs=EXACT)
    assert rotated_iou(*pair[::-1])[0, 0] == pytest.approx(wanted, abs=EXACT)


def test_nearly_equal_boxes_are_nearly_one() -> None:
    one = boxes(200, 100, (1, 50))
    shifted = one + RANDOM.uniform(-1e-8, 1e-8, one.shape)
    assert np.diag(rotated_iou(one, shifted)).min() > 1 - 1e-6


def test_no_boxes_give_no_numbers() -> None:
    assert rotated_iou(np.zeros((0, 5)), boxes(3, 1, (1, 2))).shape == (0, 3)
    empty = np.zeros((0, 5), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    assert len(class_aware_rotated_nms(*empty, 0.5, 10)) == 0


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.7])
def test_a_box_goes_if_a_better_one_of_its_class_overlaps_it_more_than_the_threshold(
    threshold: float,
) -> None:
    given = boxes(60, 6, (2, 5)).astype(np.float32)
    scores = RANDOM.uniform(0, 1, 60).astype(np.float32).round(1)
    labels = RANDOM.integers(0, 3, 60)
    wanted: list[int] = []
    for number in sorted(range(60), key=lambda n: -scores[n]):
        rivals = [n for n in wanted if labels[n] == labels[number]]
        if all(clipped_iou(given[number], given[n]) <= threshold for n in rivals):
            wanted.append(number)
    found = class_aware_rotated_nms(given, scores, labels, threshold, 100)
    assert found.tolist() == wanted
    assert class_aware_rotated_nms(given, scores, labels, threshold, 5).tolist() == wanted[:5]


def test_corners_walk_around_the_box_clockwise() -> None:
    straight, turned = corners_of(np.array([[5, 6, 4, 2, 0], [5, 6, 4, 2, QUARTER]]))
    np.testing.assert_allclose(straight, [[3, 5], [7, 5], [7, 7], [3, 7]])
    np.testing.assert_allclose(turned, [[6, 4], [6, 8], [4, 8], [4, 4]], atol=1e-12)


def test_a_box_comes_back_from_its_corners_whichever_way_they_go_round() -> None:
    given = np.array([[5, 6, 4, 2, 0.5], [5, 6, 4, 2, -QUARTER], [-3, 0.25, 1, 7, 3.0]])
    np.testing.assert_allclose(boxes_of(corners_of(given)), given, atol=1e-12)
    backwards = boxes_of(corners_of(given)[:, [0, 3, 2, 1]])
    np.testing.assert_allclose(rotated_iou(given, backwards).diagonal(), 1)


def test_the_upright_box_around_a_turned_one() -> None:
    diagonal = np.array([[5, 6, 2, 2, QUARTER / 2]])
    half = np.sqrt(2)
    np.testing.assert_allclose(
        upright(diagonal), [[5 - half, 6 - half, 5 + half, 6 + half]], rtol=1e-6
    )


def test_detections_have_corners_whether_they_are_turned_or_not() -> None:
    given = np.array([[5, 6, 4, 2, 0], [5, 6, 4, 2, QUARTER]], np.float32)
    scores, labels = np.array([0.5, 0.75], np.float32), np.array([1, 2])
    turned = Detections(upright(given), scores, labels, oriented=given).best(1)
    np.testing.assert_allclose(turned.corners, corners_of(given[1:]))
    straight = Detections(upright(given), scores, labels)[:1]
    np.testing.assert_allclose(straight.corners, [[[3, 5], [7, 5], [7, 7], [3, 7]]])
