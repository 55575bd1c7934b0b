"""Normalises a graph so that onnx2tf's TensorFlow back end reads it rightly. The numbers stay.

1. An Add of two computed values of one shape becomes a Sum. onnx2tf 2.6.9 compares the result of an
   Add, which it has as N x H x W x C by then, with the ONNX shape N x C x H x W, finds another
   shape, and transposes the operands until it fits; behind it whatever is told from its like by its
   shape alone (40 x 32 pixels of 32 channels) is taken for the other.
"""

import onnx_ir as ir

from mmdet2tflite.graph.edit import constant, is_op, shape_of


def normalise_for_tensorflow(model: ir.Model) -> None:
    """Change the model in place by the rules above."""
    for node in model.graph:
        if is_op(node, "Add") and _is_elementwise(node):
            node.op_type = "Sum"  # rule 1


def _is_elementwise(node: ir.Node) -> bool:
    values = [value for value in node.inputs if value is not None]
    if any(constant(value) is not None for value in values):
        return False
    first, second = (shape_of(value) for value in values)
    return first == second
