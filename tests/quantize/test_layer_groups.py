"""Which operators of a file make up a layer, and what it costs."""

import numpy as np
import pytest

from mmdet2tflite.quantize.layer_groups import find_layers
from tests.tflite.tflite_writer import Writer

SHAPE = (1, 4, 6, 2)


class Network:
    """A writer whose convolutions are 1x1 from two channels to two, and keep the map's size."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.image = self.writer.tensor("image", SHAPE)
        self.last = self.image

    def conv(self, name: str, source: int) -> int:
        kernel = self.writer.constant(f"{name}/k", np.ones((2, 1, 1, 2), np.float32))
        bias = self.writer.constant(f"{name}/b", np.ones(2, np.float32))
        return self.writer.conv(source, kernel, bias, self.writer.tensor(name, SHAPE))

    def op(self, operator: str, name: str, *sources: int) -> int:
        return self.writer.operator(operator, sources, self.writer.tensor(name, SHAPE))

    def layers(self, output: int) -> list:
        return find_layers(self.writer.finish({"image": self.image}, {"output": output}))


@pytest.fixture
def network() -> Network:
    return Network()


def test_a_convolution_and_its_activation_are_one_layer(network):
    conv = network.conv("conv", network.image)
    gate = network.op("LOGISTIC", "gate", conv)
    (layer,) = network.layers(network.op("MUL", "silu", conv, gate))
    assert (layer.name, layer.operator, layer.output) == ("conv", "CONV_2D", "silu")
    assert layer.tensors == ("conv", "gate", "silu")
    assert layer.sources == ("image",)


def test_a_convolution_begins_a_layer_though_it_reads_but_one(network):
    first = network.op("RELU", "positive", network.conv("first", network.image))
    layers = network.layers(network.conv("second", first))
    assert [layer.tensors for layer in layers] == [("first", "positive"), ("second",)]
    assert layers[1].sources == ("positive",)


def test_what_reads_two_layers_is_a_layer_of_its_own(network):
    first, second = (network.conv(name, network.image) for name in ("first", "second"))
    layers = network.layers(network.op("ADD", "sum", first, second))
    assert [layer.name for layer in layers] == ["first", "second", "sum"]
    assert layers[2].sources == ("first", "second")
    assert layers[2].multiplications == 0


def test_a_sum_with_the_layers_own_input_is_not_part_of_it(network):
    first = network.conv("first", network.image)
    layers = network.layers(network.op("ADD", "sum", network.conv("second", first), first))
    assert [layer.name for layer in layers] == ["first", "second", "sum"]


def test_what_reads_the_input_begins_a_layer_and_constants_do_not_count(network):
    factor = network.writer.constant("factor", np.array([2], np.float32))
    scaled = network.op("MUL", "scaled", network.image, factor)
    shifted = network.op("ADD", "shifted", scaled, factor)
    layers = network.layers(network.op("ADD", "both", shifted, network.image))
    assert [layer.tensors for layer in layers] == [("scaled", "shifted"), ("both",)]


def test_an_absent_input_is_no_input(network):
    kernel = network.writer.constant("k", np.ones((2, 1, 1, 2), np.float32))
    found = network.writer.conv(network.image, kernel, -1, network.writer.tensor("c", SHAPE))
    (layer,) = network.layers(found)
    assert layer.sources == ("image",)


def test_a_layer_counts_the_values_of_all_its_operators_and_its_convolutions_products(network):
    conv = network.conv("conv", network.image)
    (layer,) = network.layers(network.op("RELU", "positive", conv))
    assert layer.values == 2 * 4 * 6 * 2
    assert layer.multiplications == 4 * 6 * 2 * 2  # places x outputs x inputs


def test_a_depthwise_convolution_multiplies_once_per_tap_and_value():
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 3))
    kernel = writer.constant("k", np.ones((1, 3, 3, 3), np.float32))
    bias = writer.constant("b", np.ones(3, np.float32))
    output = writer.tensor("map", (1, 4, 4, 3))
    writer.conv(image, kernel, bias, output, strides=(2, 2), same=True, depthwise=True)
    (layer,) = find_layers(writer.finish({"image": image}, {"map": output}))
    assert layer.multiplications == 9 * 4 * 4 * 3


def test_a_transposed_convolution_multiplies_at_the_places_of_its_input():
    writer = Writer()
    image = writer.tensor("image", (1, 4, 4, 3))
    size = writer.constant("size", np.array([1, 8, 8, 5], np.int32))
    kernel = writer.constant("k", np.ones((5, 2, 2, 3), np.float32))
    output = writer.tensor("map", (1, 8, 8, 5))
    writer.operator("TRANSPOSE_CONV", [size, kernel, image], output)
    (layer,) = find_layers(writer.finish({"image": image}, {"map": output}))
    assert layer.multiplications == 5 * 2 * 2 * 3 * 4 * 4


def test_a_fully_connected_operator_uses_each_weight_once():
    writer = Writer()
    image = writer.tensor("image", (1, 6))
    weights = writer.constant("w", np.ones((4, 6), np.float32))
    output = writer.tensor("logits", (1, 4))
    writer.operator("FULLY_CONNECTED", [image, weights, -1], output)
    (layer,) = find_layers(writer.finish({"image": image}, {"logits": output}))
    assert (layer.multiplications, layer.values) == (24, 4)
