"""Poolings round down: what ``ceil_mode`` adds becomes padding at the end."""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import PostconditionError

from mmdet2tflite.graph.edit import (
    describe,
    integer,
    integers,
    is_op,
    new_constant,
    new_node,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass


class ResolveCeilMode(ReportingPass):
    """``ceil_mode=0`` with end pads that give the same number of outputs.

    Per axis, with the n outputs that the value really has and K = (k - 1)·d + 1:

    1. The end pad grows to (n - 1)·s + K - H - b where it is smaller: the last window just fits.
    2. A max pooling never picks padding, and an average pooling that does not count padding
       (``count_include_pad=0``) divides by the rows of the input that it reads: nothing changes.
    3. An average pooling that counts padding counts its own, but not the rows of rule 1. If there
       are any, it counts none from now on, and its own pads, if any, go into a ``Pad`` before it.

    Requires explicit pads. Source of 3: ``torch.nn.AvgPool2d``, whose divisor ends at the pad.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not _rounds_up(node):
                continue
            own, pads = _pads(node)
            words = f"wrote ceil_mode of {describe(node)} as pads"
            if integer(node, "count_include_pad", 0) and pads != own:
                if any(own):
                    pads = [pad - moved for pad, moved in zip(pads, own, strict=True)]
                    _pad_before(model.graph, node, own)
                    words = f"{words} {own} of a Pad before it, and"
                node.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 0)
            node.attributes["pads"] = ir.AttrInt64s("pads", pads)
            node.attributes.pop("ceil_mode")
            self.changed(f"{words} {pads}")

    def ensures(self, model: ir.Model) -> None:
        """No pooling rounds up."""
        if rest := [describe(node) for node in model.graph if _rounds_up(node)]:
            raise PostconditionError(f"in ceil mode: {rest}")


def _rounds_up(node: ir.Node) -> bool:
    return is_op(node, "MaxPool", "AveragePool") and bool(integer(node, "ceil_mode", 0))


def _pads(node: ir.Node) -> tuple[list[int], list[int]]:
    """The pads that are there, and those of rule 1."""
    value, kernel = node.inputs[0], integers(node, "kernel_shape", ())
    assert value is not None
    axes, ones = len(kernel), [1] * len(kernel)
    own = list(integers(node, "pads", [0] * (2 * axes)))
    strides, dilations = integers(node, "strides", ones), integers(node, "dilations", ones)
    sizes, outputs = shape_of(value)[2:], shape_of(node.outputs[0])[2:]
    ends = []
    for axis, begin in enumerate(own[:axes]):
        span = (kernel[axis] - 1) * dilations[axis] + 1
        reach = (outputs[axis] - 1) * strides[axis] + span
        ends.append(max(own[axes + axis], reach - sizes[axis] - begin))
    return own, own[:axes] + ends


def _pad_before(graph: ir.Graph, node: ir.Node, own: list[int]) -> None:
    """Rule 3."""
    value, axes = node.inputs[0], len(own) // 2
    assert value is not None
    pads = np.zeros((2, axes + 2), np.int64)
    pads[:, 2:] = np.reshape(own, (2, axes))
    shape = [side + rows for side, rows in zip(shape_of(value), pads.sum(axis=0), strict=True)]
    name = f"{node.name}_pad"
    operand = new_constant(graph, f"{name}_pads", pads.ravel())
    pad = new_node("Pad", [value, operand], name=name, like=value, shape=shape)
    graph.insert_before(node, pad)
    node.replace_input_with(0, pad.outputs[0])
