"""Files for a backend that honours the flags are quantised as that backend computes them."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.parity.parity import tensor_error
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantise_file import describe_layers
from mmdet2tflite.quantize.quantize_model import quantise_model
from mmdet2tflite.tflite.flatbuffer import parse_model, serialise, write_model
from mmdet2tflite.tflite.padding_flag import put_pads_back, read_flags, write_flags
from tests.quantize.quantized_networks import (
    check_close,
    quantised,
    run,
)
from tests.tflite.tflite_writer import Writer

# litert-quantizer keeps all tensors to look at them, which LiteRT thinks worth a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")


def flagged() -> schema.ModelT:
    """One 3x3 convolution with stride 2, written SAME; its true pads are (1, 0), not (0, 1)."""
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 1))
    kernel = np.zeros((1, 3, 3, 1), np.float32)
    kernel[0, 0, 0, 0], kernel[0, 2, 2, 0] = 1, -1  # the two corners that the pads decide about
    taps = writer.constant("kernel", kernel)
    bias = writer.constant("bias", np.zeros(1, np.float32))
    found = writer.tensor("map", (1, 4, 4, 1))
    writer.conv(image, taps, bias, found, strides=(2, 2), same=True)
    model = writer.finish({"picture": image}, {"map": found})
    write_flags(model, {"map": (1, 0, 1, 0)})
    return model


def on_reference_engine(model: schema.ModelT, image: np.ndarray) -> dict[str, np.ndarray]:
    padded = parse_model(serialise(model), "a copy")
    put_pads_back(padded)
    return run(padded, image)


def ramp() -> np.ndarray:
    """Brightest in the last row and column."""
    return (np.add.outer(np.arange(8), np.arange(8)) ** 2).astype(np.float32).reshape(1, 8, 8, 1)


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_flagged_file_is_quantised_for_the_engine_that_honours_the_flags(name):
    expected = on_reference_engine(flagged(), ramp())
    result = quantised(name, flagged(), ramp())
    assert list(read_flags(result).values()) == [(1, 0, 1, 0)]
    check_close(on_reference_engine(result, ramp()), expected, name)


def test_layers_of_a_flagged_file_are_compared_as_the_reference_engine_computes_them(tmp_path):
    source, target = tmp_path / "source.tflite", tmp_path / "target.tflite"
    write_model(flagged(), source)
    result = quantise_model(flagged(), PRECISIONS["int8"], [ramp()] * 3)
    write_model(result.model, target)
    (layer,) = describe_layers(target, result, [ramp()])["layers"]
    expected = on_reference_engine(flagged(), ramp())["map"]
    found = on_reference_engine(result.model, ramp())["map"]
    assert layer["snr_db"] == pytest.approx(tensor_error(expected, found).snr_db)
