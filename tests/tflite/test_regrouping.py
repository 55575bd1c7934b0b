"""A RESHAPE of a tensor in another order of axes computes what the RESHAPE itself does."""

from collections.abc import Sequence

import numpy as np
import pytest

from mmdet2tflite.tflite.regrouping import Block, blocks, regroup

CHANNELS_FIRST = (0, 3, 1, 2)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((1, 3, 4, 6), (1, 3, 24), [([0], [0]), ([1], [1]), ([2, 3], [2])]),
        ((1, 3, 24), (1, 3, 4, 6), [([0], [0]), ([1], [1]), ([2], [2, 3])]),
        ((4, 6), (6, 4), [([0, 1], [0, 1])]),
        ((2, 6, 4), (4, 3, 4), [([0, 1], [0, 1]), ([2], [2])]),
        ((1, 3, 1, 1), (1, 3), [([0], [0]), ([1], [1]), ([2], []), ([3], [])]),
        ((3, 4), (3, 1, 4), [([0], [0]), ([], [1]), ([1], [2])]),
        ((), (1,), [([], [0])]),
    ],
)
def test_blocks_are_as_small_as_can_be(
    shape: Sequence[int], target: Sequence[int], expected: list[tuple[list[int], list[int]]]
) -> None:
    assert blocks(shape, target) == [Block(*each) for each in expected]


def test_rows_and_columns_are_merged_wherever_the_channels_are() -> None:
    found = regroup((1, 3, 4, 6), (1, 3, 24), (1, 4, 6, 3), CHANNELS_FIRST)
    assert found == ([1, 24, 3], (0, 2, 1))


def test_channels_and_rows_are_torn_apart() -> None:
    assert regroup((1, 3, 4, 6), (1, 12, 6), (1, 4, 6, 3), CHANNELS_FIRST) is None


@pytest.mark.parametrize("seed", range(200))
def test_what_is_found_computes_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    held = np.arange(np.prod(sides := random.choice([1, 1, 2, 3, 4], 4))).reshape(sides)
    order = tuple(int(axis) for axis in random.permutation(4))
    shape = [int(sides[axis]) for axis in order]
    target = merged_or_split(random, shape)
    found = regroup(shape, target, held.shape, order)
    wanted = held.transpose(order).reshape(target)
    if found is not None:
        computed = held.reshape(found.shape).transpose(found.order)
        np.testing.assert_array_equal(computed, wanted)
    elif order == (0, 1, 2, 3):
        pytest.fail("the axes stand as they stood")


def merged_or_split(random: np.random.Generator, shape: list[int]) -> list[int]:
    place = int(random.integers(3))
    merged = [*shape[:place], shape[place] * shape[place + 1], *shape[place + 2 :]]
    split = [side for each in shape for side in ((2, each // 2) if each == 4 else (each,))]
    squeezed = [side for side in shape if side > 1]
    return [merged, split, squeezed, [1, *merged, 1]][int(random.integers(4))]
