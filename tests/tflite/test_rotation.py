"""What a file computes after its input and outputs were rotated (and back), what is refused."""

import copy

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.census import operators
from mmdet2tflite.tflite.flatbuffer import operator_name, serialise
from mmdet2tflite.tflite.rotation import remove_io_rotations, rotate_io
from tests.tflite.rotatable import (
    SHAPE,
    STORED,
    copier,
    network,
    nhwc,
    passing_through,
    picture,
    rotated,
)
from tests.tflite.tflite_writer import Writer, infer


@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("outputs", [[], ["map"], ["positive"], ["map", "positive"]], ids=str)
@pytest.mark.parametrize("inputs", [True, False])
def test_named_tensors_are_rotated_and_the_others_are_not(inputs, outputs, xnnpack):
    model = network()
    expected = infer(model, rotated(picture()) if inputs else picture(), xnnpack)
    rotate_io(model, inputs=inputs, outputs=nhwc(outputs))
    found = infer(model, picture(), xnnpack)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], rotated(value) if name in outputs else value)


def test_the_signature_runner_knows_the_same_names_and_gives_the_same_numbers():
    model = network()
    rotate_io(model, inputs=True, outputs=nhwc(["map", "positive"]))
    runner = Interpreter(model_content=serialise(model)).get_signature_runner("serving_default")
    expected = infer(network(), rotated(picture()))
    found = runner(picture=picture())
    np.testing.assert_array_equal(found["first"], rotated(expected["map"]))
    np.testing.assert_array_equal(found["second"], rotated(expected["positive"]))


@pytest.mark.parametrize("kind", STORED)
def test_values_of_every_type_are_moved_and_not_changed(kind):
    model = copier(**STORED[kind])
    dtype = np.dtype(STORED[kind].get("dtype", np.float32))
    values = np.random.default_rng(2).integers(0, 127, SHAPE).astype(dtype)
    rotate_io(model, inputs=True, outputs=nhwc(["rows"]))
    found = infer(model, values)["rows"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, rotated(rotated(values)[:, ::2]))


@pytest.mark.parametrize("kind", STORED)
def test_what_the_graph_names_keeps_its_name_shape_type_and_quantisation(kind):
    model = copier(**STORED[kind])
    before = copy.deepcopy(model)
    rotate_io(model, inputs=True, outputs=nhwc(["rows"]))
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


def test_one_operator_is_added_for_each_rotated_tensor():
    model = network()
    rotate_io(model, inputs=True, outputs=nhwc(["map", "map"]))
    names = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
    assert names == ["REVERSE_V2", "CONV_2D", "RELU", "REVERSE_V2"]
    assert [code.builtinCode for code in model.operatorCodes].count(
        schema.BuiltinOperator.REVERSE_V2
    ) == 1


def test_an_output_that_stayed_nchw_is_rotated_along_its_own_height_and_width():
    model = network()
    expected = infer(model, picture())
    rotate_io(model, inputs=False, outputs={"map": (2, 3), "positive": (1, 2)})
    found = infer(model, picture())
    np.testing.assert_array_equal(found["map"], expected["map"][:, :, ::-1, ::-1])
    np.testing.assert_array_equal(found["positive"], rotated(expected["positive"]))


def test_a_constant_output_is_rotated_too():
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    values = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    fixed = writer.constant("fixed", values)
    positive = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    model = writer.finish({"picture": image}, {"fixed": fixed, "positive": positive})
    rotate_io(model, inputs=False, outputs=nhwc(["fixed"]))
    np.testing.assert_array_equal(infer(model, picture())["fixed"], rotated(values))


def test_an_output_that_is_the_input_stays_when_both_are_rotated_and_its_readers_are_rotated():
    expected = infer(network(), rotated(picture()))
    model = passing_through()
    rotate_io(model, inputs=True, outputs=nhwc(["image", "map"]))
    found = infer(model, picture())
    np.testing.assert_array_equal(found["image"], picture())
    np.testing.assert_array_equal(found["map"], rotated(expected["map"]))
    np.testing.assert_array_equal(found["positive"], expected["positive"])


@pytest.mark.parametrize(("inputs", "outputs"), [(True, ["map"]), (False, ["image"])])
def test_an_output_that_is_the_input_cannot_be_rotated_on_one_side_only(inputs, outputs):
    with pytest.raises(ModelError, match="output image is the input itself"):
        rotate_io(passing_through(), inputs=inputs, outputs=nhwc(outputs))


def test_an_output_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ModelError) as refusal:
        rotate_io(network(), inputs=False, outputs=nhwc(["map", "maps"]))
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
            rotate_io(model, inputs=inputs, outputs=nhwc(outputs))
    assert serialise(model) == before


def test_all_inputs_that_are_maps_are_rotated_and_no_others():
    writer = Writer()
    inputs = {name: writer.tensor(name, SHAPE) for name in ("left", "right")}
    inputs["scale"] = writer.tensor("scale", (1, 1))
    total = writer.operator(
        "ADD", [inputs["left"], inputs["right"]], writer.tensor("sum", SHAPE), schema.AddOptionsT()
    )
    product = writer.operator(
        "MUL", [total, inputs["scale"]], writer.tensor("product", SHAPE), schema.MulOptionsT()
    )
    model = writer.finish(inputs, {"product": product})
    rotate_io(model, inputs=True, outputs=nhwc(["product"]))
    assert operators(model) == {"REVERSE_V2": 3, "ADD": 1, "MUL": 1}
    assert remove_io_rotations(model) == (True, nhwc(["product"]))
    assert operators(model) == {"ADD": 1, "MUL": 1}
