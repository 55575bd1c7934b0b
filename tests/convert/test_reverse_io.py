"""What a file computes after its input and outputs were reversed (and back), what is refused."""

import copy
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.convert.flatbuffer import operator_name, serialise
from mmdet2tflite.convert.reverse_io import reverse_io, take_reversals_off
from mmdet2tflite.errors import ModelError
from tests.convert.tflite_writer import Writer, infer

SHAPE = (1, 5, 8, 2)
STORED: dict[str, dict[str, Any]] = {
    "float32": {},
    "int8": {"dtype": np.int8, "scale": 0.5, "zero_point": 3},
    "uint8": {"dtype": np.uint8, "scale": 0.5, "zero_point": 131},
    "int16": {"dtype": np.int16, "scale": 0.5},
}


def network() -> schema.ModelT:
    """A convolution ``map``, which is an output and is read by a second output, ``positive``."""
    writer = Writer()
    rng = np.random.default_rng(0)
    image = writer.tensor("image", SHAPE)
    kernel = writer.constant("kernel", rng.normal(size=(3, 3, 3, 2)).astype(np.float32))
    bias = writer.constant("bias", rng.normal(size=3).astype(np.float32))
    found = writer.tensor("map", (1, 3, 4, 3))
    writer.conv(image, kernel, bias, found, strides=(2, 2), same=True)
    positive = writer.operator("RELU", [found], writer.tensor("positive", (1, 3, 4, 3)))
    return writer.finish({"picture": image}, {"first": found, "second": positive})


def copier(**stored: Any) -> schema.ModelT:
    """Takes every second row: moves values and computes nothing, whatever their type."""
    writer = Writer()
    image = writer.tensor("image", SHAPE, **stored)
    bounds = [
        writer.constant(name, np.array(value, np.int32))
        for name, value in (("b", (0, 0, 0, 0)), ("e", SHAPE), ("s", (1, 2, 1, 1)))
    ]
    rows = writer.tensor("rows", (1, 3, 8, 2), **stored)
    kind = stored.get("dtype", np.float32)
    version = {np.int8: 2, np.uint8: 1, np.int16: 4}.get(kind, 1)
    writer.operator("STRIDED_SLICE", [image, *bounds], rows, schema.StridedSliceOptionsT(), version)
    return writer.finish({"picture": image}, {"rows": rows})


def picture() -> np.ndarray:
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


def turned(value: np.ndarray) -> np.ndarray:
    return value[:, ::-1, ::-1]


def nhwc(names: list[str]) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names, (1, 2))


@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("outputs", [[], ["map"], ["positive"], ["map", "positive"]], ids=str)
@pytest.mark.parametrize("inputs", [True, False])
def test_named_tensors_are_turned_round_and_the_others_are_not(inputs, outputs, xnnpack):
    model = network()
    expected = infer(model, turned(picture()) if inputs else picture(), xnnpack)
    reverse_io(model, inputs=inputs, outputs=nhwc(outputs))
    found = infer(model, picture(), xnnpack)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], turned(value) if name in outputs else value)


def test_the_signature_runner_knows_the_same_names_and_gives_the_same_numbers():
    model = network()
    reverse_io(model, inputs=True, outputs=nhwc(["map", "positive"]))
    runner = Interpreter(model_content=serialise(model)).get_signature_runner("serving_default")
    expected = infer(network(), turned(picture()))
    found = runner(picture=picture())
    np.testing.assert_array_equal(found["first"], turned(expected["map"]))
    np.testing.assert_array_equal(found["second"], turned(expected["positive"]))


@pytest.mark.parametrize("kind", STORED)
def test_values_of_every_type_are_moved_and_not_changed(kind):
    model = copier(**STORED[kind])
    dtype = np.dtype(STORED[kind].get("dtype", np.float32))
    values = np.random.default_rng(2).integers(0, 127, SHAPE).astype(dtype)
    reverse_io(model, inputs=True, outputs=nhwc(["rows"]))
    found = infer(model, values)["rows"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, turned(turned(values)[:, ::2]))


@pytest.mark.parametrize("kind", STORED)
def test_what_the_graph_names_keeps_its_name_shape_type_and_quantisation(kind):
    model = copier(**STORED[kind])
    before = copy.deepcopy(model)
    reverse_io(model, inputs=True, outputs=nhwc(["rows"]))
    graph, original = model.subgraphs[0], before.subgraphs[0]
    assert list(graph.inputs) == list(original.inputs)
    assert list(graph.outputs) == list(original.outputs)
    for index in (*graph.inputs, *graph.outputs):
        new, old = graph.tensors[index], original.tensors[index]
        assert (new.name, list(new.shape), new.type) == (old.name, list(old.shape), old.type)
        assert (new.quantization is None) == (old.quantization is None)
        if old.quantization is not None:
            assert list(new.quantization.scale) == list(old.quantization.scale)
            assert list(new.quantization.zeroPoint) == list(old.quantization.zeroPoint)
    names = [tensor.name for tensor in graph.tensors]
    assert len(set(names)) == len(names)


def test_one_operator_is_added_for_each_reversed_tensor():
    model = network()
    reverse_io(model, inputs=True, outputs=nhwc(["map", "map"]))
    names = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
    assert names == ["REVERSE_V2", "CONV_2D", "RELU", "REVERSE_V2"]
    assert [code.builtinCode for code in model.operatorCodes].count(
        schema.BuiltinOperator.REVERSE_V2
    ) == 1


def test_an_output_that_stayed_nchw_is_turned_along_its_own_height_and_width():
    model = network()
    expected = infer(model, picture())
    reverse_io(model, inputs=False, outputs={"map": (2, 3), "positive": (1, 2)})
    found = infer(model, picture())
    np.testing.assert_array_equal(found["map"], expected["map"][:, :, ::-1, ::-1])
    np.testing.assert_array_equal(found["positive"], turned(expected["positive"]))


def test_a_constant_output_is_turned_round_too():
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    values = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    fixed = writer.constant("fixed", values)
    positive = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    model = writer.finish({"picture": image}, {"fixed": fixed, "positive": positive})
    reverse_io(model, inputs=False, outputs=nhwc(["fixed"]))
    np.testing.assert_array_equal(infer(model, picture())["fixed"], turned(values))


def passing_through() -> schema.ModelT:
    """The input is an output as well."""
    model = network()
    model.subgraphs[0].outputs.append(model.subgraphs[0].inputs[0])
    return model


def test_an_output_that_is_the_input_stays_when_both_are_reversed_and_its_readers_are_turned():
    expected = infer(network(), turned(picture()))
    model = passing_through()
    reverse_io(model, inputs=True, outputs=nhwc(["image", "map"]))
    found = infer(model, picture())
    np.testing.assert_array_equal(found["image"], picture())
    np.testing.assert_array_equal(found["map"], turned(expected["map"]))
    np.testing.assert_array_equal(found["positive"], expected["positive"])


@pytest.mark.parametrize(("inputs", "outputs"), [(True, ["map"]), (False, ["image"])])
def test_an_output_that_is_the_input_cannot_be_reversed_on_one_side_only(inputs, outputs):
    with pytest.raises(ModelError, match="output image is the input itself"):
        reverse_io(passing_through(), inputs=inputs, outputs=nhwc(outputs))


def test_an_output_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ModelError) as refusal:
        reverse_io(network(), inputs=False, outputs=nhwc(["map", "maps"]))
    assert refusal.value.found == "the file has the outputs map, positive"
    assert refusal.value.expected == "an output named maps"


def test_an_output_without_height_and_width_is_refused_and_the_model_is_unchanged():
    writer = Writer()
    image = writer.tensor("image", (1, 6))
    positive = writer.operator("RELU", [image], writer.tensor("positive", (1, 6)))
    model = writer.finish({"picture": image}, {"flat": positive})
    before = serialise(model)
    for inputs, outputs in ((False, ["positive"]), (True, [])):
        with pytest.raises(ModelError, match=r"has the shape \[1, 6\]"):
            reverse_io(model, inputs=inputs, outputs=nhwc(outputs))
    assert serialise(model) == before


def test_a_file_with_two_inputs_is_refused():
    writer = Writer()
    inputs = {name: writer.tensor(name, SHAPE) for name in ("left", "right")}
    total = writer.operator(
        "ADD", list(inputs.values()), writer.tensor("sum", SHAPE), schema.AddOptionsT()
    )
    model = writer.finish(inputs, {"sum": total})
    with pytest.raises(ModelError, match="has 2 inputs"):
        reverse_io(model, inputs=True, outputs={})


def operators_of(model: schema.ModelT) -> list[tuple[str, list[bytes], list[bytes]]]:
    """Name, inputs and outputs (by name) of every operator."""
    tensors = model.subgraphs[0].tensors
    return [
        (
            operator_name(model, operator),
            [tensors[index].name for index in operator.inputs if index >= 0],
            [tensors[index].name for index in operator.outputs],
        )
        for operator in model.subgraphs[0].operators
    ]


@pytest.mark.parametrize("outputs", [[], ["map"], ["positive"], ["map", "positive"]], ids=str)
@pytest.mark.parametrize("inputs", [True, False])
def test_reversals_are_taken_off_again_and_the_model_is_the_one_before(inputs, outputs):
    model, original = network(), network()
    reverse_io(model, inputs=inputs, outputs=nhwc(outputs))
    assert take_reversals_off(model) == (inputs, nhwc(outputs))
    assert operators_of(model) == operators_of(original)
    graph = model.subgraphs[0]
    assert [tensor.name for tensor in graph.tensors] == [
        tensor.name for tensor in original.subgraphs[0].tensors
    ]
    assert list(graph.inputs) == list(original.subgraphs[0].inputs)
    assert list(graph.outputs) == list(original.subgraphs[0].outputs)
    runner = Interpreter(model_content=serialise(model)).get_signature_runner("serving_default")
    expected = infer(original, picture())
    np.testing.assert_array_equal(runner(picture=picture())["first"], expected["map"])
    np.testing.assert_array_equal(infer(model, picture())["positive"], expected["positive"])


def test_each_output_comes_back_with_its_own_axes():
    model = network()
    outputs = {"map": (2, 3), "positive": (1, 2)}
    reverse_io(model, inputs=True, outputs=outputs)
    assert take_reversals_off(model) == (True, outputs)


def test_put_on_again_the_reversals_compute_what_they_did():
    model = network()
    reverse_io(model, inputs=True, outputs=nhwc(["positive"]))
    expected = infer(model, picture())
    inputs, outputs = take_reversals_off(model)
    reverse_io(model, inputs=inputs, outputs=outputs)
    for name, value in infer(model, picture()).items():
        np.testing.assert_array_equal(value, expected[name])


def test_a_constant_output_and_one_that_is_the_input_come_back_too():
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    values = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    fixed = writer.constant("fixed", values)
    positive = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    model = writer.finish({"picture": image}, {"fixed": fixed, "p": positive, "i": image})
    reverse_io(model, inputs=True, outputs=nhwc(["fixed", "image"]))
    assert take_reversals_off(model) == (True, nhwc(["fixed", "image"]))
    np.testing.assert_array_equal(infer(model, picture())["fixed"], values)


def test_a_network_without_reversals_is_left_alone():
    model = network()
    before = serialise(model)
    assert take_reversals_off(model) == (False, {})
    assert serialise(model) == before


def own_reversal(axes: tuple[int, ...], read_twice: bool = False) -> schema.ModelT:
    """image → REVERSE_V2 → RELU; ``read_twice``: the sum of both is what RELU reads."""
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    along = writer.constant("axes", np.array(axes, np.int32))
    options = schema.ReverseV2OptionsT()
    value = writer.operator("REVERSE_V2", [image, along], writer.tensor("turned", SHAPE), options)
    if read_twice:
        total = writer.tensor("sum", SHAPE)
        value = writer.operator("ADD", [value, image], total, schema.AddOptionsT())
    found = writer.operator("RELU", [value], writer.tensor("found", SHAPE))
    return writer.finish({"picture": image}, {"found": found})


@pytest.mark.parametrize(
    "model",
    [own_reversal((2,)), own_reversal((2, 3)), own_reversal((1, 2), read_twice=True)],
    ids=["one axis", "other axes", "not the only reader"],
)
def test_a_reversal_that_does_not_turn_the_whole_input_stays(model):
    before = operators_of(model)
    assert take_reversals_off(model) == (False, {})
    assert operators_of(model) == before


def test_the_signature_follows_when_tensors_before_its_own_are_gone():
    model = own_reversal((1, 2))
    expected = infer(model, turned(picture()))["found"]
    assert take_reversals_off(model) == (True, {})
    runner = Interpreter(model_content=serialise(model)).get_signature_runner("serving_default")
    np.testing.assert_array_equal(runner(picture=picture())["found"], expected)


def test_an_output_that_something_else_reads_keeps_its_reversal():
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    along = writer.constant("axes", np.array((1, 2), np.int32))
    positive = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    options = schema.ReverseV2OptionsT()
    back = writer.operator("REVERSE_V2", [positive, along], writer.tensor("back", SHAPE), options)
    bounded = writer.operator("RELU6", [back], writer.tensor("bounded", SHAPE))
    model = writer.finish({"picture": image}, {"back": back, "bounded": bounded})
    before = operators_of(model)
    assert take_reversals_off(model) == (False, {})
    assert operators_of(model) == before


@pytest.mark.parametrize("other", ["the input", "an output"])
def test_a_reversal_from_the_input_or_from_another_output_stays(other):
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    along = writer.constant("axes", np.array((1, 2), np.int32))
    source = image
    if other == "an output":
        source = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    options = schema.ReverseV2OptionsT()
    back = writer.operator("REVERSE_V2", [source, along], writer.tensor("back", SHAPE), options)
    outputs = {"back": back, **({"positive": source} if other == "an output" else {})}
    model = writer.finish({"picture": image}, outputs)
    before = operators_of(model)
    assert take_reversals_off(model) == (False, {})
    assert operators_of(model) == before
