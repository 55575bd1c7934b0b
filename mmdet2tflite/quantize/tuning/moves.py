"""Operators that move values and compute nothing: what they read and write has one scale.

The first axis is the batch, which may be larger than the file's 1; an operator that does more with
it than keep it is not one of a detector, and is refused.
"""

from collections.abc import Sequence

import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor
from torch.nn import functional as F

from mmdet2tflite.quantize.tuning.arithmetic import one
from mmdet2tflite.quantize.tuning.steps import ScaleOf, Step, refused


def reshape(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: rows of the batch follow each other."""
    value, shape = one(values), step.shapes[0]
    return [value.reshape(-1, *shape[1:])] if shape else [value.reshape(-1)]


def transpose(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """TRANSPOSE of all axes but the batch."""
    axes = step.number(1)
    if axes[0] != 0:
        raise refused(step.name, "it moves the batch")
    return [one(values).permute(axes)]


def concatenation(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """CONCATENATION along any axis but the batch."""
    parts = [value for value in values if value is not None]
    axis = _not_batch(step, step.options.axis, parts[0].ndim)
    if step.options.fusedActivationFunction != schema.ActivationFunctionType.NONE:
        raise refused(step.name, "it has a fused activation")
    return [torch.cat(parts, axis)]


def split(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """SPLIT into equal parts; its first input is the axis."""
    value = values[1]
    assert value is not None
    (axis,) = step.number(0)
    return list(value.chunk(len(step.outputs), _not_batch(step, axis, value.ndim)))


def split_v(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """SPLIT_V: the sides of its parts are those of the outputs."""
    value, (axis,) = one(values), step.number(2)
    axis = _not_batch(step, axis, value.ndim)
    return list(value.split([shape[axis] for shape in step.shapes], axis))


def slice_(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """SLICE: begins, and sides from the output."""
    begins, sides = step.number(1), step.shapes[0]
    if begins[0] != 0:
        raise refused(step.name, "it cuts the batch")
    parts = (slice(begin, begin + side) for begin, side in zip(begins, sides, strict=True))
    _, *others = parts
    return [one(values)[(slice(None), *others)]]


def strided_slice(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """STRIDED_SLICE with positive strides, no new and no lost axis."""
    options, value = step.options, one(values)
    if options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask or options.offset:
        raise refused(step.name, "it adds or drops an axis")
    begins, ends, strides = (step.number(position) for position in (1, 2, 3))
    if min(strides) < 1:
        raise refused(step.name, "it reads backwards")
    parts = []
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        first = None if options.beginMask >> axis & 1 else begin
        last = None if options.endMask >> axis & 1 else end
        parts.append(slice(first, last, stride))
    return [value[(slice(None), *parts[1:])]]


def pad(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """PAD with zeros, or PADV2 with its third input."""
    value = one(values)
    amounts = step.number(1)
    if any(amounts[:2]):
        raise refused(step.name, "it pads the batch")
    fill = 0.0
    if len(values) > 2 and values[2] is not None:
        fill = float(values[2])
    pairs = [amounts[i : i + 2] for i in range(2, len(amounts), 2)]
    return [F.pad(value, [side for pair in reversed(pairs) for side in pair], value=fill)]


def reverse(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """REVERSE_V2."""
    value = one(values)
    axes = [_not_batch(step, axis, value.ndim) for axis in step.number(1)]
    return [value.flip(axes)]


def resize_nearest(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """RESIZE_NEAREST_NEIGHBOR by whole factors, where every convention gives the same."""
    value, (_, height, width, _) = one(values), step.shapes[0]
    if height % value.shape[1] or width % value.shape[2] or step.options.alignCorners:
        raise refused(step.name, "it does not enlarge by a whole factor")
    tall = value.repeat_interleave(height // value.shape[1], 1)
    return [tall.repeat_interleave(width // value.shape[2], 2)]


def space_to_depth(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """SPACE_TO_DEPTH: channel ``(y * block + x) * C + c`` is pixel (y, x) of a block."""
    value, block = one(values), step.options.blockSize
    n, height, width, channels = value.shape
    cells = value.reshape(n, height // block, block, width // block, block, channels)
    return [cells.permute(0, 1, 3, 2, 4, 5).reshape(n, height // block, width // block, -1)]


def depth_to_space(step: Step, values: Sequence[Tensor | None], scale: ScaleOf) -> list[Tensor]:
    """DEPTH_TO_SPACE, which undoes SPACE_TO_DEPTH."""
    value, block = one(values), step.options.blockSize
    n, height, width, channels = value.shape
    cells = value.reshape(n, height, width, block, block, channels // block**2)
    return [cells.permute(0, 1, 3, 2, 4, 5).reshape(n, height * block, width * block, -1)]


def _not_batch(step: Step, axis: int, rank: int) -> int:
    """The axis counted from the front. Raises ModelError: it is the batch."""
    axis %= rank
    if axis == 0:
        raise refused(step.name, "its axis is the batch")
    return axis
