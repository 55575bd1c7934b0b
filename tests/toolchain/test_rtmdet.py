"""RTMDet by every way that YOLOX goes: every padding strategy, both converters, integers."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import DetectorConfig, Export, Training, Variants
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.evaluate.accuracy import accuracy
from mmdet2tflite.evaluate.request import EvaluateRequest
from mmdet2tflite.evaluate.results import to_results
from mmdet2tflite.evaluate.worker import run_images
from mmdet2tflite.parity.parity import compare_outputs, worst
from mmdet2tflite.quantize.quantize import QUANTIZE, QuantizeConfig
from mmdet2tflite.runtime import Detector
from mmdet2tflite.runtime.passport import load_passport
from mmdet2tflite.tflite.census import PADS, tflite_ops
from tests.toolchain.conftest import STRATEGIES, convert
from tests.toolchain.golden import EVALUATION, GOLDEN, TIMEOUT, TOLERANCE

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

SIZE = (128, 96)
STRIDED = 7  # stem, four stages, two of the neck
ROUTES = [(strategy, "onnx2tf") for strategy in STRATEGIES] + [("mirror", "openvino")]


def train_config(padding: str = "torch") -> TrainConfig:
    return TrainConfig(
        detector=DetectorConfig(
            config=GOLDEN.with_name("rtmdet_narrow.py"), input_size=SIZE, padding=padding
        ),
        training=Training(epochs=0, checkpoint=GOLDEN.with_name("rtmdet_narrow_digits.pth")),
    )


class Models:
    """A checkpoint, its ONNX, and what is asked of files made of them, each made once."""

    def __init__(self, store, padding="torch"):
        self.store = store
        config = DigitsData(
            kind="digits",
            size=SIZE,
            train_images=16,
            val_images=24,
            digits_per_image=(1, 2),
            digit_size=(30, 70),
        )
        self.dataset = DATASET.build(store, config, timeout=TIMEOUT)
        self.checkpoint = TRAIN.build(
            store, train_config(padding), timeout=TIMEOUT, dataset=self.dataset
        )
        inputs = {"checkpoint": self.checkpoint, "dataset": self.dataset}
        self.onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, **inputs)
        self.annotations = store.path(self.dataset, self.dataset.val.annotations)
        self.truth = json.loads(self.annotations.read_text(encoding="utf-8"))
        self.images = {
            image["id"]: self.annotations.parent / image["file_name"]
            for image in self.truth["images"]
        }

    def convert(self, strategy, converter="onnx2tf"):
        return convert(self.store, self.dataset, self.onnx, strategy, converter)[1]

    def quantise(self, tflite, precision):
        inputs = {"model": tflite, "dataset": self.dataset}
        config = QuantizeConfig.of(precision, Variants())
        return QUANTIZE.build(self.store, config, timeout=TIMEOUT, **inputs)

    def path(self, model) -> Path:
        return self.store.path(model, model.file)

    def evaluate(self, model):
        """What the evaluation's child finds, found in this process."""
        spec = EvaluateRequest(
            model=model,
            model_folder=self.store.path(model),
            annotations=self.annotations,
            images=self.annotations.parent,
            reference=None,
            config=EVALUATION,
            work=self.annotations.parent,
        )
        return run_images(spec, self.images)

    def precision(self, evaluated) -> float:
        """mAP."""
        return accuracy(self.truth, evaluated.coco_results(), list(self.images))[0]["map"]


@pytest.fixture(scope="module")
def models(store):
    return Models(store)


@pytest.fixture(scope="module")
def pytorch(models):
    return models.evaluate(models.checkpoint)


def test_mmdets_own_boxes_and_ours_of_the_onnx_are_worth_the_same(models, pytorch):
    onnx = models.evaluate(models.onnx)
    assert models.precision(onnx) == pytest.approx(models.precision(pytorch), abs=1e-3)
    assert models.precision(pytorch) > 0.05  # it was trained
    for image_id, expected in pytorch.detections.items():
        best, found = expected.best(5), onnx.detections[image_id].best(5)
        np.testing.assert_array_equal(found.labels, best.labels)
        np.testing.assert_allclose(found.scores, best.scores, atol=1e-5)
        np.testing.assert_allclose(found.boxes, best.boxes, atol=1e-2)


def test_the_file_knows_how_a_picture_becomes_its_input(models):
    preprocessing = load_passport(models.path(models.convert("mirror_rotated"))).preprocessing
    assert (preprocessing.width, preprocessing.height) == SIZE
    assert preprocessing.colour_order == "bgr"
    assert preprocessing.mean == (103.53, 116.28, 123.675)
    assert preprocessing.std == (57.375, 57.12, 58.395)


@pytest.mark.parametrize(("strategy", "converter"), ROUTES)
def test_every_exact_file_computes_what_pytorch_computes(models, pytorch, strategy, converter):
    tflite = models.convert(strategy, converter)
    ops = tflite_ops(models.path(tflite))
    assert sum(ops[name] for name in PADS) == (STRIDED if strategy == "explicit" else 0)
    found = models.evaluate(tflite)
    error = worst(list(compare_outputs(pytorch.outputs, found.outputs).values()))
    if strategy == "force_same":
        assert error.relative > 0.1
        return
    assert error.relative <= 2 * TOLERANCE
    assert models.precision(found) == pytest.approx(models.precision(pytorch), abs=1e-3)


@pytest.mark.parametrize("converter", ["onnx2tf", "openvino"])
def test_integers_keep_most_of_it(models, pytorch, converter):
    found = models.evaluate(models.quantise(models.convert("mirror", converter), "int8"))
    assert models.precision(found) == pytest.approx(models.precision(pytorch), abs=0.05)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_runtime_finds_what_the_evaluation_finds_to_the_last_bit(models, precision):
    tflite = models.convert("mirror_rotated")
    if precision != "float32":
        tflite = models.quantise(tflite, precision)
    expected = models.evaluate(tflite).detections
    detector = Detector(models.path(tflite))
    for image_id, path in models.images.items():
        found = detector(path)
        assert to_results(image_id, found) == to_results(image_id, expected[image_id])
        assert len(found) > 0


def test_trained_with_tensorflows_padding_it_needs_no_pad(store):
    models = Models(store, padding="tf")
    tflite = models.convert("tf_train")
    ops = tflite_ops(models.path(tflite))
    assert sum(ops[name] for name in PADS) == 0
    # The export was compared with PyTorch, the file with the export.
    assert models.onnx.metrics["check.relative"] <= TOLERANCE
    assert tflite.metrics["check.relative"] <= TOLERANCE
