"""Integer convolutions of few channels read several columns as one, and compute the same."""

import itertools

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import Padding

from mmdet2tflite.geometry import Axis
from mmdet2tflite.tflite.flatbuffer import constant, serialise
from mmdet2tflite.tflite.moves import shape_of
from mmdet2tflite.tflite.wide_columns import merge_taps, widen_columns
from tests.tflite.strided import CHANNELS_OUT, convolution, kinds, network, picture
from tests.tflite.tflite_writer import Writer, infer


def outputs(model):
    """By the builtin kernels and by XNNPACK."""
    image = picture(model)
    return [infer(model, image, xnnpack)["map"] for xnnpack in (False, True)]


def kernel_shape(model):
    return shape_of(model.subgraphs[0], int(convolution(model).inputs[1]))


SAME = {
    "YOLOX's stem": (dict(kernel=(6, 6)), (6, 3, 6)),
    "3x3, a zero tap at the end": (dict(kernel=(3, 3)), (3, 2, 6)),
    "5x5, a zero tap at the beginning": (dict(kernel=(5, 5)), (5, 3, 6)),
    "7x7": (dict(kernel=(7, 7)), (7, 4, 6)),
    "4x4": (dict(kernel=(4, 4)), (4, 3, 6)),
    "2x2, which needs no pad": (dict(kernel=(2, 2)), (2, 1, 6)),
    "other rows than columns": (dict(kernel=(1, 6)), (1, 3, 6)),
    "an odd number of rows": (dict(kernel=(6, 6), size=(13, 16)), (6, 3, 6)),
    "one channel": (dict(kernel=(6, 6), channels=1), (6, 3, 2)),
    "four channels": (dict(kernel=(6, 6), channels=4), (6, 3, 8)),
    "a stride of 3": (dict(kernel=(6, 6), channels=2, stride=3, size=(12, 18)), (6, 3, 6)),
    "a stride of 4": (dict(kernel=(4, 4), channels=1, stride=4), (4, 1, 4)),
}


@pytest.mark.parametrize(("settings", "taps"), SAME.values(), ids=SAME)
@pytest.mark.parametrize("same", [True, False], ids=["SAME", "VALID"])
def test_the_same_integers_come_out_of_fewer_taps_of_more_channels(settings, taps, same):
    expected = outputs(network(**settings, same=same))
    model = network(**settings, same=same)
    assert widen_columns(model) == 1
    assert kinds(model) == ["RESHAPE", "CONV_2D"]
    height, width, channels = kernel_shape(model)[1:]
    assert (height, channels) == (taps[0], taps[2])
    assert width <= taps[1]  # VALID begins with the first tap: a zero one less for 4x4
    assert convolution(model).builtinOptions.strideW == 1
    for found, wanted in zip(outputs(model), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


PADDED = {
    # Kernel, pads; then the operators, and the pads that are left.
    "YOLOX's stem is SAME": ((6, 6), (2, 2, 2, 2), "SAME", None),
    "PyTorch's 3x3: one column before the first pair": ((3, 3), (1, 0, 1, 0), "PAD", (1, 0, 1, 0)),
    "a pad that nothing reads": ((3, 3), (1, 1, 1, 1), "PAD", (1, 1, 1, 0)),
    "mirrored": ((3, 3), (0, 1, 0, 1), "SAME", None),
    "rows alone": ((6, 6), (2, 2, 0, 0), "PAD", (2, 2, 0, 0)),
    "more than the kernel": ((2, 2), (0, 0, 4, 4), "PAD", (0, 0, 2, 2)),
    "no pads": ((6, 6), (0, 0, 0, 0), "VALID", None),
}


@pytest.mark.parametrize(("kernel", "pads", "padding", "left"), PADDED.values(), ids=PADDED)
def test_a_pad_is_taken_in_and_written_anew_where_same_does_not_say_it(kernel, pads, padding, left):
    expected = outputs(network(kernel, pads=pads))
    model = network(kernel, pads=pads)
    assert widen_columns(model) == 1
    assert kinds(model) == ["RESHAPE", *(["PAD"] if left else []), "CONV_2D"]
    said = convolution(model).builtinOptions.padding
    assert said == (Padding.SAME if padding == "SAME" else Padding.VALID)
    if left:
        pad = model.subgraphs[0].operators[1]
        table = constant(model, model.subgraphs[0].tensors[pad.inputs[1]])
        assert tuple(table[1:3].ravel()) == left
    for found, wanted in zip(outputs(model), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


LEFT = {
    "eight channels, which are no fewer": dict(kernel=(6, 6), channels=8),
    "five, which pairs fill up to sixteen": dict(kernel=(6, 6), channels=5),
    "an odd number of columns": dict(kernel=(6, 6), size=(12, 17)),
    "no stride": dict(kernel=(3, 3), stride=1),
    "one tap, which is one of two": dict(kernel=(1, 1)),
    "dilated taps": dict(kernel=(3, 3), dilation=2, same=False),
}


@pytest.mark.parametrize("settings", LEFT.values(), ids=LEFT)
def test_where_nothing_is_gained_or_columns_do_not_pair_it_stays_as_it_is(settings):
    model = network(**settings)
    before = serialise(model)
    assert widen_columns(model) == 0
    assert serialise(model) == before


def convolve(row, taps, columns):
    """One row (W x C) and taps (k x C): outputs by the definition."""
    padded = np.pad(row, ((columns.begin, columns.end), (0, 0)))
    starts = range(0, columns.output * columns.stride, columns.stride)
    return [int((padded[i : i + columns.kernel] * taps).sum()) for i in starts]


def test_merged_taps_compute_the_same_for_every_small_geometry():
    rng = np.random.default_rng(0)
    geometries = itertools.product((2, 3, 4), (2, 3), range(1, 9), range(4), range(4))
    for stride, blocks, taps, begin, end in geometries:
        size = stride * blocks
        if size + begin + end < taps:
            continue
        columns = Axis(size=size, kernel=taps, stride=stride, begin=begin, end=end)
        kernel = rng.integers(-9, 10, (1, 1, taps, 2))
        row = rng.integers(-9, 10, (size, 2))
        wide, merged = merge_taps(columns, kernel)
        found = convolve(row.reshape(blocks, -1), merged[0, 0], wide)
        assert found == convolve(row, kernel[0, 0], columns), columns
        assert wide.output == columns.output


def test_without_zero_taps_a_kernel_of_odd_width_stays_as_it_is():
    assert widen_columns(network((3, 3)), zero_taps=False) == 0
    assert widen_columns(network((6, 6)), zero_taps=False) == 1
    assert widen_columns(network((4, 4)), zero_taps=False) == 0  # SAME: pads (1, 1), three pairs
    assert widen_columns(network((4, 4), same=False), zero_taps=False) == 1


def test_a_convolution_that_is_to_be_left_stays_as_it_is():
    assert widen_columns(network((6, 6)), leave=["map"]) == 0


def two_readers(pads=None):
    """A second convolution of another kernel reads what the first one reads."""
    model = network((6, 6), pads=pads)
    first = convolution(model)
    writer = Writer()
    writer.model, writer.graph = model, model.subgraphs[0]
    taps = constant(model, writer.graph.tensors[first.inputs[1]])[..., ::-1]
    scales = writer.graph.tensors[first.inputs[1]].quantization.scale
    kernel = writer.constant("kernel 2", taps, scale=scales)
    shape = shape_of(writer.graph, first.outputs[0])
    second = writer.tensor("second", shape, np.int8, scale=4.0)
    same = pads is None
    writer.conv(
        *(int(first.inputs[0]), kernel, int(first.inputs[2]), second),
        strides=(2, 2),
        same=same,
        quantised=True,
    )
    writer.graph.outputs = [*writer.graph.outputs, second]
    return model


@pytest.mark.parametrize("pads", [None, (2, 2, 2, 2), (2, 2, 0, 0)])
def test_convolutions_of_one_map_share_what_becomes_of_it(pads):
    expected = infer(two_readers(pads), picture(two_readers(pads)))
    model = two_readers(pads)
    assert widen_columns(model) == 2
    assert kinds(model).count("RESHAPE") == 1
    assert kinds(model).count("PAD") == (1 if pads == (2, 2, 0, 0) else 0)
    for name, value in infer(model, picture(model)).items():
        np.testing.assert_array_equal(value, expected[name])


def test_what_else_reads_the_map_and_the_pad_still_finds_them():
    def build():
        model = network((6, 6), pads=(2, 2, 2, 2))
        graph = model.subgraphs[0]
        graph.outputs = [*graph.outputs, graph.operators[0].outputs[0]]
        return model

    expected = infer(build(), picture(build()))
    model = build()
    widen_columns(model)
    assert sorted(kinds(model)) == ["CONV_2D", "PAD", "RESHAPE"]
    for name, value in infer(model, picture(model)).items():
        np.testing.assert_array_equal(value, expected[name])


def test_names_and_signature_stay_and_the_old_weights_go():
    model = network((6, 6))
    widen_columns(model)
    graph, (signature,) = model.subgraphs[0], model.signatureDefs
    names = [tensor.name for tensor in graph.tensors]
    assert [names[index] for index in (*graph.inputs, *graph.outputs)] == [b"image", b"map"]
    entries = [*signature.inputs, *signature.outputs]
    assert [names[entry.tensorIndex] for entry in entries] == [b"image", b"map"]
    stored = [len(buffer.data) for buffer in model.buffers if buffer.data is not None]
    assert sum(size >= CHANNELS_OUT * 6 * 6 * 3 for size in stored) == 1


def test_weights_whose_zero_is_not_0_cannot_be_filled_up():
    model = network((6, 6))
    kernel = model.subgraphs[0].tensors[convolution(model).inputs[1]]
    kernel.quantization.zeroPoint = kernel.quantization.zeroPoint + 1
    assert widen_columns(model) == 0


def test_real_convolutions_stay_as_they_are():
    writer = Writer()
    image = writer.tensor("image", (1, 12, 16, 3))
    kernel = writer.constant("kernel", np.ones((4, 6, 6, 3), np.float32))
    bias = writer.constant("bias", np.zeros(4, np.float32))
    found = writer.tensor("map", (1, 6, 8, 4))
    writer.conv(image, kernel, bias, found, strides=(2, 2), same=True)
    assert widen_columns(writer.finish({"image": image}, {"map": found})) == 0
