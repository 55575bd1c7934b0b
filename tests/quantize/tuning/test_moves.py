"""Operators that only move values: integers and reals, two images at once."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.quantize.tuning.network import TfliteNetwork
from tests.quantize.tuning.integer_graphs import IntegerGraph, litert, network

SHAPE = (1, 4, 6, 8)
GRID = (0.05, -20)
NONE = schema.ActivationFunctionType.NONE


def images(dtype) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(-128, 128, (2, *SHAPE[1:])).astype(dtype)


CASES = {
    "RESHAPE": ([[1, 24, 8]], (1, 24, 8), schema.ReshapeOptionsT(newShape=[])),
    "TRANSPOSE": ([[0, 3, 1, 2]], (1, 8, 4, 6), schema.TransposeOptionsT()),
    "SLICE": ([[0, 1, 2, 0], [1, 2, -1, 8]], (1, 2, 4, 8), schema.SliceOptionsT()),
    "STRIDED_SLICE": (
        [[0, 1, 0, 0], [1, 4, 6, 8], [1, 2, 3, 1]],
        (1, 2, 2, 8),
        schema.StridedSliceOptionsT(),
    ),
    "PAD": ([[[0, 0], [1, 2], [3, 0], [0, 0]]], (1, 7, 9, 8), schema.PadOptionsT()),
    "REVERSE_V2": ([[1, 2]], SHAPE, schema.ReverseV2OptionsT()),
    "RESIZE_NEAREST_NEIGHBOR": (
        [[8, 18]],
        (1, 8, 18, 8),
        schema.ResizeNearestNeighborOptionsT(),
    ),
    "SPACE_TO_DEPTH": ([], (1, 2, 3, 32), schema.SpaceToDepthOptionsT(blockSize=2)),
    "DEPTH_TO_SPACE": ([], (1, 8, 12, 2), schema.DepthToSpaceOptionsT(blockSize=2)),
}
VERSIONS = {"REVERSE_V2": 3, "RESHAPE": 1, "STRIDED_SLICE": 2}


def graph_of(name: str, dtype) -> schema.ModelT:
    numbers, shape, options = CASES[name]
    grid = GRID if dtype == np.int8 else ()
    graph = IntegerGraph()
    image = graph.tensor("image", SHAPE, dtype, *grid)
    constants = [
        graph.constant(f"c{i}", np.array(value, np.int32)) for i, value in enumerate(numbers)
    ]
    result = graph.tensor("result", shape, dtype, *grid)
    graph.operator(name, [image, *constants], result, options, VERSIONS.get(name, 2))
    return graph.finish({"image": image}, {"result": result})


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize("name", CASES)
def test_values_go_where_litert_puts_them(name, dtype):
    model = graph_of(name, dtype)
    expected, found = (run(model, images(dtype))["result"] for run in (litert, network))
    np.testing.assert_array_equal(found, expected)


def test_parts_of_a_split_are_put_together_again():
    graph = IntegerGraph()
    image = graph.int8("image", SHAPE, *GRID)
    axis = graph.constant("axis", np.array(3, np.int32))
    parts = [graph.int8(f"part{i}", (1, 4, 6, 4), *GRID) for i in range(2)]
    graph.operator("SPLIT", [axis, image], parts[0], schema.SplitOptionsT(numSplits=2), 2)
    graph.graph.operators[-1].outputs = parts
    result = graph.int8("result", SHAPE, *GRID)
    options = schema.ConcatenationOptionsT(axis=-1, fusedActivationFunction=NONE)
    graph.operator("CONCATENATION", parts[::-1], result, options, 2)
    model = graph.finish({"image": image}, {"result": result})
    expected, found = (run(model, images(np.int8))["result"] for run in (litert, network))
    np.testing.assert_array_equal(found, expected)


def test_an_operator_that_is_not_in_the_table_is_refused_by_name():
    graph = IntegerGraph()
    image = graph.tensor("image", SHAPE)
    graph.operator("COS", [image], graph.tensor("result", SHAPE))
    model = graph.finish({"image": image}, {"result": 1})
    with pytest.raises(ModelError) as refusal:
        TfliteNetwork(model)
    assert refusal.value.found.startswith("COS cannot be trained")
    assert "leave training.quantised out" in refusal.value.remedy


def test_what_moves_integers_to_another_scale_is_refused():
    graph = IntegerGraph()
    image = graph.int8("image", SHAPE, *GRID)
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    result = graph.int8("result", SHAPE, 0.06, -20)
    graph.operator("REVERSE_V2", [image, axes], result, schema.ReverseV2OptionsT(), 3)
    with pytest.raises(ModelError, match=r"REVERSE_V2 .* different scales"):
        TfliteNetwork(graph.finish({"image": image}, {"result": result}))
