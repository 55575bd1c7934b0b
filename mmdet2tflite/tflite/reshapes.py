"""The shapes that RESHAPEs name."""

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, operator_name
from mmdet2tflite.tflite.moves import new_reshape, shape_of


def name_every_side(model: schema.ModelT) -> None:
    """Let every RESHAPE say the shape that its result has, in place, where it leaves sides open.

    onnx2tf 2.6.9 writes (-1, -1) for a Flatten, which XNNPACK cannot resolve ("failed to reshape").
    """
    graph = model.subgraphs[0]
    for place, operator in enumerate(graph.operators):
        if operator_name(model, operator) != "RESHAPE" or len(operator.inputs) < 2:
            continue
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        named = constant(model, graph.tensors[operator.inputs[1]])
        if named is not None and int((named == -1).sum()) > 1 and shape_of(graph, target):
            graph.operators[place] = new_reshape(model, source, target)
