"""Which runtime runs which kind of model, and how its engines differ."""

import pytest

from mmdet2tflite.artifacts import Checkpoint, KerasModel, OnnxModel, OpenvinoModel, TfliteModel
from mmdet2tflite.backends.runtimes import RUNTIMES
from tests.evaluate.constant_network import tflite_model


def test_every_kind_of_model_has_its_runtime():
    models = (Checkpoint, OnnxModel, OpenvinoModel, TfliteModel, KerasModel)
    assert list(RUNTIMES) == [model.model_fields["kind"].default for model in models]
    names = ["pytorch", "onnxruntime", "openvino", "litert", "tensorflow"]
    assert [runtime.name for runtime in RUNTIMES.values()] == names


@pytest.mark.parametrize(("engine", "delegated"), [("xnnpack", True), ("builtin", False)])
def test_the_engines_of_litert_are_with_and_without_the_delegate(
    tmp_path, write_tflite, engine, delegated
):
    model = tflite_model(write_tflite, tmp_path)
    runner = RUNTIMES["tflite"].open(model, tmp_path, engine, 1)
    # LiteRT adds a node DELEGATE for what it hands over, and has no public way to ask.
    planned = [node["op_name"] for node in runner._interpreter._get_ops_details()]
    assert ("DELEGATE" in planned) == delegated
