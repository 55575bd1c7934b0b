"""Elementwise operators, poolings and changes of scale, of reals or of centred integers.

Integer arithmetic is that of LiteRT 2.3 with its XNNPACK delegate, found by experiment
(tests/quantize/tuning/test_arithmetic.py holds each operator against it, for every pair of values
or a large sample) and by XNNPACK's documented parameter structures:

1. MUL: ``round(a * b * (scale_a * scale_b / scale_out))`` in float32.
2. ADD, SUB: fixed point. With ``ratio = scale_in / scale_out`` and s = 20 minus the exponent of the
   larger ratio, each multiplier is ``round(ratio * 2**s)``, and the sum is shifted right by s with
   half up.
3. LOGISTIC, TANH: a table of 256 entries, each computed from the real that it stands
   for: ``round(f(scale_in * centred) / scale_out)``.
4. QUANTIZE of reals: ``round(x / scale)``, by a multiplication with the reciprocal in float32.
5. QUANTIZE of integers: fixed point. The ratio of the scales is rounded to multiples of 1/256, and
   the product is shifted right by 8 with half up.
6. RELU, RELU6, RELU_N1_TO_1 are LiteRT's own: with ratio = m * 2**e and m in [0.5, 1), the product
   with m is rounded, and once more after its division by 2**-e (``MultiplyByQuantizedMultiplier``).
   Halves may fall on the other side for those with an upper limit.
7. HARD_SWISH is LiteRT's own too, in 16-bit fixed point (``hard_swish``).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet2tflite.geometry import same_pads
from mmdet2tflite.quantize.tuning import rounding
from mmdet2tflite.quantize.tuning.convolutions import finish, integer_limits
from mmdet2tflite.quantize.tuning.hard_swish import hard_swish_table
from mmdet2tflite.quantize.tuning.rounding import SIGMOID_STEPS, replace_value, requantise
from mmdet2tflite.quantize.tuning.steps import Grid, Operator, ScaleOf, Step, refused

ADD_BITS = 20
"""Binary digits of ADD's larger multiplier, less one."""
RATIO_STEPS = 256
"""What a ratio of scales is rounded to in rule 5: the inverse of."""


def is_integer(step: Step, operands: int = 1) -> bool:
    """Whether input and output are quantised.

    Raises:
        ModelError: some are and some are not.
    """
    grids = (*step.input_grids[:operands], step.grid)
    integers = [grid is not None for grid in grids]
    if any(integers) != all(integers):
        raise refused(step.name, "some of its tensors are integers and some are not")
    return all(integers)


def multiply(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """MUL: rule 1."""
    a, b = two(values)
    unit = scale(step.inputs[0]) * scale(step.inputs[1]) if is_integer(step, 2) else None
    return [finish(step, a * b, unit, scale)]


def silu(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """LOGISTIC and MUL in one (``fusing``): rules 3 and 1."""
    (value_index,), (result,), grid = step.inputs, step.outputs, step.grid
    assert grid is not None
    unit = scale(value_index)
    multiplier = unit * (1 / SIGMOID_STEPS) / scale(result)
    return [rounding.silu(one(values), unit, multiplier, *integer_limits(step, grid, scale))]


def add(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """ADD: rule 2."""
    a, b = two(values)
    return [_sum(step, a, b, 1, scale)]


def subtract(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """SUB: rule 2."""
    a, b = two(values)
    return [_sum(step, a, b, -1, scale)]


def _sum(step: Step, a: Tensor, b: Tensor, sign: int, scale: ScaleOf) -> Tensor:
    if not is_integer(step, 2):
        return finish(step, a + sign * b, None, scale)
    assert step.grid is not None
    out = scale(step.outputs[0])
    ratios = scale(step.inputs[0]) / out, sign * scale(step.inputs[1]) / out
    low, high = integer_limits(step, step.grid, scale)
    with torch.no_grad():  # in 64 bits, which hold every sum exactly
        numbers = [float(ratio.detach()) for ratio in ratios]
        shift = ADD_BITS - math.floor(math.log2(max(abs(number) for number in numbers)))
        first, second = (round(number * 2**shift) for number in numbers)
        total = a.double() * first + b.double() * second
        exact = torch.floor(total * 2.0**-shift + 0.5).clamp(low, high).float()
    return replace_value((a * ratios[0] + b * ratios[1]).clamp(low - 0.5, high + 0.5), exact)


def from_table(function: Callable[[Tensor], Tensor]) -> Operator:
    """The operator of a function of one value: rule 3."""

    def operator(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
        value = one(values)
        if not is_integer(step):
            return [function(value)]
        assert step.grid is not None
        real = function(value * scale(step.inputs[0]))
        return [requantise(real, 1 / scale(step.outputs[0]), step.grid.low, step.grid.high)]

    return operator


def hard_swish(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """HARD_SWISH: rule 7, by a table."""
    value, grid, given = one(values), step.grid, step.input_grids[0]
    if not is_integer(step):
        return [F.hardswish(value)]
    assert grid is not None
    assert given is not None
    into, out = scale(step.inputs[0]), scale(step.outputs[0])
    inputs = np.arange(given.low, given.high + 1)
    table = hard_swish_table(inputs, float(into.detach()), float(out.detach()))
    entries = torch.from_numpy(table.clip(grid.low, grid.high).astype(np.float32))
    exact = entries[(value.detach() - given.low).long()]
    real = F.hardswish(value * into) / out
    return [replace_value(real.clamp(grid.low, grid.high), exact)]


def limited(least: float, largest: float | None) -> Operator:
    """RELU and its like: rule 6."""

    def operator(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
        value, grid = one(values), step.grid
        if not is_integer(step):
            return [value.clamp(least, largest)]
        assert grid is not None
        into, out = scale(step.inputs[0]), scale(step.outputs[0])
        numbers = float(into.detach()), float(out.detach())
        low = max(grid.low, round(least / numbers[1]))
        high = grid.high if largest is None else min(grid.high, round(largest / numbers[1]))
        mantissa, exponent = math.frexp(numbers[0] / numbers[1])
        with torch.no_grad():
            product = _round_away(value.double() * 2.0 ** max(0, exponent) * mantissa)
            exact = _round_away(product * 2.0 ** min(0, exponent)).clamp(low, high).float()
        return [replace_value((value * (into / out)).clamp(low, high), exact)]

    return operator


def quantize(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """QUANTIZE: rule 4, of integers rule 5."""
    value, grid = one(values), step.grid
    if grid is None:
        raise refused(step.name, "it does not write int8")
    if step.input_grids[0] is None:
        return [requantise(value, 1 / scale(step.outputs[0]), grid.low, grid.high)]
    low, high = grid.low, grid.high
    ratio = scale(step.inputs[0]) / scale(step.outputs[0])
    multiplier = round(float(ratio.detach()) * RATIO_STEPS)
    exact = torch.floor(value.detach() * (multiplier / RATIO_STEPS) + 0.5).clamp(low, high)
    return [replace_value((value * ratio).clamp(low - 0.5, high + 0.5), exact)]


def dequantize(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """DEQUANTIZE: scale times centred integer."""
    if step.input_grids[0] is None:
        raise refused(step.name, "it does not read int8")
    return [one(values) * scale(step.inputs[0])]


def max_pool_2d(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """MAX_POOL_2D: no value of the padding is ever the largest."""
    maps, pads = _padded_maps(step, one(values), -math.inf)
    window = step.window
    assert window is not None
    return [F.max_pool2d(maps, window.kernel, window.stride, pads).permute(0, 2, 3, 1)]


def average_pool_2d(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """AVERAGE_POOL_2D: over what lies inside the map; of integers rounded half away from zero.

    LiteRT's own kernel averages stored integers, zero point and all.
    """
    value, window = one(values), step.window
    assert window is not None
    maps, _ = _padded_maps(step, value, 0.0)
    ones, _ = _padded_maps(step, torch.ones_like(value[:1, :, :, :1]), 0.0)
    count = F.avg_pool2d(ones, window.kernel, window.stride, divisor_override=1)
    total = F.avg_pool2d(maps, window.kernel, window.stride, divisor_override=1)
    mean = (total / count).permute(0, 2, 3, 1)
    if not is_integer(step):
        return [finish(step, mean, None, scale)]
    grid = step.grid
    assert grid is not None
    return [_round_stored(mean, grid, *integer_limits(step, grid, scale))]


def mean(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """MEAN: the sum of centred integers times ``scale_in / (count * scale_out)``."""
    value = one(values)
    axes = [axis % value.ndim for axis in step.number(1)]
    keep = bool(step.options.keepDims)
    if not is_integer(step):
        return [value.mean(axes, keepdim=keep)]
    grid = step.grid
    assert grid is not None
    count = math.prod(value.shape[axis] for axis in axes)
    multiplier = scale(step.inputs[0]) / (scale(step.outputs[0]) * count)
    return [requantise(value.sum(axes, keepdim=keep), multiplier, grid.low, grid.high)]


def _round_stored(mean: Tensor, grid: Grid, low: float, high: float) -> Tensor:
    rounded = _round_away(mean.detach() + grid.zero_point)
    return replace_value(mean, (rounded - grid.zero_point).clamp(low, high))


def _round_away(value: Tensor) -> Tensor:
    """To the nearest integer, of two the one that is farther from zero."""
    return torch.sign(value) * torch.floor(value.abs() + 0.5)


def _padded_maps(step: Step, value: Tensor, fill: float) -> tuple[Tensor, tuple[int, int]]:
    """NCHW maps of a pooling, and what PyTorch may still pad on both sides."""
    window = step.window
    assert window is not None
    maps = value.permute(0, 3, 1, 2)
    if not window.same:
        return maps, (0, 0)
    sides = zip(maps.shape[2:], window.kernel, window.stride, window.dilation, strict=True)
    (top, bottom), (left, right) = (same_pads(*side) for side in sides)
    if (top, left) == (bottom, right) and fill:
        return maps, (top, left)
    return F.pad(maps, (left, right, top, bottom), value=fill), (0, 0)


def one(values: Sequence[Tensor | None]) -> Tensor:
    """The first input."""
    assert values[0] is not None
    return values[0]


def two(values: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """The first two inputs."""
    a, b = values[:2]
    assert a is not None
    assert b is not None
    return a, b
