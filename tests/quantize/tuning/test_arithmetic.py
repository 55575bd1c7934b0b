"""Every integer operator of the PyTorch network against LiteRT with XNNPACK."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.quantize.tuning.integer_graphs import LEVELS, IntegerGraph, differences

NONE, RELU, RELU6 = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
)
PAIRS = np.stack(np.meshgrid(LEVELS, LEVELS), axis=-1)[None]
"""All pairs of int8: 1 x 256 x 256 x 2."""
SCALES = [(0.1, 0.1, 0.1), (0.02, 0.4, 0.3), (0.5, 0.003, 0.4), (1 / 3, 2 / 7, 0.77)]


def binary(name: str, scales, points, activation, options) -> schema.ModelT:
    """Both channels of the input, each of a scale of its own, become one."""
    graph = IntegerGraph()
    pair = graph.int8("pair", (1, 256, 256, 2), 1.0)
    sides = []
    for channel, (scale, point) in enumerate(zip(scales[:2], points[:2], strict=True)):
        side = graph.int8(f"side{channel}", (1, 256, 256, 1), 1.0)
        begin = graph.constant(f"b{channel}", np.array([0, 0, 0, channel], np.int32))
        size = graph.constant(f"s{channel}", np.array([1, 256, 256, 1], np.int32))
        graph.operator("SLICE", [pair, begin, size], side, schema.SliceOptionsT(), 2)
        weight = graph.weights(f"w{channel}", np.ones((1, 1, 1, 1)), [scale])
        bias = graph.bias(f"z{channel}", [-point], [scale])
        found = graph.int8(f"scaled{channel}", (1, 256, 256, 1), scale, point)
        # 1 * x - point, on a scale of its own, stores x itself.
        sides.append(graph.conv(side, weight, bias, found, quantised=True))
    result = graph.int8("result", (1, 256, 256, 1), scales[2], points[2])
    graph.operator(name, sides, result, options(fusedActivationFunction=activation), 2)
    return graph.finish({"pair": pair}, {"result": result})


@pytest.mark.parametrize("activation", [NONE, RELU, RELU6])
@pytest.mark.parametrize("points", [(0, 0, 0), (-128, 5, -3)])
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize(
    ("name", "options"),
    [("ADD", schema.AddOptionsT), ("SUB", schema.SubOptionsT), ("MUL", schema.MulOptionsT)],
)
def test_two_values(name, options, scales, points, activation):
    model = binary(name, scales, points, activation, options)
    assert differences(model, PAIRS) == (0, 0)


@pytest.mark.parametrize("scale", [0.004, 0.02, 0.05, 0.3])
@pytest.mark.parametrize("point", [0, -128, 37])
@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("LOGISTIC", (1 / 256, -128)),
        ("TANH", (1 / 128, 0)),
        ("HARD_SWISH", (0.05, -120)),
        ("RELU", (0.05, -128)),
        ("RELU6", (6 / 255, -128)),
        ("RELU_N1_TO_1", (2 / 255, 0)),
        ("QUANTIZE", (0.11, 3)),
        ("QUANTIZE", (0.011, -7)),
    ],
)
def test_one_value(name, out, scale, point):
    graph = IntegerGraph()
    shape = (1, 1, 1, 256)
    value = graph.int8("value", shape, scale, point)
    version = 1 if name in ("HARD_SWISH", "RELU_N1_TO_1") else 2
    graph.operator(name, [value], graph.int8("result", shape, *out), version=version)
    model = graph.finish({"value": value}, {"result": 1})
    steps = 1 if name in ("RELU6", "RELU_N1_TO_1") else 0
    assert differences(model, LEVELS.reshape(shape))[0] <= steps
