"""Rules for operators of several operands: broadcasting, Concat, MatMul, Gemm.

Every axis of every operand has a label; axes of the same label run along together, and the operator
does not care for the order along a label as long as all of them agree. Then

1. A label is flipped in all operands or in none. An operand of size 1 there broadcasts: it fits.
2. A constant is flipped along the labels that are flipped.
3. Where computed operands disagree on a label, either the ones are flipped or the others are
   flipped back: whichever takes fewer flips, flipped where it is the same.
4. The output is flipped along its labels. A label that the output lacks is summed over.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace

from mmdet2tflite.graph.edit import integer
from mmdet2tflite.graph.rotation.rule import UNFLIPPED, Answer, Axes, Flipped, Operation, Refused

type Labels = Sequence[Hashable]


def broadcast(operation: Operation) -> Answer:
    """Elementwise operators and normalisations over the last axes: axes are aligned at the end.

    LayerNormalization's mean and variance do not depend on the order; its scale and bias are
    broadcast operands.
    """
    if len(operation.node.outputs) > 1:
        return Refused("gives its statistics too")
    labels = [_last(operation, index) for index in range(len(operation.node.inputs))]
    return _align(operation, labels, _from_end(len(operation.output_shape)))


def concat(operation: Operation) -> Answer:
    """As broadcasting; along a flipped axis the operands come in reverse order."""
    rank = len(operation.output_shape)
    answer = _align(operation, [range(rank)] * len(operation.node.inputs), range(rank))
    axis = integer(operation.node, "axis", 0) % rank
    if isinstance(answer, Flipped) and axis in answer.output:
        return replace(answer, backwards="inputs")
    return answer


def matmul(operation: Operation) -> Answer:
    """... x m x k by ... x k x n: the inner axis agrees on both sides; m, n and the batch stay.

    A constant matrix on rows or columns of a map, N x C x H x W, gives a map (Resize is written
    so): it is flipped along both its axes, and what it gives stays flipped.
    """
    left, right = len(operation.shape(0)), len(operation.shape(1))
    batches = [list(_from_end(rank - 2)) for rank in (left, right)]
    rows, columns = ["row"] if left > 1 else [], ["column"] if right > 1 else []
    labels: list[Labels] = [
        [*batches[0], *rows, "inner"],
        [*batches[1], "inner", *columns] if columns else ["inner"],
    ]
    answer = _align(operation, labels, [*max(batches, key=len), *rows, *columns])
    for index, ranks, axis in ((0, (2, 4), 2), (1, (4, 2), 3)):
        if isinstance(answer, Flipped) and (left, right) == ranks and index in answer.flips:
            return replace(answer, output=answer.output | {axis}, flips={index: frozenset({0, 1})})
    return answer


def gemm(operation: Operation) -> Answer:
    """As MatMul of two matrices that may be transposed; the third operand broadcasts."""
    left, right = ["row", "inner"], ["inner", "column"]
    if integer(operation.node, "transA", 0):
        left.reverse()
    if integer(operation.node, "transB", 0):
        right.reverse()
    labels: list[Labels] = [left, right]
    if operation.has(2):
        labels.append(["row", "column"][2 - len(operation.shape(2)) :])
    return _align(operation, labels, ["row", "column"])


def _from_end(rank: int) -> range:
    return range(-max(rank, 0), 0)


def _last(operation: Operation, index: int) -> range:
    return _from_end(len(operation.shape(index))) if operation.has(index) else range(0)


def _align(operation: Operation, labels: Sequence[Labels], output: Labels) -> Answer:
    """The rules above; ``labels`` per input, ``output``: those of the first output."""
    inputs = range(len(labels))
    computed = [index for index in inputs if operation.is_computed(index)]

    def axes(index: int, chosen: set[Hashable]) -> Axes:
        return frozenset(
            axis
            for axis, label in enumerate(labels[index])
            if label in chosen and operation.shape(index)[axis] > 1
        )

    def cost(chosen: set[Hashable]) -> int:
        return sum(operation.cost(index, axes(index, chosen)) for index in computed)

    flipped = {labels[index][axis] for index in computed for axis in operation.flipped[index]}
    disputed = {
        labels[index][axis]
        for index in computed
        for axis in axes(index, flipped) - operation.flipped[index]
    }
    chosen = min(flipped, flipped - disputed, key=cost)  # rule 3; the first of equals
    wanted = tuple(axes(index, chosen) if index in computed else UNFLIPPED for index in inputs)
    if wanted != operation.flipped:
        return Refused("needs its operands reversed along the same axes", wanted)
    flips = {index: axes(index, chosen) for index in inputs if index not in computed}
    return Flipped(
        frozenset(axis for axis, label in enumerate(output) if label in chosen),
        flips={index: found for index, found in flips.items() if found},
    )
