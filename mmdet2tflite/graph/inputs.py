"""The inputs of a network: static shapes, and which of them are images with channels last."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import constant, integers, is_op, new_constant, readers

TYPES = (
    ir.DataType.FLOAT,
    ir.DataType.INT32,
    ir.DataType.INT64,
    ir.DataType.UINT8,
    ir.DataType.INT8,
    ir.DataType.BOOL,
)
"""What a TFLite file can take, and its converters know."""

POINTWISE = ("Add", "Cast", "Clip", "Div", "Identity", "Mul", "Sub")
"""What may stand between an image and the Transpose that brings its channels to the front."""

TO_CHANNELS_FIRST = (0, 3, 1, 2)
LAYOUT, CHANNELS_LAST = "mmdet2tflite.layout", "NHWC"
"""Entry of an input's metadata, of images that are N x H x W x C in the ONNX."""


def spatial_axes(value: ir.Value) -> tuple[int, int] | None:
    """Height and width of an input that is an image, or another map; None of any other."""
    if value.shape is None or len(value.shape) != 4:
        return None
    return (1, 2) if is_channels_last(value) else (2, 3)


def is_channels_last(value: ir.Value) -> bool:
    """Whether the ONNX itself takes this input as N x H x W x C."""
    return value.metadata_props.get(LAYOUT) == CHANNELS_LAST


def set_input_shapes(
    path: Path,
    model: ir.Model,
    input_size: tuple[int, int] | None,
    batch: int | None,
    input_shapes: Mapping[str, Sequence[int]],
) -> None:
    """Give every input a static shape, in place.

    1. ``input_shapes`` decides where it names the input.
    2. Elsewhere ``batch`` decides the first axis; a symbolic one is 1 without it.
    3. An input of rank 4 is an image, N x C x H x W. It is N x H x W x C where nothing but
       pointwise operators stands before a Transpose that brings the last axis to the second place.
       Symbolic H and W are ``input_size``.
    4. The shapes that the file declares for another size are forgotten. Where the batch is another
       one than declared, a Reshape to a constant shape of the old batch takes the new one.

    Args:
        path: for the messages.

    Raises:
        ModelError: an input of a type that no TFLite file takes, or a size that is not known or
            not the model's.
    """
    unknown = set(input_shapes) - {str(value.name) for value in model.graph.inputs}
    if unknown:
        names = ", ".join(str(value.name) for value in model.graph.inputs) or "none"
        raise ModelError(
            f"--input-shape {sorted(unknown)[0]}", f"an input of {path}: {names}", "check the name"
        )
    if input_size is not None and min(input_size) < 1:
        raise ModelError(
            f"--input-size {input_size[0]} {input_size[1]}", "two positive numbers, in pixels"
        )
    if batch is not None and batch < 1:
        raise ModelError(f"--batch {batch}", "a positive number")
    for value in model.graph.inputs:
        _check_type(path, value)
        if _is_turned(value):
            value.metadata_props[LAYOUT] = CHANNELS_LAST
        declared = value.shape
        assert declared is not None
        if str(value.name) in input_shapes:
            sides = _given(path, value, input_shapes[str(value.name)])
        else:
            sides = _sides(path, value, input_size, batch)
        if ir.Shape(sides) != declared:
            value.shape = ir.Shape(sides)
            _forget_shapes(model)
        old = declared[0] if sides else 0
        if isinstance(old, int) and old > 0 and old != sides[0]:
            _change_batch(model, old, sides[0])


def _check_type(path: Path, value: ir.Value) -> None:
    if value.dtype in TYPES and value.shape is not None:
        return
    names = ", ".join(kind.name.lower() for kind in TYPES)
    raise ModelError(
        f"{path}: the input {value.name} is a {value.dtype} of the shape "
        f"{value.shape or 'unknown'}",
        f"an input of a known rank, of one of {names}",
        "export the network with such an input (float16: keep the inputs and outputs float32)",
    )


def _given(path: Path, value: ir.Value, sides: Sequence[int]) -> list[int]:
    """Rule 1."""
    assert value.shape is not None
    agrees = len(sides) == len(value.shape) and all(
        axis == 0 or not _is_known(old) or old == new
        for axis, (old, new) in enumerate(zip(value.shape, sides, strict=False))
    )
    if not agrees or min(sides, default=1) < 1:
        raise ModelError(
            f"{path}: {value.name} has the shape {value.shape}, --input-shape is {list(sides)}",
            "a shape that agrees with the model's",
            "leave it out, or export the model for that shape",
        )
    return list(sides)


def _sides(
    path: Path, value: ir.Value, input_size: tuple[int, int] | None, batch: int | None
) -> list[int]:
    """Rules 2 and 3."""
    assert value.shape is not None
    sides = [int(side) if _is_known(side) else None for side in value.shape]  # type: ignore[arg-type]
    if len(sides) > 1:
        sides[0] = batch or sides[0] or 1
    axes, declared = spatial_axes(value), list(sides)
    if axes and input_size is not None:
        for axis, wanted in zip(axes, reversed(input_size), strict=True):
            if sides[axis] not in (None, wanted):
                width, height = input_size
                raise ModelError(
                    f"{path}: {value.name} has the static shape {value.shape}, --input-size is "
                    f"{width} {height}",
                    f"an input size of {declared[axes[1]] or 'any'} {declared[axes[0]] or 'any'} "
                    "(width, height)",
                    "leave --input-size out, or export the model for the other size",
                )
            sides[axis] = wanted
    if None in sides:
        only_size = axes and not any(sides[axis] is None for axis in {0, 1, 2, 3} - {*axes})
        known = ",".join("?" if side is None else str(side) for side in sides)
        raise ModelError(
            f"{path}: {value.name} has the dynamic shape {value.shape}",
            "a static shape",
            "give --input-size W H" if only_size else f"give --input-shape {value.name}={known}",
        )
    return [side for side in sides if side is not None]


def _forget_shapes(model: ir.Model) -> None:
    """Rule 4."""
    for node in model.graph:
        for output in node.outputs:
            if output.shape is not None:
                output.shape = ir.Shape([None] * len(output.shape))


def _change_batch(model: ir.Model, old: int, new: int) -> None:
    """Rule 4."""
    for node in model.graph:
        shape = constant(node.inputs[1]) if is_op(node, "Reshape") else None
        if shape is not None and shape.size > 1 and shape[0] == old:
            changed = np.array([new, *shape[1:]], np.int64)
            node.replace_input_with(1, new_constant(model.graph, f"{node.name}_shape", changed))


def _is_turned(value: ir.Value) -> bool:
    """Whether the value is an image whose channels the network itself brings to the front."""
    if value.shape is None or len(value.shape) != 4:
        return False
    ends = list(_first_others(value))
    return bool(ends) and all(
        is_op(node, "Transpose") and integers(node, "perm", ()) == TO_CHANNELS_FIRST
        for node in ends
    )


def _first_others(value: ir.Value) -> Iterator[ir.Node]:
    """What reads the value, directly or behind pointwise operators."""
    for node in readers(value):
        if is_op(node, *POINTWISE):
            yield from _first_others(node.outputs[0])
        else:
            yield node


def _is_known(side: int | ir.SymbolicDim) -> bool:
    """Some exporters write -1 or 0 for a dynamic side."""
    return isinstance(side, int) and side > 0
