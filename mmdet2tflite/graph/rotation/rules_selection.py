"""Rules for operators that pick or add positions along axes: Split, Slice, Pad, Gather.

Along a flipped axis of H positions, position i is found at H - 1 - i.
"""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import Array, integer, shape_of
from mmdet2tflite.graph.rotation.rule import (
    Answer,
    Flipped,
    Operation,
    Refused,
    keep,
    of_first_input,
)


@of_first_input
def split(operation: Operation) -> Answer:
    """Along a flipped axis the parts come in reverse order, with their sizes."""
    node = operation.node
    if operation.is_computed(1):
        return Refused("computes the sizes of its parts")
    axis = integer(node, "axis", 0) % len(operation.shape(0))
    if axis not in operation.flipped[0]:
        return Flipped(operation.flipped[0])
    sizes = [shape_of(output)[axis] for output in node.outputs]
    attributes: dict[str, ir.Attr | None] = {}
    constants: dict[int, Array] = {}
    if sizes != sizes[::-1]:
        # ``num_outputs`` puts the smaller part at the end; sizes say where it is now.
        attributes, constants = {"num_outputs": None}, {1: np.array(sizes[::-1], np.int64)}
    return Flipped(operation.flipped[0], {}, constants, attributes, backwards="outputs")


@of_first_input
def slice_(operation: Operation) -> Answer:
    """Start and end along flipped axes are those of the flipped positions; steps stay.

    The positions first, first + step … last are found at H - 1 - first … H - 1 - last: read in
    the order of the flipped output, they begin at H - 1 - last with the same step.
    """
    if any(operation.is_computed(index) for index in (1, 2, 3, 4)):
        return Refused("computes where it slices")
    shape, rank = operation.shape(0), len(operation.shape(0))
    starts, ends, axes, steps = (_numbers(operation, index) for index in (1, 2, 3, 4))
    for i, axis in enumerate(axes or range(len(starts))):
        size, step = shape[axis], steps[i] if steps else 1
        positions = range(size)[starts[i] : ends[i] : step]
        flipped = range(size)[::-1][starts[i] : ends[i] : step][::-1]
        if axis % rank in operation.flipped[0] and positions and flipped != positions:
            end = flipped[-1] + (1 if step > 0 else -1)
            # ONNX counts a negative end from the back: "before the first" is -H - 1.
            starts[i], ends[i] = flipped[0], end if end >= 0 else -size - 1
    return Flipped(operation.flipped[0], constants=_changed(operation, {1: starts, 2: ends}))


@of_first_input
def pad(operation: Operation) -> Answer:
    """Begin and end are swapped along flipped axes, in every mode."""
    if operation.is_computed(1) or operation.is_computed(3):
        return Refused("computes its pads")
    pads, axes = _numbers(operation, 1), _numbers(operation, 3)
    rank, count = len(operation.shape(0)), len(pads) // 2
    for i, axis in enumerate(axes or range(count)):
        if axis % rank in operation.flipped[0]:
            pads[i], pads[i + count] = pads[i + count], pads[i]
    return Flipped(operation.flipped[0], constants=_changed(operation, {1: pads}))


@of_first_input
def gather(operation: Operation) -> Answer:
    """A row of indexes along a flipped axis is flipped and read from its end.

    Indexes of another rank put their own axes, unflipped, in the place of the flipped one.
    """
    rank = len(operation.shape(0))
    axis = integer(operation.node, "axis", 0) % rank
    more = len(operation.shape(1)) - 1
    rest = frozenset(a if a < axis else a + more for a in operation.flipped[0] if a != axis)
    if axis not in operation.flipped[0]:
        return Flipped(rest)
    indexes = operation.constant(1)
    if indexes is None:
        return keep(operation, operation.flipped[0] - {axis}, "computes which positions it picks")
    size = operation.shape(0)[axis]
    flipped = np.asarray(size - 1 - indexes.astype(np.int64) % size, indexes.dtype)
    if flipped.ndim == 1:
        return Flipped(rest | {axis}, constants={1: flipped[::-1]})
    return Flipped(rest, constants={1: flipped})


def _numbers(operation: Operation, index: int) -> list[int]:
    """The integers of a constant input; none where it is absent."""
    array = operation.constant(index)
    return [] if array is None else array.tolist()


def _changed(operation: Operation, numbers: dict[int, list[int]]) -> dict[int, Array]:
    """Those constants that are other ones now, by the index of the input."""
    return {
        index: np.array(new, np.int64)
        for index, new in numbers.items()
        if new != _numbers(operation, index)
    }
