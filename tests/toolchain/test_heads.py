"""Every family of heads: mmdet's numbers in the decoder, in the ONNX and in the TFLite file."""

import pytest

from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import DetectorConfig, Export, Training
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.tflite.census import PADS, tflite_ops
from tests.toolchain.conftest import convert
from tests.toolchain.golden import TIMEOUT, TOLERANCE
from tests.toolchain.tiny_heads import SIZE, TINY, write_config, write_weights

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def scenes(store):
    config = DigitsData(
        kind="digits",
        size=SIZE,
        train_images=16,
        val_images=8,
        digits_per_image=(1, 2),
        digit_size=(30, 70),
    )
    return DATASET.build(store, config, timeout=TIMEOUT)


@pytest.mark.parametrize("name", TINY)
def test_a_network_is_exported_and_converted_to_a_file_without_pads(store, scenes, tmp_path, name):
    config = write_config(tmp_path, name)
    training = TrainConfig(
        detector=DetectorConfig(config=config, input_size=SIZE),
        training=Training(epochs=0, checkpoint=write_weights(config)),
    )
    checkpoint = TRAIN.build(store, training, timeout=TIMEOUT, dataset=scenes)
    onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=scenes)
    print(name, onnx.metrics, onnx.head.family, [o.name for o in onnx.outputs])
    tflite = convert(store, scenes, onnx, "mirror")[1]
    ops = tflite_ops(store.path(tflite, tflite.file))
    print(name, ops, tflite.metrics)
    assert sum(ops[name] for name in PADS) == 0
    assert tflite.metrics["check.relative"] <= TOLERANCE
