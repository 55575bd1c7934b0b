"""What int8_mixed leaves in float32, and how it finds out."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.parity.parity import tensor_error
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import quantise_model
from mmdet2tflite.tflite.flatbuffer import serialise
from mmdet2tflite.tflite.rotation import rotate_io
from tests.quantize.quantized_networks import (
    FLOAT,
    INT8,
    LEAST_SNR_OF_8_BITS,
    SIZE,
    half_dark,
    network,
    picture,
    run,
)
from tests.tflite.tflite_writer import Writer

# litert-quantizer keeps all tensors to look at them, which LiteRT thinks worth a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")


def offset(value: int, name: str, kernel: np.ndarray, bias: float, writer: Writer) -> int:
    """A 1x1 convolution with this kernel (outputs x inputs) and the same bias for all."""
    taps = writer.constant(f"{name}/k", kernel[:, None, None].astype(np.float32))
    biases = writer.constant(f"{name}/b", np.full(len(kernel), bias, np.float32))
    return writer.conv(value, taps, biases, writer.tensor(name, (1, *SIZE, len(kernel))))


def cancelling() -> schema.ModelT:
    """Two small layers: one adds 100,000, the other takes it away. Between them, 8 bits lose all.

    The third, which is larger, has a name that the first's matches as an expression.
    """
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    up = offset(image, "n.1(a)/x+", np.ones((1, 3)), 1e5, writer)
    up = writer.operator("RELU", [up], writer.tensor("up", (1, *SIZE, 1)))
    down = offset(up, "down", np.ones((1, 1)), -1e5, writer)
    found = offset(down, "nx1a/xx", np.ones((64, 1)), 0, writer)
    return writer.finish({"picture": image}, {"nx1a/xx": found})


def kinds(model: schema.ModelT) -> dict[str, int]:
    return {tensor.name.decode(): tensor.type for tensor in model.subgraphs[0].tensors}


def test_a_mixed_file_leaves_the_layers_in_float32_that_lose_most():
    expected = run(cancelling(), picture())["nx1a/xx"]
    snr = {}
    for name in ("int8", "int8_mixed"):
        result = quantise_model(cancelling(), PRECISIONS[name], [picture()] * 3)
        snr[name] = tensor_error(expected, run(result.model, picture())["nx1a/xx"]).snr_db
    assert result.mix is not None
    assert result.mix.real == {"n.1(a)/x+", "down"}
    # A step of 100,765 / 255 = 395 has an error of 395 / sqrt(12) = 114; the sum of three values of
    # 0 to 255 has an RMS of 403.
    assert snr["int8"] == pytest.approx(20 * np.log10(403 / 114), abs=1)
    assert snr["int8_mixed"] > LEAST_SNR_OF_8_BITS
    # Between one picture's noise and the same picture's: what is left, in powers.
    left = 10 ** ((snr["int8"] - snr["int8_mixed"]) / 10)
    assert result.mix.noise_left == pytest.approx(left, rel=0.05)
    types_ = kinds(result.model)
    assert {types_[f"{name}/k"] for name in ("n.1(a)/x+", "down")} == {FLOAT}
    assert types_["nx1a/xx/k"] == INT8


def test_a_mixed_file_says_how_far_the_measuring_is():
    seen = []
    quantise_model(
        cancelling(),
        PRECISIONS["int8_mixed"],
        [picture()] * 3,
        on_layer=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_the_same_file_and_images_give_the_same_mixed_file():
    first, second = (
        serialise(quantise_model(cancelling(), PRECISIONS["int8_mixed"], [picture()] * 3).model)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("name", ["int8", "int8_mixed"])
def test_layers_are_those_between_the_rotations(name):
    model = network()
    rotate_io(model, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    result = quantise_model(model, PRECISIONS[name], [half_dark()] * 3)
    assert [layer.operator for layer in result.layers] == ["CONV_2D", "CONV_2D"]


def test_a_mixed_precision_measures_a_rotated_network_on_rotated_images():
    model = network()
    rotate_io(model, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    rotated = half_dark()[:, ::-1, ::-1]
    found, expected, other = (
        quantise_model(model_, PRECISIONS["int8_mixed"], [image] * 3).mix
        for model_, image in ((model, half_dark()), (network(), rotated), (network(), half_dark()))
    )
    assert found == expected
    assert found != other
