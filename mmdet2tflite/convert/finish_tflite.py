"""Finishes a converter's file: names, planned PADs, padding flags, rotation, passport."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.artifacts import Passport, Rotation, Tensor, TfliteOutput
from mmdet2tflite.convert.locate import locate_convolutions
from mmdet2tflite.convert.tflite_file import (
    describe_output,
    match_outputs,
    output_tensors,
    rename_outputs,
    write_passport,
)
from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.census import PADS, custom_ops, operators
from mmdet2tflite.tflite.flatbuffer import read_model, write_model
from mmdet2tflite.tflite.padding_flag import Pads, write_flags
from mmdet2tflite.tflite.rotation import rotate_io


@dataclass(frozen=True)
class ExpectedTflite:
    """What the rewritten graph expects of its file.

    Args:
        onnx: the rewritten graph.
        outputs: names and shapes in the ONNX (N x C x H x W).
        pads: PAD operators that the file has.
        rotation: what of the graph is rotated by 180°.
        undo_rotation: the finished file rotates its input and outputs back.
        flags: true pads of convolutions that are written SAME, by ONNX node name.
    """

    onnx: Path
    outputs: tuple[Tensor, ...]
    pads: int
    rotation: Rotation
    undo_rotation: bool
    flags: Mapping[str, Pads]


def finish_tflite(
    converted: Path, target: Path, expected: ExpectedTflite, passport: Passport
) -> Passport:
    """Write ``target``: the converted file with the ONNX names, flags and a passport.

    Args:
        passport: all but its ``outputs`` and ``rotation``, which are found out here.

    Returns:
        The complete passport.

    Raises:
        ModelError: the file has custom operators or other PADs than planned, an output cannot be
            identified, or a flagged convolution cannot be found.
    """
    model = read_model(converted)
    check_operators(model, expected.pads)
    found = {tensor.name: tensor for tensor in output_tensors(model)}
    names = match_outputs(expected.outputs, list(found.values()))
    outputs = tuple(describe_output(o, found[names[o.name]]) for o in expected.outputs)
    rename_outputs(model, names)
    if expected.flags:
        places = locate_convolutions(model, _kernels(expected), expected.flags)
        write_flags(model, {places[name]: pads for name, pads in expected.flags.items()})
    rotation = expected.rotation
    if expected.undo_rotation and rotation.input:
        rotate_io(model, inputs=True, outputs=_spatial_axes(outputs, rotation.outputs))
        rotation = Rotation()
    passport = passport.model_copy(update={"outputs": outputs, "rotation": rotation})
    write_passport(model, passport)
    write_model(model, target)
    return passport


def _spatial_axes(
    outputs: Sequence[TfliteOutput], names: Collection[str]
) -> dict[str, tuple[int, int]]:
    axes = {"nhwc": (1, 2), "onnx": (2, 3)}
    return {output.name: axes[output.layout] for output in outputs if output.name in names}


def check_operators(model: schema.ModelT, pads: int) -> None:
    """LiteRT has all operators, and among them are the planned PADs. Raises ModelError."""
    custom = custom_ops(model)
    if custom:
        raise ModelError(
            f"the converter does not know {', '.join(custom)} and left custom operators",
            "operators that TensorFlow Lite has",
            "export the network without them, or cut it before them",
        )
    ops = operators(model)
    found = sum(ops[name] for name in PADS)
    if found != pads:
        raise ModelError(
            f"the converted file has {found} PAD operators",
            f"{pads}, as planned",
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
