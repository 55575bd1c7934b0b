"""Finishes a converter's file: names, layouts, padding flags, rotation, passport."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.config.names import OutputLayout
from mmdet2tflite.convert.locate import locate_convolutions
from mmdet2tflite.convert.spelling import Spelling
from mmdet2tflite.convert.tflite_file import (
    AxisOrder,
    axis_orders,
    channels_last,
    describe_output,
    match_outputs,
    output_tensors,
    rename_tensors,
    write_passport,
)
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Passport, Rotation, Tensor, TfliteOutput
from mmdet2tflite.tflite.census import PADS, custom_ops, operators
from mmdet2tflite.tflite.flatbuffer import read_model, write_model
from mmdet2tflite.tflite.inputs import make_input_scalar, turn_input
from mmdet2tflite.tflite.lost_tensors import restore_lost
from mmdet2tflite.tflite.outputs import (
    cast_output,
    is_turned_last,
    make_output_scalar,
    remove_marker,
    transpose_output,
)
from mmdet2tflite.tflite.padding_flag import Pads, write_flags
from mmdet2tflite.tflite.reshapes import name_every_side
from mmdet2tflite.tflite.rotation import rotate_io
from mmdet2tflite.tflite.transposes import move_transposes

TYPES = {"int32": schema.TensorType.INT32, "int64": schema.TensorType.INT64}
"""Of whole numbers that converters write as one another."""


@dataclass(frozen=True)
class ExpectedTflite:
    """What the rewritten graph expects of its file.

    Args:
        onnx: the rewritten graph.
        inputs: names of its inputs, in their order.
        outputs: names and shapes in the ONNX (maps are N x C x H x W), in their order.
        most_pads: PAD operators that the file has at most.
        rotation: what of the graph is rotated by 180°.
        undo_rotation: the finished file rotates its inputs and outputs back.
        flags: true pads of convolutions that are written SAME, by ONNX node name.
        layout: of the outputs that are maps.
        orders: of outputs whose shape does not tell how the converter left their axes: how they
            stand, once they were put as the shape suggests (``comparison.better_orders``).
        integers: types of the outputs that are whole numbers, by name (``TYPES``).
    """

    onnx: Path
    inputs: tuple[str, ...]
    outputs: tuple[Tensor, ...]
    most_pads: int
    rotation: Rotation
    undo_rotation: bool
    flags: Mapping[str, Pads]
    layout: OutputLayout = "auto"
    orders: Mapping[str, AxisOrder] = field(default_factory=dict)
    integers: Mapping[str, str] = field(default_factory=dict)


def finish_tflite(
    converted: Path,
    target: Path,
    expected: ExpectedTflite,
    spelling: Spelling,
    passport: Passport,
) -> Passport:
    """Write ``target``: the converted file with the ONNX's inputs and outputs, and a passport.

    1. What the converter forgot is computed; maps go in with their channels last; markers are
       removed; inputs and outputs have the names of the ONNX, and stand in its order.
    2. Convolutions are flagged; a rotation of the graph is undone, where that is wanted.
    3. TRANSPOSEs that meet their opposites are taken away.
    4. A map may stay as the converter computes it, with channels last or as in the ONNX; ``layout``
       demands one of both. Every other output is as in the ONNX: a TRANSPOSE puts it right, and a
       CAST one of whole numbers that has another of ``TYPES``.

    Args:
        passport: all but its ``outputs`` and ``rotation``, which are found out here.

    Returns:
        The complete passport.

    Raises:
        ModelError: the file has custom operators or more PADs than planned, an output cannot be
            identified, or a flagged convolution cannot be found.
    """
    model = read_model(converted)
    check_operators(model, expected.most_pads)
    restore_lost(model)
    name_every_side(model)
    for name in spelling.scalars:
        make_input_scalar(model, name)
    for name, shape in spelling.turned.items():
        turn_input(model, name, shape)
    _name_inputs_and_outputs(model, expected, spelling)
    move_transposes(model, outputs_turned=expected.layout == "onnx")
    _cast_integers(model, expected)
    outputs = tuple(
        _put_in_order(model, index, output, expected)
        for index, output in enumerate(expected.outputs)
    )
    if expected.flags:
        places = locate_convolutions(model, _kernels(expected), expected.flags)
        write_flags(model, {places[name]: pads for name, pads in expected.flags.items()})
    rotation = expected.rotation
    if expected.undo_rotation and rotation.input:
        rotate_io(model, inputs=True, outputs=_spatial_axes(outputs, rotation.outputs))
        rotation = Rotation()
    passport = replace(passport, outputs=outputs, rotation=rotation)
    write_passport(model, passport)
    write_model(model, target)
    return passport


def _name_inputs_and_outputs(
    model: schema.ModelT, expected: ExpectedTflite, spelling: Spelling
) -> None:
    """Rule 1."""
    graph = model.subgraphs[0]
    spelled = [
        Tensor(name=spelling.names.get(output.name, output.name), shape=output.shape)
        for output in expected.outputs
    ]
    found = output_tensors(model)
    names = match_outputs(spelled, found)
    numbers = {tensor.name: int(n) for tensor, n in zip(found, graph.outputs, strict=True)}
    graph.outputs = np.array([numbers[names[output.name]] for output in spelled], np.int32)
    for index, output in enumerate(expected.outputs):
        if output.name in spelling.marked:
            remove_marker(model, index)
        if not output.shape and len(graph.tensors[graph.outputs[index]].shape):
            make_output_scalar(model, index)
    new_names = dict(zip(graph.outputs.tolist(), [o.name for o in expected.outputs], strict=True))
    by_name = {graph.tensors[number].name.decode(): int(number) for number in graph.inputs}
    for own in expected.inputs:
        number = by_name.get(spelling.names.get(own, own))
        if number is not None and number not in new_names:
            new_names[number] = own
    rename_tensors(model, new_names)


def _cast_integers(model: schema.ModelT, expected: ExpectedTflite) -> None:
    """Rule 4."""
    graph = model.subgraphs[0]
    for index, output in enumerate(expected.outputs):
        kind = TYPES.get(expected.integers.get(output.name, ""))
        found = graph.tensors[graph.outputs[index]].type
        if kind is not None and found != kind and found in TYPES.values():
            cast_output(model, index, kind)


def _put_in_order(
    model: schema.ModelT, index: int, output: Tensor, expected: ExpectedTflite
) -> TfliteOutput:
    """Rule 4."""
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.outputs[index]]
    shape = [] if tensor.shape is None else [int(side) for side in tensor.shape]
    order = axis_orders(output.shape, shape)[0]
    if better := expected.orders.get(output.name):
        order = tuple(better[axis] for axis in order)
    as_onnx, last = tuple(range(len(shape))), channels_last(len(shape))
    turned = order == as_onnx and is_turned_last(model, index)
    usual = last if order == last or turned else as_onnx
    wanted = {"auto": usual, "onnx": as_onnx, "nhwc": last}
    if order != wanted[expected.layout]:
        order, before = wanted[expected.layout], order
        transpose_output(model, index, [before.index(axis) for axis in order])
    found = Tensor(name=output.name, shape=tuple(output.shape[axis] for axis in order))
    if order == as_onnx != last:
        return TfliteOutput(name=output.name, shape=found.shape, layout="onnx")
    return describe_output(output, found)


def _spatial_axes(
    outputs: Sequence[TfliteOutput], names: Collection[str]
) -> dict[str, tuple[int, int]]:
    axes = {"nhwc": (1, 2), "onnx": (2, 3)}
    return {output.name: axes[output.layout] for output in outputs if output.name in names}


def check_operators(model: schema.ModelT, most_pads: int) -> None:
    """LiteRT has all operators, and there are no more PADs than planned. Raises ModelError."""
    custom = custom_ops(model)
    if custom:
        raise ModelError(
            f"the converter does not know {', '.join(custom)} and left custom operators",
            "operators that TensorFlow Lite has",
            "export the network without them, or cut it before them",
        )
    ops = operators(model)
    found = sum(ops[name] for name in PADS)
    if found > most_pads:
        raise ModelError(
            f"the converted file has {found} PAD operators",
            f"at most {most_pads}, as planned",
            "this is a fault of mmdet2tflite or of the converter; please report the model",
        )


def _kernels(expected: ExpectedTflite) -> dict[str, NDArray[np.float32]]:
    import onnx_ir as ir  # a second, wasted on a strategy without flags

    from mmdet2tflite.graph.edit import constant, is_op

    kernels = {}
    for node in ir.load(expected.onnx).graph:
        if is_op(node, "Conv"):
            kernel = constant(node.inputs[1])
            if kernel is not None:
                kernels[str(node.name)] = kernel.astype(np.float32, copy=False)
    return kernels
