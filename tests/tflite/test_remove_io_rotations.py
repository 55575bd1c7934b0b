"""Are rotations removed again exactly, and nothing else with them?"""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.tflite.flatbuffer import operator_name, serialise
from mmdet2tflite.tflite.rotation import remove_io_rotations, rotate_io
from tests.tflite.rotatable import SHAPE, network, nhwc, picture, rotated
from tests.tflite.tflite_writer import Writer, infer


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
def test_rotations_are_removed_again_and_the_model_is_the_one_before(inputs, outputs):
    model, original = network(), network()
    rotate_io(model, inputs=inputs, outputs=nhwc(outputs))
    assert remove_io_rotations(model) == (inputs, nhwc(outputs))
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
    rotate_io(model, inputs=True, outputs=outputs)
    assert remove_io_rotations(model) == (True, outputs)


def test_put_on_again_the_rotations_compute_what_they_did():
    model = network()
    rotate_io(model, inputs=True, outputs=nhwc(["positive"]))
    expected = infer(model, picture())
    inputs, outputs = remove_io_rotations(model)
    rotate_io(model, inputs=inputs, outputs=outputs)
    for name, value in infer(model, picture()).items():
        np.testing.assert_array_equal(value, expected[name])


def test_a_constant_output_and_one_that_is_the_input_come_back_too():
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    values = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    fixed = writer.constant("fixed", values)
    positive = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    model = writer.finish({"picture": image}, {"fixed": fixed, "p": positive, "i": image})
    rotate_io(model, inputs=True, outputs=nhwc(["fixed", "image"]))
    assert remove_io_rotations(model) == (True, nhwc(["fixed", "image"]))
    np.testing.assert_array_equal(infer(model, picture())["fixed"], values)


def test_a_network_without_rotations_is_left_alone():
    model = network()
    before = serialise(model)
    assert remove_io_rotations(model) == (False, {})
    assert serialise(model) == before


def own_rotation(axes: tuple[int, ...], read_twice: bool = False) -> schema.ModelT:
    """image → REVERSE_V2 → RELU; ``read_twice``: the sum of both is what RELU reads."""
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    along = writer.constant("axes", np.array(axes, np.int32))
    options = schema.ReverseV2OptionsT()
    value = writer.operator("REVERSE_V2", [image, along], writer.tensor("rotated", SHAPE), options)
    if read_twice:
        total = writer.tensor("sum", SHAPE)
        value = writer.operator("ADD", [value, image], total, schema.AddOptionsT())
    found = writer.operator("RELU", [value], writer.tensor("found", SHAPE))
    return writer.finish({"picture": image}, {"found": found})


@pytest.mark.parametrize(
    "model",
    [own_rotation((2,)), own_rotation((2, 3)), own_rotation((1, 2), read_twice=True)],
    ids=["one axis", "other axes", "not the only reader"],
)
def test_a_rotation_that_does_not_rotate_the_whole_input_stays(model):
    before = operators_of(model)
    assert remove_io_rotations(model) == (False, {})
    assert operators_of(model) == before


def test_the_signature_follows_when_tensors_before_its_own_are_gone():
    model = own_rotation((1, 2))
    expected = infer(model, rotated(picture()))["found"]
    assert remove_io_rotations(model) == (True, {})
    runner = Interpreter(model_content=serialise(model)).get_signature_runner("serving_default")
    np.testing.assert_array_equal(runner(picture=picture())["found"], expected)


def test_an_output_that_something_else_reads_keeps_its_rotation():
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    along = writer.constant("axes", np.array((1, 2), np.int32))
    positive = writer.operator("RELU", [image], writer.tensor("positive", SHAPE))
    options = schema.ReverseV2OptionsT()
    back = writer.operator("REVERSE_V2", [positive, along], writer.tensor("back", SHAPE), options)
    bounded = writer.operator("RELU6", [back], writer.tensor("bounded", SHAPE))
    model = writer.finish({"picture": image}, {"back": back, "bounded": bounded})
    before = operators_of(model)
    assert remove_io_rotations(model) == (False, {})
    assert operators_of(model) == before


@pytest.mark.parametrize("other", ["the input", "an output"])
def test_a_rotation_from_the_input_or_from_another_output_stays(other):
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
    assert remove_io_rotations(model) == (False, {})
    assert operators_of(model) == before
