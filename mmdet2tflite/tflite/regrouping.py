"""What a RESHAPE does to axes: which it merges and splits; the same in another order of them."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

from mmdet2tflite.tflite.layout_rules import Order

FIRST = -1
"""Before all axes that are longer than 1."""


class Block(NamedTuple):
    """Axes that become other axes: neighbours, of as many values, none of them longer apart."""

    before: list[int]
    after: list[int]


class Regrouped(NamedTuple):
    """The shape of a tensor that is there in place of a RESHAPE's result, and the result's axes in
    it."""

    shape: list[int]
    order: Order


def blocks(shape: Sequence[int], target: Sequence[int]) -> list[Block]:
    """The smallest blocks of a RESHAPE between two shapes of as many values, in their order."""
    found, i, j = [], 0, 0
    while i < len(shape) or j < len(target):
        before, after = shape[i : i + 1], target[j : j + 1]
        if 1 in before and 1 not in after:
            after = []
        elif 1 in after and 1 not in before:
            before = []
        while prod(before) != prod(after):
            if prod(before) < prod(after):
                before = shape[i : i + len(before) + 1]
            else:
                after = target[j : j + len(after) + 1]
        found.append(Block(list(range(i, i + len(before))), list(range(j, j + len(after)))))
        i, j = i + len(before), j + len(after)
    return found


def regroup(
    shape: Sequence[int], target: Sequence[int], held: Sequence[int], order: Order
) -> Regrouped | None:
    """The same RESHAPE of a tensor whose axes stand in another order.

    It is one, too, where the axes of each block that are longer than 1 stand side by side there as
    they do in ``shape``; the axes that they become take their place.

    Args:
        shape: of the RESHAPE's operand, whose axis i is axis ``order[i]`` of what is there.
        target: of its result.
        held: the shape that is there.

    Returns:
        None where the blocks are torn apart.
    """
    if prod(shape) != prod(target) or 0 in shape:
        return None
    long = [axis for axis, side in enumerate(held) if side > 1]
    places = []
    for block in blocks(shape, target):
        there = [long.index(order[axis]) for axis in block.before if shape[axis] > 1]
        if any(later != earlier + 1 for earlier, later in pairwise(there)):
            return None
        places.append((there[0] if there else FIRST, block.after))
    in_place = [axis for _, after in sorted(places, key=lambda each: each[0]) for axis in after]
    return Regrouped(
        [target[axis] for axis in in_place],
        tuple(in_place.index(axis) for axis in range(len(target))),
    )
