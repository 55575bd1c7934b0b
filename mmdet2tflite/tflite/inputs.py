"""The inputs of a TFLite file: in which order their axes stand, and how many there are."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import copy_tensor
from mmdet2tflite.tflite.moves import (
    channels_first,
    new_reshape,
    new_transpose,
    redirect,
    shape_of,
)


def turn_input(model: schema.ModelT, name: str, shape: Sequence[int]) -> None:
    """Let a map go in with its channels last, in place: N x H x W x C, or one axis more.

    What read the input reads its transpose, which has the axes that the input had. An output that
    is the input stays so. Nothing is done if the input has another shape already, or is gone.

    Args:
        name: of the input.
        shape: with its channels first.
    """
    graph = model.subgraphs[0]
    number = _named(graph, name)
    if number is None or shape_of(graph, number) != list(shape):
        return
    inner = copy_tensor(graph, number, "_channels_first", list(shape))
    redirect(graph.operators, number, inner, written=False)
    graph.operators.insert(0, new_transpose(model, number, channels_first(len(shape)), inner))
    graph.tensors[number].shape = np.array([shape[0], *shape[2:], shape[1]], np.int32)
    graph.tensors[number].shapeSignature = None


def make_input_scalar(model: schema.ModelT, name: str) -> None:
    """Let a scalar go in with rank 0, in place, as ``make_output_scalar`` lets one come out."""
    graph = model.subgraphs[0]
    number = _named(graph, name)
    if number is None or shape_of(graph, number) != [1]:
        return
    inner = copy_tensor(graph, number, "_of_rank_1", [1])
    redirect(graph.operators, number, inner, written=False)
    graph.operators.insert(0, new_reshape(model, number, inner))
    graph.tensors[number].shape = np.zeros(0, np.int32)
    graph.tensors[number].shapeSignature = None


def _named(graph: schema.SubGraphT, name: str) -> int | None:
    named = [int(n) for n in graph.inputs if graph.tensors[n].name.decode() == name]
    return named[0] if named else None
