"""The shapes that RESHAPEs name."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, new_constant, operator_name


def name_every_side(model: schema.ModelT) -> None:
    """Let every RESHAPE say the shape that its result has, in place, where it leaves sides open.

    onnx2tf 2.6.9 writes (-1, -1) for a Flatten, which XNNPACK cannot resolve ("failed to reshape").
    """
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if operator_name(model, operator) != "RESHAPE" or len(operator.inputs) < 2:
            continue
        result = graph.tensors[operator.outputs[0]].shape
        named = constant(model, graph.tensors[operator.inputs[1]])
        if result is None or named is None or int((named == -1).sum()) < 2:
            continue
        shape = np.array(result, np.int32)
        operator.inputs = np.array(
            [operator.inputs[0], new_constant(model, "shape", shape)], np.int32
        )
        options = schema.ReshapeOptionsT()
        options.newShape = shape
        operator.builtinOptions = options
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
