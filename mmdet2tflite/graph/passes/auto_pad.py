"""Every pad is written out."""

import onnx_ir as ir
from onnx_ir.passes import PostconditionError

from mmdet2tflite.geometry import Pads, resolve_auto_pad
from mmdet2tflite.graph.edit import describe, integers, is_op, shape_of, string
from mmdet2tflite.graph.passes.reporting import ReportingPass

WINDOWED = ("Conv", "MaxPool", "AveragePool", "LpPool")


class ResolveAutoPad(ReportingPass):
    """Explicit ``pads`` instead of ``auto_pad``, over any number of spatial axes.

    1. ``Conv`` and poolings: ``geometry.resolve_auto_pad``.
    2. ``ConvTranspose`` under SAME: the output is s·H per axis; under any mode, where
       ``output_shape`` is given, that. total = max(0, s·(H - 1) + output_padding + K - output) is
       cut off; SAME_UPPER cuts the odd row at the end, the others at the beginning.
    3. ``ConvTranspose`` under VALID: nothing is cut off.

    Source: ONNX operator specification, Conv and ConvTranspose; where they are silent (total < 0),
    ONNX Runtime.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            mode = string(node, "auto_pad", "NOTSET")
            if is_op(node, *WINDOWED) and mode != "NOTSET":
                pads = _pads(node, mode)
            elif is_op(node, "ConvTranspose") and _is_automatic(node, mode):
                pads = _transposed_pads(node, mode)
            else:
                continue
            node.attributes.pop("auto_pad", None)
            node.attributes.pop("output_shape", None)
            flat = [begin for begin, _ in pads] + [end for _, end in pads]
            node.attributes["pads"] = ir.AttrInt64s("pads", flat)
            self.changed(f"wrote auto_pad {mode} of {describe(node)} as pads {flat}")

    def ensures(self, model: ir.Model) -> None:
        """No window has automatic pads."""
        for node in model.graph:
            mode = string(node, "auto_pad", "NOTSET")
            if is_op(node, *WINDOWED, "ConvTranspose") and _is_automatic(node, mode):
                raise PostconditionError(f"{describe(node)} has automatic pads")


def _is_automatic(node: ir.Node, mode: str) -> bool:
    return mode != "NOTSET" or "output_shape" in node.attributes


def _pads(node: ir.Node, mode: str) -> list[Pads]:
    """Rule 1."""
    sizes, kernels, strides, dilations = _geometry(node)
    return [
        resolve_auto_pad(mode, *axis)
        for axis in zip(sizes, kernels, strides, dilations, strict=True)
    ]


def _transposed_pads(node: ir.Node, mode: str) -> list[Pads]:
    """Rules 2 and 3."""
    sizes, kernels, strides, dilations = _geometry(node)
    if mode == "VALID" and "output_shape" not in node.attributes:
        return [(0, 0)] * len(sizes)
    wanted = integers(
        node, "output_shape", [size * stride for size, stride in zip(sizes, strides, strict=True)]
    )
    extra = integers(node, "output_padding", [0] * len(sizes))
    pads = []
    for axis, output in enumerate(wanted[-len(sizes) :]):
        span = (kernels[axis] - 1) * dilations[axis] + 1
        total = max(0, strides[axis] * (sizes[axis] - 1) + extra[axis] + span - output)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return pads


def _geometry(node: ir.Node) -> tuple[tuple[int, ...], ...]:
    """Sizes, kernels, strides and dilations, one number per spatial axis."""
    value = node.inputs[0]
    assert value is not None
    sizes = shape_of(value)[2:]
    if is_op(node, "Conv", "ConvTranspose"):
        weights = node.inputs[1]
        assert weights is not None
        kernels = shape_of(weights)[2:]
    else:
        kernels = integers(node, "kernel_shape", ())
    ones = [1] * len(sizes)
    return sizes, kernels, integers(node, "strides", ones), integers(node, "dilations", ones)
