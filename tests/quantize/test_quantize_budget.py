"""What an int8 file with an accuracy budget leaves in float32, and how it finds out."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.parity.parity import tensor_error
from mmdet2tflite.quantize.layer_mix import Budget, Mix
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import Quantised, quantise_model
from mmdet2tflite.tflite.flatbuffer import operator_name, serialise
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


def budget(points: float) -> Budget:
    """A file loses as many points as its output has noise, in percent of the signal's power."""
    expected = run(cancelling(), picture())["nx1a/xx"]

    def loss(model: schema.ModelT) -> float:
        return 100 * 10 ** (-snr(expected, model) / 10)

    return Budget(points, loss)


def snr(expected: np.ndarray, model: schema.ModelT) -> float:
    return tensor_error(expected, run(model, picture())["nx1a/xx"]).snr_db


def quantised(points: float, **more) -> Quantised:
    return quantise_model(cancelling(), PRECISIONS["int8"], [picture()] * 3, budget(points), **more)


def test_the_fewest_layers_stay_in_float32_that_keep_the_budget():
    expected = run(cancelling(), picture())["nx1a/xx"]
    plain = quantise_model(cancelling(), PRECISIONS["int8"], [picture()] * 3)
    result = quantised(points=1)
    assert result.mix is not None
    assert result.mix.real == {"n.1(a)/x+", "down"}
    # A step of 100,765 / 255 = 395 has an error of 395 / sqrt(12) = 114; the sum of three values of
    # 0 to 255 has an RMS of 403.
    assert snr(expected, plain.model) == pytest.approx(20 * np.log10(403 / 114), abs=1)
    assert snr(expected, result.model) > LEAST_SNR_OF_8_BITS
    assert result.mix.loss_in_integers == budget(1).loss(plain.model)
    assert result.mix.loss == budget(1).loss(result.model) < 1
    types_ = kinds(result.model)
    assert {types_[f"{name}/k"] for name in ("n.1(a)/x+", "down")} == {FLOAT}
    assert types_["nx1a/xx/k"] == INT8


def test_a_file_that_keeps_its_budget_stays_in_integers_and_nothing_is_measured():
    seen = []
    result = quantised(points=50, on_layer=lambda *_: seen.append(1))
    assert result.mix == Mix({}, frozenset(), result.mix.loss, result.mix.loss)
    assert seen == []
    plain = quantise_model(cancelling(), PRECISIONS["int8"], [picture()] * 3)
    assert serialise(result.model) == serialise(plain.model)


def test_a_budget_that_no_integers_keep_is_refused():
    with pytest.raises(ModelError, match="with a single layer in integers more than 1e-12"):
        quantised(points=1e-12)


def test_it_says_how_far_the_measuring_is():
    seen = []
    quantised(points=1, on_layer=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_the_same_file_and_images_give_the_same_file():
    first, second = (serialise(quantised(points=1).model) for _ in range(2))
    assert first == second


def test_layers_are_those_between_the_rotations():
    model = network()
    rotate_io(model, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    result = quantise_model(model, PRECISIONS["int8"], [half_dark()] * 3)
    assert [layer.operator for layer in result.layers] == ["CONV_2D", "CONV_2D"]


def test_a_rotated_network_is_measured_on_rotated_images_and_judged_as_it_is_shipped():
    model = network()
    rotate_io(model, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    rotated = half_dark()[:, ::-1, ::-1]
    judged = []

    def loss(candidate: schema.ModelT) -> float:
        reversals = [operator_name(candidate, o) for o in candidate.subgraphs[0].operators]
        judged.append(reversals.count("REVERSE_V2"))
        return 0.0 if len(judged) % 2 == 0 else 5.0  # in integers too much, then enough

    found, expected, other = (
        quantise_model(model_, PRECISIONS["int8"], [image] * 3, Budget(1, loss)).mix
        for model_, image in ((model, half_dark()), (network(), rotated), (network(), half_dark()))
    )
    assert judged == [3, 3, 0, 0, 0, 0]
    assert found.shares == expected.shares
    assert found.shares != other.shares
