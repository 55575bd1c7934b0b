"""The outputs of a TFLite file: which tensor each is, and in which order its axes stand."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import constant, copy_tensor, new_operator, operator_name
from mmdet2tflite.tflite.moves import (
    channels_first,
    new_reshape,
    new_transpose,
    redirect,
    shape_of,
)

MARKERS = ("NEG", "LOGICAL_NOT")
LAYOUT_OPERATORS = ("TRANSPOSE", "RESHAPE")
"""What a converter may put behind a marker: they move values and change none."""


def remove_marker(model: schema.ModelT, index: int) -> None:
    """Make an output what the marker before it reads, in place.

    1. The marker is the last operator before the output that computes anything.
    2. Where nothing stands between it and the output, what it reads becomes the output; where that
       is an output or input already, it is copied (RESHAPE to its own shape).
    3. Elsewhere what stands between reads on from there.

    Raises:
        ModelError: there is no marker.
    """
    graph = model.subgraphs[0]
    number = int(graph.outputs[index])
    writer = _writer(graph, number)
    while writer is not None and operator_name(model, writer) in LAYOUT_OPERATORS:
        writer = _writer(graph, int(writer.inputs[0]))
    if writer is None or operator_name(model, writer) not in MARKERS:
        name = graph.tensors[number].name.decode()
        raise ModelError(
            f"the converter changed how the output {name} is computed",
            "the operators of the ONNX graph",
            "try another --converter, and report the model",
        )
    inner, outer = int(writer.inputs[0]), int(writer.outputs[0])
    if outer != number:  # rule 3
        graph.operators.remove(writer)
        redirect(graph.operators, outer, inner)
        return
    if inner in graph.outputs or inner in graph.inputs:
        position = graph.operators.index(writer)
        graph.operators[position] = new_reshape(model, inner, number)
        return
    graph.operators.remove(writer)
    redirect(graph.operators, inner, number)


def is_turned_last(model: schema.ModelT, index: int) -> bool:
    """Whether the last that happens to an output is that its channels come to the front."""
    graph = model.subgraphs[0]
    number = int(graph.outputs[index])
    writer = _writer(graph, number)
    if writer is None or operator_name(model, writer) != "TRANSPOSE" or _is_read(graph, number):
        return False
    order = constant(model, graph.tensors[writer.inputs[1]])
    rank = len(shape_of(graph, number))
    return order is not None and rank in (4, 5) and order.tolist() == channels_first(rank)


def _is_read(graph: schema.SubGraphT, number: int) -> bool:
    return any(number in operator.inputs for operator in graph.operators)


def transpose_output(model: schema.ModelT, index: int, axes: Sequence[int]) -> None:
    """Make an output its transpose, in place: axis i of the new one is ``axes[i]`` of the old.

    A TRANSPOSE that makes the output already, and that nothing else reads, takes it in.
    """
    graph = model.subgraphs[0]
    number = int(graph.outputs[index])
    writer = _writer(graph, number)
    source, order = number, list(axes)
    if writer is not None and operator_name(model, writer) == "TRANSPOSE":
        before = constant(model, graph.tensors[writer.inputs[1]])
        alone = not _is_read(graph, number)
        if before is not None and alone and list(graph.outputs).count(number) == 1:
            order = [int(before[axis]) for axis in axes]
            graph.operators.remove(writer)
            source = int(writer.inputs[0])
    sides = shape_of(graph, source)
    shape = [sides[axis] for axis in order]
    if source == number:
        source = copy_tensor(graph, number, "_transposed_from", sides)
        graph.tensors[source].buffer = graph.tensors[number].buffer
        redirect(graph.operators, number, source)
    output = graph.tensors[number]
    output.shape, output.shapeSignature, output.buffer = np.array(shape, np.int32), None, 0
    if order == sorted(order) and source not in (*graph.outputs, *graph.inputs):
        redirect(graph.operators, source, number)
        return
    graph.operators.append(new_transpose(model, source, order, number))


def cast_output(model: schema.ModelT, index: int, kind: int) -> None:
    """Make an output one of another type (``schema.TensorType``), in place, by a CAST."""
    source, target = _behind(model, index, "_cast_from")
    output = model.subgraphs[0].tensors[target]
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = output.type, kind
    output.type = kind
    cast = new_operator(model, schema.BuiltinOperator.CAST, 1, options, [source], target)
    model.subgraphs[0].operators.append(cast)


def make_output_scalar(model: schema.ModelT, index: int) -> None:
    """Make an output of one number one of rank 0, in place, by a RESHAPE.

    Converters write a scalar with the shape (1,).
    """
    source, target = _behind(model, index, "_of_rank_1")
    output = model.subgraphs[0].tensors[target]
    output.shape, output.shapeSignature = np.zeros(0, np.int32), None
    model.subgraphs[0].operators.append(new_reshape(model, source, target))


def _behind(model: schema.ModelT, index: int, ending: str) -> tuple[int, int]:
    """What was an output, under another name, and the output, which nothing writes any more."""
    graph = model.subgraphs[0]
    target = int(graph.outputs[index])
    output = graph.tensors[target]
    source = copy_tensor(graph, target, ending, shape_of(graph, target))
    graph.tensors[source].buffer, output.buffer = output.buffer, 0
    redirect(graph.operators, target, source)
    return source, target


def _writer(graph: schema.SubGraphT, number: int) -> schema.OperatorT | None:
    return next((o for o in graph.operators if number in o.outputs), None)
