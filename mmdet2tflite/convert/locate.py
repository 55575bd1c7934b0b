"""Which operator of a TFLite file is which convolution of the ONNX graph it was made of."""

from collections.abc import Collection, Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import constant, operator_name
from mmdet2tflite.tflite.windows import CONVOLUTIONS

type Floats = NDArray[np.float32]


def locate_convolutions(
    model: schema.ModelT,
    kernels: Mapping[str, Floats],
    wanted: Collection[str] | None = None,
) -> dict[str, str]:
    """Find the convolutions of an ONNX graph in the TFLite file that was made of it.

    By their weights, because converters invent names:

    1. CONV_2D holds O x kH x kW x I, DEPTHWISE_CONV_2D 1 x kH x kW x C.
    2. Every weight is the same float32 number or, where the file is quantised, not farther from it
       than half a step.
    3. Convolutions with equal kernels stand in the same order in both graphs, and are as many.

    Args:
        kernels: weights (O x I/g x kH x kW) of every convolution by node name, in the order of the
            ONNX graph.
        wanted: names to find; all by default. The others only tell equal kernels apart.

    Returns:
        The name of the tensor that the operator writes, by node name.

    Raises:
        ModelError: a wanted convolution cannot be found, or not told from its like.
    """
    graph = model.subgraphs[0]
    operators = [o for o in graph.operators if operator_name(model, o) in CONVOLUTIONS]
    stored = [_stored_kernel(model, operator) for operator in operators]
    places = {
        name: tuple(i for i, values in enumerate(stored) if values and _is_equal(kernel, *values))
        for name, kernel in kernels.items()
    }
    found = {}
    for name in kernels if wanted is None else wanted:
        alike = [other for other in kernels if places[other] == places[name]]
        if len(alike) != len(places[name]):
            raise ModelError(
                f"{len(places[name])} convolutions of the TFLite file have the weights of {name}"
                f" (equal in the ONNX graph: {len(alike)})",
                "as many as in the ONNX graph, with its weights unchanged",
                "convert without optimisations that change weights",
            )
        output = operators[places[name][alike.index(name)]].outputs[0]
        found[name] = graph.tensors[output].name.decode()
    return found


def _stored_kernel(
    model: schema.ModelT, operator: schema.OperatorT
) -> tuple[Floats, Floats] | None:
    """Real weights as O x kH x kW x I/g, and how far each may be from the original's (rule 2)."""
    graph = model.subgraphs[0]
    index = int(operator.inputs[1])
    for source in graph.operators:
        if index in source.outputs and operator_name(model, source) == "DEQUANTIZE":
            index = int(source.inputs[0])
    tensor = graph.tensors[index]
    values = constant(model, tensor)
    if values is None:
        return None
    reals, tolerance = values.astype(np.float32), np.zeros(values.shape, np.float32)
    if values.dtype.kind in "iu":
        scale = np.asarray(tensor.quantization.scale, np.float32)
        sides = [1] * values.ndim
        sides[tensor.quantization.quantizedDimension if len(scale) > 1 else 0] = len(scale)
        zero_point = np.asarray(tensor.quantization.zeroPoint, np.float32)
        reals = (reals - zero_point.reshape(sides)) * scale.reshape(sides)
        # A thousandth more for the rounding of the product, some 255 * 2**-24 of a step.
        tolerance += scale.reshape(sides) * np.float32(0.501)
    if operator_name(model, operator) == "DEPTHWISE_CONV_2D":  # rule 1
        return reals.transpose(3, 1, 2, 0), tolerance.transpose(3, 1, 2, 0)
    return reals, tolerance


def _is_equal(kernel: Floats, reals: Floats, tolerance: Floats) -> bool:
    expected = np.moveaxis(kernel, 1, -1)  # O x kH x kW x I/g
    return expected.shape == reals.shape and bool((abs(expected - reals) <= tolerance).all())
