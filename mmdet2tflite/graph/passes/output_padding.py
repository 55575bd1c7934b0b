"""Output padding beyond the pads of a transposed convolution becomes taps that are zero."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import constant, describe, integers, is_op, new_constant
from mmdet2tflite.graph.passes.reporting import ReportingPass


class SpellOutOutputPadding(ReportingPass):
    """``ConvTranspose`` without an ``output_padding`` that is larger than its end pads.

    1. Along an axis it gives n = s·(H - 1) + o + K - b - e outputs: an output padding o ≤ e is the
       end pad e - o (ONNX operator specification, ConvTranspose). There it stays as it is.
    2. With o > e the o - e outputs behind the last window hold the bias alone. So do those of
       further taps that are zero: ceil((o - e) / d) of them, d positions apart each, and the end
       pad that takes away what is too much. All axes lose their output padding then.

    onnx2tf 2.6.9 gives a map that lacks those outputs. Requires explicit pads; a kernel that is
    computed stays.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            extras = integers(node, "output_padding", ())
            kernel = constant(node.inputs[1]) if is_op(node, "ConvTranspose") else None
            if kernel is None or not any(extras):
                continue
            axes = kernel.ndim - 2
            pads = list(integers(node, "pads", [0] * 2 * axes))
            ends = [end - extra for end, extra in zip(pads[axes:], extras, strict=True)]
            if min(ends) >= 0:  # rule 1
                continue
            dilations = integers(node, "dilations", [1] * axes)
            more = [
                -(min(end, 0) // dilation) for end, dilation in zip(ends, dilations, strict=True)
            ]
            ends = [
                end + taps * dilation
                for end, taps, dilation in zip(ends, more, dilations, strict=True)
            ]
            wider = np.pad(kernel, [(0, 0), (0, 0), *((0, taps) for taps in more)])
            operand = new_constant(model.graph, f"{node.name}_kernel", wider)
            node.replace_input_with(1, operand)
            del node.attributes["output_padding"]
            numbers = {"pads": [*pads[:axes], *ends], "kernel_shape": wider.shape[2:]}
            for name, values in numbers.items():
                node.attributes[name] = ir.AttrInt64s(name, list(values))
            self.changed(f"wrote the output padding of {describe(node)} as taps of zero")
