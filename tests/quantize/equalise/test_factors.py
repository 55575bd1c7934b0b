"""The factors of channels, and the estimate that they are chosen by."""

import numpy as np
import pytest

from mmdet2tflite.quantize.equalise.factors import LARGEST, Noise, choose_factors
from mmdet2tflite.quantize.equalise.places import find_places
from mmdet2tflite.quantize.equalise.ranges import measure_ranges
from mmdet2tflite.tflite.flatbuffer import constant, serialise
from tests.quantize.equalise.silu_networks import Network, image
from tests.tflite.tflite_writer import infer

UNLIKE = (0.01, 1, 30, 100)
NAMES = ("conv", "silu", "reader")


def measured(network, model):
    """The only place, and all ranges."""
    (place,) = find_places(model)
    return place, measure_ranges(serialise(model), [image(seed) for seed in range(4)], NAMES)


def test_ranges_are_those_of_each_image_and_channel():
    network = Network()
    output = network.reader("reader")
    model = network.model(output)
    found = measure_ranges(serialise(model), [image(0), image(1)], ["reader"])["reader"]
    for number in (0, 1):
        (value,) = infer(model, image(number)).values()
        np.testing.assert_allclose(found.lowest[number], value.min((0, 1, 2)), rtol=1e-5)
        np.testing.assert_allclose(found.highest[number], value.max((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_estimate_is_the_noise_of_rounding(depthwise):
    """Against rounding in numpy, of a network without activation: one tensor is rounded."""
    network = Network(scales=(1, 2, 3, 9), activation="none")
    reader = network.depthwise_reader if depthwise else network.reader
    model = network.model(reader("reader"))
    place, ranges = measured(network, model)
    model.subgraphs[0].outputs = [network.conv]
    model.signatureDefs = None
    maps = [infer(model, image(seed))["conv"] for seed in range(4)]
    step = np.mean([value.max() - value.min() for value in maps]) / 255
    errors = np.concatenate([(value - np.round(value / step) * step)[0] for value in maps])
    kernel = constant(model, model.subgraphs[0].tensors[place.readers[0].inputs[1]])
    power = (errors**2).mean((0, 1))
    added = (kernel[0] ** 2).sum((0, 1)) * power if depthwise else (kernel**2).sum((1, 2)) @ power
    expected = np.mean(added / ranges["reader"].variance)
    assert Noise(model, place, ranges)(np.ones(4)) == pytest.approx(expected, rel=0.1)


def test_unlike_channels_become_alike_for_readers_of_one_channel():
    network = Network(scales=UNLIKE)
    model = network.model(network.depthwise_reader("reader"))
    place, ranges = measured(network, model)
    factors = choose_factors(model, place, ranges)
    assert factors is not None
    spread = [
        np.ptp(np.log(np.maximum(-silu.lowest, silu.highest).mean(0) * scale))
        for silu, scale in ((ranges["silu"], 1), (ranges["silu"], factors))
    ]
    assert spread[1] < spread[0] / 2
    noise = Noise(model, place, ranges)
    assert noise(factors) < noise(np.ones(4)) / 100


def test_like_channels_are_left_alone():
    network = Network()
    model = network.model(network.depthwise_reader("reader"))
    assert choose_factors(model, *measured(network, model)) is None


def test_a_channel_that_is_always_0_gets_a_bounded_factor():
    network = Network(scales=(0, 1, 30, 100))
    model = network.model(network.depthwise_reader("reader"))
    factors = choose_factors(model, *measured(network, model))
    assert factors is not None
    assert np.isfinite(factors).all()
    assert factors.max() <= LARGEST
