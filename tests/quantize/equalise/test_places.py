"""Which convolutions may be scaled, and that scaling them changes nothing."""

import numpy as np
import pytest

from mmdet2tflite.quantize.equalise.equalise import scale_channels
from mmdet2tflite.quantize.equalise.places import find_places
from mmdet2tflite.tflite.flatbuffer import operator_name
from tests.quantize.equalise.silu_networks import Network, image
from tests.tflite.tflite_writer import infer

FACTORS = np.array([0.3, 1, 7, 1000])


def operators(model):
    return [operator_name(model, operator) for operator in model.subgraphs[0].operators]


@pytest.mark.parametrize("activation", ["silu", "RELU", "none"])
def test_scaled_channels_compute_the_same(activation):
    network = Network(activation=activation)
    outputs = [
        network.reader("conv_reader"),
        network.depthwise_reader("depthwise"),
        network.depthwise_reader("two_for_each_channel", multiplier=2),
        network.reader("behind_pad", network.padded()),
    ]
    model = network.model(*outputs)
    expected = infer(model, image(1))
    (place,) = find_places(model)
    assert len(place.readers) == 4
    scale_channels(model, place, FACTORS)
    for name, found in infer(model, image(1)).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-5)


def test_the_tensors_between_hold_the_scaled_channels():
    network = Network()
    outputs = network.reader("reader")
    plain, scaled = network.model(outputs), Network()
    scaled = scaled.model(scaled.reader("reader"))
    (place,) = find_places(scaled)
    scale_channels(scaled, place, FACTORS)
    for model in (plain, scaled):
        model.subgraphs[0].outputs = [network.conv, network.read]
        model.signatureDefs = None
    before, after = infer(plain, image(1)), infer(scaled, image(1))
    for name in ("conv", "silu"):
        np.testing.assert_allclose(after[name], before[name] * FACTORS, rtol=1e-5, atol=1e-6)


def test_a_gate_is_added_for_silu_alone():
    added = {}
    for activation in ("silu", "RELU"):
        network = Network(activation=activation)
        model = network.model(network.reader("reader"))
        before = operators(model)
        (place,) = find_places(model)
        scale_channels(model, place, FACTORS)
        added[activation] = len(operators(model)) - len(before)
    assert added == {"silu": 1, "RELU": 0}


def test_relu6_is_not_homogeneous():
    network = Network(activation="RELU6")
    assert not find_places(network.model(network.reader("reader")))


@pytest.mark.parametrize("which", ["conv", "read"])
def test_what_is_an_output_stays_as_it_is(which):
    network = Network()
    assert not find_places(network.model(network.reader("reader"), getattr(network, which)))


def test_what_is_added_or_pooled_stays_as_it_is():
    network = Network()
    total = network.operator("ADD", network.read, network.read)
    assert not find_places(network.model(network.reader("reader"), total))


def test_another_reader_of_the_convolution_is_no_silu():
    network = Network()
    total = network.operator("ADD", network.conv, network.conv)
    assert not find_places(network.model(network.reader("reader"), total))


def test_convolutions_of_several_groups_stay_as_they_are():
    network = Network()
    kernel = network.writer.constant("grouped/k", np.ones((4, 1, 1, 2), np.float32))
    bias = network.writer.constant("grouped/b", np.ones(4, np.float32))
    result = network.writer.tensor("grouped", (1, 8, 10, 4))
    assert not find_places(network.model(network.writer.conv(network.read, kernel, bias, result)))
