"""A network with channels of unlike ranges survives 8-bit integers."""

import numpy as np
import pytest

from mmdet2tflite.parity.parity import decibel
from mmdet2tflite.quantize import calibrate
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import quantise_model
from tests.quantize.equalise.silu_networks import Network, image
from tests.tflite.tflite_writer import infer

UNLIKE = (0.01, 1, 30, 100)


def snr(scales, precision="int8"):
    """Of each channel of a depthwise reader, and the tensors that were scaled."""
    network = Network(scales=scales)
    model = network.model(network.depthwise_reader("reader", alike=True))
    expected = infer(model, image(9))["reader"]
    result = quantise_model(model, PRECISIONS[precision], [image(seed) for seed in range(8)])
    found = infer(result.model, image(9))["reader"]
    real = infer(result.reference, image(9))["reader"]
    np.testing.assert_allclose(real, expected, rtol=1e-4, atol=1e-4)
    errors = (found - expected).astype(float)
    powers = [(value.astype(float) ** 2).sum((0, 1, 2)) for value in (expected, errors)]
    return [decibel(*pair) for pair in zip(*powers, strict=True)], result.scaled


def test_channels_of_unlike_ranges_keep_their_signal(monkeypatch):
    found, scaled = snr(UNLIKE)
    assert scaled == ["conv", "silu"]
    monkeypatch.setattr(calibrate, "equalise_channels", lambda *arguments: [])
    assert min(found[:2]) > 30
    plain, scaled = snr(UNLIKE)
    assert not scaled
    assert plain[0] < 3
    assert plain[1] < 15


def test_16_bits_hold_all_channels_as_they_are():
    assert snr(UNLIKE, "int16x8")[1] == []


def test_a_sigmoid_spends_no_steps_where_it_does_not_change():
    """Rule 7: its range ends where 1/256 of it is reached by half, at ln(511)."""
    network = Network(scales=(1, 1, 30, 100), activation="sigmoid")
    model = network.model(network.reader("reader"))
    result = quantise_model(model, PRECISIONS["int8"], [image(0)]).model
    tensors = {tensor.name: tensor for tensor in result.subgraphs[0].tensors}
    step = float(tensors[b"conv"].quantization.scale[0])
    assert step == pytest.approx(2 * np.log(511) / 255, rel=1e-5)
