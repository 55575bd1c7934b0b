"""Operands that are flipped along different axes meet: the fewest are flipped."""

import numpy as np
import pytest

from tests.graph.rotation.nets import Net, check, count

WHY = "which needs its operands reversed along the same axes"


def unrotated(net: Net, x: str) -> str:
    """The map of something that has no flipped form, of the same size."""
    return net.op("Hardmax", x, axis=1)


def check_slices(net: Net, *outputs: str) -> tuple[tuple[str, ...], int]:
    """The flips, and the Slice nodes that they take."""
    slices = []
    found = check(net.model(*outputs), look=lambda model: slices.append(count(model, "Slice")))
    return found.inner_flips, slices[0]


def test_of_one_unflipped_and_one_flipped_map_the_unflipped_one_is_flipped() -> None:
    net = Net(1, 2, 6, 5)
    x, y = net.stem(), net.conv("image", 2, 4, (1, 1))
    inner_flips, slices = check_slices(net, net.op("Add", unrotated(net, x), y))
    assert inner_flips == (
        "v0, before Hardmax_2 (Hardmax), which has no mirrored form",
        f"v2, before Add_3 (Add), {WHY}",
    )
    assert slices == 4


def test_a_copy_that_exists_costs_nothing() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    inner_flips, slices = check_slices(net, net.op("Add", unrotated(net, x), x))
    assert inner_flips == ("v0, before Hardmax_1 (Hardmax), which has no mirrored form",)
    assert slices == 2


def test_the_minority_is_flipped() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    parts = [unrotated(net, x), unrotated(net, x), net.op("Relu", x)]
    inner_flips, _ = check_slices(net, net.op("Concat", *parts, axis=2))
    assert inner_flips[1:] == (f"v3, before Concat_4 (Concat), {WHY}",)


def test_an_operand_of_one_row_meets_any_number_of_rows() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    mean = net.op("ReduceMax", unrotated(net, x), np.array([2, 3]))
    assert check_slices(net, net.op("Mul", x, mean)) == (
        ("v0, before Hardmax_1 (Hardmax), which has no mirrored form",),
        2,
    )


def test_only_the_axis_in_dispute_is_flipped() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    y = net.op("Reshape", net.op("Reshape", x, np.array([1, 24, 5])), np.array([1, 4, 6, 5]))
    inner_flips, slices = check_slices(net, net.op("Mul", y, net.conv("image", 2, 4, (1, 1))))
    assert inner_flips[1:] == (f"v2, before Mul_4 (Mul), {WHY}",)
    assert slices == 2


def test_summed_axes_of_two_maps_meet() -> None:
    net = Net(1, 2, 6, 6)
    x, y = net.stem(), net.conv("image", 2, 4, (1, 1))
    inner_flips, slices = check_slices(net, net.op("MatMul", x, unrotated(net, y)))
    assert inner_flips[1:] == (
        f"v2, before MatMul_3 (MatMul), {WHY}",
        "v3, at the graph's output",
    )
    assert slices == 4


def test_a_map_of_one_pixel_that_is_expanded_has_any_direction() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    wide = net.op("Expand", net.op("ReduceMax", x, np.array([2, 3])), np.array([1, 4, 6, 5]))
    tiled = net.op("Tile", net.op("ReduceMax", x, np.array([2])), np.array([1, 1, 6, 1]))
    lower = net.op("Expand", net.op("Squeeze", net.constant([[3.0]])), np.array([6, 5]))
    assert check_slices(net, net.op("Sum", wide, x, tiled, lower), wide)[0] == ()


@pytest.mark.parametrize(("is_read_elsewhere", "expected"), [(True, 2), (False, 1)])
def test_a_sum_that_others_read_is_computed_again_for_its_flip(
    is_read_elsewhere: bool, expected: int
) -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    total = net.op("Add", x, net.op("Relu", x))
    outputs = [unrotated(net, total)]
    if is_read_elsewhere:
        outputs.append(net.conv(total, 4, 2, (1, 1)))
    sums: list[int] = []
    check(net.model(*outputs), look=lambda after: sums.append(count(after, "Add")))
    assert sums == [expected]
