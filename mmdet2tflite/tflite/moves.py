"""Operators that move values and compute nothing, and what reads and writes which tensor."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import new_constant, new_operator


def shape_of(graph: schema.SubGraphT, number: int) -> list[int]:
    """The sides of a tensor."""
    shape = graph.tensors[number].shape
    return [] if shape is None else [int(side) for side in shape]


def channels_first(rank: int) -> list[int]:
    """The order of axes that brings the last one to the second place."""
    return [0, rank - 1, *range(1, rank - 1)]


def redirect(
    operators: Sequence[schema.OperatorT], old: int, new: int, *, written: bool = True
) -> None:
    """Let operators read another tensor in place of one, and write it, if they write that one."""
    for operator in operators:
        for side in ("inputs", "outputs") if written else ("inputs",):
            numbers = np.array(getattr(operator, side), np.int32)
            setattr(operator, side, np.where(numbers == old, np.int32(new), numbers))


def new_transpose(
    model: schema.ModelT, source: int, order: Sequence[int], target: int
) -> schema.OperatorT:
    """A TRANSPOSE that the caller puts in: axis i of ``target`` is ``order[i]`` of ``source``."""
    # Versions as in GetBuiltinOperatorVersion (TensorFlow Lite's op_version.cc).
    version = 2 if model.subgraphs[0].tensors[target].type == schema.TensorType.INT8 else 1
    operands = [source, new_constant(model, "order_of_axes", np.array(order, np.int32))]
    options = schema.TransposeOptionsT()
    return new_operator(model, schema.BuiltinOperator.TRANSPOSE, version, options, operands, target)


def new_reshape(model: schema.ModelT, source: int, target: int) -> schema.OperatorT:
    """A RESHAPE that the caller puts in, to the shape of ``target``; of the same shape, a copy."""
    shape = np.array(shape_of(model.subgraphs[0], target), np.int32)
    options = schema.ReshapeOptionsT()
    options.newShape = shape
    operands = [source, new_constant(model, "shape", shape)]
    return new_operator(model, schema.BuiltinOperator.RESHAPE, 1, options, operands, target)
