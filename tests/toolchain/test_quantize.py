"""What the precisions keep of a trained network, calibrated on 16 images."""

import json

import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.config.experiment import Variants
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

    def build(padding, precision, budget=None):
        return QUANTIZE.build(
            main_path.store,
            QuantizeConfig.of(precision, Variants(accuracy_budget=budget)),
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

    def read(padding, precision, budget=None):
        path = main_path.store.path(quantised(padding, precision, budget), LAYERS)
        return {layer["layer"]: layer for layer in json.loads(path.read_text())["layers"]}

    return read


@pytest.mark.parametrize("padding", ["mirror", "engine"])
def test_every_layer_of_an_int8_file_is_compared_with_the_float_file(layers, padding):
    found = [layer["snr_db"] for layer in layers(padding, "int8").values()]
    assert len(found) > 100
    assert all(0 < snr < 60 for snr in found)


@pytest.mark.long
def test_a_budget_is_kept_by_layers_that_are_float32_where_the_table_says_so(
    main_path, layers, quantised
):
    integers = quantised("mirror", "int8", 99.0).metrics
    assert (integers["layers.float32"], integers["budget.loss"]) == (
        0,
        pytest.approx(integers["budget.loss_in_integers"]),
    )
    budget = integers["budget.loss"] / 2
    result = quantised("mirror", "int8", budget)
    assert result.metrics["budget.loss"] <= budget
    model = read_model(main_path.store.path(result, result.file))
    graph = model.subgraphs[0]
    weights = {  # an output is named before its rotation
        graph.tensors[operator.outputs[0]].name.decode().removesuffix("_rotated"): graph.tensors[
            operator.inputs[1]
        ].type
        for operator in graph.operators
        if operator_name(model, operator) in CONVOLUTIONS
    }
    table = layers("mirror", "int8", budget)
    real = {name for name, type_ in weights.items() if type_ == schema.TensorType.FLOAT32}
    assert real >= {name for name in table if table[name]["float32"] and name in weights}
    assert 0 < len(real) < len(weights)


def test_rotations_stay_outside_the_integers(main_path, quantised):
    result = quantised("mirror", "int8")
    ops = tflite_ops(main_path.store.path(result, result.file))
    assert ops["REVERSE_V2"] == 1 + len(result.outputs)
    assert ops["DEQUANTIZE"] == len(result.outputs)


def test_the_quantisers_progress_bars_stay_out_of_the_log(main_path, quantised):
    result = quantised("mirror", "int8")
    assert "it/s" not in main_path.store.path(result, "log/quantize.log").read_text()
