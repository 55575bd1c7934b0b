"""Rules for windows that slide over rows and columns: convolutions and poolings.

The pads of a flipped Conv, MaxPool or AveragePool are not written here: they are those of its
``WindowOperator``.
"""

import onnx_ir as ir

from mmdet2tflite.graph.edit import integers, string
from mmdet2tflite.graph.rotation.rule import (
    SPATIAL,
    Answer,
    Flipped,
    Operation,
    Refused,
    keep,
    of_first_input,
)


@of_first_input
def convolution(operation: Operation) -> Answer:
    """The kernel is flipped along the flipped axes (rule 7 of ``geometry.py``)."""
    if refusal := _not_over_rows_and_columns(operation):
        return refusal
    flipped_axes = operation.flipped[0]
    return Flipped(flipped_axes, flips={1: flipped_axes})


@of_first_input
def pooling(operation: Operation) -> Answer:
    """A window's mean or maximum does not depend on the order in it; batch and channels stay."""
    if len(operation.shape(0)) != 4:
        return Refused("does not pool over rows and columns")
    if len(operation.node.outputs) > 1:
        return Refused("gives the positions of its maxima too")
    return Flipped(operation.flipped[0])


@of_first_input
def transposed_convolution(operation: Operation) -> Answer:
    """ConvTranspose: kernel flipped, pads (b', e') = (e - op, b), and no output padding op.

    Output row o = i·s + j·d - b, of n = (H - 1)·s + K - b - e + op rows. For n - 1 - o, row
    H - 1 - i and tap k - 1 - j that is the same with b' = (H - 1)·s + K - n - b = e - op.
    Refused where that is negative. Source: ONNX operator specification, ConvTranspose.
    """
    if refusal := _not_over_rows_and_columns(operation):
        return refusal
    node, flipped_axes = operation.node, operation.flipped[0]
    mode = string(node, "auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID"):
        return Refused(f"has auto_pad {mode}")
    begins, ends, extras = _transposed_pads(operation)
    for i in (0, 1):
        if i + 2 in flipped_axes:
            begins[i], ends[i], extras[i] = ends[i] - extras[i], begins[i], 0
    if min(begins + ends) < 0:
        return Refused("has an output padding larger than its end pad")
    attributes: dict[str, ir.Attr | None] = {
        "auto_pad": None,
        "output_shape": None,
        "pads": ir.AttrInt64s("pads", begins + ends),
        "output_padding": ir.AttrInt64s("output_padding", extras),
    }
    return Flipped(flipped_axes, flips={1: flipped_axes}, attributes=attributes)


def _not_over_rows_and_columns(operation: Operation) -> Refused | None:
    if operation.constant(1) is None:
        return Refused("computes its weights")
    if len(operation.shape(0)) != 4:
        return Refused("does not convolve over rows and columns")
    spatial = operation.flipped[0] & SPATIAL
    if spatial != operation.flipped[0]:
        return keep(operation, spatial, "needs batch and channels upright")
    return None


def _transposed_pads(operation: Operation) -> tuple[list[int], list[int], list[int]]:
    """Begin, end and output padding of rows and columns. ``output_shape`` decides on the pads."""
    node = operation.node
    extras = list(integers(node, "output_padding", (0, 0)))
    if "output_shape" not in node.attributes:
        pads = list(integers(node, "pads", (0, 0, 0, 0)))
        return pads[:2], pads[2:], extras
    strides, dilations = integers(node, "strides", (1, 1)), integers(node, "dilations", (1, 1))
    begins, ends = [], []
    for i in (0, 1):
        span = (operation.shape(1)[2 + i] - 1) * dilations[i] + 1
        full = (operation.shape(0)[2 + i] - 1) * strides[i] + span + extras[i]
        total = full - operation.output_shape[2 + i]
        ends.append(total // 2)
        begins.append(total - total // 2)
    return begins, ends, extras
