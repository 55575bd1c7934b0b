"""detector.padding: tf, from an ordinary checkpoint to a file without PAD."""

import numpy as np
import pytest

from mmdet2tflite.config.experiment import DetectorConfig, Export, Training
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.model_file import load_model
from mmdet2tflite.graph.strategies import auto
from mmdet2tflite.tflite.census import tflite_ops
from tests.toolchain.conftest import convert
from tests.toolchain.golden import EVALUATION, GOLDEN, SIZE, TIMEOUT, TOLERANCE

pytestmark = [pytest.mark.toolchain, pytest.mark.long]


@pytest.fixture(scope="module")
def padded(store, digits):
    """The golden checkpoint under TensorFlow's padding, before any training: checkpoint, ONNX."""
    config = TrainConfig(
        detector=DetectorConfig(input_size=SIZE, padding="tf"),
        training=Training(epochs=0, checkpoint=GOLDEN),
    )
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)
    return checkpoint, EXPORT.build(
        store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits
    )


def test_tf_train_takes_it_without_a_pad_and_keeps_its_own_pytorchs_numbers(store, digits, padded):
    checkpoint, onnx = padded
    _, tflite = convert(store, digits, onnx, "tf_train")
    assert tflite_ops(store.path(tflite, tflite.file))["PAD"] == 0
    pytorch, lite = (
        EVALUATE.build(
            store, EVALUATION, timeout=TIMEOUT, model=model, dataset=digits, reference=None
        )
        for model in (checkpoint, tflite)
    )
    expected, found = (Evaluated.load(store.path(report)).outputs for report in (pytorch, lite))
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert np.abs(found[name] - values).max() <= TOLERANCE * np.ptp(values)
    assert f"{lite.metrics['map']:.4f}" == f"{pytorch.metrics['map']:.4f}"


def test_auto_finds_nothing_to_do(store, padded):
    model = load_model(store.path(padded[1], "model.onnx"))
    canonicalise(model)
    rewriting = auto.rewrite(model)
    assert (rewriting.pads, rewriting.extra_multiplications, rewriting.chosen) == (0, 0, "explicit")
    assert not rewriting.rotation.input


def test_untrained_for_it_a_network_is_worth_what_force_same_makes_of_it(
    store, digits, padded, variants
):
    report = EVALUATE.build(
        store, EVALUATION, timeout=TIMEOUT, model=padded[0], dataset=digits, reference=None
    )
    forced = variants["force_same"].report.metrics["map"]
    assert f"{report.metrics['map']:.4f}" == f"{forced:.4f}"
