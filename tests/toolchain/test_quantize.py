"""What the precisions keep of a trained network, calibrated on 16 images."""

import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.data.files import image_files
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.parity.check import PARITY_IMAGES, run_on_images
from mmdet2tflite.parity.parity import compare_outputs
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.quantize.quantize import QUANTIZE, QuantizeConfig
from mmdet2tflite.runtime.runners import open_tflite
from mmdet2tflite.tflite.census import tflite_ops
from mmdet2tflite.tflite.flatbuffer import operator_name, read_model
from mmdet2tflite.tflite.windows import CONVOLUTIONS
from tests.toolchain.golden import EVALUATION, TIMEOUT

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def quantised(variants, main_path):
    """The artefact of a strategy's file in another precision."""

    def build(padding, precision):
        return QUANTIZE.build(
            main_path.store,
            QuantizeConfig.of(precision, 300),
            timeout=TIMEOUT,
            model=variants[padding].tflite,
            dataset=main_path.dataset,
        )

    return build


def measure(main_path, quantised, padding):
    """mAP of a strategy's int8 file."""
    report = EVALUATE.build(
        main_path.store,
        EVALUATION,
        timeout=TIMEOUT,
        model=quantised(padding, "int8"),
        dataset=main_path.dataset,
        reference=main_path.reports["onnx"],
    )
    return report.metrics["map"]


@pytest.mark.parametrize(("precision", "bits"), [("float16", 11), ("int8_weight", 8)])
def test_rounded_weights_are_magnified_no_more_than_float32s_own_rounding(
    variants, main_path, quantised, precision, bits
):
    """Two sets of kernels differ by float32's rounding of 24 bits; a bit less is 6.02 dB less."""
    model, path = variants["mirror"].tflite, variants["mirror"].path
    images = image_files(main_path.store, main_path.dataset, "val")[:PARITY_IMAGES]
    xnnpack, builtin = (
        run_on_images(open_tflite(model, path, 1, delegated), images, model.preprocessing)
        for delegated in (True, False)
    )
    metrics = quantised("mirror", precision).metrics
    for name, error in compare_outputs(xnnpack, builtin).items():
        assert metrics[f"check.snr_db.{name}"] > error.snr_db - 6.02 * (24 - bits)


@pytest.mark.parametrize("padding", ["mirror", "widen"])
def test_activations_of_16_bits_add_less_noise_than_their_weights_of_8(quantised, padding):
    found, weights = (quantised(padding, name).metrics for name in ("int16x8", "int8_weight"))
    assert found["check.snr_db"] > weights["check.snr_db"] - 3  # twice the power


@pytest.mark.parametrize("padding", ["mirror", "engine"])
def test_an_int8_file_detects_as_its_float_file_does(variants, main_path, quantised, padding):
    # 24 images with 2 to 4 digits: a box is about 1.4 points. Two may be lost.
    least = variants[padding].report.metrics["map"] - 0.03
    assert measure(main_path, quantised, padding) > least


@pytest.fixture(scope="module")
def layers(main_path, quantised):
    """What a file's layers.json says of each layer, by its name."""

    def read(padding, precision):
        path = main_path.store.path(quantised(padding, precision), LAYERS)
        return {layer["layer"]: layer for layer in json.loads(path.read_text())["layers"]}

    return read


@pytest.mark.parametrize("padding", ["mirror", "engine"])
def test_every_layer_of_an_int8_file_is_compared_with_the_float_file(layers, padding):
    found = [layer["snr_db"] for layer in layers(padding, "int8").values()]
    assert len(found) > 100
    assert all(0 < snr < 60 for snr in found)


@pytest.mark.long
def test_layers_left_in_float32_take_noise_from_images_that_they_were_not_chosen_by(
    layers, quantised
):
    metrics = quantised("mirror", "int8_mixed").metrics
    plain, mixed = layers("mirror", "int8"), layers("mirror", "int8_mixed")
    outputs = [name for name in plain if name.startswith(("cls", "box", "obj"))]
    assert len(outputs) == 9
    gains = [mixed[name]["snr_db"] - plain[name]["snr_db"] for name in outputs]
    # The noise left is a mean of nine ratios, each up to some tenths of a decibel off elsewhere.
    assert metrics["layers.noise_left"] < 0.9
    assert np.mean(gains) > -5 * np.log10(metrics["layers.noise_left"])


@pytest.mark.long
def test_layers_of_a_mixed_file_are_float32_where_its_table_says_so(main_path, layers, quantised):
    result = quantised("mirror", "int8_mixed")
    model = read_model(main_path.store.path(result, result.file))
    graph = model.subgraphs[0]
    weights = {  # an output is named before its rotation
        graph.tensors[operator.outputs[0]].name.decode().removesuffix("_rotated"): graph.tensors[
            operator.inputs[1]
        ].type
        for operator in graph.operators
        if operator_name(model, operator) in CONVOLUTIONS
    }
    table = layers("mirror", "int8_mixed")
    real = {name for name, type_ in weights.items() if type_ == schema.TensorType.FLOAT32}
    assert real == {name for name in table if table[name]["float32"] and name in weights}
    assert 0 < len(real) < len(weights) / 2


def test_rotations_stay_outside_the_integers(main_path, quantised):
    result = quantised("mirror", "int8")
    ops = tflite_ops(main_path.store.path(result, result.file))
    assert ops["REVERSE_V2"] == 1 + len(result.outputs)
    assert ops["DEQUANTIZE"] == len(result.outputs)


def test_the_quantisers_progress_bars_stay_out_of_the_log(main_path, quantised):
    result = quantised("mirror", "int8")
    assert "it/s" not in main_path.store.path(result, "log/quantize.log").read_text()
