"""OpenVINO's intermediate representation of an ONNX graph, normalised to be read rightly.

openvino2tensorflow 1.34.0 has a reading of its own of a window's pads: end pads without begin pads
become SAME whatever they are, a MaxPool is padded with zeros, a transposed convolution with any
pads becomes SAME, and whether an average counts its padding is not looked at. It has no ``Slice``
and takes a ``StridedSlice``'s masks for something else. It reads rightly: SAME by ``auto_pad``,
windows without pads, and a ``Pad`` over rows and columns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from mmdet2tflite.errors import ModelError

SPATIAL = (2, 3)
CONVOLUTIONS = ("Convolution", "GroupConvolution")
POOLINGS = ("MaxPool", "AvgPool")


def read_onnx(onnx: Path) -> ov.Model:
    """What ``ovc`` makes of an ONNX graph, its constants folded. Raises ModelError."""
    try:
        return ov.convert_model(onnx)
    except Exception as error:  # the frontend's errors have no common base class of their own
        raise ModelError(
            f"OpenVINO does not take {onnx.name}: {error}", "operators that it has"
        ) from error


def write_ir(model: ov.Model, xml: Path) -> None:
    """Write ``xml``, and beside it the weights (``.bin``) in float32."""
    ov.save_model(model, xml, compress_to_fp16=False)


def normalise_ir(model: ov.Model) -> None:
    """Write in another way what openvino2tensorflow misreads; the numbers stay the same.

    1. Pads that ``auto_pad`` decides stay where they are.
    2. Pads of a convolution become a ``Pad`` of zeros before it; so do those of an average pooling
       that counts them.
    3. Pads of a maximum pooling become a symmetric ``Pad``: what it mirrors is in the window
       anyway, as long as no pad is larger than half of the kernel.
    4. A transposed convolution is written without pads, and cropped.
    5. A ``Slice`` by constants becomes a ``StridedSlice`` without masks.

    Raises:
        ModelError: there is no other way to write it.
    """
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind in (*CONVOLUTIONS, *POOLINGS):
            _separate_pads(node)
        elif kind == "ConvolutionBackpropData":
            _crop_instead(node)
        elif kind == "Slice":
            _normalise_slice(node)
        elif kind == "Pad":
            _check_pad(node)
    model.validate_nodes_and_infer_types()


def _separate_pads(node: ov.Node) -> None:
    """Rules 1 to 3."""
    attributes = node.get_attributes()
    begin, end = attributes["pads_begin"], attributes["pads_end"]
    if attributes["auto_pad"] != "explicit" or not any((*begin, *end)) or len(begin) != 2:
        return
    mode = "constant"
    if node.get_type_name() == "AvgPool" and attributes["exclude-pad"]:
        raise _refusal(node, "an average that does not count its padding, padded unlike SAME")
    if node.get_type_name() == "MaxPool":
        mode = "symmetric"
        for pad, kernel in zip((*begin, *end), attributes["kernel"] * 2, strict=True):
            if 2 * pad > kernel:
                raise _refusal(node, f"a pad of {pad} for a kernel of {kernel}")
    pads = [np.array([0, 0, *sides], np.int64) for sides in (begin, end)]
    zero = ops.constant(np.float32(0))
    padded = ops.pad(node.input_value(0), *pads, mode, zero)
    padded.set_friendly_name(f"{node.get_friendly_name()}/pad")
    node.input(0).replace_source_output(padded.output(0))
    for name in ("pads_begin", "pads_end"):
        node.set_attribute(name, [0, 0])


def _crop_instead(node: ov.Node) -> None:
    """Rule 4: without pads it has (n - 1) s + (k - 1) d + 1 rows; ``begin`` of them are skipped."""
    attributes = node.get_attributes()
    begin, extra = attributes["pads_begin"], attributes["output_padding"]
    if not any((*begin, *attributes["pads_end"], *extra)):
        return
    if attributes["auto_pad"] != "explicit" or len(begin) != 2:
        raise _refusal(node, "a transposed convolution with such padding")
    sizes, kernels, wanted = (
        list(value.get_shape()) for value in (*node.input_values()[:2], node.output(0))
    )
    steps = zip(attributes["strides"], attributes["dilations"], strict=True)
    full = [
        (size - 1) * stride + (kernel - 1) * dilation + 1
        for size, kernel, (stride, dilation) in zip(sizes[2:], kernels[2:], steps, strict=True)
    ]
    stops = [first + side for first, side in zip(begin, wanted[2:], strict=True)]
    if any(stop > side for stop, side in zip(stops, full, strict=True)):
        raise _refusal(node, f"padded at its end by {extra}, beyond its last window")
    readers = node.output(0).get_target_inputs()
    for name in ("pads_begin", "pads_end", "output_padding"):
        node.set_attribute(name, [0, 0])
    cropped = _strided_slice(node.output(0), [0, 0, *begin], [*wanted[:2], *stops], [1] * 4)
    for reader in readers:
        reader.replace_source_output(cropped.output(0))


def _normalise_slice(node: ov.Node) -> None:
    """Rule 5."""
    operands = [_constant(value) for value in node.input_values()[1:]]
    numbers = [np.ravel(operand).tolist() for operand in operands if operand is not None]
    if len(numbers) < len(operands):
        raise _refusal(node, "by computed numbers")
    shape = list(node.input_value(0).get_shape())
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    axes = numbers[3] if len(numbers) > 3 else range(len(numbers[0]))
    for axis, start, stop, step in zip(axes, *numbers[:3], strict=True):
        side = shape[axis]
        first, last, steps[axis] = slice(start, stop, step).indices(side)
        starts[axis] = first
        # Backwards to the first row: -1 would stand for the last one.
        stops[axis] = last if last >= 0 else -side - 1
    strided = _strided_slice(node.input_value(0), starts, stops, steps)
    for reader in node.output(0).get_target_inputs():
        reader.replace_source_output(strided.output(0))


def _check_pad(node: ov.Node) -> None:
    mode = node.get_attributes()["pad_mode"]
    if mode in ("reflect", "symmetric"):
        return
    begin, end = (_constant(value) for value in node.input_values()[1:3])
    value = _constant(node.input_value(3)) if node.get_input_size() > 3 else np.zeros(1)
    over = None if begin is None or end is None else np.flatnonzero(begin | end)
    if mode != "constant" or value is None or value.any():
        raise _refusal(node, f"a Pad in mode {mode} with other values than zero")
    if over is None or not set(over.tolist()) <= set(SPATIAL):
        raise _refusal(node, "a Pad that is not over rows and columns")


def _strided_slice(
    value: ov.Output, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int]
) -> ov.Node:
    none = [0] * len(starts)
    numbers = [np.array(operand, np.int64) for operand in (starts, stops, steps)]
    return ops.strided_slice(value, *numbers, begin_mask=none, end_mask=none)


def _constant(value: ov.Output) -> NDArray[Any] | None:
    node = value.get_node()
    return np.asarray(node.data) if node.get_type_name() == "Constant" else None


def _refusal(node: ov.Node, what: str) -> ModelError:
    return ModelError(
        f"{node.get_friendly_name()} ({node.get_type_name()}) is {what}",
        "what openvino2tensorflow reads rightly",
        "use the converter onnx2tf",
    )
