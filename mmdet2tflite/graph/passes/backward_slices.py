"""A Slice that runs backwards becomes one that runs forwards, and reversals."""

import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    FROM_THE_LAST,
    constant,
    describe,
    insert_slice,
    is_op,
    redirect,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

BEFORE_THE_FIRST_INT32 = -(2**31 - 1)
"""An end that is not above this one is before the first position of any map."""


class SplitBackwardSlices(ReportingPass):
    """``Slice`` with a negative step → a Slice with positive steps, then one reversal an axis.

    1. A reversal of a whole axis (from -1 to before the first, step -1), alone in its node, is what
       converters have an operator for (REVERSE_V2). It stays.
    2. Along an axis that is read backwards, the positions p, p - t, … q are read as q, q + t, … p.
       Where that is all of every axis there is nothing to slice.
    3. What came out is reversed along each of those axes, one node an axis.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, "Slice"):
                continue
            read = positions_of(node)
            if read is None or all(each.step > 0 for each in read.values()) or _reverses(node):
                continue
            self._split(model.graph, node, read)

    def _split(self, graph: ir.Graph, node: ir.Node, read: dict[int, range]) -> None:
        value = node.inputs[0]
        assert value is not None
        forwards = {axis: each if each.step > 0 else each[::-1] for axis, each in read.items()}
        shape = shape_of(value)
        cut = {axis: each for axis, each in forwards.items() if each != range(shape[axis])}
        if cut:
            value = insert_slice(node, value, f"{node.name}_forwards", cut)
        backwards = [axis for axis, each in read.items() if each.step < 0 and len(each) > 1]
        for axis in backwards:
            whole = {axis: range(len(read[axis]))[::-1]}
            value = insert_slice(node, value, f"{node.name}_reversed_{axis}", whole)
        redirect(node.outputs[0], value)
        graph.remove(node, safe=True)
        self.changed(f"wrote {describe(node)} with reversals along the axes {backwards}")


def positions_of(node: ir.Node) -> dict[int, range] | None:
    """By axis what is read; None where that is not constant, or nothing."""
    value = node.inputs[0]
    assert value is not None
    shape = shape_of(value)
    operands = [*node.inputs[1:], None, None][:4]
    arrays = [constant(operand) for operand in operands]
    if any(operand and array is None for operand, array in zip(operands, arrays, strict=True)):
        return None
    starts, ends, axes, steps = ([] if each is None else each.ravel().tolist() for each in arrays)
    axes = [axis % len(shape) for axis in axes or range(len(starts))]
    steps = steps or [1 for _ in starts]
    read = {
        axis: range(shape[axis])[start:end:step]
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True)
    }
    return read if all(read.values()) else None


def _reverses(node: ir.Node) -> bool:
    """Rule 1."""
    starts, ends, _, steps = (constant(each) for each in node.inputs[1:5])
    assert starts is not None
    assert ends is not None
    assert steps is not None
    return (
        starts.ravel().tolist() == [FROM_THE_LAST]
        and int(ends.ravel()[0]) <= BEFORE_THE_FIRST_INT32
        and steps.ravel().tolist() == [-1]
    )
