"""A ``Pad`` in front of a window becomes the window's own padding."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    Array,
    constant,
    describe,
    gives_more,
    integer,
    integers,
    is_op,
    readers,
    shape_of,
    string,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

type Spatial = tuple[int, ...]
"""Rows before every spatial axis, then rows after every spatial axis: ONNX's order of ``pads``."""


class MergePads(ReportingPass):
    """``Pad`` + window → a window with larger pads, where both compute the same.

    1. The Pad is constant, spatial only and not negative, and it is no graph output.
    2. All its readers are convolutions and the value is zero: a convolution pads with zeros.
    3. All its readers are average poolings and the value is zero: they count padding
       (``count_include_pad``), or have no padding of their own and count it from now on.
    4. All its readers are max poolings and the value can never be a maximum: it is the lowest
       value, or zero below an input that is never negative (``Relu``, ``Sigmoid``, ``Clip``).
       Every window must read a row of the input: padding alone has no maximum.
    5. The pads of a pooling stay smaller than its kernel, as backends demand.
    6. Any other Pad stays.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, "Pad"):
                continue
            windows = list(readers(node.outputs[0]))
            reason = _refusal(node, windows)
            if reason:
                self.left(node, reason)
                continue
            for window in windows:
                _merge(node, window)
                self.changed(f"merged {describe(node)} into {describe(window)}")
            model.graph.remove(node, safe=True)


def _merge(pad: ir.Node, window: ir.Node) -> None:
    pads = _sum(pad, window)
    window.attributes["pads"] = ir.AttrInt64s("pads", pads)
    if is_op(window, "AveragePool"):
        window.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)
    window.replace_input_with(0, pad.inputs[0])


def _refusal(pad: ir.Node, windows: list[ir.Node]) -> str:
    """Why the Pad stays; empty if it need not."""
    if pad.outputs[0].is_graph_output():
        return "it is a graph output"
    if string(pad, "mode", "constant") != "constant":
        return f"its mode is {string(pad, 'mode', '')}"
    if _pads_of(pad) is None:
        return "its pads are not constant"
    if _spatial(pad) is None:
        return "it pads batch or channels"
    if min(_spatial(pad) or ()) < 0:
        return "it has negative pads"
    kinds = {window.op_type for window in windows}
    if len(kinds) > 1:
        return f"its readers differ: {', '.join(sorted(kinds))}"
    for window in windows:
        if reason := _refusal_of_window(pad, window):
            return f"{describe(window)} {reason}"
    return ""


def _refusal_of_window(pad: ir.Node, window: ir.Node) -> str:
    value = _value(pad)
    if is_op(window, "Conv"):
        if any(read is pad.outputs[0] for read in window.inputs[1:]):
            return "takes it as weights"
        return "" if value == 0 else f"pads with 0, not with {_words(value)}"
    if not is_op(window, "AveragePool", "MaxPool"):
        return "has no padding of its own"
    if integer(window, "ceil_mode", 0):
        return "is in ceil mode"
    if gives_more(window):
        return "gives indices into the padded map"
    kernel = integers(window, "kernel_shape", ())
    if any(rows >= side for rows, side in zip(_sum(pad, window), kernel * 2, strict=True)):
        return "would have pads as large as its kernel"
    if is_op(window, "AveragePool"):
        return _refusal_of_average(window, value)
    return _refusal_of_maximum(pad, window, value)


def _refusal_of_average(window: ir.Node, value: float | None) -> str:
    """Rule 3."""
    if value != 0:
        return f"pads with 0, not with {_words(value)}"
    if any(_own(window)) and not integer(window, "count_include_pad", 0):
        return "does not count its own padding"
    return ""


def _refusal_of_maximum(pad: ir.Node, window: ir.Node, value: float | None) -> str:
    """Rule 4."""
    source = pad.inputs[0]
    assert source is not None
    assert source.dtype is not None
    lowest = float(np.finfo(source.dtype.numpy()).min)
    if value is None or not (value <= lowest or (value == 0 and _is_never_negative(source))):
        return f"may pick {_words(value)} of the padding"
    kernel = integers(window, "kernel_shape", ())
    ones = [1] * len(kernel)
    strides, dilations = integers(window, "strides", ones), integers(window, "dilations", ones)
    pads, outputs = _sum(pad, window), shape_of(window.outputs[0])[2:]
    for axis, size in enumerate(shape_of(source)[2:]):
        for output in range(outputs[axis]):
            first = output * strides[axis] - pads[axis]
            taps = range(first, first + kernel[axis] * dilations[axis], dilations[axis])
            if not any(0 <= row < size for row in taps):
                return "has a window of padding alone"
    return ""


def _is_never_negative(value: ir.Value) -> bool:
    node = value.producer()
    if node is not None and is_op(node, "Clip") and len(node.inputs) > 1:
        least = constant(node.inputs[1])
        return least is not None and float(least.item()) >= 0
    return is_op(node, "Relu", "Sigmoid")


def _sum(pad: ir.Node, window: ir.Node) -> Spatial:
    added = _spatial(pad)
    assert added is not None
    return tuple(a + b for a, b in zip(added, _own(window, len(added)), strict=True))


def _own(window: ir.Node, length: int = 0) -> Spatial:
    return integers(window, "pads", [0] * length)


def _pads_of(pad: ir.Node) -> Array | None:
    """Begin and end of every axis, 2 x rank; None if they are not constant."""
    value = pad.inputs[0]
    assert value is not None
    rank = len(shape_of(value))
    given = constant(pad.inputs[1])
    axes_value = pad.inputs[3] if len(pad.inputs) > 3 else None
    axes = np.arange(rank) if axes_value is None else constant(axes_value)
    if given is None or axes is None:
        return None
    pads = np.zeros((2, rank), np.int64)
    pads[:, axes] = given.reshape(2, -1)
    return pads


def _spatial(pad: ir.Node) -> Spatial | None:
    """The pads of the spatial axes; None if batch or channels have any."""
    pads = _pads_of(pad)
    if pads is None or pads[:, :2].any():
        return None
    return tuple(int(rows) for rows in pads[:, 2:].ravel())


def _value(pad: ir.Node) -> float | None:
    """The padded value; None if it is not constant."""
    value = pad.inputs[2] if len(pad.inputs) > 2 else None
    if value is None:
        return 0.0
    array = constant(value)
    return None if array is None else float(array.item())


def _words(value: float | None) -> str:
    return "a computed value" if value is None else str(value)
