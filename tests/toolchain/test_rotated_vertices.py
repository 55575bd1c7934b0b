"""Does mmcv's differentiable IoU get its vertices in order, and so the right IoU and gradient?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mmdet2tflite.detector import compat
from tests.toolchain.rotated_boxes import exact_overlap, plain

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.toolchain

SQUARE = [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)]
"""From x towards y."""
FIRST_CROSSING = 8


@pytest.fixture(autouse=True, scope="module")
def _mmcv() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def order(valid: dict[int, tuple[float, float]]) -> list[int]:
    """Sorted indices of one polygon, given its valid vertices by their places."""
    import torch

    from mmdet2tflite.detector.rotated.vertices import sort_vertices

    vertices, mask = torch.zeros(1, 1, 24, 2), torch.zeros(1, 1, 24, dtype=torch.bool)
    for place, point in valid.items():
        vertices[0, 0, place], mask[0, 0, place] = torch.tensor(point), True
    found = sort_vertices(vertices, mask)
    assert (found.shape, found.dtype) == ((1, 1, 9), torch.int32)
    return found[0, 0].tolist()


def turned_to(start: int, ring: Sequence[int]) -> list[int]:
    """A closed ring of indices, beginning at ``start``."""
    assert ring[0] == ring[-1], "the polygon is not closed"
    place = ring.index(start)
    return [*ring[place:-1], *ring[:place]]


def iou(first: object, second: object, number: str = "float64") -> torch.Tensor:
    import torch
    from mmcv.ops import diff_iou_rotated_2d

    first, second = (
        torch.as_tensor(boxes, dtype=getattr(torch, number))[None] for boxes in (first, second)
    )
    return diff_iou_rotated_2d(first, second)[0]


def test_a_square_is_gone_round_from_x_towards_y_and_closed():
    found = order({0: SQUARE[2], 5: SQUARE[0], 8: SQUARE[3], 20: SQUARE[1]})
    assert turned_to(5, found[:5]) == [5, 20, 0, 8]
    assert set(found[5:]) == {9}  # 8 is valid: the next crossing is the first that is not


def test_eight_vertices_fill_all_nine_places():
    angles = [(place * 3 % 8 + 0.5) * math.pi / 4 for place in range(8)]
    found = order({8 + i: (math.cos(angle), math.sin(angle)) for i, angle in enumerate(angles)})
    assert turned_to(8, found) == [8 + i * 3 % 8 for i in range(8)]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_vertices_show_nothing_but_an_invalid_crossing(count):
    assert order(dict(enumerate(SQUARE[:count]))) == [FIRST_CROSSING] * 9
    crossings = {FIRST_CROSSING + i: point for i, point in enumerate(SQUARE[:count])}
    assert order(crossings) == [FIRST_CROSSING + count] * 9


def test_of_vertices_that_coincide_the_first_stays():
    close = [(x + 1e-7, y) for x, y in SQUARE]
    for points in ([*SQUARE, *SQUARE], [*close, *SQUARE]):
        found = order(dict(enumerate(points)))
        ring = turned_to(0, found[:5])
        assert [place % 4 for place in ring] == [0, 1, 2, 3]
        assert set(found[5:]) == {FIRST_CROSSING}
    assert order(dict(enumerate([*SQUARE, *SQUARE])))[:4] == [2, 3, 0, 1]


def test_of_more_than_eight_vertices_every_corner_stays():
    """Three at each corner and one in the middle of each side: what nearly equal boxes give."""
    close = 1e-5
    corners = [*SQUARE, *((x * (1 - close), y) for x, y in SQUARE)]
    crossings = [*((x, y * (1 - 2 * close)) for x, y in SQUARE), (1, 0), (0, 1), (-1, 0), (0, -1)]
    points = [*corners, *crossings]
    ring = turned_to(12, order(dict(enumerate(points))))
    assert ring[0::2] == [12, 13, 14, 15]
    found = [tuple(np.sign(points[place])) for place in ring[1::2]]
    assert found == SQUARE


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([0.5, 0.5, 1, 1, 0], 1),
        ([0.5, 0.5, 1, 1, math.pi / 2], 1),
        ([0.5, 0.5, 1, 1, math.pi / 4], 1 / math.sqrt(2)),
        ([1, 1, 1, 1, 0], 1 / 7),
        ([1.5, 1.5, 1, 1, 0], 0),
        ([9, 9, 1, 1, 0], 0),
    ],
)
def test_what_the_compiled_operator_gives(second, expected):
    """The pairs of mmcv's tests/test_ops/test_diff_iou_rotated.py, and one of boxes apart."""
    found = iou([[0.5, 0.5, 1, 1, 0]], [second], "float32")
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_boxes_anyhow_have_the_iou_that_fractions_give():
    first, second = (plain(np.random.default_rng(seed), 400) for seed in (1, 2))
    expected = [exact_overlap(*pair)[0] for pair in zip(first, second, strict=True)]
    assert sum(each > 0 for each in expected) > 100
    # mmcv adds 1e-8 to a denominator.
    np.testing.assert_allclose(iou(first, second), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("turn", [1e-7, 3e-7, 1e-6, 1e-5, 1e-3])
def test_nearly_equal_boxes_have_the_iou_that_fractions_give(turn):
    """Up to 16 vertices are valid here: mmcv lets a corner lie 1e-6 of a side outside."""
    first = plain(np.random.default_rng(3))
    second = first + np.array([0, 0, 0, 0, turn])
    expected = [exact_overlap(*pair)[0] for pair in zip(first, second, strict=True)]
    np.testing.assert_allclose(iou(first, second), expected, rtol=0, atol=2e-5)


def test_the_gradient_is_that_of_small_steps():
    """Against central differences of the overlap that knows no vertices."""
    import torch

    from mmdet2tflite.detector.rotated.overlap import rotated_overlaps

    random = np.random.default_rng(4)
    first = torch.tensor(plain(random, 200), requires_grad=True)
    second = torch.tensor(plain(random, 200))
    iou(first, second).sum().backward()
    step = 1e-6
    for number in range(5):
        move = torch.zeros(5, dtype=torch.float64)
        move[number] = step
        up, down = (
            rotated_overlaps(first.detach() + way * move, second, aligned=True) for way in (1, -1)
        )
        expected = (up - down) / (2 * step)
        np.testing.assert_allclose(first.grad[:, number], expected, rtol=0, atol=1e-7)


def test_autograd_finds_the_gradient_of_both_boxes_right():
    import torch

    random = np.random.default_rng(5)
    pair = [torch.tensor(plain(random, 40), requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(iou, pair)


def test_equal_boxes_have_the_gradient_of_the_first_one_becoming_smaller():
    """IoU is w1 h1 / (w2 h2) as long as the first lies in the second, whatever its angle."""
    import torch

    box = torch.tensor([[3.0, 4.0, 8.0, 2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    iou(box, box.detach()).sum().backward()
    np.testing.assert_allclose(box.grad, [[0, 0, 1 / 8, 1 / 2, 0]], rtol=0, atol=1e-9)
