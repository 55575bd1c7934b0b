"""Rules for operators that reduce or normalise over axes: their result ignores the order there."""

from mmdet2tflite.graph.edit import integer, integers
from mmdet2tflite.graph.rotation.rule import (
    UNFLIPPED,
    Answer,
    Axes,
    Flipped,
    Operation,
    Refused,
    keep,
    of_first_input,
)


@of_first_input
def pointwise(operation: Operation) -> Answer:
    """Every element by itself, or with statistics over whole axes, such as Softmax."""
    return Flipped(operation.flipped[0])


@of_first_input
def per_channel(operation: Operation) -> Answer:
    """Parameters per channel, or a window over channels (LRN): those must stay unflipped."""
    if len(operation.node.outputs) > 1:
        return Refused("gives its statistics too")
    if 1 in operation.flipped[0]:
        return keep(operation, operation.flipped[0] - {1}, "has parameters per channel")
    return Flipped(operation.flipped[0])


@of_first_input
def reduction(operation: Operation) -> Answer:
    """The axes that stay keep their order, and move up where others go away."""
    if operation.is_computed(1):
        return Refused("computes the axes that it reduces")
    rank = len(operation.shape(0))
    axes = _reduced_axes(operation, rank)
    return Flipped(_without(operation, axes, rank))


@of_first_input
def position_of_extreme(operation: Operation) -> Answer:
    """ArgMax, ArgMin: a position counts from the beginning, and the first of equals wins."""
    rank = len(operation.shape(0))
    axis = integer(operation.node, "axis", 0) % rank
    if axis in operation.flipped[0]:
        return keep(operation, operation.flipped[0] - {axis}, f"gives positions along axis {axis}")
    return Flipped(_without(operation, frozenset({axis}), rank))


def _reduced_axes(operation: Operation, rank: int) -> Axes:
    given = operation.constant(1)
    axes = integers(operation.node, "axes", ()) if given is None else given.ravel().tolist()
    if axes:
        return frozenset(axis % rank for axis in axes)
    unchanged = integer(operation.node, "noop_with_empty_axes", 0)
    return UNFLIPPED if unchanged else frozenset(range(rank))


def _without(operation: Operation, axes: Axes, rank: int) -> Axes:
    """The flipped axes of the output, which lacks ``axes`` unless it keeps them with size 1."""
    if integer(operation.node, "keepdims", 1):
        return operation.flipped[0] - axes
    rest = [axis for axis in range(rank) if axis not in axes]
    return frozenset(rest.index(axis) for axis in operation.flipped[0] - axes)
