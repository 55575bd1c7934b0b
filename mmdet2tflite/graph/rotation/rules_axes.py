"""Rules for operators that rearrange axes: Transpose, Reshape and its kind, Expand, Tile."""

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from mmdet2tflite.graph.edit import integers, is_op, readers, shape_of
from mmdet2tflite.graph.rotation.rule import (
    SPATIAL,
    UNFLIPPED,
    Answer,
    Flipped,
    Operation,
    Refused,
    keep,
    of_first_input,
)


@of_first_input
def transpose(operation: Operation) -> Answer:
    """Every axis takes its direction along."""
    rank = len(operation.shape(0))
    order = integers(operation.node, "perm", range(rank)[::-1])
    return Flipped(frozenset(i for i, axis in enumerate(order) if axis in operation.flipped[0]))


@of_first_input
def reshape(operation: Operation) -> Answer:
    """Reshape, Flatten, Squeeze, Unsqueeze: a group of axes is all flipped or not at all.

    1. Axes of size 1 aside, input and output fall into the finest groups of neighbouring axes that
       hold as many elements on both sides.
    2. A group of the input whose axes are all flipped holds its elements in reverse order; then so
       do all axes of the output's group. A group with none flipped stays.
    3. A group with some flipped has no such form: those are wanted unflipped.
    4. Except for GroupNorm, as PyTorch exports it: N x C x H x W becomes N x G x rest, every one of
       the N·G rows is normalised, and the result takes the old shape again. Whatever the order
       of rows and columns, a row of ``rest`` holds the same elements, and they return to it.
    """
    before, after = operation.shape(0), operation.output_shape
    if 0 in before:
        return Refused("is empty")
    flipped_axes, pure, output = operation.flipped[0], UNFLIPPED, UNFLIPPED
    reason = ""
    for merged, split in _groups(before, after):
        some = flipped_axes.intersection(merged)
        if len(some) == len(merged):  # rule 2
            pure, output = pure.union(merged), output.union(split)
        elif some:
            reason = (
                f"merges axes {_list(merged)}, of which only {_list(sorted(some))} are reversed"
            )
    if not reason:
        return Flipped(output)
    if restored := _normalised_and_restored(operation):
        return Flipped(UNFLIPPED, later=dict.fromkeys(restored, flipped_axes))
    return keep(operation, pure, reason)


@of_first_input
def expand(operation: Operation) -> Answer:
    """Axes are aligned at the end; one that is repeated has size 1 before and no direction."""
    more = len(operation.output_shape) - len(operation.shape(0))
    return Flipped(frozenset(axis + more for axis in operation.flipped[0]))


def _normalised_and_restored(operation: Operation) -> list[ir.Value]:
    """The maps that GroupNorm restores (rule 4 of ``reshape``); none if it is something else."""
    before, after = operation.shape(0), operation.output_shape
    if len(before) != 4 or len(after) != 3 or not operation.flipped[0] <= SPATIAL:
        return []
    if before[0] != after[0] or before[1] % after[1]:
        return []
    normalised = _read_only_by(operation.node.outputs, "InstanceNormalization")
    restored = _read_only_by(normalised, "Reshape")
    return restored if all(shape_of(value) == before for value in restored) else []


def _read_only_by(values: Sequence[ir.Value], kind: str) -> list[ir.Value]:
    """The outputs of all operators that read the values; none if some are of another kind."""
    nodes = [node for value in values for node in readers(value)]
    if any(value.is_graph_output() for value in values):
        return []
    return [node.outputs[0] for node in nodes] if all(is_op(node, kind) for node in nodes) else []


def _groups(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """The finest groups (rule 1 of ``reshape``), as axes before and after."""
    left = [axis for axis, size in enumerate(before) if size > 1]
    right = [axis for axis, size in enumerate(after) if size > 1]
    while left:
        merged, split = [left.pop(0)], [right.pop(0)]
        elements, others = before[merged[0]], after[split[0]]
        while elements != others:
            if elements < others:
                merged.append(left.pop(0))
                elements *= before[merged[-1]]
            else:
                split.append(right.pop(0))
                others *= after[split[-1]]
        yield merged, split


def _list(axes: Sequence[int]) -> str:
    return ", ".join(map(str, axes))
