"""Integer convolutions, poolings and means of the PyTorch network against LiteRT with XNNPACK."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.quantize.tuning.integer_graphs import IntegerGraph, differences, litert

CHANNELS, OUTPUTS = 8, 12
IN, OUT = (0.05, -20), (0.4, 7)
"""Scale and zero point of input and output."""


def pictures(height: int, width: int, channels: int = CHANNELS) -> np.ndarray:
    shape = (3, height, width, channels)
    return np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 2), (4, 1), (6, 1)])
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_convolution(depthwise, kernel, dilation, stride, same, size):
    if stride > 1 and dilation > 1:
        pytest.skip("TensorFlow has no convolution with both")
    rng = np.random.default_rng(1)
    count = CHANNELS if depthwise else OUTPUTS
    shape = (1, kernel, kernel, count) if depthwise else (count, kernel, kernel, CHANNELS)
    scales = rng.uniform(0.001, 0.02, count).astype(np.float32)
    graph = IntegerGraph()
    image = graph.int8("image", (1, *size, CHANNELS), *IN)
    weights = graph.weights("w", rng.integers(-127, 128, shape), scales, axis=3 if depthwise else 0)
    bias = graph.bias("b", rng.integers(-5000, 5000, count), scales * np.float32(IN[0]))
    span = (kernel - 1) * dilation + 1
    sides = [-(-s // stride) if same else (s - span) // stride + 1 for s in size]
    result = graph.int8("result", (1, *sides, count), *OUT)
    graph.conv(
        image,
        weights,
        bias,
        result,
        strides=(stride, stride),
        dilations=(dilation, dilation),
        same=same,
        depthwise=depthwise,
        quantised=True,
    )
    model = graph.finish({"image": image}, {"result": result})
    found = litert(model, pictures(*size))["result"]
    assert found.std() > 5  # neither constant nor saturated everywhere
    assert differences(model, pictures(*size)) == (0, 0)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2)])
def test_a_transposed_convolution(kernel, stride, same):
    rng = np.random.default_rng(1)
    size = (5, 6)
    sides = [s * stride if same else (s - 1) * stride + kernel for s in size]
    scales = rng.uniform(0.001, 0.02, OUTPUTS).astype(np.float32)
    graph = IntegerGraph()
    image = graph.int8("image", (1, *size, CHANNELS), *IN)
    shape = graph.constant("shape", np.array([1, *sides, OUTPUTS], np.int32))
    taps = rng.integers(-127, 128, (OUTPUTS, kernel, kernel, CHANNELS))
    weights = graph.weights("w", taps, scales)
    bias = graph.bias("b", rng.integers(-5000, 5000, OUTPUTS), scales * np.float32(IN[0]))
    result = graph.int8("result", (1, *sides, OUTPUTS), *OUT)
    options = schema.TransposeConvOptionsT(strideH=stride, strideW=stride)
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    graph.operator("TRANSPOSE_CONV", [shape, weights, image, bias], result, options, 3)
    model = graph.finish({"image": image}, {"result": result})
    assert differences(model, pictures(*size)) == (0, 0)


def test_a_matrix_product():
    rng = np.random.default_rng(1)
    scales = rng.uniform(0.001, 0.02, OUTPUTS).astype(np.float32)
    graph = IntegerGraph()
    image = graph.int8("image", (1, 2, 3, CHANNELS), *IN)
    flat = graph.int8("flat", (1, 6 * CHANNELS), *IN)
    shape = graph.constant("shape", np.array([1, 6 * CHANNELS], np.int32))
    graph.operator("RESHAPE", [image, shape], flat, schema.ReshapeOptionsT(newShape=[]))
    weights = graph.weights("w", rng.integers(-127, 128, (OUTPUTS, 6 * CHANNELS)), scales)
    bias = graph.bias("b", rng.integers(-5000, 5000, OUTPUTS), scales * np.float32(IN[0]))
    result = graph.int8("result", (1, OUTPUTS), *OUT)
    options = schema.FullyConnectedOptionsT()
    graph.operator("FULLY_CONNECTED", [flat, weights, bias], result, options, 5)
    model = graph.finish({"image": image}, {"result": result})
    assert differences(model, pictures(2, 3)) == (0, 0)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 1), (3, 2), (5, 1)])
@pytest.mark.parametrize("name", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_a_pooling(name, kernel, stride, same):
    size = (8, 9)
    graph = IntegerGraph()
    image = graph.int8("image", (1, *size, CHANNELS), *IN)
    sides = [-(-s // stride) if same else (s - kernel) // stride + 1 for s in size]
    result = graph.int8("result", (1, *sides, CHANNELS), *IN)
    options = schema.Pool2DOptionsT(
        filterHeight=kernel, filterWidth=kernel, strideH=stride, strideW=stride
    )
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    graph.operator(name, [image], result, options, 2)
    model = graph.finish({"image": image}, {"result": result})
    assert differences(model, pictures(*size)) == (0, 0)


@pytest.mark.parametrize("out", [(0.05, -20), (0.004, 3)])
def test_a_mean_over_the_map(out):
    graph = IntegerGraph()
    image = graph.int8("image", (1, 8, 9, CHANNELS), *IN)
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    result = graph.int8("result", (1, 1, 1, CHANNELS), *out)
    graph.operator("MEAN", [image, axes], result, schema.ReducerOptionsT(keepDims=True), 2)
    model = graph.finish({"image": image}, {"result": result})
    assert differences(model, pictures(8, 9))[0] <= 1
