"""The inputs of a TFLite file: in which order their axes stand."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import copy_tensor
from mmdet2tflite.tflite.moves import channels_first, new_transpose, redirect, shape_of


def turn_input(model: schema.ModelT, name: str, shape: Sequence[int]) -> None:
    """Let a map go in with its channels last, in place: N x H x W x C, or one axis more.

    What read the input reads its transpose, which has the axes that the input had. An output that
    is the input stays so. Nothing is done if the input has another shape already, or is gone.

    Args:
        name: of the input.
        shape: with its channels first.
    """
    graph = model.subgraphs[0]
    named = [int(n) for n in graph.inputs if graph.tensors[n].name.decode() == name]
    if not named or shape_of(graph, named[0]) != list(shape):
        return
    number = named[0]
    inner = copy_tensor(graph, number, "_channels_first", list(shape))
    redirect(graph.operators, number, inner, written=False)
    graph.operators.insert(0, new_transpose(model, number, channels_first(len(shape)), inner))
    graph.tensors[number].shape = np.array([shape[0], *shape[2:], shape[1]], np.int32)
    graph.tensors[number].shapeSignature = None
