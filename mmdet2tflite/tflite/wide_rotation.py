"""The input's rotation by 180°, behind wide columns: half as many moves, of integers.

A file of a rotated network turns its input by a REVERSE_V2 (``rotation``), which moves one pixel at
a time. Where the first convolutions read s columns as one (``wide_columns``), the turn can wait:

1. To rotate H x W x C by 180° is to rotate H x W/s x sC, and to exchange the s groups of C channels
   in each of its columns, the first with the last.
2. A convolution that has its kernel's groups exchanged computes the same of a map that has not.
3. So the REVERSE_V2 goes behind the RESHAPE that makes columns wide. That is possible where nothing
   but this RESHAPE reads the input, or a QUANTIZE which nothing else reads, and nothing but
   convolutions with kernels of their own reads what it writes.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    new_operator,
    operator_name,
)
from mmdet2tflite.tflite.moves import redirect, shape_of
from mmdet2tflite.tflite.rotation import NHWC_AXES
from mmdet2tflite.tflite.unused import drop_unused_tensors, empty_unused

MAP = 4
"""Axes of N x H x W x C."""


def rotate_wide_input(model: schema.ModelT) -> bool:
    """Rotate the input of an int8 network by 180° behind its wide columns, in place.

    Returns:
        Whether that was possible (rule 3). If not, nothing has changed.
    """
    graph = model.subgraphs[0]
    entrance = int(graph.inputs[0])
    wide = _wide_columns(model, entrance) if len(graph.inputs) == 1 else None
    if wide is None:
        return False
    columns = int(wide.outputs[0])
    groups = shape_of(graph, columns)[3] // shape_of(graph, entrance)[3]
    readers = [operator for operator in graph.operators if columns in operator.inputs]
    if columns in graph.outputs or not all(_is_convolution(model, each) for each in readers):
        return False
    replaced = {_exchange(model, reader, groups) for reader in readers}
    turned = copy_tensor(graph, columns, "_rotated")
    redirect(readers, columns, turned, written=False)
    operands = [columns, new_constant(model, "spatial_axes", np.array(NHWC_AXES, np.int32))]
    kind, options = schema.BuiltinOperator.REVERSE_V2, schema.ReverseV2OptionsT()
    place = next(n for n, each in enumerate(graph.operators) if each is wide) + 1
    # Version 3 is the first of int8 (GetBuiltinOperatorVersion in TensorFlow Lite's op_version.cc).
    graph.operators.insert(place, new_operator(model, kind, 3, options, operands, turned))
    drop_unused_tensors(model)
    empty_unused(model, replaced)
    return True


def _wide_columns(model: schema.ModelT, entrance: int) -> schema.OperatorT | None:
    """The RESHAPE of an input from H x W x C to H x W/s x sC, if it is read by nothing else."""
    graph, index = model.subgraphs[0], entrance
    before = shape_of(graph, entrance)
    for _ in range(2):
        readers = [operator for operator in graph.operators if index in operator.inputs]
        if len(readers) != 1 or index in graph.outputs:
            return None
        (reader,) = readers
        index = int(reader.outputs[0])
        if operator_name(model, reader) == "RESHAPE":
            after = shape_of(graph, index)
            kept = len(before) == len(after) == MAP and before[:2] == after[:2]
            return reader if kept and after[3] % before[3] == 0 else None
        if operator_name(model, reader) != "QUANTIZE":
            return None
    return None


def _is_convolution(model: schema.ModelT, operator: schema.OperatorT) -> bool:
    if operator_name(model, operator) != "CONV_2D":
        return False
    return constant(model, model.subgraphs[0].tensors[operator.inputs[1]]) is not None


def _exchange(model: schema.ModelT, convolution: schema.OperatorT, groups: int) -> int:
    """Rule 2; the number of the buffer that had its kernel."""
    old = model.subgraphs[0].tensors[convolution.inputs[1]]
    kernel = constant(model, old)
    assert kernel is not None  # ``_is_convolution`` has looked
    parts = kernel.reshape(*kernel.shape[:3], groups, -1)[:, :, :, ::-1]
    exchanged = np.ascontiguousarray(parts).reshape(kernel.shape)
    name = old.name.decode() + "_rotated"
    number = new_constant(model, name, exchanged, old.quantization)
    inputs = [*map(int, convolution.inputs)]
    convolution.inputs = np.array([inputs[0], number, *inputs[2:]], np.int32)
    return int(old.buffer)
