"""Nodes that change nothing go."""

import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    constant,
    describe,
    gives_more,
    is_op,
    redirect,
    static_shape,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}
"""The second operand that changes nothing; the first one, too, of the sum and the product."""


class RemoveIdentities(ReportingPass):
    """A node that gives what it gets goes, and its readers read what it read.

    1. ``Identity``; ``Dropout`` outside training, whose mask nothing reads; ``Cast`` to the type
       that the value has; ``Concat`` of one input; ``Pad`` by nothing; ``Add`` and ``Sub`` of 0,
       ``Mul`` and ``Div`` by 1, where the constant enlarges nothing (HRNet begins its sums with 0).
    2. Where the output is a graph output, what was read takes over its name.
    3. The node stays where the graph would lose a name: between a graph input or a constant and a
       graph output, and between two graph outputs.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not _changes_nothing(node):
                continue
            value, output = node.inputs[_kept(node)], node.outputs[0]
            assert value is not None
            if output.is_graph_output() and (value.producer() is None or value.is_graph_output()):
                continue
            redirect(output, value)
            self.changed(f"removed {describe(node)}, which changes nothing")
            model.graph.remove(node, safe=True)


def _changes_nothing(node: ir.Node) -> bool:
    """Rule 1."""
    value, output = node.inputs[0] if node.inputs else None, node.outputs[0]
    if is_op(node, "Dropout"):
        training = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else False
        return training is not None and not training and not gives_more(node)
    if is_op(node, "Cast"):
        return value is not None and value.dtype is not None and value.dtype == output.dtype
    if is_op(node, "Concat"):
        return len(node.inputs) == 1
    if is_op(node, "Pad"):
        pads = constant(node.inputs[1])
        return pads is not None and not pads.any()
    if is_op(node, *NEUTRAL):
        kept, operand = node.inputs[_kept(node)], constant(node.inputs[1 - _kept(node)])
        if kept is None or operand is None or (operand != NEUTRAL[node.op_type]).any():
            return False
        shape = static_shape(kept)
        return shape is not None and shape == static_shape(output)
    return is_op(node, "Identity")


def _kept(node: ir.Node) -> int:
    """Which input the output is: of a sum or a product, the one that is not constant."""
    return int(is_op(node, "Add", "Mul") and constant(node.inputs[0]) is not None)
