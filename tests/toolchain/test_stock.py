"""What other tools make of the golden network by themselves."""

import pytest

from benchmarks.conversion.recipes import RecipeName
from benchmarks.conversion.stock import STOCK, StockConfig
from mmdet2tflite.artifacts import OnnxModel, TfliteModel
from mmdet2tflite.data.files import image_files
from mmdet2tflite.errors import ToolFailed
from mmdet2tflite.parity.check import run_on_images
from mmdet2tflite.parity.parity import compare_outputs
from mmdet2tflite.runtime.runners import OnnxRunner, Runner, open_tflite
from mmdet2tflite.tflite.census import onnx_ops, tflite_ops
from tests.toolchain.conftest import MainPath
from tests.toolchain.golden import TIMEOUT, TOLERANCE

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

IMAGES = 4


def build(main_path: MainPath, recipe: RecipeName) -> TfliteModel | OnnxModel:
    config = StockConfig.of(recipe, 8)
    inputs = {"model": main_path.onnx, "dataset": main_path.dataset}
    return STOCK.build(main_path.store, config, timeout=TIMEOUT, **inputs)


def errors(main_path: MainPath, runner: Runner):
    """Of each output, against the ONNX on real images."""
    store, onnx = main_path.store, main_path.onnx
    images = image_files(store, main_path.dataset, "val")[:IMAGES]
    reference = OnnxRunner(store.path(onnx, onnx.file), 1)
    outputs = [run_on_images(one, images, onnx.preprocessing) for one in (reference, runner)]
    return compare_outputs(*outputs)


def test_onnx2tf_by_default_keeps_the_numbers_the_pads_and_the_transposes(main_path):
    model = build(main_path, "onnx2tf_float32")
    file = main_path.store.path(model, model.file)
    found = errors(main_path, open_tflite(model, file, 1, xnnpack=True))
    assert max(error.relative for error in found.values()) < TOLERANCE
    ops = tflite_ops(file)
    # Six stride-2 convolutions; a 6-D transpose of the Focus becomes three.
    assert (ops["PAD"], ops["TRANSPOSE"]) == (6, 3)


def test_onnx2tfs_integer_file_is_refused_by_the_tool_itself_with_a_reason(main_path):
    with pytest.raises(ToolFailed, match="quantized_dimension must be in range") as caught:
        build(main_path, "onnx2tf_int8")
    assert len(caught.value.found.splitlines()) == 1


def test_onnx_runtime_quantises_weights_and_activations(main_path):
    model = build(main_path, "onnxruntime_int8")
    file = main_path.store.path(model, model.file)
    ops = onnx_ops(file)
    assert min(ops["QuantizeLinear"], ops["DequantizeLinear"]) > ops["Conv"] > 100
    size = main_path.store.path(main_path.onnx, main_path.onnx.file).stat().st_size
    assert file.stat().st_size < size / 2
    # Its outputs are still those of the network: noise is weaker than the signal.
    assert min(error.snr_db for error in errors(main_path, OnnxRunner(file, 1)).values()) > 0
