"""Layers of a TFLite file: operators that are quantised, measured or left in float together.

1. An operator with weights (convolution, fully connected) begins a layer.
2. Any other operator joins the layer that writes all that it reads, constants aside: SiLU's
   LOGISTIC and MUL are in their convolution's layer, so that nothing is rounded between the three.
   So is a gate (``equalise.places``), a 1x1 depthwise convolution that only LOGISTIC reads.
3. What reads several layers (ADD, CONCATENATION) or an input of the graph begins one of its own.
"""

from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import operator_name

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
"""Operators whose second input is their weights."""
INPUT = -1
"""Stands for the layer that writes an input of the graph."""


@dataclass(frozen=True)
class Layer:
    """Operators of the main graph that belong together.

    Args:
        operator: the first one, which names the layer by the tensor that it writes.
        tensors: what the operators write, in their order; of one with several outputs the first.
        sources: what they read from outside: tensors of other layers, inputs of the graph.
        values: numbers that they compute, for one image.
        multiplications: of its convolution, for one image; 0 without one.
    """

    operator: str
    tensors: tuple[str, ...]
    sources: tuple[str, ...]
    values: int
    multiplications: int

    @property
    def name(self) -> str:
        """The tensor that its first operator writes."""
        return self.tensors[0]

    @property
    def output(self) -> str:
        """The tensor that its last operator writes."""
        return self.tensors[-1]


def find_layers(model: schema.ModelT) -> list[Layer]:
    """The layers of the main graph, in its order."""
    graph = model.subgraphs[0]
    members: list[list[schema.OperatorT]] = []
    layer_of: dict[int, int] = {}
    for operator in graph.operators:
        owners = {layer_of.get(index, INPUT) for index in _computed(model, operator)}
        begins = operator_name(model, operator) in WEIGHTED and not _is_gate(model, operator)
        if begins or len(owners) != 1 or INPUT in owners:
            members.append([])
            owner = len(members) - 1  # rules 1 and 3
        else:
            owner = owners.pop()  # rule 2
        members[owner].append(operator)
        layer_of |= {int(index): owner for index in operator.outputs}
    return [_layer(model, operators) for operators in members]


def _is_gate(model: schema.ModelT, operator: schema.OperatorT) -> bool:
    if operator_name(model, operator) != "DEPTHWISE_CONV_2D":
        return False
    graph, result = model.subgraphs[0], int(operator.outputs[0])
    kernel = graph.tensors[int(operator.inputs[1])].shape
    readers = {operator_name(model, other) for other in graph.operators if result in other.inputs}
    return list(kernel[:3]) == [1, 1, 1] and readers == {"LOGISTIC"}


def _computed(model: schema.ModelT, operator: schema.OperatorT) -> list[int]:
    """What an operator reads that is not stored in the file; -1 stands for an absent input."""
    tensors = model.subgraphs[0].tensors
    buffers = (model.buffers[tensors[index].buffer] for index in operator.inputs if index >= 0)
    stored = (buffer.data is not None and len(buffer.data) > 0 for buffer in buffers)
    present = (int(index) for index in operator.inputs if index >= 0)
    return [index for index, constant in zip(present, stored, strict=True) if not constant]


def _layer(model: schema.ModelT, operators: list[schema.OperatorT]) -> Layer:
    tensors = model.subgraphs[0].tensors
    written = {int(index) for operator in operators for index in operator.outputs}
    read = {index: None for operator in operators for index in _computed(model, operator)}
    first = operators[0]
    sizes = [_size(tensors[operator.outputs[0]]) for operator in operators]
    multiplications = 0
    if operator_name(model, first) in WEIGHTED:
        # Each weight (O x kH x kW x I) is used once at every place of the output; a transposed
        # convolution, whose third input is the map, goes over the places of its input.
        transposed = operator_name(model, first) == "TRANSPOSE_CONV"
        visited = first.inputs[2] if transposed else first.outputs[0]
        places = int(np.prod(tensors[visited].shape[1:-1]))
        multiplications = _size(tensors[first.inputs[1]]) * places
    return Layer(
        operator=operator_name(model, first),
        tensors=tuple(tensors[operator.outputs[0]].name.decode() for operator in operators),
        sources=tuple(tensors[index].name.decode() for index in read if index not in written),
        values=sum(sizes),
        multiplications=multiplications,
    )


def _size(tensor: schema.TensorT) -> int:
    return int(np.prod(tensor.shape)) if tensor.shape is not None else 1
