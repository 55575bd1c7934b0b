"""A rotated network turns its input behind its wide columns, and computes the same."""

import numpy as np
import pytest

from mmdet2tflite.tflite.flatbuffer import constant, serialise
from mmdet2tflite.tflite.moves import shape_of
from mmdet2tflite.tflite.wide_columns import widen_columns
from mmdet2tflite.tflite.wide_rotation import rotate_wide_input
from tests.tflite.strided import CHANNELS_OUT, convolution, kinds, network, picture
from tests.tflite.tflite_writer import Writer, infer


def wide(kernel=(6, 6), **settings):
    model = network(kernel, **settings)
    assert widen_columns(model) == 1
    return model


def resumed(model):
    """A writer that goes on with a model."""
    writer = Writer()
    writer.model, writer.graph = model, model.subgraphs[0]
    return writer


def quantised_first(**settings):
    """The same behind a QUANTIZE of real numbers."""
    model = wide(**settings)
    writer = resumed(model)
    (image,) = writer.graph.inputs
    real = writer.tensor("real", shape_of(writer.graph, image))
    writer.operator("QUANTIZE", [real], image)
    writer.graph.operators.insert(0, writer.graph.operators.pop())
    return writer.finish({"picture": real}, {"map": writer.graph.outputs[0]})


STEMS = {
    "6x6": dict(kernel=(6, 6)),
    "3x3, with a zero tap": dict(kernel=(3, 3)),
    "VALID": dict(kernel=(6, 6), same=False),
    "three columns as one": dict(kernel=(6, 6), channels=2, stride=3, size=(12, 18)),
}


@pytest.mark.parametrize("settings", STEMS.values(), ids=STEMS)
@pytest.mark.parametrize("build", [wide, quantised_first])
def test_an_upright_picture_gives_what_a_rotated_one_gave_before(build, settings):
    image = picture(wide(**settings))
    if build is quantised_first:
        image = image.astype(np.float32)
    expected = infer(build(**settings), np.ascontiguousarray(image[:, ::-1, ::-1]))["map"]
    model = build(**settings)
    assert rotate_wide_input(model)
    for xnnpack in (True, False):
        np.testing.assert_array_equal(infer(model, image, xnnpack)["map"], expected)
    first = ["QUANTIZE"] if build is quantised_first else []
    assert kinds(model) == [*first, "RESHAPE", "REVERSE_V2", "CONV_2D"]


def test_the_kernel_keeps_its_scales_and_is_stored_once():
    model = wide()
    scales = model.subgraphs[0].tensors[convolution(model).inputs[1]].quantization.scale
    rotate_wide_input(model)
    kernel = model.subgraphs[0].tensors[convolution(model).inputs[1]]
    assert kernel.quantization.scale is scales
    stored = [len(buffer.data) for buffer in model.buffers if buffer.data is not None]
    assert sum(size >= CHANNELS_OUT * 6 * 3 * 6 for size in stored) == 1


def test_every_convolution_of_the_wide_map_is_changed():
    def build():
        model = wide()
        first, writer = convolution(model), resumed(model)
        weights = writer.graph.tensors[first.inputs[1]]
        other = writer.constant(
            "other", -constant(model, weights), scale=weights.quantization.scale
        )
        second = writer.tensor("second", shape_of(writer.graph, first.outputs[0]), np.int8, 4.0)
        writer.conv(
            *(int(first.inputs[0]), other, int(first.inputs[2]), second),
            strides=(2, 1),
            same=True,
            quantised=True,
        )
        writer.graph.outputs = [*writer.graph.outputs, second]
        return model

    image = picture(build())
    expected = infer(build(), np.ascontiguousarray(image[:, ::-1, ::-1]))
    model = build()
    assert rotate_wide_input(model)
    for name, value in infer(model, image).items():
        np.testing.assert_array_equal(value, expected[name])


def read_by_another(model, number):
    writer = resumed(model)
    shape = shape_of(writer.graph, number)
    copied = writer.tensor("copied", shape, np.int8, 0.5, 7)
    writer.operator("ABS", [number], copied)
    writer.graph.outputs = [*writer.graph.outputs, copied]
    return model


def also_an_output(model, number):
    model.subgraphs[0].outputs = [*model.subgraphs[0].outputs, number]
    return model


def taller_than_the_picture(_):
    """A RESHAPE that makes two rows of each."""
    model = wide()
    reshape, first = model.subgraphs[0].operators
    (columns,) = reshape.outputs
    model.subgraphs[0].tensors[columns].shape = [1, 24, 8, 3]
    writer = resumed(model)
    kernel = writer.constant("narrow", np.ones((5, 2, 2, 3), np.int8), scale=[0.1] * 5)
    shape = writer.constant("sides", np.array([1, 24, 8, 3], np.int32))
    reshape.inputs, first.inputs = [reshape.inputs[0], shape], [columns, kernel, first.inputs[2]]
    return model


LEFT = {
    "the input has another reader": lambda m: read_by_another(m, int(m.subgraphs[0].inputs[0])),
    "the wide map has another reader": lambda m: read_by_another(m, int(convolution(m).inputs[0])),
    "the wide map is an output": lambda m: also_an_output(m, int(convolution(m).inputs[0])),
    "the input is an output": lambda m: also_an_output(m, int(m.subgraphs[0].inputs[0])),
    "a PAD reads the wide map": lambda _: wide(pads=(2, 2, 0, 0)),
    "rows are other ones": taller_than_the_picture,
    "columns are not wide": lambda _: network((6, 6)),
}


@pytest.mark.parametrize("change", LEFT.values(), ids=LEFT)
def test_where_the_turn_would_reach_others_nothing_changes(change):
    model = change(wide())
    before = serialise(model)
    assert not rotate_wide_input(model)
    assert serialise(model) == before
