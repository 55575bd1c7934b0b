"""Convolutions and matrix products, of reals or of centred integers.

1. Integers: the accumulator is an exact integer: products of centred activations and weights, and
   a bias that is rounded to multiples of ``input scale * weight scale``. It becomes an output by
   the multiplier ``input scale * weight scale / output scale``, computed in float32 from left to
   right as XNNPACK does. Sums beyond 2**24 round as float32 does, XNNPACK one step later.
2. A fused activation is a limit of the output's integers.
3. SAME's pads are TensorFlow's (``geometry``), zeros, which are centred integers' zeros as well.
4. Weights are as the file has them: OHWI; of a depthwise convolution 1 x H x W x (C * multiplier),
   in which the outputs of an input channel lie side by side, as in PyTorch's groups.
"""

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema
from torch import Tensor
from torch.nn import functional as F

from mmdet2tflite.geometry import same_pads
from mmdet2tflite.quantize.tuning.rounding import requantise, round_through
from mmdet2tflite.quantize.tuning.steps import Grid, ScaleOf, Step, refused

_ACTIVATION = schema.ActivationFunctionType
LIMITS = {
    _ACTIVATION.NONE: (None, None),
    _ACTIVATION.RELU: (0.0, None),
    _ACTIVATION.RELU6: (0.0, 6.0),
    _ACTIVATION.RELU_N1_TO_1: (-1.0, 1.0),
}
"""Least and largest output of a fused activation, as reals."""


def conv_2d(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """CONV_2D; fewer channels in a kernel than in the input are groups."""
    image, kernel, bias = operands(values)
    groups = image.shape[3] // kernel.shape[3]
    return _convolve(step, image, kernel.permute(0, 3, 1, 2), bias, groups, scale)


def depthwise_conv_2d(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """DEPTHWISE_CONV_2D."""
    image, kernel, bias = operands(values)
    return _convolve(step, image, kernel.permute(3, 0, 1, 2), bias, image.shape[3], scale)


def fully_connected(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """FULLY_CONNECTED: over the last axis, or over all axes but as many rows as fit."""
    value, weights, bias = operands(values)
    if not step.options.keepNumDims or value.shape[-1] != weights.shape[1]:
        value = value.reshape(-1, weights.shape[1])
    unit = _unit(step, scale)
    result = F.linear(value, weights, _bias(bias, unit))
    return [finish(step, result, unit, scale)]


def transpose_conv(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """TRANSPOSE_CONV; inputs are the output's shape, the kernel, the image and maybe a bias.

    The whole transposed convolution has (size - 1) * stride + kernel rows, of which SAME and VALID
    keep those from ``(rows - wanted) // 2`` on, none being negative.
    """
    _, kernel, image, *rest = values
    if image is None or kernel is None:
        raise refused(step.name, "it has no input")
    unit = _unit(step, scale, image=2)
    strides = step.options.strideH, step.options.strideW
    bias = _bias(rest[0] if rest else None, unit)
    whole = F.conv_transpose2d(
        image.permute(0, 3, 1, 2), kernel.permute(3, 0, 1, 2), stride=strides
    )
    height, width = step.shapes[0][1:3]
    top, left = (
        max(0, rows - wanted) // 2
        for rows, wanted in zip(whole.shape[2:], (height, width), strict=True)
    )
    missing = width - whole.shape[3], height - whole.shape[2]
    whole = F.pad(whole, (0, max(0, missing[0]), 0, max(0, missing[1])))
    result = whole[:, :, top : top + height, left : left + width].permute(0, 2, 3, 1)
    return [finish(step, result if bias is None else result + bias, unit, scale)]


def operands(values: Sequence[Tensor | None]) -> tuple[Tensor, Tensor, Tensor | None]:
    """Input, weights, and the bias where there is one."""
    image, kernel, *rest = values
    assert image is not None
    assert kernel is not None
    return image, kernel, rest[0] if rest else None


def activation_limits(step: Step) -> tuple[float | None, float | None]:
    """Of a fused activation. Raises ModelError: it is none of ``LIMITS``."""
    kind = step.options.fusedActivationFunction if step.options else _ACTIVATION.NONE
    if kind not in LIMITS:
        raise refused(step.name, f"its fused activation is number {kind}")
    return LIMITS[kind]


def integer_limits(step: Step, grid: Grid, scale: ScaleOf) -> tuple[float, float]:
    """Rule 2: the least and the largest centred integer of the first output."""
    least, largest = activation_limits(step)
    unit = float(scale(step.outputs[0]).detach())
    low = grid.low if least is None else max(grid.low, round(least / unit))
    high = grid.high if largest is None else min(grid.high, round(largest / unit))
    return float(low), float(high)


def finish(step: Step, result: Tensor, unit: Tensor | None, scale: ScaleOf) -> Tensor:
    """The output of an accumulator in multiples of ``unit``; with no unit, of reals."""
    if unit is None or step.grid is None:
        least, largest = activation_limits(step)
        return result if least is None and largest is None else result.clamp(least, largest)
    low, high = integer_limits(step, step.grid, scale)
    return requantise(result, unit / scale(step.outputs[0]), low, high)


def _convolve(
    step: Step, image: Tensor, kernel: Tensor, bias: Tensor | None, groups: int, scale: ScaleOf
) -> list[Tensor]:
    window = step.window
    assert window is not None
    unit = _unit(step, scale)
    maps = image.permute(0, 3, 1, 2)
    pads = (0, 0), (0, 0)
    if window.same:
        sides = zip(maps.shape[2:], window.kernel, window.stride, window.dilation, strict=True)
        pads = tuple(same_pads(*side) for side in sides)  # type: ignore[assignment]
    (top, bottom), (left, right) = pads
    symmetric = top == bottom and left == right
    if not symmetric:
        maps = F.pad(maps, (left, right, top, bottom))
    found = F.conv2d(
        maps,
        kernel,
        _bias(bias, unit),
        stride=window.stride,
        padding=(top, left) if symmetric else 0,
        dilation=window.dilation,
        groups=groups,
    )
    return [finish(step, found.permute(0, 2, 3, 1), unit, scale)]


def _unit(step: Step, scale: ScaleOf, image: int = 0) -> Tensor | None:
    """What an accumulator of 1 stands for, for each channel; None of reals.

    Raises:
        ModelError: weights are integers and activations are not, or the reverse.
    """
    grids = step.input_grids[image], step.input_grids[1], step.grid
    if grids == (None, None, None):
        return None
    if None in grids:
        raise refused(step.name, "some of its tensors are integers and some are not")
    return scale(step.inputs[image]) * scale(step.inputs[1])


def _bias(bias: Tensor | None, unit: Tensor | None) -> Tensor | None:
    return bias if bias is None or unit is None else round_through(bias / unit)
