"""Scales channels to like ranges, in a float32 model that is then quantised.

An integer tensor has one scale. A convolution of a picture may have channels that reach to 0.2 and
others that reach to 130, as the first one of COCO's YOLOX-nano: with one scale for both, nothing is
left of the small ones. ``places`` says where and how channels are scaled exactly, ``factors`` by
how much.
"""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.quantize.equalise.factors import choose_factors
from mmdet2tflite.quantize.equalise.places import Place, find_places
from mmdet2tflite.quantize.equalise.ranges import Numbers, measure_ranges
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    new_operator,
    operator_name,
)
from mmdet2tflite.tflite.unused import drop_unused_tensors


def equalise_channels(
    model: schema.ModelT, reference: bytes, samples: Sequence[Floats]
) -> list[str]:
    """Scale the channels where it pays, in place; what the model computes stays the same.

    Args:
        model: float32.
        reference: the same, as it computes: with true pads where ``model`` has flags.
        samples: inputs of ``reference``, at least one.

    Returns:
        The names of the tensors whose channels are scaled.
    """
    places = find_places(model)
    if not places:
        return []
    tensors = model.subgraphs[0].tensors
    measured = {index for place in places for index in (place.written, place.read)}
    measured |= {int(reader.outputs[0]) for place in places for reader in place.readers}
    names = {index: tensors[index].name.decode() for index in measured}
    ranges = measure_ranges(reference, samples, names.values())
    # All factors come before any is applied: they are those of the network as it was measured.
    chosen = [(place, choose_factors(model, place, ranges)) for place in places]
    scaled = []
    for place, factors in chosen:
        if factors is not None:
            scale_channels(model, place, factors)
            scaled += [names[index] for index in dict.fromkeys((place.written, place.read))]
    drop_unused_tensors(model)
    return scaled


def scale_channels(model: schema.ModelT, place: Place, factors: Numbers) -> None:
    """Multiply the channels of one place by positive factors (C), in place."""
    kernel = (1, 1, 1, -1) if _is_depthwise(model, place.convolution) else (-1, 1, 1, 1)
    _replace(model, place.convolution, 1, factors.reshape(kernel))
    if len(place.convolution.inputs) > 2 and place.convolution.inputs[2] != -1:
        _replace(model, place.convolution, 2, factors)
    for reader in place.readers:
        taken = factors
        if _is_depthwise(model, reader):
            stored = model.subgraphs[0].tensors[int(reader.inputs[1])]
            taken = np.repeat(factors, int(stored.shape[-1]) // len(factors))
        _replace(model, reader, 1, 1 / taken)
    if place.silu:
        _divide(model, place, factors)


def _is_depthwise(model: schema.ModelT, operator: schema.OperatorT) -> bool:
    return operator_name(model, operator) == "DEPTHWISE_CONV_2D"


def _replace(
    model: schema.ModelT, operator: schema.OperatorT, operand: int, factors: Numbers
) -> None:
    """A stored operand becomes one of its own, times the factors."""
    tensor = model.subgraphs[0].tensors[int(operator.inputs[operand])]
    stored = constant(model, tensor)
    assert stored is not None  # places.is_convolution
    operator.inputs = np.array(operator.inputs, np.int32)
    operator.inputs[operand] = _constant(
        model, tensor.name.decode(), stored.astype(float) * factors
    )


def _constant(model: schema.ModelT, name: str, value: NDArray[np.float64]) -> int:
    return new_constant(model, name, np.asarray(value, np.float32))


def _divide(model: schema.ModelT, place: Place, factors: Numbers) -> None:
    """The LOGISTIC reads the channels divided by their factors again."""
    assert place.silu is not None
    graph = model.subgraphs[0]
    gate = copy_tensor(graph, place.written, "_gate")
    name = graph.tensors[gate].name.decode()
    kernel = _constant(model, f"{name}_kernel", (1 / factors).reshape(1, 1, 1, -1))
    bias = _constant(model, f"{name}_bias", np.zeros(len(factors)))
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH = options.strideW = options.depthMultiplier = 1
    options.dilationHFactor = options.dilationWFactor = 1
    options.padding = schema.Padding.VALID
    division = new_operator(
        model,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
        2,  # version, as in GetBuiltinOperatorVersion (TensorFlow Lite's op_version.cc)
        options,
        [place.written, kernel, bias],
        gate,
    )
    place.silu.logistic.inputs = np.array([gate], np.int32)
    behind = next(i for i, other in enumerate(graph.operators) if other is place.convolution)
    graph.operators.insert(behind + 1, division)
