"""A detector cut where its own deploy config says, and not where a decoder here reads it."""

import json

import pytest

from mmdet2tflite.config.experiment import DetectorConfig, Export, Training
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.errors import ModelError
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.evaluate.request import REPORT
from mmdet2tflite.evaluate.results import DETECTIONS
from mmdet2tflite.runtime import Detector
from tests.toolchain.conftest import convert
from tests.toolchain.golden import EVALUATION, GOLDEN, TIMEOUT, TOLERANCE

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

SIZE = (128, 96)
CELLS = sum(-(-96 // stride) * -(-128 // stride) for stride in (8, 16, 32, 64, 128))


@pytest.fixture(scope="module")
def checkpoint(store, digits):
    config = TrainConfig(
        detector=DetectorConfig(config=GOLDEN.with_name("atss_tiny.py"), input_size=SIZE),
        # Fast and without a warm-up: scores that are all alike have no range to compare within.
        training=Training(
            epochs=3,
            batch_size=4,
            learning_rate=2e-2,
            warmup_iterations=0,
            val_interval=3,
            device="cpu",
        ),
    )
    return TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)


@pytest.fixture(scope="module")
def onnx(store, digits, checkpoint):
    export = Export(deploy_config=GOLDEN.with_name("atss_deploy.py"))
    return EXPORT.build(store, export, timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits)


def test_its_outputs_have_the_names_of_the_deploy_config_and_pytorchs_numbers(onnx):
    assert [(output.name, output.shape) for output in onnx.outputs] == [
        ("boxes", (1, CELLS, 4)),
        ("scores", (1, CELLS, 10)),
    ]
    assert onnx.head.family is None
    assert onnx.metrics["check.relative"] <= TOLERANCE


def test_its_file_is_measured_but_for_detections(store, digits, checkpoint, onnx):
    tflite = convert(store, digits, onnx, "mirror")[1]
    settings = {"timeout": TIMEOUT, "dataset": digits}
    reference = None
    for model in (checkpoint, onnx, tflite):
        reference = EVALUATE.build(store, EVALUATION, model=model, reference=reference, **settings)
        assert ("map" in reference.metrics) == (model is checkpoint)  # mmdet's own boxes
        assert (store.path(reference) / DETECTIONS).exists() == (model is checkpoint)
    assert reference.metrics["parity.relative"] <= TOLERANCE
    assert {"size_mb", "pads", "latency_ms.xnnpack.1"} <= set(reference.metrics)
    details = json.loads(store.path(reference, REPORT).read_text(encoding="utf-8"))
    assert set(details["parity"]["tensors"]) == {"boxes", "scores"}
    with pytest.raises(ModelError, match="has no decoder"):
        Detector(store.path(tflite, tflite.file))
