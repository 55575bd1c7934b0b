"""A dilated max pooling, which TFLite has no operator for, becomes maxima of shifted maps."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    describe,
    gives_more,
    insert_pad,
    insert_slice,
    integer,
    integers,
    is_op,
    new_node,
    redirect,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

LOWEST = float(np.finfo(np.float32).min)


class SpellOutDilatedPools(ReportingPass):
    """``MaxPool`` with dilations → ``Max`` of Slices along one axis, then along the next.

    1. A dilation along an axis with one tap means nothing; without any other the pooling stays.
    2. The maximum of a window is that of its rows' maxima. Along an axis of n outputs with stride
       s, tap t of dilation d reads the positions t·d, t·d + s, … t·d + (n - 1)·s.
    3. Pads that are read become a ``Pad`` by the lowest number, which is never a maximum.
    4. Left as it is: a pooling whose indices are read, or that is not of floats.

    Requires explicit pads and no ceil mode.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, "MaxPool"):
                continue
            kernel = integers(node, "kernel_shape", ())
            dilations = integers(node, "dilations", [1] * len(kernel))
            pairs = list(zip(kernel, dilations, strict=True))
            if all(1 in pair for pair in pairs):  # rule 1
                if node.attributes.pop("dilations", None) is not None:
                    self.changed()
                continue
            value = node.inputs[0]
            assert value is not None
            if reason := _refusal(node, value):
                self.left(node, reason)
                continue
            redirect(node.outputs[0], _maxima(model.graph, node, value, pairs))
            model.graph.remove(node, safe=True)
            self.changed(f"wrote {describe(node)} as maxima of shifted maps")


def _refusal(node: ir.Node, value: ir.Value) -> str:
    """Rule 4."""
    if gives_more(node):
        return "its indices are read"
    if integer(node, "ceil_mode", 0):
        return "it is in ceil mode"
    return "" if value.dtype == ir.DataType.FLOAT else "it pools no floats"


def _maxima(
    graph: ir.Graph, node: ir.Node, value: ir.Value, pairs: list[tuple[int, int]]
) -> ir.Value:
    """Rules 2 and 3."""
    axes = len(pairs)
    strides, pads = integers(node, "strides", [1] * axes), integers(node, "pads", [0] * 2 * axes)
    counts, sizes = shape_of(node.outputs[0])[2:], shape_of(value)[2:]
    reach = [
        (count - 1) * stride + (taps - 1) * dilation + 1
        for count, stride, (taps, dilation) in zip(counts, strides, pairs, strict=True)
    ]
    ends = [max(0, reach[i] - sizes[i] - pads[i]) for i in range(axes)]
    if any((*pads[:axes], *ends)):
        value = insert_pad(node, value, f"{node.name}_pad", (*pads[:axes], *ends), LOWEST)
    for i, (taps, dilation) in enumerate(pairs):
        if taps == strides[i] == 1 and counts[i] == shape_of(value)[i + 2]:
            continue
        last = (counts[i] - 1) * strides[i] + 1
        shifted = [
            insert_slice(
                node,
                value,
                f"{node.name}_axis_{i + 2}_tap_{tap}",
                {i + 2: range(tap * dilation, tap * dilation + last, strides[i])},
            )
            for tap in range(taps)
        ]
        value = shifted[0]
        for tap, other in enumerate(shifted[1:], start=1):
            name = f"{node.name}_axis_{i + 2}_max_{tap}"
            step = new_node("Max", [value, other], name=name, like=value, shape=shape_of(value))
            graph.insert_before(node, step)
            value = step.outputs[0]
    return value
