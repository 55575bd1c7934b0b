"""Signal to noise by arithmetic: per tensor, per output, and as each layer's share."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.quantize.layer_errors import Probe, snr_by_tensor
from mmdet2tflite.quantize.layer_groups import Layer
from mmdet2tflite.tflite.flatbuffer import serialise
from tests.tflite.tflite_writer import Writer

SHAPE = (1, 4, 6, 1)
ONES = np.ones(SHAPE, np.float32)


def add(**offsets: float) -> schema.ModelT:
    """A network with one output for each offset, which it adds to the image."""
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    one = np.ones((1, 1, 1, 1), np.float32)
    found = {}
    for name, offset in offsets.items():
        kernel = writer.constant(f"{name}/k", one)
        bias = writer.constant(f"{name}/b", np.array([offset], np.float32))
        found[name] = writer.conv(image, kernel, bias, writer.tensor(name, SHAPE))
    return writer.finish({"image": image}, found)


def layer(name: str) -> Layer:
    return Layer("CONV_2D", (name,), ("image",), 24, 24)


def test_noise_is_relative_to_the_signal_and_by_output():
    probe = Probe(serialise(add(a=0, b=0)), [ONES])
    noise = probe.noise(serialise(add(a=0.1, b=0.5)))
    assert noise == pytest.approx([0.1**2, 0.5**2], rel=1e-5)


def test_noise_is_averaged_over_images_in_decibels():
    # The same error is 20 dB below the one image and 40 dB below the other: 30 dB on the average.
    probe = Probe(serialise(add(a=0)), [ONES, 10 * ONES])
    assert probe.noise(serialise(add(a=0.1))) == pytest.approx([1e-3], rel=1e-4)


def test_a_share_is_of_each_outputs_noise_and_every_output_counts_as_much():
    files = {"first": add(a=0.1, b=0.001), "second": add(a=0.2, b=0)}
    probe = Probe(serialise(add(a=0, b=0)), [ONES])
    shares = probe.shares(
        [layer("first"), layer("second")], lambda layer: serialise(files[layer.name])
    )
    # Of a: 1 to 4. Of b, whose noise is 10⁴ times less: all the first's.
    assert shares == pytest.approx({"first": (0.2 + 1) / 2, "second": (0.8 + 0) / 2}, rel=1e-4)


def test_layers_that_lose_nothing_share_evenly():
    same = serialise(add(a=0))
    probe = Probe(same, [ONES])
    shares = probe.shares([layer("first"), layer("second")], lambda layer: same)
    assert shares == {"first": 0.5, "second": 0.5}


def stored(scale: float) -> schema.ModelT:
    """image → ``x``, as integers of this scale, and → ``y`` again as reals."""
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    inner = writer.operator("QUANTIZE", [image], writer.tensor("x", SHAPE, np.int8, scale, 3))
    found = writer.operator("DEQUANTIZE", [inner], writer.tensor("y", SHAPE), version=2)
    return writer.finish({"image": image}, {"y": found})


def real() -> schema.ModelT:
    """image → ``x`` → ``y``, nothing changed, and ``z``, which the other has not."""
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    inner = writer.operator("RELU", [image], writer.tensor("x", SHAPE))
    found = writer.operator("RELU", [inner], writer.tensor("y", SHAPE))
    last = writer.operator("RELU", [found], writer.tensor("z", SHAPE))
    return writer.finish({"image": image}, {"z": last})


def test_tensors_within_a_file_are_compared_as_the_reals_they_stand_for():
    # 1.2 is stored as 1.0, 12.0 exactly: 10 log10(1.44 / 0.04) = 15.56 dB, and the limit of 200.
    found = snr_by_tensor(real(), stored(0.5), ["x", "y", "z"], [1.2 * ONES])
    assert found == pytest.approx({"x": 15.563, "y": 15.563}, abs=1e-3)
    both = snr_by_tensor(real(), stored(0.5), ["x"], [1.2 * ONES, 12 * ONES])
    assert both == pytest.approx({"x": (15.563 + 200) / 2}, abs=1e-3)


def chain(last: float) -> schema.ModelT:
    """image → ``x``, doubled, then on to ``z``, in memory that could be that of ``x``."""
    writer = Writer()
    value = image = writer.tensor("image", SHAPE)
    for name, factor in (("x", 2), ("b", 1), ("c", last), ("d", 1), ("z", 1)):
        kernel = writer.constant(f"{name}/k", np.full((1, 1, 1, 1), factor, np.float32))
        bias = writer.constant(f"{name}/b", np.zeros(1, np.float32))
        value = writer.conv(value, kernel, bias, writer.tensor(name, SHAPE))
    return writer.finish({"image": image}, {"z": value})


def test_what_is_computed_later_does_not_overwrite_a_tensor():
    found = snr_by_tensor(chain(5), chain(50), ["x", "z"], [ONES])
    assert found == pytest.approx({"x": 200, "z": 10 * np.log10(5**2 / 45**2)}, abs=1e-4)


def test_an_integer_input_is_given_integers():
    writer = Writer()
    image = writer.tensor("image", SHAPE, np.int8, 0.5, 3)
    found = writer.operator("DEQUANTIZE", [image], writer.tensor("x", SHAPE), version=2)
    model = writer.finish({"image": image}, {"x": found})
    assert snr_by_tensor(real(), model, ["x"], [1.2 * ONES]) == pytest.approx(
        {"x": 15.563}, abs=1e-3
    )
