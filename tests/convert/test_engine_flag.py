"""The engine flag: an engine that honours it computes what the ONNX graph computes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.convert.engine_flag import (
    FLAGS,
    Pads,
    open_flagged,
    put_pads_back,
    read_flags,
    write_flags,
)
from mmdet2tflite.convert.flatbuffer import (
    operator_name,
    read_metadata,
    write_metadata,
    write_model,
)
from mmdet2tflite.errors import ModelError
from tests.convert.tflite_writer import Writer, infer


@dataclass(frozen=True)
class Case:
    """A convolution; its numbers are small integers, which float32 sums without rounding."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    pads: Pads
    stride: int = 2
    dilation: int = 1
    depthwise: bool = False

    @property
    def image(self) -> np.ndarray:
        return _integers(1, (1, 2, *self.size), 3)

    @property
    def weights(self) -> np.ndarray:
        return _integers(
            2, (2 if self.depthwise else 3, 1 if self.depthwise else 2, *self.kernel), 1
        )

    @property
    def output(self) -> tuple[int, int, int, int]:
        rows, columns = (-(-side // self.stride) for side in self.size)  # SAME's size
        return 1, rows, columns, len(self.weights)


CASES = {
    "3x3, even": Case((8, 10), (3, 3), (1, 1, 1, 1)),
    "3x3, odd height and even width": Case((7, 8), (3, 3), (1, 1, 1, 1)),
    "5x5, even": Case((8, 10), (5, 5), (2, 2, 2, 2)),
    "5x5, odd, stride 3": Case((9, 15), (5, 5), (2, 2, 2, 2), stride=3),
    "all sides different": Case((8, 10), (3, 5), (2, 0, 1, 3)),
    "dilated": Case((8, 10), (3, 3), (2, 2, 2, 2), dilation=2),
    "depthwise": Case((8, 10), (3, 3), (1, 1, 1, 1), depthwise=True),
    "depthwise, 5x5, even": Case((8, 6), (5, 5), (2, 2, 2, 2), depthwise=True),
}


def _integers(seed: int, shape: Sequence[int], limit: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-limit, limit + 1, shape).astype(np.float32)


def onnx_outputs(node: Any, image: np.ndarray, *constants: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes, as N x H x W x C."""
    initializers = [
        numpy_helper.from_array(value, name)
        for value, name in zip(constants, node.input[1:], strict=True)
    ]
    image_info = helper.make_tensor_value_info("image", TensorProto.FLOAT, image.shape)
    result = helper.make_tensor_value_info("map", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "tiny", [image_info], [result], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"image": image})[0].transpose(0, 2, 3, 1)


def truth(case: Case) -> np.ndarray:
    top, bottom, left, right = case.pads
    node = helper.make_node(
        "Conv",
        ["image", "weights"],
        ["map"],
        pads=[top, left, bottom, right],
        strides=[case.stride] * 2,
        dilations=[case.dilation] * 2,
        group=2 if case.depthwise else 1,
    )
    return onnx_outputs(node, case.image, case.weights)


def written_same(
    case: Case, kind: type[np.generic] = np.float32, scale: float = 0.5, zero_point: int = 0
) -> schema.ModelT:
    """The convolution as a converter writes it for ``engine``: SAME."""
    writer = Writer()
    stored = {} if kind is np.float32 else {"dtype": kind, "scale": scale, "zero_point": zero_point}
    image = writer.tensor("image", (1, *case.size, 2), **stored)
    kernel = case.weights.transpose(1, 2, 3, 0) if case.depthwise else case.weights
    kernel = kernel if case.depthwise else kernel.transpose(0, 2, 3, 1)
    bias = np.zeros(len(case.weights), np.float32)
    if kind is np.float32:
        operands = [writer.constant("weights", kernel), writer.constant("bias", bias)]
        found = writer.tensor("map", case.output)
    else:
        # The older uint8 scheme: one scale for all weights, and a zero point for them too.
        scales = 1 if kind is np.uint8 else len(bias)
        if kind is np.uint8:
            unsigned = (kernel + 128).astype(np.uint8)
            weights = writer.constant("weights", unsigned, scale=0.25, zero_point=128)
        else:
            weights = writer.constant(
                "weights",
                kernel.astype(np.int8),
                scale=[0.25] * scales,
                channels=3 if case.depthwise else 0,
            )
        wide = bias.astype(np.int64 if kind is np.int16 else np.int32)
        operands = [weights, writer.constant("bias", wide, scale=[scale / 4] * scales)]
        found = writer.tensor("map", case.output, kind, scale / 4, zero_point)
    writer.conv(
        image,
        *operands,
        found,
        strides=(case.stride, case.stride),
        dilations=(case.dilation, case.dilation),
        same=True,
        depthwise=case.depthwise,
        quantised=kind is not np.float32,
    )
    return writer.finish({"picture": image}, {"map": found})


def nhwc(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(0, 2, 3, 1))


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


def pooling(name: str, kernel: int, **stored: Any) -> schema.ModelT:
    writer = Writer()
    image = writer.tensor("image", (1, 8, 10, 2), **stored)
    found = writer.tensor("map", (1, 4, 5, 2), **stored)
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = 2
    options.filterHeight = options.filterWidth = kernel
    writer.operator(name, [image], found, options, 2 if stored else 1)
    return writer.finish({"picture": image}, {"map": found})


@pytest.mark.parametrize(
    ("kind", "zero_point"), [(np.float32, 0), (np.int8, 3), (np.uint8, 131)], ids=str
)
def test_a_max_pooling_never_picks_a_padded_value(kind, zero_point):
    stored = {} if kind is np.float32 else {"dtype": kind, "scale": 1.0, "zero_point": zero_point}
    model = pooling("MAX_POOL_2D", 3, **stored)
    write_flags(model, {"map": (1, 1, 1, 1)})
    put_pads_back(model)
    image = _integers(1, (1, 2, 8, 10), 50) - 60  # all below 0, the value of a zero pad
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
    image = _integers(1, (1, 2, 8, 10), 50)
    node = helper.make_node("AveragePool", ["image"], ["map"], kernel_shape=[2, 2], strides=[2, 2])
    np.testing.assert_array_equal(infer(model, nhwc(image))["map"], onnx_outputs(node, image))
    with pytest.raises(ModelError, match="average pooling"):
        write_flags(pooling("AVERAGE_POOL_2D", 3), {"map": (1, 1, 1, 1)})


def chain() -> schema.ModelT:
    """Two flagged operators in a row, and one between them that is not."""
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 1))
    kernel = writer.constant("weights", np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1))
    bias = writer.constant("bias", np.zeros(1, np.float32))
    value = image
    for name, size, stride in (("first", 4, 2), ("between", 4, 1), ("second", 2, 2)):
        result = writer.tensor(name, (1, size, size, 1))
        writer.conv(value, kernel, bias, result, strides=(stride, stride), same=True)
        value = result
    return writer.finish({"picture": image}, {"map": value})


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


CHAIN_FLAGS: dict[str, Pads] = {"second": (1, 1, 1, 1), "first": (1, 0, 1, 0)}


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


def test_flags_are_written_in_the_documented_format_and_read_back():
    model = chain()
    write_flags(model, CHAIN_FLAGS)
    assert json.loads(read_metadata(model, "mmdet2tflite.padding")) == {
        "version": 1,
        "operators": [
            {"subgraph": 0, "output": "second", "pads": [1, 1, 1, 1]},
            {"subgraph": 0, "output": "first", "pads": [1, 0, 1, 0]},
        ],
    }
    assert read_flags(model) == CHAIN_FLAGS


def test_pads_are_put_back_once_only():
    model = chain()
    write_flags(model, CHAIN_FLAGS)
    put_pads_back(model)
    assert read_flags(model) == {}
    operators = len(model.subgraphs[0].operators)
    put_pads_back(model)
    assert len(model.subgraphs[0].operators) == operators


@pytest.mark.parametrize("flagged", [True, False])
def test_the_loader_opens_a_file_with_and_without_flags(tmp_path, flagged):
    case = CASES["3x3, even"]
    model = written_same(case)
    expected = infer(model, nhwc(case.image))["map"]
    if flagged:
        write_flags(model, {"map": case.pads})
        expected = truth(case)
    write_model(model, tmp_path / "m.tflite")
    interpreter = open_flagged(str(tmp_path / "m.tflite"), num_threads=1)
    found = interpreter.get_signature_runner("serving_default")(picture=nhwc(case.image))
    np.testing.assert_array_equal(found["map"], expected)


REFUSED: dict[str, tuple[str, Any, str]] = {
    "unknown tensor": ("third", (1, 1, 1, 1), "0 operators write the tensor third"),
    "a tensor that no operator writes": ("image", (1, 1, 1, 1), "0 operators write"),
    "negative": ("first", (2, -1, 1, 1), "not a whole number of 0 or more"),
    "fraction": ("first", (1, 0.5, 1, 1), "not a whole number of 0 or more"),
    "too small for the output": ("first", (0, 0, 1, 1), "they give [3, 4], the file says [4, 4]"),
    "too large for the output": ("first", (1, 1, 1, 2), "they give [4, 5], the file says [4, 4]"),
}


@pytest.mark.parametrize(("name", "pads", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_flag_that_contradicts_the_file_is_neither_written_nor_read(name, pads, reason):
    model = chain()
    with pytest.raises(ModelError) as refusal:
        write_flags(model, {name: pads})
    assert reason in refusal.value.found
    assert read_metadata(model, FLAGS) is None
    entry = {"subgraph": 0, "output": name, "pads": list(pads)}
    write_metadata(model, FLAGS, json.dumps({"version": 1, "operators": [entry]}).encode())
    with pytest.raises(ModelError) as refusal:
        read_flags(model)
    assert reason in refusal.value.found


def test_an_operator_without_padding_or_written_valid_is_refused():
    writer = Writer()
    image = writer.tensor("image", (1, 4, 4, 1))
    kernel = writer.constant("weights", np.ones((1, 1, 1, 1), np.float32))
    bias = writer.constant("bias", np.zeros(1, np.float32))
    found = writer.conv(image, kernel, bias, writer.tensor("map", (1, 4, 4, 1)))
    positive = writer.operator("RELU", [found], writer.tensor("positive", (1, 4, 4, 1)))
    model = writer.finish({"picture": image}, {"map": positive})
    with pytest.raises(ModelError, match="of RELU positive: the operator is none of CONV_2D"):
        write_flags(model, {"positive": (0, 0, 0, 0)})
    with pytest.raises(ModelError, match="of CONV_2D map: the operator is written VALID"):
        write_flags(model, {"map": (0, 0, 0, 0)})


ENTRY = {"subgraph": 0, "output": "first", "pads": [1, 1, 1, 1]}
BROKEN: dict[str, tuple[Any, str]] = {
    "another version": ({"version": 2, "operators": []}, "version 2 of the entry"),
    "no version": ({"operators": []}, "cannot be read: KeyError('version')"),
    "a list": ([], "cannot be read: TypeError"),
    "three pads": (
        {"version": 1, "operators": [{**ENTRY, "pads": [1, 1, 1]}]},
        "cannot be read: ValueError",
    ),
    "another subgraph": ({"version": 1, "operators": [{**ENTRY, "subgraph": 1}]}, "subgraph 1"),
    "one operator twice": ({"version": 1, "operators": [ENTRY, ENTRY]}, "two entries"),
}


@pytest.mark.parametrize(("document", "reason"), BROKEN.values(), ids=BROKEN)
def test_an_entry_of_another_format_is_refused_and_not_ignored(document, reason):
    model = chain()
    write_metadata(model, FLAGS, json.dumps(document).encode())
    with pytest.raises(ModelError) as refusal:
        read_flags(model)
    assert reason in refusal.value.found


def test_bytes_that_are_no_json_are_refused():
    model = chain()
    write_metadata(model, FLAGS, b"\xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        read_flags(model)


def test_the_loader_needs_numpy_flatbuffers_and_litert_and_nothing_else():
    program = """
import sys
before = set(sys.modules)
import mmdet2tflite.convert.engine_flag
files = [getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before]
print(*{file.split("site-packages/")[1].split("/")[0] for file in files if "site-packages" in file})
"""
    done = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert set(done.split()) <= {"numpy", "flatbuffers", "ai_edge_litert"}
