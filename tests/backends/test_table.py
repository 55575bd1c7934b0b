"""Which backend runs which kind of model, and how its sets of kernels differ."""

import pytest

from mmdet2tflite.artifacts import Checkpoint, KerasModel, OnnxModel, OpenvinoModel, TfliteModel
from mmdet2tflite.backends.table import BACKENDS
from tests.evaluate.constant_network import tflite_model


def test_every_kind_of_model_has_its_backend():
    models = (Checkpoint, OnnxModel, OpenvinoModel, TfliteModel, KerasModel)
    assert list(BACKENDS) == [model.model_fields["kind"].default for model in models]
    names = ["pytorch", "onnxruntime", "openvino", "litert", "tensorflow"]
    assert [backend.name for backend in BACKENDS.values()] == names


@pytest.mark.parametrize(("kernel_set", "delegated"), [("xnnpack", True), ("builtin", False)])
def test_the_kernel_sets_of_litert_are_with_and_without_the_delegate(
    tmp_path, write_tflite, kernel_set, delegated
):
    model = tflite_model(write_tflite, tmp_path)
    runner = BACKENDS["tflite"].open(model, tmp_path, kernel_set, 1)
    # LiteRT adds a node DELEGATE for what it hands over, and has no public way to ask.
    planned = [node["op_name"] for node in runner._interpreter._get_ops_details()]
    assert ("DELEGATE" in planned) == delegated
