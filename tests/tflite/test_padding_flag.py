"""The padding flag: a backend that honours it computes what the ONNX graph computes."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import operator_name
from mmdet2tflite.tflite.padding_flag import put_pads_back, write_flags
from tests.tflite.flagged import (
    CASES,
    CHAIN_FLAGS,
    chain,
    integers,
    nhwc,
    onnx_outputs,
    pooling,
    truth,
    written_same,
)
from tests.tflite.tflite_writer import Writer, infer


@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_with_its_pads_put_back_a_file_computes_the_onnx_graphs_numbers(case, xnnpack):
    model = written_same(case)
    write_flags(model, {"map": case.pads})
    put_pads_back(model)
    found = infer(model, nhwc(case.image), xnnpack)["map"]
    np.testing.assert_array_equal(found, truth(case))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_without_the_loader_the_numbers_are_those_of_same(case):
    model = written_same(case)
    before = infer(model, nhwc(case.image))["map"]
    write_flags(model, {"map": case.pads})
    found = infer(model, nhwc(case.image))["map"]
    np.testing.assert_array_equal(found, before)
    assert found.shape == truth(case).shape
    assert (found != truth(case)).any()


@pytest.mark.parametrize(
    ("kind", "zero_point"), [(np.int8, 3), (np.uint8, 131), (np.int16, 0)], ids=str
)
@pytest.mark.parametrize("name", ["3x3, even", "all sides different", "depthwise"])
def test_quantised_tensors_are_padded_with_their_zero_point(name, kind, zero_point):
    case = CASES[name]
    model = written_same(case, kind, 0.5, zero_point)
    write_flags(model, {"map": case.pads})
    put_pads_back(model)
    image = (nhwc(case.image) + zero_point).astype(kind)
    # Scales: 0.5 of the input times 0.25 of the weights is the output's, so steps are integers.
    np.testing.assert_array_equal(infer(model, image)["map"] - float(zero_point), truth(case))


@pytest.mark.parametrize(
    ("kind", "zero_point"), [(np.float32, 0), (np.int8, 3), (np.uint8, 131)], ids=str
)
def test_a_max_pooling_never_picks_a_padded_value(kind, zero_point):
    stored = {} if kind is np.float32 else {"dtype": kind, "scale": 1.0, "zero_point": zero_point}
    model = pooling("MAX_POOL_2D", 3, **stored)
    write_flags(model, {"map": (1, 1, 1, 1)})
    put_pads_back(model)
    image = integers(1, (1, 2, 8, 10), 50) - 60  # all below 0, the value of a zero pad
    node = helper.make_node(
        "MaxPool", ["image"], ["map"], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]
    )
    found = infer(model, (nhwc(image) + zero_point).astype(kind))["map"]
    np.testing.assert_array_equal(found - float(zero_point), onnx_outputs(node, image))


def test_an_average_pooling_is_flagged_only_where_nothing_is_padded():
    model = pooling("AVERAGE_POOL_2D", 2)
    write_flags(model, {"map": (0, 0, 0, 0)})
    put_pads_back(model)
    assert [operator_name(model, o) for o in model.subgraphs[0].operators] == ["AVERAGE_POOL_2D"]
    image = integers(1, (1, 2, 8, 10), 50)
    node = helper.make_node("AveragePool", ["image"], ["map"], kernel_shape=[2, 2], strides=[2, 2])
    np.testing.assert_array_equal(infer(model, nhwc(image))["map"], onnx_outputs(node, image))
    with pytest.raises(ModelError, match="average pooling"):
        write_flags(pooling("AVERAGE_POOL_2D", 3), {"map": (1, 1, 1, 1)})


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (1, 0, 1, 0)], ids=str)
def test_the_worked_example_of_the_documentation(pads):
    writer = Writer()
    image = writer.tensor("image", (1, 4, 4, 1))
    weights = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1)
    operands = [writer.constant("k", weights), writer.constant("b", np.zeros(1, np.float32))]
    stem = writer.tensor("stem", (1, 2, 2, 1))
    writer.conv(image, *operands, stem, strides=(2, 2), same=True)
    model = writer.finish({"picture": image}, {"map": stem})
    pixels = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 4, 1)
    write_flags(model, {"stem": pads})
    assert infer(model, pixels)["stem"].ravel().tolist() == [348, 252, 274, 175]
    put_pads_back(model)
    assert infer(model, pixels)["stem"].ravel().tolist() == [111, 217, 363, 573]


def test_each_flagged_operator_gets_its_own_pad_and_the_others_stay():
    model = chain()
    write_flags(model, CHAIN_FLAGS)
    put_pads_back(model)
    graph = model.subgraphs[0]
    names = [operator_name(model, operator) for operator in graph.operators]
    assert names == ["PAD", "CONV_2D", "CONV_2D", "PAD", "CONV_2D"]
    padding = [
        o.builtinOptions.padding for o in graph.operators if hasattr(o.builtinOptions, "padding")
    ]
    same, valid = schema.Padding.SAME, schema.Padding.VALID
    assert padding == [valid, same, valid]
