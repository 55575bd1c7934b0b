"""Poolings round down: what ``ceil_mode`` adds becomes padding at the end."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    describe,
    gives_more,
    insert_pad,
    integer,
    integers,
    is_op,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

LOWEST = float(np.finfo(np.float32).min)


class ResolveCeilMode(ReportingPass):
    """``ceil_mode=0`` with end pads that give the same number of outputs.

    Per axis, with the n outputs that the value really has and K = (k - 1)·d + 1:

    1. The end pad grows to (n - 1)·s + K - H - b where it is smaller: the last window just fits.
    2. A max pooling never picks padding, and an average pooling that does not count padding
       (``count_include_pad=0``) divides by the rows of the input that it reads: nothing changes.
    3. An average pooling that counts padding counts its own pads, but not the rows of rule 1. If
       there are any, it counts none from now on, and its own pads go into a ``Pad`` before it.
       That holds for every opset: what ONNX Runtime (1.26) computes before opset 19, where it
       divides by the whole kernel, is an error of its own (``runtime/runners.py``).
    4. The pads of a pooling must be smaller than its kernel (ONNX Runtime). Where rule 1 makes
       those of a dilated max pooling larger, they go into a ``Pad`` by the lowest number; a dilated
       average pooling stays in ceil mode.

    Requires explicit pads. Source of 3: ONNX's reference implementation of opset 19, and
    ``torch.nn.AvgPool2d``.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not _rounds_up(node):
                continue
            own, pads = _pads(node)
            moved, value = [0] * len(own), 0.0
            if _counts_padding(node) and pads != own:
                moved, pads = own, [pad - rows for pad, rows in zip(pads, own, strict=True)]
                node.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 0)
            if _as_large_as_the_kernel(node, pads):
                if is_op(node, "AveragePool") or gives_more(node):
                    self.left(node, f"it would need pads {pads}, larger than its kernel")
                    continue
                moved, pads, value = pads, moved, LOWEST
            words = f"wrote ceil_mode of {describe(node)} as pads {pads}"
            if any(moved):
                source = node.inputs[0]
                assert source is not None
                padded = insert_pad(node, source, f"{node.name}_pad", moved, value)
                node.replace_input_with(0, padded)
                words += f" behind a Pad by {moved}"
            node.attributes["pads"] = ir.AttrInt64s("pads", pads)
            node.attributes.pop("ceil_mode")
            self.changed(words)


def _counts_padding(node: ir.Node) -> bool:
    return is_op(node, "AveragePool") and bool(integer(node, "count_include_pad", 0))


def _as_large_as_the_kernel(node: ir.Node, pads: list[int]) -> bool:
    kernel = integers(node, "kernel_shape", ())
    return any(rows >= side for rows, side in zip(pads, kernel * 2, strict=True))


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
